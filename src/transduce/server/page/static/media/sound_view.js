/** A model of recordings: one is chosen, dropped or spoken; words have their times. */

import { fill, make, press, save } from "../base/dom.js";
import { say } from "../base/words.js";
import { FileView } from "./file_view.js";
import { heat } from "./heat.js";
import { Microphone } from "./microphone.js";
import { srt, vtt } from "./subtitles.js";
import { decoded, readable } from "./wav.js";

/** @param {Facts} facts @param {Limits} limits @param {Failed} failed */
export function soundView(facts, limits, failed) {
	const microphone = new Microphone(limits.sound_seconds, (file) => view.take([file]));
	const view = new FileView(facts, limits, failed, new SoundStage(microphone));
	return view;
}

/** @implements {Stage} */
class SoundStage {
	accept = "audio/*,video/*,.flac,.wav,.ogg,.opus,.mp3";
	empty = say("hear");

	/** @param {Microphone} microphone */
	constructor(microphone) {
		this.microphone = microphone;
		this.buttons = [microphone.button, microphone.told];
		this.player = make("audio", { controls: true, "aria-label": say("player"), ontimeupdate: () => this.#follow() });
		this.wave = make("canvas", { class: "wave", "aria-hidden": "true" });
		this.words = make("ol", { class: "words", "aria-label": say("times") });
		this.box = make("div", { class: "sound", hidden: true }, this.wave, this.player, this.words);
	}

	/** @param {File} file */
	async show(file) {
		this.close();
		this.name = file.name.replace(/\.\w+$/, "");
		this.player.src = URL.createObjectURL(file);
		this.sound = await decoded(file).catch(() => null);
		this.box.hidden = false;
		this.shade(null, []);
		return readable(file, this.sound);
	}

	/** The wave, and behind it when something spoke for a word or against it. @type {ShowWeights} */
	shade(found, weights) {
		const { clientWidth: width, clientHeight: height } = this.wave;
		Object.assign(this.wave, { width, height });
		if (!this.sound) return;
		if (found) {
			const rows = found.canvas.row_edges.length - 1;
			const edges = found.canvas.column_edges.map((seconds) => (seconds * width) / this.sound.duration);
			const sum = (n) => weights.slice(n * rows, (n + 1) * rows).reduce((a, b) => a + b, 0);
			heat(this.wave, edges.slice(1).map((right, n) => [sum(n), edges[n], 0, right, height]));
		}
		const paint = this.wave.getContext("2d");
		paint.fillStyle = getComputedStyle(this.wave).color;
		const samples = this.sound.getChannelData(0);
		const peak = (from, to) => samples.subarray(from, to).reduce((most, own) => Math.max(most, Math.abs(own)), 0);
		const loudest = peak(0, samples.length) || 1;
		for (let x = 0; x < width; x++) {
			const tall = Math.max(1, (peak((x * samples.length) / width, ((x + 1) * samples.length) / width) / loudest) * height);
			paint.fillRect(x, (height - tall) / 2, 1, tall);
		}
	}

	/** @param {Answer | null} answer */
	answered(answer) {
		const words = answer?.hypotheses[0]?.words ?? [];
		const items = words.map((word) => {
			const onclick = () => {
				this.player.currentTime = word.start;
				this.player.play();
			};
			const time = make("small", {}, `${word.start.toFixed(2)} s`);
			return make("li", {}, make("button", { type: "button", class: "quiet", onclick }, word.text, time));
		});
		fill(this.words, ...items);
		this.times = words;
		const kinds = words.length ? Object.entries({ SRT: srt, VTT: vtt }) : [];
		return kinds.map(([kind, made]) => press(kind, () => save(`${this.name}.${kind.toLowerCase()}`, made(words))));
	}

	/** Mark the word that is heard. */
	#follow() {
		const now = this.player.currentTime;
		this.times.forEach(({ start, end }, n) => this.words.children[n].classList.toggle("heard", start <= now && now < end));
	}

	close() {
		this.microphone.stop();
		if (this.player.src) URL.revokeObjectURL(this.player.src);
	}
}
