/** A model of recordings or pictures: a file is shown, and what the model says of it. */

import { by, fill, make } from "../base/dom.js";
import { Newest } from "../base/newest.js";
import { state, writeAddress } from "../base/state.js";
import { say } from "../base/words.js";
import { Tree } from "../look/tree.js";
import { OutputPane } from "../text/output_pane.js";
import { answerTo, fileButton } from "./file_answers.js";

export class FileView {
	/** @param {Facts} facts @param {Limits} limits @param {Failed} failed @param {Stage} stage */
	constructor(facts, limits, failed, stage) {
		Object.assign(this, { facts, limits, failed, stage, newest: new Newest(), made: make("span") });
		/** @type {File | null} */
		this.file = null;
		this.pane = new OutputPane(facts, limits, failed, {
			run: () => this.run(),
			ahead: (_, begun, signal) => answerTo(facts, this.file, begun, signal),
			shade: (found, weights) => stage.shade(found, weights),
		});
		this.tree = new Tree(facts, () => this.pane.shown, failed);
		this.empty = make("p", { class: "big soft" }, stage.empty);
		fill(by("source-body"), this.empty, stage.box);
		fill(by("source-foot"), fileButton(stage.accept, (files) => this.take(files)), ...stage.buttons);
		this.pane.foot(this.made);
		fill(by("more"), this.pane.others.box, this.pane.inside.box, this.tree.box);
		this.show(null);
	}

	/** @param {File[]} files */
	async take([file]) {
		if (!file) return;
		try {
			if (file.size > this.limits.body_bytes) throw new Error(say("large", file.name));
			this.file = await this.stage.show(file);
			this.empty.hidden = true;
			state.begun = {};
			this.run();
		} catch (error) {
			by("banner").textContent = error.message;
			by("banner").hidden = false;
		}
	}

	/** Ask what the model says of the file. */
	run() {
		writeAddress();
		if (!this.file) return;
		const begin = performance.now();
		this.pane.wait();
		by("status").textContent = say("asking");
		this.newest.ask(
			(signal) => answerTo(this.facts, this.file, state.begun[0] ?? "", signal),
			(answer) => {
				this.show(answer);
				by("status").textContent = say("took", Math.round(performance.now() - begin));
				document.dispatchEvent(new CustomEvent("answered"));
			},
			(error) => {
				this.show(null);
				by("status").textContent = "";
				this.failed(error);
			},
		);
	}

	/** @param {Answer | null} answer */
	show(answer) {
		this.pane.show(answer ? [{ source: this.file, start: 0, after: "", answer, begun: state.begun[0] }] : []);
		this.tree.answered();
		fill(this.made, ...this.stage.answered(answer));
	}

	close() {
		this.newest.stop();
		this.pane.close();
		this.tree.stop();
		this.stage.close();
	}
}
