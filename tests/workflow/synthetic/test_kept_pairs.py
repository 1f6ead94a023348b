"""Which made pairs are kept, and the noise on their sources."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from transduce.errors import DataError
from transduce.workflow.synthetic.kept_pairs import Keeping, KeptPairs, usual_ratios
from transduce.workflow.synthetic.noised_sources import BLANK, noised


def written(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def pair(confidence: float, target: str = "xyz") -> dict[str, object]:
    return {"source": "abc", "target": target, "confidence": confidence}


def test_the_surest_are_kept(tmp_path: Path) -> None:
    sure = [0.3, 0.9, 0.5, 0.7]
    path = written(tmp_path / "a", *map(pair, sure), pair(1.0, target="x" * 40))
    usual = Keeping(["source"], ratios=(0.5, 2.0), best=0.5)
    kept = KeptPairs(path, usual)
    assert len(list(kept.records())) == 2  # 0.9 and 0.7
    assert kept.left_out == {"not sure enough": 2, "of unusual length": 1}
    assert next(kept.records()) == {"source": "abc", "target": "xyz"}
    least = KeptPairs(path, Keeping(["source"], least=0.7, tag="BT"))
    assert len(list(least.records())) == 3
    assert next(least.records()) == {"origin": ["BT"], "source": "abc", "target": "xyz"}
    both = KeptPairs(path, Keeping(["source"], ratios=(0.5, 2.0), least=0.5, best=0.5))
    assert len(list(both.records())) == 2  # half of the three, rounded up


def test_a_file_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    for line in ("{", '{"source": 1, "target": "x"}', '{"target": "x"}', "[]"):
        path = written(tmp_path / "a", pair(0.5))
        path.write_text(path.read_text() + line + "\n")
        with pytest.raises(DataError, match="a, line 2: line must be as it was written; it is not"):
            list(KeptPairs(path, Keeping(["source"])).records())
    path = written(tmp_path / "a", pair(7))
    with pytest.raises(DataError, match="a, line 1: line must be as it was written"):
        list(KeptPairs(path, Keeping(["source"])).records())


def test_usual_ratios_are_those_of_most_pairs() -> None:
    rest = [{"source": "a" * 100, "target": "b" * n} for n in range(1, 1001)]
    assert usual_ratios(rest, ["source"]) == (0.06, 9.95)
    assert usual_ratios([], ["source"])[0] == 0


def test_noise_leaves_out_hides_and_moves_by_three() -> None:
    words = [f"w{number}" for number in range(40)]
    text, counts, places = " ".join(words), Counter[str](), Counter[int]()
    for seed in range(500):
        found = noised(text, Random(seed)).split()
        counts["kept"] += len(found)
        counts["hidden"] += found.count(BLANK)
        numbers = [int(word[1:]) for word in found if word != BLANK]
        order = sorted(numbers)
        places.update(number - order.index(value) for number, value in enumerate(numbers))
    assert counts["kept"] / (500 * 40) == pytest.approx(0.9, abs=0.01)
    assert counts["hidden"] / counts["kept"] == pytest.approx(0.1, abs=0.01)
    assert max(map(abs, places)) == 3
    assert places[0] < sum(places.values()) / 2  # most move
    assert noised(text, Random(1)) == noised(text, Random(1))


def test_noise_never_leaves_nothing() -> None:
    assert all(noised("a", Random(seed), characters=True) for seed in range(50))
    assert all(noised("word", Random(seed)) for seed in range(50))
    assert {len(noised("abcd", Random(seed), characters=True)) for seed in range(50)} > {3, 4}
