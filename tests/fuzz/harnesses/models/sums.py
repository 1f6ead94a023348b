"""Lists of checksums."""

from __future__ import annotations

from pathlib import Path

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.text import text
from transduce.files import Sums

_LINES = Sums({name: f"{n:064x}" for n, name in enumerate(("config.yaml", "a b", "x\ny", "\\é"))})


def feed(files: Files, folder: Path) -> object:
    """Read; what is written reads back as the same."""
    lay(files, folder)
    sums = Sums.read(folder / "SHA256SUMS")
    if sums is None:
        raise WrongAnswerError("the file is there")
    (folder / "again").write_text(sums.to_text(), encoding="utf-8", newline="")
    if Sums.read(folder / "again") != sums:
        raise WrongAnswerError("what is written of sums must read back as the same")
    return min(len(sums), 6)


HARNESS = Harness(
    "sums", lambda: [{"SHA256SUMS": _LINES.to_text().encode()}], {"*": text}, feed, quick=700
)
