/** What a person has chosen and written: it stands in the address, so that a link leads back. */

/** @type {State} */
export const state = { model: "", part: "", from: "", to: "", text: "", nbest: 1, begun: {} };

/** What every question to a model says. @param {State} state @param {Facts} facts */
export function asking(state, facts) {
	const many = facts.languages.length > 0;
	return {
		model: facts.name,
		...(state.part && { part: state.part }),
		...(many && state.from && { source_language: state.from }),
		...(many && state.to && { target_language: state.to }),
	};
}

const SHORT = { m: "model", p: "part", s: "from", t: "to", q: "text" };

/** Read the address. */
export function readAddress() {
	const given = new URLSearchParams(location.hash.slice(1));
	for (const [short, name] of Object.entries(SHORT)) state[name] = given.get(short) ?? "";
	state.nbest = Math.max(1, Number(given.get("n")) || 1);
	state.begun = {};
	for (const each of given.getAll("b")) {
		const [, number, text] = /^(\d+):(.*)$/s.exec(each) ?? [];
		if (number) state.begun[number] = text;
	}
}

/** The address of what is seen now. */
export function address() {
	const told = new URLSearchParams();
	for (const [short, name] of Object.entries(SHORT)) if (state[name]) told.set(short, state[name]);
	if (state.nbest > 1) told.set("n", String(state.nbest));
	for (const [number, text] of Object.entries(state.begun)) told.append("b", `${number}:${text}`);
	return new URL(`#${told}`, location.href).href;
}

/** Write the address, without a step in the browser's history. */
export const writeAddress = () => history.replaceState(null, "", address());
