"""House rules that no linter knows."""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "transduce"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400

# Files of one name: rooms built alike, for one subject each. All others have a name of their own.
TWINS = {
    "augmentation.py": {"audio", "image"},  # what an epoch does to a recording, to a picture
    "reader.py": {"audio", "image"},  # what reads these
    "recurrent.py": {"engine/stacks", "models", "modules"},  # layers, the model, its programs
    "transformer.py": {"engine/stacks", "models", "modules"},  # likewise
    "ctc.py": {"kernels", "models", "training/objectives"},  # kernel, output layer, objective
    "choose.py": {"training/objectives", "workflow/readers"},  # by the config, one of the room
    "frontend.py": {"config", "modules/frontends"},  # a section is named as what it configures
    "compare.py": {"commands/measuring", "evaluation"},  # a command's file is named as the command
    "evaluate.py": {"commands/measuring", "workflow"},  # likewise
}

# What runs code out of a file, or could.
UNSAFE_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "input",
    "torch.load",
    "torch.save",
    "numpy.load",
    "np.load",
    "yaml.load",
    "yaml.unsafe_load",
}


def unsafe_uses(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in UNSAFE_CALLS and not _refuses_pickle(node):
                yield f"line {node.lineno}: {called}"
            if not _trusts_nobody(node):
                yield f"line {node.lineno}: trust_remote_code"
            continue
        else:
            continue
        yield from (f"line {node.lineno}: {n}" for n in names if n.split(".")[0] in UNSAFE_IMPORTS)


def _trusts_nobody(call: ast.Call) -> bool:
    """Whoever hands something published to another library says that its code is not to be run."""
    words = [ast.unparse(w.value) for w in call.keywords if w.arg == "trust_remote_code"]
    asks = isinstance(call.func, ast.Attribute) and call.func.attr == "from_pretrained"
    return words == ["False"] if asks else words in ([], ["False"])


def _refuses_pickle(call: ast.Call) -> bool:
    """``np.load(..., allow_pickle=False)`` reads plain arrays; yaml.load with a safe loader;
    ``torch.load(..., weights_only=True)`` tensors and nothing that runs.
    """
    words = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if ast.unparse(call.func) == "yaml.load":
        loader = words.get("Loader", ast.unparse(call.args[1]) if len(call.args) > 1 else "")
        return "Safe" in loader or loader.endswith("UniqueKeys")
    if ast.unparse(call.func) == "torch.load":
        return words.get("weights_only") == "True"
    return words.get("allow_pickle") == "False"


def blind_keywords(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.args.kwarg:
            typed = node.args.kwarg.annotation
            if typed is None or ast.unparse(typed) == "Any":
                yield f"line {node.lineno}: {node.name}(**{node.args.kwarg.arg})"


SHAPED = {"reshape", "view", "transpose", "permute", "flatten", "unflatten", "movedim", "T", "mT"}


def silent_shapes(code: str) -> Iterator[str]:
    """Where a tensor's axes change and neither the line nor the one before has a shape in a
    comment: ``# [B, H, S, d]``.
    """
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT and "[" in token.string
    }
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr in SHAPED:
            line = node.end_lineno or node.lineno
            if not comments & {line - 1, line}:
                yield f"line {line}: {node.attr}"


def public_names(tree: ast.Module) -> list[str] | None:
    """The value of ``__all__``, or None where there is none."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return [str(name) for name in ast.literal_eval(node.value)]  # type: ignore[union-attr]
    return None


def defined_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return names


def unspoken_names(path: Path, tree: ast.Module) -> Iterator[str]:
    """What a module does not say of what it is and gives."""
    if not tree.body and path.name == "__init__.py":
        return  # a folder that only holds its modules
    if not ast.get_docstring(tree):
        yield "a module begins with a docstring"
    names = public_names(tree)
    if names is None and path.name != "__main__.py":
        yield "a module has __all__"
    if path != PACKAGE / "__init__.py":  # may give names when first asked
        yield from (f"__all__ names {n}" for n in set(names or ()) - defined_names(tree))


def too_long(path: Path, tree: ast.Module) -> Iterator[str]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > LONGEST:
        yield f"{lines} lines: give its second subject a file of its own"


def code_out_of_files(path: Path, tree: ast.Module) -> Iterator[str]:
    return unsafe_uses(tree)


def keywords_passed_on(path: Path, tree: ast.Module) -> Iterator[str]:
    """But for scikit-learn's set_params(**params) and generate's options, whose names are
    checked there.
    """
    if path.name in ("transducer.py", "make_pipeline.py", "task_pipeline.py", "moved.py"):
        return iter(())
    return blind_keywords(tree)


def asserts(path: Path, tree: ast.Module) -> Iterator[str]:
    """An assert vanishes under ``python -O``, and its message names no key, file or line."""
    return (f"line {node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Assert))


def empty_names(path: Path, tree: ast.Module) -> Iterator[str]:
    if path.stem in {"utils", "util", "helpers", "misc", "common"}:
        yield "a module is named by its subject"


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize(
    "rule",
    [unspoken_names, too_long, code_out_of_files, keywords_passed_on, asserts, empty_names],
    ids=lambda rule: rule.__name__,
)
def test_every_module_keeps(rule: Callable[[Path, ast.Module], Iterator[str]]) -> None:
    found = {str(path.relative_to(PACKAGE)): list(rule(path, parsed(path))) for path in MODULES}
    assert {path: broken for path, broken in found.items() if broken} == {}


@pytest.mark.parametrize(
    ("rule", "name", "code", "broken"),
    [
        (unspoken_names, "a.py", "x = 1", 2),
        (unspoken_names, "a.py", "'A.'\n__all__ = ['f', 'g']\ndef g(): ...", 1),
        (unspoken_names, "__init__.py", "", 0),
        (unspoken_names, "__main__.py", "'A.'", 0),
        (too_long, "a.py", "x = 1\n" * (LONGEST + 1), 1),
        (asserts, "a.py", "def f(x):\n    assert x", 1),
        (empty_names, "utils.py", "", 1),
    ],
)
def test_a_module_that_breaks_a_rule_is_seen(
    rule: Callable[[Path, ast.Module], Iterator[str]],
    name: str,
    code: str,
    broken: int,
    tmp_path: Path,
) -> None:
    (tmp_path / name).write_text(code)
    assert len(list(rule(tmp_path / name, ast.parse(code)))) == broken


def test_a_file_has_its_name_alone() -> None:
    rooms: dict[str, set[str]] = {}
    for path in MODULES:
        if path.name != "__init__.py":
            room = path.parent.relative_to(PACKAGE)
            rooms.setdefault(path.name, set()).add(str(room))
    assert {name: where for name, where in rooms.items() if len(where) > 1} == TWINS


def test_a_file_of_tests_has_its_name_alone() -> None:
    """They are imported by that name; of two the second cannot be collected."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_a_class_has_its_name_alone() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize("room", ["modules", "models", "search"])
def test_shapes_stand_where_axes_change(room: str) -> None:
    for path in sorted((PACKAGE / room).rglob("*.py")):
        assert list(silent_shapes(path.read_text(encoding="utf-8"))) == [], path


# ------------------------------------------------ the checks themselves can fail


@pytest.mark.parametrize(
    ("check", "code", "found"),
    [
        (unsafe_uses, "import pickle", "line 1: pickle"),
        (unsafe_uses, "def f():\n    from joblib import load", "line 2: joblib"),
        (unsafe_uses, "import torch\ntorch.load('x')", "line 2: torch.load"),
        (unsafe_uses, "eval('1')", "line 1: eval"),
        (unsafe_uses, "import yaml\nyaml.load('1', yaml.Loader)", "line 2: yaml.load"),
        (unsafe_uses, "f(trust_remote_code=True)", "line 1: trust_remote_code"),
        (unsafe_uses, "f(trust_remote_code=x)", "line 1: trust_remote_code"),
        (unsafe_uses, "AutoModel.from_pretrained('x')", "line 1: trust_remote_code"),
        (unsafe_uses, "input('y/n')", "line 1: input"),
        (unsafe_uses, "np.load('x')", "line 1: np.load"),
        (blind_keywords, "def f(**options): ...", "line 1: f(**options)"),
        (blind_keywords, "def f(**options: Any): ...", "line 1: f(**options)"),
    ],
)
def test_a_broken_rule_is_seen(
    check: Callable[[ast.Module], Iterator[str]], code: str, found: str
) -> None:
    assert list(check(ast.parse(code))) == [found]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("y = x.view(2, 3)", ["line 1: view"]),
        ("y = x.view(2, 3)  # [B, S]", []),
        ("# [B·S] → [B, S]\ny = x.view(2, 3)", []),
        ("y = x.T  # turned", ["line 1: T"]),
        ("y = (\n    x.flatten()\n    .sum()  # [B]\n)", ["line 2: flatten"]),
    ],
)
def test_axes_that_change_in_silence_are_seen(code: str, found: list[str]) -> None:
    assert list(silent_shapes(code)) == found


def test_safe_readers_are_allowed() -> None:
    code = (
        "np.load('x', allow_pickle=False)\nyaml.load('1', Loader=yaml.SafeLoader)\n"
        "torch.load('x', weights_only=True)\nA.from_pretrained('x', trust_remote_code=False)"
    )
    assert list(unsafe_uses(ast.parse(code))) == []
