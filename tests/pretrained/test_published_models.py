"""Published models in our modules: the same logits, and what ``generate`` writes."""

from __future__ import annotations

import json

import pytest
import torch
from families import FAMILIES
from published import TEXTS, Pair, write_json

from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel

LENGTH = 12
SEARCHES = {
    "greedy": ({"num_beams": 1}, {"beam": 1}),
    "beam": ({"num_beams": 4}, {"beam": 4, "length_alpha": 1.0, "stopping": "generate"}),
    "early": (
        {"num_beams": 3, "early_stopping": True, "length_penalty": 2.0},
        {"beam": 3, "length_alpha": 2.0, "stopping": "generate-early"},
    ),
    "never": (
        {"num_beams": 4, "early_stopping": "never", "length_penalty": 0.6},
        {"beam": 4, "length_alpha": 0.6, "stopping": "generate-never"},
    ),
    "short": (
        {"num_beams": 4, "length_penalty": -1.0},
        {"beam": 4, "length_alpha": -1.0, "stopping": "generate"},
    ),
    "no repeats": (
        {"num_beams": 3, "no_repeat_ngram_size": 2},
        {"beam": 3, "length_alpha": 1.0, "no_repeat_ngram": 2, "stopping": "generate"},
    ),
    "at least": (
        {"num_beams": 3, "min_new_tokens": 6},
        {"beam": 3, "length_alpha": 1.0, "min_length": 6, "stopping": "generate"},
    ),
    "greedy, at least": ({"num_beams": 1, "min_new_tokens": 8}, {"beam": 1, "min_length": 8}),
}


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    torch.manual_seed(0)
    return FAMILIES[request.param](tmp_path_factory.mktemp("published"))


def both(
    pair: Pair, name: str, texts: list[str], suppressed: list[int] | None = None
) -> tuple[list, list]:
    theirs, ours = SEARCHES[name]
    forced_end = pair.theirs.generation_config.forced_eos_token_id is not None
    first = len(pair.target.first)
    beams = ours["beam"]
    # tokens of a forced begin count in both, our maximum leaves a forced end out
    theirs = {**theirs, "max_new_tokens": LENGTH + forced_end, "num_return_sequences": beams}
    if "min_new_tokens" in theirs:
        theirs["min_new_tokens"] += first
        ours = {**ours, "min_length": ours["min_length"] + first}
    ours = {**ours, "nbest": beams, "max_length": LENGTH, "length_normalization": "power"}
    if ours["beam"] > 1:
        ours["forced_end"] = forced_end
    return pair.generate(texts, suppressed, **theirs), pair.decode(texts, **ours)


def test_logits_are_theirs(pair):
    ours, theirs = pair.logits(TEXTS)
    assert theirs.std() > 0.2
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", SEARCHES)
def test_writes_what_generate_writes(pair, name):
    theirs, ours = both(pair, name, TEXTS)
    for expected, found in zip(theirs, ours, strict=True):
        assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
        if SEARCHES[name][1]["beam"] > 1:
            wanted = [score for _, score in expected]
            assert [score for _, score in found] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_alone_as_in_a_batch(pair):
    alone = [both(pair, "beam", [text]) for text in TEXTS]
    assert [ours[0][0][0] for _, ours in alone] == [theirs[0][0][0] for theirs, _ in alone]
    together = both(pair, "beam", TEXTS)[1]
    assert [found[0][0] for found in together] == [ours[0][0][0] for _, ours in alone]


def test_comes_back_from_our_directory_and_runs_in_the_engine(pair, tmp_path):
    pair.ours.save(tmp_path / "ours")
    loaded = TrainedModel.load(tmp_path / "ours", "cpu")
    search = pair.ours.config.updated({"search.beam": 3, "search.max_length": LENGTH}).search
    expected = list(pair.ours.predict(TEXTS, search))
    for engine in ("reference", "float32"):
        loaded.config = loaded.config.updated({"engine": engine})
        found = list(loaded.predict(TEXTS, search))
        assert [h[0].text for h in found] == [h[0].text for h in expected]
        assert [h[0].score for h in found] == pytest.approx(
            [h[0].score for h in expected], rel=1e-3
        )


@pytest.mark.parametrize("name", ["bart", "mbart-50", "marian"])
def test_some_outputs_end_and_some_are_cut(name, tmp_path):
    """Else the tests above would compare little."""
    pair = FAMILIES[name](tmp_path)
    lengths = {
        len(tokens)
        for search in ("beam", "never", "no repeats")
        for found in both(pair, search, TEXTS)[0]
        for tokens, _ in found
    }
    assert max(lengths) == LENGTH
    assert len(lengths & set(range(LENGTH))) >= 2


def test_forbidden_phrases_are_bad_words(tmp_path):
    pair = FAMILIES["bart"](tmp_path)
    plain = both(pair, "beam", TEXTS)[1]
    rows = pair.target.numbering.rows()
    often = max(plain[0][0][0], key=plain[0][0][0].count)
    piece = pair.ours.target_tokenizer.decode([often])
    assert pair.ours.target_tokenizer.encode_phrase(piece) == [often]
    theirs, ours = SEARCHES["no repeats"]
    theirs = {**theirs, "max_new_tokens": LENGTH + 1, "num_return_sequences": 3}
    ours = {**ours, "max_length": LENGTH, "nbest": 3, "forced_end": True,
            "length_normalization": "power"}  # fmt: skip
    expected = pair.generate(TEXTS, **theirs, bad_words_ids=[[rows[often]]])
    found = pair.decode(TEXTS, **ours, forbidden=(piece,))
    assert [[t for t, _ in x] for x in found] == [[t for t, _ in x] for x in expected]
    assert all(often not in tokens for beams in found for tokens, _ in beams)


@pytest.mark.parametrize("option", ["bad_words_ids", "suppress_tokens", "begin_suppress_tokens"])
@pytest.mark.parametrize("name", ["bart", "nllb", "t5"])
def test_bans_of_a_checkpoint_are_taken_over(name, option, tmp_path):
    pair = FAMILIES[name](tmp_path)
    rows, first = pair.target.numbering.rows(), len(pair.target.first)
    plain = [tokens[first:] for found in both(pair, "beam", TEXTS)[1] for tokens, _ in found]
    phrase = {  # what is written where nothing is banned
        "bad_words_ids": next(tokens[1:3] for tokens in plain if len(tokens) > 2),
        "suppress_tokens": plain[0][1:2],
        "begin_suppress_tokens": plain[0][:1],
    }[option]
    theirs = [rows[token] for token in phrase]
    settings = (
        {option: [theirs, [pair.target.numbering.end]]} if len(theirs) > 1 else {option: theirs}
    )
    known = json.loads((tmp_path / "generation_config.json").read_text())
    write_json(tmp_path / "generation_config.json", known | settings)
    read_pretrained(tmp_path, device="cpu", **pair.options).save(tmp_path / "ours")
    pair.ours = TrainedModel.load(tmp_path / "ours", "cpu")
    pair.ours.config = pair.ours.config.updated({"engine": "float32"})
    pair.theirs.generation_config.update(**settings)
    for search in ("greedy", "beam", "at least"):
        suppressed = theirs if option == "suppress_tokens" else None
        wanted, found = both(pair, search, TEXTS, suppressed)
        for expected, outputs in zip(wanted, found, strict=True):
            assert [tokens for tokens, _ in outputs] == [tokens for tokens, _ in expected]
            if search != "greedy":
                scores = [score for _, score in expected]
                assert [s for _, s in outputs] == pytest.approx(scores, rel=1e-3, abs=1e-3)
            for tokens in (tokens[first:] for tokens, _ in outputs):
                places = range(1 if option == "begin_suppress_tokens" else len(tokens))
                assert all(tokens[n : n + len(phrase)] != phrase for n in places)


def test_draws_the_same_whichever_way_beams_stop(tmp_path):
    pair = FAMILIES["bart"](tmp_path)
    options = {"beam": 1, "nbest": 3, "sample": True, "max_length": LENGTH, "forced_end": False}
    drawn = [
        [
            sorted(tokens for tokens, _ in found)
            for found in pair.decode(TEXTS, **options, stopping=s)
        ]
        for s in ("bound", "generate")
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(tokens) for found in drawn[0] for tokens in found}) > 3
