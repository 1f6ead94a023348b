"""The recipe that reads pairs whose targets teachers wrote."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from transduce.config import Config
from transduce.workflow.synthetic.pair_records import WrittenPart

__all__ = ["RECIPE", "recipe_text"]

RECIPE = "recipe.yaml"

_OF_OTHER_RUNS = (
    *("teacher", "teacher_weight", "teacher_temperature", "teacher_outputs", "teacher_folder"),
    *("freeze", "lora_rank", "lora_alpha"),
)


def recipe_text(
    config: Config, teachers: Sequence[str], folder: Path, parts: Sequence[WrittenPart]
) -> str:
    """YAML: the teacher's recipe over the files in ``folder``, with a model like the teacher's."""
    values = config.given()
    for section in ("weights", "neighbours"):
        values.pop(section, None)
    training, model = values.get("training", {}), values.get("model", {})
    for key in _OF_OTHER_RUNS:
        training.pop(key, None)
    for key in ("from", "new_symbols", "encoder_from"):
        model.pop(key, None)
    values["name"] = f"{config.name}-student"
    values["data"] = _data(config, folder, parts)
    kinds = {config.tokenizer.source.kind, config.target_kind}
    if "imported" in kinds:  # which no data can teach
        values["training"] = {**training, "teacher": list(teachers)}
    said = " ".join(map(shlex.quote, teachers))
    return (
        f"# What {said} wrote, by `transduce distil`. The model is like the teacher's: make it\n"
        "# smaller, as in model.encoder.layers=1. To learn from its probabilities, too:\n"
        f"# training.teacher=[{', '.join(teachers)}]\n"
        + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    )


def _data(config: Config, folder: Path, parts: Sequence[WrittenPart]) -> dict[str, Any]:
    given = config.given().get("data", {})
    files = ("train", "dev", "test", "format", "header", "delimiter", "source", "target")
    data = {key: value for key, value in given.items() if key not in (*files, "parts")}
    data |= {"folder": str(folder), "test_fraction": 0.0}
    if config.data.parts is None:
        return data | parts[0].options()
    own = given["parts"]
    data["parts"] = {
        part.name: {
            **{key: value for key, value in own[part.name].items() if key not in files},
            **part.options(),
        }
        for part in parts
    }
    return data
