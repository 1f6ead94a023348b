"""Manifests for the recipe caption, from the stamps of the drawing program Tux Paint.

    python recipes/tuxpaint.py /usr/share/tuxpaint/stamps data/captions --language en

FOLDER is where the stamps are (on Debian and Ubuntu those of the package
tuxpaint-stamps-default): pictures NAME.png, each with NAME.txt beside it, whose first line says in
English what it is and whose other lines say it in other languages (de.utf8=Ein Frosch.).
Written are OUTPUT/{train,dev,test}.tsv with eight, one and one of ten pictures, chosen by the
hash of their names: a picture's path, seen from there, and its caption. With --categories the
folders that a picture lies in, such as "animals birds", stand between them: a second input
(data.beside).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from transduce.reading.split import splitter

SPLITS = {"train": 0.8, "dev": 0.1, "test": 0.1}


def caption(text: str, language: str) -> str:
    """What a stamp's text file says in a language; empty where it has none.

    >>> caption("A frog.\\nde.utf8=Ein Frosch.\\n", "de")
    'Ein Frosch.'
    """
    first, *others = text.splitlines() or [""]
    if language == "en":
        return first.strip()
    found = dict(line.split("=", 1) for line in others if "=" in line)
    return found.get(f"{language}.utf8", "").strip()


def category(name: Path) -> str:
    """The folders of a picture, as words; empty where it lies in none.

    >>> category(Path("people/body_parts/eye.png"))
    'people body_parts'
    """
    return " ".join(name.parent.parts)


def main() -> None:
    """Read the command line and write the manifests."""
    parser = argparse.ArgumentParser(description="Write manifests of stamps and captions.")
    parser.add_argument("folder", type=Path, help="with pictures and text files, at any depth")
    parser.add_argument("output", type=Path, help="where the manifests go")
    parser.add_argument("--language", default="en", help="such as de or zh_CN (en)")
    parser.add_argument(
        "--categories", action="store_true", help="a column with a picture's folders"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    part_of = splitter(SPLITS)
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for path in sorted(options.folder.rglob("*.png")):
        described = path.with_suffix(".txt")
        if not described.is_file():
            continue  # a picture that goes with another
        text = described.read_text(encoding="utf-8", errors="replace")
        said = " ".join(caption(text, options.language).split())
        if said:
            name = path.relative_to(options.folder)
            columns = [os.path.relpath(path, options.output), said]
            if options.categories:
                columns.insert(1, category(name))
            lines[part_of(str(name))].append("\t".join(columns) + "\n")
    for split, found in lines.items():
        (options.output / f"{split}.tsv").write_text("".join(found), encoding="utf-8")
        print(f"{options.output / split}.tsv: {len(found):,} pictures")


if __name__ == "__main__":
    main()
