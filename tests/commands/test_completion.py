"""What the shell offers at the Tab key, without torch and without the config."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from transduce.cli import app, main
from transduce.reference.open_sections import OPEN_SECTIONS

RUNNER = CliRunner()


def offered(*words: str, shell: str = "bash") -> list[str]:
    """For the last of the words; bash cuts them at "=" before it asks."""
    environment = {"_TRANSDUCE_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        line = [piece for word in words for piece in word.replace("=", " = ").split(" ") if piece]
        if words[-1] == "" or (words[-1].endswith(" ")):
            line.append("")
        environment |= {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
    else:
        environment |= {
            "_TYPER_COMPLETE_ARGS": " ".join(words),
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
    found = RUNNER.invoke(app, [], env=environment, prog_name="transduce")
    return found.output.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("transduce", "tr"), ["train"]),
        (("transduce", "train", "--res"), ["--resume"]),
        (("transduce", "train", "inf"), ["inflection"]),
        (("transduce", "recipes", "rev"), ["reverse"]),
        (("transduce", "train", "g2p", "model.preset=gr"), ["gru-tiny", "gru-small", "gru-base"]),
        (("transduce", "train", "g2p", "model.preset="), None),
        (
            ("transduce", "check", "a.tsv", "data.hea"),
            ["data.header=", "data.header=true", "data.header=false"],
        ),
        (("transduce", "check", "a.tsv", "data.header=t"), ["true"]),
        (("transduce", "predict", "m", "mod"), []),
        (("transduce", "predict", "m", "search.sample=f"), ["false"]),
        (("transduce", "predict", "m", "--format", "js"), ["jsonl"]),
        (("transduce", "evaluate", "m", "engine=flo"), ["float32"]),
    ],
)
def test_words_in_bash(words: tuple[str, ...], wanted: list[str] | None) -> None:
    found = offered(*words)
    assert found == wanted if wanted is not None else "transformer-base" in found


@pytest.mark.parametrize(
    ("words", "first", "another"),
    [
        (("train", "g2p", "model.p"), "model.preset=", "model.preset=gru-tiny"),
        (("train", "g2p", "model.decoder.wid"), "model.decoder.width=", "model.decoder.width=256"),
        (("train", "g2p", "training.max_st"), "training.max_steps=", "training.max_steps=null"),
        (("predict", "m", "se"), "search.", "search.beam="),
    ],
)
def test_a_single_key_has_company(words: tuple[str, ...], first: str, another: str) -> None:
    """Behind a single answer shells put a space; of several they take what all begin with."""
    found = offered("transduce", *words)
    assert found[0] == first
    assert another in found
    assert all(text.startswith(first) for text in found)


def test_a_trained_model_is_offered_no_other_key() -> None:
    assert offered("transduce", "predict", "m", "see") == []
    assert offered("transduce", "predict", "m", "model.p") == []


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_other_shells_have_the_word_whole(shell: str) -> None:
    found = offered("transduce", "train", "g2p", "model.preset=gru-t", shell=shell)
    assert "model.preset=gru-tiny" in " ".join(found)
    assert "model.preset=gru-base" not in " ".join(found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_s_script_is_shown(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)  # not that of the tests
    found = RUNNER.invoke(app, ["--show-completion"], prog_name="transduce")
    assert found.exit_code == 0
    assert "_TRANSDUCE_COMPLETE" in found.output


def test_nothing_heavy_is_loaded_for_an_answer() -> None:
    code = (
        "import sys; from transduce.commands.completion import recipe_and_options;"
        "import transduce.cli;"
        "print([name for name in ('torch', 'numpy', 'transduce.config') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "tune",
        "check",
        "evaluate",
        "calibrate",
        "predict",
        "compare",
        "show",
        "explain",
        "index",
        "export",
        "import",
    ],
)
def test_a_command_alone_shows_its_help(command: str) -> None:
    found = RUNNER.invoke(app, [command], prog_name="transduce")
    assert found.exit_code == 2
    assert f"Usage: transduce {command}" in found.output


def test_usage_is_the_same_by_python_m(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/transduce/__main__.py", "train"])
    with pytest.raises(SystemExit):
        main()
    assert "Usage: transduce train" in capsys.readouterr().out


def test_all_that_a_trained_model_can_be_told_is_offered() -> None:
    found = {text.rstrip(".=") for text in offered("transduce", "predict", "RUN", "") if text}
    assert found >= set(OPEN_SECTIONS)
    assert "neighbours.index=" in " ".join(offered("transduce", "predict", "RUN", "neighbours.i"))
    assert not [text for text in found if text.startswith(("training", "model"))]
