"""Train the models of the table "Measured", measure them, and write their cards.

    python -m benchmarks.zoo --data FOLDER                  # all rows, one after another
    python -m benchmarks.zoo --data FOLDER g2p-kor cmudict  # some
    python -m benchmarks.zoo --data FOLDER g2p-kor --from-run RUN
    python -m benchmarks.zoo --pages

Rows are in recipes/zoo.yaml. Each is trained in runs/zoo/NAME, tested, shrunk to int8
(runs/zoo/NAME-int8) and tested again; docs/zoo gets its results and its card, and recipes/README.md
the table. What is done is not done again, a training that was stopped goes on, and a row that fails
does not stop the others; then the exit status is 1. --from-run enters a run that was trained
otherwise with the row's own settings; --pages writes the pages after a change of zoo.yaml.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.zoo.building import Builder, StoppedError
from benchmarks.zoo.pages import Pages
from benchmarks.zoo.rows import Place, Zoo
from transduce.errors import ConfigError, TransduceError

__all__ = ["main"]

_HERE = Path(__file__).parent.parent.parent
_WRONG, _STOPPED = 2, 130  # exit statuses, as those of transduce


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 where a row failed, 2 for a wrong call."""
    options = _options(arguments)
    try:
        return 0 if _run(options) else 1
    except StoppedError as stopped:
        print(f"{stopped}: stopped; the same command goes on", file=sys.stderr)
        return _STOPPED
    except (TransduceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _WRONG


def _run(options: argparse.Namespace) -> bool:
    zoo = Zoo.read(options.zoo)
    pages = Pages(options.cards, options.table)
    if options.pages:
        pages.write(zoo)
        return True
    if options.data is None:
        raise ConfigError("--data must be the folder of the data; got none")
    builder = Builder(zoo, Place(options.data, options.runs, options.zoo), pages, _say)
    if options.from_run is None:
        return builder.build(options.rows)
    if len(options.rows) != 1:
        raise ConfigError(f"--from-run must be given with one row; got {len(options.rows)}")
    return builder.enter(options.rows[0], options.from_run, options.processor_minutes)


def _say(line: str) -> None:
    print(line, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("rows", nargs="*", metavar="ROW", help="names of rows (all)")
    add("--data", type=Path, metavar="FOLDER", help="with the data, as zoo.yaml names its files")
    add("--runs", type=Path, default=Path("runs/zoo"), metavar="FOLDER", help="(runs/zoo)")
    add("--from-run", type=Path, metavar="RUN", help="a run that was trained as the row says")
    add("--processor-minutes", type=float, metavar="M", help="of that run's training, if measured")
    add("--pages", action="store_true", help="write the pages, build nothing")
    add("--zoo", type=Path, default=_HERE / "recipes/zoo.yaml", metavar="FILE", help="the rows")
    add("--cards", type=Path, default=_HERE / "docs/zoo", metavar="FOLDER", help="of the cards")
    add("--table", type=Path, default=_HERE / "recipes/README.md", metavar="FILE", help="its page")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
