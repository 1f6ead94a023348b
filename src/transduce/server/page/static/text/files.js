/** Files to be answered: how far each has come, and to save it. */

import { fill, make, press, save } from "../base/dom.js";
import { canonical } from "../base/languages.js";
import { Away, lines, untilBack } from "../base/server.js";
import { state } from "../base/state.js";
import { say } from "../base/words.js";
import { fileButton } from "../media/file_answers.js";
import { request } from "./answers.js";
import { documentOf } from "./documents.js";

const TOGETHER = 50; // texts of a request
const ACCEPTED = ".txt,.md,.csv,.tsv,.srt,.vtt,.html,.htm,text/plain";

export class Files {
	/** @param {Facts} facts @param {Limits} limits */
	constructor(facts, limits) {
		Object.assign(this, { facts, limits, open: new AbortController() });
		this.list = make("ul", { class: "files" });
		this.box = make("section", { id: "files", hidden: true }, make("h2", {}, say("files")), this.list);
		this.button = fileButton(ACCEPTED, (files) => this.take(files));
	}

	/** @param {File[]} files */
	take(files) {
		for (const file of files) this.#answer(file);
	}

	stop() {
		this.open.abort();
	}

	/** @param {File} file */
	async #answer(file) {
		const own = new AbortController();
		const signal = AbortSignal.any([own.signal, this.open.signal]);
		const bar = make("progress", { "aria-label": file.name, value: 0, max: 1 });
		const told = make("span", { class: "soft", role: "status" });
		const end = make("span", {}, press("stop", () => own.abort()));
		this.list.prepend(make("li", {}, make("bdi", { class: "name" }, file.name), bar, told, end));
		this.box.hidden = false;
		try {
			if (file.size > this.limits.body_bytes) throw new Error(say("large", file.name));
			const found = documentOf(file.name, await file.text(), this.facts.sentences, canonical(state.from));
			const all = found.texts.length;
			const answers = await this.#all(found.texts, signal, (done) => {
				Object.assign(bar, { max: all || 1, value: all ? done : 1 });
				told.textContent = say("of", done.toLocaleString(), all.toLocaleString());
			});
			const name = file.name.replace(/(\.\w+)?$/, `.${state.to || "out"}$1`);
			fill(end, press("save", () => save(name, found.written(answers)), { class: "" }));
		} catch (error) {
			bar.remove();
			fill(end);
			told.textContent = signal.aborted ? say("stopped") : error.message;
			told.classList.toggle("wrong", !signal.aborted);
		}
	}

	/**
	 * All answers in order; it goes on where it was once a server is back, or has room again.
	 * @param {string[]} texts
	 * @param {AbortSignal} signal
	 * @param {(done: number) => void} told
	 */
	async #all(texts, signal, told) {
		const { confidence, alternatives, ...body } = request({ ...state, nbest: 1 }, this.facts);
		const answers = [];
		told(0);
		while (answers.length < texts.length) {
			const sources = this.#some(texts.slice(answers.length));
			try {
				for await (const answer of lines("predict", { ...body, sources, stream: true }, signal)) {
					answers.push(answer.error ? texts[answers.length] : answer.text);
					told(answers.length);
				}
			} catch (error) {
				if (signal.aborted || !(error instanceof Away || error.after)) throw error;
				if (error.after) await new Promise((done) => setTimeout(done, error.after * 1000));
				else await untilBack(() => {});
			}
			signal.throwIfAborted();
		}
		return answers;
	}

	/** As many as one request may have. @param {string[]} texts */
	#some(texts) {
		let characters = 0;
		const some = texts.slice(0, Math.min(TOGETHER, this.limits.sources));
		const end = some.findIndex((text) => (characters += text.length) > this.limits.characters);
		return end > 0 ? some.slice(0, end) : some;
	}
}
