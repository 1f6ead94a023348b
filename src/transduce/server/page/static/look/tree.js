/** The beam tree: what the search kept, dropped and finished. */

import { fill, folded, make, scrolled } from "../base/dom.js";
import { ask } from "../base/server.js";
import { asking, state } from "../base/state.js";
import { say } from "../base/words.js";
import { withFile } from "../media/file_answers.js";
import { percent } from "../text/choices.js";

const LINE = 24; // pixels
const LETTER = 8;

export class Tree {
	/** @param {Facts} facts @param {() => Part | undefined} shown @param {Failed} failed */
	constructor(facts, shown, failed) {
		Object.assign(this, { facts, shown, failed, asked: new AbortController() });
		this.drawing = scrolled("tree");
		this.table = scrolled("tree");
		const table = folded("table", {}, this.table);
		this.box = folded("tree", { id: "tree", ontoggle: () => this.answered() }, this.drawing, table);
	}

	/** Another output is seen: draw its tree where somebody looks. */
	async answered() {
		this.stop();
		const part = this.shown();
		if (!this.box.open) return;
		if (!part) return fill(this.drawing);
		const { signal } = (this.asked = new AbortController());
		const search = { ...(state.nbest > 1 && { nbest: state.nbest }), ...(part.begun && { prefix: part.begun }) };
		try {
			const { source } = part;
			const body = { ...asking(state, this.facts), tree: true, search };
			const found = await ask("explain", typeof source === "string" ? { ...body, source } : withFile(body, source), signal);
			fill(this.drawing, drawn(found));
			fill(this.table, tableOf(found.branches));
		} catch (error) {
			if (!signal.aborted) this.failed(error);
		}
	}

	stop() {
		this.asked.abort();
	}
}

/** @param {Branch} one */
const kind = (one) => (one.rank != null ? "best" : ["kept", "finished", "cut"].includes(one.fate) ? "kept" : "dropped");

/** @param {{prefix: string[], branches: Branch[]}} found */
function drawn({ prefix, branches }) {
	const root = { name: prefix.join("").trim(), fate: "kept", parent: NaN };
	const all = [...branches, root]; // so that a parent of -1 is the last
	const children = all.map(() => []);
	branches.forEach((one, n) => children.at(one.parent).push(n));
	const column = LETTER * (3 + Math.max(4, ...branches.map((one) => one.name.length)));
	const at = [];
	let lines = 0;
	const place = (n, x) => {
		const below = children[n].map((child) => place(child, n === branches.length ? x + LETTER * (2 + root.name.length) : x + column));
		at[n] = { x, y: below[0] ?? ++lines * LINE };
		return at[n].y;
	};
	place(branches.length, LETTER);
	const edges = branches.map((one, n) => {
		const { x, y } = at.at(one.parent);
		const to = at[n];
		return make("svg:path", { d: `M${x} ${y}C${to.x} ${y} ${x} ${to.y} ${to.x} ${to.y}h${column - LETTER}`, class: kind(one) });
	});
	const names = all.map((one, n) => {
		const title = one !== root && make("svg:title", {}, percent(Math.exp(one.log_probability)));
		return make("svg:text", { x: at[n].x + 4, y: at[n].y - 5, class: kind(one) }, one.name.trim() || (one === root ? "" : "␣"), title);
	});
	const width = Math.max(...at.map((one) => one.x)) + column;
	return make("svg:svg", { width, height: (lines + 1) * LINE, "aria-hidden": "true" }, ...edges, ...names);
}

/** @param {Branch[]} branches */
function tableOf(branches) {
	const whole = (n) => (n < 0 ? "" : `${whole(branches[n].parent)} ${branches[n].name}`.trim());
	const rows = branches.map((one, n) => {
		const fate = say(`fate-${one.fate}`) + (one.rank == null ? "" : ` ${one.rank + 1}`);
		const values = [percent(Math.exp(one.log_probability)), one.total.toFixed(2), fate].map((text) => make("td", {}, text));
		return make("tr", { class: kind(one) }, make("th", { scope: "row" }, whole(n)), ...values);
	});
	const head = ["written", "probability", "sum", "fate"].map((name) => make("th", { scope: "col" }, say(name)));
	return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}
