/** Files of texts: which of their texts are to be answered, and the file with the answers in it. */

import { sentencesOf } from "./pieces.js";

const MARKS = /^\s*(\d+|WEBVTT.*|NOTE.*|[\d:.,]+ --> [\d:.,]+.*)?\s*$/; // of subtitles
const UNREAD = "script,style,code,pre,noscript,template";

/**
 * @param {string} name of the file
 * @param {string} content
 * @param {boolean} sentences whether the model reads these
 * @param {string} language
 * @returns {TextDocument}
 */
export function documentOf(name, content, sentences, language) {
	if (/\.html?$/i.test(name)) return page(content, sentences, language);
	const kept = /\.(srt|vtt)$/i.test(name) ? MARKS : /^\s*$/;
	const lines = content.replace(/^\ufeff/, "").split(/(\r?\n)/);
	return slots(
		lines.filter((line) => !kept.test(line)),
		sentences,
		language,
		(answers) => {
			let n = 0;
			return lines.map((line) => (kept.test(line) ? line : answers[n++])).join("");
		},
	);
}

/** A page of HTML: its tags stay where they are. */
function page(content, sentences, language) {
	const parsed = new DOMParser().parseFromString(content, "text/html");
	const walker = parsed.createTreeWalker(parsed.documentElement, NodeFilter.SHOW_TEXT);
	/** @type {Node[]} */
	const nodes = [];
	while (walker.nextNode()) {
		const { parentElement, data } = walker.currentNode;
		if (data.trim() && !parentElement?.closest(UNREAD)) nodes.push(walker.currentNode);
	}
	const whole = (answers) => {
		nodes.forEach((node, n) => (node.nodeValue = answers[n]));
		const type = parsed.doctype ? "<!doctype html>\n" : "";
		return `${type}${parsed.documentElement.outerHTML}\n`;
	};
	return slots(nodes.map((node) => node.nodeValue ?? ""), sentences, language, whole);
}

/**
 * Texts in sentences, put together again with what stood between them.
 * @param {string[]} texts
 * @param {boolean} sentences
 * @param {string} language
 * @param {(answers: string[]) => string} whole
 * @returns {TextDocument}
 */
function slots(texts, sentences, language, whole) {
	const cut = texts.map((text) => sentencesOf(text, sentences, language));
	return {
		texts: cut.flatMap((parts) => parts.map((part) => part.text)),
		written: (answers) => {
			let n = 0;
			const joined = cut.map((parts, k) => {
				const before = texts[k].slice(0, parts[0]?.start ?? texts[k].length);
				return before + parts.map((part) => answers[n++] + part.after).join("");
			});
			return whole(joined);
		},
	};
}
