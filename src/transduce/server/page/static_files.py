"""The files of the page, read once from the package, and the headers that they are sent with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["POLICY", "StaticFile", "static_files"]

_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# Whole lines alone: what stands behind code, or in a text of several lines, is no comment here.
_COMMENT = re.compile(rb"^[ \t]*(?:/\*\*|\*[ /]|//|/\*).*$", re.MULTILINE)

# Nothing but its own files: no line of script or style in the page, nothing of another host.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True)
class StaticFile:
    """A file's bytes, its media type and the tag by which a browser knows that it has them."""

    content: bytes
    kind: str
    tag: str

    @property
    def headers(self) -> Mapping[str, str]:
        """A browser asks each time, and is sent nothing where it has the same bytes."""
        return {
            "content-security-policy": POLICY,
            "permissions-policy": "microphone=(self)",
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
            "etag": self.tag,
        }


def static_files() -> dict[str, StaticFile]:
    """All files by their path below the folder, ``index.html`` among them.

    Lines of comments are sent empty, so that others keep their numbers.
    """
    found = {}
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in _KINDS:
            content = _COMMENT.sub(b"", path.read_bytes())
            tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            name = path.relative_to(_FOLDER).as_posix()
            found[name] = StaticFile(content, _KINDS[path.suffix], tag)
    return found
