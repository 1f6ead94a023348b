/** The page begins: which models there are, and a view for what the chosen one reads. */

import { showChoosers } from "./base/choosers.js";
import { by, fill, make } from "./base/dom.js";
import { frame } from "./base/frame.js";
import { ask, Away, untilBack, useKey } from "./base/server.js";
import { address, readAddress, state } from "./base/state.js";
import { say } from "./base/words.js";
import { pictureView } from "./media/picture_view.js";
import { soundView } from "./media/sound_view.js";
import { TextView } from "./text/text_view.js";

const VIEWS = { text: (...given) => new TextView(...given), audio: soundView, image: pictureView };

let told = null; // of all models
/** @type {Facts} */
let facts;
let view = null;
let waiting = false;

/** Say that something went wrong, and what is done about it. @param {Error} error */
async function failed(error) {
	if (error.name === "AbortError") return;
	if (error instanceof Away) return comeBack();
	complain(error.message);
	by("key").hidden = error.status !== 401;
	if (error.status === 401) by("key-value").focus();
	if (!error.status) console.error(error);
	if (!error.after) return;
	by("banner").append(` ${say("again", error.after)}`);
	setTimeout(run, error.after * 1000);
}

/** @param {string} text "" for none */
function complain(text) {
	by("banner").textContent = text;
	by("banner").hidden = !text;
}

/** Wait until the server is there again, and ask once more. */
async function comeBack() {
	if (waiting) return;
	waiting = true;
	await untilBack((seconds) => complain(say("away", seconds)));
	waiting = false;
	complain("");
	by("status").textContent = say("back");
	run();
}

/** Ask what was to be asked. */
function run() {
	if (view) view.run();
	else open();
}

/** Show the chosen model. */
async function open() {
	try {
		told ??= await ask("page/models");
		if (!told.models.includes(state.model)) state.model = told.models[0];
		if (facts?.name !== state.model) facts = await ask(`page/models/${encodeURIComponent(state.model)}`);
		show();
	} catch (error) {
		failed(error);
	}
}

function show() {
	view?.close();
	complain("");
	by("key").hidden = true;
	by("status").textContent = "";
	by("models").hidden = told.models.length < 2;
	by("only").textContent = told.models.length < 2 ? state.model : "";
	fill(by("model"), ...told.models.map((name) => make("option", { selected: name === state.model }, name)));
	showChoosers(facts, told.models, { changed: () => view.run(), open, output: () => view.pane.text });
	view = VIEWS[facts.kind](facts, told.limits, failed);
}

by("model").onchange = (event) => {
	Object.assign(state, { model: event.target.value, part: "", from: "", to: "", begun: {} });
	open();
};
by("key").onsubmit = (event) => {
	event.preventDefault();
	useKey(by("key-value").value);
	run();
};
document.addEventListener("answered", () => complain(""));
addEventListener("hashchange", () => {
	if (location.href === address()) return;
	readAddress();
	open();
});

readAddress();
frame(() => facts && show(), (files) => view?.take(files));
open();
