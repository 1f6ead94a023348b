/** Codes of languages as a browser knows them: names, and which way they are written. */

import { tongue } from "./words.js";

const FROM_RIGHT = new Set("ar arc ckb dv fa he ks nqo ps sd syr ug ur yi".split(" "));
const RIGHT_SCRIPTS = new Set("Arab Hebr Thaa Syrc Nkoo Adlm".split(" "));

/** `deu_Latn` is `de-Latn`; "" for what is no language. @param {string} code */
export function canonical(code) {
	if (!code || code === "und") return "";
	try {
		return Intl.getCanonicalLocales(code.replaceAll("_", "-"))[0] ?? "";
	} catch {
		return "";
	}
}

/** Its name in the language of the page. @param {string} code */
export function languageName(code) {
	const own = canonical(code);
	if (!own) return code;
	const names = new Intl.DisplayNames([tongue()], { type: "language", fallback: "none" });
	const { language, script } = new Intl.Locale(own);
	const usual = !script || new Intl.Locale(language).maximize().script === script;
	return names.of(usual ? own.replace(`-${script}`, "") : own) ?? names.of(language) ?? code;
}

/**
 * `lang` and `dir` of an element that holds a text in a language; `auto` where it is not known.
 * @param {Element} element
 * @param {string} code
 */
export function speak(element, code) {
	const own = canonical(code);
	const [language, script] = own.split("-");
	const right = script?.length === 4 ? RIGHT_SCRIPTS.has(script) : FROM_RIGHT.has(language);
	element.setAttribute("lang", own);
	element.setAttribute("dir", own ? (right ? "rtl" : "ltr") : "auto");
}
