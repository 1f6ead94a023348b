/** Words with their times as subtitles: SRT and WebVTT. */

const LONGEST = 42; // characters of a line
const SECONDS = 6; // of a subtitle
const PAUSE = 1; // seconds of silence that end one

/** @param {Word[]} words @returns {Word[]} lines */
export function linesOf(words) {
	/** @type {Word[]} */
	const found = [];
	for (const word of words) {
		const last = found.at(-1);
		const fits = last && last.text.length + 1 + word.text.length <= LONGEST && word.end - last.start <= SECONDS;
		if (last && fits && word.start - last.end < PAUSE) {
			last.text += ` ${word.text}`;
			last.end = word.end;
		} else {
			found.push({ ...word });
		}
	}
	return found;
}

/** @param {Word[]} words */
export const srt = (words) =>
	linesOf(words)
		.map((line, n) => `${n + 1}\n${clock(line.start, ",")} --> ${clock(line.end, ",")}\n${line.text}\n`)
		.join("\n");

/** @param {Word[]} words */
export const vtt = (words) =>
	`WEBVTT\n\n${linesOf(words)
		.map((line) => `${clock(line.start, ".")} --> ${clock(line.end, ".")}\n${line.text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}\n`)
		.join("\n")}`;

/** @param {number} seconds @param {string} mark before the thousandths */
function clock(seconds, mark) {
	const all = Math.round(seconds * 1000);
	const two = (n) => String(Math.floor(n)).padStart(2, "0");
	const rest = String(all % 1000).padStart(3, "0");
	return `${two(all / 3_600_000)}:${two((all / 60_000) % 60)}:${two((all / 1000) % 60)}${mark}${rest}`;
}
