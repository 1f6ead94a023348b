"""Every recipe in the repository loads, and its header tells the truth about it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from transduce.config import Config, load_config
from transduce.demo import RECIPE

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "src" / "transduce" / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))

recipes = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def header(path: Path) -> str:
    """The comment above the first key, without its marks."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(lines)


def commands(text: str) -> list[list[str]]:
    """The words of each `transduce …` command, lines that end in a backslash joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    found = re.findall(r"^ *(?:echo .*\| )?(transduce .*)$", joined, re.MULTILINE)
    return [shlex.split(command) for command in found]


def test_the_promised_recipes_are_there() -> None:
    names = {path.stem for path in RECIPES}
    promised = "demo cmudict g2p inflection translate-en-de translate-en-zh synopsis dialogue"
    assert names >= {*promised.split(), "copy", "reverse"}


@recipes
def test_recipe_loads_under_its_own_name(path: Path) -> None:
    assert load_config(path).name == path.stem


@recipes
def test_recipe_needs_only_paths(path: Path) -> None:
    training = load_config(path).training
    assert training.max_minutes or training.max_steps or training.max_epochs


@recipes
def test_recipe_chooses_the_best_model_by_what_it_measures(path: Path) -> None:
    config = load_config(path)
    metrics = config.evaluation.metrics
    assert metrics is None or config.training.metric in metrics


@recipes
def test_header_says_where_the_data_is_from_and_how_to_train(path: Path) -> None:
    text = header(path)
    assert re.search(r"^Data: ", text, re.MULTILINE)
    assert any(words[:2] == ["transduce", "train"] for words in commands(text))


@recipes
def test_overrides_in_the_header_are_valid(path: Path) -> None:
    for words in commands(header(path)):
        overrides = [word for word in words[2:] if "=" in word and not word.startswith("-")]
        load_config(path, overrides)


@recipes
def test_recipe_stands_in_the_list(path: Path) -> None:
    assert f"/{path.name})" in (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")


def test_demo_recipe_is_the_demo() -> None:
    config = load_config(FOLDER / "demo.yaml")
    assert config == Config.from_mapping(RECIPE).updated({"training.max_minutes": 2})


@pytest.mark.parametrize("name", ["copy", "reverse"])
def test_toy_data_is_made_by_the_header(name: str) -> None:
    code = re.search(r"python3 -c '(.*?)'", header(FOLDER / f"{name}.yaml"), re.DOTALL)
    assert code is not None
    program = "\n".join(line.removeprefix("  ") for line in code[1].splitlines())
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    pairs = [line.split("\t") for line in run.stdout.splitlines()]
    assert len(pairs) == 10_000
    assert all(target == (source if name == "copy" else source[::-1]) for source, target in pairs)
