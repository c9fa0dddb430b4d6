// What is tried through every client of Node: as _checks.py.

export const command = JSON.parse(process.env.INTEROP_COMMAND);
export const environ = JSON.parse(process.env.INTEROP_ENVIRON);
export const url = process.env.INTEROP_URL;

/** Blocks of content as text and a count of pictures. */
export function describeBlocks(blocks) {
  const all = Array.isArray(blocks) ? blocks : [blocks];
  const isImage = (block) => /image/.test(block?.type ?? "") || /^image\//.test(block?.mediaType ?? "");
  return {
    text: all.filter((block) => !isImage(block)).map((block) => block?.text ?? String(block)).join("\n"),
    imageCount: all.filter(isImage).length,
  };
}

/** Try everything; `call(name, arguments)` gives what describeBlocks gives. */
export async function run(names, call) {
  const ask = async (name, args) => {
    try {
      return await call(name, args);
    } catch (error) {
      return { text: String(error?.message ?? error), imageCount: 0 };
    }
  };
  const made = await ask("generate_image", { prompt: "a red kite", width: 640, height: 640 });
  const handle = made.text.match(/img_[a-z0-9]{8,}/)?.[0] ?? "";
  const masked = await ask("make_mask", { image: handle, shapes: [{ type: "box", points: [10, 10, 300, 300] }] });
  const refused = await ask("generate_image", { prompt: "   " });
  console.log("\nINTEROP " + JSON.stringify({
    tools: names.length,
    picture: handle !== "" && made.imageCount > 0,
    error: refused.text.includes("prompt is blank"),
    nested: masked.text.includes("of the picture is marked"),
    texts: [made, masked, refused].map(({ text }) => text.slice(0, 300)),
  }));
  process.exit(0);
}
