/** Only the newest of several askings counts, in whatever order their answers come. */

/**
 * @template T
 * @typedef {object} Asking
 * @property {(signal: AbortSignal) => Promise<T>} ask
 * @property {(value: T) => void} answered
 * @property {(error: Error) => void} failed
 */

export class Newest {
  #number = 0;
  /** @type {AbortController | null} */
  #open = null;
  /** @type {number | undefined} */
  #timer;

  /**
   * Ask after a moment without another asking; what was asked before is given up.
   * @template T
   * @param {Asking<T>} asking
   * @param {number} [wait] milliseconds
   */
  ask(asking, wait = 0) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(asking), wait);
  }

  /** Forget what was asked. */
  stop() {
    clearTimeout(this.#timer);
    this.#number++;
    this.#open?.abort();
    this.#open = null;
  }

  /** @param {Asking<any>} asking */
  async #begin({ ask, answered, failed }) {
    this.stop();
    const own = ++this.#number;
    const open = (this.#open = new AbortController());
    try {
      const value = await ask(open.signal);
      if (own === this.#number) answered(value);
    } catch (error) {
      if (own === this.#number) failed(/** @type {Error} */ (error));
    } finally {
      if (this.#open === open) this.#open = null;
    }
  }
}
