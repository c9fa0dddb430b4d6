/** What the gallery alone says, in English and Chinese. */
import { createTranslator } from "./words";

const WORDS = {
  all: ["All", "全部"],
  close: ["Close", "关闭"],
  copyHandle: ["Copy the handle", "复制编号"],
  day: ["Day", "日期"],
  delete: ["Delete", "删除"],
  deleteAgain: ["Really delete?", "确定删除？"],
  download: ["Download", "下载"],
  dropHere: ["Drop pictures here to take them in", "将图片拖到此处即可导入"],
  empty: ["No pictures yet. They appear here the moment they are made; drop some in to begin.", "还没有图片。生成后会立即出现在这里；也可以拖入图片。"],
  filters: ["Filters", "筛选"],
  history: ["History", "历史"],
  import: ["Import", "导入"],
  imported: ["Imported.", "已导入。"],
  jobs: ["Jobs at work", "进行中的任务"],
  keepMask: ["Keep the mask", "保存蒙版"],
  live: ["live", "实时"],
  maskKept: ["The mask is kept: {0}", "蒙版已保存：{0}"],
  next: ["Next", "下一张"],
  noMatch: ["Nothing matches.", "没有匹配的图片。"],
  offline: ["not connected", "未连接"],
  previous: ["Previous", "上一张"],
  reading: ["Reading the library…", "正在读取图库…"],
  search: ["Search prompts, tools, seeds", "搜索提示词、工具、种子"],
  service: ["Service", "服务"],
  thumbSize: ["Size of the pictures", "图片大小"],
  today: ["Today", "今天"],
  tool: ["Tool", "工具"],
  yesterday: ["Yesterday", "昨天"],
} satisfies Record<string, [string, string]>;

export const g = createTranslator<keyof typeof WORDS>(WORDS);
