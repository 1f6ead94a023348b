"""One self-contained HTML file: what a person reads, and the same as JSON for a program."""

from __future__ import annotations

from html import escape

__all__ = ["html_file"]


def html_file(title: str, body: str, data: str, name: str) -> str:
    """The file; ``data`` is JSON, found by its element's ``name``. Nothing comes from elsewhere."""
    inert = data.replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>\n<main>{body}</main>\n"
        f'<script type="application/json" id="{name}">{inert}</script>\n</body></html>\n'
    )
