/** Answers of the model to texts, kept so that what has not changed is not asked for again. */

import { ask } from "../base/server.js";
import { asking } from "../base/state.js";

const KEPT = 500;
/** @type {Map<string, Answer>} */
const kept = new Map();

/** The body of a request that asks alike for all texts. @param {State} state @param {Facts} facts */
export function request(state, facts) {
	return {
		...asking(state, facts),
		...(facts.can.confidence && { confidence: true }),
		alternatives: facts.alternatives,
		search: { ...(state.nbest > 1 && { nbest: state.nbest }) },
	};
}

/**
 * An answer for each that is wanted, in order.
 * @param {any} body as `request` makes it
 * @param {Wanted[]} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<Answer[]>}
 */
export async function answersTo(body, wanted, signal) {
	const own = JSON.stringify(body);
	const name = (one) => `${own}\n${one.begun ?? ""}\n${one.source}`;
	const missing = wanted.filter((one) => !kept.has(name(one)));
	const groups = Map.groupBy
		? Map.groupBy(missing, (one) => one.begun ?? "")
		: missing.reduce((m, one) => m.set(one.begun ?? "", [...(m.get(one.begun ?? "") ?? []), one]), new Map());
	/** @type {Map<string, Answer>} */
	const fresh = new Map();
	await Promise.all(
		[...groups].map(async ([begun, group]) => {
			const sources = [...new Set(group.map((one) => one.source))];
			const search = begun ? { ...body.search, prefix: begun } : body.search;
			const told = await ask("predict", { ...body, search, sources }, signal);
			sources.forEach((source, n) => fresh.set(name({ source, begun }), told.answers[n]));
		}),
	);
	for (const [key, value] of fresh) if (!value.error) kept.set(key, value);
	for (const key of kept.keys()) if (kept.size > KEPT) kept.delete(key);
	return wanted.map((one) => (fresh.get(name(one)) ?? kept.get(name(one))));
}
