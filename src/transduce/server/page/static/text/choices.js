/** What else the model was about to write at a word: chosen, the output goes on from there. */

import { fill, make, steps } from "../base/dom.js";
import { speak } from "../base/languages.js";
import { say } from "../base/words.js";
import { begunWith, written } from "./pieces.js";

const MOST = 3; // tokens of a word whose alternatives are shown

export class Choices {
	/**
	 * @param {(number: number, begun: string) => void} chosen
	 * @param {(number: number, begun: string) => Promise<string>} ahead the output that begins so
	 */
	constructor(chosen, ahead) {
		Object.assign(this, { chosen, ahead });
		this.box = make("div", { class: "choices", popover: "auto", role: "dialog" });
		this.box.addEventListener("toggle", ({ newState }) => {
			if (newState !== "closed") return;
			this.told.element.removeAttribute("aria-expanded");
			if ([document.body, null].includes(document.activeElement)) this.told.element.focus();
		});
		steps(this.box, "button", ["ArrowUp", "ArrowDown"]);
		document.body.append(this.box);
	}

	/** Show them beside a word. @param {Told} told @param {Facts} facts @param {string} language */
	open(told, facts, language) {
		this.told = told;
		const { hypothesis, piece, element } = told;
		const head = say("instead", hypothesis.text.slice(piece.start, piece.end));
		const lists = facts.right_to_left ? [] : doubtful(told).flatMap((token) => {
			const others = hypothesis.alternatives?.[token.place]?.others ?? [];
			const items = others
				.filter(({ name }) => name !== "end" && written(name).trim())
				.map((other) => this.#item(begunWith(hypothesis.text, token, other.name, facts.target_tokens), token, other, language));
			const from = say("in", written(hypothesis.tokens[token.place]).trim());
			return items.length ? [piece.tokens.length > 1 && make("p", { class: "soft" }, from), make("ul", {}, ...items)] : [];
		});
		const sum = piece.tokens.reduce((sum, { place }) => sum + hypothesis.token_scores[place], 0);
		const own = make("p", { class: "soft" }, head, " ", make("b", {}, percent(Math.exp(sum))));
		fill(this.box, own, ...lists, !lists.length && make("p", {}, say("nothing")));
		this.box.setAttribute("aria-label", head);
		element.setAttribute("aria-expanded", "true");
		this.box.showPopover();
		this.#place(element.getBoundingClientRect());
		(this.box.querySelector("button") ?? this.box).focus();
	}

	remove() {
		this.box.remove();
	}

	/** @param {string} begun @param {Token} token @param {{probability: number}} other @param {string} language */
	#item(begun, token, other, language) {
		const { number } = this.told;
		const how = make("span", { class: "how" });
		const show = (rest) => fill(how, make("b", {}, begun.slice(token.start).trim()), rest);
		speak(how, language);
		show("");
		this.ahead(number, begun).then((whole) => whole.startsWith(begun) && show(whole.slice(begun.length)), () => {});
		const bar = make("span", { class: "bar" });
		bar.style.setProperty("--share", Math.sqrt(other.probability));
		const onclick = () => {
			this.box.hidePopover();
			this.chosen(number, begun);
		};
		const share = make("span", { class: "share" }, percent(other.probability));
		return make("li", {}, make("button", { type: "button", onclick }, bar, how, share));
	}

	/** Below a word, or above it where there is more room. @param {DOMRect} word */
	#place(word) {
		const { width, height } = this.box.getBoundingClientRect();
		const below = word.bottom + 8 + height <= innerHeight || word.top < height + 8;
		this.box.style.left = `${Math.max(8, Math.min(word.left, document.body.clientWidth - width)) + scrollX}px`;
		this.box.style.top = `${(below ? word.bottom + 8 : word.top - height - 8) + scrollY}px`;
	}
}

/** The tokens of a word that are worth a look: the first, and those that were least sure. @param {Told} told */
function doubtful({ hypothesis, piece }) {
	const [first, ...rest] = piece.tokens;
	const scores = hypothesis.token_scores;
	const least = [...rest].sort((a, b) => scores[a.place] - scores[b.place]).slice(0, MOST - 1);
	return [first, ...least.sort((a, b) => a.place - b.place)];
}

/** @param {number} share 0 to 1 */
export const percent = (share) => (share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`);
