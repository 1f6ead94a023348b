"""A part of a mixture in CTranslate2: its tag, its tokenizers, its outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_transformers import call, mixture, transformer, untrained, untrained_mixture

from transduce.errors import ModelError
from transduce.export.folder import export_trained
from transduce.export.usage import compare, program
from transduce.interfaces import END
from transduce.pretrained.ctranslate2.converted import read_ctranslate2
from transduce.tokenization.joint import JointTokenizer
from transduce.workflow.trained import TrainedModel

pytest.importorskip("ctranslate2")

Capture = pytest.CaptureFixture[str]
PARTS = ("copy", "turn")
SOURCES = ["abcd", "d", "bdca", "  ", "cc", "abcdabcd"]


def printed(folder: Path, trained: TrainedModel, source: str, part: str, capsys: Capture) -> str:
    """What the lines of an export print when they are run."""
    capsys.readouterr()
    exec(compile(program(folder, trained.config, source, part), "program", "exec"), {})
    return capsys.readouterr().out.removesuffix("\n")


def predicted(trained: TrainedModel, part: str) -> list[str]:
    predictor = trained.predictor(part, trained.model)
    return [best.text for best, *_ in predictor.predict(SOURCES, trained.config.search)]


@pytest.mark.parametrize("tags", ["source", "target", "both", "none"])
@pytest.mark.parametrize("right_to_left", [False, True])
def test_each_part_says_what_predict_says(
    tags: str, right_to_left: bool, tmp_path: Path, capsys: Capture
) -> None:
    turned = {"source.right_to_left": right_to_left, "target.right_to_left": right_to_left}
    data = {"tags": tags, "source_prefix": "a "}
    config = mixture(tmp_path, data=data, tokenizer=turned)
    trained = untrained_mixture(config)
    found = {part: predicted(trained, part) for part in PARTS}
    assert (found["copy"] == found["turn"]) == (tags == "none")  # so that a lost tag is seen
    for part in PARTS:
        folder = tmp_path / part
        export_trained(trained, folder, part=part)
        [agreement] = compare(trained, folder, SOURCES, part)
        assert (agreement.same, agreement.compared) == (5, 5)
        assert printed(folder, trained, SOURCES[0], part, capsys) == found[part][0]


@pytest.mark.parametrize("length", [1, 2, 6])
def test_beams_agree_and_a_tag_counts_as_a_token_in_both(length: int, tmp_path: Path) -> None:
    """END is out of reach: with it the two divide by other lengths."""
    search = {"beam": 3, "max_length": length}
    trained = untrained_mixture(mixture(tmp_path, data={"tags": "target"}, search=search))
    with torch.no_grad():
        trained.model.output.bias[END] = -1e4
    export_trained(trained, tmp_path / "out", part="turn")
    for agreement in compare(trained, tmp_path / "out", SOURCES, "turn"):
        assert (agreement.same, agreement.compared) == (5, 5)
    [[best]] = trained.predictor("turn", trained.model).predict(["abcd"], trained.config.search)
    assert len(best.tokens) == length


# ---------------------------------------------------------------- parts with own tokenizers


@pytest.fixture
def own(tmp_path: Path) -> TrainedModel:
    """``turn`` writes words between spaces, and reads bytes; ``copy`` has the common letters."""
    own = {"source": {"kind": "byte"}, "target": {"kind": "whitespace"}}
    config = mixture(tmp_path, data={"parts.turn.tokenizer": own}, search={"max_length": 5})
    return untrained_mixture(config)


def keep_to(trained: TrainedModel, part: str, others: float) -> int:
    """Give all symbols that are not of a part's tokenizer this bias; say how many."""
    target = trained.target_tokenizer
    assert isinstance(target, JointTokenizer)
    known = set(target.member(part).entries)
    foreign = [n for n, entry in enumerate(target.entries) if entry not in known]
    with torch.no_grad():
        trained.model.output.bias[foreign] = others
    return len(foreign)


@pytest.mark.parametrize("part", PARTS)
def test_the_tokenizers_of_the_part_stand_beside_the_model(
    own: TrainedModel, part: str, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "out"
    assert keep_to(own, part, -1e4) > 3
    export_trained(own, folder, part=part)
    for side, tokenizer in zip(("source", "target"), own.tokenizers(part), strict=True):
        assert (folder / f"{side}.tokenizer.json").read_text() == tokenizer.to_json()
    [agreement] = compare(own, folder, SOURCES, part)
    assert (agreement.same, agreement.compared) == (5, 5)
    expected = predicted(own, part)
    assert len(set(expected)) > 3
    assert printed(folder, own, SOURCES[0], part, capsys) == expected[0]
    with pytest.raises(ModelError, match="tokenizer must have the 4 special symbols first and"):
        read_ctranslate2(folder)


def test_symbols_of_other_parts_are_left_out(
    own: TrainedModel, tmp_path: Path, capsys: Capture
) -> None:
    keep_to(own, "copy", 0.0)
    export_trained(own, tmp_path / "out", part="copy")
    [agreement] = compare(own, tmp_path / "out", SOURCES, "copy")
    assert agreement.same < agreement.compared  # which the comparison shows
    known = own.tokenizers("copy")[1].entries
    mixed = 0
    for source in ("abcd", "bdca", "cc"):
        [[best]] = own.predictor("copy", own.model).predict([source], own.config.search)
        kept = [token for token in best.tokens if token in known]  # letters, as copy writes them
        assert printed(tmp_path / "out", own, source, "copy", capsys) == "".join(kept)
        mixed += 0 < len(kept) < len(best.tokens)
    assert mixed


# ---------------------------------------------------------------- the command


def test_the_command_checks_on_the_dev_data_of_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    model = tmp_path / "model"
    untrained_mixture(mixture(tmp_path)).save(model)
    assert call(monkeypatch, model, "-o", tmp_path / "one", "--part", "turn") == 0
    said = capsys.readouterr().out
    assert "source.encode('⟪back⟫' + 'bcd').tokens" in said
    assert said.endswith("# greedy: 3 of 3 outputs equal the model's\n")
    assert call(monkeypatch, model, "-o", tmp_path / "two", "--part", "copy") == 0
    said = capsys.readouterr().out
    assert "source.encode('⟪copy⟫' + 'A text.').tokens" in said
    assert "# not compared: the recipe names no dev files" in said
    check = tmp_path / "check.tsv"
    check.write_text("0\tx\tabcd\n")  # read with the columns of the part
    options = ["--part", "turn", "--check", check]
    assert call(monkeypatch, model, "-o", tmp_path / "three", *options) == 0
    said = capsys.readouterr().out
    assert "'⟪back⟫' + 'abcd'" in said
    assert said.endswith("# greedy: 1 of 1 outputs equal the model's\n")
    assert call(monkeypatch, model, "-o", tmp_path / "four") == 2
    error = capsys.readouterr().err
    assert "part must be one of copy, turn (--part NAME); got none" in error
    assert error.count("\n") == 1


def test_a_model_of_one_data_set_has_its_prefix_in_front(tmp_path: Path, capsys: Capture) -> None:
    trained = untrained(transformer({}, {}).updated({"data.source_prefix": "ab "}))
    export_trained(trained, tmp_path / "out")
    text = program(tmp_path / "out", trained.config, "cd")
    assert "source.encode('ab ' + 'cd').tokens" in text
    exec(compile(text, "program", "exec"), {})
    [[best]] = trained.predictor(None, trained.model).predict(["cd"], trained.config.search)
    assert capsys.readouterr().out == f"{best.text}\n"
    [agreement] = compare(trained, tmp_path / "out", ["cd", "b", "ab ab"])
    assert agreement.same == 3
