"""The pages that follow from rows and results: cards, their list, the table of recipes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.zoo.card import card
from benchmarks.zoo.results import Results, read_results
from benchmarks.zoo.rows import Place, Zoo
from benchmarks.zoo.table import card_list, table
from transduce.errors import ConfigError
from transduce.files import write_text

__all__ = ["Pages"]

_BEGIN = "<!-- written by python -m benchmarks.zoo --pages: begin -->"
_END = "<!-- written by python -m benchmarks.zoo --pages: end -->"
_SHOWN = Place(Path("DATA"), Path("runs/zoo"), Path("recipes/zoo.yaml"))  # in commands


@dataclass(frozen=True)
class Pages:
    """Where they are: the folder of the cards, and the page with the table."""

    cards: Path
    table: Path

    @property
    def results(self) -> Path:
        """The file that all figures come from."""
        return self.cards / "results.json"

    def write(self, zoo: Zoo) -> None:
        """Write each page that is not as it should be. Raises ConfigError, OSError."""
        for path, text in self.texts(zoo):
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)

    def texts(self, zoo: Zoo) -> Iterator[tuple[Path, str]]:
        """Each page and what should stand there. Raises ConfigError for results of no row."""
        results = read_results(self.results)
        self._refuse_unknown(zoo, results)
        for row in zoo.rows:
            if row.name in results:
                yield self.cards / f"{row.name}.md", card(zoo, row, results, _SHOWN)
        yield self.table, _filled(self.table, table(zoo, results))
        index = self.cards / "README.md"
        yield index, _filled(index, card_list(zoo, results))

    def _refuse_unknown(self, zoo: Zoo, results: Results) -> None:
        names = [row.name for row in zoo.every_row()]
        for name in results:
            if name not in names:
                raise ConfigError(f"{self.results}: {name} must be a row; got no row of that name")


def _filled(path: Path, block: str) -> str:
    """A page with a new text between its two marker lines."""
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(f"{_BEGIN}\n")
    _, end, after = rest.partition(f"{_END}\n")
    if not begin or not end:
        raise ConfigError(f"{path} must have the lines {_BEGIN} and {_END}; got a page without")
    return f"{before}{begin}\n{block}\n\n{end}{after}"
