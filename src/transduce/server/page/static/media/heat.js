/** Weights as colours on a canvas: one colour speaks for a word, the other against it. */

/** @param {HTMLCanvasElement} canvas @param {number[][]} cells weight, left, top, right and bottom of each */
export function heat(canvas, cells) {
	const paint = canvas.getContext("2d");
	const colours = getComputedStyle(canvas);
	const most = Math.max(...cells.map(([weight]) => Math.abs(weight))) || 1;
	for (const [weight, left, top, right, bottom] of cells) {
		paint.globalAlpha = (0.7 * Math.abs(weight)) / most;
		paint.fillStyle = weight < 0 ? colours.outlineColor : colours.borderTopColor;
		paint.fillRect(left, top, right - left, bottom - top);
	}
	paint.globalAlpha = 1;
}
