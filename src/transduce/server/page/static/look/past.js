/** What was asked in this tab. It is kept in the tab alone, and ends with it. */

import { fill, folded, make, press } from "../base/dom.js";
import { address } from "../base/state.js";

const STORED = "transduce-past";
const MOST = 50;
const SHOWN = 200; // characters
const SETTLED = 1500; // milliseconds without a change

export class Past {
	constructor() {
		this.list = make("ol", { class: "past" });
		this.box = folded("past", { id: "past" }, this.list, press("forget", () => this.#keep([])));
		this.#keep(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));
	}

	/** Note an answer, once nobody changes it any more. @param {string} source @param {string} output */
	note(source, output) {
		clearTimeout(this.timer);
		if (!output.trim()) return;
		const entry = { address: address(), source: source.slice(0, SHOWN), output: output.slice(0, SHOWN) };
		const others = this.entries.filter((one) => one.address !== entry.address);
		this.timer = setTimeout(() => this.#keep([entry, ...others].slice(0, MOST)), SETTLED);
	}

	stop() {
		clearTimeout(this.timer);
	}

	/** @param {{address: string, source: string, output: string}[]} entries the newest first */
	#keep(entries) {
		this.entries = entries;
		sessionStorage.setItem(STORED, JSON.stringify(entries));
		this.box.hidden = !entries.length;
		const items = entries.map(({ address, source, output }) => {
			const both = [make("bdi", {}, source), make("bdi", { class: "soft" }, output)];
			return make("li", {}, make("a", { href: new URL(address).hash }, ...both));
		});
		fill(this.list, ...items);
	}
}
