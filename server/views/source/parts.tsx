/** Parts that studio, painter and gallery share. */
import type { ComponentChildren } from "preact";
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { isEmulated, type Made, type Picture } from "./answers";
import { nameTool, t } from "./words";

/** Outlines in a square of 20. */
export const ICONS: Record<string, string> = {
  box: "M3 5h14v10H3z",
  brush: "M17 3l-8 8M9 11a3 3 0 0 0-4 3c0 1-1 2-2 2 3 1 7 0 7-3z",
  clear: "M5 6h10M8 6V4h4v2M6 6l1 11h6l1-11",
  fit: "M4 8V4h4M16 8V4h-4M4 12v4h4M16 12v4h-4",
  full: "M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5",
  grid: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  hand: "M10 2v16M2 10h16M10 2L8 4M10 2l2 2M10 18l-2-2M10 18l2-2M2 10l2-2M2 10l2 2M18 10l-2-2M18 10l-2 2",
  invert: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  lasso: "M10 4c4 0 7 2 7 5s-3 5-7 5-7-2-7-5 3-5 7-5M6 13c-1 2 0 4 2 4",
  magic: "M4 16L13 7M12 3v3M17 8h-3M16 4l-2 2M7 4v2M6 5h2M15 13v2M14 14h2",
  minus: "M4 10h12",
  plus: "M10 4v12M4 10h12",
  redo: "M13 4l4 4-4 4M17 8H8a5 5 0 0 0 0 10",
  rubber: "M12 4l5 5-7 7H6l-3-3zM8 8l5 5M6 16h11",
  save: "M10 3v9M6 8l4 4 4-4M4 16h12",
  send: "M3 10l14-6-5 13-3-5z",
  undo: "M7 4L3 8l4 4M3 8h9a5 5 0 0 1 0 10",
  up: "M3 12v5h5M17 8V3h-5M17 3l-6 6M3 17l6-6",
  vary: "M3 6h9v9H3zM8 6V3h9v9h-5",
};

/** Gives what draws a part again; it also happens by itself every so many milliseconds, unless that is 0. */
export function useRedraw(everyMs = 0): () => void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (!everyMs) return undefined;
    const timer = setInterval(redraw, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return () => redraw(0);
}

/** How far a job is, in [0, 1]: as the service says, else by the time that such jobs usually take; and both times in words. */
export function measureProgress(startedMs: number, typicalS?: number | null, progress?: number | null): { value?: number; times: string } {
  const elapsed = Math.max(0, Date.now() - startedMs) / 1000;
  if (!typicalS) return { value: progress ?? undefined, times: formatSeconds(elapsed) };
  const usual = elapsed > 2 * typicalS ? t("longer") : t("usual", formatSeconds(typicalS));
  return { value: progress ?? 0.95 * (1 - Math.exp((-1.6 * elapsed) / typicalS)), times: `${formatSeconds(elapsed)}, ${usual}` };
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export const Icon = ({ name }: { name: string }) => (
  <svg viewBox="0 0 20 20" aria-hidden="true">
    <path d={ICONS[name]} />
  </svg>
);

type ButtonProps = {
  label: string;
  icon?: string;
  /** What it spends, beside the label. */
  cost?: string;
  bare?: boolean;
  main?: boolean;
  pressed?: boolean;
  disabled?: boolean;
  shortcut?: string;
  class?: string;
  onClick: () => void;
};

export function Button({ label, icon, cost, bare, main, pressed, disabled, shortcut, onClick, ...rest }: ButtonProps) {
  const classes = [bare ? "bare" : main ? "main" : "", rest.class ?? ""].join(" ").trim();
  return (
    <button
      type="button"
      class={classes}
      title={bare ? (shortcut ? `${label} (${shortcut})` : label) : undefined}
      aria-label={bare ? label : undefined}
      aria-pressed={pressed}
      aria-keyshortcuts={shortcut}
      disabled={disabled}
      onClick={onClick}
    >
      {icon && <Icon name={icon} />}
      {!bare && <span>{label}</span>}
      {cost && <small>{cost}</small>}
    </button>
  );
}

/** True when two pictures can lie over one another. */
export function hasSameShape(a?: Picture, b?: Picture): boolean {
  return !!a && !!b && Math.abs((a.width * b.height) / (a.height * b.width) - 1) < 0.03;
}

/** Before and after in one place. A range input over them serves pointer, touch, keys and screen reader alike. */
export function Compare({ before, after, ratio, alt }: { before?: string; after?: string; ratio: number; alt: string }) {
  const [share, setShare] = useState(50);
  const [isHeld, setHeld] = useState(false);
  const hasBoth = !!before && !!after;
  const edge = isHeld ? 100 : share;
  const hold = (value: boolean) => () => setHeld(value);
  return (
    <div class="compare" style={{ "--ratio": String(ratio), "--edge": `${edge}%` }}>
      {before && <img src={before} alt={after ? "" : alt} draggable={false} />}
      {after && <img class={before ? "after" : ""} src={after} alt={alt} draggable={false} />}
      {!before && !after && <div class="skeleton" />}
      {hasBoth && (
        <>
          <span class="tag left" aria-hidden="true">{t("before")}</span>
          <span class="tag right" aria-hidden="true" hidden={isHeld}>{t("after")}</span>
          <div class="handle" aria-hidden="true" hidden={isHeld} />
          <input
            type="range"
            min="0"
            max="100"
            value={share}
            aria-label={t("beforeAndAfter")}
            aria-valuetext={t("afterShare", 100 - share)}
            onInput={(event) => setShare(+event.currentTarget.value)}
          />
          <button
            type="button"
            class="hold"
            aria-pressed={isHeld}
            onPointerDown={hold(true)}
            onPointerUp={hold(false)}
            onPointerLeave={hold(false)}
            onContextMenu={(event) => event.preventDefault()}
            onKeyDown={(event) => event.key === " " && setHeld(true)}
            onKeyUp={hold(false)}
            onBlur={hold(false)}
          >
            {t("hold")}
          </button>
        </>
      )}
    </div>
  );
}

type StripProps = { pictures: Picture[]; chosen: string; parents: Record<string, string | undefined>; choose: (handle: string) => void };

/** The versions in a row; arrow keys go through them. Each that was made of another says of which. */
export function Strip({ pictures, chosen, parents, choose }: StripProps) {
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const index = pictures.findIndex((picture) => picture.handle === chosen);
    const next = (index + step + pictures.length) % pictures.length;
    choose(pictures[next].handle);
    (row.current?.children[next] as HTMLElement).focus();
  };
  return (
    <div class="strip" role="radiogroup" aria-label={t("versions")} ref={row} onKeyDown={move}>
      {pictures.map((picture, index) => {
        const isChosen = picture.handle === chosen;
        const name = picture.label || String(index + 1);
        const parent = pictures.findIndex((other) => other.handle === parents[picture.handle]);
        const caption = parent >= 0 && pictures.length > 2 ? `${name} ↰${parent + 1}` : name;
        return (
          <button
            type="button"
            role="radio"
            key={picture.handle}
            aria-checked={isChosen}
            aria-label={t("dimensions", caption, picture.width, picture.height)}
            tabIndex={isChosen ? 0 : -1}
            onClick={() => choose(picture.handle)}
          >
            {picture.source ? <img src={picture.source} alt="" /> : <span class="skeleton" />}
            <small>{caption}</small>
          </button>
        );
      })}
    </div>
  );
}

type FactsProps = { picture: Picture; made?: Made; copy: (text: string) => void };

/** Size, seed and settings; a tap on the seed copies it. */
export function Facts({ picture, made, copy }: FactsProps) {
  const request = made?.request ?? {};
  const seed = picture.seed ?? made?.seed;
  const facts: [string, unknown][] = [
    [t("size"), `${picture.width} × ${picture.height}`],
    [t("steps"), made && isEmulated(made) ? undefined : request.steps],
    [t("guidance"), request.guidance],
    [t("strength"), request.strength],
    [t("model"), request.model],
    [t("by"), made?.provider],
  ];
  return (
    <dl class="facts">
      {seed !== undefined && (
        <div>
          <dt>{t("seed")}</dt>
          <dd>
            <button type="button" class="link" title={t("copySeed")} onClick={() => copy(String(seed))}>
              {seed}
            </button>
          </dd>
        </div>
      )}
      {facts.filter(([, value]) => value !== undefined).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Two lines of a text, and the rest on demand. */
export function Prompt({ children }: { children: ComponentChildren }) {
  const text = useRef<HTMLParagraphElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    const element = text.current!;
    setOpen(false);
    setLong(element.scrollHeight > element.clientHeight + 2);
  }, [children]);
  return (
    <div class="prompt">
      <p ref={text} class={isOpen ? "" : "short"}>{children}</p>
      {isLong && (
        <button type="button" class="link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t(isOpen ? "less" : "more")}
        </button>
      )}
    </div>
  );
}

/** The words a picture was made from; of a conversation, what was said last. */
export function getWords(made?: Made): string | undefined {
  return made?.request?.prompt ?? made?.request?.messages?.at(-1)?.content;
}

/** What is known of how a picture was made, in one sentence. */
export function describeMade(made?: Made): string {
  return getWords(made) ?? nameTool(made?.capability ?? made?.operation ?? made?.tool ?? "");
}

/** Copies, and tells; false where the browser does not let it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A view's frame may have no clipboard; the old way needs no permission.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}
