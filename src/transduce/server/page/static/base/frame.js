/** What is around every model: light and dark, the language of the page, keys, files that are dropped. */

import { by, fill, make, press } from "./dom.js";
import { dress, say, speakIn, tongue } from "./words.js";

const SHADE = "transduce-shade";
const KEYS = ["/", "← →", "Enter", "Esc", "?"];

/** @param {() => void} spoken @param {(files: File[]) => void} dropped */
export function frame(spoken, dropped) {
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const { dataset } = document.documentElement;
	const other = () => ((dataset.shade ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark");
	const name = () => {
		dress();
		by("shade").textContent = say(other());
		by("tongue").textContent = tongue() === "zh" ? "English" : "中文";
		by("tongue").lang = tongue() === "zh" ? "en" : "zh-Hans";
	};
	by("shade").onclick = () => {
		localStorage.setItem(SHADE, (dataset.shade = other()));
		name();
	};
	by("tongue").onclick = () => {
		speakIn(tongue() === "zh" ? "en" : "zh");
		name();
		spoken();
	};
	dark.onchange = name;
	const stored = localStorage.getItem(SHADE);
	if (stored) dataset.shade = stored;
	name();
	keys();
	files(dropped);
}

/** Keys that work everywhere, and the list of all. */
function keys() {
	const box = make("dialog", { "aria-labelledby": "keys-head" });
	document.body.append(box);
	const open = () => {
		const rows = KEYS.flatMap((key) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, say(`key ${key}`))]);
		const close = press("close", () => box.close(), { class: "" });
		fill(box, make("h2", { id: "keys-head" }, say("keys")), make("dl", {}, ...rows), close);
		box.showModal();
	};
	by("help").onclick = open;
	document.addEventListener("keydown", (event) => {
		if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
		if (event.key === "?") open();
		else if (event.key === "/") by("source").querySelector("textarea, button").focus();
		else return;
		event.preventDefault();
	});
}

/** @param {(files: File[]) => void} take */
function files(take) {
	const over = (event, is) => {
		if (!event.dataTransfer?.types.includes("Files")) return;
		event.preventDefault();
		by("source").classList.toggle("over", is);
	};
	addEventListener("dragover", (event) => over(event, true));
	addEventListener("dragleave", (event) => over(event, false));
	addEventListener("drop", (event) => {
		over(event, false);
		take([...event.dataTransfer.files]);
	});
	addEventListener("paste", ({ clipboardData }) => {
		if (clipboardData.files.length && !clipboardData.types.includes("text/plain")) take([...clipboardData.files]);
	});
}
