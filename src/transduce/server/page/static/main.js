/** The page begins: which models there are, and a view for what the chosen one reads. */

import { by, fill, make } from "./base/dom.js";
import { ask, Away, Refusal, untilBack, useKey } from "./base/server.js";
import { readAddress, state } from "./base/state.js";
import { dress, say } from "./base/words.js";
import { TextView } from "./text/text_view.js";

/** @type {any} */
let told = null;
/** @type {any} */
let view = null;
let waiting = false;

/** Say that something went wrong, and what is done about it. */
async function failed(/** @type {Error} */ error) {
  if (error.name === "AbortError") return;
  if (error instanceof Away) return comeBack();
  const banner = by("banner");
  banner.textContent = error.message;
  banner.hidden = false;
  if (!(error instanceof Refusal)) throw error;
  by("key").hidden = error.status !== 401;
  if (error.after && (error.status === 503 || error.status === 429)) {
    banner.append(` ${say("again", error.after)}`);
    setTimeout(run, error.after * 1000);
  }
}

async function comeBack() {
  if (waiting) return;
  waiting = true;
  await untilBack((seconds) => {
    by("banner").hidden = false;
    by("banner").textContent = say("away", seconds);
  });
  waiting = false;
  by("banner").hidden = true;
  by("status").textContent = say("back");
  await run();
}

/** Ask what was to be asked. */
async function run() {
  if (view && told) view.run();
  else await begin();
}

async function begin() {
  try {
    told = await ask("page/models");
    if (!told.models.includes(state.model)) state.model = told.models[0];
    await open();
  } catch (error) {
    await failed(/** @type {Error} */ (error));
  }
}

/** Show the chosen model. */
async function open() {
  const facts = await ask(`page/models/${encodeURIComponent(state.model)}`);
  view?.close();
  by("banner").hidden = true;
  by("key").hidden = true;
  fill(by("more"));
  by("models").hidden = told.models.length < 2;
  by("only").textContent = told.models.length < 2 ? state.model : "";
  fill(by("model"), ...told.models.map((/** @type {string} */ name) => make("option", { selected: name === state.model }, name)));
  document.body.dataset.kind = facts.kind;
  view = new TextView(facts, told.limits, failed);
}

by("model").addEventListener("change", (/** @type {any} */ event) => {
  state.model = event.target.value;
  Object.assign(state, { part: "", from: "", to: "", begun: {} });
  open().catch(failed);
});
by("key").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  useKey(by("key-value").value);
  run();
});
document.addEventListener("answered", () => (by("banner").hidden = true));

readAddress();
dress(document.documentElement);
begin();
