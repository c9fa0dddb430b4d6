/** A mask as a list of marks in the picture's pixels: small, undone and redone by replay, exact at any size. */
export type Point = [x: number, y: number];
export type Drawn = { kind: "stroke" | "box" | "lasso"; points: Point[]; width: number; isErased: boolean };
/** An area that a tool found, opaque where it is marked, stretched over the picture. */
export type Layer = { kind: "layer"; canvas: OffscreenCanvas };
export type Mark = Drawn | Layer | { kind: "invert" } | { kind: "clear" };
export type Pen = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

const BAND_ROWS = 256;
const HALF = 128;
const MARK_COLOUR = "#e0264f";

/** Draw marks with a pen whose transform maps the picture's pixels to its canvas. */
export function drawMarks(pen: Pen, marks: readonly Mark[], width: number, height: number): void {
  pen.lineCap = pen.lineJoin = "round";
  pen.fillStyle = pen.strokeStyle = MARK_COLOUR;
  for (const mark of marks) {
    pen.globalCompositeOperation = "source-over";
    if (mark.kind === "clear") pen.clearRect(0, 0, width, height);
    else if (mark.kind === "invert") {
      pen.globalCompositeOperation = "xor";
      pen.fillRect(0, 0, width, height);
    } else if (mark.kind === "layer") {
      pen.clearRect(0, 0, width, height);
      pen.drawImage(mark.canvas, 0, 0, width, height);
    } else drawShape(pen, mark);
  }
  pen.globalCompositeOperation = "source-over";
}

function drawShape(pen: Pen, { kind, points, width, isErased }: Drawn): void {
  if (isErased) pen.globalCompositeOperation = "destination-out";
  const [[x, y], ...others] = points;
  pen.beginPath();
  if (kind === "box") {
    const [right, bottom] = others[0];
    pen.rect(Math.min(x, right), Math.min(y, bottom), Math.abs(right - x), Math.abs(bottom - y));
    return pen.fill();
  }
  pen.moveTo(x, y);
  if (kind === "lasso") {
    for (const point of others) pen.lineTo(...point);
    return pen.fill();
  }
  if (!others.length) pen.lineTo(x, y); // a dot
  others.forEach((point, index) => {
    const next = others[index + 1];
    // Through the middle between points: a quick hand leaves no corners.
    if (next) pen.quadraticCurveTo(...point, (point[0] + next[0]) / 2, (point[1] + next[1]) / 2);
    else pen.lineTo(...point);
  });
  pen.lineWidth = width;
  pen.stroke();
}

/** The mask at the picture's full size as a PNG of one bit a pixel, black where marked: a hundredth of a canvas's own. */
export async function encodeMask(marks: readonly Mark[], width: number, height: number): Promise<Uint8Array> {
  const rowBytes = 1 + ((width + 7) >> 3); // a filter byte before each row
  const rows = new Uint8Array(rowBytes * height);
  const canvas = new OffscreenCanvas(width, Math.min(BAND_ROWS, height));
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  // In bands: 24 megapixels at once would take 96 MB.
  for (let top = 0; top < height; top += BAND_ROWS) {
    const count = Math.min(BAND_ROWS, height - top);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, width, BAND_ROWS);
    pen.setTransform(1, 0, 0, 1, 0, -top);
    drawMarks(pen, marks, width, height);
    const { data } = pen.getImageData(0, 0, width, count);
    for (let y = 0; y < count; y++)
      for (let x = 0; x < width; x++)
        if (data[4 * (y * width + x) + 3] < HALF) rows[rowBytes * (top + y) + 1 + (x >> 3)] |= HALF >> (x & 7);
  }
  return buildPng(width, height, await deflate(rows));
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function buildPng(width: number, height: number, pixels: Uint8Array): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 1; // one bit of grey a pixel
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const parts = [signature, buildChunk("IHDR", header), buildChunk("IDAT", pixels), buildChunk("IEND", new Uint8Array())];
  const png = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    png.set(part, at);
    at += part.length;
  }
  return png;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function buildChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(data.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i);
  chunk.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < data.length + 8; i++) crc = CRC_TABLE[(crc ^ chunk[i]) & 255] ^ (crc >>> 8);
  view.setUint32(data.length + 8, (crc ^ 0xffffffff) >>> 0);
  return chunk;
}

export function toDataUrl(png: Uint8Array): string {
  let text = "";
  for (let i = 0; i < png.length; i += 32768) text += String.fromCharCode(...png.subarray(i, i + 32768));
  return `data:image/png;base64,${btoa(text)}`;
}

/** A mask picture, dark where it marks, as a layer to draw on. */
export function toLayer(mask: ImageBitmap): Layer {
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  pen.drawImage(mask, 0, 0);
  const image = pen.getImageData(0, 0, mask.width, mask.height);
  for (let i = 0; i < image.data.length; i += 4) {
    const isMarked = image.data[i] < HALF;
    image.data.set([0xe0, 0x26, 0x4f, isMarked ? 255 : 0], i);
  }
  pen.putImageData(image, 0, 0);
  return { kind: "layer", canvas };
}
