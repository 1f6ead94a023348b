"""What teachers write for a recipe's sources: all of it once, whatever stops the process."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

import transduce.workflow.synthetic.asking as asking
import transduce.workflow.synthetic.grown_pairs as grown_pairs
from reversal_run import Run
from small_runs import tiny, train_tiny, write_lines, write_reversals
from transduce.config import load_config
from transduce.errors import ConfigError, ModelError
from transduce.reading.pair_files import Example
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.predicting.output import EMPTY
from transduce.workflow.synthetic.chosen_outputs import nearest, usable
from transduce.workflow.synthetic.distilling import Distilled, Distilling, distil
from transduce.workflow.trained import TrainedModel


@pytest.fixture(scope="module")
def teacher(run: Run) -> TrainedModel:
    return TrainedModel.load(run.folder)


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(teacher: TrainedModel, folder: Path, **asked: object) -> Distilled:
    nbest = asked.pop("nbest", 1)
    options = teacher.config.search.model_copy(update={"beam": nbest, "nbest": nbest})
    return distil([teacher], ["teacher"], folder, Distilling(options, **asked))  # type: ignore[arg-type]


def test_each_source_is_answered_in_order(teacher: TrainedModel, run: Run, tmp_path: Path) -> None:
    found = made(teacher, tmp_path / "out")
    read = [
        (record["source"], record["target"]) for record in records(tmp_path / "out/train.jsonl")
    ]
    lines = (run.folder.parent / "train.tsv").read_text().splitlines()
    asked = [line.split("\t")[0] for line in lines]
    apart = [one for n, one in enumerate(asked) if n == 0 or one != asked[n - 1]]
    expected = [outputs[0].text for outputs in teacher.predict(apart, teacher.config.search)]
    assert read == list(zip(apart, expected, strict=True))
    assert found.files["train.jsonl"].sources == len(apart)


def test_the_recipe_trains(teacher: TrainedModel, tmp_path: Path) -> None:
    recipe = made(teacher, tmp_path / "out").recipe
    config = load_config(recipe, ["training.max_steps=2", "model.encoder.width=8"])
    student, _ = train_tiny(config, tmp_path / "student")
    assert student.config.name == "reverse-student"
    corpora = open_corpora(config)
    assert {e.source for e in corpora.dev} == {e.source for e in open_corpora(teacher.config).dev}
    assert config.data.test is not None


@pytest.mark.parametrize("written", [True, False])
def test_what_was_stopped_goes_on(
    teacher: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    made(teacher, tmp_path / "whole", nbest=2)
    monkeypatch.setattr(asking, "_BLOCK", 50)
    write, calls = grown_pairs.write_text, []

    def killed(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) == 3:  # the block is there, what says so is not, or only now
            if written:
                write(path, text)
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(grown_pairs, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        made(teacher, tmp_path / "parts", nbest=2)
    half = (tmp_path / "parts/train.jsonl").read_bytes()
    found = made(teacher, tmp_path / "parts", nbest=2)
    whole = (tmp_path / "whole/train.jsonl").read_bytes()
    assert whole.startswith(half)
    assert (tmp_path / "parts/train.jsonl").read_bytes() == whole
    assert found.files["train.jsonl"].pairs == len(whole.splitlines())


def test_a_full_disk_loses_nothing(
    teacher: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(teacher, tmp_path / "whole")
    monkeypatch.setattr(asking, "_BLOCK", 100)
    append, calls = grown_pairs.append_block, []

    def full(path: Path, length: int, block: bytes) -> int:
        calls.append(length)
        if len(calls) == 3:
            with path.open("ab") as file:
                file.write(block[: len(block) // 2])  # all that there was room for
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return append(path, length, block)

    with monkeypatch.context() as patch:
        patch.setattr(grown_pairs, "append_block", full)
        with pytest.raises(OSError, match="No space left"):
            made(teacher, tmp_path / "parts")
    assert not (tmp_path / "parts/recipe.yaml").exists()
    made(teacher, tmp_path / "parts")
    whole = (tmp_path / "whole/train.jsonl").read_bytes()
    assert (tmp_path / "parts/train.jsonl").read_bytes() == whole


def test_other_options_are_refused(teacher: TrainedModel, tmp_path: Path) -> None:
    made(teacher, tmp_path)
    with pytest.raises(ConfigError, match="go on with the same models, data and options; got"):
        made(teacher, tmp_path, nbest=2)
    (tmp_path / "progress.json").write_text("[]")
    with pytest.raises(ConfigError, match="must be what this command wrote"):
        made(teacher, tmp_path)


def test_sources_alone_and_beside_pairs(teacher: TrainedModel, tmp_path: Path) -> None:
    longest = teacher.config.search.max_length
    file = write_lines(tmp_path / "more.txt", ["abcd", "", "ab", "a" * 30])
    found = made(teacher, tmp_path / "alone", sources=(str(file),), pairs=False)
    read = [record["source"] for record in records(tmp_path / "alone/sources.jsonl")]
    assert read[:2] == ["abcd", "ab"]
    left = found.files["sources.jsonl"].left_out
    assert left["empty"] == 1  # of an empty source
    assert sum(left.values()) + len(read) == 4
    assert longest == 8
    beside = made(teacher, tmp_path / "beside", sources=(str(file),))
    config = load_config(beside.recipe)
    train = [pair.source for pair in open_corpora(config).train()]
    assert train[-len(read) :] == read
    assert len(train) > 200
    config = config.updated({"training.max_steps": 2, "training.teacher": ["teacher"]})
    known = LearntFrom(teachers=(teacher,))
    said: list[str] = []
    fit(config, open_corpora(config), tmp_path / "s", learnt_from=known, say=said.append)
    assert f"asking the teacher about {len(train):,} pairs" in said


def test_sources_that_are_too_long_are_counted(tmp_path: Path) -> None:
    stack = {"kind": "transformer", "width": 8, "layers": 1, "heads": 1, "feedforward": 8}
    encoder = {**stack, "positions": "learned", "max_positions": 6}
    data = {"train": write_reversals(tmp_path / "t.tsv", ["ab", "ba", "abb"] * 4)}
    model = {"encoder": encoder, "decoder": stack}
    learning = {"learning_rate": 0.02, "label_smoothing": 0.0}
    config = tiny({**data, "dev": data["train"]}, 80, model=model, training=learning)
    teacher, _ = train_tiny(config, tmp_path / "teacher")
    file = write_lines(tmp_path / "more.txt", ["ab", "a" * 30])
    found = made(teacher, tmp_path / "out", sources=(str(file),), pairs=False)
    assert found.files["sources.jsonl"].left_out["not answered"] == 1


def test_parts_and_columns_of_tags_stay(tmp_path: Path) -> None:
    lines = [f"{tag}\t{word}\t{word[::-1]}" for tag in ("A;B", "C") for word in ("ab", "ba", "abb")]
    file = write_lines(tmp_path / "t.tsv", lines * 4)
    part = {
        "train": str(file),
        "dev": str(file),
        "source": [{"tags": 0, "separator": ";"}, 1],
        "target": 2,
    }
    other = write_reversals(tmp_path / "u.tsv", ["aab", "bba"] * 4)
    plain = {"train": str(other), "dev": str(other)}
    learning = {"learning_rate": 0.03, "label_smoothing": 0.0}
    config = tiny({"parts": {"x": part, "y": plain}}, 80, training=learning)
    teacher, _ = train_tiny(config, tmp_path / "teacher")
    found = made(teacher, tmp_path / "out")
    first = records(tmp_path / "out/x.dev.jsonl")[0]
    assert first == {"tags": ["A", "B"], "source": "ab", "target": "ba"}
    read = load_config(found.recipe)
    assert set(read.data.parts or ()) == {"x", "y"}
    before, after = (
        [(e.source, e.references) for e in open_corpora(c).dev] for c in (config, read)
    )
    assert before == after
    pairs = {pair.source for pair in open_corpora(read).train()}
    assert pairs <= {pair.source for pair in open_corpora(config).train()}
    student, _ = train_tiny(read.updated({"training.max_steps": 2}), tmp_path / "student")
    assert student.source_tokenizer.to_json() == teacher.source_tokenizer.to_json()
    one = made(teacher, tmp_path / "one", part="y")
    assert set(load_config(one.recipe).data.parts or ()) == {"y"}


def test_teachers_that_read_otherwise_are_refused(teacher: TrainedModel, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "t.tsv", ["xy\tyx", "yx\txy"] * 4)
    other, _ = train_tiny(tiny({"train": data, "dev": data}), tmp_path / "other")
    asked = Distilling(teacher.config.search)
    with pytest.raises(ModelError, match="share their source tokenizer"):
        distil([teacher, other], ["a", "b"], tmp_path / "out", asked)


def test_an_ensemble_of_one_twice_says_the_same(teacher: TrainedModel, tmp_path: Path) -> None:
    made(teacher, tmp_path / "one")
    asked = Distilling(teacher.config.search)
    distil([teacher, teacher], ["a", "b"], tmp_path / "two", asked)
    one, two = ((tmp_path / name / "train.jsonl").read_text() for name in ("one", "two"))
    assert one == two


def test_usable_texts_are_whole_and_come_once() -> None:
    outputs = [replace(EMPTY, text=text) for text in ("a b", "", " ", "a b", "c")]
    outputs.append(replace(EMPTY, text="endless", finished=False))
    assert usable(outputs) == ["a b", "c"]


def test_the_nearest_to_each_reference() -> None:
    asked = [
        Example("s", ("a b c", "x y")),
        Example("t", ()),
        Example("u", ("q",)),
        Example("v", ("k l",)),
    ]
    texts = [["a b d", "x y", "a c"], ["m", "n"], [], ["z", "k l m", "k l"]]
    assert nearest(asked, texts, "symbols") == [["a b d", "x y"], ["m"], [], ["k l"]]
    sentence = [Example("s", ("the small dog sleeps",))]
    found = nearest(sentence, [["a cat", "the small dogs sleep", "the dog"]], "sentences")
    assert found == [["the small dogs sleep"]]
