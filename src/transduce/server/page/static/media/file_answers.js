/** Files that a person chooses, and what the model says of them. */

import { make } from "../base/dom.js";
import { ask } from "../base/server.js";
import { state } from "../base/state.js";
import { say } from "../base/words.js";
import { request } from "../text/answers.js";

/**
 * What the model says of a file.
 * @param {Facts} facts
 * @param {Blob} file
 * @param {string} begun how the output begins
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export function answerTo(facts, file, begun, signal) {
	const body = request(state, facts);
	if (begun) body.search.prefix = begun;
	if (facts.can.timings) body.timings = true;
	return ask("predict", withFile(body, file), signal);
}

/** A form of a file and what is asked of it. @param {object} body @param {Blob} file */
export function withFile(body, file) {
	const form = new FormData();
	form.append("request", JSON.stringify(body));
	form.append("file", file, file instanceof File ? file.name : "file");
	return form;
}

/** A button that lets a person choose files. @param {string} accept @param {(files: File[]) => void} chosen */
export function fileButton(accept, chosen) {
	const field = (
		make("input", {
			type: "file",
			multiple: true,
			accept,
			class: "unseen",
			tabindex: -1,
			"aria-hidden": "true",
			onchange: () => (chosen([...(field.files ?? [])]), (field.value = "")),
		})
	);
	const press = () => field.click();
	return make("span", {}, make("button", { type: "button", class: "quiet", onclick: press }, say("choose")), field);
}
