/** One picture of the gallery, large: what made it, its history, and what can be done with it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { decodeImage, loadView, type Picture } from "./answers";
import { g } from "./gallery_words";
import { callTool, deletePicture, getFileUrl, getThumbnailUrl, loadDetail, type Detail } from "./library";
import { findPicture, findSubject, listEdits, storeMask } from "./mask_calls";
import { Painter } from "./painter";
import { Button, Compare, copyText, Facts, getWords, hasSameShape, Icon, Prompt } from "./parts";
import type { Entry } from "./rows";
import { nameTool, t } from "./words";

/** Deeper steps of a history stand under one another: the column is narrow. */
const MAX_INDENT = 8;
type LightboxProps = {
  entry: Entry;
  show: (handle: string) => void;
  step: (count: number) => void;
  close: () => void;
};

export function Lightbox({ entry, show, step, close }: LightboxProps) {
  const [handle, width, height] = entry;
  const box = useRef<HTMLDialogElement>(null);
  const [detail, setDetail] = useState<Detail>();
  const [said, say] = useState("");
  const [painted, setPainted] = useState<ImageBitmap>();
  const [isSure, setSure] = useState(false);
  useEffect(() => {
    box.current!.showModal();
    // Else the slider would have the focus, and the arrows.
    box.current!.focus();
  }, []);
  useEffect(() => {
    setDetail(undefined);
    setPainted(undefined);
    setSure(false);
    say("");
    loadDetail(handle).then(setDetail, (error: Error) => say(error.message));
  }, [handle]);

  const copy = async (text: string) => say((await copyText(text)) ? t("copied", text) : text);
  const paint = async () => {
    try {
      const view = await loadView(callTool, handle);
      setPainted(await decodeImage(view.data, view.type));
    } catch (error) {
      say((error as Error).message);
    }
  };
  const remove = async () => {
    if (!isSure) return setSure(true);
    await deletePicture(handle).then(close, (error: Error) => say(error.message));
  };
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (painted || (event.target as HTMLElement).tagName === "INPUT") return;
      if (event.key === "ArrowRight") step(1);
      if (event.key === "ArrowLeft") step(-1);
    };
    // On the window: what had the focus may be gone with the picture before.
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });
  const current = detail?.handle === handle ? detail : undefined;
  const source = current?.ancestors[0];
  const picture: Picture = { handle, width, height, made: current?.made };
  const title = current?.title ?? t("picture");
  const words = getWords(current?.made) ?? current?.made.imported_from;
  return (
    <dialog ref={box} class="light" tabIndex={-1} aria-label={title} onClose={close}>
      {painted ? (
        <PaintedPicture picture={picture} image={painted} show={show} leave={() => setPainted(undefined)} />
      ) : (
        <>
          <figure>
            <Compare
              key={handle}
              before={source && hasSameShape(picture, { handle: source[0], width: source[1], height: source[2] }) ? getFileUrl(source[0]) : undefined}
              after={getFileUrl(handle)}
              ratio={width / height}
              alt={title}
            />
            <Button bare class="previous" icon="left" label={g("previous")} onClick={() => step(-1)} />
            <Button bare class="next" icon="right" label={g("next")} onClick={() => step(1)} />
          </figure>
          <aside>
            <div class="bar">
              <h2>{current ? nameTool(entry[4]) : ""}</h2>
              <Button bare icon="close" label={g("close")} onClick={() => box.current!.close()} />
            </div>
            {words && <Prompt>{words}</Prompt>}
            <Facts picture={picture} made={current?.made} copy={copy} />
            {current && <p class="soft">{new Date(current.created_at).toLocaleString()}</p>}
            <div class="bar verbs">
              <Button icon="rubber" label={t("eraseOrRepaint")} onClick={paint} />
              <a class="button" href={`${getFileUrl(handle)}?download`} download>
                <Icon name="save" />
                {g("download")}
              </a>
              <Button icon="copy" label={g("copyHandle")} onClick={() => copy(handle)} />
              <Button icon="clear" class={isSure ? "bad" : ""} label={g(isSure ? "deleteAgain" : "delete")} onClick={remove} />
            </div>
            <p class="status" role="status">{said}</p>
            {current && current.history.length > 1 && <History rows={current.history} handle={handle} show={show} />}
          </aside>
        </>
      )}
    </dialog>
  );
}

type HistoryProps = { rows: Detail["history"]; handle: string; show: (handle: string) => void };

/** What was made of what, as a tree: each picture is a click away. */
function History({ rows, handle, show }: HistoryProps) {
  return (
    <section class="history">
      <h3>{g("history")}</h3>
      <ul>
        {rows.map(([[other, width, height, , tool], depth]) => (
          <li key={other} aria-level={depth + 1} style={{ "--depth": String(Math.min(depth, MAX_INDENT)) }}>
            <button
              type="button"
              aria-current={other === handle ? "true" : undefined}
              onClick={() => show(other)}
            >
              <img src={getThumbnailUrl(other)} alt="" loading="lazy" />
              <span>{nameTool(tool)}</span>
              <small>{width} × {height}</small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

type PaintedPictureProps = { picture: Picture; image: ImageBitmap; show: (handle: string) => void; leave: () => void };

/** The painter over a picture of the gallery. */
function PaintedPicture({ picture, image, show, leave }: PaintedPictureProps) {
  const { handle } = picture;
  const cost = t(picture.made?.edits_are_free ? "free" : "onePicture");
  const [kept, setKept] = useState("");
  const edits = listEdits(callTool, handle, cost, async (tool, args) => show(findPicture(await callTool(tool, args)).handle));
  const keep = async (mask: string) => setKept(g("maskKept", await storeMask(callTool, handle, mask)));
  return (
    <Painter
      picture={picture}
      image={image}
      hint={kept}
      isFull
      leave={leave}
      refine={(mask) => findSubject(callTool, handle, mask)}
      refineCost={cost}
      actions={[...edits, { label: g("keepMask"), run: keep }]}
    />
  );
}
