"""What a person gives in Python, lists and names of parts, checked and made the pairs of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from transduce.config import Config, DataConfig, PartConfig
from transduce.errors import ConfigError, DataError
from transduce.reading.parts import find_part, parts_of
from transduce.workflow.corpora.corpora import Corpora, corpora_from_lists, mixture_from_lists

__all__ = [
    "DevPairs",
    "PartNames",
    "corpora_of",
    "part_names",
    "require_as_many",
    "require_column",
    "texts",
    "with_parts",
]

# One part of a mixture for all, or the part of each; none where the data is no mixture.
PartNames = str | Iterable[str] | None
# Sources, targets and, of a mixture, their parts.
DevPairs = (
    tuple[Iterable[str | Path], Iterable[str]]
    | tuple[Iterable[str | Path], Iterable[str], str | Iterable[str]]
)
_Names = str | list[str] | None


def part_names(part: PartNames) -> _Names:
    """The names, those of each source as a list. Raises DataError for what is no text."""
    return part if part is None or isinstance(part, str) else texts(part, "part")


def with_parts(config: Config, names: _Names) -> Config:
    """The config with every part that is named; what it says of them stays.

    Raises ConfigError for a name that cannot be one, and where files are to be read too.
    """
    named = config.data.parts or {}
    _refuse_files("data", config.data)
    for name, part in named.items():
        _refuse_files(f"data.parts.{name}", part)
    if names is None:
        return config
    parts = {name: part.model_dump(mode="json") for name, part in named.items()}
    for name in [names] if isinstance(names, str) else names:
        parts.setdefault(name, {})
    return config.updated({"data.parts": parts})


def corpora_of(
    config: Config,
    sources: Iterable[str | Path],
    targets: Iterable[str],
    names: _Names,
    dev: DevPairs | None,
    dev_fraction: float,
) -> Corpora:
    """The pairs that are given, as training reads them. Raises DataError, ConfigError."""
    are_files = config.data.input.kind != "text"
    pairs = _zipped(sources, targets, are_files)
    dev_pairs = None if dev is None else _zipped(dev[0], dev[1], are_files)
    dev_names = None if dev is None or len(dev) == 2 else part_names(dev[2])
    if names is None:
        if config.data.parts is not None or dev_names is not None:
            where = "options name data.parts" if dev_names is None else "dev names parts"
            raise ConfigError(f"part must name the part of each pair where {where}; got none")
        return corpora_from_lists(pairs, dev_pairs, dev_fraction, find_part(config, None))
    if dev_pairs is None:
        return mixture_from_lists(_triples(pairs, names), None, dev_fraction, parts_of(config))
    if dev_names is None:
        raise ConfigError("dev must be (sources, targets, part) where part is given; got no part")
    given = _triples(pairs, names), _triples(dev_pairs, dev_names)
    return mixture_from_lists(*given, dev_fraction, parts_of(config))


def texts(values: Iterable[object], name: str) -> list[str]:
    """A list of texts. Raises DataError for a text alone and for what is none."""
    if isinstance(values, str):
        raise DataError(f"{name} must be a list of texts; got one text")
    require_column(values, name)
    if not isinstance(values, Iterable):
        raise DataError(f"{name} must be a list of texts; got {type(values).__name__}")
    found: list[str] = []
    if callable(plain := getattr(values, "to_pylist", None)):  # pyarrow's columns hold no texts
        values = plain()
    for number, text in enumerate(values, 1):
        if not isinstance(text, str):
            got = type(text).__name__
            if _is_missing(text):
                got = f"a missing value, {text}"
            raise DataError(f"{name} must be texts; got {got} (number {number})")
        found.append(str(text))  # of numpy's texts a plain one
    return found


def _is_missing(value: object) -> bool:
    """Whether it is what tables hold where there is no value: None, NaN, pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # nobody knows whether pandas' NA equals anything
        return True


def require_column(values: object, name: str) -> None:
    """Raise DataError for a table, whose names of columns would be taken for its content."""
    if isinstance(values, Mapping):
        names = ", ".join(map(str, [*values][:5]))
        raise DataError(
            f"{name} must be a list; got a {type(values).__name__} of {names}: give one of its "
            f"values, as in {name}=table[{next(iter(values), 'NAME')!r}]"
        )
    shape = getattr(values, "shape", None)  # of NumPy's, pandas' and polars' tables and columns
    if not isinstance(shape, tuple) or len(shape) == 1:
        return
    columns = [*getattr(values, "column_names", getattr(values, "columns", ()))]
    what = f"a table of {shape[0]:,} rows" if columns else f"an array of shape {shape}"
    if columns:
        what += f" with the columns {', '.join(map(str, columns[:5]))}"
    column = f"table[{columns[0]!r}]" if columns else "array[:, 0]"
    raise DataError(f"{name} must be one column; got {what}: give {column}, or another of them")


def require_as_many(given: Sequence[object], name: str, sources: Sequence[object]) -> None:
    """Raise DataError unless there is one for each source."""
    if len(given) != len(sources):
        raise DataError(f"{name} must be as many as sources ({len(sources)}); got {len(given)}")


def _refuse_files(place: str, section: DataConfig | PartConfig) -> None:
    for key in ("train", "dev"):
        if (files := getattr(section, key)) is not None:
            raise ConfigError(f"{place}.{key} must be none where pairs are given; got {files}")


def _zipped(
    sources: Iterable[str | Path], targets: Iterable[str], are_files: bool
) -> list[tuple[str, str]]:
    if are_files and not isinstance(sources, str):
        sources = [str(source) if isinstance(source, Path) else source for source in sources]
    left, right = texts(sources, "sources"), texts(targets, "targets")
    require_as_many(right, "targets", left)
    return list(zip(left, right, strict=True))


def _triples(pairs: list[tuple[str, str]], names: str | list[str]) -> list[tuple[str, str, str]]:
    each = [names] * len(pairs) if isinstance(names, str) else names
    require_as_many(each, "part", pairs)
    return [(source, target, name) for (source, target), name in zip(pairs, each, strict=True)]
