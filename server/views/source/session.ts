/**
 * What the studio knows of one answer: its pictures, the versions made of them, and the work under way.
 *
 * Hosts are not trusted to deliver a result: some drop it whole or in part. The server's ledger has every job, so what
 * is missing is looked for there, and what runs is followed there; a server that restarts is simply asked again.
 */
import {
  type Call, type Job, type Made, type Picture, type Result, type View,
  getFacts, getJobId, getText, isUnfinished, listJobs, listPictures, loadView, matchesCall,
} from "./answers";
import { s } from "./studio_words";
import { t } from "./words";

export type Version = Picture & { parent?: string };
export type Work = { label: string; startedMs: number; jobId?: string; progress?: number; typicalS?: number };
/** What pictures are made of, and what they are called for it. */
type Origin = { parent?: string; label?: string };
export type Message = { text: string; isError?: boolean };

const POLL_MS = 1000;
const SLOW_POLL_MS = 3000;
const QUICK_POLLS = 20;
/** With polls that come slower and slower, about ten minutes without a server. */
const MAX_FAILED_POLLS = 200;
const LISTED_JOBS = 30;
/** These make their picture at once and for nothing: called again, they answer the same. */
const REPEATABLE = new Set(["transform_image", "compose_images"]);
const VERSION_LABELS: Record<string, "upscaled" | "erased" | "repainted" | "extended"> = {
  upscale_image: "upscaled",
  erase_object: "erased",
  inpaint_image: "repainted",
  outpaint_image: "extended",
};

export class Session {
  versions: Version[] = [];
  chosen = "";
  isWaiting = true;
  work?: Work;
  message: Message = { text: "" };
  notes: string[] = [];
  /** Of the frame before the first picture is there, so that nothing jumps. */
  ratio = 4 / 3;
  expected = 1;
  /** The picture that a mask is asked for, and why. */
  wish?: { image: string; why: string };
  isFree = false;
  #hasStopped = false;
  #call: Call;
  #changed: () => void;

  constructor(call: Call, changed: () => void) {
    this.#call = call;
    this.#changed = changed;
  }

  get current(): Version | undefined {
    return this.versions.find((version) => version.handle === this.chosen);
  }

  get before(): Version | undefined {
    const parent = this.current?.parent;
    return parent === undefined ? undefined : this.versions.find((version) => version.handle === parent);
  }

  /** What the model asked for: sets the frame, and follows the job in case its result never comes. */
  takeInput(tool: string | undefined, args: Record<string, any>): void {
    this.expected = Number(args.samples) || 1;
    this.ratio = parseRatio(args) ?? this.ratio;
    if (tool === "ask_for_mask" || (args.why !== undefined && args.image)) this.wish = { image: String(args.image), why: String(args.why ?? "") };
    this.#changed();
    if (typeof args.image === "string" && args.image.startsWith("img_")) void this.#showSource(args.image);
    if (!this.wish) void this.#recover(tool, args);
  }

  takeCancel(): void {
    this.isWaiting = false;
    this.say(s("cancelled"));
  }

  /** What the model's call answered. */
  async takeResult(result: Result): Promise<void> {
    this.isWaiting = false;
    if (result.isError) return this.say(getText(result), true);
    return this.wish ? this.#openWish(result) : this.#show(result);
  }

  choose(handle: string): void {
    this.chosen = handle;
    this.message = { text: "" };
    this.#changed();
    const version = this.current;
    if (version && !version.made) void this.load(handle).catch(() => undefined);
  }

  /** Run a tool on the chosen picture and show what comes of it; the handles of it, none where it failed. */
  async run(label: string, tool: string, args: object, verb: string): Promise<string[]> {
    const parent = this.chosen;
    const known = new Set(this.versions.map((version) => version.handle));
    this.#startWork(label);
    try {
      const result = await this.#call(tool, { ...args, wait_s: 0 });
      if (result.isError) throw new Error(getText(result));
      await this.#show(result, { parent, label: verb });
    } catch (error) {
      this.say((error as Error).message, true);
    }
    this.#endWork();
    return this.versions.map((version) => version.handle).filter((handle) => !known.has(handle));
  }

  async cancelWork(): Promise<void> {
    const jobId = this.work?.jobId;
    if (jobId) await this.#call("cancel_jobs", { job_ids: [jobId] }).catch(() => undefined);
  }

  say(text: string, isError = false): void {
    this.message = { text, isError };
    this.#changed();
  }

  stop(): void {
    this.#hasStopped = true;
  }

  /** One picture at the size the host lets through, put in the place of its preview. */
  async load(handle: string): Promise<View> {
    const view = await loadView(this.#call, handle);
    this.#patch(handle, view.picture);
    if (view.picture.made?.edits_are_free) this.isFree = true;
    return view;
  }

  /** The pictures of a job once it has ended, or an error said; polled, since no host keeps a call open for long. */
  async #follow(jobId: string, origin: Origin): Promise<void> {
    if (!this.work) this.#startWork(t("working"));
    this.work!.jobId = jobId;
    let failures = 0;
    for (let round = 0; !this.#hasStopped && failures < MAX_FAILED_POLLS; round++) {
      await sleep(round + failures < QUICK_POLLS ? POLL_MS : SLOW_POLL_MS);
      const jobs = await this.#fetchJobs(round > 5 ? 100 : LISTED_JOBS);
      if (!jobs) {
        failures++;
        this.say(s("retrying"));
        continue;
      }
      if (failures) this.say("");
      failures = 0;
      const job = jobs.find((other) => other.id === jobId);
      if (!job || isUnfinished(job.state)) this.#showProgress(job);
      else return this.#takeJob(job, origin);
    }
    this.#endWork();
    this.say(s("gaveUp"), true);
  }

  /** The pictures of an answer, and of the jobs in it that go on; `parent` is what they are made of. */
  async #show(result: Result, origin: Origin = {}): Promise<void> {
    this.work = undefined;
    const facts = getFacts(result);
    const pictures = listPictures(result);
    this.notes = facts.notes ?? [];
    this.#add(pictures, origin);
    const unfinished = listJobs(result).filter((job) => isUnfinished(job.state));
    const ids = facts.jobs ? unfinished.map((job) => job.id) : pictures.length ? [] : [getJobId(result)];
    for (const id of ids) if (id) await this.#follow(id, origin);
    if (!pictures.length && !ids.some(Boolean)) return this.say(getText(result));
    await this.#complete(pictures);
  }

  async #recover(tool: string | undefined, args: Record<string, any>): Promise<void> {
    const ids: string[] = Array.isArray(args.job_ids) ? args.job_ids : [];
    for (let round = 0; this.isWaiting && !this.#hasStopped && round < MAX_FAILED_POLLS; round++) {
      await sleep(round < QUICK_POLLS ? POLL_MS : SLOW_POLL_MS);
      if (!this.isWaiting) return;
      if (tool && REPEATABLE.has(tool) && round === 4) return this.#repeat(tool, args);
      const jobs = await this.#fetchJobs(ids.length ? 100 : 8);
      const job = jobs?.find((other) => (ids.length ? ids.includes(other.id) : matchesCall(other, tool, args)));
      if (!job || !this.isWaiting) continue;
      if (isUnfinished(job.state)) this.#showProgress(job);
      // A moment more for the host: its result has the previews.
      else if (round >= 2) return this.#takeJob(job, {});
    }
  }

  async #repeat(tool: string, args: object): Promise<void> {
    const result = await this.#call(tool, args).catch(() => undefined);
    if (result && this.isWaiting) await this.takeResult(result);
  }

  async #fetchJobs(limit: number): Promise<Job[] | undefined> {
    try {
      const result = await this.#call("list_jobs", { limit });
      return result.isError ? undefined : listJobs(result);
    } catch {
      return undefined;
    }
  }

  async #takeJob(job: Job, origin: Origin): Promise<void> {
    this.isWaiting = false;
    this.#endWork();
    this.notes = job.notes;
    if (job.state !== "succeeded") return this.say(job.state === "cancelled" ? s("cancelled") : (job.notes.at(-1) ?? job.state), job.state !== "cancelled");
    this.#add(job.pictures, origin);
    await this.#complete(job.pictures);
  }

  /** Fetch what an answer's previews leave out: the large picture, what it was made of, and what was made of it. */
  async #complete(pictures: Picture[]): Promise<void> {
    const [first] = pictures;
    if (!first) return;
    const view = await this.load(this.chosen || first.handle).catch((error: Error) => this.say(error.message, true));
    const made = view?.picture.made;
    const word = VERSION_LABELS[made?.capability ?? ""];
    if (word && pictures.length === 1 && !first.label) this.#patch(first.handle, { label: t(word) });
    const source = getSource(made);
    if (source && source !== first.handle) {
      for (const { handle } of pictures) if (!this.#find(handle)?.parent) this.#patch(handle, { parent: source });
      await this.#showSource(source);
    }
    await Promise.all(pictures.filter(({ handle }) => !this.#find(handle)?.source).map(({ handle }) => this.load(handle).catch(() => undefined)));
    await this.#findVersions();
  }

  /** What was made of these pictures before: a frame that is mounted again shows what it showed. */
  async #findVersions(): Promise<void> {
    for (const job of ((await this.#fetchJobs(LISTED_JOBS)) ?? []).reverse()) {
      const parent = job.request?.image;
      if (job.state !== "succeeded" || !parent || !this.#find(parent) || job.tool === "cut_out_subject") continue;
      const fresh = job.pictures.filter(({ handle }) => !this.#find(handle));
      const word = VERSION_LABELS[job.tool];
      this.versions.push(...fresh.map((picture) => ({ ...picture, parent, label: picture.label || (word ? t(word) : t("variation")) })));
      this.#changed();
      for (const { handle } of fresh) await this.load(handle).catch(() => undefined);
    }
  }

  async #showSource(handle: string): Promise<void> {
    if (this.#find(handle)?.source) return;
    const view = await loadView(this.#call, handle).catch(() => undefined);
    if (!view) return;
    const { picture } = view;
    if (this.isWaiting && !this.versions.length) this.ratio = picture.width / picture.height;
    if (!this.#find(handle)) this.versions.unshift({ ...picture, label: s("source") });
    else this.#patch(handle, picture);
    this.chosen ||= this.isWaiting ? handle : this.chosen;
    this.#changed();
  }

  async #openWish(result: Result): Promise<void> {
    const asked = listPictures(result)[0]?.handle ?? this.wish!.image;
    const handle = this.wish!.image.startsWith("img_") ? this.wish!.image : asked;
    if (!this.#find(handle)) this.versions.unshift({ handle, width: 4, height: 3, label: s("source") });
    this.choose(handle);
  }

  #add(pictures: Picture[], { parent, label }: Origin): void {
    const many = pictures.length > 1;
    for (const [index, picture] of pictures.entries()) {
      const name = picture.label || (label ? (many ? `${label} ${index + 1}` : label) : undefined);
      if (this.#find(picture.handle)) this.#patch(picture.handle, dropUndefined({ ...picture, label: name }));
      else this.versions.push({ ...picture, parent, label: name });
    }
    if (pictures.length) {
      this.chosen = pictures[0].handle;
      this.ratio = pictures[0].width / pictures[0].height;
    }
    this.#changed();
  }

  #find(handle: string): Version | undefined {
    return this.versions.find((version) => version.handle === handle);
  }

  #patch(handle: string, change: Partial<Version>): void {
    this.versions = this.versions.map((version) =>
      version.handle === handle ? { ...version, ...dropUndefined(change), label: change.label || version.label } : version,
    );
    this.#changed();
  }

  #startWork(label: string): void {
    this.work = { label, startedMs: Date.now() };
    this.message = { text: "" };
    this.#changed();
  }

  #endWork(): void {
    this.work = undefined;
    this.#changed();
  }

  #showProgress(job: Job | undefined): void {
    if (!this.work) this.#startWork(t("working"));
    Object.assign(this.work!, { jobId: job?.id ?? this.work!.jobId, progress: job?.progress, typicalS: job?.typicalS ?? this.work!.typicalS });
    this.#changed();
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function dropUndefined<T extends object>(change: T): Partial<T> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined && value !== "")) as Partial<T>;
}

/** The picture that another was made of. */
export function getSource(made?: Made): string | undefined {
  const source = made?.request?.image ?? made?.parents?.[0];
  return typeof source === "string" && source.startsWith("img_") ? source : undefined;
}

function parseRatio(args: Record<string, any>): number | undefined {
  const [across, down] = String(args.aspect ?? "").split(":").map(Number);
  if (across > 0 && down > 0) return across / down;
  return args.width > 0 && args.height > 0 ? args.width / args.height : undefined;
}
