"""What people hand to ``fit`` and ``predict``: columns of tables are texts, tables are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transduce import Transducer
from transduce.errors import DataError
from transduce.workflow.corpora.in_memory import dev_lists, file_sources, references, texts

WORDS = [a + b + c for a in "bdg" for b in "aeiou" for c in "lmn"]
ASK_A_COLUMN = (
    r"must be one column; got a table of 45 rows with the columns word, plural: "
    r"give table\['word'\], or another of them"
)


class Frame:
    """As pandas' and polars' tables are: a shape, columns, and names where one iterates."""

    shape = (3, 2)
    columns = ("word", "plural")

    def __iter__(self) -> Any:
        return iter(self.columns)


class Series:
    """One column: a shape of one number."""

    shape = (2,)

    def __iter__(self) -> Any:
        return iter(["a", "b"])


@pytest.mark.parametrize(
    "column",
    [Series(), np.array(["a", "b"]), np.array(["a", "b"], object), ("a", "b"), iter("ab")],
)
def test_columns_are_texts(column: Any) -> None:
    found = texts(column, "sources")
    assert found == ["a", "b"]
    assert [type(text) for text in found] == [str, str]


def test_columns_of_the_libraries_themselves() -> None:
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(["a", "b"])
    kinds = (column, column.astype("string"), column.astype("category"), pandas.Index(column))
    for kind in (*kinds, pa.array(["a", "b"]), pa.chunked_array([["a"], ["b"]])):
        assert texts(kind, "sources") == ["a", "b"]
    with pytest.raises(DataError, match=r"a table of 1 rows with the columns w: give table\['w'\]"):
        texts(pa.table({"w": ["a"]}), "sources")
    for missing in (pandas.Series(["a", pandas.NA], dtype="string"), pa.array(["a", None])):
        with pytest.raises(DataError, match=r"got a missing value, (<NA>|None) \(number 2\)"):
            texts(missing, "sources")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            Frame(),
            "sources must be one column; got a table of 3 rows with the columns word, plural: "
            "give table['word'], or another of them",
        ),
        (
            np.array([["a", "b"]]),
            "sources must be one column; got an array of shape (1, 2): "
            "give array[:, 0], or another of them",
        ),
        (
            {"word": ["a"], "plural": ["as"]},
            "sources must be a list; got a dict of word, plural: "
            "give one of its values, as in sources=table['word']",
        ),
        (["a", None], "sources must be texts; got a missing value, None (number 2)"),
        (["a", float("nan")], "sources must be texts; got a missing value, nan (number 2)"),
        (["a", b"b"], "sources must be texts; got bytes (number 2)"),
    ],
)
def test_a_table_is_no_list_of_texts(table: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        texts(table, "sources")
    assert str(raised.value) == message


def tables() -> list[Any]:
    """The same pairs as a table of each library that is installed; pandas is."""
    columns = {"word": WORDS, "plural": [f"{word}s" for word in WORDS]}
    found = [pytest.importorskip("pandas").DataFrame(columns)]
    try:
        import polars  # no dependency: it is tested where somebody has it
    except ImportError:
        return found
    return [*found, polars.DataFrame(columns)]


def test_columns_of_a_table_train_predict_and_score() -> None:
    for table in tables():
        model = Transducer("gru-tiny", max_steps=1, dev_fraction=0.3, verbose=0)
        dev = (table["word"][:2], table["plural"][:2])
        model.fit(table["word"], table["plural"], dev=dev)
        predicted = model.predict(table["word"][:2], max_length=3)
        wanted = type(table)({"of": predicted})["of"]
        assert model.score(table["word"][:2], wanted, max_length=3) == 1


@pytest.mark.parametrize("model", ["gru-tiny", "auto"])
def test_a_table_itself_is_refused(model: str) -> None:
    for table in tables():
        new = Transducer(model, max_steps=1, verbose=0)
        asks: list[tuple[str, Callable[[], object]]] = [
            ("sources", lambda: new.fit(table, table["plural"])),  # noqa: B023
            ("targets", lambda: new.fit(table["word"], table)),  # noqa: B023
        ]
        for name, ask in asks:
            with pytest.raises(DataError, match=f"^{name} {ASK_A_COLUMN}$"):
                ask()
        with pytest.raises(
            DataError, match=r"got a table: give \(table\['word'\], table\['plural'"
        ):
            new.fit(table["word"], table["plural"], dev=table)


def test_a_table_of_files_is_refused_too() -> None:
    options = {"data.input.kind": "audio"}
    for table in tables():
        with pytest.raises(DataError, match=f"^sources {ASK_A_COLUMN}$"):
            Transducer("gru-tiny", options=options, verbose=0).fit(table, table["plural"])
        with pytest.raises(DataError, match=f"^sources {ASK_A_COLUMN}$"):
            file_sources(table)
    assert len(file_sources(np.zeros((3, 800)))) == 3  # three recordings


@pytest.mark.parametrize(
    "wanted", [["a", ["b", "c"]], [np.array(["a"]), ("b", "c")], pa.array([["a"], ["b", "c"]])]
)
def test_targets_may_be_several_for_each_source(wanted: Any) -> None:
    assert references(wanted, "targets", ["x", "y"]) == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Frame(), "targets must be one column; got a table of 3 rows"),
        (["a", None], r"targets must be texts; got a missing value, None \(number 2\)"),
        (["a", ["b", 1]], r"targets, number 2, must be texts; got int \(number 2\)"),
        (["a"], r"targets must be as many as sources \(2\); got 1"),
        ("ab", "targets must be a list of texts; got one text"),
    ],
)
def test_what_no_targets_are(wanted: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        references(wanted, "targets", ["x", "y"])


def test_a_list_inside_a_column_is_no_missing_value() -> None:
    for inner in (["a"], np.array(["a", "b"]), Series()):
        with pytest.raises(DataError, match=f"got {type(inner).__name__} \\(number 1\\)"):
            texts([inner], "sources")


class Lazy:
    """As polars' LazyFrame is: nothing that one iterates."""

    def collect(self) -> None:
        """Read it."""


def test_a_frame_that_is_not_read_yet_says_what_to_do() -> None:
    lazy: Any = Lazy()
    with pytest.raises(DataError, match=r"got Lazy: give table.collect\(\)\['NAME'\]"):
        texts(lazy, "sources")


def test_dev_of_another_form_is_refused() -> None:
    for dev, got in ((["a"], "1 of them"), ("ab", "str"), (1, "int")):
        with pytest.raises(
            DataError, match=rf"^dev must be \(sources, targets\) or .*; got {got}$"
        ):
            dev_lists(dev)
