/** Languages or parts of a mixture to choose, and to swap where there is a way back. */

import { by, fill, make, press } from "./dom.js";
import { languageName } from "./languages.js";
import { state } from "./state.js";
import { say } from "./words.js";

/**
 * @param {Facts} facts
 * @param {string[]} models names of all
 * @param {{changed: () => void, open: () => void, output: () => string}} told
 */
export function showChoosers(facts, models, told) {
	const { languages, parts } = facts;
	const text = facts.kind === "text";
	if (languages.length && !languages.includes(state.to)) state.to = languages.find((code) => code !== state.from);
	if (parts.length && !parts.includes(state.part)) state.part = parts[0];
	const backwards = turned(state.part, parts);
	const model = turned(facts.name, models);
	const swap = press("⇄", () => {
		if (languages.length) [state.from, state.to] = [state.to, state.from];
		else if (backwards) state.part = backwards;
		else state.model = model;
		state.text = told.output() || state.text;
		state.begun = {};
		told.open();
	}, { id: "swap", title: say("swap"), "aria-label": say("swap") });
	const able = () => (swap.disabled = languages.length > 0 && !state.from);
	const changed = () => (able(), told.changed());
	able();
	fill(
		by("choosers"),
		languages.length > 0 && select("from", languages, languageName, changed, true),
		parts.length > 0 && select("part", parts, String, told.open),
		text && (languages.length || backwards || model) && swap,
		text && languages.length > 0 && select("to", languages, languageName, changed),
	);
	by("choosers").hidden = !by("choosers").children.length;
}

/**
 * @param {"from" | "to" | "part"} name
 * @param {string[]} values
 * @param {(value: string) => string} named
 * @param {() => void} changed
 * @param {boolean} [open] whether none may be chosen
 */
function select(name, values, named, changed, open = false) {
	const sorted = values.map((value) => [value, named(value)]).sort((a, b) => a[1].localeCompare(b[1]));
	if (open) sorted.unshift(["", "–"]);
	const options = sorted.map(([value, text]) => make("option", { value, selected: value === state[name] }, text));
	const onchange = (event) => {
		state[name] = event.target.value;
		state.begun = {};
		changed();
	};
	return make("label", {}, make("span", { class: "soft" }, say(name)), make("select", { id: name, onchange }, ...options));
}

/** What leads back: `de-en` of `en-de`, where it is there. @param {string} name @param {string[]} all */
function turned(name, all) {
	const back = name.replace(/([a-z]{2,3})([-_])([a-z]{2,3})$/i, "$3$2$1");
	return back !== name && all.includes(back) ? back : "";
}
