/** A model of texts: what is typed is answered at once. */

import { by, copy, fill, press } from "../base/dom.js";
import { canonical } from "../base/languages.js";
import { Newest } from "../base/newest.js";
import { address, state, writeAddress } from "../base/state.js";
import { say } from "../base/words.js";
import { Past } from "../look/past.js";
import { Tree } from "../look/tree.js";
import { answersTo, request } from "./answers.js";
import { Files } from "./files.js";
import { OutputPane } from "./output_pane.js";
import { places, sentencesOf } from "./pieces.js";
import { SourceText } from "./source_text.js";

const WAIT = 25; // milliseconds without a key

export class TextView {
	/** @param {Facts} facts @param {Limits} limits @param {Failed} failed */
	constructor(facts, limits, failed) {
		this.facts = facts;
		this.failed = failed;
		this.newest = new Newest();
		this.source = new SourceText((text) => this.change(text), limits.characters);
		this.pane = new OutputPane(facts, limits, failed, {
			run: () => this.run(),
			ahead: (...asked) => this.ahead(...asked),
			shade: (...found) => this.shade(...found),
		});
		this.tree = new Tree(facts, () => this.pane.shown, failed);
		this.files = new Files(facts, limits);
		this.past = new Past();
		const clear = press("clear", () => {
			this.source.write("");
			this.change("");
			this.source.field.focus();
		});
		fill(by("source-foot"), this.source.count, this.files.button, clear);
		this.pane.foot(press("link", () => copy(address())));
		const { others, inside } = this.pane;
		fill(by("more"), this.files.box, others.box, inside.box, this.tree.box, this.past.box);
		this.source.write(state.text);
		this.source.field.focus();
		this.run();
	}

	/** @param {string} text */
	change(text) {
		state.text = text;
		state.begun = {};
		this.run(WAIT);
	}

	/** Ask for what is there now. */
	run(wait = 0) {
		writeAddress();
		this.source.speak(state.from || this.facts.source_language);
		const cut = sentencesOf(state.text, this.facts.sentences, canonical(state.from));
		if (!cut.length) {
			this.newest.stop();
			by("status").textContent = "";
			this.show([]);
			return;
		}
		const begin = performance.now();
		const wanted = cut.map(({ text }, n) => ({ source: text, begun: state.begun[n] }));
		const body = request(state, this.facts);
		this.pane.wait();
		this.newest.ask(
			(signal) => answersTo(body, wanted, signal),
			(answers) => {
				this.show(cut.map((own, n) => ({ ...own, ...wanted[n], answer: answers[n] })));
				by("status").textContent = say("took", Math.round(performance.now() - begin));
				document.dispatchEvent(new CustomEvent("answered"));
				this.past.note(state.text, this.pane.text);
			},
			(error) => {
				by("output").removeAttribute("aria-busy");
				this.failed(error);
			},
			wait,
		);
	}

	/** @param {Part[]} parts */
	show(parts) {
		this.pane.show(parts);
		this.tree.answered();
	}

	/** How an output would go on. @param {number} number @param {string} begun @param {AbortSignal} signal */
	async ahead(number, begun, signal) {
		const body = request({ ...state, nbest: 1 }, this.facts);
		const [answer] = await answersTo(body, [{ source: this.pane.parts[number].source, begun }], signal);
		return answer;
	}

	/** Shade the letters that a word was written from. @type {ShowWeights} */
	shade(found, weights, told) {
		const spans = found ? places(told.source, found.source) : [];
		const shades = spans.map(([from, to], n) => ({ start: told.start + from, end: told.start + to, weight: weights[n] }));
		this.source.shade(shades.filter((_, n) => spans[n][0] >= 0));
	}

	/** @param {File[]} files */
	take(files) {
		this.files.take(files);
	}

	close() {
		this.newest.stop();
		this.pane.close();
		this.files.stop();
		this.tree.stop();
		this.past.stop();
	}
}
