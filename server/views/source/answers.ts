/** What the server's tools answer, read so that it works with hosts that drop parts of it. */
export type Block = { type: string; text?: string; data?: string; mimeType?: string };
export type Result = { content?: Block[]; structuredContent?: any; isError?: boolean; _meta?: any };
/** Calls a tool of the server: through the host in the studio, by HTTP in the gallery. */
export type Call = (tool: string, args: object) => Promise<Result>;

export type Made = {
  capability?: string;
  operation?: string;
  imported_from?: string;
  provider?: string;
  seed?: number;
  request?: Record<string, any>;
  parents?: string[];
  notes?: string[];
  disclaimer?: string;
  is_emulated?: boolean;
  edits_are_free?: boolean;
  tool?: string;
  image?: string;
};
export type Picture = {
  handle: string;
  width: number;
  height: number;
  path?: string;
  seed?: number;
  label?: string;
  /** A data URL, or a link of the gallery. */
  source?: string;
  made?: Made;
};
export type Job = {
  id: string;
  state: string;
  tool: string;
  request?: Record<string, any>;
  pictures: Picture[];
  notes: string[];
  progress?: number;
  typicalS?: number;
  /** The whole text, for hosts that hand on nothing else. */
  text: string;
};
export type View = { picture: Picture; data: string; type: string };

const UNFINISHED = new Set(["submitting", "queued", "running", "saving"]);
const LINE = /^(img_[a-z2-7]{16})(?: {2}(cut-out|mask))? {2}(\d+)x(\d+)(?:, seed (\d+))?/gm;
const JOB_ID = /\bjob_[a-z0-9]{16}\b/;
/** Sides in pixels that a picture is asked for in; the next smaller one where a host refuses the answer for its size. */
const VIEW_SIDES = [1568, 1100, 800, 640];

export const isUnfinished = (state: string) => UNFINISHED.has(state);

/** True of what the built-in stand-in made: it takes none of a model's steps. */
export const isEmulated = (made: Made) => made.disclaimer || made.is_emulated;

export function getText(result: Result): string {
  return (result.content ?? []).flatMap((block) => (block.type === "text" && block.text ? [block.text] : [])).join("\n");
}

export function getFacts(result: Result): any {
  return result._meta?.["atelier/result"] ?? result.structuredContent ?? {};
}

/** The pictures of an answer, each with its preview where one came along. */
export function listPictures(result: Result): Picture[] {
  const facts = getFacts(result);
  const listed: Picture[] = facts.images ?? (facts.image ? [facts.image] : facts.jobs?.flatMap((job: any) => job.images ?? []));
  const pictures = listed?.filter(({ handle }) => handle) ?? readPictures(getText(result));
  const previews = (result.content ?? []).filter((block) => block.type === "image" && block.data);
  return pictures.map((picture, index) =>
    previews[index] ? { ...picture, source: `data:${previews[index].mimeType};base64,${previews[index].data}` } : picture,
  );
}

function readPictures(text: string): Picture[] {
  const found = [...text.matchAll(LINE)].map(([, handle, label, width, height, seed]) => ({
    handle,
    label,
    width: +width,
    height: +height,
    seed: seed === undefined ? undefined : +seed,
  }));
  return found.filter((picture, index) => found.findIndex((other) => other.handle === picture.handle) === index);
}

/** The id of the job that an answer is of. */
export function getJobId(result: Result): string | undefined {
  return getFacts(result).job_id ?? getText(result).match(JOB_ID)?.[0];
}

/** The jobs that list_jobs answers, newest first. */
export function listJobs(result: Result): Job[] {
  const jobs = getFacts(result).jobs;
  if (!jobs) return getText(result).split("\n\n").flatMap(readJob);
  return jobs.map((job: any) => ({
    id: job.job_id,
    state: job.state,
    tool: job.tool,
    request: job.request,
    pictures: job.images ?? [],
    notes: job.notes ?? [],
    progress: job.progress,
    typicalS: job.typical_s,
    text: "",
  }));
}

function readJob(text: string): Job[] {
  const id = text.match(JOB_ID)?.[0];
  if (!id) return [];
  const [call, headline = "", ...notes] = text.split("\n");
  const ended = headline.startsWith("Job ") ? (headline.match(/ is (\w+)|: (\w+)\./)?.slice(1).find(Boolean) ?? "failed") : "succeeded";
  const tool = call.match(/(\w+)\(/)?.[1] ?? "";
  return [{ id, state: ended, tool, pictures: readPictures(text), notes: notes.filter((note) => !note.startsWith("img_")), text: call }];
}

/** True when a job was asked for with these arguments, as far as an answer tells. */
export function matchesCall(job: Job, tool: string | undefined, args: Record<string, any>): boolean {
  if (tool && job.tool && job.tool !== tool) return false;
  // A picture may have been named by a path or a link; the ledger knows its handle alone.
  const known = Object.entries(args).filter(([name, value]) =>
    name === "image" || name === "mask" ? /^img_/.test(String(value)) : ["prompt", "style", "ratio", "seed", "samples"].includes(name),
  );
  if (!known.length) return !!tool && job.tool === tool;
  return known.every(([name, value]) =>
    job.request ? JSON.stringify(job.request[name] ?? value) === JSON.stringify(value) : job.text.includes(JSON.stringify(value)),
  );
}

/** One picture as large as the host lets through, and how it was made. */
export async function loadView(call: Call, handle: string): Promise<View> {
  let reason = "";
  for (const longest_px of VIEW_SIDES) {
    const result: Result = await call("view_image", { image: handle, longest_px }).catch((error: Error) => {
      reason = error.message;
      return {};
    });
    const block = result.content?.find(({ type, data }) => type === "image" && data);
    if (result.isError) throw new Error(getText(result));
    if (!block) continue;
    const facts = getFacts(result);
    const [picture] = listPictures(result);
    const source = `data:${block.mimeType};base64,${block.data}`;
    return { picture: { ...picture, handle, source, made: facts.made }, data: block.data!, type: block.mimeType! };
  }
  throw new Error(reason || "This host does not let pictures through.");
}

/** Decoded without fetch, which a view may not use, not even for data URLs. */
export function decodeImage(data: string, type: string): Promise<ImageBitmap> {
  const text = atob(data);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type }));
}
