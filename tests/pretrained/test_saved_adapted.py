"""Models that transformers runs, saved in directories of ours and opened by the commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from library_models import write_bert_to_gpt2, write_gpt2, write_trocr
from PIL import Image
from published import TEXTS
from typer.testing import CliRunner

from transduce import Transducer, cli, pipeline
from transduce.confidence.record import confidence_json
from transduce.errors import ConfigError, DataError, EngineError, ModelError
from transduce.pretrained.foreign.foreign_model import AdaptedModel
from transduce.pretrained.published_model import load_trained, read_pretrained

SHORT = "search.max_length=8"


def run(*arguments: object) -> str:
    """What the command prints; its errors are raised."""
    found = CliRunner().invoke(cli.app, [*map(str, arguments)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def imported(write: Callable[[Path], object], folder: Path) -> tuple[Path, Path]:
    """The published directory and ours."""
    theirs, ours = folder / "theirs", folder / "ours"
    theirs.mkdir()
    write(theirs)
    run("import", theirs, "--output", ours)
    return theirs, ours


@pytest.fixture
def gpt2(tmp_path: Path) -> tuple[Path, Path]:
    return imported(write_gpt2, tmp_path)


@pytest.fixture
def bert_to_gpt2(tmp_path: Path) -> tuple[Path, Path]:
    return imported(write_bert_to_gpt2, tmp_path)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    noise = np.random.default_rng(0).integers(0, 256, (3, 20, 44, 3), dtype=np.uint8)
    paths = [str(tmp_path / f"{number}.png") for number in range(len(noise))]
    for path, picture in zip(paths, noise, strict=True):
        Image.fromarray(picture).save(path)
    return paths


@pytest.mark.parametrize("write", [write_gpt2, write_bert_to_gpt2], ids=["gpt2", "bert_to_gpt2"])
def test_texts_come_out_the_same(write, tmp_path):
    theirs, ours = imported(write, tmp_path)
    expected = Transducer.from_pretrained(theirs, device="cpu")(
        TEXTS, beam=3, nbest=3, max_length=8
    )
    assert Transducer.load(ours, device="cpu")(TEXTS, beam=3, nbest=3, max_length=8) == expected
    again = Transducer.from_pretrained(ours, device="cpu")
    assert again(TEXTS, beam=3, nbest=3, max_length=8) == expected
    source = tmp_path / "source.txt"
    source.write_text("\n".join(TEXTS) + "\n")
    printed = run("predict", ours, source, SHORT, "--format", "jsonl", "--beam", 3)
    texts = [json.loads(line)["text"] for line in printed.splitlines()]
    assert texts == [outputs[0].text for outputs in expected]


def test_pictures_come_out_the_same(tmp_path, pictures):
    theirs, ours = imported(write_trocr, tmp_path)
    expected = Transducer.from_pretrained(theirs, device="cpu")(pictures, beam=2, max_length=8)
    assert Transducer.load(ours, device="cpu")(pictures, beam=2, max_length=8) == expected
    printed = run("predict", ours, *pictures, SHORT, "--format", "jsonl", "--beam", 2)
    texts = [json.loads(line)["text"] for line in printed.splitlines()]
    assert texts == [outputs[0].text for outputs in expected]
    answers = pipeline("image-to-text", model=ours, device="cpu")(pictures, max_new_tokens=4)
    assert [set(answer[0]) for answer in answers] == [{"generated_text"}] * 3
    shown = run("show", ours)
    assert "theirs: vision-encoder-decoder, published, run by transformers" in shown
    assert "its own image processor" in shown
    manifest = tmp_path / "pairs.tsv"
    manifest.write_text("".join(f"{Path(path).name}\ta word\n" for path in pictures))
    with pytest.raises(ConfigError, match="--sheet must be used with Transduce's models"):
        run("evaluate", ours, manifest, SHORT, "--sheet", tmp_path / "sheet.png")
    run("evaluate", ours, manifest, SHORT, "--json", tmp_path / "scores.json")
    metrics = json.loads((tmp_path / "scores.json").read_text())["metrics"]
    assert metrics["exact_match"] == 0
    assert metrics["loss"] > 0


def test_the_folder_holds_no_pickle_and_needs_no_other(gpt2, tmp_path):
    theirs, ours = gpt2
    paths = {path for path in ours.rglob("*") if path.is_file()} - {ours / "SHA256SUMS"}
    assert {path.suffix for path in paths} == {".yaml", ".json", ".safetensors"}
    expected = Transducer.load(ours, device="cpu").predict(TEXTS, max_length=8)
    theirs.rename(tmp_path / "elsewhere")
    ours.rename(tmp_path / "moved")
    moved = Transducer.load(tmp_path / "moved", device="cpu")
    assert moved.predict(TEXTS, max_length=8) == expected
    moved.save(tmp_path / "moved")  # over the file that its weights were read from
    assert Transducer.load(tmp_path / "moved").predict(TEXTS, max_length=8) == expected
    library = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "moved" / "published")
    assert sum(p.numel() for p in library.parameters()) == sum(
        moved.trained_.parameters_by_module().values()
    )


def test_its_search_is_the_config_s(gpt2, tmp_path):
    model = Transducer.from_pretrained(gpt2[0], device="cpu")
    model.trained_.config = model.trained_.config.updated(
        {"search.max_length": 3, "search.beam": 2}
    )
    model.save(tmp_path / "saved")
    search = load_trained(tmp_path / "saved").config.search
    assert (search.max_length, search.beam) == (3, 2)


def test_the_report_is_kept(bert_to_gpt2, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{text}\t{text[::-1]}\n" for text in TEXTS))
    ours = bert_to_gpt2[1]
    config = (ours / "config.yaml").read_text()
    (ours / "config.yaml").write_text(config.replace("test: null", f"test: {pairs}"))
    assert "exact_match" in run("evaluate", ours)
    shown = run("show", ours)
    assert "theirs: encoder-decoder, published, run by transformers" in shown
    for part in ("published/model.safetensors", " encoder ", " decoder ", " bleu "):
        assert part in shown


def test_losses_are_the_library_s(bert_to_gpt2, tmp_path):
    theirs, ours = bert_to_gpt2
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{text}\t{text[::-1]}\n" for text in TEXTS))
    run("evaluate", ours, pairs, SHORT, "--json", tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())["metrics"]
    trained = read_pretrained(theirs, device="cpu")
    model = transformers.EncoderDecoderModel.from_pretrained(theirs).eval()
    rows = trained.target_tokenizer._imported.numbering.rows()
    source_rows = trained.source_tokenizer._imported.numbering.rows()
    total, count = 0.0, 0
    for text in TEXTS:
        source = [*trained.source_tokenizer.encode(text), 3]
        labels = [*(rows[n] for n in trained.target_tokenizer.encode(text[::-1])), 0]
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([[source_rows[n] for n in source]]),
                decoder_input_ids=torch.tensor([[0, *labels[:-1]]]),
            ).logits[0]
        wanted = torch.tensor(labels)
        total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
        count += len(labels)
    assert found["loss"] == pytest.approx(total / count, rel=1e-5)


def test_several_are_compared_and_joined(gpt2, tmp_path):
    ours = gpt2[1]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{text}\t{text[::-1]}\n" for text in TEXTS))
    config = (ours / "config.yaml").read_text()
    (ours / "config.yaml").write_text(config.replace("max_length: 62", "max_length: 8"))
    shutil.copytree(ours, tmp_path / "copy")
    assert "exact_match" in run("compare", ours, tmp_path / "copy", "--data", pairs)
    source = tmp_path / "source.txt"
    source.write_text("\n".join(TEXTS) + "\n")
    assert run("predict", ours, source, "--ensemble", ours) == run("predict", ours, source)


def test_what_such_a_model_cannot_do_is_one_line(gpt2, tmp_path):
    theirs, ours = gpt2
    source = tmp_path / "source.txt"
    source.write_text("abc\n")
    with pytest.raises(EngineError, match="engine must be auto for a model that transformers runs"):
        run("predict", ours, source, "engine=int8")
    with pytest.raises(DataError, match="must fit into the positions that the model has"):
        run("predict", ours, source)
    with pytest.raises(ModelError, match="timings must be asked of a model of recordings"):
        run("predict", ours, source, SHORT, "--timings", "--format", "jsonl")
    with pytest.raises(ModelError, match="tokenizer must be one of our own for ctranslate2"):
        run("export", ours, "--format", "ctranslate2", "--output", tmp_path / "exported")
    config = (ours / "config.yaml").read_text()
    (ours / "config.yaml").write_text(config.replace("max_length: 62", "max_length: 8"))
    with pytest.raises(ModelError, match="attention must be that of a model of ours"):
        run("show", ours, "--attention", "abc", "--output", tmp_path / "attention.png")
    with pytest.raises(ModelError, match=r"model\.from must be of a family with modules of ours"):
        Transducer({"from": str(ours)}, max_steps=1).fit(["a", "b"] * 9, ["b", "a"] * 9)
    with pytest.raises(ConfigError, match="tokenizer must be of a kind that is learnt"):
        Transducer.load(ours).fit(*[[f"number {n}" for n in range(90)]] * 2)
    assert "transformers runs it" in run("show", ours, "--engine")
    (theirs / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="model must be saved in a directory of its own"):
        load_trained(ours).save(theirs)


def test_a_broken_folder_is_said(gpt2):
    ours = gpt2[1]
    (ours / "published" / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="weights must be a readable safetensors file"):
        load_trained(ours)
    (ours / "published" / "model.safetensors").unlink()
    (ours / "published" / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"weights must be safetensors; got pytorch_model\.bin"):
        load_trained(ours)


def test_what_the_library_cannot_save_is_said(gpt2, tmp_path, monkeypatch):
    model = load_trained(gpt2[1])
    assert isinstance(model, AdaptedModel)

    def refuse(self: object, folder: str) -> None:
        raise ValueError("no such thing\nat all")

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "save_pretrained", refuse)
    with pytest.raises(ModelError, match=r"transformers must be able to save it; no such thing$"):
        model.save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "config.yaml").exists()


def test_how_sure_it_is_stays_with_it(bert_to_gpt2: tuple[Path, Path], tmp_path: Path) -> None:
    _, ours = bert_to_gpt2
    pairs = tmp_path / "pairs.tsv"
    words = " ".join(TEXTS).split()
    texts = [f"{one} {other}" for one in words for other in words]
    pairs.write_text("".join(f"{text}\t{text}\n" for text in texts))
    run("calibrate", ours, pairs, SHORT)
    trained = load_trained(ours)
    assert trained.confidence is not None
    trained.save(tmp_path / "again")
    again = load_trained(tmp_path / "again")
    assert again.confidence is not None
    assert confidence_json(again.confidence) == confidence_json(trained.confidence)
    [[output]] = Transducer.load(tmp_path / "again")([TEXTS[0]], confidence=True, max_length=8)
    assert 0 <= output.confidence <= 1
    path = tmp_path / "again" / "confidence.json"
    path.write_text(path.read_text().replace("confidence", "other", 1))
    with pytest.raises(ModelError):
        load_trained(tmp_path / "again")
