"""Published checkpoints whose files lie: refused in one line, before memory is asked for."""

from __future__ import annotations

import json
import random
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES
from published import write_json
from safetensors.torch import load_file, save_file

from transduce.errors import TransduceError
from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel

ABSURD = [-1, 0, 3000, 10**6, 10**9, 10**12, 2**62, 2**63, 10**30]
OTHER = [None, "x", 1.5, True, [], {}, [[]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, dict[str, str]]]:
    """A family's folder, made once, and the languages that it is asked for."""
    found: dict[str, tuple[Path, dict[str, str]]] = {}

    def make(name: str) -> tuple[Path, dict[str, str]]:
        if name not in found:
            folder = tmp_path_factory.mktemp("family")
            found[name] = folder, FAMILIES[name](folder).options
        return found[name]

    return make


@pytest.fixture
def copied(
    made: Callable[[str], tuple[Path, dict[str, str]]], tmp_path: Path
) -> Callable[[str], tuple[Path, dict[str, str]]]:
    def copy(name: str) -> tuple[Path, dict[str, str]]:
        folder, options = made(name)
        return Path(shutil.copytree(folder, tmp_path / "model")), options

    return copy


def answer(folder: Path, **options: str) -> str:
    """What it says to a text, or the error in one line, which names the folder."""
    tracemalloc.start()
    try:
        trained = read_pretrained(folder, device="cpu", **options)
        trained.config = trained.config.updated({"engine": "reference", "search.max_length": 3})
        text = next(iter(trained.predict(["abc d"], trained.config.search)))[0].text
        said = f"says {text!r}"
    except TransduceError as refusal:
        said = str(refusal)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 64 << 20
    assert "\n" not in said
    return said


def changed(path: Path, key: str, value: object) -> None:
    write_json(path, {**json.loads(path.read_text()), key: value})


SIZES = {
    "t5": [
        "d_model",
        "d_ff",
        "d_kv",
        "num_heads",
        "num_layers",
        "num_decoder_layers",
        "vocab_size",
    ],
    "bart": ["d_model", "encoder_layers", "decoder_ffn_dim", "encoder_attention_heads"],
    "marian": ["d_model", "decoder_layers", "encoder_ffn_dim", "vocab_size"],
    "nllb": ["d_model", "encoder_ffn_dim", "decoder_attention_heads", "vocab_size"],
}
SYMBOLS = ["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"]


@pytest.mark.parametrize(("family", "key"), [(f, key) for f, keys in SIZES.items() for key in keys])
def test_sizes(copied: Any, family: str, key: str) -> None:
    folder, options = copied(family)
    kept = json.loads((folder / "config.json").read_text())
    for value in (-1, 0, 3000, 10**9, 2**63, "x", True, []):
        write_json(folder / "config.json", {**kept, key: value})
        assert str(folder) in answer(folder, **options)


@pytest.mark.parametrize("family", ["t5", "bart", "bart, forced begin", "mbart-25", "nllb"])
@pytest.mark.parametrize("key", SYMBOLS)
def test_numbers_of_symbols(copied: Any, family: str, key: str) -> None:
    folder, options = copied(family)
    kept = json.loads((folder / "config.json").read_text())
    unread = key == "bos_token_id" and not family.startswith("bart")
    for value in (-1, 3000, 10**12, 2**63, "x", 1.5, [], True):
        write_json(folder / "config.json", {**kept, key: value})
        assert answer(folder, **options).startswith("says" if unread else str(folder)), value
    if (key, family) != ("decoder_start_token_id", "mbart-25"):  # its language
        write_json(folder / "config.json", {**kept, key: None})
        assert answer(folder, **options).startswith("says")


GENERATION = [
    *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id"),
    *("forced_eos_token_id", "max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("num_beams", "num_return_sequences", "early_stopping", "do_sample"),
    *("no_repeat_ngram_size", "temperature", "top_k", "top_p", "repetition_penalty"),
]


def test_options_of_generation(copied: Any) -> None:
    """Answered, or refused in one line: never anything else."""
    folder, options = copied("bart")
    kept = json.loads((folder / "generation_config.json").read_text())
    values = [*ABSURD, *OTHER, [10**12], [[10**12]], [[1, 2.5]], [-1], [[-1, 5]]]
    pairs = [(key, value) for key in GENERATION for value in values]
    for key, value in random.Random(1).sample(pairs, 30):
        write_json(folder / "generation_config.json", {**kept, "do_sample": True, key: value})
        answer(folder, **options)


def test_a_number_beyond_the_vocabulary_is_named(copied: Any) -> None:
    folder, _ = copied("bart")
    for number in (10**12, 3000):
        changed(folder / "config.json", "bos_token_id", number)
        assert answer(folder) == (
            f"{folder / 'config.json'}: bos_token_id must be below the vocabulary's size (261); "
            f"got {number}"
        )
    changed(folder / "config.json", "bos_token_id", 0)
    changed(folder / "config.json", "d_model", 10**12)
    assert answer(folder) == (
        f"{folder / 'config.json'}: d_model must be 1 to 8,352, the numbers of the largest tensor; "
        f"got {10**12}"
    )


def test_weights_of_other_types_and_without_numbers(copied: Any) -> None:
    folder, _ = copied("t5")
    kept = load_file(folder / "model.safetensors")
    name = "encoder.block.0.layer.0.SelfAttention.q.weight"
    for change, message in (
        (lambda t: t.int(), f"{folder}: {name} must be of a floating-point type; got int32"),
        (lambda t: t.to(torch.float8_e4m3fn), f"the type of {name} must be one of F64, F32"),
        (lambda t: t * float("nan"), f"{folder}: {name} must hold finite numbers; got NaN"),
        (lambda t: t / 0, f"{folder}: {name} must hold finite numbers; got "),
    ):
        save_file({**kept, name: change(kept[name])}, folder / "model.safetensors")
        assert message in answer(folder)


def test_two_tensors_of_one_name(copied: Any) -> None:
    folder, _ = copied("bart")
    kept = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("model."): tensor for name, tensor in kept.items()}
    save_file({**kept, "shared.weight": bare["shared.weight"] + 1}, folder / "model.safetensors")
    assert answer(folder) == f"{folder}: weights must hold shared.weight once; got it twice"


def test_shards_of_the_weights_lie_beside_their_index(copied: Any, tmp_path: Path) -> None:
    folder, _ = copied("t5")
    expected = answer(folder)
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    names = list(load_file(tmp_path / "outside.safetensors"))
    index = folder / "model.safetensors.index.json"
    (folder / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    for shard in ("../outside.safetensors", str(tmp_path / "outside.safetensors"), "..", "",
                 "link.safetensors", "nothing.safetensors", ".", "a\0b", None, 1):  # fmt: skip
        write_json(index, {"weight_map": dict.fromkeys(names, shard)})
        shown = str(shard).replace("\0", r"\x00")
        assert answer(folder) == f"{index}: weight_map must name files beside it; got {shown}"
    for odd in (None, [], {}, "x", 1):
        write_json(index, {"weight_map": odd})
        assert answer(folder) == f"{index} must hold a weight_map"
    # as Hugging Face's cache lays them out: links to blobs of the same model
    cache = tmp_path / "cache" / "snapshots" / "1"
    shutil.copytree(folder, cache)
    (cache / "link.safetensors").unlink()
    (tmp_path / "cache" / "blobs").mkdir()
    shutil.copy(tmp_path / "outside.safetensors", tmp_path / "cache" / "blobs" / "x")
    (cache / "link.safetensors").symlink_to("../../blobs/x")
    write_json(cache / index.name, {"weight_map": dict.fromkeys(names, "link.safetensors")})
    assert answer(cache) == expected


def test_nothing_but_our_errors_whatever_a_config_says(made: Any, tmp_path: Path) -> None:
    """Random values in the place of random entries of every JSON file."""
    generator = random.Random(3)
    for family in ("t5", "bart", "mbart-50", "m2m-100", "marian"):
        folder, options = made(family)
        for number in range(8):  # the fuzzer makes thousands
            copy = Path(shutil.copytree(folder, tmp_path / f"{family}{number}"))
            path = generator.choice(
                [p for p in sorted(copy.glob("*.json")) if p.name != "tokenizer.json"]
            )
            value = json.loads(path.read_text())
            for _ in range(generator.choice([1, 2, 5])):
                place, key = generator.choice(list(places(value)))
                place[key] = generator.choice([*ABSURD, *OTHER, "é" * 100, 1e300, False])
            path.write_text(json.dumps(value))
            answer(copy, **options)
            shutil.rmtree(copy)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value with every key."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def test_a_saved_import_is_held_to_its_numbers(copied: Any, tmp_path: Path) -> None:
    folder, _ = copied("bart, forced begin")
    read_pretrained(folder, device="cpu").save(tmp_path / "saved")
    path = tmp_path / "saved" / "source.tokenizer.json"
    kept = json.loads(path.read_text())
    for key in ("before", "not_first", "after", "never", "languages", "entries", "numbering"):
        for value in ([3000], [10**12], [-1], ["x"], [[5000]], {"x": 3000}, {"x": -1}, 1, None):
            state = json.loads(json.dumps(kept))
            state["model"]["transduce"]["imported"][key] = value
            write_json(path, state)
            if value is None and key == "entries":
                continue
            with pytest.raises(TransduceError) as caught:
                TrainedModel.load(tmp_path / "saved", "cpu")
            assert str(path) in str(caught.value), (key, value)
    state = json.loads(json.dumps(kept))
    for size in ABSURD:
        state["model"]["transduce"]["imported"]["numbering"]["size"] = size
        write_json(path, state)
        with pytest.raises(TransduceError):
            TrainedModel.load(tmp_path / "saved", "cpu")
