"""Inputs and failures as files: JSON, its bytes in base64, so that any input is one small file."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzz.harness import Files
from fuzz.running.judging import Failure

__all__ = ["name_of", "read_input", "write_failure", "write_input"]


def name_of(files: Files) -> str:
    """The same for the same input, another for any other."""
    whole = hashlib.sha256()
    for name, data in sorted(files.items()):
        whole.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogatepass") + data)
    return whole.hexdigest()[:16]


def read_input(path: Path) -> tuple[str, Files]:
    """The name of a harness and an input for it."""
    held = json.loads(path.read_text())
    return held["harness"], {k: base64.b64decode(v) for k, v in held["files"].items()}


def write_input(path: Path, harness: str, files: Files, **more: Any) -> Path:
    """Write an input; ``more`` is for people."""
    held = {
        "harness": harness,
        **more,
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=1) + "\n")
    return path


def write_failure(folder: Path, harness: str, files: Files, failure: Failure, drawn: str) -> Path:
    """Write an input that failed, how it was drawn and the command that repeats it."""
    path = folder / f"{harness}-{failure.kind}-{name_of(files)}.json"
    return write_input(
        path,
        harness,
        files,
        repeat=f".venv/bin/python tests/fuzz repeat {path}",
        drawn=drawn,
        failure=asdict(failure),
        shown={name: repr(data[:400]) for name, data in files.items()},
    )
