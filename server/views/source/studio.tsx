/** The studio: pictures large, what made them, and what to do with them next. */
import { render } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { decodeImage, getText, listPictures } from "./answers";
import { Host } from "./host";
import { toLayer, type Layer } from "./mask";
import { Painter, type MaskAction } from "./painter";
import { Button, Compare, copyText, describeMade, Facts, hasSameShape, Prompt, Strip } from "./parts";
import { Session } from "./session";
import { countPictures, t } from "./words";

const UPSCALE = 2;
const VARIATIONS = 2;
/** Of the source: far enough to differ, near enough to be told as the same scene. */
const VARIATION_STRENGTH = 0.6;
const SECONDS = 1000;

const host = new Host({ name: "atelier", version: "1" });
const session = new Session(host.call, () => redrawStudio());
let redrawStudio = () => {};

host
  .on("ui/notifications/tool-input", ({ arguments: args }) => session.takeInput(host.context.toolInfo?.tool?.name, args ?? {}))
  .on("ui/notifications/tool-result", (result) => void session.takeResult(result))
  .on("ui/notifications/tool-cancelled", () => session.takeCancel())
  .on("context", () => redrawStudio());

function Studio() {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [isPainting, setPainting] = useState(false);
  const [isGrid, setGrid] = useState(true);
  const [image, setImage] = useState<ImageBitmap>();
  const [busy, setBusy] = useState("");
  useEffect(() => {
    redrawStudio = () => redraw(0);
    host.connect().catch((error: Error) => session.say(error.message, true));
    return () => session.stop();
  }, []);

  const { current, wish, work } = session;
  const isFull = host.context.displayMode === "fullscreen";
  const cost = (count: number) => (session.isFree ? t("free") : countPictures(count));

  const startPainting = async () => {
    setBusy(t("loading"));
    try {
      const view = await session.load(session.chosen);
      setImage(await decodeImage(view.data, view.type));
      setPainting(true);
      if (host.offers("fullscreen")) await host.setMode("fullscreen").catch(() => {});
    } catch (error) {
      session.say((error as Error).message || t("openFailed"), true);
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
  const use = async (handle: string) => {
    try {
      await host.say(t("useMessage", handle));
      session.say(t("told"));
    } catch {
      await copy(handle);
    }
  };
  const change = async (label: string, tool: string, args: object, verb: string) => {
    setGrid(false);
    const source = session.chosen;
    const made = await session.run(label, tool, args, { verb });
    if (made.length) {
      session.say(t("done", verb));
      host.tell(`In the studio the user ran ${tool} on ${source}; the result is ${made.join(", ")}.`);
    }
    return made;
  };

  if (isPainting && current)
    return (
      <Painter
        picture={current}
        image={image}
        hint={wish ? (wish.why ? t("ask", wish.why) : t("askPlain")) : undefined}
        isFull={isFull}
        busy={busy || work?.label || ""}
        error={session.message.isError ? session.message.text : ""}
        leave={stopPainting}
        enlarge={!isFull && host.offers("fullscreen") ? () => void host.setMode("fullscreen") : undefined}
        refine={{ cost: cost(1), run: (mask) => findSubject(current.handle, mask, setBusy) }}
        actions={listMaskActions({ handle: current.handle, isAsked: !!wish, cost: cost(1), setBusy, change, copy, stopPainting })}
      />
    );

  const made = current?.made;
  const isIdle = !work && !busy;
  const fresh = session.versions.filter((version) => version.label !== t("source") && version.label !== "mask");
  const canGrid = fresh.length > 1 && fresh.every((version) => version.parent === fresh[0].parent);
  const showsGrid = isGrid && canGrid && isIdle;
  const ratio = current ? current.width / current.height : session.ratio;
  const variation = { prompt: describeMade(made) || t("picture"), image: session.chosen, strength: VARIATION_STRENGTH, samples: VARIATIONS };
  return (
    <main class="studio" aria-busy={!isIdle || session.isWaiting}>
      <div class={`hero ${isIdle ? "" : "at-work"}`} style={{ "--ratio": String(ratio) }}>
        {showsGrid ? (
          <Grid />
        ) : session.isWaiting && session.expected > 1 && !current ? (
          <div class="grid">{Array.from({ length: Math.min(8, session.expected) }, (_, i) => <span key={i} class="skeleton cell" />)}</div>
        ) : (
          <Compare before={hasSameShape(session.before, current) ? session.before?.source : undefined} after={current?.source} ratio={ratio} alt={describeMade(made) || t("picture")} />
        )}
        <div class="corner">
          {canGrid && !showsGrid && <Button bare icon="grid" label={t("grid")} onClick={() => setGrid(true)} />}
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
            choose={(handle) => {
              setGrid(false);
              session.choose(handle);
            }}
          />
        )}
        {made?.request?.prompt && <Prompt>{made.request.prompt}</Prompt>}
        {current && <Facts picture={current} made={made} copy={copy} />}
        <Progress />
        {current && (
          <div class="bar verbs">
            <Button icon="up" label={t("upscale")} cost={cost(1)} disabled={!isIdle} onClick={() => change(t("upscaling"), "upscale_image", { image: session.chosen, ratio: UPSCALE }, t("upscaled"))} />
            <Button icon="vary" label={t("variations")} cost={cost(VARIATIONS)} disabled={!isIdle} onClick={() => change(t("varying"), "generate_image", variation, t("variation"))} />
            <Button icon="rubber" label={t("eraseOrRepaint")} disabled={!isIdle} onClick={startPainting} />
            <Button icon="save" label={t("save")} disabled={!isIdle} onClick={() => save(current.handle, current.path).then((text) => (text ? copy(text) : session.say(t("saved"))))} />
            <Button main icon="send" label={t("use")} disabled={!isIdle} onClick={() => use(current.handle)} />
          </div>
        )}
        <p class={session.message.isError ? "status bad" : "status"} role="status">
          {busy || session.message.text || (session.isWaiting && !work ? t("waiting") : "")}
        </p>
        {session.notes.length > 0 && <Notes />}
      </div>
    </main>
  );

  function Grid() {
    return (
      <div class="grid" role="group" aria-label={t("grid")}>
        {fresh.map((version) => (
          <button
            type="button"
            class="cell"
            key={version.handle}
            aria-label={t("dimensions", version.label ?? t("picture"), version.width, version.height)}
            onClick={() => {
              setGrid(false);
              session.choose(version.handle);
            }}
          >
            {version.source ? <img src={version.source} alt="" /> : <span class="skeleton" />}
          </button>
        ))}
      </div>
    );
  }
}

/** What the services remarked, the built-in engine's own remark last. */
function Notes() {
  return (
    <ul class="notes">
      {session.notes.filter((note) => !/^shown at |^img_\w+: shown/.test(note)).map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

/** How far the work is: as the service says, else by the time that such jobs usually take. */
function Progress() {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  const { work } = session;
  useEffect(() => {
    if (!work) return undefined;
    const timer = setInterval(() => tick(0), SECONDS / 4);
    return () => clearInterval(timer);
  }, [!!work]);
  if (!work) return null;
  const elapsed = (Date.now() - work.startedMs) / SECONDS;
  const estimate = work.typicalS ? 0.95 * (1 - Math.exp((-1.6 * elapsed) / work.typicalS)) : undefined;
  const value = work.progress ?? estimate;
  const usual = work.typicalS ? `, ${elapsed > 2 * work.typicalS ? t("longer") : t("usual", formatSeconds(work.typicalS))}` : "";
  return (
    <div class="progress">
      <progress value={value} aria-label={work.label} />
      <span aria-live="off">
        {work.label} · {formatSeconds(elapsed)}
        {usual}
      </span>
      {work.jobId && <Button class="small" label={t("cancel")} onClick={() => void session.cancelWork()} />}
    </div>
  );
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
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

type Change = (label: string, tool: string, args: object, verb: string) => Promise<string[]>;
type MaskActionOptions = {
  handle: string;
  isAsked: boolean;
  cost: string;
  setBusy: (text: string) => void;
  change: Change;
  copy: (text: string) => Promise<void>;
  stopPainting: () => Promise<void>;
};

function listMaskActions({ handle, isAsked, cost, setBusy, change, copy, stopPainting }: MaskActionOptions): MaskAction[] {
  /** The handle of the stored mask; undefined where it was refused, which is said. */
  const storeMask = async (mask: string) => {
    setBusy(t("working"));
    const result = await host.call("make_mask", { image: handle, mask }).catch((error: Error) => ({ isError: true, content: [{ type: "text", text: error.message }] }));
    setBusy("");
    const stored = result.isError ? undefined : listPictures(result)[0]?.handle;
    if (!stored) session.say(getText(result) || t("maskFailed"), true);
    return stored;
  };
  const changeMasked = (label: string, tool: string, verb: string) => async (mask: string, prompt: string) => {
    const stored = await storeMask(mask);
    const args = { image: handle, mask: stored, ...(prompt && tool === "inpaint_image" ? { prompt } : {}) };
    if (stored && (await change(label, tool, args, verb)).length) await stopPainting();
  };
  const give = async (mask: string) => {
    const stored = await storeMask(mask);
    if (!stored) return;
    host.tell(`The user marked a part of ${handle} in the painter; the mask is ${stored}.`);
    await stopPainting();
    try {
      await host.say(`I marked the part of ${handle}: the mask is ${stored}.`);
      session.say(t("given", stored));
    } catch {
      await copy(stored);
    }
  };
  const actions: MaskAction[] = [
    { label: t("erase"), cost, run: changeMasked(t("erasing"), "erase_object", t("erased")) },
    { label: t("repaint"), cost, needsWords: true, run: changeMasked(t("painting"), "inpaint_image", t("repainted")) },
  ];
  const giving = { label: t("give"), run: give };
  return isAsked ? [giving, ...actions] : [...actions, giving];
}

/** The subject under a rough mask, found by the service, as a layer to go on painting on. */
async function findSubject(image: string, mask: string, setBusy: (text: string) => void): Promise<Layer | undefined> {
  setBusy(t("fitting"));
  try {
    const result = await host.call("cut_out_subject", { image, mask });
    const found = listPictures(result).find((picture) => picture.label === "mask");
    if (result.isError || !found) throw new Error(getText(result));
    const view = await session.load(found.handle);
    return toLayer(await decodeImage(view.data, view.type));
  } catch (error) {
    session.say((error as Error).message, true);
    return undefined;
  } finally {
    setBusy("");
  }
}

render(<Studio />, document.getElementById("app")!);
