/** The studio: pictures large, what made them, and what to do with them next. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { decodeImage } from "./answers";
import { Host } from "./host";
import { findSubject, listEdits, storeMask } from "./mask_calls";
import { Painter } from "./painter";
import { Button, Compare, copyText, describeMade, Facts, getWords, hasSameShape, measureProgress, Prompt, Strip, useRedraw } from "./parts";
import { Session } from "./session";
import { s } from "./studio_words";
import { countPictures, t } from "./words";

const UPSCALE = 2;
const VARIATIONS = 2;
/** Of the source: far enough to differ, near enough to be told as the same scene. */
const VARIATION_STRENGTH = 0.6;

const host = new Host({ name: "atelier", version: "1" });
const session = new Session(host.call, () => redrawStudio());
let redrawStudio = () => {};

host
  .on("ui/notifications/tool-input", ({ arguments: args }) => session.takeInput(host.context.toolInfo?.tool?.name, args ?? {}))
  .on("ui/notifications/tool-result", (result) => void session.takeResult(result))
  .on("ui/notifications/tool-cancelled", () => session.takeCancel())
  .on("context", () => redrawStudio());

function Studio() {
  const redraw = useRedraw();
  const [isPainting, setPainting] = useState(false);
  const [isGrid, setGrid] = useState(true);
  const [image, setImage] = useState<ImageBitmap>();
  const [busy, setBusy] = useState("");
  useEffect(() => {
    redrawStudio = redraw;
    host.connect().catch((error: Error) => session.say(error.message, true));
    return () => session.stop();
  }, []);

  const { current, wish, work } = session;
  const isFull = host.context.displayMode === "fullscreen";
  const cost = (count: number) => (session.isFree ? t("free") : countPictures(count));

  const startPainting = async () => {
    setBusy(s("loading"));
    try {
      const view = await session.load(session.chosen);
      setImage(await decodeImage(view.data, view.type));
      setPainting(true);
      if (host.offers("fullscreen")) await host.setMode("fullscreen").catch(() => {});
    } catch (error) {
      session.say((error as Error).message || s("openFailed"), true);
    }
    setBusy("");
  };
  const stopPainting = async () => {
    setPainting(false);
    if (host.context.displayMode === "fullscreen") await host.setMode("inline").catch(() => {});
  };
  // A painter that was asked for opens by itself, as soon as its picture is known.
  const canOpenWish = !!wish && !!current && !session.isWaiting;
  useEffect(() => void (canOpenWish && startPainting()), [canOpenWish]);

  const copy = async (text: string) => session.say((await copyText(text)) ? t("copied", text) : text);
  const choose = (handle: string) => {
    setGrid(false);
    session.choose(handle);
  };
  const use = async (handle: string) => {
    try {
      await host.say(s("useMessage", handle));
      session.say(s("told"));
    } catch {
      await copy(handle);
    }
  };
  const give = async (mask: string) => {
    const stored = await storeMask(host.call, session.chosen, mask);
    host.tell(`The user marked a part of ${session.chosen} in the painter; the mask is ${stored}.`);
    await stopPainting();
    try {
      await host.say(`I marked the part of ${session.chosen}: the mask is ${stored}.`);
      session.say(s("given", stored));
    } catch {
      await copy(stored);
    }
  };
  const change = async (label: string, tool: string, args: object, verb: string) => {
    setGrid(false);
    const source = session.chosen;
    const made = await session.run(label, tool, args, verb);
    if (made.length) {
      session.say(s("done", verb));
      host.tell(`In the studio the user ran ${tool} on ${source}; the result is ${made.join(", ")}.`);
    }
    return made;
  };

  const giving = { label: s("give"), run: give };
  const edits = listEdits(host.call, session.chosen, cost(1), async (tool, args, label, verb) => {
    if (!(await change(label, tool, args, verb)).length) throw new Error(session.message.text);
    await stopPainting();
  });
  if (isPainting && current)
    return (
      <Painter
        picture={current}
        image={image}
        hint={wish ? (wish.why ? s("ask", wish.why) : s("askPlain")) : undefined}
        isFull={isFull}
        leave={stopPainting}
        enlarge={!isFull && host.offers("fullscreen") ? () => void host.setMode("fullscreen") : undefined}
        refine={(mask) => findSubject(host.call, current.handle, mask)}
        refineCost={cost(1)}
        actions={wish ? [giving, ...edits] : [...edits, giving]}
      />
    );

  const made = current?.made;
  const isIdle = !work && !busy;
  const fresh = session.versions.filter((version) => version.label !== s("source") && version.label !== "mask");
  const canGrid = fresh.length > 1 && fresh.every((version) => version.parent === fresh[0].parent);
  const showsGrid = isGrid && canGrid && isIdle;
  const ratio = current ? current.width / current.height : session.ratio;
  const words = getWords(made);
  const name = describeMade(made) || t("picture");
  const variation = { prompt: name, image: session.chosen, strength: VARIATION_STRENGTH, samples: VARIATIONS };
  return (
    <main class="studio" aria-busy={!isIdle || session.isWaiting}>
      <div class={`hero ${isIdle ? "" : "at-work"}`} style={{ "--ratio": String(ratio) }}>
        {showsGrid ? (
          <Grid />
        ) : session.isWaiting && session.expected > 1 && !current ? (
          <div class="grid">{Array.from({ length: Math.min(8, session.expected) }, () => <span class="skeleton cell" />)}</div>
        ) : (
          <Compare before={hasSameShape(session.before, current) ? session.before?.source : undefined} after={current?.source} ratio={ratio} alt={name} />
        )}
        <div class="corner">
          {canGrid && !showsGrid && <Button bare icon="grid" label={s("grid")} onClick={() => setGrid(true)} />}
          {host.offers("fullscreen") && (
            <Button bare icon="full" label={t(isFull ? "inline" : "fullScreen")} onClick={() => void host.setMode(isFull ? "inline" : "fullscreen")} />
          )}
        </div>
      </div>
      <div class="side">
        {session.versions.length > 1 && (
          <Strip
            pictures={session.versions}
            parents={Object.fromEntries(session.versions.map(({ handle, parent }) => [handle, parent]))}
            chosen={session.chosen}
            choose={choose}
          />
        )}
        {words && <Prompt>{words}</Prompt>}
        {current && <Facts picture={current} made={made} copy={copy} />}
        <Progress />
        {current && (
          <div class="bar verbs">
            <Button icon="up" label={s("upscale")} cost={cost(1)} disabled={!isIdle} onClick={() => change(s("upscaling"), "upscale_image", { image: session.chosen, ratio: UPSCALE }, t("upscaled"))} />
            <Button icon="vary" label={s("variations")} cost={cost(VARIATIONS)} disabled={!isIdle} onClick={() => change(s("varying"), "generate_image", variation, t("variation"))} />
            <Button icon="rubber" label={t("eraseOrRepaint")} disabled={!isIdle} onClick={startPainting} />
            <Button icon="save" label={s("save")} disabled={!isIdle} onClick={() => save(current.handle, current.path).then((text) => (text ? copy(text) : session.say(s("saved"))))} />
            <Button main icon="send" label={s("use")} disabled={!isIdle} onClick={() => use(current.handle)} />
          </div>
        )}
        <p class={session.message.isError ? "status bad" : "status"} role="status">
          {busy || session.message.text || (session.isWaiting && !work ? s("waiting") : "")}
        </p>
        {session.notes.length > 0 && <Notes />}
      </div>
    </main>
  );

  function Grid() {
    return (
      <div class="grid" role="group" aria-label={s("grid")}>
        {fresh.map((version) => (
          <button
            type="button"
            class="cell"
            key={version.handle}
            aria-label={t("dimensions", version.label ?? t("picture"), version.width, version.height)}
            onClick={() => choose(version.handle)}
          >
            {version.source ? <img src={version.source} alt="" /> : <span class="skeleton" />}
          </button>
        ))}
      </div>
    );
  }
}

/** What the services remarked, without what is seen: the preview's scale, and the model among the facts. */
function Notes() {
  return (
    <ul class="notes">
      {session.notes.filter((note) => !/^shown at |^img_\w+: shown|^model [^:]+$/.test(note)).map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

/** How far the work is, and a way out of it. */
function Progress() {
  const { work } = session;
  useRedraw(work ? 250 : 0);
  if (!work) return null;
  const { value, times } = measureProgress(work.startedMs, work.typicalS, work.progress);
  return (
    <div class="progress">
      <progress value={value} aria-label={work.label} />
      <span aria-live="off">
        {work.label} · {times}
      </span>
      {work.jobId && <Button class="small" label={t("cancel")} onClick={() => void session.cancelWork()} />}
    </div>
  );
}

/** Saves the whole file through the host; where that saves none, gives what to copy. */
async function save(handle: string, path?: string): Promise<string | undefined> {
  try {
    const { contents } = await host.request("resources/read", { uri: `atelier://images/${handle}` });
    const { mimeType, blob } = contents[0];
    await host.download(`${handle}.${mimeType.split("/")[1].replace("jpeg", "jpg")}`, mimeType, blob);
    return undefined;
  } catch {
    return path ?? handle;
  }
}

render(<Studio />, document.getElementById("app")!);
