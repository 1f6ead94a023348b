"""Old names of modules import for one version more."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import transduce
from transduce.moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_a_module_that_moved_is_the_one_that_it_is_now(name: str) -> None:
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} is now {MOVED[name]}"):
        found = import_module(name)
    assert found is import_module(MOVED[name])
    assert found.__name__ == found.__spec__.name == MOVED[name]
    sys.modules.pop(name, None)


def test_nothing_else_is_found_there() -> None:
    for name in ("transduce.data.nothing", "transduce.nothing", "transduce.pipeline.nothing"):
        with pytest.raises(ModuleNotFoundError, match=r"nothing"):
            import_module(name)


def test_pipeline_is_a_plain_function_and_stays_one_to_call() -> None:
    code = (
        "import types, transduce\n"
        "assert isinstance(transduce.pipeline, types.FunctionType)\n"
        "import transduce.pipeline.trained as trained\n"
        "assert trained.TrainedModel.__module__ == 'transduce.workflow.trained'\n"
        "try: transduce.pipeline('nothing', model='.')\n"
        "except Exception as error: print(*(c.__name__ for c in type(error).__mro__[:2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "UnknownTaskError ConfigError"


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, transduce; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert transduce.__version__
