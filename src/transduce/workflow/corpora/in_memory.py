"""What a person gives in Python, lists and names of parts, checked and made the pairs of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from transduce.config import Config, DataConfig, PartConfig
from transduce.errors import ConfigError, DataError
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part, parts_of
from transduce.workflow.corpora.corpora import Corpora, corpora_from_lists, mixture_from_lists

__all__ = [
    "DevPairs",
    "GivenSource",
    "PartNames",
    "corpora_of",
    "dev_lists",
    "file_sources",
    "part_names",
    "references",
    "require_as_many",
    "require_column",
    "texts",
    "with_parts",
]

# One part of a mixture for all, or the part of each; none where the data is no mixture.
PartNames = str | Iterable[str] | None
# A text, a path, or two inputs: a path and what stands beside it.
GivenSource = str | Path | tuple[str | Path, str | Path]
# Sources, targets and, of a mixture, their parts.
DevPairs = (
    tuple[Iterable[GivenSource], Iterable[str]]
    | tuple[Iterable[GivenSource], Iterable[str], str | Iterable[str]]
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
    sources: Iterable[GivenSource],
    targets: Iterable[str],
    names: _Names,
    dev: DevPairs | None,
    dev_fraction: float,
) -> Corpora:
    """The pairs that are given, as training reads them. Raises DataError, ConfigError."""
    dev = None if dev is None else dev_lists(dev)
    pairs = _zipped(sources, targets, config.data)
    dev_pairs = None if dev is None else _zipped(dev[0], dev[1], config.data)
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


def dev_lists(dev: object) -> DevPairs:
    """Columns of dev, unchecked. Raises DataError where there are not two or three of them."""
    got = type(dev).__name__
    if isinstance(dev, tuple | list):
        if len(dev) in (2, 3):
            return cast("DevPairs", tuple(dev))
        got = f"{len(dev):,} of them"
    if columns := _columns(dev):
        named = ", ".join(f"table[{column!r}]" for column in columns[:2])
        got = f"a table: give ({named}), or others of its columns"
    raise DataError(f"dev must be (sources, targets) or (sources, targets, part); got {got}")


def file_sources(values: Iterable[FrameSource]) -> list[FrameSource]:
    """What a model of recordings or pictures is given. Raises DataError for one alone, a table."""
    if isinstance(values, str | Path):
        raise DataError(f"sources must be a list of them; got {str(values)!r} alone")
    _require_no_table(values, "sources")
    return list(values)


def texts(values: Iterable[object], name: str, *, paths: bool = False) -> list[str]:
    """A list of texts, of ``paths`` too. Raises DataError for a text alone and for what is none."""
    if isinstance(values, str):
        raise DataError(f"{name} must be a list of texts; got one text")
    require_column(values, name)
    if not isinstance(values, Iterable):
        raise DataError(f"{name} must be a list of texts; got {_no_list(values)}")
    found: list[str] = []
    for number, text in enumerate(_plain(values), 1):
        given = str(text) if paths and isinstance(text, Path) else text
        found.append(_text(given, name, number))
    return found


def joined_texts(values: Iterable[object]) -> list[str]:
    """Pairs of a path and what stands beside it, each as one text. Raises DataError."""
    _require_no_table(values, "sources")
    found = []
    for number, value in enumerate(values, 1):
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise DataError(
                "sources must be pairs, a path and what stands beside it; got "
                f"{type(value).__name__} (number {number})"
            )
        pair = texts(value, f"sources, number {number:,},", paths=True)
        if "\t" in pair[0]:
            raise DataError(f"a path must have no tab; got one (number {number})")
        found.append("\t".join(pair))
    return found


def references(values: Iterable[object], name: str, sources: Sequence[object]) -> list[list[str]]:
    """One text or several for each source. Raises DataError for what is neither."""
    if isinstance(values, str):
        raise DataError(f"{name} must be a list of texts; got one text")
    _require_no_table(values, name)
    found = [
        texts(value, f"{name}, number {number:,},")
        if isinstance(value, Iterable) and not isinstance(value, str)
        else [_text(value, name, number)]
        for number, value in enumerate(_plain(values), 1)
    ]
    require_as_many(found, name, sources)
    return found


def _plain(values: Iterable[object]) -> Iterable[object]:
    """Of pyarrow's columns, which hold no texts, a list of them."""
    as_list: Callable[[], list[object]] | None = getattr(values, "to_pylist", None)
    return values if as_list is None else as_list()


def _text(value: object, name: str, number: int) -> str:
    if not isinstance(value, str):
        got = f"a missing value, {value}" if _is_missing(value) else type(value).__name__
        raise DataError(f"{name} must be texts; got {got} (number {number})")
    return str(value)  # of numpy's texts a plain one


def _no_list(value: object) -> str:
    is_lazy = callable(getattr(value, "collect", None))  # a frame of polars that is not read yet
    return type(value).__name__ + (": give table.collect()['NAME']" if is_lazy else "")


def _is_missing(value: object) -> bool:
    """Whether it is what tables hold where there is no value: None, NaN, pandas' NA."""
    if hasattr(value, "__len__"):  # a list or an array, which compares each of its own
        return False
    try:
        return value is None or bool(value != value)
    except TypeError:  # nobody knows whether pandas' NA equals anything
        return True


def require_column(values: object, name: str) -> None:
    """Raise DataError for a table, or for an array of more dimensions than a column has."""
    _require_no_table(values, name)
    shape = getattr(values, "shape", None)  # of NumPy's, pandas' and polars' columns
    if isinstance(shape, tuple) and len(shape) != 1:
        raise DataError(
            f"{name} must be one column; got an array of shape {shape}: "
            "give array[:, 0], or another of them"
        )


def _require_no_table(values: object, name: str) -> None:
    """Raise DataError for a table, whose names of columns would be taken for its content."""
    if isinstance(values, Mapping):
        names = ", ".join(map(str, [*values][:5]))
        raise DataError(
            f"{name} must be a list; got a {type(values).__name__} of {names}: give one of its "
            f"values, as in {name}=table[{next(iter(values), 'NAME')!r}]"
        )
    if not (columns := _columns(values)):
        return
    what = f"a table of {getattr(values, 'shape', (0,))[0]:,} rows"
    named = ", ".join(map(str, columns[:5]))
    more = ", or another of them" if len(columns) > 1 else ""
    raise DataError(
        f"{name} must be one column; got {what} with the columns {named}: "
        f"give table[{columns[0]!r}]{more}"
    )


def _columns(values: object) -> list[object]:
    """The names of a table's columns: of pandas', polars' or pyarrow's; none of anything else."""
    shape = getattr(values, "shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2:
        return []
    return [*getattr(values, "column_names", getattr(values, "columns", ()))]


def require_as_many(given: Sequence[object], name: str, sources: Sequence[object]) -> None:
    """Raise DataError unless there is one for each source."""
    if len(given) != len(sources):
        raise DataError(f"{name} must be as many as sources ({len(sources)}); got {len(given)}")


def _refuse_files(place: str, section: DataConfig | PartConfig) -> None:
    for key in ("train", "dev"):
        if (files := getattr(section, key)) is not None:
            raise ConfigError(f"{place}.{key} must be none where pairs are given; got {files}")


def _zipped(
    sources: Iterable[GivenSource], targets: Iterable[str], data: DataConfig
) -> list[tuple[str, str]]:
    if data.beside is not None:
        left = joined_texts(sources)
    else:
        left = texts(sources, "sources", paths=data.input.kind != "text")
    right = texts(targets, "targets")
    require_as_many(right, "targets", left)
    return list(zip(left, right, strict=True))


def _triples(pairs: list[tuple[str, str]], names: str | list[str]) -> list[tuple[str, str, str]]:
    each = [names] * len(pairs) if isinstance(names, str) else names
    require_as_many(each, "part", pairs)
    return [(source, target, name) for (source, target), name in zip(pairs, each, strict=True)]
