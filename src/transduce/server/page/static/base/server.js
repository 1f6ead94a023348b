/** The server: what is asked of it, what it answers, and whether it is there. */

/** What the server says of a request that it does not answer, in its own words. */
export class Refusal extends Error {
	/** @param {string} message @param {number} status @param {number} [after] seconds until it is worth to ask again */
	constructor(message, status, after) {
		super(message);
		this.status = status;
		this.after = after;
	}
}

/** Nobody answers at all. */
export class Away extends Error {}

const KEY = "transduce-key";
const WAITS = [1, 2, 4, 8, 15];

/** The key of this tab, "" where there is none. */
export const key = () => sessionStorage.getItem(KEY) ?? "";

/** @param {string} value */
export const useKey = (value) => sessionStorage.setItem(KEY, value.trim());

/**
 * Ask for JSON. Throws Refusal, Away, or the AbortError of its signal.
 * @param {string} path relative to the page
 * @param {object | FormData} [body] none: GET
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(path, body, signal) {
	const answer = await send(path, body, signal);
	return answer.json();
}

/**
 * Each line of an answer that comes line by line.
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any>}
 */
export async function* lines(path, body, signal) {
	const answer = await send(path, body, signal);
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const { value, done } = await reader.read().catch((error) => {
			throw signal.aborted ? error : new Away();
		});
		const parts = (rest + (value ?? "")).split("\n");
		rest = parts.pop() ?? "";
		for (const part of parts) if (part) yield JSON.parse(part);
		if (done) return;
	}
}

/** @param {string} path @param {object | FormData} [body] @param {AbortSignal} [signal] */
async function send(path, body, signal) {
	const headers = new Headers();
	if (key()) headers.set("x-api-key", key());
	const form = body instanceof FormData;
	if (body && !form) headers.set("content-type", "application/json");
	let answer;
	try {
		answer = await fetch(path, {
			method: body ? "POST" : "GET",
			headers,
			body: form ? body : body && JSON.stringify(body),
			signal,
		});
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new Away();
	}
	if (answer.ok) return answer;
	if (answer.status === 502 || answer.status === 504) throw new Away(); // a proxy's
	const told = await answer.json().catch(() => ({}));
	const after = Number(answer.headers.get("retry-after")) || undefined;
	throw new Refusal(told.error ?? `${answer.status} ${answer.statusText}`, answer.status, after);
}

/**
 * Ask until the server is there again, ever less often.
 * @param {(seconds: number) => void} waiting is told how long until the next try
 */
export async function untilBack(waiting) {
	for (let n = 0; ; n++) {
		const seconds = WAITS[Math.min(n, WAITS.length - 1)];
		waiting(seconds);
		await new Promise((done) => setTimeout(done, seconds * 1000));
		try {
			await ask("health");
			return;
		} catch (error) {
			if (!(error instanceof Away)) return;
		}
	}
}
