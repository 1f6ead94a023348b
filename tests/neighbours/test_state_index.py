"""The index of decoder states: its file, its search, and what predictions make of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from architectures import ARCHITECTURES, OVER_FRAMES, make_model
from command_line import call
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.errors import ConfigError, EngineError, ModelError
from transduce.explain.neighbours.nearest_pairs import nearest_pairs
from transduce.explain.neighbours.states_of_pairs import make_index
from transduce.interfaces import BEGIN, Source
from transduce.neighbours import Nearest, NeighbourStepper, StateIndex
from transduce.neighbours.index import fingerprint_of
from transduce.neighbours.stepping import mixed
from transduce.reading.pair_files import Example
from transduce.workflow.trained import TrainedModel

SOURCE = Source.of_tokens([[4, 5, 6], [7, 4]])
READ = torch.tensor([[BEGIN, 5, 6], [BEGIN, 4, 7]])


def index_of(states: torch.Tensor, tokens: list[int], fingerprint: bytes = b"x") -> StateIndex:
    count = len(tokens)
    places = torch.arange(count, dtype=torch.int32)
    pairs = [(f"source {n}", f"target {n}") for n in range(count)]
    numbers = torch.tensor(tokens, dtype=torch.int32)
    return StateIndex(states.half(), numbers, places, places % 3, pairs, fingerprint)


# ---------------------------------------------------------------- the equations


def test_the_nearest_are_those_of_brute_force() -> None:
    states = torch.randn(300, 9).half()
    asked = torch.randn(7, 9)
    distances, places = Nearest(index_of(states, [4] * 300))(asked, 5)
    all_pairs = asked.double().numpy()[:, None] - states.double().numpy()[None]
    squared = (all_pairs**2).sum(-1)
    assert places.numpy().tolist() == squared.argsort(axis=1)[:, :5].tolist()
    np.testing.assert_allclose(distances, np.sort(squared, axis=1)[:, :5], rtol=1e-5)


def test_of_a_small_index_all_are_given() -> None:
    distances, places = Nearest(index_of(torch.eye(3), [4, 5, 6]))(torch.eye(3)[1:2], 8)
    assert distances.tolist() == [[0, 2, 2]]
    assert sorted(places[0].tolist()) == [0, 1, 2]


def test_probabilities_are_mixed_as_in_the_paper() -> None:
    generator = np.random.default_rng(5)
    logits, distances = generator.normal(size=(4, 10)), generator.gamma(2.0, 20.0, size=(4, 6))
    tokens = generator.integers(0, 10, size=(4, 6))
    own = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = 0.7 * own
    for row in range(4):
        weights = np.exp(-distances[row] / 10.0)
        for token, weight in zip(tokens[row], weights / weights.sum(), strict=True):
            expected[row, token] += 0.3 * weight
    found = mixed(
        torch.tensor(own).log().float(), torch.tensor(distances).float(), torch.tensor(tokens),
        0.3, 10.0,
    )  # fmt: skip
    np.testing.assert_allclose(found.exp(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in OVER_FRAMES])
def test_steps_of_every_architecture(name: str) -> None:
    model = make_model(ARCHITECTURES[name]).eval()
    width = model.decoder.width
    index = index_of(torch.randn(40, width), [4 + n % 4 for n in range(40)])
    stepper = NeighbourStepper(model, Nearest(index), share=0.4, count=3, temperature=2.0)
    with torch.no_grad():
        whole, _ = stepper.step(READ, stepper.start(SOURCE))
        own = torch.log_softmax(model(SOURCE, READ), dim=2)
        state, steps = stepper.start(SOURCE), []
        for column in READ.split(1, dim=1):
            log_probs, state = stepper.step(column, state)
            steps.append(log_probs)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whole.exp().sum(2), torch.ones(2, 3))
    assert (whole.exp() >= 0.6 * own.exp() - 1e-6).all()
    assert stepper.vocabulary == model.vocabulary


# ---------------------------------------------------------------- the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    index_of(torch.randn(5, 4), [4, 5, 6, 7, 3]).save(tmp_path / "index")
    return tmp_path / "index"


def test_what_is_saved_is_read(path: Path) -> None:
    index = StateIndex.load(path)
    assert (len(index), index.states.shape, index.fingerprint) == (5, (5, 4), b"x")
    assert index.texts[2] == ("source 2", "target 2")
    assert index.steps.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("states", torch.zeros(4, 4).half(), r"states must be \[5, D\]; got \[4, 4\]"),
        ("states", torch.full((5, 4), torch.nan).half(), "states must hold finite numbers"),
        ("states", torch.zeros(5, 4), "states must be torch.float16; got torch.float32"),
        ("tokens", torch.zeros(0).int(), "at least one state"),
        ("tokens", torch.full((5,), -1).int(), "tokens and steps must be at least 0"),
        ("pairs", torch.full((5,), 5).int(), "pairs must be among its 5 texts"),
        ("pairs", torch.full((5,), -1).int(), "pairs must be among its 5 texts"),
        ("steps", torch.zeros(4).int(), "pairs and steps must have 5 entries"),
        ("texts", torch.tensor([91, 49], dtype=torch.uint8), "texts must be JSON"),
        ("texts", torch.tensor(list(b"[[1,2]]"), dtype=torch.uint8), "list of pairs of texts"),
        ("other", torch.zeros(1), "index must hold states, tokens"),
    ],
)
def test_no_number_of_it_is_believed(
    path: Path, name: str, value: torch.Tensor, message: str
) -> None:
    save_file({**load_file(path), name: value}, path)
    with pytest.raises(ModelError, match=f"index: .*{message}"):
        StateIndex.load(path)


# ---------------------------------------------------------------- the whole way


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("neighbours")
    texts = words(1, 60)
    train = write_reversals(home / "train.tsv", texts[:50])
    dev = write_reversals(home / "dev.tsv", texts[50:])
    train_tiny(tiny({"train": train, "dev": dev}, 20), home / "run")
    return home


def test_what_was_learnt_is_its_own_nearest_neighbour(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, index = folder / "run", folder / "run.index"
    assert call(monkeypatch, "index", model, "-o", index) == 0
    assert "states of 50 pairs written" in capsys.readouterr().out
    source, target = (folder / "train.tsv").read_text().splitlines()[3].split("\t")
    out = folder / "near.json"
    asked = ("--target", target, "--neighbours", index, "--nearest", "2")
    assert call(monkeypatch, "explain", model, source, *asked, "-o", out) == 0
    found = json.loads(out.read_text())
    assert found["tokens"] == [*target, "end"]
    for step, own in enumerate(found["neighbours"]):
        assert own[0]["distance"] < 1e-3
        assert (own[0]["source"], own[0]["step"]) == (source, step)
        assert own[0]["token"] == found["tokens"][step]
    capsys.readouterr()
    assert call(monkeypatch, "explain", model, source, *asked) == 0
    assert "went on with" in capsys.readouterr().out


def test_predictions_ask_the_neighbours(folder: Path) -> None:
    trained = TrainedModel.load(folder / "run", "cpu")
    pairs = [line.split("\t") for line in (folder / "train.tsv").read_text().splitlines()]
    index = make_index(trained, [Example(s, (t,)) for s, t in pairs])
    index.save(folder / "own.index")
    options = {"neighbours.index": str(folder / "own.index"), "neighbours.temperature": 0.001}
    sources, targets = zip(*pairs, strict=True)

    def right() -> int:
        found = trained.predict(sources, trained.config.search)
        return sum(best.text == target for (best, *_), target in zip(found, targets, strict=True))

    before = right()
    trained.config = trained.config.updated({**options, "neighbours.share": 0.99})
    assert right() > before + 20  # twenty steps have taught little, its memory knows them all
    trained.config = trained.config.updated({"engine": "float32"})
    with pytest.raises(EngineError, match="engine must be auto or reference where neighbours"):
        trained.stepper()


def test_an_index_is_of_one_model(folder: Path) -> None:
    trained = TrainedModel.load(folder / "run", "cpu")
    index = make_index(trained, [Example("ab", ("ba", "ab"))])
    assert len(index) == 6
    index.require_of(trained.model, "index")
    assert nearest_pairs(trained, "ab", Nearest(index), "ba", count=1).output == "ba"
    with pytest.raises(ModelError, match="index must be of this model's weights"):
        replace(index, fingerprint=b"other").require_of(trained.model, "index")
    wide = replace(index, states=torch.zeros(6, 3).half())
    with pytest.raises(ModelError, match="states must be of width"):
        wide.require_of(trained.model, "index")
    before = fingerprint_of(trained.model)
    with torch.no_grad():
        trained.model.output.bias[5] += 1
    assert fingerprint_of(trained.model) != before


def test_pairs_beyond_the_positions_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stack = {"kind": "transformer", "positions": "learned", "max_positions": 6, "width": 8}
    stack |= {"heads": 2, "feedforward": 8, "layers": 1}
    data = {"train": write_reversals(tmp_path / "train.tsv", ["ab", "ba", "abc"] * 3)}
    data["dev"] = write_reversals(tmp_path / "dev.tsv", ["ab", "b"])
    config = tiny(data, 1, model={"encoder": stack, "decoder": stack}, search={"max_length": 5})
    trained, _ = train_tiny(config, tmp_path / "run")
    fitting, longer = "abcab", "abcabc"  # with their ends six symbols, and seven
    examples = [Example(fitting, ("b",)), Example(longer, ("b",)), Example("b", (longer,))]
    index = make_index(trained, examples)
    assert index.texts == [(fitting, "b")]
    assert "the index is without 2 of 3 pairs" in caplog.text


def test_options_without_an_index_are_refused() -> None:
    with pytest.raises(ConfigError, match="index must be given for share; got none"):
        tiny({}, neighbours={"share": 0.5})


def test_without_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"pip install 'transduce\[neighbours\]'"):
        Nearest(index_of(torch.eye(3), [4, 5, 6]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "b"], "--neighbours must be asked of one SOURCE, without --against"),
        (["-o", "near.png"], "--output must end in .json for neighbours; got near.png"),
    ],
)
def test_what_a_person_can_get_wrong(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "explain", "RUN", "ab", "--neighbours", "i", *arguments) == 2
    assert message in capsys.readouterr().err
