"""``data.source_prefix``: the same text before every source, in training and after."""

from __future__ import annotations

from pathlib import Path

from transduce import Transducer
from transduce.config import Config
from transduce.workflow.corpora.corpora import open_corpora

PAIRS = [("ab", "ba"), ("abc", "cba"), ("ca", "ac"), ("bca", "acb")] * 3


def test_stands_before_training_pairs_and_predictions(tmp_path: Path) -> None:
    options = {"data.source_prefix": "XY ", "engine": "reference"}
    model = Transducer("gru-tiny", max_steps=2, dev_fraction=0.5, options=options)
    model.fit([s for s, _ in PAIRS], [t for _, t in PAIRS])
    trained = model.trained_
    symbols = trained.source_tokenizer.symbols(range(trained.source_tokenizer.size))
    assert {"X", "Y", " "} <= set(symbols)
    with_prefix = model.predict(["ab"])
    trained.config = trained.config.updated({"data.source_prefix": ""})
    assert model.predict(["XY ab"]) == with_prefix


def test_stands_before_pairs_of_files(tmp_path: Path) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    config = Config.from_mapping(
        {"data": {"train": str(data), "dev": str(data), "source_prefix": "XY "}}
    )
    corpora = open_corpora(config)
    assert [pair.source for pair in corpora.train()][:2] == ["XY ab", "XY abc"]
    assert next(corpora.dev_pairs()).source == "XY ab"
    assert corpora.dev[0].source == "ab"
