/** An output with all that can be done to it, whatever it was made from. */

import { by, copy, fill, press } from "../base/dom.js";
import { state } from "../base/state.js";
import { Inside } from "../look/inside.js";
import { Choices } from "./choices.js";
import { OtherOutputs } from "./other_outputs.js";
import { OutputText } from "./output_text.js";

export class OutputPane {
	/**
	 * @param {Facts} facts
	 * @param {Limits} limits
	 * @param {Failed} failed
	 * @param {{run: () => void, ahead: (number: number, begun: string, signal: AbortSignal) => Promise<Answer>, shade: ShowWeights}} view
	 */
	constructor(facts, limits, failed, view) {
		this.facts = facts;
		/** @type {Part[]} */
		this.parts = [];
		this.open = new AbortController();
		this.choices = new Choices(
			(number, begun) => ((state.begun[number] = begun), view.run()),
			async (number, begun) => (await view.ahead(number, begun, this.open.signal)).text,
		);
		this.output = new OutputText(
			(told) => this.#choose(told),
			(told) => this.inside.point(told && { ...this.parts[told.number], ...told }),
		);
		this.others = new OtherOutputs(limits.beam, view.run, () => this.show(this.parts));
		this.inside = new Inside(facts, view.shade, failed);
		this.free = press("free", () => ((state.begun = {}), view.run()));
	}

	/** The buttons below it, `own` ones among them. @param {...HTMLElement} own */
	foot(...own) {
		fill(by("output-foot"), press("copy", () => copy(this.text)), ...own, this.free, this.others.chooser);
	}

	get text() {
		return this.output.text;
	}

	/** The part whose other outputs are seen. */
	get shown() {
		return this.parts[this.others.number];
	}

	/** Somebody waits for another. */
	wait() {
		by("output").setAttribute("aria-busy", "true");
		this.free.hidden = !Object.keys(state.begun).length;
	}

	/** @param {Part[]} parts */
	show(parts) {
		this.parts = parts;
		by("output").removeAttribute("aria-busy");
		this.free.hidden = !Object.keys(state.begun).length;
		const language = state.to || this.facts.target_language;
		this.output.show(parts, this.facts, language);
		this.others.show(parts, language);
		this.inside.answered(this.shown);
	}

	close() {
		this.open.abort();
		this.choices.remove();
		this.inside.stop();
	}

	/** @param {Told} told */
	#choose(told) {
		this.others.turnTo(told.number);
		this.open.abort();
		this.open = new AbortController();
		this.choices.open(told, this.facts, state.to || this.facts.target_language);
	}
}
