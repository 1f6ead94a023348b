/** Only the newest of several askings counts, in whatever order their answers come. */

export class Newest {
	#number = 0;
	#open = new AbortController();
	#timer = 0;

	/**
	 * Ask after a moment without another asking; what was asked before is given up.
	 * @template T
	 * @param {(signal: AbortSignal) => Promise<T>} ask
	 * @param {(value: T) => void} answered
	 * @param {Failed} failed
	 * @param {number} [wait] milliseconds
	 */
	ask(ask, answered, failed, wait = 0) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(async () => {
			this.stop();
			const own = this.#number;
			try {
				const value = await ask(this.#open.signal);
				if (own === this.#number) answered(value);
			} catch (error) {
				if (own === this.#number) failed(error);
			}
		}, wait);
	}

	/** Forget what was asked. */
	stop() {
		clearTimeout(this.#timer);
		this.#number++;
		this.#open.abort();
		this.#open = new AbortController();
	}
}
