/** What the page says, in English and in Chinese. */

/** @type {Record<string, [string, string]>} */
const WORDS = {
  model: ["Model", "模型"],
  source: ["Source", "源文"],
  output: ["Output", "译文"],
  key: ["This server asks for a key.", "此服务器需要密钥。"],
  use: ["Use it", "使用"],
  keys: ["Keys", "快捷键"],
  light: ["Light", "浅色"],
  dark: ["Dark", "深色"],
  type: ["Type or paste a text, or drop a file", "输入或粘贴文本，或拖入文件"],
  characters: ["{0} of {1} characters", "{0} / {1} 个字符"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  link: ["Copy link", "复制链接"],
  clear: ["Clear", "清除"],
  took: ["{0} ms", "{0} 毫秒"],
  asking: ["…", "……"],
  away: ["The server does not answer. Trying again in {0} s.", "服务器没有响应，{0} 秒后重试。"],
  back: ["The server is back.", "服务器已恢复。"],
  again: ["Trying again in {0} s.", "{0} 秒后重试。"],
  swap: ["Swap", "互换"],
  from: ["From", "从"],
  to: ["To", "到"],
  part: ["Part", "部分"],
  sure: ["{0} sure", "{0} 把握"],
  none: ["Nothing yet", "暂无内容"],
};

const STORED = "transduce-tongue";
let own = localStorage.getItem(STORED) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The language of the page, `en` or `zh`. */
export const tongue = () => own;

/** @param {string} code */
export function speakIn(code) {
  own = code;
  localStorage.setItem(STORED, code);
  dress(document.documentElement);
}

/**
 * A text of the page, with values in the places of `{0}`, `{1}` …
 * @param {string} name
 * @param {...(string | number)} values
 */
export function say(name, ...values) {
  const text = WORDS[name]?.[own === "zh" ? 1 : 0] ?? name;
  return text.replace(/\{(\d)\}/g, (_, n) => String(values[n]));
}

/**
 * Put the texts into all elements that name one.
 * @param {Element} root
 */
export function dress(root) {
  document.documentElement.lang = own === "zh" ? "zh-Hans" : "en";
  for (const one of root.querySelectorAll("[data-say]")) {
    one.textContent = say(/** @type {HTMLElement} */ (one).dataset.say ?? "");
  }
  for (const one of root.querySelectorAll("[data-title]")) {
    const text = say(/** @type {HTMLElement} */ (one).dataset.title ?? "");
    one.setAttribute("title", text);
    one.setAttribute("aria-label", text);
  }
}
