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
  spending: Spending[];
  budget_per_day: number | null;
  /** Money by currency. */
  money_per_day: Amounts;
};
/** Decimal numbers as text, by currency. */
export type Amounts = Record<string, string>;
/** What a caller spent in one day at one account. */
export type Spending = {
  day: string;
  principal: string;
  provider: string;
  pictures: number;
  cost: Amounts;
  /** What of it may still turn out another amount. */
  estimated: Amounts;
  /** Jobs whose price nobody knows: they are in no sum. */
  unpriced_jobs: number;
};
type Listeners = {
  connected: (isConnected: boolean) => void;
  /** The stream broke off: the server is gone, or lets this browser in no longer. */
  lost: () => void;
  pictures: (entries: Entry[]) => void;
  gone: (handles: string[]) => void;
  work: (work: Work) => void;
};

export const getFileUrl = (handle: string) => `/gallery/files/${handle}`;
export const getThumbnailUrl = (handle: string) => `/gallery/thumbnails/${handle}`;

/** What the window hears when the server lets this browser in no longer. */
export const SIGNED_OUT = "signedout";
const UNAUTHORIZED = 401;

export type Session = { is_open: boolean; can_leave: boolean };

async function read(response: Response): Promise<any> {
  if (response.status === UNAUTHORIZED) dispatchEvent(new Event(SIGNED_OUT));
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

export const loadSession = async (): Promise<Session> => read(await fetch("/gallery/session"));

/** Show a token to the server; its status and what it says against the token, which is empty where it is taken. */
export async function signIn(token: string): Promise<{ status: number; text: string }> {
  try {
    const response = await send("/gallery/login", { token });
    return { status: response.status, text: response.ok ? "" : await response.text() };
  } catch (error) {
    return { status: 0, text: (error as Error).message };
  }
}

export const signOut = () => post("/gallery/logout", {});

export async function loadEntries(query: string): Promise<Entry[]> {
  return (await read(await fetch(`/gallery/index?q=${encodeURIComponent(query)}`))).pictures;
}

export async function loadDetail(handle: string): Promise<Detail> {
  return read(await fetch(`/gallery/pictures/${handle}`));
}

const send = (path: string, document: object) =>
  fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(document) });

const post = async (path: string, document: object): Promise<any> => read(await send(path, document));

export const callTool: Call = (tool, args) => post("/gallery/call", { tool, arguments: args });

export const deletePicture = (handle: string) => post("/gallery/delete", { handle });

/** Listen to what is new while the page is in sight; a browser has only six connections to a server for all its tabs. */
export function followChanges(listeners: Listeners, reload: () => void): () => void {
  let source: EventSource | undefined;
  const open = () => {
    source = new EventSource("/gallery/events");
    source.onopen = () => listeners.connected(true);
    source.onerror = () => {
      listeners.connected(false);
      listeners.lost();
    };
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
