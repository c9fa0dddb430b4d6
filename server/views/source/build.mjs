// Builds each page as one HTML file beside this folder, script and style inlined. Same sources, same bytes, on any machine.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";

const SOURCE = import.meta.dirname;
const TARGET = process.argv[2] ?? path.dirname(SOURCE);
const PAGES = { studio: "Atelier", gallery: "Atelier gallery" };
const INPUT = /\.(tsx?|css|mjs|json)$/;

/** The hash that the check without Node computes again: names and texts, whatever the line ends. */
function hashSources() {
  const hash = createHash("sha256");
  for (const name of readdirSync(SOURCE).filter((file) => INPUT.test(file)).sort())
    hash.update(`${name}\0${readText(name)}\0`);
  return hash.digest("hex");
}

function readText(name) {
  return readFileSync(path.join(SOURCE, name), "utf8").replaceAll("\r\n", "\n");
}

async function buildScript(name) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: SOURCE,
    entryPoints: [`${name}.tsx`],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    // Calls of h are shorter than those of the automatic runtime: a fortieth of the page.
    jsx: "transform",
    jsxFactory: "h",
    jsxFragment: "Fragment",
    inject: ["jsx.ts"],
    tsconfigRaw: {},
    legalComments: "none",
    write: false,
  });
  // Neither may end the script element, or hide what follows it.
  return outputFiles[0].text.trim().replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

async function buildStyle(name) {
  const text = readText("theme.css") + readText("painter.css") + readText(`${name}.css`);
  return (await esbuild.transform(text, { loader: "css", minify: true, target: "es2022" })).code.trim();
}

const hash = hashSources();
for (const [name, title] of Object.entries(PAGES)) {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><!-- built by source/build.mjs from ${hash} --><style>${await buildStyle(name)}</style></head><body><div id="app"></div><script>${await buildScript(name)}</script></body></html>
`;
  writeFileSync(path.join(TARGET, `${name}.html`), html);
  console.log(`${name}.html: ${Buffer.byteLength(html)} bytes`);
}
