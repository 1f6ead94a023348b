# ruff: noqa: RUF001 - letters of many alphabets
"""SentencePiece's models read here and by SentencePiece itself: the same for the oddest texts?

Trains models of every sort on this project's documentation and on lines of many scripts, cuts odd
texts with both, joins the pieces again, joins random pieces too, and counts what is equal. What is
not is listed. Needs the package ``sentencepiece``.

    python benchmarks/odd_texts.py --texts 2000
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sentencepiece

from transduce.pretrained.checkpoint.sentencepiece import pipeline_of, read_pieces

ROOT = Path(__file__).parent.parent
SCRIPTS = [
    *("ガギグ パピプ かがきぎ ｶﾞｷﾞ カタカナ", "가각 나라 한국어 문장 글자", "각 글 각"),
    *("naïve café Ångström über Straße", "Привет, как дела? ёлка", "日本語の文章です。中文句子。"),
    *("नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก ภาษาไทย", "مرحبا بالعالم لا إله", "Việt Nam Tiếng"),
    *(
        "𝒜𝓁𝓅𝒽𝒶 𝟙𝟚𝟛 ﬁ ﬂ ½ Ⅳ ㎏ ™",
        "👩‍👩‍👧 🇩🇪 👍🏽 😀 ok",
        "… -- ... !!! ??? ((()))",
        "aaaa bbbb aaab abab",
    ),
]
USER = ["<sep>", "[X]", "ab", "名前", "a b"]
MODELS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "bytes for what is unknown": {"byte_fallback": True},
    "text as it is": {"normalization_rule_name": "identity"},
    "folded": {"normalization_rule_name": "nfkc_cf"},
    "spaces kept": {"remove_extra_whitespaces": False},
    "no space in front": {"add_dummy_prefix": False},
    "no space in front, spaces kept": {
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
    },
    "space at the end": {"treat_whitespace_as_suffix": True},
    "pieces across spaces": {"split_by_whitespace": False},
    "pieces of spaces": {"allow_whitespace_only_pieces": True, "remove_extra_whitespaces": False},
    "the user's symbols": {"user_defined_symbols": USER},
    "the user's, text as it is": {
        "user_defined_symbols": USER,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    },
    "control symbols": {"control_symbols": ["<cls>", "the", "▁a"]},
    "few characters": {"character_coverage": 0.98},
    "rules of one's own": {"rules": True},
}
_RULES = (
    "41\t61\nE9\t65 301\nFB01\t66 69\n20 20\t20\n61 62 63\t78\nFF21\t41\n200B\t\n"
    "74 68 65\t20 20 61\n"
)
_ALPHABETS = (
    *("abcdehilnorstABC", "  \t\n\r\u00a0\u2003\u3000\u200b\u0085\u2028\ufeff", ".,!?()-–…'\"«»"),
    *("áéñüßøİıſΣς", "\u0301\u0308\u0327\u20dd\u0323\ufe0f\u200d", "각글한국ᄀ까ᅣᆨᆩㄱㅏﾡￂ"),
    *("カガｶﾞﾟ゙゚パぱは", "日本語中文名前", "क्षत्र", "กำสวั", "ﷺﻻ\u0640لا", "👩👧🇩🇪👍🏽", "▁<>/[]0123x"),
    *("\x00\x01\x1f\x7f\ue000\U000f0000\ufffd\uffff\U0010ffff", "ℌ𝒜½Ⅳ㎏ﬁ™²", "aaab"),
)
_WORDS = (
    *(
        "</s>",
        "<s>",
        "<unk>",
        "<pad>",
        "<cls>",
        "<sep>",
        "[X]",
        "ab",
        "名前",
        "a b",
        "<0x41>",
        "▁",
        "▁▁",
    ),
    *("the", " the ", "in a", "a dog", "...", "aaaaaaa", "ababab", "  ", "⁇"),
)


def odd_text(chance: random.Random, sentences: list[str]) -> str:
    """A text of up to a few dozen characters of any sort."""
    parts: list[str] = []
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        draw = chance.random()
        if draw < 0.2:
            sentence = chance.choice(sentences)
            start = chance.randrange(len(sentence))
            parts.append(sentence[start : start + chance.randrange(1, 60)])
        elif draw < 0.4:
            parts.append(chance.choice(_WORDS))
        elif draw < 0.5:
            parts.append(chr(chance.randrange(1, 0x3100)))
        elif draw < 0.55:
            number = chance.randrange(0x110000)
            parts.append("" if 0xD800 <= number < 0xE000 else chr(number))
        elif draw < 0.65:
            parts.append(chance.choice("a.- 가ｶ▁") * chance.randrange(1, 40))
        else:
            alphabet = chance.choice(_ALPHABETS)
            parts.append("".join(chance.choices(alphabet, k=chance.randrange(1, 9))))
    return "".join(parts)


def train(path: Path, kind: str, options: dict[str, Any], sentences: list[str]) -> None:
    """A model of 1,500 pieces."""
    if options.get("rules"):
        (path.parent / "rules.tsv").write_text(_RULES)
        options = {"normalization_rule_tsv": str(path.parent / "rules.tsv")}
    with path.open("wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=out,
            model_type=kind,
            vocab_size=1500,
            hard_vocab_limit=False,
            num_threads=1,
            **{"character_coverage": 1.0, **options},
        )


def differences(path: Path, texts: list[str], chance: random.Random) -> Iterator[str]:
    """What the two do not agree on, one line a text."""
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = pipeline_of(read_pieces(path))
    for text in texts:
        numbers = theirs.encode(text)
        found = ours.encode(text)
        if found.ids != numbers:
            names = (
                [theirs.id_to_piece(n) for n in numbers],
                [ours.id_to_token(n) for n in found.ids],
            )
            yield f"{text!r}: theirs {names[0]}, ours {names[1]}"
        elif found.tokens != theirs.encode(text, out_type=str):
            yield f"{text!r}: pieces {found.tokens}, theirs {theirs.encode(text, out_type=str)}"
        elif ours.decode(numbers) != theirs.decode(numbers):
            yield f"{text!r}: joined {ours.decode(numbers)!r}, theirs {theirs.decode(numbers)!r}"
        some = [chance.randrange(theirs.get_piece_size()) for _ in range(chance.randrange(9))]
        if ours.decode(some) != theirs.decode(some):
            written = [theirs.id_to_piece(n) for n in some]
            yield f"{written}: joined {ours.decode(some)!r}, theirs {theirs.decode(some)!r}"


def speeds(path: Path, sentences: list[str]) -> str:
    """Characters a second of processor time, the best of three passes over the documentation."""
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    characters = sum(map(len, sentences))

    def best(encode: Any) -> float:
        times = []
        for _ in range(3):
            start = time.process_time()
            encode(sentences)
            times.append(time.process_time() - start)
        return characters / min(times) / 1e6

    ours = best(pipeline_of(read_pieces(path)).encode_batch)
    return f"{ours:.1f} million characters a second, SentencePiece {best(theirs.encode):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2000, help="for each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shown", type=int, default=20, help="differences listed for each model")
    given = parser.parse_args()
    sentencepiece.set_min_log_level(3)
    chance = random.Random(given.seed)
    files = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    lines = [line.strip() for file in files for line in file.read_text().splitlines()]
    sentences = [line for line in lines if line] + SCRIPTS * 20
    compared = unequal = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("unigram", "bpe"):
            for name, options in MODELS.items():
                path = Path(folder) / "a.model"
                train(path, kind, options, sentences)
                texts = [odd_text(chance, sentences) for _ in range(given.texts)]
                found = list(differences(path, texts, chance))
                compared, unequal = compared + 2 * len(texts), unequal + len(found)
                print(f"{kind}, {name}: {len(found)} of {2 * len(texts):,} differ", flush=True)
                for line in found[: given.shown]:
                    print("   ", line)
                if not options:
                    print(f"    {speeds(path, sentences)}", flush=True)
    print(f"{compared - unequal:,} of {compared:,} equal, {1 - unequal / compared:.4%}")


if __name__ == "__main__":
    main()
