"""From recordings to texts: training, every command and the Python face on small recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from command_line import call
from recordings import RATE, spoken, write_manifest, write_recording
from transduce import Transducer
from transduce.config import Config, require_agreement
from transduce.errors import ConfigError, DataError, ModelError
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files, open_corpora
from transduce.workflow.evaluate import evaluate
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

INPUT = {
    "kind": "audio",
    "sampling_rate": RATE,
    "mel_bins": 24,
    "normalization": "recording",
    "augmentation": {"speed": 0.05, "noise": 0.05, "time_masks": 1, "time_mask_frames": 2},
}


def recipe(folder: Path, **training: object) -> Config:
    sizes = {"width": 48, "dropout": 0.0}
    return Config.from_mapping(
        {
            "name": "tones",
            "data": {
                "train": str(folder / "train.tsv"),
                "dev": str(folder / "dev.tsv"),
                "test": str(folder / "dev.tsv"),
                "input": INPUT,
            },
            "model": {
                "frontend": {"kind": "subsampling", "channels": 8},
                "encoder": {"kind": "gru", **sizes},
                "decoder": {"kind": "gru", "attention": "additive", **sizes},
            },
            "training": {
                "batch_tokens": 1000,
                "learning_rate": 4e-3,
                "warmup_steps": 5,
                "label_smoothing": 0.0,
                "average": "none",
                **training,
            },
            "search": {"max_length": 10},
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    write_manifest(folder, "train", 160, seed=1)
    write_manifest(folder, "dev", 24, seed=2)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = recipe(folder, max_epochs=22)
    path = tmp_path_factory.mktemp("run") / "model"
    fit(config, open_corpora(config), path)
    return path


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    """One command; its exit status and what it wrote."""

    def command(*arguments: str) -> SimpleNamespace:
        status = call(monkeypatch, *arguments)
        written = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=written.out, stderr=written.err)

    return command


def test_it_learns_to_hear(model: Path, folder: Path) -> None:
    trained = TrainedModel.load(model)
    examples = examples_from_files(folder / "dev.tsv", trained.config.data, Problems())
    found = evaluate(trained, examples)
    assert found.report.metrics["cer"] < 15
    assert found.report.counts["sentences"] == 24
    assert not (model / "source.tokenizer.json").exists()
    assert trained.report["vocabulary"] == {"target": 8}


def test_engine_and_reference_say_the_same(model: Path, folder: Path) -> None:
    trained = TrainedModel.load(model)
    paths = [str(path) for path in sorted((folder / "dev").glob("*.wav"))]
    options = trained.config.search
    trained.config = trained.config.updated({"engine": "float32"})
    fast = [best.tokens for best, *_ in trained.predict(paths, options)]
    trained.config = trained.config.updated({"engine": "reference"})
    assert [best.tokens for best, *_ in trained.predict(paths, options)] == fast


def test_sources_in_memory_are_as_files(model: Path, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", "abc", 3)
    listener = Transducer.load(model)
    from_file = listener([path])[0][0]
    from_array = listener([spoken("abc", 3)])[0][0]
    resampled = listener([(np.repeat(spoken("abc", 3), 2), 2 * RATE)])[0][0]
    assert from_file.text == from_array.text == resampled.text
    assert from_file.score == pytest.approx(from_array.score, abs=1e-2)


def test_attention_runs_over_the_frontends_vectors(model: Path, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", "abc", 3)
    weights = TrainedModel.load(model).attention(str(path), "abc")
    assert weights.shape == (4, 8)  # 30 frames, a fourth of them rounded up
    assert weights.sum(1).tolist() == pytest.approx([1.0] * 4, abs=1e-4)


# ---------------------------------------------------------------- the terminal


def test_predict_reads_paths_lists_and_folders(run, model: Path, tmp_path: Path) -> None:
    for text in ("ab", "c", "dd"):
        write_recording(tmp_path / "clips" / f"{text}.wav", text, 5)
    clips = [f"clips/{text}.wav" for text in ("ab", "c", "dd")]
    (tmp_path / "list.txt").write_text("".join(f"{clip}\n" for clip in clips))
    given = [str(tmp_path / clip) for clip in clips]
    by_path = run("predict", str(model), *given)
    assert by_path.returncode == 0, by_path.stderr
    assert len(by_path.stdout.splitlines()) == 3
    by_list = run("predict", str(model), str(tmp_path / "list.txt"))
    by_folder = run("predict", str(model), str(tmp_path / "clips"))
    assert by_list.stdout == by_folder.stdout == by_path.stdout
    as_json = run("predict", str(model), given[0], "--format", "jsonl", "--beam", "2")
    record = json.loads(as_json.stdout)
    assert record["source"] == given[0]
    assert record["text"] == by_path.stdout.splitlines()[0]


def test_other_commands_know_recordings(
    run, model: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run("show", str(model))
    assert shown.returncode == 0, shown.stderr
    for words in ("audio", "sampling rate", "8000", "frontend", "numbers of a frame"):
        assert words in shown.stdout
    tested = run("evaluate", str(model), "--worst", "1")
    assert tested.returncode == 0, tested.stderr
    assert "cer" in tested.stdout
    assert "times as fast as real time" in tested.stdout
    (tmp_path / "same").symlink_to(model)
    compared = run("compare", str(model), str(tmp_path / "same"))
    assert compared.returncode == 0, compared.stderr
    kind = ["data.input.kind=audio", f"data.input.sampling_rate={RATE}"]
    (tmp_path / "recipe.yaml").write_text(recipe(folder).to_yaml())
    checked = run("check", str(tmp_path / "recipe.yaml"))
    assert checked.returncode == 0, checked.stderr
    assert "hours, 100 frames a second" in checked.stdout
    write_recording(tmp_path / "data" / "good.wav", "ab")
    (tmp_path / "data" / "silent.wav").write_bytes(
        write_recording(tmp_path / "x.wav", "a").read_bytes()[:44] + bytes(1600)
    )
    manifest = tmp_path / "data" / "all.tsv"
    manifest.write_text("good.wav\tab\nsilent.wav\ta\nmissing.wav\tb\n")
    monkeypatch.chdir(tmp_path / "data")
    found = run("check", "all.tsv", *kind)
    assert "unreadable source: 2" in " ".join(found.stdout.split())
    assert "line 2: recording must hold sound; got silence (silent.wav)" in found.stdout
    assert "line 3: recording must be a readable file; got No such file" in found.stdout


def test_bad_input_is_one_line(run, model: Path, tmp_path: Path) -> None:
    def complaint(*arguments: str) -> str:
        done = run("predict", str(model), *arguments)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        return done.stderr

    assert "no.wav: recording must be a readable file" in complaint(str(tmp_path / "no.wav"))
    text = tmp_path / "text.wav"
    text.write_text("hello")
    assert "recording must be a whole WAV, FLAC, OGG or MP3 file" in complaint(str(text))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "folder must hold a file named .wav" in complaint(str(empty))
    gaps = tmp_path / "list.txt"
    gaps.write_text("\n")
    assert "line 1: line must be the path of a source; got nothing" in complaint(str(gaps))


# ---------------------------------------------------------------- training


def test_resume_is_bit_exact(folder: Path, tmp_path: Path) -> None:
    def weights(path: Path, *steps: int) -> dict[str, torch.Tensor]:
        for number, count in enumerate(steps):
            config = recipe(
                folder, max_steps=count, schedule="constant", warmup_steps=0, evaluate_every=3
            )
            trained = fit(config, open_corpora(config), path, resume=number > 0)
        return dict(trained.model.state_dict())

    whole, parts = weights(tmp_path / "whole", 6), weights(tmp_path / "parts", 3, 6)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_share_of_train_is_dev_wherever_the_folder_stands(folder: Path, tmp_path: Path) -> None:
    def names(place: Path) -> list[str]:
        config = recipe(place).updated({"data.dev": None, "data.dev_fraction": 0.2})
        return [Path(example.source).name for example in open_corpora(config).dev]

    moved = tmp_path / "moved"
    write_manifest(moved, "train", 160, seed=1)
    assert names(folder) == names(moved)
    assert 10 < len(names(folder)) < 60


def test_a_folder_of_recordings_and_texts(folder: Path, tmp_path: Path) -> None:
    for text in ("ab", "c"):
        write_recording(tmp_path / "all" / f"{text}.wav", text).with_suffix(".txt").write_text(text)
    write_recording(tmp_path / "all" / "d.wav", "d")
    config = recipe(folder).data.model_copy(update={"on_error": "skip"})
    problems = Problems("skip")
    found = examples_from_files(tmp_path / "all", config, problems)
    assert [example.references for example in found] == [("ab",), ("c",)]
    assert problems.counts == {"missing text": 1}


def test_damage_stops_training_or_is_skipped(folder: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path, "train", 12, seed=4)
    write_manifest(tmp_path, "dev", 3, seed=5)
    (tmp_path / "train" / "3.wav").write_bytes(b"RIFF")
    config = recipe(tmp_path, max_steps=2)
    with pytest.raises(DataError, match=r"train.tsv, line 4: recording must be a whole.*3.wav"):
        fit(config, open_corpora(config), tmp_path / "stopped")
    lenient = config.updated({"data.on_error": "skip"})
    trained = fit(lenient, open_corpora(lenient), tmp_path / "run")
    assert trained.report["data"]["problems"]["reasons"] == {"unreadable source": 1}
    assert trained.report["data"]["train_pairs"] == 11


def test_the_python_face_trains_on_paths(folder: Path) -> None:
    paths = sorted((folder / "dev").glob("*.wav"))
    texts = dict(line.split("\t") for line in (folder / "dev.tsv").read_text().splitlines())
    targets = [texts[f"dev/{path.name}"] for path in paths]
    options = {f"data.input.{key}": value for key, value in INPUT.items() if key != "augmentation"}
    options["model.frontend"] = {"kind": "subsampling", "channels": 4}
    learner = Transducer("gru-tiny", max_steps=2, dev_fraction=0.3, options=options)
    learner.fit(paths, targets)
    assert len(learner.predict(paths[:2])) == 2


# ---------------------------------------------------------------- what does not go together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.frontend": {"kind": "embedding"}}, "model.frontend.kind must be one for frames"),
        ({"data.input": {"kind": "text"}}, "model.frontend.kind must be embedding where data.inpu"),
        ({"tokenizer.shared": True}, "tokenizer.shared must be false where data.input is audio"),
        ({"training.tag_orders": 2}, "training.tag_orders must be 1 where data.input is audio"),
        ({"data.source": [0, 1]}, "data.source must be one column where data.input is audio"),
    ],
)
def test_options_that_contradict_the_input(tmp_path, changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        require_agreement(recipe(tmp_path).updated(changes))


def test_text_is_no_recording(model: Path) -> None:
    with pytest.raises(ModelError, match="source must be text for this; the model reads audio"):
        _ = TrainedModel.load(model).source_tokenizer


# ---------------------------------------------------------------- timings


def test_words_have_times(run, model: Path, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", "abc", 3)
    output = Transducer.load(model)([path], timings=True)[0][0]
    assert [word.text for word in output.words] == output.text.split()
    assert 0 <= output.words[0].start < output.words[-1].end <= 0.32
    done = run("predict", str(model), str(path), "--format", "jsonl", "--timings")
    words = json.loads(done.stdout)["hypotheses"][0]["words"]
    assert words[0]["text"] == output.words[0].text
    assert words[0]["start"] == pytest.approx(output.words[0].start, abs=0.05)
    plain = run("predict", str(model), str(path), "--format", "jsonl")
    assert "words" not in json.loads(plain.stdout)["hypotheses"][0]
    refused = run("predict", str(model), str(path), "--timings")
    assert refused.stderr == "transduce: --timings must be used with --format jsonl; got text\n"


def test_text_has_no_times() -> None:
    texts = ["ab", "ba", "abc", "ca"] * 4
    reverse = Transducer("gru-tiny", max_steps=1, dev_fraction=0.3).fit(texts, texts)
    with pytest.raises(ModelError, match="timings must be asked of a model of recordings"):
        reverse(["ab"], timings=True)
