/** The gallery: every picture of the library as it comes, the jobs at work, and what was spent. */
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getText } from "./answers";
import { g } from "./gallery_words";
import {
  callTool, followChanges, getThumbnailUrl, loadEntries, loadSession, readAsDataUrl, signOut, SIGNED_OUT,
  type RunningJob, type Session, type Spending, type Work,
} from "./library";
import { Lightbox } from "./lightbox";
import { Button, ICONS, measureProgress, useRedraw } from "./parts";
import { findRows, layOut, type Entry } from "./rows";
import { SignIn } from "./sign_in";
import { chooseLanguage, countPictures, isChinese, nameTool, t } from "./words";

Object.assign(ICONS, {
  close: "M5 5l10 10M15 5L5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
});

/** Rows are drawn this far beyond the screen, in CSS pixels. */
const MARGIN_PX = 800;
/** A picture is asked for once it has stayed in sight for so long: a fast scroll asks for nothing. */
const REST_MS = 90;
const TYPING_MS = 180;
const DAY_MS = 86_400_000;
/** The server counts by UTC days. */
const SPENDING_DAYS = 14;
const NO_WORK: Work = { jobs: [], spending: [], budget_per_day: null, money_per_day: {} };
type Filters = { tool: string; provider: string; day: string };

const getDay = (entry: Entry) => toDay(new Date(entry[3] * 1000));
const toDay = (date: Date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

/** The library, or the way in; whoever is signed out in one window is so in all. */
function Page() {
  const [session, setSession] = useState<Session>();
  const windows = useRef(new BroadcastChannel("atelier"));
  const ask = () => loadSession().then(setSession, () => setSession((known) => known ?? { is_open: true, can_leave: false }));
  const tell = () => {
    windows.current.postMessage("");
    return ask();
  };
  useEffect(() => {
    void ask();
    windows.current.onmessage = ask;
    addEventListener(SIGNED_OUT, ask);
    return () => removeEventListener(SIGNED_OUT, ask);
  }, []);
  if (!session) return null;
  if (!session.is_open) return <SignIn enter={tell} />;
  return <Gallery check={ask} leave={session.can_leave ? () => void signOut().then(tell) : undefined} />;
}

type GalleryProps = {
  /** Looks whether this browser is still let in. */
  check: () => void;
  leave?: () => void;
};

function Gallery({ check, leave }: GalleryProps) {
  const [all, setAll] = useState<Entry[]>();
  const [query, setQuery] = useState("");
  const [filters, setFilters] = useState<Filters>({ tool: "", provider: "", day: "" });
  const [work, setWork] = useState<Work>(NO_WORK);
  const [isLive, setLive] = useState(false);
  const [open, setOpen] = useState("");
  const [size, setSize] = useState(200);
  const [said, say] = useState("");
  const [isDropping, setDropping] = useState(false);
  const latestQuery = useRef(query);
  latestQuery.current = query;

  const load = () =>
    loadEntries(latestQuery.current).then(setAll, (error: Error) => say(error.message));
  useEffect(() => {
    const timer = setTimeout(load, query ? TYPING_MS : 0);
    return () => clearTimeout(timer);
  }, [query]);
  useEffect(
    () =>
      followChanges(
        {
          connected: setLive,
          lost: check,
          work: setWork,
          gone: (handles) => setAll((entries) => entries?.filter(([handle]) => !handles.includes(handle))),
          // A search is asked again: only the server knows the words of what is new.
          pictures: (fresh) => (latestQuery.current ? load() : setAll((entries) => merge(fresh, entries ?? []))),
        },
        load,
      ),
    [],
  );

  const entries = useMemo(() => all?.filter((entry) => matches(entry, filters)), [all, filters]);
  const index = entries?.findIndex(([handle]) => handle === open) ?? -1;
  const openEntry = all?.find(([handle]) => handle === open);
  const step = (count: number) => {
    const next = entries?.[index + count];
    if (next) setOpen(next[0]);
  };
  const takeIn = async (files: Iterable<File>) => {
    for (const file of files) {
      const result = await callTool("import_image", { image: await readAsDataUrl(file) }).catch((error: Error) => ({
        isError: true,
        content: [{ type: "text", text: error.message }],
      }));
      say(result.isError ? `${file.name}: ${getText(result)}` : g("imported"));
    }
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setDropping(false);
    void takeIn(event.dataTransfer?.files ?? []);
  };
  const onDragOver = (event: DragEvent) => {
    event.preventDefault();
    setDropping(true);
  };
  return (
    <div class={isDropping ? "page dropping" : "page"} onDrop={onDrop} onDragOver={onDragOver} onDragLeave={(event) => !event.relatedTarget && setDropping(false)}>
      <header class="top">
        <h1>Atelier</h1>
        <input type="search" class="words" placeholder={g("search")} aria-label={g("search")} value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
        <FilterBar all={all ?? []} filters={filters} change={setFilters} />
        <label class="size">
          <input type="range" min="110" max="420" value={size} aria-label={g("thumbSize")} onInput={(event) => setSize(+event.currentTarget.value)} />
        </label>
        <label class="import">
          {g("import")}
          <input type="file" accept="image/*" multiple onChange={(event) => void takeIn(event.currentTarget.files ?? [])} />
        </label>
        {leave && <Button label={g("signOut")} onClick={leave} />}
        <span class={isLive ? "live on" : "live"}>{g(isLive ? "live" : "offline")}</span>
      </header>
      <WorkBar work={work} />
      <p class="status" role="status">
        {entries ? countPictures(entries.length) : g("reading")}
        {said && ` · ${said}`}
      </p>
      <Wall entries={entries} size={size} open={setOpen} isSearched={!!(query || filters.tool || filters.provider || filters.day)} />
      {isDropping && <p class="drop">{g("dropHere")}</p>}
      {open && <LightboxOf handle={open} entry={openEntry} show={setOpen} step={step} close={() => setOpen("")} />}
    </div>
  );
}

type LightboxOfProps = { handle: string; entry?: Entry; show: (handle: string) => void; step: (count: number) => void; close: () => void };

/** The lightbox of a picture, also of one that is not on the wall: a mask, or one that has only just been made. */
function LightboxOf({ handle, entry, ...rest }: LightboxOfProps) {
  const [found, setFound] = useState(entry);
  useEffect(() => {
    if (entry) return setFound(entry);
    fetch(`/gallery/pictures/${handle}`)
      .then((response) => response.json())
      .then(({ width, height, created_at, made }) =>
        setFound([handle, width, height, Date.parse(created_at) / 1000, made.capability ?? made.operation ?? "make_mask", made.provider ?? ""]),
      )
      .catch(rest.close);
    return undefined;
  }, [handle, entry]);
  return found ? <Lightbox entry={found} {...rest} /> : null;
}

function merge(fresh: Entry[], entries: Entry[]): Entry[] {
  const known = new Set(entries.map(([handle]) => handle));
  return [...fresh.filter(([handle]) => !known.has(handle)), ...entries].sort((a, b) => b[3] - a[3]);
}

function matches(entry: Entry, { tool, provider, day }: Filters): boolean {
  return (!tool || entry[4] === tool) && (!provider || entry[5] === provider) && (!day || getDay(entry) === day);
}

function FilterBar({ all, filters, change }: { all: Entry[]; filters: Filters; change: (filters: Filters) => void }) {
  const choices = useMemo(
    () => ({
      tool: [...new Set(all.map((entry) => entry[4]))].sort(),
      provider: [...new Set(all.map((entry) => entry[5]))].filter(Boolean).sort(),
      day: [...new Set(all.map(getDay))],
    }),
    [all],
  );
  const labels = { tool: g("tool"), provider: g("service"), day: g("day") };
  return (
    <span class="filters" role="group" aria-label={g("filters")}>
      {(["tool", "provider", "day"] as const).map((name) => (
        <select key={name} aria-label={labels[name]} value={filters[name]} onChange={(event) => change({ ...filters, [name]: event.currentTarget.value })}>
          <option value="">{labels[name]}: {g("all")}</option>
          {choices[name].map((choice) => (
            <option key={choice} value={choice}>{name === "tool" ? nameTool(choice) : choice}</option>
          ))}
        </select>
      ))}
    </span>
  );
}

function WorkBar({ work }: { work: Work }) {
  const days = Array.from({ length: SPENDING_DAYS }, (_, ago) => new Date(Date.now() - (SPENDING_DAYS - 1 - ago) * DAY_MS).toISOString().slice(0, 10));
  const sum = (day: string) => sumPictures(work.spending.filter((row) => row.day === day));
  const byDay = days.map((day) => ({ day, pictures: sum(day) }));
  const today = byDay[byDay.length - 1];
  const spent = work.spending.filter(({ day }) => day === today.day);
  const most = Math.max(1, ...byDay.map(({ pictures }) => pictures));
  if (!work.jobs.length && !work.spending.length) return null;
  return (
    <section class="work" aria-label={g("jobs")}>
      {work.jobs.map((job) => <JobCard key={job.id} job={job} />)}
      {work.spending.length > 0 && (
        <article>
          <b>{g("today")}: {countPictures(today.pictures)}{work.budget_per_day ? ` / ${work.budget_per_day}` : ""}</b>
          <ol class="days">
            {byDay.map(({ day, pictures }) => (
              <li key={day} title={`${day}: ${pictures}`} style={{ "--share": String(pictures / most) }}>
                <span class="unseen">{day}: {countPictures(pictures)}</span>
              </li>
            ))}
          </ol>
          <b>{[formatMoney(spent), formatAmounts(work.money_per_day)].filter(Boolean).join(" / ")}</b>
          <span class="soft">{describeSpending(spent)}</span>
        </article>
      )}
    </section>
  );
}

const sumPictures = (rows: Spending[]) => rows.reduce((total, { pictures }) => total + pictures, 0);

const formatAmounts = (amounts: Record<string, string | number>) => Object.entries(amounts).map(([currency, amount]) => `${(+amount).toFixed(2)} ${currency}`).join(", ");

/** The money of some rows, with a sign before it where a part is an estimate, and one after it where a price is unknown. */
function formatMoney(rows: Spending[]): string {
  const total: Record<string, number> = {};
  for (const { cost } of rows) for (const name in cost) total[name] = (total[name] ?? 0) + +cost[name];
  const known = formatAmounts(total);
  if (!known) return "";
  return (rows.some(({ estimated }) => formatAmounts(estimated)) ? "≈ " : "") + known + (rows.some((row) => row.unpriced_jobs) ? " + ?" : "");
}

/** What was spent, by caller and service. */
function describeSpending(rows: Spending[]): string {
  const groups: Record<string, Spending[]> = {};
  for (const row of rows) (groups[`${row.principal}, ${row.provider}`] ??= []).push(row);
  return Object.entries(groups).map(([name, group]) => `${name} ${sumPictures(group)} ${formatMoney(group)}`.trim()).join(" · ");
}

function JobCard({ job }: { job: RunningJob }) {
  useRedraw(500);
  const { value, times } = measureProgress(job.created_s * 1000, job.typical_s, job.progress);
  return (
    <article>
      <b>{nameTool(job.tool)}</b> <span class="soft clip">{job.prompt || job.id}</span>
      <progress value={value} aria-label={nameTool(job.tool)} />
      <div class="bar">
        <span class="soft">{job.state} · {times} · {countPictures(job.pictures)}</span>
        <Button class="small" label={t("cancel")} onClick={() => void callTool("cancel_jobs", { job_ids: [job.id] })} />
      </div>
    </article>
  );
}

type WallProps = { entries?: Entry[]; size: number; open: (handle: string) => void; isSearched: boolean };

/** Only what is near the screen is in the page, however many there are. */
function Wall({ entries, size, open, isSearched }: WallProps) {
  const wall = useRef<HTMLElement>(null);
  const [view, setView] = useState({ top: 0, height: innerHeight, width: 0 });
  useEffect(() => {
    let frame = 0;
    const measure = () => {
      frame = 0;
      const { top, width } = wall.current?.getBoundingClientRect() ?? { top: 0, width: 0 };
      setView({ top: -top, height: innerHeight, width: Math.floor(width) });
    };
    const later = () => (frame ||= requestAnimationFrame(measure));
    measure();
    addEventListener("scroll", later, { passive: true });
    const observer = new ResizeObserver(later);
    observer.observe(wall.current!);
    observer.observe(document.body);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      observer.disconnect();
    };
  }, []);
  const layout = useMemo(() => (entries && view.width ? layOut(entries, view.width, size) : undefined), [entries, view.width, size]);
  const rows = layout ? findRows(layout.rows, view.top - MARGIN_PX, view.top + view.height + MARGIN_PX) : [];
  return (
    <main ref={wall} class="wall" style={{ height: layout ? `${layout.height}px` : "60vh" }}>
      {rows.map((row) =>
        row.day ? (
          <h2 key={`day${row.top}`} style={{ top: `${row.top}px` }}>{formatDay(row.day)}</h2>
        ) : (
          row.items.map(({ entry, left, width }) => (
            <button
              type="button"
              key={entry[0]}
              class="tile"
              aria-label={t("dimensions", nameTool(entry[4]), entry[1], entry[2])}
              style={{ top: `${row.top}px`, left: `${left}px`, width: `${width}px`, height: `${row.height}px` }}
              onClick={() => open(entry[0])}
            >
              <Thumbnail handle={entry[0]} />
            </button>
          ))
        ),
      )}
      {entries?.length === 0 && <p class="empty">{g(isSearched ? "noMatch" : "empty")}</p>}
    </main>
  );
}

function Thumbnail({ handle }: { handle: string }) {
  const image = useRef<HTMLImageElement>(null);
  useEffect(() => {
    const element = image.current!;
    const timer = setTimeout(() => (element.src = getThumbnailUrl(handle)), REST_MS);
    return () => {
      clearTimeout(timer);
      if (!element.complete) element.removeAttribute("src");
    };
  }, [handle]);
  return <img ref={image} alt="" decoding="async" />;
}

function formatDay(date: Date): string {
  const now = new Date();
  const days = Math.round((Date.parse(now.toDateString()) - Date.parse(date.toDateString())) / DAY_MS);
  if (days === 0) return g("today");
  if (days === 1) return g("yesterday");
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(isChinese() ? "zh" : undefined, { weekday: "long", day: "numeric", month: "long", year });
}

document.documentElement.lang = chooseLanguage();
document.documentElement.classList.add("full");
render(<Page />, document.getElementById("app")!);
