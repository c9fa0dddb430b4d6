/** What the pages say alike, in English and Chinese; by the language that the host, or the browser, asks for. */
const WORDS = {
  after: ["After", "修改后"],
  afterShare: ["{0} % after", "修改后 {0} %"],
  back: ["Back", "返回"],
  before: ["Before", "修改前"],
  beforeAndAfter: ["Before and after", "修改前后对比"],
  box: ["Box", "方框"],
  brush: ["Brush", "画笔"],
  brushSize: ["Brush size", "画笔大小"],
  by: ["by", "服务"],
  cancel: ["Cancel", "取消"],
  canvas: [
    "Picture, {0} by {1} pixels. Arrow keys move the cross, Space starts and ends a mark.",
    "图片，{0} × {1} 像素。方向键移动十字，空格键开始或结束标记。",
  ],
  clear: ["Clear", "清空"],
  copied: ["Copied: {0}", "已复制：{0}"],
  copySeed: ["Copy the seed", "复制种子"],
  dimensions: ["{0}, {1} by {2}", "{0}，{1} × {2}"],
  erase: ["Erase", "擦除"],
  erased: ["erased", "已擦除"],
  eraseOrRepaint: ["Erase or repaint…", "擦除或重绘…"],
  erasing: ["Erasing", "正在擦除"],
  extended: ["extended", "已扩展"],
  fit: ["Whole picture", "显示整张"],
  fitSubject: ["Fit to the subject", "贴合主体"],
  fitting: ["Looking for the subject", "正在识别主体"],
  free: ["free", "免费"],
  fullScreen: ["Full screen", "全屏"],
  guidance: ["guidance", "引导"],
  hand: ["Move", "移动"],
  hold: ["Hold: original", "按住看原图"],
  inline: ["Back into the chat", "回到对话"],
  invert: ["Invert", "反选"],
  lasso: ["Lasso", "套索"],
  less: ["Less", "收起"],
  longer: ["taking longer than usual", "比平时久一些"],
  marked: ["{0} % marked.", "已标记 {0} %。"],
  markedAll: ["{0} % marked. Invert it?", "已标记 {0} %。要反选吗？"],
  markedNone: ["Nothing is marked yet.", "尚未标记。"],
  maskFailed: ["The mask was refused.", "蒙版未被接受。"],
  model: ["model", "模型"],
  more: ["More", "展开"],
  onePicture: ["1 picture", "1 张"],
  painter: ["Mask painter", "蒙版画板"],
  painting: ["Repainting", "正在重绘"],
  penDown: ["Pen down at {0}, {1}.", "落笔于 {0}，{1}。"],
  picture: ["Picture", "图片"],
  pictures: ["{0} pictures", "{0} 张"],
  prompt: ["What should be there instead?", "这里应该是什么？"],
  redo: ["Redo", "重做"],
  repaint: ["Repaint", "重绘"],
  repainted: ["repainted", "已重绘"],
  rubOut: ["Rub out", "橡皮"],
  seed: ["seed", "种子"],
  size: ["size", "尺寸"],
  steps: ["steps", "步数"],
  strength: ["strength", "强度"],
  tools: ["Drawing tools", "绘图工具"],
  undo: ["Undo", "撤销"],
  upscaled: ["upscaled", "已放大"],
  usual: ["usually {0}", "通常 {0}"],
  variation: ["variation", "变体"],
  versions: ["Versions", "版本"],
  working: ["Working", "处理中"],
  zoomIn: ["Zoom in", "放大"],
  zoomOut: ["Zoom out", "缩小"],
} satisfies Record<string, [string, string]>;

export type Word = keyof typeof WORDS;
type Value = string | number;

/** Looks words up in one list, with values in the place of {0}, {1}. */
export function createTranslator<Name extends string>(words: Record<Name, [string, string]>) {
  return (word: Name, ...values: Value[]): string =>
    words[word][isChinese() ? 1 : 0].replace(/\{(\d)\}/g, (_, index) => String(values[+index]));
}

export const t = createTranslator<Word>(WORDS);

/** Of the two there are, the one for a person whose host or browser asks for this language. */
export const chooseLanguage = (wanted = navigator.language) => (/^zh/i.test(wanted) ? "zh-CN" : "en");

export const isChinese = () => document.documentElement.lang === "zh-CN";

export function countPictures(count: number): string {
  return count === 1 ? t("onePicture") : t("pictures", count.toLocaleString());
}

/** ``erase_object`` as people say it. */
export function nameTool(tool: string): string {
  const name = tool.replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}
