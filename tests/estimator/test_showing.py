"""What a person sees of ``Transducer.fit``: a cell, a log, or nothing; Ctrl-C keeps the best."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from transduce import Transducer
from transduce.estimator.showing import LogProgress, NotebookProgress, choose_display
from transduce.training.record.progress import Silence, Status

STATUS = Status(3, 0.5, 1.25, 1e-3, 900.0, 0.5, 0.25)
WORDS = [a + b + c for a in "abc" for b in "abc" for c in "ab"]
MODEL = {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "gru", "width": 8}}


class Cell:
    """A notebook's output: what stands in it now."""

    def __init__(self) -> None:
        self.pages: list[Any] = []

    def display(self, page: Any, display_id: bool) -> Cell:
        assert display_id
        self.pages.append(page)
        return self

    def update(self, obj: object) -> None:
        self.pages[-1] = obj


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    made = Cell()
    shell = SimpleNamespace(kernel=object())
    display = SimpleNamespace(display=made.display)
    module = SimpleNamespace(get_ipython=lambda: shell, display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)  # type: ignore[arg-type]
    return made


def test_a_notebook_shows_one_cell_that_changes(cell: Cell) -> None:
    with choose_display(1) as display:
        assert isinstance(display, NotebookProgress)
        display.say("12 pairs <of> words")
        display.step(STATUS)
        display.scored(3, {"loss": 1.5}, best=True)
    assert len(cell.pages) == 1
    shown = cell.pages[0]._repr_html_()
    assert "<div>12 pairs &lt;of&gt; words</div>" in shown
    assert '<progress value="0.2500" max="1">' in shown
    assert "<tr><td>3</td><td>1.500</td><td>best</td></tr>" in shown


def test_fitting_in_a_notebook(cell: Cell) -> None:
    model = Transducer(MODEL, max_steps=2, dev_fraction=0.2)
    assert "Transducer(" in model._repr_html_()
    model.fit(WORDS, WORDS)
    assert "training pairs" in cell.pages[0]._repr_html_()
    shown = model._repr_html_()
    assert "2 steps" in shown
    assert "<td>dev loss</td>" in shown


def test_elsewhere_it_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    display = choose_display(1)
    assert isinstance(display, LogProgress)
    with caplog.at_level(logging.INFO, logger="transduce"):
        display.scored(3, {"loss": 1.5}, best=True)
    assert caplog.messages == ["step 3  dev  loss 1.500  (best)"]


def test_silence(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(choose_display(0), Silence)
    with caplog.at_level(logging.INFO):
        Transducer(MODEL, max_steps=1, dev_fraction=0.2, verbose=0).fit(WORDS, WORDS)
    assert capsys.readouterr() == ("", "")
    assert caplog.messages == []


@pytest.mark.parametrize("after", ["raise", "keep"])
def test_ctrl_c_keeps_the_best_model(after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"training.evaluate_every": 2}
    model = Transducer(MODEL, max_steps=1000, dev_fraction=0.2, options=options)

    class Stops(Silence):
        def scored(self, step: int, metrics: Any, best: bool) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("transduce.transducer.choose_display", lambda verbose: Stops())
    if after == "raise":
        with pytest.raises(KeyboardInterrupt, match="best model so far is kept"):
            model.fit(WORDS, WORDS)
    else:
        model.fit(WORDS, WORDS, on_interrupt=after)
    record = model.trained_.report["training"]
    assert record["stopped"] == "interrupted"
    assert record["steps"] < 1000
    assert len(model.predict(["ab"])) == 1
