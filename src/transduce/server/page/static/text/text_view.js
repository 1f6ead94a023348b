/** A model of texts: what is typed is answered at once. */

import { by, fill, make } from "../base/dom.js";
import { Newest } from "../base/newest.js";
import { state, writeAddress } from "../base/state.js";
import { say } from "../base/words.js";
import { canonical } from "../base/languages.js";
import { answersTo, request } from "./answers.js";
import { OutputText } from "./output_text.js";
import { sentencesOf } from "./pieces.js";
import { SourceText } from "./source_text.js";

const WAIT = 25; // milliseconds without a key

export class TextView {
  /**
   * @param {any} facts of the model
   * @param {any} limits
   * @param {(error: Error) => void} failed
   */
  constructor(facts, limits, failed) {
    this.facts = facts;
    this.failed = failed;
    this.newest = new Newest();
    this.source = new SourceText((text) => this.change(text), limits.characters);
    this.output = new OutputText(() => {}, () => {});
    fill(by("source-foot"), this.source.count);
    fill(by("output-foot"), make("button", { type: "button", class: "quiet", onclick: () => this.copy() }, say("copy")));
    this.source.write(state.text);
    this.run(0);
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
    const parts = sentencesOf(state.text, this.facts.sentences, canonical(state.from));
    if (!parts.length) {
      this.newest.stop();
      this.output.show([], this.facts, this.language);
      by("status").textContent = "";
      return;
    }
    const begin = performance.now();
    const wanted = parts.map((part, n) => ({ source: part.text, begun: state.begun[n] }));
    const body = request(state, this.facts);
    by("output").setAttribute("aria-busy", "true");
    this.newest.ask(
      {
        ask: (signal) => answersTo(body, wanted, signal),
        answered: (answers) => {
          by("output").removeAttribute("aria-busy");
          this.parts = parts.map((part, n) => ({ answer: answers[n], after: part.after, begun: state.begun[n] }));
          this.output.show(this.parts, this.facts, this.language);
          by("status").textContent = say("took", Math.round(performance.now() - begin));
          document.dispatchEvent(new CustomEvent("answered"));
        },
        failed: (error) => {
          by("output").removeAttribute("aria-busy");
          this.failed(error);
        },
      },
      wait,
    );
  }

  /** Of the output. */
  get language() {
    return state.to || this.facts.target_language;
  }

  async copy() {
    await navigator.clipboard.writeText(this.output.text);
    by("status").textContent = say("copied");
  }

  /** Nothing is asked any more. */
  close() {
    this.newest.stop();
  }
}
