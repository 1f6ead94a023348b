"""The program, also ``python -m transduce``: what the Tab key asks is answered before all else."""

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
    from transduce import cli  # loads typer

    cli.main()


if __name__ == "__main__":
    main()
