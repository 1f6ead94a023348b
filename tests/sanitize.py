"""The tests of the native engine under the sanitizers of the compiler: ``make sanitize``.

The kernels are compiled with ``-fsanitize``, the sanitizer's runtime is loaded into Python before
anything else, and every report is counted: none may be there. Further arguments go to pytest.

``--threads`` looks for races between threads instead. What torch and Python do is not compiled for
that and is not seen; the kernels run on threads of their own then, not on OpenMP's, whose barriers
the sanitizer does not know.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from transduce.errors import EngineError
from transduce.kernels.compiler import find_compiler

TESTS = ["tests/engine", "tests/kernels"]
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")

RACES = [
    "tests/kernels",
    "tests/engine/test_engine_search.py",
    "tests/engine/test_native_loss.py",
    "tests/engine/test_sources_apart.py",
    "tests/engine/test_neighbours.py::test_large_vocabularies_and_batches",
    "tests/engine/test_neighbours.py::test_whatever_the_options",
]
# OpenMP's runtime is not compiled for it: with its threads everything would be a race.
OWN_THREADS = """
import sys, pytest
from transduce.kernels import library
library._share_threads = lambda _: None
sys.exit(pytest.main(sys.argv[1:]))
"""
LOADS = "from transduce.kernels.library import load_library; print(load_library().path)"
# Faults that each of them must report, or none of their silence is worth anything.
FAULTS = """
#include <climits>
#include <thread>
extern "C" int overflow(int number) { return INT_MAX - 1 + number; }
extern "C" int behind(int number) {
  int* numbers = new int[number];
  const int found = numbers[number];
  delete[] numbers;
  return found;
}
extern "C" int race(int number) {
  int sum = 0;
  const auto count = [&] { for (int i = 0; i < number; ++i) ++sum; };
  std::thread one(count), other(count);
  one.join();
  other.join();
  return sum;
}
"""
CALLS = "import ctypes, sys; [getattr(ctypes.CDLL(sys.argv[1]), name)(9) for name in sys.argv[2:]]"
FLAGS = "-O1 -g1 -fno-var-tracking -fno-omit-frame-pointer"
# Checks of every pointer that vectors are read by take the compiler minutes and gigabytes; what
# lies behind a wrong one is an address that is not ours, and found as such.
LESS = "-fno-sanitize=null,vptr,alignment -fsanitize-recover=all"

# libstdc++ beside the first, which else does not find what throws exceptions.
ADDRESSES = ["libasan.so", "libstdc++.so.6"]
THREADS = ["libtsan.so"]
OPTIONS = {
    # Python frees little of what it has at its end; a test asks for more memory than there is.
    "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:ignore_noninstrumented_modules=1:history_size=7",
}


def runtime(command: tuple[str, ...], name: str) -> str | None:
    """Where the compiler has a library, if it has it."""
    asked = [*command, f"-print-file-name={name}"]
    path = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return path if os.path.isabs(path) and Path(path).exists() else None


def read_reports(folder: Path) -> str:
    """What they wrote, which goes with the reading."""
    said = ""
    for path in sorted(folder.glob("report*")):
        said += path.read_text(errors="replace")
        path.unlink()
    return said


def noted(
    told: list[str], environment: dict[str, str], folder: Path
) -> subprocess.CompletedProcess[bytes]:
    """Run it; its standard error goes to a report of its own."""
    with open(folder / "report-of-errors", "wb") as errors:
        return subprocess.run(told, env=environment, check=False, stderr=errors)


def plant(
    command: tuple[str, ...], names: list[str], environment: dict[str, str], folder: Path
) -> int:
    """How many of FAULTS are reported."""
    source, library = folder / "faults.cpp", folder / "faults.so"
    source.write_text(FAULTS)
    flags = [*shlex.split(environment["TRANSDUCE_CXXFLAGS"]), "-shared", "-fPIC", "-pthread"]
    subprocess.run([*command, *flags, str(source), "-o", str(library)], check=True)
    calls = [sys.executable, "-c", CALLS, str(library), *names]
    noted(calls, environment, folder)
    return len(REPORT.findall(read_reports(folder)))


def main(arguments: list[str]) -> str | int:
    threads = "--threads" in arguments
    chosen = [argument for argument in arguments if argument != "--threads"]
    try:
        command = find_compiler(None).command
    except EngineError as error:
        return str(error)
    names = THREADS if threads else ADDRESSES
    libraries = [runtime(command, name) for name in names]
    if None in libraries:
        return f"{command[0]} has no {' or '.join(names)}; g++ on Linux has them"
    kinds = "thread" if threads else "address,undefined"
    with tempfile.TemporaryDirectory() as folder:
        logged = {name: f"{value}:log_path={folder}/report" for name, value in OPTIONS.items()}
        environment = {
            **os.environ,
            **logged,
            "LD_PRELOAD": ":".join(filter(None, libraries)),
            # The compiler itself goes without, or would take ten times as long.
            "CXX": shlex.join(["env", "-u", "LD_PRELOAD", *command]),
            "TRANSDUCE_CXXFLAGS": f"{FLAGS} -fsanitize={kinds} {LESS}",
            "PYTHONMALLOC": "malloc",
        }
        planted = ["race"] if threads else ["overflow", "behind"]
        found = plant(command, planted, environment, Path(folder))
        if found < len(planted):
            return f"the sanitizers must report {len(planted)} planted faults; got {found}"
        loads = [sys.executable, "-c", LOADS]  # tests would skip what cannot be loaded
        run = subprocess.run(loads, env=environment, check=False)
        if not run.returncode:
            runner = ["-c", OWN_THREADS] if threads else ["-m", "pytest"]
            named = any(Path(argument.split("::")[0]).exists() for argument in chosen)
            tests = [] if named else RACES if threads else TESTS
            # Undefined behaviour is told to the standard error, past log_path and pytest.
            options = ["-q", "-p", "no:cacheprovider", "--capture=sys"]
            told = [sys.executable, *runner, *options, *tests, *chosen]
            run = noted(told, environment, Path(folder))
        said = read_reports(Path(folder))
    reports = len(REPORT.findall(said))
    print(f"{said}{reports} reports of the sanitizers ({kinds})")
    return 1 if reports else run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
