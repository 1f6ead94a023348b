/** What is made of elements, without a framework. */

import { say } from "./words.js";

/**
 * An element, of a drawing where its name begins with `svg:`. Attributes that begin with `on` are
 * listeners; true stands for an empty one, and false, null and undefined for none.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
	const drawn = name.startsWith("svg:");
	const made = drawn
		? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
		: document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
		else if (value === true) made.setAttribute(key, "");
		else if (value !== false && value != null) made.setAttribute(key, String(value));
	}
	fill(made, ...children);
	return made;
}

/** The element with this id, which the page has. @param {string} id @returns {any} */
export const by = (id) => document.getElementById(id);

/** Put these in the place of all that an element holds. @param {Element} parent @param {...Child} children */
export function fill(parent, ...children) {
	parent.replaceChildren(...children.filter((child) => child != null && child !== false));
}

/** A button with a text of the page. @param {string} text @param {() => void} onclick @param {object} [more] */
export const press = (text, onclick, more) => make("button", { type: "button", class: "quiet", onclick, ...more }, say(text));

/** What is seen when it is opened. @param {string} text @param {object} attributes @param {...Child} children */
export const folded = (text, attributes, ...children) =>
	make("details", attributes, make("summary", {}, say(text)), ...children);

/** What may be larger than the page. @param {string} text @param {...Child} children */
export const scrolled = (text, ...children) =>
	make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": say(text) }, ...children);

/** @param {string} text */
export async function copy(text) {
	await navigator.clipboard.writeText(text);
	by("status").textContent = say("copied");
}

/** Let a person save a text under a name. @param {string} name @param {string} text */
export function save(name, text) {
	const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
	make("a", { href, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/**
 * Keys go from one of a row of elements to the next, round and round.
 * @param {HTMLElement} row
 * @param {string} selector of the elements
 * @param {[string, string]} keys back and on
 */
export function steps(row, selector, keys) {
	row.addEventListener("keydown", (event) => {
		const all = [...row.querySelectorAll(selector)];
		const by = getComputedStyle(row).direction === "rtl" ? -1 : 1;
		const step = { [keys[0]]: -by, [keys[1]]: by }[event.key];
		if (!step || !all.length) return;
		event.preventDefault();
		all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
	});
}
