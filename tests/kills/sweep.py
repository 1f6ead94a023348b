"""Kills and write errors at every single change that a command makes to its directory.

    python tests/kills/sweep.py [--points N] [--scenario NAME …] [--way NAME …] [--hook]

Of each scenario one run counts the changes; then a process is killed, or a call fails, at the
first, the second, … of them. What is left must be the old model or the new one, and a person
must get the new one by doing the same again. Prints counts by kind; exits 1 where one was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import logging
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ("pretrained", "export"))]

from injection import KINDS, WAYS, arm, is_preloaded, preload, seen  # noqa: E402

_REFUSED, _FAULT = 3, 4


def in_a_child(work: Callable[[], None]) -> tuple[int, str]:
    """The status of a fork that does it (negative: killed), and what it said last."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.close(reading)
        status, said = 0, ""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                work()
        except BaseException as error:
            status, said = _judged(error)
        with contextlib.suppress(OSError):
            os.write(writing, said.encode()[-4000:])
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _judged(error: BaseException) -> tuple[int, str]:
    """Whether an error is one that names its file in a line, as people are to see it."""
    from transduce.errors import TransduceError

    if isinstance(error, TransduceError):
        return _REFUSED, str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return _REFUSED, f"{os.fsdecode(error.filename)}: {error.strerror}"
    return _FAULT, "".join(traceback.format_exception(error))


class Sweep:
    """One scenario, in a folder of its own."""

    def __init__(self, name: str, home: Path) -> None:
        from scenarios import SCENARIOS

        self.name = name
        self.place = home / "killed" / "model"  # a folder of its own: what is beside it counts too
        self.place.parent.mkdir(parents=True)
        self.scenario = SCENARIOS[name](home)
        self.faults: list[str] = []
        self.states: Counter[str] = Counter()
        self.points = 0

    def changes(self) -> tuple[int, Counter[str]]:
        """How many there are, and of what kinds."""
        self._begin()
        reading, writing = os.pipe()

        def count() -> None:
            arm(self.place.parent, 0, WAYS["count"])
            self.scenario.act(self.place)
            os.write(writing, repr({kind: seen(kind) for kind in KINDS}).encode())

        status, said = in_a_child(count)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            counted: Counter[str] = Counter(eval(pipe.read() or "{}"))
        if status:
            raise SystemExit(f"{self.name}: cannot be done at all: {said}")
        return counted.total(), counted

    def run(self, way: str, number: int) -> None:
        """One point: kill or fail there, look, do it again, look."""
        self._begin()

        def act() -> None:
            arm(self.place.parent, number, WAYS[way])
            self.scenario.act(self.place)

        status, said = in_a_child(act)
        self.points += 1
        try:
            self._require_told(way, status, said)
            self.states[self._state(self.scenario.state)] += 1
            # an error that is passed over may leave what the next writer clears away
            if status or self._litter():
                again, complaint = in_a_child(lambda: self.scenario.again(self.place))
                if again:
                    raise AssertionError(f"cannot be done again: {complaint}")
            if status == 0 and self._litter():
                in_a_child(self._write_next)
            self._state(self.scenario.end)
            if left := self._litter():
                raise AssertionError(f"litter: {left}")
        except Exception as error:
            self.faults.append(f"{self.name}, {way} at {number}: {_last(error)}")

    def _begin(self) -> None:
        from scenarios import clear

        clear(self.place)
        self.scenario.begin(self.place)

    def _write_next(self) -> None:
        from transduce.files import changing

        with changing(self.place):
            pass

    def _state(self, look: Callable[[Path], str | None]) -> str:
        return look(self.place) or ""

    def _litter(self) -> list[str]:
        from scenarios import litter

        return litter(self.place)

    def _require_told(self, way: str, status: int, said: str) -> None:
        """A kill kills; an error is passed over, or told with the name of a file."""
        if WAYS[way].kills:
            if status not in (-9, 0):  # 0: fewer changes than before, as times differ
                raise AssertionError(f"ended with {status}: {said}")
        elif status == _FAULT or status < 0:
            raise AssertionError(f"ended with {status}: {said}")
        elif status == _REFUSED and str(self.place) not in said:
            raise AssertionError(f"names no file: {said}")


def chosen(count: int, points: int | None, seed: int) -> list[int]:
    """All numbers from 1 to ``count``, or some, one from each of as many equal intervals."""
    if points is None or points >= count:
        return list(range(1, count + 1))
    chance = random.Random(seed)
    edges = [round(place * count / points) for place in range(points + 1)]
    return [chance.randint(low + 1, high) for low, high in itertools.pairwise(edges)]


def _last(error: Exception) -> str:
    text = str(error).strip() or repr(error)
    return f"{type(error).__name__}: {text}"


def main() -> None:
    """See the module's first lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--points", type=int, metavar="N", help="so many of each scenario and way")
    parser.add_argument("--scenario", action="append", metavar="NAME")
    parser.add_argument("--way", action="append", choices=[way for way in WAYS if way != "count"])
    parser.add_argument("--hook", action="store_true", help="Python's hook, not the shim")
    asked = parser.parse_args()
    if not asked.hook:
        preload(sys.argv)
    import torch
    from scenarios import SCENARIOS

    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    logging.disable()
    total, faults = Counter[str](), []
    print("seen by", "the shim" if is_preloaded() else "Python's hook")
    for name in asked.scenario or SCENARIOS:
        with tempfile.TemporaryDirectory() as home:
            sweep = Sweep(name, Path(home))
            count, kinds = sweep.changes()
            for way in asked.way or [way for way in WAYS if way != "count"]:
                for number in chosen(count, asked.points, total.total()):
                    sweep.run(way, number)
                    total["kills" if WAYS[way].kills else "errors"] += 1
        kinds = Counter({kind: n for kind, n in kinds.items() if n})
        said = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        found = ", ".join(f"{n} {state}" for state, n in sorted(sweep.states.items()))
        print(f"{name}: {count} changes ({said}); {sweep.points} points: {found}", flush=True)
        for fault in sweep.faults:
            print(f"  FAULT {fault}", flush=True)
        faults += sweep.faults
    print(f"{total['kills']} kills, {total['errors']} errors, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
