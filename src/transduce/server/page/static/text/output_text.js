/** The text that was written, in words that can be pointed at. */

import { by, fill, make, roving } from "../base/dom.js";
import { speak } from "../base/languages.js";
import { say } from "../base/words.js";
import { pieces } from "./pieces.js";

/**
 * @typedef {object} Told what a person points at
 * @property {number} number of the sentence
 * @property {import("./answers.js").Hypothesis} hypothesis
 * @property {import("./pieces.js").Piece} piece
 * @property {HTMLElement} element
 */

export class OutputText {
  /**
   * @param {(told: Told) => void} chosen
   * @param {(told: Told | null) => void} pointed
   */
  constructor(chosen, pointed) {
    this.chosen = chosen;
    this.pointed = pointed;
    this.body = make("div", { class: "big written", id: "written", role: "group", "aria-labelledby": "output-head" });
    roving(this.body, ".piece");
    fill(by("output-body"), this.body);
    this.text = "";
  }

  /**
   * @param {{answer: import("./answers.js").Answer, after: string, begun?: string}[]} parts
   * @param {any} facts of the model
   * @param {string} language
   */
  show(parts, facts, language) {
    const held = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".piece"))?.dataset.name;
    this.text = "";
    const shown = parts.flatMap(({ answer, after, begun }, number) => {
      if (!answer) return [];
      if (answer.error) return [make("span", { class: "wrong" }, answer.error), after];
      const hypothesis = answer.hypotheses[0];
      this.text += hypothesis.text + after;
      return [...this.#sentence(number, hypothesis, facts, begun ?? ""), after];
    });
    fill(this.body, ...shown);
    speak(this.body, language);
    const first = /** @type {HTMLElement | null} */ (this.body.querySelector(".piece"));
    if (first) first.tabIndex = 0;
    const again = held && /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-name="${held}"]`));
    if (again) again.focus();
  }

  /**
   * @param {number} number
   * @param {import("./answers.js").Hypothesis} hypothesis
   * @param {any} facts
   * @param {string} begun
   */
  #sentence(number, hypothesis, facts, begun) {
    const { text, tokens } = hypothesis;
    const found = pieces(text, tokens, facts.target_tokens);
    const sure = doubts(hypothesis, found);
    const parts = [];
    let at = 0;
    found.forEach((piece, n) => {
      const own = text.slice(piece.start, piece.end);
      const percent = `${Math.round(sure[n] * 100)} %`;
      const element = make(
        "span",
        {
          class: piece.end <= begun.length ? "piece held" : "piece",
          role: "button",
          tabindex: -1,
          "data-name": `${number}.${n}`,
          "aria-label": `${own}, ${say("sure", percent)}`,
          "aria-haspopup": "dialog",
          title: say("sure", percent),
        },
        own,
      );
      element.style.setProperty("--doubt", (1 - sure[n]).toFixed(3));
      const told = { number, hypothesis, piece, element };
      element.addEventListener("click", () => this.chosen(told));
      element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.chosen(told);
      });
      for (const name of ["pointerenter", "focus"]) element.addEventListener(name, () => this.pointed(told));
      for (const name of ["pointerleave", "blur"]) element.addEventListener(name, () => this.pointed(null));
      parts.push(text.slice(at, piece.start), element);
      at = piece.end;
    });
    return [...parts, text.slice(at)];
  }
}

/**
 * How sure the model is of each piece, 0 to 1: as its confidence has learnt it, else the
 * probability of the piece's most doubtful token.
 * @param {import("./answers.js").Hypothesis} hypothesis
 * @param {import("./pieces.js").Piece[]} found
 */
function doubts(hypothesis, found) {
  const words = hypothesis.word_confidence ?? [];
  return found.map((piece) => {
    if (words.length) {
      const before = hypothesis.text.slice(0, piece.start).match(/\S+(?=\s)/g) ?? [];
      const own = words[before.length];
      if (own) return own.confidence;
    }
    return Math.min(...piece.tokens.map(({ place }) => Math.exp(hypothesis.token_scores[place] ?? 0)));
  });
}
