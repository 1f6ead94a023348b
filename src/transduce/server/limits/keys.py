"""Who may ask: keys that are stored as hashes only, and what each may ask for in a time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from transduce.config.base import Bounds, Name, Section
from transduce.config.wording import describe
from transduce.config.yaml import read_recipe
from transduce.errors import ConfigError
from transduce.files import write_text
from transduce.server.limits.request_errors import RequestError

__all__ = ["KeyEntry", "KeyRefusedError", "KeyRing", "add_key"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_BYTES = 32  # of a new key, from the system's own source


class KeyRefusedError(RequestError):
    """A key that nobody has, or ``missing``: none at all."""

    def __init__(self, *, missing: bool) -> None:
        got = "none" if missing else "another"
        super().__init__(f"API key must be one that the server knows; got {got}", 401)
        self.missing = missing


class KeyEntry(Section):
    """One line of the file of keys; limits that are left out are those of the server."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")]
    requests_a_minute: Annotated[int, Bounds(ge=1, le=10**9)] | None = None
    characters_a_day: Annotated[int, Bounds(ge=1, le=10**12)] | None = None
    adapter: Name | None = None  # who has the key is answered with it


class KeyRing:
    """All keys by the names of who has them. Empty: everybody is answered."""

    def __init__(self, entries: Mapping[str, KeyEntry]) -> None:
        self.entries = dict(entries)

    @classmethod
    def read(cls, path: Path | None) -> KeyRing:
        """From a file of YAML: ``anna: {sha256: …}``. Raises ConfigError, naming no key."""
        if path is None:
            return cls({})
        entries = {}
        for name, values in read_recipe(path).items():
            try:
                entries[str(name)] = KeyEntry.model_validate(values)
            except ValidationError as error:
                given = values if isinstance(values, dict) else {}
                said = describe(error, KeyEntry, given)
                raise ConfigError(f"{path}: {name}: {said}") from None
        if not entries:
            raise ConfigError(f"{path}: keys must be at least one (--new-key NAME); got none")
        return cls(entries)

    def holder(self, key: str | None) -> str:
        """The name of who has a key. Raises KeyRefusedError.

        A key is compared with all in the same time, whichever it is.
        """
        if not key:
            raise KeyRefusedError(missing=True)
        digest, found = _digest(key), ""
        for name, entry in self.entries.items():
            if hmac.compare_digest(entry.sha256, digest):
                found = name
        if not found:
            raise KeyRefusedError(missing=False)
        return found


def add_key(path: Path, name: str) -> str:
    """Add a new key to the file, as its hash; the key itself is given here and nowhere else.

    Raises ConfigError where the name is taken, OSError.
    """
    known = read_recipe(path) if path.exists() else {}
    if name in known:
        raise ConfigError(f"--new-key must be a name that is not in {path} yet; got {name}")
    if not _PLAIN.fullmatch(name):
        raise ConfigError(f"--new-key must be letters, digits, dots and dashes; got {name!r}")
    key = secrets.token_urlsafe(_BYTES)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_text(path, f"{before}{name}: {{sha256: {_digest(key)}}}\n")
    path.chmod(0o600)
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
