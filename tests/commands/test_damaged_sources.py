"""Each kind of damage to a recording or picture: in train, dev, test, evaluation and prediction."""

from __future__ import annotations

import io
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from command_line import call
from recordings import spoken

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]
Maker = Callable[[Path], None]


def sound(samples: np.ndarray, form: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format=form, subtype=subtype)
    return file.getvalue()


def picture(seed: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    ink = np.random.default_rng(seed).random((16, 24)) > 0.5
    Image.fromarray((255 * ink).astype(np.uint8)).save(file, form)
    return file.getvalue()


def holding(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data) and None  # type: ignore[func-returns-value]


def zeroed(data: bytes, first: int, last: int) -> bytes:
    """The same with a stretch in the middle, behind the header, that is nothing."""
    return data[:first] + bytes(last - first) + data[last:]


NAN = spoken("ab").astype(np.float32)
NAN[900] = np.nan
FLAC, WAV, PNG = sound(spoken("ab"), "FLAC"), sound(spoken("ab")), picture(1)

RECORDINGS: dict[str, tuple[Maker, str]] = {
    "empty": (holding(b""), "got an empty file"),
    "text": (holding(b"no sound"), "got: Format not recognised"),
    "header": (holding(WAV[:30]), "recording must"),
    "cut": (holding(WAV[:1000]), "recording must be whole"),
    "middle": (holding(zeroed(FLAC, 1500, 2500)), "recording must be a whole"),
    "silent": (holding(sound(np.zeros(800))), "got silence"),
    "none": (holding(sound(np.zeros(0))), "got none"),
    "nan": (holding(sound(NAN, subtype="FLOAT")), "got NaN or infinity"),
    "long": (holding(FLAC[:21] + struct.pack(">BI", FLAC[21] & 0xF0 | 15, 2**32 - 1) + FLAC[26:]),
             "at most 30 minutes"),
    "fifo": (os.mkfifo, "got a pipe"),
    "folder": (Path.mkdir, "got Is a directory"),
    "gone": (lambda path: None, "No such file or directory"),
}  # fmt: skip
PICTURES: dict[str, tuple[Maker, str]] = {
    "empty": (holding(b""), "got an empty file"),
    "text": (holding(b"no picture"), "got another format"),
    "header": (holding(PNG[:20]), "picture must be whole"),
    "middle": (holding(zeroed(PNG, 60, 90)), "picture must be whole"),
    "cut": (holding(PNG[:-40]), "picture must be whole"),
    "jpeg": (holding(picture(1, "JPEG")[:400]), "picture must be whole"),
    "webp": (holding(picture(1, "WEBP")[:-30]), "picture must be whole"),
    "large": (holding(zeroed(PNG, 18, 19)[:16] + struct.pack(">II", 99_999, 99_999) + PNG[24:]),
              "picture must"),
    "fifo": (os.mkfifo, "got a pipe"),
    "folder": (Path.mkdir, "got Is a directory"),
    "gone": (lambda path: None, "No such file or directory"),
}  # fmt: skip
KINDS = {
    "audio": (RECORDINGS, "wav", "{kind: audio, sampling_rate: 8000, mel_bins: 16}", "subsampling"),
    "image": (PICTURES, "png", "{kind: image, height: 16}", "convolution2d"),
}


def write_set(folder: Path, name: str, kind: str, bad: dict[str, Maker]) -> Path:
    """A manifest of eight good sources, with bad ones among them."""
    suffix = KINDS[kind][1]
    folder = folder / name
    folder.mkdir()
    lines = []
    for number in range(8):
        text = "abcd"[number % 4]
        good = sound(spoken(text, number)) if kind == "audio" else picture(number)
        (folder / f"good{number}.{suffix}").write_bytes(good)
        lines.append(f"good{number}.{suffix}\t{text}\n")
    for place, (label, make) in enumerate(bad.items()):
        make(folder / f"bad-{label}.{suffix}")
        lines.insert(1 + place % 7, f"bad-{label}.{suffix}\ta\n")
    manifest = folder / "pairs.tsv"
    manifest.write_text("".join(lines))
    return manifest


def write_recipe(folder: Path, kind: str, **sets: Path) -> Path:
    _, _, given, frontend = KINDS[kind]
    named = ", ".join(f"{name}: {path}" for name, path in sets.items())
    small = "channels: [4], strides: [[2, 2]]" if kind == "image" else "channels: 4"
    recipe = folder / "r.yaml"
    recipe.write_text(
        f"data: {{{named}, input: {given}}}\n"
        f"model: {{frontend: {{kind: {frontend}, {small}}}, encoder: {{kind: gru, width: 8}}, "
        "decoder: {kind: gru, width: 8}}\n"
        "training: {max_steps: 2, evaluate_every: 2, batch_tokens: 4000}\n"
        "search: {max_length: 4}\n"
    )
    return recipe


@pytest.fixture(scope="module", params=list(KINDS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of damage in each of its sets, which leaves that out."""
    folder = tmp_path_factory.mktemp(request.param)
    bad = {label: make for label, (make, _) in KINDS[request.param][0].items()}
    sets = {name: write_set(folder, name, request.param, bad) for name in ("train", "dev", "test")}
    recipe = write_recipe(folder, request.param, **sets)
    with pytest.MonkeyPatch.context() as patch:
        arguments = ("train", recipe, "--output", folder / "model", "data.on_error=skip")
        assert call(patch, *arguments) == 0
    return folder


def kind_of(folder: Path) -> str:
    return next(kind for kind in KINDS if folder.name.startswith(kind))


def test_all_kinds_are_left_out_of_a_run(
    trained: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    assert call(monkeypatch, "evaluate", trained / "model") == 0
    found = capsys.readouterr().out
    count = len(KINDS[kind_of(trained)][0])
    assert f"not tested: {count} skipped ({count} unreadable source)" in found


def test_prediction_answers_those_beside_them(
    trained: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    bad, suffix, _, _ = KINDS[kind_of(trained)]
    lines = (trained / "test" / "pairs.tsv").read_text().splitlines()
    names = [line.split("\t")[0] for line in lines]
    good = trained / "test" / "good.txt"
    good.write_text("".join(f"{name}\n" for name in names if name.startswith("good")))
    assert call(monkeypatch, "predict", trained / "model", good) == 0
    expected = iter(capsys.readouterr().out.splitlines())
    every = trained / "test" / "all.txt"
    every.write_text("".join(f"{name}\n" for name in names))
    assert call(monkeypatch, "predict", trained / "model", every) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "" if name.startswith("bad") else next(expected) for name in names
    ]
    for label, (_, message) in bad.items():
        [line] = [line for line in said.err.splitlines() if f"bad-{label}.{suffix}: " in line]
        assert message in line
    assert f"got {len(bad)} of {len(names)} that are not" in said.err


def test_one_alone_is_one_line(trained: Path, monkeypatch: Patch, capsys: Capture) -> None:
    bad, suffix, _, _ = KINDS[kind_of(trained)]
    for label, (_, message) in bad.items():
        path = trained / "test" / f"bad-{label}.{suffix}"
        if label == "folder":
            shutil.rmtree(path)
            (path.parent / "list.txt").write_text(f"{path}\n")
            path.mkdir()
            path = path.parent / "list.txt"
        assert call(monkeypatch, "predict", trained / "model", path) == 2
        found = capsys.readouterr()
        assert found.out == "\n"
        [line] = found.err.splitlines()
        assert line.startswith("transduce: ")
        assert message in line


@pytest.mark.parametrize("place", ["train", "dev", "test"])
@pytest.mark.parametrize(("kind", "label"), [("audio", "middle"), ("audio", "gone"),
                                             ("image", "middle"), ("image", "gone")])  # fmt: skip
def test_without_leave_the_first_stops_it(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture, kind: str, label: str, place: str
) -> None:
    """Found by the header, or only when all is read."""
    make, message = KINDS[kind][0][label]
    sets = {
        name: write_set(tmp_path, name, kind, {label: make} if name == place else {})
        for name in ("train", "dev", "test")
    }
    recipe = write_recipe(tmp_path, kind, **sets)
    status = call(monkeypatch, "train", recipe, "--output", tmp_path / "model")
    if place == "test":
        assert status == 0
        capsys.readouterr()
        status = call(monkeypatch, "evaluate", tmp_path / "model")
    assert status == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert message in said
    assert f"bad-{label}" in said
