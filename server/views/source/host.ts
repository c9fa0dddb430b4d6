/** The view's side of MCP Apps (2026-01-26): JSON-RPC with the host by postMessage. A dozen messages, no library. */
import type { Result } from "./answers";
import { chooseLanguage } from "./words";

export type Mode = "inline" | "fullscreen" | "pip";
export type Context = {
  theme?: "light" | "dark";
  styles?: { variables?: Record<string, string> };
  displayMode?: Mode;
  availableDisplayModes?: Mode[];
  containerDimensions?: { height?: number; maxHeight?: number };
  locale?: string;
  safeAreaInsets?: { top: number; right: number; bottom: number; left: number };
  toolInfo?: { tool?: { name?: string } };
};
type Hear = (params: any) => void;
type Pending = { resolve: (value: any) => void; reject: (reason: Error) => void; timer: number };

const PROTOCOL = "2026-01-26";
const MIN_INSET_PX = 12;
const METHOD_NOT_FOUND = -32601;
const STYLE_VARIABLE = /^--[a-z0-9-]+$/;
/** More than a minute: a call waits up to 45 s at the server. */
const PATIENCE_MS = 90_000;

export class Host {
  context: Context = {};
  capabilities: Record<string, unknown> = {};
  #view: { name: string; version: string };
  #nextId = 1;
  #pending = new Map<number, Pending>();
  #listeners: Record<string, Hear> = {};

  constructor(view: { name: string; version: string }) {
    this.#view = view;
    addEventListener("message", (event) => {
      if (event.source === parent && event.data?.jsonrpc === "2.0") this.#receive(event.data);
    });
  }

  /** Listen to a notification, or to "context". Before `connect`: a host may send the result at once. */
  on(method: string, hear: Hear): this {
    this.#listeners[method] = hear;
    return this;
  }

  async connect(): Promise<void> {
    const appCapabilities = { availableDisplayModes: ["inline", "fullscreen"] };
    const answer = await this.request("ui/initialize", { appInfo: this.#view, appCapabilities, protocolVersion: PROTOCOL });
    this.capabilities = answer?.hostCapabilities ?? {};
    this.#takeContext(answer?.hostContext ?? {});
    this.#notify("ui/notifications/initialized");
    this.#watchSize();
  }

  request(method: string, params: object): Promise<any> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const giveUp = () => this.#pending.delete(id) && reject(new Error("The host did not answer in time."));
      this.#pending.set(id, { resolve, reject, timer: setTimeout(giveUp, PATIENCE_MS) as unknown as number });
      this.#send({ id, method, params });
    });
  }

  call = (name: string, args: object): Promise<Result> => this.request("tools/call", { name, arguments: args });

  offers(mode: Mode): boolean {
    return !!this.context.availableDisplayModes?.includes(mode);
  }

  async setMode(mode: Mode): Promise<void> {
    const answer = await this.request("ui/request-display-mode", { mode });
    this.#takeContext({ displayMode: answer?.mode ?? "inline" });
  }

  /** Tell the model what happened here, where the host passes that on; nobody waits for it. */
  tell(text: string): void {
    if (this.capabilities.updateModelContext)
      this.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }

  /** Say something in the person's name. Rejects where the host has no such message. */
  say(text: string): Promise<void> {
    return this.request("ui/message", { role: "user", content: [{ type: "text", text }] });
  }

  download(name: string, mimeType: string, blob: string): Promise<void> {
    const resource = { uri: `file:///${name}`, mimeType, blob };
    return this.request("ui/download-file", { contents: [{ type: "resource", resource }] });
  }

  #notify(method: string, params: object = {}): void {
    this.#send({ method, params });
  }

  #send(message: object): void {
    parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #receive(message: any): void {
    if (message.method === undefined) return this.#settle(message);
    if (message.id !== undefined) {
      const isKnown = message.method === "ping" || message.method === "ui/resource-teardown";
      const error = { code: METHOD_NOT_FOUND, message: "Method not found" };
      return this.#send({ id: message.id, ...(isKnown ? { result: {} } : { error }) });
    }
    if (message.method === "ui/notifications/host-context-changed") this.#takeContext(message.params ?? {});
    this.#listeners[message.method]?.(message.params ?? {});
  }

  #settle(message: any): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (message.error) pending.reject(new Error(String(message.error.message ?? "refused")));
    else pending.resolve(message.result);
  }

  #takeContext(change: Context): void {
    Object.assign(this.context, change);
    const root = document.documentElement;
    const { theme, styles, displayMode, safeAreaInsets: inset, containerDimensions: room, locale } = this.context;
    if (theme === "light" || theme === "dark") root.style.colorScheme = theme;
    for (const [name, value] of Object.entries(styles?.variables ?? {}))
      if (value && STYLE_VARIABLE.test(name)) root.style.setProperty(name, value);
    root.classList.toggle("full", displayMode === "fullscreen");
    // A host that states a height cuts off what is below it.
    const height = room?.height ?? room?.maxHeight;
    if (height) root.style.setProperty("--room", `${height}px`);
    root.classList.toggle("fixed", room?.height !== undefined && displayMode !== "fullscreen");
    if (inset) {
      const sides = [inset.top, inset.right, inset.bottom, inset.left].map((side) => `${Math.max(MIN_INSET_PX, side)}px`);
      document.body.style.padding = sides.join(" ");
    }
    root.lang = chooseLanguage(locale);
    this.#listeners.context?.(this.context);
  }

  #watchSize(): void {
    let last = "";
    let frame = 0;
    const report = () => {
      frame = 0;
      const { width, height } = document.documentElement.getBoundingClientRect();
      const size = { width: Math.ceil(width), height: Math.ceil(height) };
      if (JSON.stringify(size) === last) return;
      last = JSON.stringify(size);
      this.#notify("ui/notifications/size-changed", size);
    };
    new ResizeObserver(() => (frame ||= requestAnimationFrame(report))).observe(document.documentElement);
  }
}
