"""Excel's workbooks."""

from __future__ import annotations

import zipfile

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Harness
from fuzz.mutations.packed import in_zip
from fuzz.mutations.text import text
from workbook_files import cells, members, sheet, workbook

_SHARED = "<c t='s'><v>0</v></c><c s='1'><v>45352.5</v></c><c t='b'><v>1</v></c>"
_NAMED = (cells(["word", "tags", "form"]), *(cells([f"w{n}", "V;PST", f"w{n}ed"]) for n in "123"))

HARNESS = Harness(
    "workbook",
    lambda: [
        {"a.xlsx": workbook(members(sheet(_SHARED, cells("abc")), ["é"]), zipfile.ZIP_STORED)},
        {"a.xlsx": workbook(members(sheet(cells("ab"), "", cells("cd")), second=sheet()))},
        {
            "a.xlsx": workbook(members(sheet(*_NAMED))),
            OPTIONS: options(
                header=True, source=["word", {"tags": "tags", "separator": ";"}], target="form"
            ),
        },
    ],
    {OPTIONS: change_options, "*": in_zip(text)},
    feed_pairs,
    quick=60,
    needs=("openpyxl",),
)
