"""Adapters over HTTP: by a field, by a key, several at once; answers are those of ``predict``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reversal_run import Run, reversal_lines
from started import Started, started
from transduce import Transducer
from transduce.adapters import Adapter, LowRankChange, write_adapter
from transduce.errors import ConfigError, ModelError
from transduce.files import digest
from transduce.server.limits.keys import add_key
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.service import Service
from transduce.server.shelf.adapter_names import adapters_by_model, named_adapters
from transduce.server.shelf.model_shelf import ModelShelf
from transduce.workflow.trained import TrainedModel

WORDS = [line.split("\t")[0] for line in reversal_lines(7, 12)]


@pytest.fixture(scope="module")
def adapters(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two that change much, each in its own way."""
    home = tmp_path_factory.mktemp("adapters")
    model = TrainedModel.load(run.folder, "cpu").model
    change, base = LowRankChange(2), digest(run.folder / "model.safetensors")
    found = {}
    for seed, name in enumerate(("anna", "bert")):
        generator = torch.Generator().manual_seed(seed)
        numbers = {
            key: torch.randn(shape, generator=generator) / 2
            for key, shape in change.shapes(model).items()
        }
        found[name] = home / f"{name}.safetensors"
        write_adapter(Adapter(base, change, numbers), found[name])
    return found


@pytest.fixture(scope="module")
def expected(run: Run, adapters: dict[str, Path]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {
        name: Transducer.load(run.folder, adapter=path).predict(WORDS)
        for name, path in adapters.items()
    }
    found[None] = Transducer.load(run.folder).predict(WORDS)
    assert len({*map(tuple, found.values())}) == 3
    return found


@pytest.fixture(scope="module")
def server(run: Run, adapters: dict[str, Path]) -> Iterator[Started]:
    with started({"reverse": run.folder}, adapters) as own:
        yield own


def asked(server: Started, name: str | None, headers: dict[str, str] | None = None) -> list[str]:
    body = {"sources": WORDS, **({} if name is None else {"adapter": name})}
    return [each["text"] for each in server.post("/predict", body, headers).json["answers"]]


def test_several_at_once_are_answered_as_predict_does(
    server: Started, expected: dict[str | None, list[str]]
) -> None:
    order = [None, "anna", "bert", "anna", None, "bert"] * 3
    found: dict[int, list[str]] = {}

    def ask(place: int) -> None:
        found[place] = asked(server, order[place])

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(order))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {place: expected[name] for place, name in enumerate(order)}


@pytest.mark.parametrize("name", ["carl", "../anna", "/etc/passwd", "anna.safetensors"])
def test_a_name_that_there_is_not_opens_nothing(server: Started, name: str) -> None:
    reply = server.post("/predict", {"source": "abc", "adapter": name})
    assert reply.status == 404
    assert (
        f"adapter must be one that the server has for reverse; got {name!r}" in reply.json["error"]
    )


def test_a_key_has_its_adapter(
    run: Run,
    adapters: dict[str, Path],
    expected: dict[str | None, list[str]],
    tmp_path: Path,
) -> None:
    keys = tmp_path / "keys.yaml"
    given = {name: add_key(keys, name) for name in ("anna", "guest")}
    lines = keys.read_text().replace("}", ", adapter: anna}", 1)
    keys.write_text(lines)
    with started({"reverse": run.folder}, adapters, keys=str(keys)) as own:
        headers = {name: {"authorization": f"Bearer {key}"} for name, key in given.items()}
        assert asked(own, None, headers["anna"]) == expected["anna"]
        assert asked(own, None, headers["guest"]) == expected[None]
        assert asked(own, "bert", headers["anna"]) == expected["bert"]
        translated = own.post(
            "/translate", {"q": WORDS[0], "source": "x", "target": "y"}, headers["anna"]
        )
        assert translated.json["translatedText"] == expected["anna"][0]
    keys.write_text(lines.replace("adapter: anna", "adapter: carl"))
    wrong = pytest.raises(ConfigError, match="adapter must be one of the server's: anna, bert; got")
    with wrong:
        Service(ModelShelf({"reverse": run.folder}, None, adapters), ServeConfig(keys=keys))


def test_names_and_folders(adapters: dict[str, Path], tmp_path: Path) -> None:
    folder = adapters["anna"].parent
    assert named_adapters([str(folder)]) == adapters
    assert named_adapters([f"x={adapters['anna']}"]) == {"x": adapters["anna"]}
    for arguments, said in [
        ([str(adapters["anna"])], "must be NAME=FILE, or a folder"),
        ([str(tmp_path)], "must be a folder of .safetensors files"),
        (["a b=x"], "letters, digits, dots and dashes"),
        ([str(folder), "anna=x"], "must differ; got anna twice"),
    ]:
        with pytest.raises(ConfigError, match=said):
            named_adapters(arguments)


def test_an_adapter_of_no_model_here(run: Run, adapters: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_adapter(Adapter("0" * 64, LowRankChange(2), {}), path)
    with pytest.raises(ModelError, match="adapter must be one of the server's models; got one of"):
        adapters_by_model({"other": path}, {"reverse": run.folder})
