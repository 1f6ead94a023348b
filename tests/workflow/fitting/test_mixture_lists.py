"""A mixture of pairs in memory: ``fit`` and ``predict`` are told the part of each source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from small_runs import words, write_lines
from transduce import Transducer
from transduce.config import load_config
from transduce.errors import ConfigError, DataError, TrainingError
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import WEIGHTS

RECURRENT = {"kind": "gru", "width": 48, "dropout": 0.0}
MODEL = {"encoder": RECURRENT, "decoder": RECURRENT}
LEARNING = {
    "training.batch_tokens": 256,
    "training.learning_rate": 0.01,
    "training.warmup_steps": 10,
    "training.label_smoothing": 0.0,
    "training.average": "none",
    "training.evaluate_every": 300,
    "search.max_length": 6,
}
TEXTS = words(1, 320)
TRAIN = (
    [*TEXTS[:250], *TEXTS[:180]],
    [*TEXTS[:250], *(text[::-1] for text in TEXTS[:180])],
    ["copy"] * 250 + ["turn"] * 180,
)
DEV = (
    [*TEXTS[250:], *TEXTS[250:]],
    [*TEXTS[250:], *(text[::-1] for text in TEXTS[250:])],
    ["copy"] * 70 + ["turn"] * 70,
)


def small(**options: Any) -> Transducer:
    dotted = {key.replace("__", "."): value for key, value in options.items()}
    return Transducer(
        {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "gru", "width": 8}},
        max_steps=2,
        dev_fraction=0.3,
        options={"search.max_length": 6, **dotted},
    )


@pytest.fixture(scope="module")
def model() -> Transducer:
    learner = Transducer(MODEL, max_steps=300, options=LEARNING)
    shuffled = sorted(range(len(TRAIN[0])), key=lambda number: number * 7919 % 430)
    sources, targets, part = ([row[number] for number in shuffled] for row in TRAIN)
    return learner.fit(sources, targets, part=part, dev=DEV)


@pytest.mark.learning
def test_each_source_is_answered_for_its_part(model: Transducer, tmp_path: Path) -> None:
    sources, part = ["abcd", "dcab", "", "bda"], ["turn", "copy", "turn", "turn"]
    answers = ["dcba", "dcab", "", "adb"]
    assert model.predict(sources, part=part) == answers
    assert model.predict(iter(sources), part=iter(part), beam=3) == answers
    assert model.predict(sources, part="copy") == sources
    assert model.score(sources, answers, part=part) == 1
    assert model.score(*DEV[:2], part=DEV[2]) > 0.8
    model.save(tmp_path / "run")
    again = Transducer.load(tmp_path / "run")
    assert again(sources, part=part, nbest=2, beam=2) == model(sources, part=part, nbest=2, beam=2)
    assert again.draw_attention("abcd", tmp_path / "a.png", part="turn") == "dcba"


def test_the_model_is_that_of_the_same_pairs_in_files(tmp_path: Path) -> None:
    sections: dict[str, dict[str, Any]] = {"copy": {}, "turn": {"weight": 2}}
    options = {"data.temperature": 3, "data.tags": "both", "data.parts": sections}
    learner = small(**options)
    learner.fit(*TRAIN[:2], part=TRAIN[2], dev=DEV, output=tmp_path / "lists")
    for key, rows in (("train", TRAIN), ("dev", DEV)):
        for part, section in sections.items():
            lines = [f"{s}\t{t}" for s, t, of in zip(*rows, strict=True) if of == part]
            section[key] = str(write_lines(tmp_path / f"{part}-{key}.tsv", lines))
    config = load_config(tmp_path / "lists/config.yaml").updated({"data.parts": sections})
    fit(config, open_corpora(config), tmp_path / "files")
    lists, files = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("lists", "files"))
    assert lists == files
    for part in ("copy", "turn"):
        assert learner.trained_.report["data"]["parts"][part]["dev_sources"] == 70


def test_parts_are_named_as_anybody_names_them(tmp_path: Path) -> None:
    """NumPy's texts, one name for all; options say more of parts than the pairs do."""
    learner = small(data__parts={"kor": {"tag": "2kor", "weight": 3}})
    part = np.array(["ice", "kor"] * 20)
    learner.fit(TEXTS[:40], TEXTS[:40], part=part, dev=(["a"], ["b"], "kor"))
    parts = learner.trained_.config.data.parts
    assert parts is not None
    assert [(name, own.tag, own.weight) for name, own in parts.items()] == [
        ("kor", "2kor", 3),
        ("ice", None, 1),
    ]
    assert learner.trained_.source_tokenizer.tags == ("⟪2kor⟫", "⟪ice⟫")
    learner.save(tmp_path / "run")
    assert len(Transducer.load(tmp_path / "run").predict(["a"], part="ice")) == 1
    alone = small().fit(TEXTS[:40], TEXTS[:40], part="ice")
    assert alone.predict(["ab"]) == alone.predict(["ab"], part="ice")  # the only one there is


def test_a_share_of_each_part_is_held_out() -> None:
    learner = small(data__tags="target").fit(*TRAIN[:2], part=TRAIN[2])
    for name, size in (("copy", 250), ("turn", 180)):
        counted = learner.trained_.report["data"]["parts"][name]
        assert counted["train_pairs"] + counted["dev_sources"] == size
        assert 0.2 < counted["dev_sources"] / size < 0.4
    names = learner.trained_.report["data"]["fingerprints"]
    assert set(names) == {"copy: memory", "turn: memory"}


@pytest.mark.parametrize("tags", ["none", "source"])
def test_a_grid_search_hands_parts_to_fit_alone(tags: str) -> None:
    search = GridSearchCV(
        small(data__tags=tags), {"max_steps": [1]}, cv=2, refit=False, error_score="raise"
    )
    part = ["a", "b"] * 20
    if tags == "none":
        search.fit(TEXTS[:40], TEXTS[:40], part=part)
        assert 0 <= search.best_score_ <= 1
    else:
        with pytest.raises(ConfigError, match="part must be one of a, b"):
            search.fit(TEXTS[:40], TEXTS[:40], part=part)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"part": ["a"] * 3}, r"part must be as many as sources \(4\); got 3"),
        ({}, {"part": ["a", "b", 3, "a"]}, r"part must be texts; got int \(number 3\)"),
        ({}, {"part": ["a", "b", "c d", "a"]}, "names of parts must be letters, digits, - and _,"),
        (
            {"data__parts": {"a": {"weight": 2}}},
            {},
            "part must name the part of each pair where options name data.parts; got none",
        ),
        ({}, {"dev": ([], [], [])}, "part must name the part of each pair where dev names parts"),
        ({}, {"part": "a", "dev": (["a"], ["b"])}, r"dev must be \(sources, targets, part\) where"),
        ({}, {"part": "a", "dev": (["a"], ["b"], ["a", "a"])}, r"part must be as many as sources"),
        (
            {},
            {"part": ["a", "a", "b", "b"], "dev": (["a", "b"], ["b", "a"], ["b", "ab"])},
            "dev pairs, line 2: part must be one of a, b; got 'ab'",
        ),
        (
            {"data__parts": {"a": {"train": "a.tsv"}}},
            {"part": "a"},
            r"data\.parts\.a\.train must be none where pairs are given; got a\.tsv",
        ),
        ({"data__dev": "a.tsv"}, {}, r"data\.dev must be none where pairs are given; got a\.tsv"),
        ({"data__parts": {"b": {}}}, {"part": "a"}, "data.parts.b must hold at least one training"),
        (
            {},
            {"part": ["a", "a", "a", "x"]},
            "training pairs, line 2: source must not hold the tag",
        ),
    ],
)
def test_what_is_wrong_is_named(
    options: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    sources = ["ab", "⟪x⟫", "c", "d"]
    with pytest.raises((ConfigError, DataError, TrainingError), match=message):
        small(**options).fit(sources, sources, **given)


def test_a_wrong_part_is_told_before_anything_is_decoded(model: Transducer) -> None:
    with pytest.raises(ConfigError, match=r"got 'trun', did you mean turn\?"):
        model.predict(["a", "b"], part=["copy", "trun"])
    with pytest.raises(DataError, match=r"part must be as many as sources \(2\); got 1"):
        model.predict(["a", "b"], part=["copy"])
