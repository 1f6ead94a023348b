/** A model of pictures: one is chosen, dropped or pasted, and what counts in it glows. */

import { make } from "../base/dom.js";
import { say } from "../base/words.js";
import { FileView } from "./file_view.js";
import { heat } from "./heat.js";

/** @param {Facts} facts @param {Limits} limits @param {Failed} failed */
export const pictureView = (facts, limits, failed) => new FileView(facts, limits, failed, new PictureStage());

/** @implements {Stage} */
class PictureStage {
	accept = "image/*";
	empty = say("see");
	buttons = [];

	constructor() {
		this.image = make("img", { alt: say("picture") });
		this.heat = make("canvas", { "aria-hidden": "true" });
		this.box = make("div", { class: "picture", hidden: true }, this.image, this.heat);
	}

	/** @param {File} file */
	async show(file) {
		this.close();
		this.image.src = URL.createObjectURL(file);
		await this.image.decode().catch(() => {
			throw new Error(say("unfit", file.name));
		});
		this.box.hidden = false;
		this.shade(null, []);
		return file;
	}

	/** Cells of the picture, as they speak for a word or against it. @type {ShowWeights} */
	shade(found, weights) {
		const { width, height } = this.image.getBoundingClientRect();
		Object.assign(this.heat, { width, height });
		if (!found) return;
		const { column_edges: columns, row_edges: rows } = found.canvas;
		const [x, y] = [width / columns.at(-1), height / rows.at(-1)];
		const cells = weights.map((weight, n) => {
			const [column, row] = [Math.floor(n / (rows.length - 1)), n % (rows.length - 1)];
			return [weight, columns[column] * x, rows[row] * y, columns[column + 1] * x, rows[row + 1] * y];
		});
		heat(this.heat, cells);
	}

	answered() {
		return [];
	}

	close() {
		if (this.image.src) URL.revokeObjectURL(this.image.src);
	}
}
