"""``transduce``, which says at its end what it took: processor time and peak memory."""

from __future__ import annotations

import atexit
import sys
import time

from transduce.__main__ import main


def _say() -> None:
    with open("/proc/self/status", encoding="utf-8") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(time.process_time(), peak / 1024, file=sys.stderr)


if __name__ == "__main__":
    atexit.register(_say)
    main()
