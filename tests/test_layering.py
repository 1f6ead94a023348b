"""The order of the house: imports run downward only, and never in a circle.

Every import counts, also those under ``if TYPE_CHECKING`` and those inside a
function: an import that waits may save start-up time, not turn a stair round.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

PACKAGE = "transduce"
SOURCE = Path(__file__).parent.parent / "src" / PACKAGE

# From the ground up. A floor is a module or a folder; folders that stand on one
# line know nothing of each other.
FLOORS = [
    ["errors"],
    ["interfaces", "files", "untrusted"],
    ["metrics"],
    ["config", "kernels"],
    ["compress"],
    ["reference"],
    ["tokenization", "audio"],
    ["image"],
    ["reading"],
    ["batches"],
    ["checks"],
    ["modules"],
    ["search"],
    ["confidence"],
    ["evaluation"],
    ["drawing"],
    ["models"],
    ["engine"],
    ["training", "neighbours", "shortlists"],
    ["adapters"],
    ["workflow"],
    ["light"],
    ["pretrained"],
    ["export", "automatic", "explain"],
    ["tuning", "ladder"],
    ["estimator"],
    ["transducer", "tasks"],
    ["moved", "forks"],
    ["__init__"],
    ["demo", "server"],
    ["commands"],
    ["terminal"],
    ["command_line"],
    ["cli"],
    ["__main__"],
]
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}


def module_files(root: Path) -> dict[str, Path]:
    """Dotted name below the package (``reading.formats``) of each file; of a folder its own."""
    files = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        files[".".join(parts)] = path
    return files


def imported_modules(name: str, path: Path, modules: Iterable[str]) -> set[str]:
    """The package's own modules that a file imports, wherever in the file."""
    here = [] if name == "__init__" else name.split(".")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative to this file's folder
                depth = node.level - (1 if path.name == "__init__.py" else 0)
                folder = here[: len(here) - depth] if depth else here
                base = ".".join([PACKAGE, *folder, *([base] if base else [])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target != PACKAGE and not target.startswith(f"{PACKAGE}."):
                continue
            inner = target.removeprefix(PACKAGE).lstrip(".")
            while inner and inner not in modules:  # a name inside a module: its module
                inner = inner.rpartition(".")[0]
            found.add(inner or "__init__")
    return found - {name}


def import_graph(root: Path) -> dict[str, set[str]]:
    files = module_files(root)
    return {name: imported_modules(name, path, files) for name, path in files.items()}


def floor(module: str) -> str:
    return module.partition(".")[0]


def rising_stairs(graph: Mapping[str, set[str]]) -> list[str]:
    """Imports of a higher floor, or of another room on the same one."""
    return [
        f"{module} imports {target}"
        for module, targets in sorted(graph.items())
        for target in sorted(targets)
        if floor(module) != floor(target)
        and HEIGHT.get(floor(target), 0) >= HEIGHT.get(floor(module), len(FLOORS))
    ]


def circle(graph: Mapping[str, set[str]]) -> list[str] | None:
    """Modules that import each other in a round, or None."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str] | None:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph.get(module, ())):
            if found := walk(target, [*way, module]):
                return found
        done.add(module)
        return None

    return next((found for module in sorted(graph) if (found := walk(module, []))), None)


GRAPH = import_graph(SOURCE)


def rooms_and_modules(folder: Path) -> list[Path]:
    inside = [*folder.glob("*.py"), *(path.parent for path in folder.glob("*/__init__.py"))]
    return [path for path in inside if path.name != "__init__.py"]


def test_every_module_has_a_floor() -> None:
    homeless = sorted({floor(module) for module in GRAPH} - HEIGHT.keys())
    assert not homeless, f"give {homeless} a place in FLOORS and in docs/architecture.md"


def test_stairs_run_down() -> None:
    assert rising_stairs(GRAPH) == []


def test_no_circles() -> None:
    assert circle(GRAPH) is None


def test_a_folder_has_three_modules_or_more() -> None:
    folders = {path.parent for path in SOURCE.rglob("*/*.py")} - {SOURCE}
    small = [f.name for f in folders if len(rooms_and_modules(f)) < 3]
    assert small == []


def test_a_floor_of_a_folder_has_a_dozen_modules_at_most() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    modules = {f.name: {*f.glob("*.py")} - {f / "__init__.py"} for f in folders}
    assert {name: len(own) for name, own in modules.items() if len(own) > 12} == {}


def test_modules_know_no_config() -> None:
    """Layers take plain numbers, so that any project can use them alone."""
    knowing = [m for m, targets in GRAPH.items() if floor(m) == "modules" and "config" in targets]
    assert knowing == []


def test_search_knows_interfaces_kernels_and_its_own_options_only() -> None:
    """No model and no engine; kernels are arithmetic on tensors."""
    known = {"errors", "interfaces", "kernels", "config", "search"}
    stairs = {t for m, targets in GRAPH.items() if floor(m) == "search" for t in targets}
    assert {floor(target) for target in stairs} <= known


# ------------------------------------------------ the checks themselves can fail


@pytest.mark.parametrize(
    "code",
    [
        "from transduce.models.decoder import Decoder",
        "import transduce.models.decoder",
        "from transduce.models import decoder",
        "from ..models import decoder",
        "from ..models.decoder import Decoder",
        "def late():\n    from transduce.models import decoder",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import transduce.models.decoder",
    ],
)
def test_a_rising_stair_is_seen(tmp_path: Path, code: str) -> None:
    house = {"reading/__init__.py": "", "reading/formats.py": code}
    house |= {"models/__init__.py": "", "models/decoder.py": ""}
    for name, text in house.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert rising_stairs(import_graph(tmp_path)) == ["reading.formats imports models.decoder"]


def test_the_package_itself_stands_above_its_rooms(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "errors.py").write_text("from transduce import Transducer")
    assert rising_stairs(import_graph(tmp_path)) == ["errors imports __init__"]


def test_a_circle_within_a_room_is_seen() -> None:
    graph = {"data.a": {"data.b"}, "data.b": {"data.c"}, "data.c": {"data.a"}, "errors": set()}
    assert circle(graph) == ["data.a", "data.b", "data.c", "data.a"]
