/** What is done with a painted mask at the server, in studio and gallery alike. */
import { decodeImage, getText, listPictures, loadView, type Call, type Picture, type Result } from "./answers";
import { toLayer, type Layer } from "./mask";
import type { MaskAction } from "./painter";
import { t } from "./words";

/** Runs a tool that makes a picture; rejects in the server's words. */
export type Edit = (tool: string, args: object, label: string, verb: string) => Promise<void>;

/** The handle of a mask that is kept as one, beside its picture; rejects in the server's words. */
export async function storeMask(call: Call, image: string, mask: string): Promise<string> {
  return findPicture(await call("make_mask", { image, mask })).handle;
}

/** The subject under a rough mask, found by the service, as a layer to go on painting on. */
export async function findSubject(call: Call, image: string, mask: string): Promise<Layer> {
  const result = await call("cut_out_subject", { image, mask: await storeMask(call, image, mask) });
  const view = await loadView(call, findPicture(result, "mask").handle);
  return toLayer(await decodeImage(view.data, view.type));
}

/** Erase and repaint, as the painter offers them. */
export function listEdits(call: Call, image: string, cost: string, edit: Edit): MaskAction[] {
  const run = (tool: string, label: string, verb: string) => async (drawn: string, words: object) =>
    edit(tool, { image, mask: await storeMask(call, image, drawn), ...words }, label, verb);
  return [
    { label: t("erase"), cost, run: run("erase_object", t("erasing"), t("erased")) },
    { label: t("repaint"), cost, needsWords: true, run: run("inpaint_image", t("painting"), t("repainted")) },
  ];
}

/** The first picture of an answer, or the one of that label. */
export function findPicture(result: Result, label?: string): Picture {
  const found = listPictures(result).find((picture) => !label || picture.label === label);
  if (result.isError || !found) throw new Error(getText(result) || t("maskFailed"));
  return found;
}
