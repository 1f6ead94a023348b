"""The program, also ``python -m transduce``: what the Tab key asks is answered before all else,
then predictions that need not wait for the libraries of the other commands.
"""

from __future__ import annotations

import os
import sys

from transduce.commands.completing.tab_key import ASKED, tab_answer

__all__ = ["main"]


def main() -> None:
    """Answer the shell, or run a command."""
    if ASKED in os.environ and (answer := tab_answer(os.environ)) is not None:
        text, status = answer
        sys.stdout.buffer.write(f"{text}\n".encode() if text else b"")
        sys.exit(status)
    if sys.argv[1:2] == ["predict"] and _predicted(sys.argv[1:]):
        return
    from transduce import cli  # loads typer

    cli.main()


def _predicted(arguments: list[str]) -> bool:
    from transduce.commands.predicting.at_once import answers_at_once
    from transduce.terminal import speaking, stand_in_for_closed_streams

    stand_in_for_closed_streams()  # before a file is opened, which would get its number
    if (answer := answers_at_once(arguments)) is None:
        return False
    with speaking(debug=False):
        answer()
    return True


if __name__ == "__main__":
    main()
