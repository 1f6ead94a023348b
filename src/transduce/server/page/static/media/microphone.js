/** The microphone: pressed once it listens, pressed again there is a file. */

import { make, press } from "../base/dom.js";
import { say } from "../base/words.js";

export class Microphone {
	/** @param {number} most seconds @param {(file: File) => void} recorded */
	constructor(most, recorded) {
		Object.assign(this, { most, recorded, clock: 0 });
		/** @type {MediaRecorder | null} */
		this.open = null;
		this.button = press("record", () => (this.open ? this.open.stop() : this.listen()), { id: "record", "aria-pressed": false });
		this.told = make("span", { role: "status" });
	}

	async listen() {
		let stream;
		try {
			stream = await navigator.mediaDevices.getUserMedia({ audio: true });
		} catch (error) {
			this.told.textContent = say("silent", error.message);
			return;
		}
		const open = (this.open = new MediaRecorder(stream));
		const parts = [];
		open.ondataavailable = (event) => parts.push(event.data);
		open.onstop = () => {
			for (const track of stream.getTracks()) track.stop();
			if (this.open !== open) return; // given up
			this.stop();
			this.recorded(new File(parts, "microphone.webm", { type: open.mimeType }));
		};
		open.start();
		this.#show("finish", true);
		let seconds = 0;
		this.clock = setInterval(() => {
			this.told.textContent = say("recording", ++seconds);
			if (seconds >= this.most) open.stop();
		}, 1000);
	}

	/** Give up what is being recorded. */
	stop() {
		const { open } = this;
		this.open = null;
		clearInterval(this.clock);
		this.told.textContent = "";
		this.#show("record", false);
		if (open?.state === "recording") open.stop();
	}

	/** @param {string} text @param {boolean} pressed */
	#show(text, pressed) {
		this.button.textContent = say(text);
		this.button.setAttribute("aria-pressed", pressed);
	}
}
