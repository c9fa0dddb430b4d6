/** The gallery's side of the server: the library, what is new in it, and its tools, by HTTP. */
import type { Call, Made } from "./answers";
import type { Entry } from "./rows";

export type Detail = {
  handle: string;
  title: string;
  width: number;
  height: number;
  size_bytes: number;
  created_at: string;
  made: Made;
  /** What it was made of, the nearest first. */
  ancestors: Entry[];
  /** The tree of all that hangs together with it, in reading order, each with its depth. */
  history: [entry: Entry, depth: number][];
};
export type RunningJob = {
  id: string;
  state: string;
  tool: string;
  prompt: string;
  pictures: number;
  account: string;
  created_s: number;
  progress: number | null;
  typical_s: number | null;
};
export type Work = {
  jobs: RunningJob[];
  spending: { day: string; account: string; pictures: number }[];
  budget_per_day: number | null;
};
type Listeners = {
  connected: (isConnected: boolean) => void;
  pictures: (entries: Entry[]) => void;
  gone: (handles: string[]) => void;
  work: (work: Work) => void;
};

export const getFileUrl = (handle: string) => `/gallery/files/${handle}`;
export const getThumbnailUrl = (handle: string) => `/gallery/thumbnails/${handle}`;

async function read(response: Response): Promise<any> {
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

export async function loadEntries(query: string): Promise<Entry[]> {
  return (await read(await fetch(`/gallery/index?q=${encodeURIComponent(query)}`))).pictures;
}

export async function loadDetail(handle: string): Promise<Detail> {
  return read(await fetch(`/gallery/pictures/${handle}`));
}

async function post(path: string, document: object): Promise<any> {
  const headers = { "content-type": "application/json" };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(document) }));
}

export const callTool: Call = (tool, args) => post("/gallery/call", { tool, arguments: args });

export const deletePicture = (handle: string) => post("/gallery/delete", { handle });

/** Listen to what is new while the page is in sight; a browser has only six connections to a server for all its tabs. */
export function followChanges(listeners: Listeners, reload: () => void): () => void {
  let source: EventSource | undefined;
  const open = () => {
    source = new EventSource("/gallery/events");
    source.onopen = () => listeners.connected(true);
    source.onerror = () => listeners.connected(false);
    for (const name of ["pictures", "gone", "work"] as const)
      source.addEventListener(name, (event) => listeners[name](JSON.parse(event.data)));
  };
  const change = () => {
    source?.close();
    if (document.hidden) return;
    reload();
    open();
  };
  if (!document.hidden) open();
  document.addEventListener("visibilitychange", change);
  return () => {
    source?.close();
    document.removeEventListener("visibilitychange", change);
  };
}

export function readAsDataUrl(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
