"""Recipes: YAML, overrides, presets; what is written of a config reads back as the same."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.feeding.options import WORDS
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.values import json_with
from fuzz.mutations.yaml import yaml_with
from transduce.config.recipe import Config, load_config

_RECIPES = Path(__file__).resolve().parents[4] / "src" / "transduce" / "recipes"
_OVERRIDES = [
    *("training.max_minutes=10", "search.beam=8", "data.train=a.tsv", "model.preset=gru-tiny"),
    *("data.parts.ice.train=a.tsv", "model.encoder={kind: gru}", "search.required=[a, b]"),
    *("tokenizer.source.kind=bpe", "data.input.kind=audio", "model.frontend.kind=patches"),
]


def _samples() -> list[Files]:
    recipes = sorted(_RECIPES.glob("*.yaml"))
    written = Config().to_yaml().encode()
    return [
        *({"a.yaml": path.read_bytes(), "overrides.json": b"[]"} for path in recipes),
        {"a.yaml": written, "overrides.json": b"[]"},
        *({"a.yaml": b"{}", "overrides.json": json.dumps([o]).encode()} for o in _OVERRIDES[:6]),
        {"a.yaml": b"", "overrides.json": b"[]"},
    ]


def feed(files: Files, folder: Path) -> object:
    """Load, write down, load again."""
    lay(files, folder)
    config = load_config(folder / "a.yaml", _texts(files.get("overrides.json", b"[]")))
    written = config.to_yaml()
    (folder / "again.yaml").write_text(written, encoding="utf-8")
    again = load_config(folder / "again.yaml")
    if again != config:
        raise WrongAnswerError("what is written of a config must read back as the same")
    if config.updated({"search.nbest": 1}).data != config.data:
        raise WrongAnswerError("an updated config must keep the rest")
    return config.model.encoder.kind, config.data.input.kind, config.target_kind


def _texts(data: bytes) -> list[str]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return [data.decode(errors="replace")]
    values = values if isinstance(values, list) else [values]
    return [value if isinstance(value, str) else str(value) for value in values[:50]]


_CHANGE_OVERRIDES = json_with(
    *_OVERRIDES,
    *("=", "a", "=a", "a=", ".=1", "a..b=1", "data=1", "data=null", "model.encoder.kind=lstm"),
    *("search.beam=1e400", "search.beam=[1", "search={beam: 2}", "training=2020-13-45"),
)

HARNESS = Harness(
    "recipe",
    _samples,
    {"a.yaml": yaml_with(*WORDS), "overrides.json": _CHANGE_OVERRIDES},
    feed,
    quick=30,
)
