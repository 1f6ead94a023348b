"""A published model whose weights are a pickle, read as data."""

from __future__ import annotations

from pathlib import Path

from fuzz.feeding.published import harness_of, written


def _write(folder: Path) -> None:
    import families
    import torch

    pair = families.bart(folder)
    (folder / "model.safetensors").unlink()
    torch.save(pair.theirs.state_dict(), folder / "pytorch_model.bin")


HARNESS = harness_of("import-pickled", lambda: [written(_write, legacy_weights=True)])
