/** Pictures in rows of one height each, every one in its own shape, under a heading for each day. */
export type Entry = [handle: string, width: number, height: number, createdS: number, tool: string, provider: string];
export type Placed = { entry: Entry; index: number; left: number; width: number };
export type Row = { top: number; height: number; day?: Date; items: Placed[] };

const GAP = 6;
const HEADING = 44;

/** Plain arithmetic: ten thousand pictures take a few milliseconds. */
export function layOut(entries: Entry[], width: number, target: number): { rows: Row[]; height: number } {
  const rows: Row[] = [];
  let top = 0;
  let day = "";
  let open: Entry[] = [];
  let ratio = 0;
  let first = 0;
  const close = (isFull: boolean) => {
    if (!open.length) return;
    const room = (width - GAP * (open.length - 1)) / ratio;
    const height = isFull ? room : Math.min(target, room);
    let left = 0;
    const items = open.map((entry, offset) => {
      const placed = { entry, index: first + offset, left, width: (entry[1] / entry[2]) * height };
      left += placed.width + GAP;
      return placed;
    });
    rows.push({ top, height, items });
    top += height + GAP;
    open = [];
    ratio = 0;
  };
  entries.forEach((entry, index) => {
    const date = new Date(entry[3] * 1000);
    if (date.toDateString() !== day) {
      close(false);
      day = date.toDateString();
      rows.push({ top, height: HEADING, day: date, items: [] });
      top += HEADING;
    }
    if (!open.length) first = index;
    open.push(entry);
    ratio += entry[1] / entry[2];
    if (ratio * target + GAP * (open.length - 1) >= width) close(true);
  });
  close(false);
  return { rows, height: top };
}

/** The rows that lie between two heights, found by halves. */
export function findRows(rows: Row[], from: number, to: number): Row[] {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].top + rows[middle].height < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < rows.length && rows[end].top < to) end++;
  return rows.slice(low, end);
}
