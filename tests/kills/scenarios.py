"""What is done to a model directory while the process is killed, and what has to be left of it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import transduce.workflow.fitting.fit as fitting
from transduce.config import Config
from transduce.errors import ConfigError, ModelError
from transduce.files import SUMS, Sums, damaged
from transduce.models.storage import named_weights
from transduce.pretrained.published_model import load_trained
from transduce.tokenization.tokenizer import Tokenizer
from transduce.training.record.log import read_log
from transduce.training.run import Run
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.corpora.survey import survey
from transduce.workflow.fitting.fit import fit
from transduce.workflow.model_folder import CONFIG
from transduce.workflow.trained import TrainedModel

__all__ = [
    "SCENARIOS",
    "Scenario",
    "clear",
    "held_in",
    "litter",
    "noting",
    "recipe",
    "require_verified",
    "untrained_model",
    "write_files",
]


@dataclass(frozen=True)
class Scenario:
    """``act`` writes into a directory that ``begin`` has made ready; ``state`` says whether it
    holds nothing, the old model, the new one (or one on its way), and raises where it holds
    another; ``again`` is what a person does after a kill, ``end`` sees whether all is well then.
    """

    begin: Callable[[Path], None]
    act: Callable[[Path], None]
    state: Callable[[Path], str]
    again: Callable[[Path], None]
    end: Callable[[Path], None]


def litter(folder: Path) -> list[str]:
    """Hidden names below and beside a folder: what no writer leaves that came to its end."""
    paths = [*folder.rglob(".*"), *folder.parent.glob(f".{folder.name}.*")]
    return sorted(str(path.relative_to(folder.parent)) for path in paths)


# ---------------------------------------------------------------- models that nobody trained


def _words(seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("abcdefgh", k=chance.randint(1, 4))) for _ in range(40)]


def recipe(home: Path, **more: Any) -> Config:
    recurrent = {"kind": "gru", "width": 8, "dropout": 0.0}
    values = {
        "data": {"train": str(home / "train.tsv"), "dev": str(home / "dev.tsv")},
        "model": {"encoder": recurrent, "decoder": recurrent},
        "training": {
            "max_steps": 5,
            "batch_tokens": 64,
            "evaluate_every": 2,
            "checkpoint_every": 1,
            "precision": "float32",
            "learning_rate": 0.01,
            "warmup_steps": 1,
        },
        "search": {"max_length": 6},
        "engine": "reference",
    }
    return Config.from_mapping(values).updated(more)


def write_files(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name, seed in (("train", 1), ("dev", 2)):
        lines = [f"{word}\t{word[::-1]}\n" for word in _words(seed)[: 40 if seed == 1 else 8]]
        (home / f"{name}.tsv").write_text("".join(lines))


def untrained_model(config: Config, seed: int) -> TrainedModel:
    torch.manual_seed(seed)
    sides = (
        Tokenizer.train(_words(seed), config.tokenizer.source),
        Tokenizer.train(_words(seed), config.target_tokenizer),
    )
    return TrainedModel.fresh(config, *sides)


def _mixture(home: Path, seed: int) -> TrainedModel:
    """Of parts with their own tokenizers: more files, and others than a plain model has."""
    part = {"train": str(home / "train.tsv"), "tokenizer": {"source": {"kind": "character"}}}
    plain = recipe(home).model_dump(mode="json", by_alias=True)
    plain["data"] |= {"train": None, "dev": None, "parts": {"ice": part, "ita": part}}
    config = Config.from_mapping(plain)
    torch.manual_seed(seed)
    tokenizers, _ = survey(config, open_corpora(config))
    return TrainedModel.fresh(config, *tokenizers)


def _identity(trained: TrainedModel) -> str:
    found = hashlib.sha256(trained.config.to_yaml().encode())
    found.update(trained.source_tokenizer.to_json().encode())
    found.update(trained.target_tokenizer.to_json().encode())
    for name, tensor in sorted(named_weights(trained.model).items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()


def held_in(folder: Path) -> str | None:
    """The identity of the model in a directory; None where there is none."""
    try:
        return _identity(load_trained(folder, "cpu"))
    except ModelError as error:
        if "model must be a directory" in str(error):
            return None
        raise


def _one_of(held: str | None, **known: str | None) -> str:
    for name, identity in known.items():
        if held == identity:
            return name
    raise AssertionError("a mix: neither the old model nor the new one")


def require_verified(folder: Path) -> None:
    sums = Sums.read(folder / SUMS)
    assert sums, f"{SUMS} must be there"
    assert damaged(sums, [(name, folder / name) for name in sums]) is None


# ---------------------------------------------------------------- save, import, export


def _saving(home: Path, before: Callable[[Path], None] | None, new: TrainedModel) -> Scenario:
    write_files(home)
    after = _identity(new)
    known: dict[str, str | None] = {"new": after, "none" if before is None else "old": None}

    def begin(folder: Path) -> None:
        if before is not None:
            before(folder)
            known["old"] = held_in(folder)

    def end(folder: Path) -> None:
        assert held_in(folder) == after
        require_verified(folder)
        names = {path.name for path in folder.iterdir()}
        assert names == {path.name for path in whole.iterdir()}, names

    whole = home / "whole"
    new.save(whole)
    return Scenario(
        begin,
        new.save,
        lambda folder: _one_of(held_in(folder), **known),
        new.save,
        end,
    )


def save_over(home: Path) -> Scenario:
    """A model over one whose tokenizers are other files."""
    write_files(home)
    old = _mixture(home, 1)
    return _saving(home, old.save, untrained_model(recipe(home), 2))


def save_over_an_old_layout(home: Path) -> Scenario:
    """A model over one that was written before there were checksums."""
    write_files(home)
    old = untrained_model(recipe(home), 1)

    def before(folder: Path) -> None:
        old.save(folder)
        (folder / SUMS).unlink()

    return _saving(home, before, untrained_model(recipe(home), 2))


def save_new(home: Path) -> Scenario:
    """A model into a directory that is not there."""
    write_files(home)
    return _saving(home, None, untrained_model(recipe(home), 2))


def _importing(home: Path, write: Callable[[Path], None]) -> Scenario:
    from transduce.commands.importing import import_model

    published = home / "published"
    published.mkdir(parents=True)
    write(published)

    def act(folder: Path) -> None:
        import_model(published, folder, None, None, legacy_weights=False)

    act(home / "whole")
    after = held_in(home / "whole")

    def again(folder: Path) -> None:
        try:
            act(folder)
        except ConfigError as error:  # right where all was at home when the kill came
            if "--output must be a new directory" not in str(error) or held_in(folder) != after:
                raise

    def end(folder: Path) -> None:
        assert held_in(folder) == after
        require_verified(folder)

    def state(folder: Path) -> str:
        return _one_of(held_in(folder), none=None, new=after)

    return Scenario(lambda folder: None, act, state, again, end)


def import_ours(home: Path) -> Scenario:
    """A published model whose network becomes one of ours."""
    import families

    def write(folder: Path) -> None:
        torch.manual_seed(1)
        families.t5(folder)

    return _importing(home, write)


def import_theirs(home: Path) -> Scenario:
    """A published model that transformers runs: a folder within the directory."""
    import library_models

    def write(folder: Path) -> None:
        torch.manual_seed(1)
        library_models.write_bert_to_gpt2(folder)

    return _importing(home, write)


def _exporting(home: Path, *, over: bool) -> Scenario:
    import small_transformers

    import transduce.export.folder as export

    home.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("ctranslate2") is None:
        export._write = _stand_in  # type: ignore[assignment]
    models = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        models.append(small_transformers.untrained(small_transformers.transformer({}, {})))
    old, new = models
    contents = []
    for number, model in enumerate(models):
        export.export_trained(model, home / f"whole-{number}")
        contents.append(_contents(home / f"whole-{number}"))

    def begin(folder: Path) -> None:
        if over:
            export.export_trained(old, folder)

    def act(folder: Path) -> None:
        export.export_trained(new, folder)

    def state(folder: Path) -> str:
        found = _contents(folder)
        if not found and not over:
            return "none"
        return _one_of(repr(found), old=repr(contents[0]), new=repr(contents[1]))

    def end(folder: Path) -> None:
        assert state(folder) == "new"
        require_verified(folder)

    return Scenario(begin, act, state, act, end)


def _contents(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _stand_in(model: Any, config: Any, source: Any, target: Any, folder: Path, _: str) -> None:
    """Files as CTranslate2's writer makes them, where that is not installed."""
    with (folder / "model.bin").open("wb") as file:
        for name, tensor in sorted(named_weights(model).items()):
            file.write(name.encode() + tensor.numpy().tobytes())
    for name in ("config.json", "source_vocabulary.json", "target_vocabulary.json"):
        with (folder / name).open("w") as file:
            file.write(f'["{name}", {len(source)}]\n')


def export_new(home: Path) -> Scenario:
    """An export into a directory that is not there."""
    return _exporting(home, over=False)


def export_over(home: Path) -> Scenario:
    """An export over an earlier one."""
    return _exporting(home, over=True)


# ---------------------------------------------------------------- train


@contextmanager
def noting(published: set[str | None]) -> Iterator[None]:
    """Within the block each model that a run publishes is noted."""
    publish = Run.save

    def noted(run: Any, best: Any = None) -> None:
        publish(run, best)
        published.add(held_in(run.folder))

    Run.save = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Run.save = publish  # type: ignore[method-assign]


def _training(home: Path, *, mapped: bool) -> Scenario:
    """A run of five steps: a checkpoint after each, three dev scorings, the last one at its end,
    when its step has a checkpoint already.
    """
    import matplotlib.figure  # slow: once, not in each fork

    assert matplotlib.figure.Figure
    write_files(home)
    config = recipe(home)
    fitting._IN_MEMORY = 0 if mapped else 64 << 20
    published: set[str | None] = {None}

    def act(folder: Path) -> None:
        begun = (folder / "training").is_dir()
        fit(config, open_corpora(config), folder, resume=begun)

    whole = home / "whole"
    with noting(published):
        act(whole)
    published.add(held_in(whole))

    def state(folder: Path) -> str:
        held = held_in(folder) if folder.exists() else None
        assert held in published, "a mix: no model that the run had at any time"
        return "none" if held is None else "new" if held == held_in(whole) else "on its way"

    def end(folder: Path) -> None:
        assert held_in(folder) == held_in(whole)
        require_verified(folder)
        assert (folder / "report.json").is_file()
        assert (folder / CONFIG).read_text() == (whole / CONFIG).read_text()
        scorings = [
            [
                entry
                for entry in read_log(place / "training" / "log.jsonl")
                if entry["event"] == "dev"
            ]
            for place in (folder, whole)
        ]
        assert scorings[0] == scorings[1], "the log holds other scorings"

    return Scenario(lambda folder: None, act, state, act, end)


def train(home: Path) -> Scenario:
    """A training run, its data in memory."""
    return _training(home, mapped=False)


def train_mapped(home: Path) -> Scenario:
    """A training run that encodes its data into files."""
    return _training(home, mapped=True)


def prune(home: Path) -> Scenario:
    """``shrink --prune --minutes``: what goes is gone, and the rest is trained on."""
    from pruning_scenario import pruning

    return pruning(home)


SCENARIOS: dict[str, Callable[[Path], Scenario]] = {
    "save, new": save_new,
    "save, over another": save_over,
    "save, over an old layout": save_over_an_old_layout,
    "import, ours": import_ours,
    "import, theirs": import_theirs,
    "export, new": export_new,
    "export, over another": export_over,
    "train": train,
    "train, mapped": train_mapped,
    "prune": prune,
}


def clear(folder: Path) -> None:
    """Nothing is there any more, beside it neither."""
    for path in (folder, *folder.parent.glob(f".{folder.name}.*")):
        if path.is_dir():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
