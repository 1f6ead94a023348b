"""What the shell offers at the Tab key, without torch and without the config."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from transduce.__main__ import main as program
from transduce.cli import app, main
from transduce.command_line.command_words import WORDS, words_of
from transduce.commands.completing.tab_key import ASKED, tab_answer
from transduce.reference.open_sections import OPEN_SECTIONS

RUNNER = CliRunner()


def asked(words: tuple[str, ...], shell: str) -> dict[str, str]:
    """What a shell sets for the last of the words; bash cuts them at "=" before it asks."""
    environment = {ASKED: f"complete_{shell}"}
    if shell == "bash":
        line = [piece for word in words for piece in word.replace("=", " = ").split(" ") if piece]
        if words[-1] == "" or (words[-1].endswith(" ")):
            line.append("")
        return environment | {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
    return environment | {
        "_TYPER_COMPLETE_ARGS": " ".join(words),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }


def offered(*words: str, shell: str = "bash") -> list[str]:
    answer = tab_answer(asked(words, shell))
    assert answer is not None
    assert answer[1] == 0
    return answer[0].split()


def offered_by_typer(*words: str, shell: str) -> str:
    environment = asked(words, shell)
    return RUNNER.invoke(app, [], env=environment, prog_name="transduce").output.rstrip("\n")


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "words",
    [
        ("transduce", "train", "in"),
        ("transduce", "train", "g2p", "data."),
        ("transduce", "train", "--min"),
        ("transduce", "train", "--minutes", "3", "--"),
        ("transduce", "train", "--resume", "re"),
        ("transduce", "tune", "re"),
        ("transduce", "predict", "m", "--form"),
        ("transduce", "predict", "m", "--format", "c"),
        ("transduce", "predict", "m", "--output", "c"),
        ("transduce", "predict", "m", "-"),
        ("transduce", "predict", "--beam", "4", "m", "search.l"),
        ("transduce", "predict", "m", "--ensemble", "n", "--ens"),
        ("transduce", "predict", ""),
        ("transduce", "recipes", ""),
        ("transduce", "recipes", "g2p", ""),
        ("transduce", "evaluate", "m", "data.tsv", "sea"),
        ("transduce", "--"),
        ("transduce", "nothing", "x"),
        ("transduce", "schema", ""),
    ],
)
def test_typer_would_answer_the_same(words: tuple[str, ...], shell: str) -> None:
    ours, status = tab_answer(asked(words, shell)) or ("", 1)
    assert status == 0
    theirs = offered_by_typer(*words, shell=shell)  # which may cut what is said of an option
    assert sorted(ours.split()) == sorted(theirs.split())


def test_commands_say_what_they_are_for() -> None:
    """More of it than typer's 45 characters."""
    answer = tab_answer(asked(("transduce", "tr"), "zsh"))
    wanted = '"train":"Train a model from a recipe, or choose a recipe for the data."'
    assert answer == (f"_arguments '*: :(({wanted}))'", 0)
    found = tab_answer(asked(("transduce", ""), "bash")) or ("", 1)
    assert found[0] == offered_by_typer("transduce", "", shell="bash")


def test_a_value_behind_its_option_is_offered_where_typer_forgets_it() -> None:
    assert offered("transduce", "predict", "m", "--format=c") == ["csv"]
    assert offered("transduce", "predict", "m", "--format=c", shell="zsh")[-1] == (
        ':(("--format=csv"))\''
    )


def test_fish_is_told_where_files_belong() -> None:
    for words, status in ((("transduce", "train", "g2p", "da"), 0), (("transduce", "show", ""), 1)):
        environment = asked(words, "fish") | {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}
        assert tab_answer(environment) == ("", status)


def test_what_another_shell_asks_is_left_to_typer() -> None:
    for environment in (
        {ASKED: "complete_powershell", "_TYPER_COMPLETE_ARGS": "transduce tr"},
        {ASKED: "source_bash"},
        {ASKED: "complete_bash"},
        {ASKED: "complete_bash", "COMP_WORDS": "transduce", "COMP_CWORD": "x"},
    ):
        assert tab_answer(environment) is None


def test_a_quote_that_is_open_ends_with_the_line() -> None:
    assert tab_answer(asked(("transduce", "predict", "'m", "x"), "zsh")) == ("_files", 0)


def test_the_words_are_those_of_the_commands() -> None:
    again = "transduce.command_line.command_words.write_words(transduce.cli.app) writes it anew"
    assert json.loads(WORDS.read_text(encoding="utf-8")) == words_of(app), again


def test_the_program_answers_before_typer_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, value in asked(("transduce", "recipes", "rev"), "bash").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        program()
    assert (ended.value.code, capsysbinary.readouterr().out) == (0, b"reverse\n")
    code = (
        "import sys, transduce.__main__;"
        "print([name for name in ('typer', 'pydantic', 'torch', 'rich') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = (
        "import sys, transduce.cli;"
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
        "shrink",
        "serve",
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
