"""What corrections teach: a person's own ways of writing, learnt by ``transduce adapt``.

    python -m benchmarks.adapt runs/cmudict --dev dev.tsv --test test.tsv --train train.tsv

Persons write some phones of CMUdict in ways of their own, by rules. Each reads through words of dev
in an order drawn from a seed and corrects what the model (greedy) writes otherwise than the person:
where a rule of theirs is not kept, and where the model errs. After 5, 50 and 500 corrections all
that was read through, what was right too, is a file for the command, whose seconds are printed;
with ``--wrong-only`` the corrections alone. The test words that a person writes otherwise than the
dictionary are *changed*, all the rest *others*; a word is right if any of its pronunciations, by
the person's rules, is given. Words of train are left out of dev.

Settings of the command were chosen with persons A to D on dev; E and F had no part in it.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce import Transducer

__all__ = ["main"]

_VOWELS = ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]
_VOWEL = "(?:" + "|".join(_VOWELS) + ")"

Words = Mapping[str, Sequence[str]]
Rule = Callable[[str], str]


def _rules(*pairs: tuple[str, str]) -> Rule:
    compiled = [(re.compile(pattern), new) for pattern, new in pairs]

    def apply(phones: str) -> str:
        for pattern, new in compiled:
            phones = pattern.sub(new, phones)
        return " ".join(phones.split())

    return apply


_PERSONS: Mapping[str, tuple[str, Rule]] = {
    "A": (
        "no R where no vowel follows, ER is AH",
        _rules((rf"\bR\b(?! {_VOWEL}\b)", ""), (r"\bER\b", "AH")),
    ),
    "B": ("NG is NG G, a last IY is IH", _rules((r"\bNG\b(?! G\b)", "NG G"), (r"\bIY$", "IH"))),
    "C": ("T between vowels is D", _rules((rf"(\b{_VOWEL}) T(?= {_VOWEL}\b)", r"\1 D"))),
    "D": ("OW is AO, a last Z is S", _rules((r"\bOW\b", "AO"), (r"\bZ$", "S"))),
    "E": ("no HH at the beginning, UW is UH", _rules((r"^HH ", ""), (r"\bUW\b", "UH"))),
    "F": (
        "AE before N or M is EH, no D at the end after N",
        _rules((r"\bAE(?= [NM]\b)", "EH"), (r"\bN D$", "N")),
    ),
}


@dataclass(frozen=True)
class _Tested:
    """Test words as a person writes them; ``changed`` are those where that is another way."""

    changed: dict[str, set[str]]
    others: dict[str, set[str]]

    @classmethod
    def of(cls, words: Words, rule: Rule) -> _Tested:
        found = cls({}, {})
        for word, targets in words.items():
            wanted = {rule(target) for target in targets}
            (found.others if wanted == set(targets) else found.changed)[word] = wanted
        return found


def main() -> None:
    """Measure and report."""
    options = _options()
    test, dev = _words(options.test), _words(options.dev)
    if options.train is not None:
        known = _words(options.train)
        dev = {word: targets for word, targets in dev.items() if word not in known}
    model = Transducer.load(options.model)
    order = sorted(dev)
    random.Random(options.seed).shuffle(order)
    written = dict(zip(order, model.predict(order, beam=1), strict=True))
    before = dict(zip(test, model.predict(list(test)), strict=True))
    for name in options.persons:
        said, rule = _PERSONS[name]
        tested = _Tested.of(test, rule)
        print(
            f"{name}: {said}; {len(tested.changed)} changed and {len(tested.others)} other words, "
            f"{_errors(before, tested)} before",
            flush=True,
        )
        for count in options.corrections:
            pairs = _read_through(order, written, dev, rule, count)
            if options.wrong_only:
                pairs = [pair for pair in pairs if written[pair[0]] != pair[1]]
            print(_adapted(options, name, count, pairs, tested), flush=True)


def _read_through(
    order: Sequence[str], written: Mapping[str, str], dev: Words, rule: Rule, count: int
) -> list[tuple[str, str]]:
    """Words and how the person wants them, up to the last of ``count`` that were corrected."""
    found = []
    for word in order:
        wanted = {rule(target) for target in dev[word]}
        right = written[word] in wanted
        found.append((word, written[word] if right else rule(dev[word][0])))
        count -= not right
        if not count:
            break
    return found


def _adapted(
    options: argparse.Namespace,
    name: str,
    count: int,
    pairs: Sequence[tuple[str, str]],
    tested: _Tested,
) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file, adapter = Path(folder) / "pairs.tsv", Path(folder) / "adapter.safetensors"
        file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), "utf-8")
        command = [sys.executable, "-m", "transduce", "adapt", str(options.model), str(file)]
        start = time.monotonic()
        subprocess.run([*command, "-o", str(adapter)], check=True, capture_output=True)
        seconds = time.monotonic() - start
        words = [*tested.changed, *tested.others]
        model = Transducer.load(options.model, adapter=adapter)
        now = dict(zip(words, model.predict(words), strict=True))
    return (
        f"{name}, {count} corrections in {len(pairs)} lines, {seconds:.0f} s: "
        f"{_errors(now, tested)}"
    )


def _errors(written: Mapping[str, str], tested: _Tested) -> str:
    def share(words: Mapping[str, set[str]]) -> float:
        return 100 * sum(written[word] not in right for word, right in words.items()) / len(words)

    return f"changed {share(tested.changed):.1f} % wrong, others {share(tested.others):.1f} %"


def _words(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, phones = line.split("\t")
        found.setdefault(word, []).append(phones)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model of the recipe cmudict")
    for name in ("--dev", "--test"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--train", type=Path, help="its words are left out of dev")
    parser.add_argument("--persons", nargs="+", default=list(_PERSONS), choices=list(_PERSONS))
    parser.add_argument("--corrections", nargs="+", type=int, default=[5, 50, 500])
    parser.add_argument("--wrong-only", action="store_true", help="no lines that were right")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
