/** What the studio alone says, in English and Chinese. */
import { createTranslator } from "./words";

const WORDS = {
  ask: ["The assistant asks you to mark: {0}", "请标出：{0}"],
  askPlain: ["Mark the part of the picture that is meant.", "请标出图片中所指的部分。"],
  cancelled: ["Cancelled.", "已取消。"],
  done: ["{0}: done.", "{0}：完成。"],
  gaveUp: ["The server does not answer. The job goes on: ask for it later.", "服务器无响应。任务仍在继续，请稍后查询。"],
  give: ["Give to the assistant", "交给助手"],
  given: ["The assistant has the mask {0}.", "助手已收到蒙版 {0}。"],
  grid: ["All at once", "全部图片"],
  loading: ["Opening the picture", "正在打开图片"],
  openFailed: ["This picture cannot be opened here.", "无法在此打开图片。"],
  retrying: ["The server does not answer; trying again.", "服务器无响应，正在重试。"],
  save: ["Save", "保存"],
  saved: ["Saved.", "已保存。"],
  source: ["source", "原图"],
  told: ["The assistant knows.", "已告知助手。"],
  upscale: ["Upscale 2×", "放大 2 倍"],
  upscaling: ["Upscaling", "正在放大"],
  use: ["Use this one", "就用这张"],
  useMessage: ["Use {0}.", "使用 {0}。"],
  variations: ["Variations", "变体"],
  varying: ["Making variations", "正在生成变体"],
  waiting: ["Waiting for the pictures…", "正在等待图片…"],
} satisfies Record<string, [string, string]>;

export const s = createTranslator<keyof typeof WORDS>(WORDS);
