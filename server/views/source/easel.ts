/** The painter's canvas: shows the picture with the mask over it, and makes marks of pointers and keys. */
import { drawMarks, type Drawn, type Mark, type Point } from "./mask";

export type Tool = "brush" | "box" | "lasso" | "hand";

/** The mask is drawn at this size while it is painted; it leaves at the picture's own. */
const WORK_PX = 1600;
const MAX_SCALE = 16;
export const MIN_BRUSH = 2;
export const MAX_BRUSH = 600;
const STEPS: Record<string, Point> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Easel {
  marks: Mark[] = [];
  undone: Mark[] = [];
  tool: Tool = "brush";
  isErasing = false;
  brush: number;
  /** Where the cross stands, in the picture's pixels. */
  cursor: Point | null = null;
  isPenDown = false;
  #scale = 1;
  #x = 0;
  #y = 0;
  #isFitted = true;
  #image: ImageBitmap | null = null;
  #mask = document.createElement("canvas");
  #maskPen = this.#mask.getContext("2d", { willReadFrequently: true })!;
  #pen: CanvasRenderingContext2D;
  #pointers = new Map<number, Point>();
  #spread = 0;
  #live: Drawn | null = null;
  #hasPen = false;
  #frame = 0;
  #changed: () => void;

  constructor(readonly canvas: HTMLCanvasElement, readonly width: number, readonly height: number, changed: () => void) {
    this.#changed = changed;
    this.#pen = canvas.getContext("2d")!;
    this.brush = Math.round(Math.min(width, height) / 14);
    const factor = Math.min(1, WORK_PX / Math.max(width, height));
    this.#mask.width = Math.max(1, Math.round(width * factor));
    this.#mask.height = Math.max(1, Math.round(height * factor));
    this.#maskPen.setTransform(this.#mask.width / width, 0, 0, this.#mask.height / height, 0, 0);
    canvas.onpointerdown = this.#onDown;
    canvas.onpointermove = this.#onMove;
    canvas.onpointerup = canvas.onpointercancel = this.#onUp;
    canvas.onpointerleave = this.#onLeave;
    canvas.addEventListener("wheel", this.#onWheel, { passive: false });
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  show(image: ImageBitmap): void {
    this.#image = image;
    this.#resize();
  }

  /** The share of the picture that is marked, in [0, 1]. */
  measureShare(): number {
    const small = new OffscreenCanvas(200, Math.max(1, Math.round((200 * this.height) / this.width)));
    const pen = small.getContext("2d", { willReadFrequently: true })!;
    pen.drawImage(this.#mask, 0, 0, small.width, small.height);
    const { data } = pen.getImageData(0, 0, small.width, small.height);
    let count = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] >= 128) count++;
    return count / (small.width * small.height);
  }

  add(mark: Mark): void {
    this.marks.push(mark);
    this.undone = [];
    drawMarks(this.#maskPen, [mark], this.width, this.height);
    this.#repaint();
    this.#changed();
  }

  undo(): void {
    const mark = this.marks.pop();
    if (mark) this.undone.push(mark);
    this.#replay();
  }

  redo(): void {
    const mark = this.undone.pop();
    if (mark) this.marks.push(mark);
    this.#replay();
  }

  setBrush(size: number): void {
    this.brush = Math.round(Math.min(MAX_BRUSH, Math.max(MIN_BRUSH, size)));
    this.#repaint();
    this.#changed();
  }

  fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.#scale = this.#getLeastScale();
    this.#x = (clientWidth - this.width * this.#scale) / 2;
    this.#y = (clientHeight - this.height * this.#scale) / 2;
    this.#isFitted = true;
    this.#repaint();
    this.#changed();
  }

  zoom(factor: number, at: Point = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]): void {
    const least = this.#getLeastScale();
    const scale = Math.min(MAX_SCALE, Math.max(least, this.#scale * factor));
    this.#x = at[0] - ((at[0] - this.#x) * scale) / this.#scale;
    this.#y = at[1] - ((at[1] - this.#y) * scale) / this.#scale;
    this.#scale = scale;
    if (scale === least) this.fit();
    else this.#keepInside();
  }

  /** Arrows move a cross, Space puts the pen down and lifts it. True when the key was one of these. */
  pressKey(event: KeyboardEvent): boolean {
    const step = STEPS[event.key];
    if (!step && event.key !== " ") return false;
    this.cursor ??= [this.width >> 1, this.height >> 1];
    if (step) this.#moveCross(step, event.shiftKey ? 40 : event.altKey ? 1 : 10);
    else if (this.isPenDown) this.#liftPen();
    else {
      this.isPenDown = true;
      this.#live = this.#startMark(this.cursor);
    }
    this.#repaint();
    this.#changed();
    return true;
  }

  #getLeastScale(): number {
    return Math.min(this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height);
  }

  #replay(): void {
    this.#maskPen.clearRect(0, 0, this.width, this.height);
    drawMarks(this.#maskPen, this.marks, this.width, this.height);
    this.#repaint();
    this.#changed();
  }

  #moveCross(step: Point, screenPx: number): void {
    const distance = Math.max(1, Math.round(screenPx / this.#scale));
    const [x, y] = this.cursor!;
    const clamp = (value: number, end: number) => Math.min(end, Math.max(0, value));
    this.cursor = [clamp(x + step[0] * distance, this.width), clamp(y + step[1] * distance, this.height)];
    if (this.#live) this.#extend(this.#live, this.cursor);
  }

  #liftPen(): void {
    const mark = this.#live;
    this.isPenDown = false;
    this.#live = null;
    if (mark && !isEmpty(mark)) this.add(mark);
  }

  #startMark(at: Point): Drawn {
    const kind = this.tool === "box" || this.tool === "lasso" ? this.tool : "stroke";
    return { kind, points: kind === "box" ? [at, at] : [at], width: this.brush, isErased: this.isErasing };
  }

  #extend(mark: Drawn, at: Point): void {
    if (mark.kind === "box") mark.points[1] = at;
    else mark.points.push(at);
  }

  #toPicture(event: { offsetX: number; offsetY: number }): Point {
    return [Math.round((event.offsetX - this.#x) / this.#scale), Math.round((event.offsetY - this.#y) / this.#scale)];
  }

  #onDown = (event: PointerEvent) => {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#hasPen ||= event.pointerType === "pen";
    if (this.#pointers.size === 2) {
      // The first finger's dab is taken back: two fingers move and zoom.
      this.#live = null;
      this.#spread = measureSpread([...this.#pointers.values()]);
      return this.#repaint();
    }
    // Once a pen has drawn, a hand on the screen moves the picture.
    const isHand = this.tool === "hand" || event.button === 1 || (this.#hasPen && event.pointerType === "touch");
    if (this.#pointers.size === 1 && !isHand) this.#live = this.#startMark(this.#toPicture(event));
    this.#repaint();
  };

  #onMove = (event: PointerEvent) => {
    const before = this.#pointers.get(event.pointerId);
    this.cursor = this.#toPicture(event);
    if (before) {
      const middleBefore = findMiddle([...this.#pointers.values()]);
      this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      const positions = [...this.#pointers.values()];
      if (this.#live) this.#follow(this.#live, event);
      else this.#pan(middleBefore, positions);
    }
    this.#repaint();
  };

  #follow(mark: Drawn, event: PointerEvent): void {
    if (mark.kind === "box") return this.#extend(mark, this.#toPicture(event));
    const events = event.getCoalescedEvents?.() ?? [];
    for (const part of events.length ? events : [event]) {
      const [x, y] = this.#toPicture(part);
      const [lastX, lastY] = mark.points[mark.points.length - 1];
      if (Math.hypot(x - lastX, y - lastY) * this.#scale >= 2) mark.points.push([x, y]);
    }
  }

  #pan(before: Point, positions: Point[]): void {
    const middle = findMiddle(positions);
    this.#x += middle[0] - before[0];
    this.#y += middle[1] - before[1];
    this.#isFitted = false;
    if (positions.length < 2) return this.#keepInside();
    const spread = measureSpread(positions);
    if (this.#spread) this.zoom(spread / this.#spread, middle);
    this.#spread = spread;
  }

  #onUp = (event: PointerEvent) => {
    this.#pointers.delete(event.pointerId);
    this.#spread = 0;
    const mark = this.#live;
    this.#live = null;
    if (mark && event.type === "pointerup" && !isEmpty(mark)) this.add(mark);
    else this.#repaint();
  };

  #onLeave = () => {
    if (!this.#live) this.cursor = null;
    this.#repaint();
  };

  #onWheel = (event: WheelEvent) => {
    // In the chat the wheel scrolls the chat.
    if (!event.ctrlKey && !document.documentElement.classList.contains("full")) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), [event.offsetX, event.offsetY]);
  };

  #keepInside(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.#x = keepWithin(this.#x, this.width * this.#scale, clientWidth);
    this.#y = keepWithin(this.#y, this.height * this.#scale, clientHeight);
    this.#isFitted = this.#scale === this.#getLeastScale();
    this.#repaint();
    this.#changed();
  }

  #resize(): void {
    const ratio = devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (!width || !height) return;
    // Setting a size clears the canvas, also where it is the same.
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    if (this.#isFitted) this.fit();
    else this.#keepInside();
  }

  #repaint(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const ratio = devicePixelRatio || 1;
    const { width, height } = this;
    const pen = this.#pen;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(this.#scale * ratio, 0, 0, this.#scale * ratio, this.#x * ratio, this.#y * ratio);
    pen.imageSmoothingEnabled = this.#scale < 3; // single pixels can be told apart from there on
    if (this.#image) pen.drawImage(this.#image, 0, 0, width, height);
    pen.globalAlpha = 0.58;
    pen.drawImage(this.#live ? this.#drawLive(this.#live) : this.#mask, 0, 0, width, height);
    pen.globalAlpha = 1;
    if (this.cursor) this.#paintCursor(this.cursor);
  }

  #drawLive(mark: Drawn): OffscreenCanvas {
    const canvas = new OffscreenCanvas(this.#mask.width, this.#mask.height);
    const pen = canvas.getContext("2d")!;
    pen.drawImage(this.#mask, 0, 0);
    pen.setTransform(this.#maskPen.getTransform());
    drawMarks(pen, [mark], this.width, this.height);
    return canvas;
  }

  #paintCursor([x, y]: Point): void {
    const arm = 6 / this.#scale;
    for (const [colour, lineWidth] of [["#000", 3], ["#fff", 1.4]] as const) {
      this.#pen.strokeStyle = colour;
      this.#pen.lineWidth = lineWidth / this.#scale;
      this.#pen.beginPath();
      if (this.tool === "brush") this.#pen.arc(x, y, this.brush / 2, 0, 2 * Math.PI);
      this.#pen.moveTo(x - arm, y);
      this.#pen.lineTo(x + arm, y);
      this.#pen.moveTo(x, y - arm);
      this.#pen.lineTo(x, y + arm);
      this.#pen.stroke();
    }
  }
}

function isEmpty({ kind, points }: Drawn): boolean {
  if (kind === "box") return points[0][0] === points[1][0] || points[0][1] === points[1][1];
  return kind === "lasso" && points.length < 3;
}

function measureSpread([a, b]: Point[]): number {
  return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
}

function findMiddle(points: Point[]): Point {
  const sum = points.reduce(([x, y], point) => [x + point[0], y + point[1]] as Point, [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** Where something of that length starts so that no gap opens beside it. */
function keepWithin(start: number, length: number, room: number): number {
  return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
}
