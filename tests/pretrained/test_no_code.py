"""No code of a checkpoint is run, and nobody is asked whether it may be."""

from __future__ import annotations

import builtins
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from families import FAMILIES
from library_models import write_bert_to_gpt2, write_gpt2, write_trocr
from published import write_json
from test_ctranslate2_layout import whisper as write_ctranslate2
from whisper_models import save_model, save_tokenizer

from transduce import Transducer
from transduce.config import Config
from transduce.errors import ModelError
from transduce.pretrained.published_model import load_trained, read_pretrained
from transduce.workflow.corpora.corpora import open_corpora

CODE = "evil.py"
CLASSES = [
    *("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"),
    *("AutoModelForSpeechSeq2Seq", "AutoTokenizer", "AutoImageProcessor", "AutoProcessor"),
    *("AutoFeatureExtractor", "AutoModelForImageTextToText"),
]
SETTINGS = [
    *("config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json"),
    *("preprocessor_config.json", "special_tokens_map.json", "adapter_config.json"),
]
EVIL: dict[str, Any] = {
    "auto_map": dict.fromkeys(CLASSES, "evil.Evil"),
    "custom_generate": "evil",
    "custom_pipelines": {"translation": {"impl": "evil.Evil", "pt": ["AutoModel"]}},
    "trust_remote_code": True,
    "attn_implementation": "evil/kernels",
    "kernel_config": {"Linear": "evil/kernels:Linear"},
    "transformers_weights": "../evil.safetensors",
    "base_model_name_or_path": "evil/model",
    "peft_type": "LORA",
}


class Nobody(io.StringIO):
    """A standard input that nobody may read."""

    def read(self, *_: object) -> str:
        raise AssertionError("standard input was read")

    readline = read  # type: ignore[assignment]


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the planted code would leave."""

    def asked(*_: object) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(builtins, "input", asked)
    monkeypatch.setattr(sys, "stdin", Nobody())
    return tmp_path / "mark"


def plant(folder: Path, mark: Path) -> None:
    """Code in every form that a library looks for, at every level of every file of settings."""
    code = f"open({str(mark)!r}, 'w').close()\nclass Evil: pass\n"
    for place in (folder, *filter(Path.is_dir, folder.iterdir())):
        for name in (CODE, f"{folder.name}.py", "__init__.py", "setup.py", "handler.py"):
            (place / name).write_text(code)
        (place / "custom_generate").mkdir(exist_ok=True)
        (place / "custom_generate" / "generate.py").write_text(code)
        for name in SETTINGS:
            path = place / name
            values = json.loads(path.read_text()) if path.is_file() else {}
            for inner in (values.get("encoder"), values.get("decoder")):
                if isinstance(inner, dict):
                    inner |= EVIL
            write_json(path, values | EVIL)
        for name in (".metadata", "tokenizer.pkl", "optimizer.pt"):
            (place / name).write_bytes(f"cbuiltins\nexec\n(S{code!r}\ntR.".encode())


def run(folder: Path, **options: str) -> None:
    trained = read_pretrained(folder, device="cpu", **options)
    trained.config = trained.config.updated({"search.max_length": 2})
    next(iter(trained.predict(["abc"], trained.config.search)))


@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_ours(tmp_path: Path, mark: Path, family: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    options = FAMILIES[family](folder).options
    plant(folder, mark)
    run(folder, **options)
    read_pretrained(folder, device="cpu", **options).save(tmp_path / "saved")
    plant(tmp_path / "saved", mark)
    run(tmp_path / "saved")
    assert not mark.exists()


def whisper(folder: Path) -> None:
    save_tokenizer(folder)
    save_model(folder)


@pytest.mark.parametrize("write", [whisper, write_ctranslate2])
def test_recordings(tmp_path: Path, mark: Path, write: Callable[[Path], object]) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder)
    plant(folder, mark)
    read_pretrained(folder, device="cpu").save(tmp_path / "saved")
    plant(tmp_path / "saved", mark)
    trained = load_trained(tmp_path / "saved", "cpu")
    trained.config = trained.config.updated({"search.max_length": 2})
    sound = np.random.default_rng(0).normal(size=1600).astype(np.float32)
    next(iter(trained.predict([(sound, 16_000)], trained.config.search)))
    assert not mark.exists()


@pytest.mark.parametrize("write", [write_gpt2, write_bert_to_gpt2, write_trocr])
def test_networks_of_transformers(
    tmp_path: Path, mark: Path, write: Callable[[Path], object]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder)
    picture = np.zeros((32, 32, 3), np.uint8)
    source: Any = picture if write is write_trocr else "abc"

    def answered(place: Path) -> str:
        trained = read_pretrained(place, device="cpu")
        search = trained.config.updated({"search.max_length": 4}).search
        return next(iter(trained.predict([source], search)))[0].text

    expected = answered(folder)
    plant(folder, mark)
    assert answered(folder) == expected
    read_pretrained(folder, device="cpu").save(tmp_path / "saved")
    assert "auto_map" not in (tmp_path / "saved" / "published" / "config.json").read_text()
    plant(tmp_path / "saved", mark)
    plant(tmp_path / "saved" / "published", mark)
    (tmp_path / "saved" / "SHA256SUMS").unlink()  # they would tell
    assert answered(tmp_path / "saved") == expected
    assert not mark.exists()


def test_a_family_that_only_the_code_knows(tmp_path: Path, mark: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write_gpt2(folder)
    plant(folder, mark)
    values = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**values, "model_type": "evil"})
    with pytest.raises(ModelError, match="load the model; it knows no model_type evil"):
        run(folder)
    write_json(folder / "config.json", {**values, "quantization_config": {"quant_method": "x"}})
    with pytest.raises(ModelError, match="must be plain floats; got a quantization_config"):
        run(folder)
    write_bert_to_gpt2(tmp_path / "model")
    plant(folder, mark)
    values = json.loads((folder / "config.json").read_text())
    for side in ("encoder", "decoder"):
        inner = {**values[side], "model_type": "evil"}
        write_json(folder / "config.json", {**values, side: inner})
        with pytest.raises(ModelError, match="must be able to load the model"):
            run(folder)
    assert not mark.exists()


def test_an_adapter_names_no_other_model(tmp_path: Path, mark: Path) -> None:
    """What peft would look up is never looked at."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_gpt2(folder)
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": str(tmp_path / "no")})
    run(folder)
    assert not mark.exists()


def test_folders_with_pairs(tmp_path: Path, mark: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    words = [f"w{number}" for number in range(40)]
    table = pa.table({"source": words, "target": words})
    with pa.ipc.new_stream(folder / "data.arrow", table.schema) as stream:
        stream.write_table(table)
    write_json(folder / "state.json", {"_data_files": [{"filename": "data.arrow"}], **EVIL})
    plant(folder, mark)
    columns = {"source": "source", "target": "target"}
    config = Config.from_mapping({"data": {"train": str(folder), "dev_fraction": 0.5, **columns}})
    assert 0 < len(open_corpora(config).dev) < 40
    assert not mark.exists()


def test_models_fitted_here(tmp_path: Path, mark: Path) -> None:
    words = ["ab", "abc", "cab", "bca", "acb", "ba"] * 10
    model = Transducer("gru-tiny", max_steps=1, dev_fraction=0.4).fit(words, words)
    model.save(tmp_path / "saved")
    plant(tmp_path / "saved", mark)
    assert Transducer.load(tmp_path / "saved").predict(["ab"]) == model.predict(["ab"])
    assert not mark.exists()
