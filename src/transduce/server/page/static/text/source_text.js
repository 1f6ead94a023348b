/** The text that is read: a field that grows with it, and shades behind its letters. */

import { by, fill, make } from "../base/dom.js";
import { speak } from "../base/languages.js";
import { say } from "../base/words.js";

export class SourceText {
	/** @param {(text: string) => void} changed @param {number} most characters */
	constructor(changed, most) {
		this.most = most;
		this.mirror = make("div", { class: "mirror", "aria-hidden": "true" });
		this.field = (
			make("textarea", {
				id: "text",
				rows: 1,
				spellcheck: "false",
				"aria-labelledby": "source-head",
				placeholder: say("type"),
				oninput: () => {
					this.shade([]);
					changed(this.field.value);
				},
			})
		);
		fill(by("source-body"), make("div", { class: "grows big" }, this.mirror, this.field));
		this.count = make("span", { class: "count" });
	}

	/** @param {string} text */
	write(text) {
		this.field.value = text;
		this.shade([]);
	}

	/** @param {string} code of its language */
	speak(code) {
		speak(this.field, code);
		speak(this.mirror, code);
		if (!this.field.lang) this.field.removeAttribute("lang");
	}

	/**
	 * Shade letters: above 0 what speaks for an output, below what speaks against it (-1 to 1).
	 * @param {Shade[]} shades in their order
	 */
	shade(shades) {
		const text = this.field.value;
		const parts = [];
		let at = 0;
		for (const { start, end, weight } of shades) {
			const mark = make("mark", { class: weight < 0 ? "against" : "" }, text.slice(start, end));
			mark.style.setProperty("--weight", String(Math.abs(weight)));
			parts.push(text.slice(at, start), mark);
			at = end;
		}
		// A last line that is empty has a height only with something in it.
		fill(this.mirror, ...parts, `${text.slice(at)}\u200b`);
		const points = [...text].length;
		this.count.textContent = say("characters", points.toLocaleString(), this.most.toLocaleString());
		this.count.classList.toggle("wrong", points > this.most);
	}
}
