"""What torchrun does on one machine, with forks: PyTorch is imported once."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable

__all__ = ["launch"]


def launch(work: Callable[[], None], world: int) -> None:
    """Do the work in ``world`` processes that know of each other; ends this one where one fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    children = [_forked(work, rank) for rank in range(world)]
    if any(os.waitpid(child, 0)[1] for child in children):
        sys.exit("a process failed")


def _forked(work: Callable[[], None], rank: int) -> int:
    child = os.fork()
    if child:
        return child
    os.environ["RANK"] = str(rank)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
