"""Languages as callers name them: by a code, by an English name, by a code of another list."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["language_code", "language_name"]

# ISO 639 codes of what Whisper was trained to hear, and English names, the usual one first.
_NAMES = """
af afrikaans; am amharic; ar arabic; as assamese; az azerbaijani; ba bashkir; be belarusian;
bg bulgarian; bn bengali; bo tibetan; br breton; bs bosnian; ca catalan valencian; cs czech;
cy welsh; da danish; de german; el greek; en english; es spanish castilian; et estonian; eu basque;
fa persian; fi finnish; fo faroese; fr french; gl galician; gu gujarati; ha hausa; haw hawaiian;
he hebrew; hi hindi; hr croatian; ht haitian+creole haitian; hu hungarian; hy armenian;
id indonesian; is icelandic; it italian; ja japanese; jw javanese; ka georgian; kk kazakh; km khmer;
kn kannada; ko korean; la latin; lb luxembourgish letzeburgesch; ln lingala; lo lao; lt lithuanian;
lv latvian; mg malagasy; mi maori; mk macedonian; ml malayalam; mn mongolian; mr marathi; ms malay;
mt maltese; my myanmar burmese; ne nepali; nl dutch flemish; nn nynorsk; no norwegian; oc occitan;
pa punjabi panjabi; pl polish; ps pashto pushto; pt portuguese; ro romanian moldavian moldovan;
ru russian; sa sanskrit; sd sindhi; si sinhala sinhalese; sk slovak; sl slovenian; sn shona;
so somali; sq albanian; sr serbian; su sundanese; sv swedish; sw swahili; ta tamil; te telugu;
tg tajik; th thai; tk turkmen; tl tagalog; tr turkish; tt tatar; uk ukrainian; ur urdu; uz uzbek;
vi vietnamese; yi yiddish; yo yoruba; yue cantonese; zh chinese mandarin
"""
_BY_CODE = {
    code: [name.replace("+", " ") for name in names]
    for code, *names in (entry.split() for entry in _NAMES.split(";"))
}
_BY_NAME = {name: code for code, names in _BY_CODE.items() for name in names}


def language_code(given: str, known: Iterable[str]) -> str:
    """The code among ``known`` that is meant: ``de`` of ``<|de|>`` or ``german``, ``en_XX`` of
    ``en``; what is none of them as it is.
    """
    codes = set(known)
    plain = given.removeprefix("<|").removesuffix("|>").removeprefix("__").removesuffix("__")
    for code in (given, plain, plain.lower(), _BY_NAME.get(plain.lower(), "")):
        if code in codes:
            return code
        longer = [name for name in codes if name.startswith(f"{code}_")] if code else []
        if len(longer) == 1:
            return longer[0]
    return given


def language_name(code: str) -> str:
    """Its English name, as answers of transformers say it; the code where there is none."""
    return _BY_CODE.get(code, [code])[0]
