/** Why an output is what it is: weights of the source, asked of the server once for each output. */

import { ask } from "../base/server.js";
import { asking, state } from "../base/state.js";
import { withFile } from "../media/file_answers.js";

const KEPT = 60;
/** @type {Map<string, Promise<Explanation>>} */
const kept = new Map();

/**
 * @param {Facts} facts
 * @param {string | File} source
 * @param {string} target
 * @param {string} method
 * @returns {Promise<Explanation>}
 */
export function explanation(facts, source, target, method) {
	const body = { ...asking(state, facts), target, method };
	const own = typeof source === "string" ? source : `${source.name} ${source.size} ${source.lastModified}`;
	const name = JSON.stringify([body, own]);
	let found = kept.get(name);
	if (!found) {
		found = ask("explain", typeof source === "string" ? { ...body, source } : withFile(body, source));
		found.catch(() => kept.delete(name));
		kept.set(name, found);
		for (const key of kept.keys()) if (kept.size > KEPT) kept.delete(key);
	}
	return found;
}

/**
 * The rows of some tokens as one, its largest weight being 1 or -1.
 * @param {Explanation} found
 * @param {number[]} tokens
 * @returns {number[]}
 */
export function together(found, tokens) {
	const sums = found.source.map((_, n) => tokens.reduce((sum, row) => sum + (found.weights[row]?.[n] ?? 0), 0));
	const most = Math.max(...sums.map(Math.abs)) || 1;
	return sums.map((sum) => sum / most);
}
