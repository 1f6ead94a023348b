"""``transduce shrink --prune``: what goes, what is said, what is refused, training that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import call
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.commands.show import show
from transduce.config import Config
from transduce.errors import ConfigError
from transduce.pretrained.published_model import read_learnt_from
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.corpora.train_sample import train_sample
from transduce.workflow.fitting.fit import fit
from transduce.workflow.pruning.asked_shares import AskedShare, read_asked
from transduce.workflow.pruning.going_on import PRUNED
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

STACK = {
    "kind": "transformer",
    "layers": 3,
    "width": 16,
    "feedforward": 32,
    "heads": 4,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    pairs = write_reversals(home / "pairs.tsv", words(1, 40))
    data = {"train": pairs, "dev_fraction": 0.3}
    train_tiny(tiny(data, steps=3, model={"encoder": STACK, "decoder": STACK}), home / "model")
    train_tiny(tiny(data), home / "recurrent")
    return home


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def shrink_command(*words: object, model: str = "model") -> int:
        return call(monkeypatch, "shrink", home / model, "-o", tmp_path / "out", *words)

    return shrink_command


def test_what_goes_is_gone(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shares = ("feedforward=0.5", "encoder.heads=0.25", "decoder.layers=1")
    assert run("--prune", *shares) == 0
    said = capsys.readouterr()
    assert "decoder.layers: 3 to 2" in said.err
    assert "float32: " in said.out
    model = TrainedModel.load(tmp_path / "out", "cpu")
    encoder, decoder = model.config.model.encoder, model.config.model.decoder
    assert (encoder.layers, decoder.layers) == (3, 2)
    inner = [
        len(layer.feedforward.inner.weight)
        for stack in (model.model.encoder, model.model.decoder)
        for layer in stack.layers
    ]
    assert sum(inner) == 80  # of 5 · 32
    heads = [layer.attention.heads for layer in model.model.encoder.layers]
    assert sum(heads) == 9
    assert decoder.heads == 4
    assert model.config.weights == "float32"
    assert [best.text for best, *_ in model.predict(["abc"], model.config.search)]
    assert "transformer encoder" in show(tmp_path / "out")


def test_pruned_then_rounded(run, tmp_path: Path) -> None:
    assert run("--prune", "heads=0.5,feedforward=0.25", "--weights", "int8") == 0
    assert TrainedModel.load(tmp_path / "out", "cpu").config.weights == "int8"


REFUSED = [
    ("feedforward=1.0", "must be a share above 0 and below 1; got 1.0"),
    ("heads=-0.5", "must be a share above 0 and below 1; got -0.5"),
    ("heads=0", "must be a share above 0 and below 1; got 0"),
    ("heads=nan", "must be a share above 0 and below 1; got nan"),
    ("heads=2", "must be a share above 0 and below 1; got 2"),
    ("layers=1.0", "must be a share above 0 and below 1, or how many; got 1.0"),
    ("layers=-1", "must be a share above 0 and below 1, or how many; got -1"),
    ("heads", "must be a share above 0 and below 1; got none"),
    ("haeds=0.5", "must be of layers, heads, feedforward, hidden"),
    ("haeds=0.5", "did you mean heads?"),
    ("middle.heads=0.5", "must be of layers, heads, feedforward, hidden"),
    ("heads=0.5,decoder.heads=0.5", "must name each part once; got decoder.heads twice"),
    ("", "must be PART=SHARE; got nothing"),
    ("layers=3", "must leave a layer of the encoder's 3"),
    ("decoder.layers=9", "must leave a layer of the decoder's 3"),
    ("heads=0.9", "at most 0.75 may go"),
    ("hidden=0.5", "the model has no hidden units of recurrent layers"),
]


@pytest.mark.parametrize(("share", "expected"), REFUSED)
def test_shares_that_are_refused(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: str, expected: str
) -> None:
    assert run("--prune", share) != 0
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_models(home: Path, run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for share, expected in (
        ("feedforward=0.5", "the model has no feed-forward blocks"),
        ("heads=0.5", "the model has no attention heads of a Transformer"),
        ("layers=1", "must be of a Transformer, whose layers can go"),
    ):
        assert run("--prune", share, model="recurrent") != 0
        assert expected in capsys.readouterr().err
    shrink(TrainedModel.load(home / "model", "cpu"), "int8").save(tmp_path / "int8")
    assert run("--prune", "heads=0.5", model=str(tmp_path / "int8")) != 0
    assert "model must have float32 weights to be pruned; got int8" in capsys.readouterr().err


def test_hidden_units(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--prune", "hidden=0.5", model="recurrent") == 0
    assert "encoder.width: 8 to" in capsys.readouterr().err
    model = TrainedModel.load(tmp_path / "out", "cpu")
    widths = model.config.model.encoder.width, model.config.model.decoder.width
    assert sum(widths) == 8
    assert model.config.model.embedding_width == 8
    assert model.predict(["abc"], model.config.search)


def test_options_that_are_refused(run, capsys: pytest.CaptureFixture[str]) -> None:
    for words_given, expected in (
        (["heads=0.5"], "must be given with --prune; got heads=0.5 without it"),
        (["--resume"], "--resume must be given with --prune"),
        (["--prune", "heads=0.5", "--resume"], "--resume must be given with --minutes"),
        (["--prune", "heads=0.5", "--minutes", "0"], "--minutes must be more than 0"),
        (["--scores", "gates"], "--scores must be given with --prune"),
        (["--prune", "heads=0.5", "--scores", "gate"], "must be one of taylor, gates; got 'gate'"),
        (["--prune", "layers=1", "--scores", "gates"], "--scores must be given with heads"),
        (["--prune", "heads=0.5", "other"], "MODEL must stand alone, or with KEY=VALUE"),
        (["--prune", "heads=0.5", "model.tie=all"], "option must be of data or training"),
        (["--prune", "heads=0.5", "training.seed=2"], "must be given with --minutes"),
        (["--prune", "heads=0.5", "--minutes", "1", "--resume"], "--resume must have a run"),
    ):
        assert run(*words_given) != 0
        assert expected in capsys.readouterr().err


def test_data_that_has_moved(
    home: Path, run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = home / "pairs.tsv"
    elsewhere = moved.rename(tmp_path / "moved.tsv")
    try:
        assert run("--prune", "heads=0.5") != 0
        assert "data.train=FILE data.dev=FILE name what has moved" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert run("--prune", "heads=0.5", f"data.dev={elsewhere}") == 0  # no train is read
    finally:
        elsewhere.rename(moved)


def test_training_goes_on_and_can_be_resumed(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--prune", "feedforward=0.5", "--minutes", "5", "training.max_steps=4")
    assert run(*given) == 0
    out = tmp_path / "out"
    model = TrainedModel.load(out, "cpu")
    recipe = model.config.training
    assert recipe.max_minutes == 5
    assert recipe.learning_rate == pytest.approx(0.3 * 1e-3)
    assert model.report["training"]["steps"] == 4
    assert model.config.model.encoder.feedforward != 32
    begun = TrainedModel.load(out / PRUNED, "cpu")
    assert begun.config.model.encoder == model.config.model.encoder
    # resumed as it is, to more steps
    assert run(*given[:-1], "training.max_steps=6", "--resume") == 0
    assert TrainedModel.load(out, "cpu").report["training"]["steps"] == 6
    capsys.readouterr()
    assert run("--prune", "feedforward=0.25", "--minutes", "5", "--resume") != 0
    assert "--prune must be feedforward=0.5 to resume" in capsys.readouterr().err
    assert run(*given) != 0
    said = capsys.readouterr().err
    assert "--output must be a new directory" in said
    assert "which holds a run (continue it with --resume" in said


def test_what_a_full_disk_left_is_in_nobodys_way(run, tmp_path: Path) -> None:
    (tmp_path / "out" / "training").mkdir(parents=True)  # there was no room for more
    assert run("--prune", "heads=0.5", "--minutes", "5", "training.max_steps=1") == 0
    assert TrainedModel.load(tmp_path / "out", "cpu").report["training"]["steps"] == 1


def test_what_a_kill_left_before_training_is_in_nobodys_way(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--prune", "heads=0.5", "--minutes", "5", "training.max_steps=1")
    out = tmp_path / "out"
    begun = out / PRUNED
    begun.mkdir(parents=True)
    (begun / ".incoming-1-x").mkdir()  # of a writer that is there no more
    assert run(*given, "--resume") != 0
    assert "--resume must have a run to go on with; got none" in capsys.readouterr().err
    for foreign in (out / "mine", out / "training" / "mine", begun / "mine"):
        foreign.write_text("mine")
        assert run(*given) != 0
        assert "--output must be a new directory" in capsys.readouterr().err
        foreign.unlink()
    assert run(*given) == 0
    assert TrainedModel.load(out, "cpu").report["training"]["steps"] == 1


def test_gates_are_learnt_on_train(
    home: Path,
    run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("transduce.workflow.pruning.prune.STEPS", 5)
    given = ("--prune", "feedforward=0.5", "heads=0.25", "--scores", "gates")
    more = ("--minutes", "5", "training.max_steps=1")
    assert run(*given, *more) == 0
    out = tmp_path / "out"
    assert TrainedModel.load(out, "cpu").config.model.encoder.feedforward != 32
    assert "choosing what goes, by gates learnt on train" in capsys.readouterr().err
    assert run(*given, *more[:-1], "training.max_steps=2", "--resume") == 0
    assert run(*given[:-2], *more, "--resume") != 0
    assert "--scores must be gates to resume" in capsys.readouterr().err
    (home / "pairs.tsv").rename(home / "moved.tsv")
    try:
        assert run(*given, "-o", tmp_path / "other", f"data.dev={home / 'moved.tsv'}") != 0
        assert "data.train=FILE data.dev=FILE name what has moved" in capsys.readouterr().err
    finally:
        (home / "moved.tsv").rename(home / "pairs.tsv")


def test_train_is_sampled(home: Path, tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "train.tsv", words(3, 300))
    config = tiny({"train": pairs, "dev_fraction": 0.3})
    train = {pair.source for pair in open_corpora(config).train()}
    found = train_sample(config, 50)
    assert found == train_sample(config, 50)
    sources = [example.source for example in found[""]]
    assert len(sources) == 50
    assert train > {*sources}
    assert sources != [pair.source for pair in open_corpora(config).train()][:50]
    assert len(train_sample(config)[""]) == len(train)
    parts = {"ice": {"train": str(pairs)}, "ita": {"train": str(pairs)}}
    mixture = train_sample(tiny({"parts": parts}), 50)
    assert {name: len(examples) for name, examples in mixture.items()} == {"ice": 25, "ita": 25}


def test_trained_on_then_rounded_is_over(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--prune", "heads=0.5", "--minutes", "5", "training.max_steps=1", "--weights", "int8")
    assert run(*given) == 0
    assert TrainedModel.load(tmp_path / "out", "cpu").config.weights == "int8"
    assert run(*given, "--resume") != 0
    assert "is over" in capsys.readouterr().err


def test_a_pruned_model_is_where_others_begin(home: Path, run, tmp_path: Path) -> None:
    assert run("--prune", "heads=0.5") == 0
    assert run("--prune", "feedforward=0.5", model=str(tmp_path / "out")) != 0  # -o is taken
    given = {
        "data": {"train": str(home / "pairs.tsv"), "dev_fraction": 0.3},
        "model": {"from": str(tmp_path / "out")},
        "training": {"max_steps": 1, "batch_tokens": 64, "precision": "float32"},
    }
    config = Config.from_mapping(given)
    trained = fit(
        config, open_corpora(config), tmp_path / "run", learnt_from=read_learnt_from(config)
    )
    assert trained.config.model.encoder.heads == (
        TrainedModel.load(tmp_path / "out", "cpu").config.model.encoder.heads
    )


def test_what_is_asked_for() -> None:
    assert read_asked(["feedforward=0.6 decoder.layers=2", "heads=.5"]) == (
        AskedShare("feedforward", ("encoder", "decoder"), 0.6),
        AskedShare("layers", ("decoder",), None, 2),
        AskedShare("heads", ("encoder", "decoder"), 0.5),
    )
    assert AskedShare("heads", ("encoder",), 0.3).of(10) == 3
    assert AskedShare("heads", ("encoder",), 0.31).of(10) == 4
    with pytest.raises(ConfigError):
        read_asked(["layers=0"])
