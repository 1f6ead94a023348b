"""Manifests for the recipe formula, from the files of im2latex-100k or a sample of it.

    python recipes/im2latex.py im2latex-sample data/formulas

FOLDER holds formulas.lst (latin-1), {train,validate,test}.lst and images/ as harvardnlp/im2markup
publishes them. Written are OUTPUT/{train,dev,test}.tsv: the path of a page with one formula,
seen from there, and the formula as symbols with spaces between them. A command of
TeX is one symbol. What does not show on the page (labels, comments, spaces but for "\\ ") is
left out, and so is a formula of which nothing is left.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

SPLITS = {"train": "train", "validate": "dev", "test": "test"}
HIDDEN = re.compile(r"^%+|\\label\s*\{[^{}]*\}|(?<!\\)%.*")
SYMBOL = re.compile(r"\\(?:hspace|vspace|operatorname)\*|\\[A-Za-z]+|\\.|\S")


def symbols(formula: str) -> list[str]:
    r"""Cut a formula into symbols.

    >>> symbols(r"\frac{a}{b}\label{eq:1} \ \to x_{12}")
    ['\\frac', '{', 'a', '}', '{', 'b', '}', '\\;', '\\to', 'x', '_', '{', '1', '2', '}']
    """
    found = SYMBOL.findall(HIDDEN.sub("", formula))
    return [r"\;" if symbol == "\\ " else symbol for symbol in found]


def write_split(folder: Path, name: str, output: Path) -> int:
    """Write one manifest; give its number of lines."""
    formulas = (folder / "formulas.lst").read_text(encoding="latin-1").split("\n")
    lines = []
    for entry in (folder / f"{name}.lst").read_text(encoding="latin-1").splitlines():
        number, image, *_ = entry.split()
        found = symbols(formulas[int(number)])
        if found:
            path = os.path.relpath(folder / "images" / f"{image}.png", output)
            lines.append(f"{path}\t{' '.join(found)}\n")
    (output / f"{SPLITS[name]}.tsv").write_text("".join(lines), encoding="utf-8")
    return len(lines)


def main() -> None:
    """Read the command line and write the manifests."""
    parser = argparse.ArgumentParser(description="Write manifests of pages and formulas.")
    parser.add_argument("folder", type=Path, help="with formulas.lst, train.lst, …, images/")
    parser.add_argument("output", type=Path, help="where the manifests go")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in SPLITS:
        count = write_split(options.folder, name, options.output)
        print(f"{options.output / SPLITS[name]}.tsv: {count:,} formulas")


if __name__ == "__main__":
    main()
