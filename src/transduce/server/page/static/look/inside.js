/** Pointing at a word shows what it was written from, in the source; all of it is in a table. */

import { fill, folded, make, scrolled } from "../base/dom.js";
import { say } from "../base/words.js";
import { places } from "../text/pieces.js";
import { explanation, together } from "./explanations.js";

const READY = 400; // milliseconds until a settled output is explained
const STORED = "transduce-method";

export class Inside {
	/** @param {Facts} facts @param {ShowWeights} shade @param {Failed} failed */
	constructor(facts, shade, failed) {
		Object.assign(this, { facts, shade, failed, timer: 0 });
		/** @type {any} */
		this.pointed = null;
		const stored = sessionStorage.getItem(STORED) ?? "";
		this.method = facts.methods.includes(stored) ? stored : facts.methods[0];
		const options = facts.methods.map((name) => make("option", { value: name, selected: name === this.method }, say(name)));
		const onchange = (event) => {
			this.method = event.target.value;
			sessionStorage.setItem(STORED, this.method);
			this.#tell();
		};
		this.table = scrolled("weights");
		this.details = folded("table", { ontoggle: () => this.#tell() }, this.table);
		const label = make("label", {}, say("pointing"), " ", make("select", { id: "method", onchange }, ...options));
		this.box = make("section", { id: "inside", hidden: !this.method }, label, this.details);
	}

	/** Another output is seen. @param {Part | undefined} part */
	answered(part) {
		this.part = part;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.#tell(), READY);
	}

	/** Show what a word was written from; null: nothing. @param {(Told & Part) | null} told */
	async point(told) {
		this.pointed = told;
		if (!told || !this.method) return this.shade(null, [], told);
		const { source, hypothesis, piece } = told;
		try {
			const found = await explanation(this.facts, source, hypothesis.text, this.method);
			if (this.pointed !== told) return;
			const spans = places(hypothesis.text, found.target);
			const rows = [...spans.keys()].filter((n) => spans[n][0] < piece.end && spans[n][1] > piece.start);
			this.shade(found, together(found, rows), told);
		} catch (error) {
			if (this.pointed === told) this.failed(error);
		}
	}

	stop() {
		clearTimeout(this.timer);
		this.pointed = null;
	}

	/** Explain the output, and put the weights into the table where it is open. */
	async #tell() {
		const { part, method } = this;
		const output = part?.answer.text;
		const open = this.details.open;
		if (!output || !method) return fill(this.table);
		// The quick one is ready before somebody points; others are asked for when they are wanted.
		if (!open && method !== "attention") return;
		try {
			const found = await explanation(this.facts, part.source, output, method);
			if (open && part === this.part) fill(this.table, tableOf(found, say(method)));
		} catch (error) {
			if (open) this.failed(error);
		}
	}
}

/** Every number behind the shades. @param {Explanation} found @param {string} caption */
function tableOf(found, caption) {
	const most = Math.max(...found.weights.flat().map(Math.abs)) || 1;
	const cell = (weight) => {
		const made = make("td", { class: weight < 0 ? "against" : "" }, weight.toFixed(2));
		made.style.setProperty("--weight", Math.abs(weight) / most);
		return made;
	};
	const head = [make("td"), ...found.source.map((name) => make("th", { scope: "col" }, name))];
	const rows = found.weights.map((row, n) =>
		make("tr", {}, make("th", { scope: "row" }, found.target[n]), ...row.map(cell)),
	);
	const body = [make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)];
	return make("table", {}, make("caption", {}, `${caption}. ${say("rows")}`), ...body);
}
