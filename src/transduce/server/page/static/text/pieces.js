/** Outputs in pieces that a person can point at, and the tokens that each was written with. */

/** Kinds of tokens that a person reads one by one. */
const ALONE = new Set(["whitespace", "character", "byte"]);
const WITHOUT_SPACES = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Khmer}\p{sc=Lao}]/u;
const FAR = 40;

/** A token as it stands in a text: marks of a beginning are spaces. @param {string} name */
export const written = (name) => name.replace(/^##|<\/w>$/g, "").replace(/[▁Ġ]/g, " ");

/**
 * Where each token stands in a text, [-1, -1] for what cannot be found (a code of a language).
 * @param {string} text
 * @param {string[]} tokens
 * @returns {[number, number][]}
 */
export function places(text, tokens) {
	const low = text.toLowerCase();
	const same = low.length === text.length;
	let at = 0;
	return tokens.map((name) => {
		const own = written(name).trim();
		if (!own) return [-1, -1];
		let start = text.indexOf(own, at);
		if (start < 0 && same) start = low.indexOf(own.toLowerCase(), at);
		if (start < 0 || start > at + FAR) return [-1, -1];
		at = start + own.length;
		return [start, at];
	});
}

/**
 * Pieces of a text: tokens, or words that several were needed for.
 * @param {string} text
 * @param {string[]} tokens
 * @param {string} kind of tokens
 * @returns {Piece[]}
 */
export function pieces(text, tokens, kind) {
	/** @type {Piece[]} */
	const found = [];
	places(text, tokens).forEach(([start, end], place) => {
		if (start < 0) return;
		const last = found.at(-1);
		const touches = last && last.end === start && !ALONE.has(kind);
		if (touches && joins(text, last.start, end)) {
			last.tokens.push({ place, start });
			last.end = end;
		} else {
			found.push({ start, end, tokens: [{ place, start }] });
		}
	});
	return found;
}

/** Whether a token still belongs to the word before it. */
function joins(text, start, end) {
	return !WITHOUT_SPACES.test(text.slice(start, end)) && !/^[\p{P}\p{S}]+$/u.test(text.slice(end - 1, end));
}

/**
 * How an output begins with another token at a place.
 * @param {string} text
 * @param {Token} token
 * @param {string} other
 * @param {string} kind of tokens
 */
export function begunWith(text, token, other, kind) {
	const before = text.slice(0, token.start);
	if (kind === "whitespace" || kind === "word") return `${before.trimEnd()} ${other}`.trim();
	const own = written(other);
	return (own.startsWith(" ") ? before.trimEnd() + own : before + own).trimStart();
}

/**
 * A text in sentences: where each begins, and what stands behind it. Lines are cut in any case.
 * @param {string} text
 * @param {boolean} sentences
 * @param {string} language
 * @returns {{text: string, start: number, after: string}[]}
 */
export function sentencesOf(text, sentences, language) {
	const segmenter = sentences && new Intl.Segmenter(language || undefined, { granularity: "sentence" });
	const found = [];
	for (const { 0: line, index } of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
		const cut = segmenter ? [...segmenter.segment(line)] : [{ segment: line, index: 0 }];
		for (const one of cut) {
			const own = one.segment.trim();
			const before = one.segment.length - one.segment.trimStart().length;
			const last = found.at(-1);
			if (last) last.after += own ? one.segment.slice(0, before) : one.segment;
			if (!own) continue;
			found.push({ text: own, start: index + one.index + before, after: one.segment.slice(before + own.length) });
		}
	}
	return found;
}
