"""``predict --on here``: a corpus in blocks, each record once, whatever is killed."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transduce.commands.in_blocks.block_folder as block_folder
import transduce.commands.in_blocks.block_worker as block_worker
import transduce.commands.in_blocks.on_ray as on_ray
from command_line import call
from forked import forked
from reversal_run import Run
from transduce.commands.in_blocks.block_folder import BlockFolder
from transduce.commands.in_blocks.block_tries import clear_tries, tried
from transduce.commands.in_blocks.block_worker import BlockWorker
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock, block_size, cut_blocks
from transduce.commands.in_blocks.corpus_files import CorpusFile
from transduce.commands.in_blocks.on_ray import BlockActor
from transduce.commands.predicting.request import Request
from transduce.errors import EngineError

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]
PATTERN = "data/*.parquet"


def words(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices("abcd", k=generator.randint(1, 3))) for _ in range(count)]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: Patch) -> list[str]:
    """Three files of words in the folder that the test stands in; all the words."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    asked = []
    for number, count in ((0, 7), (1, 5), (2, 10)):
        own = words(number, count)
        table = pa.table({"source": own, "weight": pa.array(range(count), pa.int16())})
        pq.write_table(table, f"data/{number}.parquet")
        asked += own
    return asked


def blocks_of(folder: str, kind: str = "parquet") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob(f"block-*.{kind}"))}


def test_every_record_once_and_in_order(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture
) -> None:
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "here", "--block", 4]
    assert call(monkeypatch, *asked) == 0
    assert capsys.readouterr().err.splitlines() == [
        "22 records in 3 files",
        "22 records in 7 blocks: out",
    ]
    rows = pq.read_table("out")  # as programs read a folder of files
    assert rows.schema.names == ["id", "source", "output", "error"]
    assert rows["id"].to_pylist() == list(range(22))
    assert rows["source"].to_pylist() == corpus
    assert rows["output"].to_pylist() == [word[::-1] for word in corpus]
    assert [len(pq.read_table(f"out/{name}")) for name in blocks_of("out")] == [4, 3, 4, 1, 4, 4, 2]


@pytest.mark.parametrize("form", ["jsonl", "text"])
def test_files_one_after_another_are_what_one_process_writes(
    run: Run, corpus: list[str], monkeypatch: Patch, form: str
) -> None:
    own = ["predict", run.folder, *sorted(map(str, Path("data").iterdir())), "--nbest", 2]
    assert call(monkeypatch, *own, "--format", form, "--output", "whole") == 0
    own[2:-2] = [PATTERN]
    rest = ["--format", form, "--output", "out", "--on", "here", "--block", 3]
    assert call(monkeypatch, *own, *rest) == 0
    kind = {"text": "txt"}.get(form, form)
    assert b"".join(blocks_of("out", kind).values()) == Path("whole").read_bytes()


@pytest.fixture(scope="module")
def sure(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the model that says how sure it is."""
    home = tmp_path_factory.mktemp("sure")
    shutil.copytree(run.folder, home / "run")
    letters = [a + b + c for a in "abcd" for b in "abcd" for c in "abcd"]
    wrong = [f"{word}\t{word[::-1]}{'' if n % 2 else 'd'}" for n, word in enumerate(letters)]
    (home / "dev.tsv").write_text("\n".join(wrong) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, "calibrate", home / "run", home / "dev.tsv", "search.beam=2") == 0
    return home / "run"


def test_extras_stand_in_columns_of_their_own(
    sure: Path, corpus: list[str], monkeypatch: Patch, capsys: Capture
) -> None:
    asked = ["predict", sure, "data/0.parquet", "--output", "out", "--on", "here", "--confidence"]
    assert call(monkeypatch, *asked, "--nbest", 2, "--alignments", "--minimum-confidence", 1) == 0
    rows = pq.read_table("out")
    assert rows.schema.names == [
        *("id", "source", "output", "output_2", "confidence", "alignments", "error")
    ]
    assert rows.schema.field("confidence").type == pa.float64()
    assert all(0 < own < 1 for own in rows["confidence"].to_pylist())
    assert set(rows["output"].to_pylist()) == {""}
    said = "7 of 7 records are less sure than 1 and left empty"
    assert capsys.readouterr().err.splitlines()[-1] == said


def test_a_table_is_written_again_with_its_types(
    run: Run, corpus: list[str], monkeypatch: Patch
) -> None:
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "here", "--block", 4]
    assert call(monkeypatch, *asked, "--column", "source") == 0
    rows = pq.read_table("out")
    assert rows.schema.names == ["source", "weight", "output", "error"]
    assert rows.schema.field("weight").type == pa.int16()
    assert rows["weight"].to_pylist() == [*range(7), *range(5), *range(10)]
    assert rows["output"].to_pylist() == [word[::-1] for word in corpus]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_of_text_are_written_in_their_own_form(
    run: Run, corpus: list[str], monkeypatch: Patch, kind: str
) -> None:
    lines = [json.dumps({"word": word, "n": n}) for n, word in enumerate(corpus)]
    if kind == "csv":
        lines = ["word,n", *(f"{word},{n}" for n, word in enumerate(corpus))]
    Path(f"in.{kind}").write_text("\n".join(lines) + "\n")
    own = ["predict", run.folder, f"in.{kind}", "--column", "word"]
    assert call(monkeypatch, *own, "--output", f"whole.{kind}") == 0
    assert call(monkeypatch, *own, "--output", "out", "--on", "here", "--block", 9) == 0
    found = [content.decode().splitlines() for content in blocks_of("out", kind).values()]
    whole = Path(f"whole.{kind}").read_text().splitlines()
    if kind == "csv":
        assert {lines.pop(0) for lines in found} == {whole.pop(0)}
    assert [line for lines in found for line in lines] == whole


def test_a_csv_as_parquet(run: Run, corpus: list[str], monkeypatch: Patch) -> None:
    Path("in.csv").write_text("word,n\nab,1\ncd,2\n")
    asked = ["predict", run.folder, "in.csv", "--column", "word", "--format", "parquet"]
    assert call(monkeypatch, *asked, "--output", "out", "--on", "here") == 0
    assert pq.read_table("out").to_pylist() == [
        {"word": "ab", "n": "1", "output": "ba", "error": None},
        {"word": "cd", "n": "2", "output": "dc", "error": None},
    ]


# ---------------------------------------------------------------- going on


def test_what_is_finished_is_not_asked_again(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture
) -> None:
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "here", "--block", 4]
    assert call(monkeypatch, *asked) == 0
    whole = blocks_of("out")
    Path("out/block-000002.parquet").unlink()  # lost
    Path("out/block-000004.parquet").write_bytes(b"")  # cut off
    Path("out/.block-000002.parquet.4294967295-0.part").write_bytes(b"left by who was killed")
    with Path("out/_blocks.jsonl").open("a") as file:
        file.write('{"block": 3, "rec')  # a line that did not come to its end
    capsys.readouterr()
    begun: list[int] = []
    answer = block_worker.BlockWorker.answer

    def noted(self: Any, block: CorpusBlock) -> Any:
        begun.append(block.number)
        return answer(self, block)

    monkeypatch.setattr(block_worker.BlockWorker, "answer", noted)
    assert call(monkeypatch, *asked) == 0
    assert begun == [2, 4]
    assert "14 records in 5 blocks are finished already" in capsys.readouterr().err
    assert blocks_of("out") == whole
    assert not list(Path("out").glob(".*"))
    assert call(monkeypatch, *asked) == 0
    assert begun == [2, 4]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
@pytest.mark.parametrize("before", [True, False], ids=["before the list", "behind it"])
def test_a_kill_and_again(run: Run, corpus: list[str], monkeypatch: Patch, before: bool) -> None:
    monkeypatch.setenv("TRANSDUCE_NATIVE", "0")  # a fork must not need threads that stayed behind
    asked = ["predict", run.folder, PATTERN, "--on", "here", "--block", 4, "--output"]
    assert call(monkeypatch, *asked, "whole") == 0
    add = BlockFolder.add

    def killed(self: Any, done: Any) -> None:
        if not before:
            add(self, done)
        if done.block == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if before:
            add(self, done)

    ended = forked(*asked, "out", before=lambda: setattr(BlockFolder, "add", killed))
    assert ended.status == -signal.SIGKILL
    assert 3 <= len(blocks_of("out")) < 7
    assert call(monkeypatch, *asked, "out") == 0
    assert blocks_of("out") == blocks_of("whole")


def test_a_record_without_an_answer_is_told_and_stands_in_its_place(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture
) -> None:
    Path("in.txt").write_bytes(b"ab\n\xff\ncd\n")
    asked = ["predict", run.folder, "in.txt", "--output", "out", "--on", "here"]
    for _ in range(2):  # the second time from the list
        assert call(monkeypatch, *asked) == 2
        said = capsys.readouterr().err.splitlines()
        assert said[-1] == (
            "transduce: all records must be answerable; got 1 of 3 that are not, each with an "
            "empty answer"
        )
    assert pq.read_table("out")["output"].to_pylist() == ["ba", "", "dc"]
    assert "in.txt, line 2: line must be UTF-8" in pq.read_table("out")["error"].to_pylist()[1]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--on", "moon"], "--on must be here, ray or ray://ADDRESS; got 'moon'"),
        (["--on", "ray://"], "--on must be here, ray or ray://ADDRESS; got 'ray://'"),
        (["--on", "here", "--threads", 2], "--threads must be given with --on ray; got --on here"),
        (["--on", "ray", "--threads", 0], "--threads must be at least 1; got 0"),
        (["--on", "here", "--block", 0], "--block must be at least 1; got 0"),
        (["--block", 4], "--block must be given with --on; got it alone"),
        (["--threads", 4], "--threads must be given with --on; got it alone"),
        (
            ["--on", "here", "--output-dir", "o"],
            "--output-dir must not be given with --on; got both",
        ),
        (
            ["--on", "here", "--format", "srt"],
            "--format must be one of parquet, text, jsonl, csv, tsv with --on; got srt",
        ),
        (
            ["--on", "here", "--column", "source", "--format", "text"],
            "--format must be one of parquet, jsonl, csv, tsv with --on and --column; got text",
        ),
        (["--on", "here", "--timings"], "--timings must be used with --format jsonl; got parquet"),
        (
            ["--on", "here", "--alternatives", 2],
            "--alternatives must be asked for with --format jsonl; got parquet",
        ),
    ],
)
def test_options_that_do_not_fit(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture, asked: list[Any], message: str
) -> None:
    assert call(monkeypatch, "predict", run.folder, PATTERN, "--output", "out", *asked) == 2
    assert capsys.readouterr().err == f"transduce: {message}\n"
    assert not Path("out").exists()


def put_jsonl() -> None:
    Path("data/0.parquet").unlink()
    Path("data/1.parquet").unlink()
    Path("data/2.parquet").rename("data/b.parquet")
    Path("data/a.jsonl").write_text('{"source": "ab"}\n')


def put_other_columns() -> None:
    pq.write_table(pa.table({"source": ["ab"], "other": [1]}), "data/1.parquet")


def put_no_records() -> None:
    for path in Path("data").iterdir():
        pq.write_table(pa.table({"source": pa.array([], pa.string())}), path)


def put_a_file() -> None:
    Path("out").write_text("")


def put_a_folder() -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("")


@pytest.mark.parametrize(
    ("put", "asked", "message"),
    [
        (
            lambda: None,
            ["none/*.parquet"],
            "INPUT must be files that exist; got 'none/*.parquet', which matches none",
        ),
        (
            lambda: None,
            [PATTERN, "data/1.parquet"],
            "INPUT must name each file once; got data/1.parquet twice",
        ),
        (lambda: None, ["-"], "INPUT must be files with --on, which may be read again; got -"),
        (put_no_records, [PATTERN], "INPUT must have records; got none in data/0.parquet, "),
        (
            put_other_columns,
            [PATTERN, "--column", "source"],
            "data/1.parquet: table must have the same columns as data/0.parquet (parquet: source, "
            "weight); got parquet: source, other",
        ),
        (
            put_jsonl,
            ["data/*", "--column", "source"],
            "data/b.parquet: table must have the same columns as data/a.jsonl (jsonl: source); "
            "got parquet: source, weight",
        ),
        (
            put_jsonl,
            ["data/a.jsonl", "--column", "source", "--format", "parquet"],
            "--format must be jsonl where --column is one of JSON lines, each of which may have "
            "keys of its own; got parquet",
        ),
        (put_a_file, [PATTERN], "--output must be a folder with --on; got the file out"),
        (
            put_a_folder,
            [PATTERN],
            "--output must be a new folder, or one that the same command began; got out, which "
            "holds something else",
        ),
    ],
)
def test_files_that_do_not_fit(
    run: Run,
    corpus: list[str],
    monkeypatch: Patch,
    capsys: Capture,
    put: Callable[[], None],
    asked: list[str],
    message: str,
) -> None:
    put()
    assert call(monkeypatch, "predict", run.folder, *asked, "--output", "out", "--on", "here") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"transduce: {message}")


def test_no_output(run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture) -> None:
    assert call(monkeypatch, "predict", run.folder, PATTERN, "--on", "here") == 2
    assert capsys.readouterr().err == (
        "transduce: --output must name a folder with --on; got none\n"
    )


def test_a_folder_of_another_command(
    run: Run, corpus: list[str], tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    rest = ["--output", "out", "--on", "here", "--block", 4]

    def refused(*asked: object) -> str:
        assert call(monkeypatch, "predict", *asked, *rest) == 2
        return capsys.readouterr().err.splitlines()[-1].rpartition("was begun with ")[2]

    assert call(monkeypatch, "predict", run.folder, PATTERN, *rest) == 0
    whole = blocks_of("out")
    assert refused(run.folder, PATTERN, "--beam", 2) == "other options"
    assert refused(run.folder, "data/0.parquet") == "other files, or other content in them"
    other = tmp_path / "other"
    call(monkeypatch, "train", run.recipe, "training.max_steps=1", "--output", other)
    assert refused(other, PATTERN) == "another model and other options"
    put_other_columns()
    assert refused(run.folder, PATTERN) == "other files, or other content in them"
    assert blocks_of("out") == whole


@pytest.mark.parametrize("name", ["_corpus.json", "_blocks.jsonl"])
def test_lists_that_somebody_changed(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture, name: str
) -> None:
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "here", "--block", 4]
    assert call(monkeypatch, *asked) == 0
    for content in ('{"block": 99, "records": 1}\n', "[]\n", "x\n"):
        Path("out", name).write_text(content)
        assert call(monkeypatch, *asked) == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"transduce: out/{name} must be what this command wrote; it is not"
        )


@pytest.mark.parametrize(
    ("module", "name"), [(block_worker, "write_bytes"), (block_folder, "append_block")]
)
def test_a_full_disk(
    run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture, module: Any, name: str
) -> None:
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "here", "--block", 4]
    write, count = getattr(module, name), 0

    def full(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*arguments)

    monkeypatch.setattr(module, name, full)
    assert call(monkeypatch, *asked) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "transduce: out: --output must be writable; got No space left on device"
    )
    assert call(monkeypatch, *asked) == 0  # once there is room
    assert pq.read_table("out")["id"].to_pylist() == list(range(22))


def test_a_missing_extra(run: Run, corpus: list[str], monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    asked = ["predict", run.folder, PATTERN, "--output", "out", "--on", "ray"]
    assert call(monkeypatch, *asked) == 2
    assert capsys.readouterr().err == (
        "transduce: --on ray must have ray, which is not installed: pip install 'transduce[ray]'\n"
    )
    assert not Path("out").exists()


# ---------------------------------------------------------------- blocks


def test_blocks_end_with_their_files() -> None:
    files = [CorpusFile(name, count, "") for name, count in (("a", 5), ("b", 0), ("c", 2))]
    assert cut_blocks(files, 3) == [
        CorpusBlock(0, "a", 0, 3, 0),
        CorpusBlock(1, "a", 3, 2, 3),
        CorpusBlock(2, "c", 0, 2, 5),
    ]


@pytest.mark.parametrize(
    ("records", "size"),
    [(1, 2048), (8_388_608, 2048), (8_388_609, 4096), (1_000_000_000, 262_144)],
)
def test_a_large_corpus_has_larger_blocks(records: int, size: int) -> None:
    assert block_size(records) == size


def test_a_block_that_ends_its_workers_is_given_up(tmp_path: Path) -> None:
    block = CorpusBlock(7, "in.parquet", 10, 5, 10)
    (tmp_path / "_tried-000007").write_bytes(b"....")  # what four left that were killed
    with (
        pytest.raises(EngineError, match=r"ended by records 11 to 15 of in\.parquet"),
        tried(tmp_path, block),
    ):
        pass
    with tried(tmp_path, block):
        assert (tmp_path / "_tried-000007").read_bytes() == b"."
    assert not list(tmp_path.iterdir())
    (tmp_path / "_tried-000001").write_bytes(b"..")
    clear_tries(tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- what runs on a cluster


def on_a_machine(run: Run, folder: str = ".") -> dict[str, Any]:
    """What a worker says of the first two records; itself sent there as Ray sends it."""
    worker = BlockWorker(Request(run.folder, ("data/0.parquet",)), Path("out"), "parquet")
    build, values = worker.__reduce__()
    actor = BlockActor(build(*values), folder, 1)
    block = asdict(CorpusBlock(0, "data/0.parquet", 0, 2, 0))
    row = actor({name: np.array([value]) for name, value in block.items()})
    return {name: column[0] for name, column in row.items()}


def test_a_worker_gives_back_numbers(run: Run, corpus: list[str]) -> None:
    Path("out").mkdir()
    said = on_a_machine(run)
    size = Path("out/block-000000.parquet").stat().st_size
    assert said == {
        **{"block": 0, "records": 2, "bytes": size, "refused": 0, "withheld": 0},
        **{"errors": "", "failure": ""},
    }
    assert len(list(Path("out").iterdir())) == 1


def test_a_worker_tells_what_a_person_can_mend(
    run: Run, corpus: list[str], monkeypatch: Patch
) -> None:
    assert on_a_machine(run, "/not/here")["failure"] == (
        "/not/here: folder that the command was given in must be there on each machine; "
        "got No such file or directory"
    )
    Path("out").mkdir()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(on_ray, "tried", full)
    said = "out: --output must be writable; got No space left on device"
    assert on_a_machine(run)["failure"] == said
