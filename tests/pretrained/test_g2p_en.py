from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.pretrained.families.g2p_en import is_g2p_en, read_g2p_en
from transduce.workflow.trained import TrainedModel

WIDTH = 24
WORDS = ["cat", "transduce", "o'neil", "a", "Zebra", "qqqqqqqqqqqqqqqqqqqqqqqqq"]
Arrays = dict[str, NDArray[np.float32]]


def arrays(generator: np.random.Generator) -> Arrays:
    shapes = {"enc_emb": (29, WIDTH), "dec_emb": (74, WIDTH), "fc_w": (74, WIDTH), "fc_b": (74,)}
    for side in ("enc", "dec"):
        for name in ("ih", "hh"):
            shapes[f"{side}_w_{name}"] = (3 * WIDTH, WIDTH)
            shapes[f"{side}_b_{name}"] = (3 * WIDTH,)
    return {name: generator.normal(0, 0.5, shape).astype("f4") for name, shape in shapes.items()}


def saved(content: Arrays, folder: Path) -> Path:
    path = folder / "checkpoint20.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    return path


def outputs(content: Arrays, word: str, phones: list[str]) -> str:
    """The network's answer from its equations, in float64."""
    given = {name: values.astype(np.float64) for name, values in content.items()}

    def step(
        side: str, vector: NDArray[np.float64], state: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        ahead = given[f"{side}_w_ih"] @ vector + given[f"{side}_b_ih"]
        back = given[f"{side}_w_hh"] @ state + given[f"{side}_b_hh"]
        reset, update = (
            1 / (1 + np.exp(-(ahead[gate] + back[gate])))
            for gate in (slice(0, WIDTH), slice(WIDTH, 2 * WIDTH))
        )
        fresh = np.tanh(ahead[2 * WIDTH :] + reset * back[2 * WIDTH :])
        mixed: NDArray[np.float64] = (1 - update) * fresh + update * state
        return mixed

    state = np.zeros(WIDTH)
    for letter in [*word.lower(), "end"]:
        row = 2 if letter == "end" else 3 + ord(letter) - ord("a") if letter.isalpha() else 1
        state = step("enc", given["enc_emb"][row], state)
    token, written = 2, []
    for _ in range(20):
        state = step("dec", given["dec_emb"][token], state)
        token = int((given["fc_w"] @ state + given["fc_b"]).argmax())
        if token == 3:
            break
        written.append(phones[token - 4])
    return " ".join(written)


@pytest.mark.parametrize("engine", ["reference", "float32"])
def test_answers_are_those_of_the_equations(tmp_path: Path, engine: str) -> None:
    content = arrays(np.random.default_rng(3))
    content["fc_b"][:3] = -100  # what no output holds
    content["fc_b"][3] = 1.5  # so that some outputs end early
    trained = read_g2p_en(saved(content, tmp_path))
    trained.config = trained.config.updated({"engine": engine})
    phones = trained.target_tokenizer.symbols(range(4, 74))
    expected = [outputs(content, word, phones) for word in WORDS]
    lengths = {len(text.split()) for text in expected}
    assert max(lengths) == 20  # one that is cut
    assert min(lengths) < 20
    found = [best.text for best, *_ in trained.predict(WORDS, trained.config.search)]
    assert found == expected


def test_a_saved_model_answers_alike(tmp_path: Path) -> None:
    trained = read_g2p_en(saved(arrays(np.random.default_rng(0)), tmp_path))
    trained.save(tmp_path / "model")
    loaded = TrainedModel.load(tmp_path / "model")
    first, second = (
        [best.text for best, *_ in model.predict(WORDS, model.config.search)]
        for model in (trained, loaded)
    )
    assert first == second
    assert loaded.config.name == "g2p-en"


def test_only_the_ending_tells_it() -> None:
    assert is_g2p_en(Path("a/checkpoint20.npz"))
    assert not is_g2p_en(Path("a/model"))


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    content = arrays(np.random.default_rng(0))
    path = tmp_path / "checkpoint20.npz"
    with pytest.raises(ModelError, match=r"must be a readable \.npz; No such file or directory"):
        read_g2p_en(path)
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ModelError, match=r"must be a whole \.npz of plain arrays"):
        read_g2p_en(path)
    np.savez(path, enc_emb=np.array([{}], dtype=object))
    with pytest.raises(ModelError, match="weights must hold dec_b_hh; it has none"):
        read_g2p_en(path)
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    path.write_bytes(single.getvalue())
    with pytest.raises(ModelError, match=r"must be a whole \.npz of plain arrays"):
        read_g2p_en(path)
    with pytest.raises(ModelError, match=re.escape("enc_emb must be of shape [29, 24]; got [30,")):
        read_g2p_en(saved(content | {"enc_emb": np.zeros((30, WIDTH), "f4")}, tmp_path))
    with pytest.raises(ModelError, match=re.escape("output.bias must be of shape [74]; got [70]")):
        read_g2p_en(saved(content | {"fc_b": np.zeros(70, "f4")}, tmp_path))
    with pytest.raises(ModelError, match=r"must be a whole \.npz of plain arrays"):
        read_g2p_en(saved(content | {"fc_b": np.array([{}] * 74, dtype=object)}, tmp_path))  # type: ignore[dict-item]
