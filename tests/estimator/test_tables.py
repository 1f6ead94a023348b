"""What people hand to ``fit`` and ``predict``: columns of tables are texts, tables are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transduce.errors import DataError
from transduce.workflow.corpora.in_memory import texts


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
