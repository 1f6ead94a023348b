"""Pictures through the whole of the house: from a manifest to scores and drawings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.image import imread
from PIL import Image, ImageDraw

from command_line import call
from transduce import Transducer
from transduce.config import Config
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]

RECURRENT = {"kind": "gru", "width": 32, "dropout": 0.0}
FRONTENDS = {
    "convolution2d": {"channels": [8, 16], "strides": [[2, 2], [2, 2]]},
    "patches": {"patch_height": 4, "patch_width": 4},
}


def shapes(text: str, chance: np.random.Generator) -> Image.Image:
    """A line of bars (I), rings (O) and dashes (T), 16 pixels high, as wide as it has shapes."""
    picture = Image.new("L", (10 * len(text) + 4, 16), "white")
    draw = ImageDraw.Draw(picture)
    for place, shape in enumerate(text):
        left, top = 3 + 10 * place + int(chance.integers(0, 2)), int(chance.integers(2, 5))
        match shape:
            case "I":
                draw.rectangle((left + 2, top, left + 4, top + 9), fill="black")
            case "O":
                draw.ellipse((left, top + 1, left + 7, top + 8), outline="black", width=2)
            case "T":
                draw.rectangle((left, top + 4, left + 7, top + 6), fill="black")
    return picture


def write_split(folder: Path, split: str, count: int, seed: int) -> Path:
    chance = np.random.default_rng(seed)
    (folder / split).mkdir(parents=True)
    lines = []
    for number in range(count):
        text = "".join(chance.choice(list("IOT"), chance.integers(1, 5)))
        shapes(text, chance).save(folder / split / f"{number}.png")
        lines.append(f"{split}/{number}.png\t{text}\n")
    (folder / f"{split}.tsv").write_text("".join(lines))
    return folder / f"{split}.tsv"


def recipe(home: Path, frontend: str, **training: object) -> dict:
    data = {split: str(home / f"{split}.tsv") for split in ("train", "dev", "test")}
    augmentation = {"shift": 0.05, "noise": 0.05}
    return {
        "name": "shapes",
        "data": {**data, "input": {"kind": "image", "height": 16, "augmentation": augmentation}},
        "model": {
            "frontend": {"kind": frontend, **FRONTENDS[frontend]},
            "encoder": RECURRENT,
            "decoder": {**RECURRENT, "attention": "general"},
        },
        "training": {
            "max_steps": 250,
            "batch_tokens": 1500,
            "learning_rate": 0.01,
            "warmup_steps": 10,
            "label_smoothing": 0.0,
            "evaluate_every": 125,
            "average": "none",
            "metric": "exact_match",
            **training,
        },
        "search": {"max_length": 8},
        "evaluation": {"metrics": ["loss", "exact_match", "cer"]},
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    for seed, (split, count) in enumerate({"train": 400, "dev": 40, "test": 60}.items()):
        write_split(folder, split, count, seed)
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Path:
    config = Config.from_mapping(recipe(home, "convolution2d"))
    fit(config, open_corpora(config), home / "run")
    return home / "run"


@pytest.mark.learning
def test_a_line_of_shapes_is_read(model: Path, monkeypatch: Patch, capsys: Capture) -> None:
    assert call(monkeypatch, "evaluate", model, "--json", model / "scores.json") == 0
    scores = json.loads((model / "scores.json").read_text())
    assert scores["metrics"]["exact_match"] >= 80
    assert call(monkeypatch, "show", model) == 0
    shown = capsys.readouterr().out
    assert "shapes: convolution2d frontend, gru encoder, gru decoder" in shown
    assert "frontend " in shown.split("parameters", 1)[1]  # its parameters
    assert "max width" in shown


@pytest.mark.learning
def test_patches_learn_too(home: Path, tmp_path: Path) -> None:
    config = Config.from_mapping(recipe(home, "patches", max_steps=160, evaluate_every=160))
    trained = fit(config, open_corpora(config), tmp_path / "run")
    assert trained.report["training"]["best"]["exact_match"] >= 30


@pytest.mark.learning
def test_predict_takes_paths_folders_and_lists(
    home: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    first = [home / "test" / f"{n}.png" for n in range(3)]
    assert call(monkeypatch, "predict", model, *first) == 0
    by_path = capsys.readouterr().out.splitlines()
    assert len(by_path) == 3
    listed = home / "list.txt"
    listed.write_text("test/0.png\ntest/1.png\ntest/2.png\n")
    assert call(monkeypatch, "predict", model, listed) == 0
    assert capsys.readouterr().out.splitlines() == by_path
    assert call(monkeypatch, "predict", model, home / "test") == 0
    assert len(capsys.readouterr().out.splitlines()) == 60


@pytest.mark.learning
@pytest.mark.parametrize("engine", ["reference", "float32"])
def test_engines_agree_on_pictures(home: Path, model: Path, engine: str) -> None:
    trained = TrainedModel.load(model)
    paths = [str(home / "test" / f"{n}.png") for n in range(60)]
    options = trained.config.search.model_copy(update={"beam": 3})
    trained.config = trained.config.updated({"engine": engine})
    found = [best.text for best, *_ in trained.predict(paths, options)]
    trained.config = trained.config.updated({"engine": "reference"})
    assert found == [best.text for best, *_ in trained.predict(reversed(paths), options)][::-1]


@pytest.mark.learning
def test_attention_is_drawn_on_the_picture(
    home: Path, model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "a.png"
    source = home / "test" / "0.png"
    assert call(monkeypatch, "show", model, "--attention", source, "--output", path) == 0
    said, where = capsys.readouterr().out.splitlines()
    assert set(said) <= set("IOT")
    assert where == f"attention drawn in {path}"
    pixels = imread(path)
    assert (pixels[..., 0] - pixels[..., 2]).max() > 0.3  # red somewhere


@pytest.mark.learning
def test_attention_goes_from_left_to_right(home: Path, model: Path) -> None:
    trained = TrainedModel.load(model)
    picture = shapes("IOTI", np.random.default_rng(5))
    weights = trained.attention(np.asarray(picture), "IOTI").numpy()
    centres = weights[:4] @ np.arange(weights.shape[1])
    assert weights.shape == (5, -(-picture.width // 4))
    assert (np.diff(centres) > 0).all()


@pytest.mark.learning
def test_a_sheet_shows_the_best_and_worst(
    model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "sheet.png"
    assert call(monkeypatch, "evaluate", model, "--sheet", path) == 0
    assert imread(path).shape[0] > 200


@pytest.mark.learning
def test_from_python(home: Path, tmp_path: Path) -> None:
    rows = [line.split("\t") for line in (home / "train.tsv").read_text().splitlines()[:60]]
    paths, texts = [home / name for name, _ in rows], [text for _, text in rows]
    values = recipe(home, "convolution2d")
    fresh = Transducer(
        values["model"], max_steps=3, dev_fraction=0.2, options={"data.input": {"kind": "image"}}
    )
    fresh.fit(paths, texts).save(tmp_path / "model")
    again = Transducer.load(tmp_path / "model")
    arrays = [np.asarray(Image.open(path)) for path in paths[:4]]
    assert again.predict(arrays) == again.predict(paths[:4]) == fresh.predict(paths[:4])
    again.draw_attention(paths[0], tmp_path / "a.png")
    assert imread(tmp_path / "a.png").std() > 0.01


# ---------------------------------------------------------------- a killed run, bad input


def test_resumed_training_gives_the_same_weights(home: Path, tmp_path: Path) -> None:
    """Augmented pictures are the same again."""
    weights = []
    for name, stops in (("whole", [6]), ("parts", [3, 6])):
        for number, steps in enumerate(stops):
            values = recipe(home, "convolution2d", max_steps=steps, evaluate_every=3)
            values["training"] |= {"schedule": "constant", "warmup_steps": 0}
            config = Config.from_mapping(values)
            fit(config, open_corpora(config), tmp_path / name, resume=number > 0)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_check_names_bad_pictures(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    train = write_split(tmp_path, "train", 12, 1)
    (tmp_path / "train" / "3.png").write_bytes(b"")
    (tmp_path / "train" / "5.png").unlink()
    (tmp_path / "train" / "7.png").write_text("no picture")
    values = recipe(tmp_path, "convolution2d", max_steps=1)
    values["data"] |= {"dev": None, "test": None, "dev_fraction": 0.3}
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(values))
    assert call(monkeypatch, "check", path) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "train has 3 bad lines" in shown
    assert call(monkeypatch, "train", path, "--output", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert f"{train}, line 4" in error
    assert "got an empty file" in error
    assert len(error.splitlines()) == 1
    run = tmp_path / "skipped"
    assert call(monkeypatch, "train", path, "data.on_error=skip", "--output", run) == 0


def test_a_folder_of_pictures_with_texts(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    values = recipe(tmp_path, "convolution2d", max_steps=1)
    values["data"] |= {"train": str(folder), "dev": None, "test": None, "dev_fraction": 0.3}
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(values))
    assert call(monkeypatch, "train", path, "--output", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert error == (
        f"transduce: {folder}: folder must hold files named .png, .jpg, .jpeg, .webp; got none\n"
    )
    for number in range(12):
        shapes("IO", np.random.default_rng(number)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("IO\n")
    assert call(monkeypatch, "train", path, "--output", tmp_path / "run") == 0


@pytest.mark.learning
def test_predict_names_a_bad_picture(
    model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert call(monkeypatch, "predict", model, broken) == 2
    error = capsys.readouterr().err
    assert f"{broken}: picture must be whole; got a damaged file" in error
    assert len(error.splitlines()) == 1


@pytest.mark.learning
def test_sheets_are_for_pictures(
    home: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    text = Transducer("gru-tiny", max_steps=1, dev_fraction=0.5).fit(
        ["ab", "b"] * 9, ["b", "a"] * 9
    )
    text.save(tmp_path / "text")
    (tmp_path / "t.tsv").write_text("ab\tb\n")
    arguments = (tmp_path / "text", tmp_path / "t.tsv", "--sheet", tmp_path / "s.png")
    assert call(monkeypatch, "evaluate", *arguments) == 2
    error = capsys.readouterr().err
    assert "--sheet must be asked of a model that reads pictures; got one" in error
    assert "data.input is text" in error
