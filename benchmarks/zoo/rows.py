"""The rows of the zoo, as ``recipes/zoo.yaml`` says them: what is trained, on which files, how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from transduce.config import Config, load_config
from transduce.config.base import Section
from transduce.config.wording import describe
from transduce.config.yaml import read_recipe
from transduce.errors import ConfigError, DataError, did_you_mean
from transduce.metrics.known import METRICS
from transduce.reading.parts import parts_of
from transduce.reference import is_recipe, recipe_names
from transduce.workflow.corpora.corpora import file_list

__all__ = ["DataSet", "Place", "Plain", "Row", "Zoo", "inline", "require_files", "settings"]

_RECIPES = Path(__file__).parent.parent.parent / "src" / "transduce" / "recipes"
_SPLITS = ("train", "dev", "test")

Files = str | list[str] | dict[str, str]  # dict: parallel files, source and target
Cell = Literal["keys", "minutes", "test", "best", "published"]


class DataSet(Section):
    """Public data: what it is called, whose it is, where it is from, how it lies in the folder."""

    title: str
    licence: str
    source: str
    form: str


class Plain(Section):
    """The recipe by itself, or nearly so, beside the better model of the same task."""

    keys: tuple[str, ...] = ()


class Row(Section):
    """One model: the recipe, its data and keys, and what a card says that no run knows.

    ``seeds`` are others than ``seed`` whose runs (NAME-seed2) show how far scores vary by chance.
    ``files`` are paths below the data folder by the keys of the section data that name them (train,
    parts.eng.dev); ``scores`` the metrics that are shown, and what they are called, the first one
    what models are compared by; ``marks`` the footnotes in the cells of the row's line.
    """

    name: str
    recipe: str
    label: str = ""
    data: tuple[str, ...]
    files: dict[str, Files]
    keys: tuple[str, ...] = ()
    seed: int = 1
    seeds: tuple[int, ...] = ()
    teachers: tuple[str, ...] = ()
    begins_with: str | None = None  # another row, whose model is trained on
    plain: Plain | None = None
    shown: bool = True  # in the table
    scores: dict[str, str]
    published: str = "none"
    task: str
    limits: str
    use: str  # a command, with {model} in the place of the model directory
    remark: str = ""
    marks: dict[Cell, tuple[str, ...]] = Field(default={})

    @property
    def metric(self) -> str:
        """The metric that models are compared by."""
        return next(iter(self.scores))

    @property
    def needs(self) -> list[str]:
        """The rows whose models it is trained with."""
        return [*self.teachers, *([] if self.begins_with is None else [self.begins_with])]

    @property
    def settings(self) -> list[str]:
        """What is set beside recipe and data."""
        return settings(self.keys, self.seed)

    def as_plain(self) -> Row:
        """The row of the plain recipe."""
        keys = () if self.plain is None else self.plain.keys
        return self._variant("plain", keys=keys, teachers=(), begins_with=None)

    def of_seeds(self) -> list[Row]:
        """The same row with each of the other seeds."""
        return [self._variant(f"seed{seed}", seed=seed) for seed in self.seeds]

    def _variant(self, suffix: str, **other: Any) -> Row:
        """The row NAME-suffix, which has none beside it."""
        own = {"name": f"{self.name}-{suffix}", "seeds": (), "plain": None, "shown": False}
        return self.model_copy(update={**own, **other})


@dataclass(frozen=True)
class Place:
    """Where data, runs and the file of the rows are."""

    data: Path
    runs: Path
    zoo: Path

    def recipe(self, row: Row) -> str:
        """The file of a row's recipe: one of the package, or one that lies beside the rows."""
        beside = self.zoo.parent / row.recipe
        return str(beside if is_recipe(row.recipe) else _RECIPES / f"{row.recipe}.yaml")

    def run(self, name: str) -> Path:
        """The directory that a row is trained in."""
        return self.runs / name

    def overrides(self, row: Row) -> list[str]:
        """All ``KEY=VALUE`` of a row."""
        data = [f"data.folder={json.dumps(str(self.data))}"]
        return [*data, *_files(row), *row.settings, *self._others(row)]

    def config(self, row: Row) -> Config:
        """What a row is trained by. Raises ConfigError."""
        return load_config(self.recipe(row), self.overrides(row))

    def command(self, row: Row) -> list[str]:
        """The words of ``transduce train``, as a person types them."""
        data = [f"data.folder={self.data}", *_files(row)]
        words = [*data, *row.settings, *self._others(row)]
        return ["transduce", "train", row.recipe, *words, "--output", str(self.run(row.name))]

    def _others(self, row: Row) -> list[str]:
        """The models that a row needs."""
        runs = [str(self.run(name)) for name in row.teachers]
        first = [] if row.begins_with is None else [f"model.from={self.run(row.begins_with)}"]
        return [*first, *([f"training.teacher={inline(runs)}"] if runs else [])]


class Zoo(Section):
    """All rows, the data that they learn from, and the footnotes of their table."""

    data: dict[str, DataSet]
    footnotes: dict[str, str] = Field(default={})
    rows: tuple[Row, ...]

    @classmethod
    def read(cls, path: Path) -> Zoo:
        """Read the file. Raises ConfigError naming it and the key."""
        values = read_recipe(path)
        try:
            zoo = cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{path}: {describe(error, cls, values)}") from None
        try:
            for row in zoo.rows:
                zoo._check(row)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
        return zoo

    def row(self, name: str) -> Row:
        """The row of a name, NAME-plain and NAME-seed2 among them. Raises ConfigError."""
        for row in self.every_row():
            if row.name == name:
                return row
        names = [row.name for row in self.rows]
        raise ConfigError(
            f"row must be one of {', '.join(names)}; got {name!r}{did_you_mean(name, names)}"
        )

    def every_row(self) -> Iterator[Row]:
        """The rows, and beside them those of the plain recipes and of other seeds."""
        for row in self.rows:
            yield row
            yield from row.of_seeds()
            if row.plain is not None:
                yield row.as_plain()

    def with_needs(self, names: list[str]) -> list[Row]:
        """The named rows, or all; each behind the rows that it needs, none twice."""
        found: dict[str, Row] = {}

        def add(row: Row) -> None:
            for name in row.needs:
                add(self.row(name))
            found[row.name] = row

        for row in [self.row(name) for name in names] or self.rows:
            add(row)
        return list(found.values())

    def _check(self, row: Row) -> None:
        """What the types do not tell. Raises ConfigError."""
        where = f"rows.{row.name}"
        if [other.name for other in self.rows].count(row.name) > 1:
            raise ConfigError(f"{where} must be there once; got it twice")
        if not is_recipe(row.recipe) and row.recipe not in recipe_names():
            raise ConfigError(f"{where}.recipe must be a recipe; got {row.recipe!r}")
        _known(f"{where}.data", row.data, self.data)
        _known(f"{where}.scores", row.scores, METRICS)
        for names in row.marks.values():
            _known(f"{where}.marks", names, self.footnotes)
        before = [other.name for other in self.rows]
        before = before[: before.index(row.name)]
        _known(f"{where}.teachers", row.teachers, before)
        _known(f"{where}.begins_with", row.needs[len(row.teachers) :], before)
        for name in row.files:
            if name.rpartition(".")[2] not in _SPLITS:
                raise ConfigError(f"{where}.files must end in {', '.join(_SPLITS)}; got {name!r}")
        if not row.scores:
            raise ConfigError(f"{where}.scores must name a metric; got none")


def require_files(zoo: Zoo, row: Row, config: Config) -> None:
    """Raise DataError for the first file of a row that is not there, saying how to get it."""
    for part in parts_of(config).values():
        for files in (part.data.train, part.data.dev, part.data.test):
            for path in file_list(files) if files is not None else []:
                if not path.is_file():
                    found = "; ".join(f"{zoo.data[n].source}: {zoo.data[n].form}" for n in row.data)
                    raise DataError(f"must be there; got no such file ({found})", file=path)


def settings(keys: Sequence[str], seed: int) -> list[str]:
    """Keys, and the seed; 1 is what every recipe has."""
    return [*keys, *([f"training.seed={seed}"] if seed != 1 else [])]


def inline(value: Any) -> str:
    """A value as one line of YAML, as it stands behind ``KEY=``."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False)
    return text.strip()


def _files(row: Row) -> list[str]:
    return [f"data.{key}={inline(value)}" for key, value in row.files.items()]


def _known(where: str, names: Any, known: Mapping[str, Any] | list[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{where} must name one of {', '.join(known)}; got {name!r}")
