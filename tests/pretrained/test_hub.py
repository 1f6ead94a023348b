"""Names on the hub: a made cache, and a small server in the place of the hub."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES

from transduce import Transducer, pipeline
from transduce.cli import app
from transduce.commands.importing import import_model
from transduce.errors import ConfigError, ModelError, NoModelError
from transduce.pretrained.hub import HubAccess, model_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/tiny-t5"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    FAMILIES["t5"](folder)
    for name in ("modeling.py", "pytorch_model.bin", "tf_model.h5", "model.fp16.safetensors"):
        (folder / name).write_bytes(b"of no use")
    (folder / "onnx").mkdir()
    shutil.copy(folder / "config.json", folder / "onnx" / "config.json")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def kept(cache: Path, published: Path, name: str = NAME) -> Path:
    """The folder of a cache as the hub's library makes it: links to blobs."""
    repository = cache / f"models--{name.replace('/', '--')}"
    folder = repository / "snapshots" / COMMIT
    for place in (folder, repository / "blobs", repository / "refs"):
        place.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for file in published.iterdir():
        if file.is_file():
            blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
            shutil.copy(file, blob)
            (folder / file.name).symlink_to(blob)
    return folder


class Hub:
    """What the library asks of a hub: the files of a revision, and each file."""

    def __init__(self, published: Path) -> None:
        self.asked: list[str] = []
        hub, files = self, {f.relative_to(published).as_posix(): f for f in published.rglob("*.*")}

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, *, body: bool) -> None:
                hub.asked.append(self.path)
                path = self.path.partition("?")[0].lstrip("/")
                if path.startswith(f"api/models/{NAME}/tree"):
                    listed = [
                        {"type": "file", "path": n, "size": f.stat().st_size, "oid": "0" * 40}
                        for n, f in files.items()
                        if f.is_file()
                    ]
                    return self.give(json.dumps(listed).encode(), {}, body=body)
                if path.startswith(f"api/models/{NAME}"):
                    names = [{"rfilename": n} for n, f in files.items() if f.is_file()]
                    info = {"id": NAME, "modelId": NAME, "sha": COMMIT, "siblings": names}
                    return self.give(json.dumps(info).encode(), {}, body=body)
                name = path.removeprefix(f"{NAME}/resolve/{COMMIT}/")
                if name in files:
                    data = files[name].read_bytes()
                    etag = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
                    return self.give(data, etag, body=body)
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None

            def give(self, data: bytes, headers: dict[str, str], *, body: bool) -> None:
                self.send_response(200)
                for key, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if body:
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub(published)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def command(*words: str) -> None:
    app(list(words), standalone_mode=False)


def test_a_name_is_found_in_the_cache(cache: Path, published: Path, hub: Hub) -> None:
    folder = kept(cache, published)
    assert model_folder(NAME) == folder
    expected = pipeline("translation", model=published, device="cpu")("abc", max_new_tokens=4)
    found = pipeline("translation_en_to_fr", model=NAME, device="cpu", revision="main")
    assert found("abc", max_new_tokens=4) == expected
    assert pipeline("translation", NAME, revision=COMMIT, cache_dir=cache, tokenizer=NAME)
    assert Transducer.from_pretrained(NAME, device="cpu", download=True).trained_
    assert not hub.asked  # what is whole is not asked for anew


def test_nothing_is_fetched_unless_it_is_allowed(
    cache: Path, published: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = rf"a name in the hub's cache \({cache}\); got '{NAME}' \(download=True, or --download"
    for offline in ("", "1"):
        monkeypatch.setenv("HF_HUB_OFFLINE", offline)
        with pytest.raises(NoModelError, match=said) as caught:
            pipeline("translation", model=NAME, download=bool(offline))
        assert isinstance(caught.value, OSError)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(NoModelError, match=said):
        pipeline("translation", model=NAME, download=True, local_files_only=True)
    (kept(cache, published) / "model.safetensors").unlink()
    with pytest.raises(NoModelError, match="the model must be whole in the hub's cache"):
        pipeline("translation", model=NAME)
    assert not hub.asked


def test_what_is_needed_is_fetched_and_nothing_else(
    cache: Path, published: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pipeline("translation", model=NAME, device="cpu", download=True)
    expected = pipeline("translation", model=published, device="cpu")("abc", max_new_tokens=4)
    assert run("abc", max_new_tokens=4) == expected
    folder = cache / "models--someone--tiny-t5" / "snapshots" / COMMIT
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"),
    }
    hub.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert model_folder(NAME) == folder
    assert not hub.asked


def test_the_environment_may_allow_it(
    cache: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    import_model(NAME, tmp_path / "ours", None, None, legacy_weights=False)
    assert "model: " in capsys.readouterr().out
    assert hub.asked
    with pytest.raises(NoModelError, match="nobody/nothing: the model must be on the hub and"):
        model_folder("nobody/nothing")


def test_what_is_no_name(tmp_path: Path, cache: Path) -> None:
    for name in ("../t5", "/nowhere/t5", "a/b/c", "t5..base"):
        assert model_folder(name, HubAccess(download=True)) == Path(name)
    with pytest.raises(ConfigError, match="revision must be the name of a branch"):
        model_folder("t5", HubAccess(revision="../../x"))
    repository = cache / "models--t5"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("../../../..")
    with pytest.raises(NoModelError):
        model_folder("t5")
    with pytest.raises(ModelError, match="model must be a folder, or a name in the hub's cache"):
        Transducer.from_pretrained("t5-base")


PAIRS = (["abc", "cab"] * 4, ["a", "c"] * 4)


def test_training_starts_from_a_name_in_the_cache(cache: Path, published: Path, hub: Hub) -> None:
    kept(cache, published)
    model = Transducer({"from": NAME}, max_steps=1, dev_fraction=0.5, verbose=0)
    assert model.fit(*PAIRS).trained_.config.model.from_ == Path(NAME)
    assert not hub.asked


def test_training_fetches_a_name_only_where_it_is_allowed(
    cache: Path,
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Transducer({"from": NAME}, max_steps=1, dev_fraction=0.5, verbose=0)
    (tmp_path / "pairs.tsv").write_text("abc\ta\n" * 8)
    words = ("pairs.tsv", f"model.from={NAME}", "data.dev=pairs.tsv", "training.max_steps=1")
    monkeypatch.chdir(tmp_path)
    for ask in (
        lambda: model.fit(*PAIRS),
        lambda: model.fit(*PAIRS, download=False),
        lambda: command("train", *words),
        lambda: command("tune", *words, "--jobs", "1"),
    ):
        with pytest.raises(NoModelError, match=f"got '{NAME}' .download=True, or --download"):
            ask()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NoModelError, match="a name in the hub's cache"):
        model.fit(*PAIRS, download=True)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert not hub.asked
    command("train", *words, "--download", "--output", "run")
    assert hub.asked
    assert "model: run" in capsys.readouterr().out
    hub.asked.clear()
    model.fit(*PAIRS)  # it is in the cache now
    assert not hub.asked
    with pytest.raises(NoModelError, match="nobody/nothing: the model must be on the hub"):
        Transducer({"from": "nobody/nothing"}, max_steps=1).fit(*PAIRS, download=True)
