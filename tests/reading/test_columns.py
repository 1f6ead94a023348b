"""The columns of a source are found again in the text that they were joined to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transduce.reading.columns import SourceColumn, join_columns, split_columns

TEXTS = st.text("ab \t\n;", min_size=1, max_size=6)
TAGS = st.lists(st.text("xyz", min_size=1, max_size=2), max_size=3)


@given(st.lists(st.one_of(TEXTS, TAGS), min_size=1, max_size=5))
def test_split_columns_join_to_the_same_source(values: list[str | list[str]]) -> None:
    columns = [SourceColumn(n, isinstance(value, list)) for n, value in enumerate(values)]
    source = join_columns(values, columns)
    if not source:
        return
    found = split_columns(source, columns)
    assert found is not None
    assert [isinstance(one, list) for one in found] == [column.tags for column in columns]
    assert join_columns(found, columns) == source


def test_tags_before_and_behind_a_text() -> None:
    columns = [SourceColumn(0, True, (";",)), SourceColumn(1), SourceColumn(2, True)]
    source = join_columns(["N;PL", "Haus", "de"], columns)
    assert split_columns(source, columns) == [["N", "PL"], "Haus", ["de"]]
    assert split_columns("a\tb", [SourceColumn(0), SourceColumn(1)]) == ["a", "b"]
    assert split_columns("a", [SourceColumn(0), SourceColumn(1)]) is None
