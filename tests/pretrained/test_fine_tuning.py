"""Published models learn on: with new symbols, in part, by low-rank changes, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from families import FAMILIES, t5

from transduce import Transducer
from transduce.errors import ConfigError
from transduce.models.storage import named_weights

PAIRS = [("abc", "cba"), ("bd", "db"), ("eab", "bae"), ("dd e", "e dd")] * 3
STEPS = {"training.batch_tokens": 64, "training.label_smoothing": 0.1, "engine": "reference"}


def fitted(folder: Path, model: dict | None = None, steps: int = 2, **options: object):
    model = {"from": str(folder), **(model or {})}
    learner = Transducer(model, max_steps=steps, dev_fraction=0.25, options={**STEPS, **options})
    both = [s for s, _ in PAIRS], [t for _, t in PAIRS]
    return learner.fit(*both, dev=both)


@pytest.mark.parametrize("name", ["t5 1.1", "bart, forced begin", "marian", "mbart-50"])
def test_learns_on(name, tmp_path):
    pair = FAMILIES[name](tmp_path)
    if name == "mbart-50":
        with pytest.raises(Exception, match="source_language must be one of"):
            fitted(tmp_path)
        (tmp_path / "ours").mkdir()
        pair.ours.save(tmp_path / "ours")
        found = fitted(tmp_path / "ours")
    else:
        found = fitted(tmp_path)
    before, after = named_weights(pair.ours.model), named_weights(found.trained_.model)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    assert found.trained_.config.tokenizer.target.kind == "imported"
    assert len(found.predict(["abc"], max_length=6)) == 1
    found.save(tmp_path / "saved")
    again = Transducer.load(tmp_path / "saved")
    assert again.predict(["abc"], max_length=6) == found.predict(["abc"], max_length=6)


@pytest.mark.learning
def test_learns_what_it_is_shown(tmp_path):
    t5(tmp_path, scale=0.15)
    found = fitted(tmp_path, steps=70, **{"training.learning_rate": 1e-2})
    record = found.trained_.report["training"]
    assert record["history"][0]["loss"] > 3
    assert record["best"]["loss"] < 2.2


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_new_symbols(name, tmp_path):
    pair = FAMILIES[name](tmp_path)
    tokenizer = pair.ours.target_tokenizer
    found = fitted(tmp_path, {"new_symbols": ["<2de>", "⟨ß⟩"]}, **{"training.learning_rate": 1e-9})
    now = found.trained_.target_tokenizer
    numbers = now.encode("<2de>abc⟨ß⟩")
    assert now.symbols(numbers)[0] == "<2de>"
    assert now.symbols(numbers)[-1] == "⟨ß⟩"
    assert now.decode(now.encode("abc")) == tokenizer.decode(tokenizer.encode("abc"))
    name = "source_embedding.weight"
    before, after = (named_weights(m)[name] for m in (pair.ours.model, found.trained_.model))
    assert len(after) == now.size
    # a symbol known before keeps its vector, whatever its number is now
    for symbol in ("abc", "the"):
        old, new = tokenizer.encode(symbol), now.encode(symbol)
        torch.testing.assert_close(after[new], before[old])
    new = after[now.encode_phrase("<2de>")[0]]
    assert (new - before[4:].mean(0)).abs().max() < before.std()


def test_low_rank_changes(tmp_path):
    pair = FAMILIES["bart"](tmp_path)
    found = fitted(tmp_path, **{"training.lora_rank": 2, "training.learning_rate": 0.05})
    before, after = named_weights(pair.ours.model), named_weights(found.trained_.model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("encoder.layers", "decoder.layers")) for name in changed)


def test_a_tokenizer_of_ones_own_is_refused(tmp_path):
    FAMILIES["t5"](tmp_path)
    with pytest.raises(ConfigError, match=r"tokenizer\.source must be that of model\.from"):
        fitted(tmp_path, **{"tokenizer.source.kind": "byte"})
