/** Mark a part of a picture by hand: with brush, box or lasso, a mouse, a pen, fingers or keys. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Picture } from "./answers";
import { Easel, MAX_BRUSH, MIN_BRUSH, type Tool } from "./easel";
import { encodeMask, toDataUrl, type Layer } from "./mask";
import { Button, useRedraw } from "./parts";
import { t, type Word } from "./words";

/** What can be done with a mask; `run` is given it as a data URL, and rejects with what to tell the person. */
export type MaskAction = {
  label: string;
  cost?: string;
  needsWords?: boolean;
  run: (mask: string, words: { prompt?: string }) => Promise<void>;
};
export type PainterProps = {
  picture: Picture;
  image?: ImageBitmap;
  hint?: string;
  isFull: boolean;
  actions: MaskAction[];
  /** Finds the subject under a rough mask. */
  refine: (mask: string) => Promise<Layer>;
  refineCost: string;
  leave: () => void;
  enlarge?: () => void;
};
/** A button of the toolbar, and the key that does the same. */
type Command = { icon: string; label: Word; keys?: string; run: (easel: Easel) => void; isOn?: (easel: Easel) => boolean; isOff?: (easel: Easel) => boolean };
const ZOOM = 1.4;
const createChoice = (tool: Tool, keys: string): Command => ({
  icon: tool,
  label: tool,
  keys,
  run: (easel) => (easel.tool = tool),
  isOn: (easel) => easel.tool === tool,
});
const MARKING: Command[] = [
  createChoice("brush", "B"),
  createChoice("box", "R"),
  createChoice("lasso", "L"),
  createChoice("hand", "H"),
  { icon: "rubber", label: "rubOut", keys: "E", run: (easel) => (easel.isErasing = !easel.isErasing), isOn: (easel) => easel.isErasing },
];
const CHANGING: Command[] = [
  { icon: "undo", label: "undo", keys: "Control+Z", run: (easel) => easel.undo(), isOff: (easel) => !easel.marks.length },
  { icon: "redo", label: "redo", keys: "Control+Shift+Z", run: (easel) => easel.redo(), isOff: (easel) => !easel.undone.length },
  { icon: "invert", label: "invert", keys: "I", run: (easel) => easel.add({ kind: "invert" }) },
  { icon: "clear", label: "clear", run: (easel) => easel.add({ kind: "clear" }), isOff: (easel) => !easel.marks.length },
];
const ZOOMING: Command[] = [
  { icon: "minus", label: "zoomOut", keys: "-", run: (easel) => easel.zoom(1 / ZOOM) },
  { icon: "plus", label: "zoomIn", keys: "+", run: (easel) => easel.zoom(ZOOM) },
  { icon: "fit", label: "fit", keys: "0", run: (easel) => easel.fit() },
];
/** From here on a mask is more likely the wrong way round than meant. */
const NEARLY_ALL = 0.98;

export function Painter(props: PainterProps) {
  const { picture, image } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const easelRef = useRef<Easel | null>(null);
  const redraw = useRedraw();
  const [words, setWords] = useState("");
  const [share, setShare] = useState(0);
  const [busy, setBusy] = useState("");
  const [error, setError] = useState("");

  useEffect(() => {
    const easel = new Easel(canvas.current!, picture.width, picture.height, () => {
      setShare(easel.measureShare());
      redraw();
    });
    easelRef.current = easel;
    redraw();
  }, [picture.handle]);
  useEffect(() => {
    if (image) easelRef.current?.show(image);
  }, [image, picture.handle]);

  const easel = easelRef.current ?? undefined;
  const perform = (action: (easel: Easel) => void) => {
    action(easel!);
    redraw();
  };
  const listButtons = (commands: Command[]) =>
    commands.map(({ icon, label, keys, run, isOn, isOff }) => (
      <Button bare key={icon} icon={icon} label={t(label)} shortcut={keys} pressed={easel && isOn?.(easel)} disabled={easel && isOff?.(easel)} onClick={() => perform(run)} />
    ));
  /** Hands the mask on, and says what goes on and what went wrong. */
  const send = (label: string, use: (mask: string) => Promise<void>) => async () => {
    setBusy(label);
    setError("");
    try {
      await use(toDataUrl(await encodeMask(easel!.marks, picture.width, picture.height)));
    } catch (reason) {
      setError((reason as Error).message);
    }
    setBusy("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (easel && (event.target as HTMLElement).tagName !== "INPUT" && pressKey(easel, event)) event.preventDefault();
    redraw();
  };
  const ratio = Math.max(0.9, picture.width / picture.height);
  return (
    <section class="painter" aria-label={t("painter")} onKeyDown={onKeyDown}>
      {props.hint && <p class="hint">{props.hint}</p>}
      <div class="bar" role="toolbar" aria-label={t("tools")}>
        <span class="group">{listButtons(MARKING)}</span>
        <BrushSize value={easel?.brush ?? 48} set={(size) => perform(() => easel!.setBrush(size))} />
        <span class="group">{listButtons(CHANGING)}</span>
        <span class="group">
          {listButtons(ZOOMING)}
          {props.enlarge && <Button bare icon="full" label={t("fullScreen")} onClick={props.enlarge} />}
        </span>
      </div>
      <div class="easel" style={{ aspectRatio: props.isFull ? "auto" : String(ratio) }}>
        <canvas ref={canvas} tabIndex={0} role="img" aria-label={t("canvas", picture.width, picture.height)} aria-describedby="marked" />
        {share > 0 && (
          <Button class="refine" icon="magic" label={t("fitSubject")} cost={props.refineCost} disabled={!!busy} onClick={send(t("fitting"), async (mask) => easel!.add(await props.refine(mask)))} />
        )}
      </div>
      {busy && <progress class="thin" aria-label={busy} />}
      <p id="marked" class={error ? "status bad" : "status"} role="status">
        {busy || error || describeShare(share)}
        {easel?.isPenDown && easel.cursor ? ` ${t("penDown", ...easel.cursor)}` : ""}
      </p>
      <div class="bar end">
        {props.actions.some((action) => action.needsWords) && (
          <input class="words" type="text" placeholder={t("prompt")} aria-label={t("prompt")} value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        )}
        <Button label={t("back")} onClick={props.leave} />
        {props.actions.map((action, index) => (
          <Button
            key={action.label}
            main={index === 0}
            label={action.label}
            cost={action.cost}
            disabled={!share || !!busy || (action.needsWords && !words.trim())}
            onClick={send(t("working"), (mask) => action.run(mask, action.needsWords ? { prompt: words.trim() } : {}))}
          />
        ))}
      </div>
    </section>
  );
}

function BrushSize({ value, set }: { value: number; set: (size: number) => void }) {
  // By powers: small brushes need finer steps than large ones.
  const steps = Math.log(MAX_BRUSH / MIN_BRUSH);
  const position = Math.round((Math.log(value / MIN_BRUSH) / steps) * 100);
  return (
    <label class="size">
      <input
        type="range"
        min="0"
        max="100"
        value={position}
        aria-label={t("brushSize")}
        aria-valuetext={`${value} px`}
        onInput={(event) => set(MIN_BRUSH * Math.exp((+event.currentTarget.value / 100) * steps))}
      />
      <output aria-hidden="true">{value}</output>
    </label>
  );
}

function describeShare(share: number): string {
  if (!share) return t("markedNone");
  const percent = share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100);
  const word: Word = share > NEARLY_ALL ? "markedAll" : "marked";
  return t(word, percent);
}

/** Does what a key means; true when it means something. */
function pressKey(easel: Easel, event: KeyboardEvent): boolean {
  const { ctrlKey, metaKey, shiftKey, key } = event;
  const isChord = ctrlKey || metaKey;
  if (!isChord && event.target === easel.canvas && easel.pressKey(event)) return true;
  const pressed = (isChord ? `Control+${shiftKey ? "Shift+" : ""}` : "") + key.toUpperCase();
  const keys = { "Control+Y": "Control+Shift+Z", "=": "+" }[pressed] ?? pressed;
  const command = [...MARKING, ...CHANGING, ...ZOOMING].find((other) => other.keys === keys);
  if (command) command.run(easel);
  else if (keys === "[") easel.setBrush(easel.brush / 1.25);
  else if (keys === "]") easel.setBrush(easel.brush * 1.25 + 1);
  else return false;
  return true;
}
