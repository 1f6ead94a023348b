"""How typer runs our commands."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from transduce.terminal import pipes_told

__all__ = ["Commands"]


class Commands(TyperGroup):
    """Hides a closed pipe from the library, which would end with a status of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: object
    ) -> Any:
        """Parse; here the help and the version are printed."""
        with pipes_told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with pipes_told():
            return super().invoke(ctx)
