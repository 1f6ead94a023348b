/** What the page says, in English and in Chinese. */

/** @type {Record<string, [string, string]>} */
const WORDS = {
	// who reads what
	model: ["Model", "模型"],
	source: ["Source", "输入"],
	output: ["Output", "输出"],
	from: ["From", "源语言"],
	to: ["To", "目标语言"],
	part: ["Part", "部分"],
	swap: ["Swap", "互换"],
	type: ["Type, paste, or drop a file …", "输入、粘贴，或拖入文件……"],
	characters: ["{0} of {1} characters", "{0} / {1} 个字符"],
	// what can be pressed
	copy: ["Copy", "复制"],
	copied: ["Copied.", "已复制。"],
	link: ["Copy link", "复制链接"],
	clear: ["Clear", "清除"],
	choose: ["Choose files", "选择文件"],
	free: ["Undo choices", "撤销所选"],
	save: ["Save", "保存"],
	stop: ["Stop", "停止"],
	stopped: ["Stopped.", "已停止。"],
	forget: ["Forget them", "清空记录"],
	use: ["Use it", "使用"],
	close: ["Close", "关闭"],
	// how it went
	took: ["{0} ms", "{0} 毫秒"],
	of: ["{0} of {1}", "{0} / {1}"],
	away: ["The server does not answer. Trying again in {0} s …", "服务器没有响应，{0} 秒后重试……"],
	back: ["The server is back.", "服务器已恢复。"],
	again: ["Trying again in {0} s …", "{0} 秒后重试……"],
	key: ["This server asks for a key.", "此服务器需要密钥。"],
	large: ["{0} is too large for this server.", "{0} 超出了此服务器的限制。"],
	unfit: ["{0}: this model reads no such file.", "{0}：此模型不能读取这种文件。"],
	// outputs
	sure: ["{0} sure", "把握 {0}"],
	outputs: ["Outputs", "输出个数"],
	others: ["Other outputs", "其他输出"],
	instead: ["Instead of “{0}”", "替换“{0}”"],
	in: ["from “{0}” on", "从“{0}”起"],
	nothing: ["Nothing else was likely here.", "此处没有其他可能。"],
	files: ["Files", "文件"],
	past: ["History of this tab", "本标签页的历史"],
	// looking inside
	pointing: ["Pointing at a word shows", "指向一个词时显示"],
	attention: ["attention", "注意力"],
	occlusion: ["what it would miss (occlusion)", "缺失影响（遮挡法）"],
	lime: ["attributions (LIME)", "归因（LIME）"],
	"integrated-gradients": ["attributions (integrated gradients)", "归因（积分梯度）"],
	table: ["As a table", "以表格显示"],
	weights: ["Weights of the source", "输入的权重"],
	rows: ["A row for each token of the output.", "每一行对应输出的一个词元。"],
	tree: ["Beam tree", "束搜索树"],
	written: ["Written", "已写出"],
	probability: ["Probability", "概率"],
	sum: ["Log-probability", "对数概率"],
	fate: ["What became of it", "结果"],
	"fate-kept": ["kept", "保留"],
	"fate-dropped": ["dropped", "舍弃"],
	"fate-finished": ["output", "输出"],
	"fate-stopped": ["stopped", "停止"],
	"fate-cut": ["cut", "截断"],
	// recordings and pictures
	hear: ["Drop a recording here, choose one, or speak.", "拖入录音、选择录音，或对着麦克风说话。"],
	record: ["Record", "录音"],
	finish: ["Finish", "结束录音"],
	recording: ["Recording … {0} s", "正在录音…… {0} 秒"],
	silent: ["The microphone cannot be used: {0}", "无法使用麦克风：{0}"],
	times: ["When each word was said", "每个词的时间"],
	player: ["The recording", "录音"],
	see: ["Drop a picture here, paste one, or choose one.", "拖入、粘贴或选择一张图片。"],
	picture: ["The picture", "图片"],
	asking: ["Asking …", "正在识别……"],
	// the page itself
	light: ["Light", "浅色"],
	dark: ["Dark", "深色"],
	keys: ["Keyboard", "键盘"],
	"key /": ["Go to the source", "转到输入"],
	"key ← →": ["Go from word to word of the output", "在输出的词之间移动"],
	"key Enter": ["What else could stand there; it goes on from what you choose", "查看此处的其他可能；选择后从那里继续"],
	"key Esc": ["Close what is open", "关闭已打开的内容"],
	"key ?": ["Show this list", "显示此列表"],
};

const STORED = "transduce-tongue";
let own = localStorage.getItem(STORED) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The language of the page, `en` or `zh`. */
export const tongue = () => own;

/** @param {string} code */
export function speakIn(code) {
	own = code;
	localStorage.setItem(STORED, code);
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

/** Put the texts into all elements of the page that name one. */
export function dress() {
	document.documentElement.lang = own === "zh" ? "zh-Hans" : "en";
	for (const one of (document.querySelectorAll("[data-say]"))) {
		one.textContent = say(one.dataset.say ?? "");
	}
	for (const one of (document.querySelectorAll("[data-title]"))) {
		one.title = say(one.dataset.title ?? "");
		one.setAttribute("aria-label", one.title);
	}
}
