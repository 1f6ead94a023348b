/** The text that was written, in words that can be pointed at. */

import { by, fill, make, steps } from "../base/dom.js";
import { speak } from "../base/languages.js";
import { say } from "../base/words.js";
import { percent } from "./choices.js";
import { pieces } from "./pieces.js";

const SURE = 0.9; // from there on nothing is underlined

export class OutputText {
	/** @param {(told: Told) => void} chosen @param {(told: Told | null) => void} pointed */
	constructor(chosen, pointed) {
		Object.assign(this, { chosen, pointed, text: "" });
		this.body = make("div", { class: "big", id: "written", role: "group", "aria-labelledby": "output-head" });
		steps(this.body, ".piece", ["ArrowLeft", "ArrowRight"]);
		fill(by("output-body"), this.body);
	}

	/** @param {Part[]} parts @param {Facts} facts @param {string} language */
	show(parts, facts, language) {
		const held = [...this.body.querySelectorAll(".piece")].indexOf(document.activeElement);
		this.text = "";
		const shown = parts.flatMap(({ answer, after, begun }, number) => {
			if (answer.error) return [make("span", { class: "wrong" }, answer.error), after];
			this.text += answer.text + after;
			return [...this.#sentence(number, answer.hypotheses[0], facts, begun?.length ?? 0), after];
		});
		fill(this.body, ...shown);
		speak(this.body, language);
		const all = this.body.querySelectorAll(".piece");
		if (all[0]) all[0].tabIndex = 0;
		all[held]?.focus();
	}

	/** @param {number} number @param {Hypothesis} hypothesis @param {Facts} facts @param {number} begun characters */
	#sentence(number, hypothesis, facts, begun) {
		const { text, tokens } = hypothesis;
		const parts = [];
		let at = 0;
		for (const piece of pieces(text, tokens, facts.target_tokens)) {
			const own = text.slice(piece.start, piece.end);
			const sure = confidence(hypothesis, piece);
			const title = say("sure", percent(sure));
			const attributes = { title, "aria-label": `${own}, ${title}`, "aria-haspopup": "dialog", role: "button", tabindex: -1 };
			const element = make("span", { class: piece.end <= begun ? "piece held" : "piece", ...attributes }, own);
			element.style.setProperty("--doubt", Math.max(0, 1 - sure / SURE).toFixed(3));
			const told = { number, hypothesis, piece, element };
			const on = (names, heard) => names.forEach((name) => element.addEventListener(name, heard));
			on(["click"], () => this.chosen(told));
			on(["keydown"], (event) => {
				if (event.key !== "Enter" && event.key !== " ") return;
				event.preventDefault();
				this.chosen(told);
			});
			on(["pointerenter", "focus"], () => this.pointed(told));
			on(["pointerleave", "blur"], () => this.pointed(null));
			parts.push(text.slice(at, piece.start), element);
			at = piece.end;
		}
		return [...parts, text.slice(at)];
	}
}

/** As the model's confidence has learnt it, else the probability of the most doubtful token. @param {Hypothesis} hypothesis @param {Piece} piece */
function confidence({ text, word_confidence: words, token_scores: scores }, piece) {
	const before = text.slice(0, piece.start).match(/\S+(?=\s)/g) ?? [];
	return words?.[before.length]?.confidence ?? Math.exp(Math.min(...piece.tokens.map(({ place }) => scores[place])));
}
