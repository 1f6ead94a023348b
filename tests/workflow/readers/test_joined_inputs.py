"""A picture and a text as one source: from files and Python to outputs, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import call, feed
from recordings import write_recording
from transduce import Transducer
from transduce.automatic.planning import plan_pairs
from transduce.config import Config, SearchConfig, load_config, require_agreement
from transduce.errors import ConfigError, DataError, ModelError
from transduce.explain.neighbours.states_of_pairs import make_index
from transduce.reading.pair_files import Example
from transduce.workflow.evaluate import evaluate
from transduce.workflow.pruning.prune import prune
from transduce.workflow.trained import TrainedModel

TINY = {"kind": "gru", "width": 8, "dropout": 0.0}
MODEL = {
    "frontend": {"kind": "convolution2d", "channels": [2], "strides": [[4, 4]]},
    "encoder": TINY,
    "beside": {"encoder": {**TINY, "width": 6}},
    "decoder": TINY,
}
DATA = {"data.input": {"kind": "image", "height": 8}, "data.beside": {"kind": "text"}}


def write_pictures(folder: Path, count: int = 12) -> list[tuple[str, str, str]]:
    """Rows of a manifest: a picture of bars, a word, and the word's letter as often."""
    rows = []
    for number in range(count):
        bars, word = 1 + number % 3, ("stars", "bars")[number // 3 % 2]
        pixels = np.full((8, 8 * bars), 255, np.uint8)
        pixels[2:6, 2::8] = 0
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append((f"{number}.png", word, word[0] * bars))
    return rows


def fit(learner: Transducer, sources: list[tuple], targets: list[str]) -> None:
    """With the first pairs for dev, whatever their paths are."""
    learner.fit(sources, targets, dev=(sources[:2], targets[:2]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    rows = write_pictures(folder)
    (folder / "all.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    keyed = [{"picture": path, "word": word, "answer": text} for path, word, text in rows]
    (folder / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in keyed))
    return folder


def recipe(folder: Path, **options) -> Config:
    config = Config.from_mapping({"model": MODEL, "training": {"max_steps": 2}})
    files = {"data.train": folder / "all.tsv", "data.dev": folder / "all.tsv"}
    return config.updated({**DATA, **files, **options})


@pytest.fixture(scope="module")
def trained(folder) -> TrainedModel:
    """Fitted in Python, from pairs."""
    learner = Transducer(MODEL, max_steps=2, options=DATA, verbose=0)
    rows = write_pictures(folder)
    sources = [(folder / path, word) for path, word, _ in rows]
    fit(learner, sources, [text for *_, text in rows])
    return learner.trained_


def sources_of(folder: Path) -> list[tuple[str, str]]:
    return [(str(folder / "0.png"), "stars"), (str(folder / "2.png"), "bars")]


# -------------------------------------------------------- the whole way


def test_pairs_arrays_and_lines_are_one_source(trained, folder):
    (path, word), _ = sources_of(folder)
    given = [(path, word), (Path(path), word), (np.asarray(Image.open(path)), word)]
    given.append((Path(path).read_bytes(), word))
    found = [one[0] for one in trained.predict([*given, f"{path}\t{word}"], SearchConfig())]
    assert len({(one.tokens, one.score) for one in found}) == 1


def test_a_saved_model_says_the_same(trained, folder, tmp_path):
    trained.save(tmp_path / "model")
    assert (tmp_path / "model" / "source.tokenizer.json").is_file()
    again = TrainedModel.load(tmp_path / "model")
    assert again.config == trained.config
    options = SearchConfig(beam=2, nbest=2)
    expected = list(trained.predict(sources_of(folder), options))
    assert list(again.predict(sources_of(folder), options)) == expected


def test_training_scoring_and_answers_from_files(folder, tmp_path, monkeypatch, capsys):
    yaml = recipe(folder).to_yaml()
    (tmp_path / "recipe.yaml").write_text(yaml)
    run, table = tmp_path / "run", folder / "all.tsv"
    assert call(monkeypatch, "check", tmp_path / "recipe.yaml") == 0
    assert "unreadable" not in capsys.readouterr().out
    assert call(monkeypatch, "train", tmp_path / "recipe.yaml", "--output", run) == 0
    assert call(monkeypatch, "evaluate", run, f"data.test={table}", "--worst", "1") == 0
    capsys.readouterr()
    monkeypatch.chdir(folder)
    assert call(monkeypatch, "predict", run, "all.tsv") == 0
    answers = capsys.readouterr().out
    assert len(answers.splitlines()) == 12
    feed(monkeypatch, "".join(f"{n}.png\t{('stars', 'bars')[n // 3 % 2]}\n" for n in range(12)))
    assert call(monkeypatch, "predict", run) == 0
    assert capsys.readouterr().out == answers


def test_a_resumed_run_reads_the_same(folder, tmp_path, monkeypatch):
    """The recipe that a run keeps is the one that it had: columns and both inputs."""
    config = recipe(folder)
    (tmp_path / "recipe.yaml").write_text(config.to_yaml())
    read = load_config(tmp_path / "recipe.yaml")
    assert read == config
    assert (read.data.source, read.data.target) == ([0, 1], 2)
    assert read.updated({"training.max_steps": 3}).data == config.data
    assert Config.from_mapping(config.given()) == config


def test_columns_can_have_names(folder):
    from transduce.workflow.corpora.corpora import open_corpora

    names = {"data.source": ["picture", "word"], "data.target": "answer"}
    files = {"data.train": folder / "all.jsonl", "data.dev": folder / "all.jsonl"}
    pair = next(open_corpora(recipe(folder, **names, **files)).train())
    assert pair.source == f"{folder / '0.png'}\tstars"
    assert pair.target == "s"


def test_a_recording_and_a_text(tmp_path):
    paths = [write_recording(tmp_path / f"{n}.wav", "abcd"[n % 4], n) for n in range(8)]
    options = {
        "data.input": {"kind": "audio", "sampling_rate": 8000, "mel_bins": 10},
        "data.beside": {"kind": "text"},
    }
    model = {**MODEL, "frontend": {"kind": "subsampling", "channels": 2}}
    learner = Transducer(model, max_steps=1, options=options, verbose=0)
    sources = [(str(path), "loud" if n % 2 else "quiet") for n, path in enumerate(paths)]
    fit(learner, sources, ["abcd"[n % 4] for n in range(8)])
    samples = np.sin(np.arange(4000, dtype=np.float32))
    assert len(learner.predict([sources[0], (samples, "loud"), ((samples, 16_000), "loud")])) == 3
    with pytest.raises(ModelError, match="timings must be asked of a model of recordings alone"):
        learner(sources[:1], timings=True)


def test_two_pictures(folder):
    """The second is read by what reads pictures, relative to the same folder."""
    rows = write_pictures(folder)
    options = {
        "data.input": {"kind": "image", "height": 8},
        "data.beside": {"kind": "image", "height": 4, "color": True},
    }
    model = {**MODEL, "beside": {"frontend": {"kind": "linear"}, "encoder": TINY}}
    learner = Transducer(model, max_steps=1, options=options, verbose=0)
    paths = [str(folder / path) for path, *_ in rows]
    fit(learner, list(zip(paths, paths[::-1], strict=True)), [text for *_, text in rows])
    with pytest.raises(DataError, match=r"no\.png: picture must be a readable file"):
        learner.predict([(paths[0], str(folder / "no.png"))])


def test_pictures_change_in_training_and_texts_do_not(folder):
    changed = {"kind": "image", "height": 8, "augmentation": {"noise": 0.3}}
    config = recipe(folder, **{"data.input": changed})
    learner = Transducer(MODEL, max_steps=1, options={**DATA, "data.input": changed}, verbose=0)
    rows = write_pictures(folder)
    sources = [(folder / path, word) for path, word, _ in rows]
    fit(learner, sources, [text for *_, text in rows])
    reader, target = learner.trained_.reader, learner.trained_.target_tokenizer
    pairs = [(f"{folder / '0.png'}\tstars", "s")]
    corpus = reader.corpus({"": pairs}, target, config.data, seed=1)
    first, second = (corpus.in_epoch(epoch).batch([0]).source for epoch in (0, 1))
    assert not first.frames.equal(second.frames)
    assert first.beside.tokens.equal(second.beside.tokens)
    assert (
        corpus.unchanged().batch([0]).source.frames.equal(reader.encoded(pairs[0][0], None).frames)
    )
    assert reader.lengths([pairs[0][0]], "") == corpus.source_lengths.tolist()


# -------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model.beside": None}, r"model\.beside must be given where data\.beside is; got none"),
        ({"data.beside": None}, r"model\.beside must be none where data\.beside is none"),
        (
            {"data.beside": {"kind": "audio"}},
            r"beside\.frontend\.kind must be one for frames where",
        ),
        (
            {"model.beside.frontend": {"kind": "linear"}},
            r"beside\.frontend\.kind must be embedding where data\.beside is text; got linear",
        ),
        (
            {"data.input": {"kind": "text"}},
            r"data\.input must be audio or image \(a text goes into",
        ),
        ({"data.source": 0}, r"data\.source must be two columns, such as \[0, 1\], where"),
        ({"data.source": [0, 1, 2]}, r"data\.source must be two columns"),
        ({"data.source": [0, {"tags": 1}]}, r"data\.source must be two columns"),
        ({"data.target": 1}, r"data\.target must be another column than those of data\.source"),
        ({"data.source_prefix": "say: "}, r"data\.source_prefix must be empty where data\.beside"),
        ({"model.from": "runs/a"}, r"model\.from must be none where data\.beside is given"),
        ({"model.copy": True}, r"model\.copy must be false where data\.beside is given"),
        ({"model.ctc": True}, r"model\.ctc must be false where data\.beside is given"),
        (
            {"model.beside.encoder": {"kind": "transformer", "positions": "learned"}},
            r"model\.encoder\.positions must be of another kind than learned, in model\.beside too",
        ),
        ({"search.max_source_length": 9}, r"search\.max_source_length must be none where"),
        ({"tokenizer.shared": True}, r"tokenizer\.shared must be false where data\.input is image"),
        ({"training.source_word_dropout": 0.1}, r"source_word_dropout must be 0 where data\.input"),
    ],
)
def test_recipes_that_contradict_themselves(folder, options, message):
    with pytest.raises(ConfigError, match=message):
        require_agreement(recipe(folder, **options))


def test_a_mixture_of_two_inputs_is_refused(folder):
    parts = {"a": {"train": str(folder / "all.tsv")}}
    nothing = {"data.train": None, "data.dev": None, "data.tags": "none"}
    with pytest.raises(ConfigError, match=r"data\.parts must be none where data\.beside is given"):
        require_agreement(recipe(folder, **{"data.parts": parts}, **nothing))


def test_windows_of_recordings_are_refused(folder):
    audio = {"data.input": {"kind": "audio", "cut_at": 30}, "model.frontend": {"kind": "linear"}}
    with pytest.raises(ConfigError, match=r"cut_at must be none in data\.input and data\.beside"):
        require_agreement(recipe(folder, **audio))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("0.png", "source must be two inputs, a pair or a tab between them; got no tab"),
        (("0.png",), "source must be two inputs, a pair or a tab between them; got tuple"),
        (np.zeros((8, 8)), "source must be two inputs, a pair or a tab between them; got ndarray"),
        (("no.png", "bars"), "no.png: picture must be a readable file"),
    ],
)
def test_sources_that_are_not_two_inputs(trained, source, message):
    with pytest.raises(DataError, match=message):
        list(trained.predict([source], SearchConfig()))
    (output,) = next(trained.predict([source], SearchConfig(), keep_going=True))
    assert message in output.error


def test_answers_stand_beside_errors(trained, folder):
    good = sources_of(folder)
    mixed = ["0.png", good[0], ("no.png", "bars"), good[1], "1.png"]
    found = [one[0] for one in trained.predict(mixed, SearchConfig(), keep_going=True)]
    assert [bool(one.error) for one in found] == [True, False, True, False, True]
    expected = [one[0] for one in trained.predict(good, SearchConfig())]
    assert [found[1], found[3]] == expected


def test_sources_are_not_cut(trained, folder):
    options = SearchConfig(max_source_length=4)
    message = r"search\.max_source_length must be none where a source has two inputs; got 4"
    with pytest.raises(ConfigError, match=message):
        list(trained.predict(sources_of(folder), options))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            ["0.png"],
            r"sources must be pairs, a path and what stands beside it; got str \(number 1\)",
        ),
        ([("a\tb.png", "bars")], r"a path must have no tab; got one \(number 1\)"),
        ([("0.png", 7)], r"sources, number 1, must be texts; got int \(number 2\)"),
    ],
)
def test_lists_that_are_not_pairs(sources, message):
    learner = Transducer(MODEL, max_steps=1, options=DATA, verbose=0)
    with pytest.raises(DataError, match=message):
        learner.fit(sources, ["x"])


def test_a_pair_is_no_source_of_other_models(trained):
    from transduce.audio.reader import AudioReader
    from transduce.config.audio import AudioConfig

    with pytest.raises(DataError, match="recording must be one input for this model; got two"):
        AudioReader(AudioConfig()).read(("a.wav", "loud"))
    learner = Transducer(MODEL, max_steps=1, verbose=0)
    with pytest.raises(DataError, match="sources must be texts; got tuple"):
        learner.fit([("a.png", "bars")], ["x"])


def test_one_input_alone_is_no_file_of_sources(trained, folder, tmp_path, monkeypatch, capsys):
    trained.save(tmp_path / "model")
    assert call(monkeypatch, "predict", tmp_path / "model", folder / "0.png") != 0
    assert "INPUT must be a file whose records have both inputs" in capsys.readouterr().err
    feed(monkeypatch, f"{folder / '0.png'}\tbars\n\n{folder / '0.png'}\n")
    assert call(monkeypatch, "predict", tmp_path / "model") != 0
    printed = capsys.readouterr()
    assert "line 2: line must have the two inputs of a source; got nothing" in printed.err
    assert "line 3: line must have the 2 source columns (0, 1)" in printed.err
    assert len(printed.out.splitlines()) == 3


ONE = r"must be asked of a model whose source is one input; got one of two \(data\.beside\)"


def test_what_knows_one_input_alone_says_so(trained, folder, tmp_path):
    learner = Transducer._around(trained)
    source, examples = sources_of(folder)[0], [Example("\t".join(sources_of(folder)[0]), ("s",))]
    with pytest.raises(ConfigError, match=f"an explanation {ONE}"):
        learner.explain(source)
    with pytest.raises(ConfigError, match=f"a picture of attention {ONE}"):
        learner.attention(source)
    with pytest.raises(ConfigError, match=f"pruning {ONE}"):
        prune(trained, [], {"": examples})
    with pytest.raises(ConfigError, match=f"an index of neighbours {ONE}"):
        make_index(trained, examples)
    with pytest.raises(ConfigError, match=f"a chosen recipe {ONE}"):
        plan_pairs(["a\tb"], ["x"], DATA, 1.0)
    with pytest.raises(ModelError, match="source must be text for this; the model reads image and"):
        trained.coders("")
    assert evaluate(trained, examples).report.counts["sentences"] == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("distil MODEL --output OUT", ONE),
        ("augment RECIPE --model MODEL --text TABLE --output OUT", ONE),
        ("adapt MODEL TABLE --output OUT", ONE),
        ("export MODEL --output OUT", r"model\.encoder\.kind must be transformer for ctranslate2"),
        ("shortlist MODEL", "model must read text to have a shortlist; got one that reads image"),
        ("ladder MODEL --data TABLE", ONE),
        ("predict MODEL TABLE --output OUT --on here", ONE),
        (
            "predict MODEL TABLE --column 0",
            "--column must be used with a model whose source is one",
        ),
        ("serve MODEL", ONE),
        ("tune RECIPE --output OUT", ONE),
        ("explain MODEL TABLE", ONE),
        ("show MODEL --attention TABLE --output OUT", ONE),
    ],
)
def test_commands_that_know_one_input_alone(
    command, message, trained, folder, tmp_path, monkeypatch, capsys
):
    """One line, and no traceback."""
    trained.save(tmp_path / "model")
    (tmp_path / "recipe.yaml").write_text(recipe(folder).to_yaml())
    names = {
        "MODEL": tmp_path / "model",
        "OUT": tmp_path / "out.png",
        "RECIPE": tmp_path / "recipe.yaml",
        "TABLE": folder / "all.tsv",
    }
    assert call(monkeypatch, *(names.get(word, word) for word in command.split())) != 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("transduce")]
    assert len(lines) == 1
    assert re.search(message, lines[0])
