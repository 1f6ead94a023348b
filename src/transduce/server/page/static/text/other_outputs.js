/** The n best outputs of a sentence: any of them can be taken. */

import { fill, make } from "../base/dom.js";
import { speak } from "../base/languages.js";
import { state } from "../base/state.js";
import { say } from "../base/words.js";
import { percent } from "./choices.js";

const COUNTS = [1, 3, 5, 10];

export class OtherOutputs {
	/** @param {number} most outputs @param {() => void} wanted @param {() => void} picked */
	constructor(most, wanted, picked) {
		this.picked = picked;
		this.number = 0; // of the sentence whose outputs are seen
		const options = COUNTS.filter((n) => n <= most).map((n) => make("option", { selected: n === state.nbest }, `${n}`));
		const onchange = (event) => {
			state.nbest = Number(event.target.value);
			wanted();
		};
		this.chooser = make("label", { class: "end" }, say("outputs"), " ", make("select", { id: "nbest", onchange }, ...options));
		this.box = make("section", { id: "others", hidden: true });
		this.shown = [[], ""];
	}

	/** @param {number} number of a sentence */
	turnTo(number) {
		this.number = number;
		this.show(...this.shown);
	}

	/** @param {Part[]} parts @param {string} language */
	show(parts, language) {
		this.shown = [parts, language];
		if (this.number >= parts.length) this.number = 0;
		const part = parts[this.number];
		const [best, ...others] = part?.answer.hypotheses ?? [];
		this.box.hidden = !others.length;
		const items = others.map((one) => {
			const text = make("span", {}, one.text || "∅");
			speak(text, language);
			const onclick = () => {
				const hypotheses = [one, best, ...others.filter((other) => other !== one)];
				part.answer = { ...part.answer, text: one.text, hypotheses };
				this.picked();
				this.box.querySelector("button").focus();
			};
			const share = make("span", { class: "share" }, percent(Math.exp(one.log_probability)));
			return make("li", {}, make("button", { type: "button", class: "row", onclick }, text, share));
		});
		const of = parts.length > 1 ? ` · ${part.source}` : "";
		fill(this.box, make("h2", {}, say("others"), of), make("ol", { start: 2 }, ...items));
	}
}
