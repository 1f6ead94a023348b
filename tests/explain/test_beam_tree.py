"""The search of a source as a tree: in Python, as a page, a picture and JSON, at the terminal."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from command_line import call
from reversal_run import Run
from transduce import Transducer
from transduce.drawing.tree import Twig, placed, tree_figure
from transduce.errors import ConfigError, DataError
from transduce.explain.alternatives import alternatives
from transduce.explain.beam_tree import BeamTree, beam_tree
from transduce.interfaces import BEGIN
from transduce.reading.parts import WHOLE
from transduce.workflow.trained import TrainedModel

SEARCHES = [
    {},
    {"beam": 3, "nbest": 3},
    {"beam": 4, "nbest": 2, "diverse_groups": 2, "diversity": 0.5},
    {"sample": True, "nbest": 2, "seed": 4},
]


@pytest.fixture(scope="module")
def trained(run: Run) -> TrainedModel:
    return TrainedModel.load(run.folder)


@pytest.fixture(scope="module")
def tree(trained: TrainedModel) -> BeamTree:
    return beam_tree(trained, "abd", trained.config.searching({"beam": 3, "nbest": 3}))


@pytest.mark.parametrize("search", SEARCHES)
def test_the_tree_ends_in_what_predict_says(trained: TrainedModel, search: dict) -> None:
    options = trained.config.searching(search)
    [outputs] = trained.predict(["abd"], options)
    found = beam_tree(trained, "abd", options)
    assert found.outputs == tuple(output.text for output in outputs)
    ranked = {b.rank: b for b in found.branches if b.rank is not None}
    scores = [ranked[rank].score for rank in range(len(outputs))]
    assert scores == pytest.approx([output.score for output in outputs], abs=1e-4)


def test_a_prefix_shows_what_the_model_would_have_gone_on_with(trained: TrainedModel) -> None:
    found = beam_tree(trained, "abd", trained.config.searching({"prefix": "a"}))
    assert found.prefix == ("a",)
    assert all(text.startswith("a") for text in found.outputs)
    assert found.search == {"prefix": "a", "max_length": 8}


class _Page(HTMLParser):
    """What a browser would ask another host for, and the cells of the table."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.rows = 0
        self.focusable = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.asked += [v for k, v in attrs if k in ("src", "href", "srcset") and v]
        self.rows += tag == "tr"
        self.focusable += values.get("tabindex") == "0"


def test_a_page_needs_no_other_file_and_has_all_in_a_table(tree: BeamTree, tmp_path: Path) -> None:
    tree.save(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.asked == []
    assert page.rows == 1 + len(tree.branches)
    assert page.focusable == 2  # the drawing and the table are scrolled by keyboard
    assert "url(" not in text
    assert "@import" not in text
    assert tree._repr_html_() in text


def test_what_a_model_writes_is_no_markup(tree: BeamTree) -> None:
    odd = dataclasses.replace(
        tree,
        source="<b>&</script>",
        branches=(dataclasses.replace(tree.branches[0], name="<i>"), *tree.branches[1:]),
    )
    page = odd.to_html()
    assert "<b>" not in page
    assert "<i>" not in page
    assert page.count("</script>") == 1


def test_json_has_every_number(tree: BeamTree, tmp_path: Path) -> None:
    tree.save(tmp_path / "a.json")
    values = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert values["outputs"] == list(tree.outputs)
    assert len(values["branches"]) == len(tree.branches)
    first = values["branches"][0]
    assert first["total"] == pytest.approx(first["log_probability"])
    assert set(first) == {"parent", "step", "lane", "name", "token", "log_probability", "total",
                          "fate", "rank", "score"}  # fmt: skip


def test_a_picture_is_drawn(tree: BeamTree, tmp_path: Path) -> None:
    tree.save(tmp_path / "a.png")
    assert imread(tmp_path / "a.png").std() > 0.01


def test_a_tree_with_no_room_leaves_out_what_was_dropped_and_says_so() -> None:
    twigs, parent = [], -1
    for _ in range(20):
        twigs += [Twig(parent, "x", "dropped") for _ in range(10)]
        twigs.append(Twig(parent, "y", "kept"))
        parent = len(twigs) - 1
    drawn = tree_figure(twigs, "begin", title="T")
    assert "160 that were dropped are not drawn" in drawn.get_supxlabel()
    with pytest.raises(DataError, match="at most 108 lines and 26 steps to be drawn as PNG"):
        tree_figure([Twig(-1, "x", "kept")] * 200, "begin", title="T")


def test_a_branch_stands_at_the_line_of_its_first_child() -> None:
    twigs = [Twig(-1, "a", "kept"), Twig(-1, "b", "kept"), Twig(0, "c", "kept"),
             Twig(0, "d", "kept"), Twig(1, "e", "kept")]  # fmt: skip
    assert placed(twigs) == [(1, 0.0), (1, 2.0), (2, 0.0), (2, 1.0), (2, 2.0)]


def test_an_empty_source_has_no_search(trained: TrainedModel) -> None:
    with pytest.raises(DataError, match="searched in one piece to have a beam tree; got none"):
        beam_tree(trained, "")


def test_at_the_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    explain = ("explain", run.folder, "abd", "--beam-tree", "search.beam=2")
    path = tmp_path / "tree.html"
    assert call(monkeypatch, *explain, "--output", path) == 0
    assert capsys.readouterr().out == f"dba\nbeam tree written to {path}\n"
    assert call(monkeypatch, *explain, "--prefix", "b") == 0
    out = capsys.readouterr().out
    assert out.startswith("step 1\n")
    assert "b a" in out or "b d" in out
    assert call(monkeypatch, *explain, "--output", tmp_path / "a.svg") == 2
    assert "--output must end in .html, .json, .png; got" in capsys.readouterr().err
    assert call(monkeypatch, *explain, "--target", "b") == 2
    assert "--beam-tree must be asked alone" in capsys.readouterr().err
    assert call(monkeypatch, "explain", run.folder, "abd", "--prefix", "b") == 2
    assert "--prefix must be given with --beam-tree; got 'b' without" in capsys.readouterr().err
    assert call(monkeypatch, "explain", run.folder, "--beam-tree") == 2
    assert "SOURCE must be given with --beam-tree" in capsys.readouterr().err


def test_from_python(run: Run, tree: BeamTree) -> None:
    found = Transducer.load(run.folder).beam_tree("abd", beam=3, nbest=3)
    assert found.outputs == tree.outputs


# ---------------------------------------------------------------- alternatives


def test_alternatives_are_those_of_the_model_s_own_softmax(trained: TrainedModel) -> None:
    found = alternatives(trained, "abd", "db", count=3)
    assert [token.name for token in found] == ["d", "b", "end"]
    target = torch.tensor([[BEGIN, *trained.target_tokenizer.encode("db")]])
    source = trained.reader.encoded("abd", WHOLE)
    with torch.no_grad():
        logits, _ = trained.model.step(target, trained.model.start(source))
    shares = torch.softmax(logits[0].double(), dim=-1).numpy()
    written = [*trained.target_tokenizer.encode("db"), 3]
    for token, own, place in zip(found, shares, written, strict=True):
        assert token.probability == pytest.approx(own[place], abs=1e-2)
        assert token.entropy == pytest.approx(-(own * np.log(own + 1e-300)).sum(), abs=2e-2)
        others = np.sort(np.delete(own, place))[::-1][:3]
        assert [o.probability for o in token.others] == pytest.approx(others.tolist(), abs=1e-2)
        assert token.name not in [o.name for o in token.others]


def test_alternatives_of_what_the_model_says_itself(trained: TrainedModel) -> None:
    found = alternatives(trained, "abd")
    assert [token.name for token in found] == ["d", "b", "a", "end"]
    assert all(len(token.others) == 5 for token in found)
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        alternatives(trained, "abd", count=0)
