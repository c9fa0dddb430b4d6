/** Mark a part of a picture by hand: with brush, box or lasso, a mouse, a pen, fingers or keys. */
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Picture } from "./answers";
import { Easel, MAX_BRUSH, MIN_BRUSH, type Tool } from "./easel";
import { encodeMask, toDataUrl, type Layer } from "./mask";
import { Button } from "./parts";
import { t, type Word } from "./words";

/** What can be done with a mask; `run` is given it as a data URL. */
export type MaskAction = {
  label: string;
  cost?: string;
  needsWords?: boolean;
  run: (mask: string, words: string) => Promise<void>;
};
export type PainterProps = {
  picture: Picture;
  image?: ImageBitmap;
  hint?: string;
  isFull: boolean;
  busy: string;
  error?: string;
  actions: MaskAction[];
  /** Finds the subject under a rough mask. */
  refine?: { cost?: string; run: (mask: string) => Promise<Layer | undefined> };
  leave?: () => void;
  enlarge?: () => void;
};
const TOOLS: [Tool, string][] = [["brush", "B"], ["box", "R"], ["lasso", "L"], ["hand", "H"]];
const ZOOM = 1.4;
/** From here on a mask is more likely the wrong way round than meant. */
const NEARLY_ALL = 0.98;

export function Painter(props: PainterProps) {
  const { picture, image } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const easelRef = useRef<Easel | null>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [words, setWords] = useState("");
  const [share, setShare] = useState(0);

  useEffect(() => {
    const easel = new Easel(canvas.current!, picture.width, picture.height, () => {
      setShare(easel.measureShare());
      redraw(0);
    });
    easelRef.current = easel;
    redraw(0);
  }, [picture.handle]);
  useEffect(() => {
    if (image) easelRef.current?.show(image);
  }, [image, picture.handle]);

  const easel = easelRef.current;
  const change = (action: (easel: Easel) => void) => () => {
    if (easelRef.current) action(easelRef.current);
    redraw(0);
  };
  const exportMask = async () => toDataUrl(await encodeMask(easel!.marks, picture.width, picture.height));
  const isIdle = !props.busy;
  const onKeyDown = (event: KeyboardEvent) => {
    if (easel && (event.target as HTMLElement).tagName !== "INPUT" && pressKey(easel, event)) event.preventDefault();
    redraw(0);
  };
  const refine = async () => {
    const layer = await props.refine!.run(await exportMask());
    if (layer) easelRef.current?.add(layer);
  };
  const ratio = Math.max(0.9, picture.width / picture.height);
  return (
    <section class="painter" aria-label={t("painter")} onKeyDown={onKeyDown}>
      {props.hint && <p class="hint">{props.hint}</p>}
      <div class="bar" role="toolbar" aria-label={t("tools")}>
        <span class="group">
          {TOOLS.map(([tool, key]) => (
            <Button bare key={tool} icon={tool} label={t(tool)} shortcut={key} pressed={(easel?.tool ?? "brush") === tool} onClick={change((it) => (it.tool = tool))} />
          ))}
          <Button bare icon="rubber" label={t("rubOut")} shortcut="E" pressed={!!easel?.isErasing} onClick={change((it) => (it.isErasing = !it.isErasing))} />
        </span>
        <BrushSize value={easel?.brush ?? 48} set={(size) => change((it) => it.setBrush(size))()} />
        <span class="group">
          <Button bare icon="undo" label={t("undo")} shortcut="Control+Z" disabled={!easel?.marks.length} onClick={change((it) => it.undo())} />
          <Button bare icon="redo" label={t("redo")} shortcut="Control+Shift+Z" disabled={!easel?.undone.length} onClick={change((it) => it.redo())} />
          <Button bare icon="invert" label={t("invert")} shortcut="I" onClick={change((it) => it.add({ kind: "invert" }))} />
          <Button bare icon="clear" label={t("clear")} disabled={!share} onClick={change((it) => it.add({ kind: "clear" }))} />
        </span>
        <span class="group">
          <Button bare icon="minus" label={t("zoomOut")} shortcut="-" onClick={change((it) => it.zoom(1 / ZOOM))} />
          <Button bare icon="plus" label={t("zoomIn")} shortcut="+" onClick={change((it) => it.zoom(ZOOM))} />
          <Button bare icon="fit" label={t("fit")} shortcut="0" onClick={change((it) => it.fit())} />
          {props.enlarge && <Button bare icon="full" label={t("fullScreen")} onClick={props.enlarge} />}
        </span>
      </div>
      <div class="easel" style={{ aspectRatio: props.isFull ? "auto" : String(ratio) }}>
        <canvas ref={canvas} tabIndex={0} role="img" aria-label={t("canvas", picture.width, picture.height)} aria-describedby="marked" />
        {props.refine && share > 0 && (
          <Button class="refine" icon="magic" label={t("fitSubject")} cost={props.refine.cost} disabled={!isIdle} onClick={refine} />
        )}
      </div>
      {!isIdle && <progress class="thin" aria-label={props.busy} />}
      <p id="marked" class={props.error ? "status bad" : "status"} role="status">
        {props.busy || props.error || describeShare(share)}
        {easel?.isPenDown && easel.cursor ? ` ${t("penDown", ...easel.cursor)}` : ""}
      </p>
      <div class="bar end">
        {props.actions.some((action) => action.needsWords) && (
          <input class="words" type="text" placeholder={t("prompt")} aria-label={t("prompt")} value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        )}
        {props.leave && <Button label={t("back")} onClick={props.leave} />}
        {props.actions.map((action, index) => (
          <Button
            key={action.label}
            main={index === 0}
            label={action.label}
            cost={action.cost}
            disabled={!share || !isIdle || (action.needsWords && !words.trim())}
            onClick={async () => action.run(await exportMask(), words.trim())}
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
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return false;
    if (key === "y" || event.shiftKey) easel.redo();
    else easel.undo();
    return true;
  }
  if (event.target === easel.canvas && easel.pressKey(event)) return true;
  const actions: Record<string, () => void> = {
    b: () => (easel.tool = "brush"),
    r: () => (easel.tool = "box"),
    l: () => (easel.tool = "lasso"),
    h: () => (easel.tool = "hand"),
    e: () => (easel.isErasing = !easel.isErasing),
    i: () => easel.add({ kind: "invert" }),
    "[": () => easel.setBrush(easel.brush / 1.25),
    "]": () => easel.setBrush(easel.brush * 1.25 + 1),
    "+": () => easel.zoom(ZOOM),
    "=": () => easel.zoom(ZOOM),
    "-": () => easel.zoom(1 / ZOOM),
    "0": () => easel.fit(),
  };
  actions[key]?.();
  return key in actions;
}
