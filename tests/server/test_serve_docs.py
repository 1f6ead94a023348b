"""The clients on the page run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from served_models import wav
from started import Keyed

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
BLOCKS = re.findall(r"^```python client\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
NEEDS = ["libretranslatepy", "deepl", "openai", "huggingface_hub", "json"]


def test_there_are_five() -> None:
    assert len(BLOCKS) == len(NEEDS)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", range(len(NEEDS)), ids=NEEDS)
def test_a_client_answers(
    keyed: Keyed,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(NEEDS[number])
    (tmp_path / "abc.wav").write_bytes(wav("abc"))
    monkeypatch.chdir(tmp_path)
    block = BLOCKS[number]
    if NEEDS[number] == "libretranslatepy":  # whose key is an argument that the page leaves out
        block = block.replace("(URL)", "(URL, KEY)")
    exec(compile(block, str(PAGE), "exec"), {"URL": keyed.url, "KEY": keyed.key})
    said = capsys.readouterr().out.strip()
    assert said == "cba" if NEEDS[number] != "openai" else said
