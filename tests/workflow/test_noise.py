"""Noise in sources: of its kind, in its share, the same every time; a report with both scores."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce.commands.measuring.evaluate import evaluate
from transduce.errors import ConfigError
from transduce.reading.pair_files import Example
from transduce.workflow.noise.letter_case import in_other_case
from transduce.workflow.noise.missing_accents import without_accents
from transduce.workflow.noise.noisy_sources import NOISES, Noise, noisy
from transduce.workflow.noise.typing_errors import mistyped


def drawn(change: object, word: str) -> set[str]:
    return {change(word, Random(seed)) for seed in range(300)}  # type: ignore[operator]


def test_typing_errors_are_all_of_four_kinds() -> None:
    swapped, missing, twice = {"act", "cta"}, {"at", "ct", "ca"}, {"ccat", "caat", "catt"}
    beside = {"xat", "vat", "cst", "car", "cay"}
    assert drawn(mistyped, "cat") == swapped | missing | twice | beside
    assert drawn(mistyped, "A") == {"AA"}
    assert {"Sb", "S"} & drawn(mistyped, "Ab") == {"Sb"}
    assert drawn(mistyped, "日本") == {"本日", "日", "本", "日日本", "日本本"}


def test_case_is_another_one() -> None:
    assert drawn(in_other_case, "Haus") == {"HAUS", "haus"}
    assert drawn(in_other_case, "haus") == {"HAUS", "Haus"}
    assert drawn(in_other_case, "日本9") == {"日本9"}


def test_accents_go_and_letters_stay() -> None:
    for word, plain in (("über", "uber"), ("ñandú", "nandu"), ("ße", "ße"), ("한국", "한국")):
        assert without_accents(word, Random(1)) == plain


@pytest.mark.parametrize("kind", NOISES)
def test_a_share_of_words_is_changed_the_same_way_every_time(kind: str) -> None:
    examples = [Example(f"⟪Ä⟫ Été {n} été  Éa", ("x",)) for n in range(1500)]
    found = noisy(examples, Noise(kind, 0.3))
    assert found == noisy(examples[:700], Noise(kind, 0.3)) + noisy(
        examples[700:], Noise(kind, 0.3)
    )
    assert [example.references for example in found] == [("x",)] * 1500
    assert all(example.source.startswith("⟪Ä⟫ ") for example in found)
    words = [example.source.removeprefix("⟪Ä⟫ ").split(" ") for example in found]
    assert all(row[3] == "" for row in words)  # the gap of two blanks stays
    changed = sum(row[0] != "Été" for row in words) / 1500
    assert abs(changed - 0.3) < 0.06  # five standard deviations


def test_all_words_where_the_share_is_one() -> None:
    assert noisy([Example("à é ô", ())], Noise("accents", 1.0))[0].source == "a e o"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("spelling", r"--noise must be one of typing, case, accents; got spelling"),
        ("case=0", r"--noise case must have a share above 0, at most 1; got 0"),
        ("case=much", r"at most 1; got much"),
        ("case=nan", r"at most 1; got nan"),
    ],
)
def test_other_noises_are_refused(text: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        Noise.parse(text)
    assert Noise.parse("typing=0.25") == Noise("typing", 0.25)
    assert Noise.parse("case") == Noise("case", 0.1)


def test_one_report_has_scores_with_and_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_reversals(tmp_path / "pairs.tsv", words(1, 40))
    train_tiny(tiny({"train": data, "dev": data}), tmp_path / "run")
    test = write_lines(tmp_path / "test.tsv", ["ab\tba", "bcd\tdcb"])
    figures = tmp_path / "figures.json"
    arguments = (tmp_path / "run", [str(test)], figures, 0)
    evaluate(*arguments, noise=["typing=1", "accents"])
    shown = capsys.readouterr().out
    assert "typing 1" in shown
    assert "changed sources" in shown
    values = json.loads(figures.read_text())
    assert values["noise"].keys() == {"typing", "accents"}
    typing, accents = values["noise"]["typing"], values["noise"]["accents"]
    assert (typing["share"], typing["changed"]) == (1.0, 2)
    assert accents["changed"] == 0
    assert accents["metrics"] == values["metrics"]  # nothing to take away
    assert typing["metrics"]["loss"] != values["metrics"]["loss"]
    with pytest.raises(ConfigError, match="--noise must be given once a kind; got case twice"):
        evaluate(*arguments, noise=["case", "case=0.5"])
