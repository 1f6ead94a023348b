"""Which part of a source each part of an output was written from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, OVER_FRAMES, SYMBOLS, WITH_ATTENTION, make_model
from reversal_run import Run
from transduce import Transducer
from transduce.config import SearchConfig, TokenizerConfig
from transduce.errors import ConfigError, ModelError
from transduce.interfaces import BEGIN, Source
from transduce.search import Hypothesis, Retracing, decode_all
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.predicting.alignments import (
    AttentionAligner,
    ReplacementAligner,
    aligned,
    positions,
)
from transduce.workflow.predicting.output import alignment_text

OF_TEXT = [name for name in ARCHITECTURES if name not in OVER_FRAMES]
SHORT = SearchConfig(beam=2, max_length=4, min_length=2)


def written(*tokens: int) -> Hypothesis:
    return Hypothesis(tokens, 0.0, 0.0, (), finished=False)


def test_the_weights_of_the_pieces_of_a_word_are_added_up() -> None:
    weights = np.array([[0.3, 0.3, 0.4, 0.0], [0.1, 0.2, 0.7, 0.0], [0.0, 0.0, 0.1, 0.9]])
    # two source words of two pieces and one, a tag; tokens of two words
    assert aligned(weights, [0, 0, 1, -1], [0, 0, 1]) == ((1, 0), (1, 1))
    assert aligned(weights[:1], [0, 0, 1, -1], [0]) == ((0, 0),)
    assert aligned(weights, [-1] * 4, [0, 0, 1]) == ()
    assert aligned(weights, [0, 0, 1, -1], [-1] * 3) == ()
    assert aligned(weights[:0], [0, 0, 1, -1], []) == ()
    assert alignment_text(((0, 0), (2, 1))) == "0-0 2-1"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("character", "ab c", [0, 1, 2, 3]),
        ("whitespace", "AA B", [0, 1]),
        ("byte", "aé", [0, 1, 1]),
        ("word", "ab, c", [0, 0, 1]),
    ],
)
def test_positions_are_words_where_tokens_are_pieces_of_them(
    kind: str, text: str, expected: list[int]
) -> None:
    for right_to_left in (False, True):
        config = TokenizerConfig(kind=kind, right_to_left=right_to_left)
        own = Tokenizer.train([text, "⟪x⟫" + text], config, ["⟪x⟫"])
        turn = -1 if right_to_left else 1
        assert positions(own, own.encode(text), 0) == expected[::turn]
        tagged = own.encode("⟪x⟫" + text)
        assert positions(own, tagged, 0) == [-1, *expected][::turn]
        assert positions(own, [7, *own.encode(text)], 1) == [-1, *expected[::turn]]


def test_pieces_of_learnt_words() -> None:
    own = Tokenizer.train(
        ["low lower lowest"] * 9, TokenizerConfig(kind="bpe", vocabulary_size=270)
    )
    tokens = own.encode("lowest low")
    found = positions(own, tokens, 0)
    assert len(tokens) > 2
    assert sorted(set(found)) == [0, 1]
    assert found == sorted(found)


@pytest.mark.parametrize("name", OF_TEXT)
def test_every_architecture_aligns_each_token_whatever_is_beside_it(name: str) -> None:
    model, rows = make_model(ARCHITECTURES[name]), [[4, 6, 5], [7, 9, 12, 8, 5]]
    by_replacement = ReplacementAligner(model, SYMBOLS, torch.device("cpu"), draws=1)
    asked = Retracing(attention=name in WITH_ATTENTION)
    together = list(decode_all(model, rows, SHORT, retracing=asked))
    alone = [next(decode_all(model, [row], SHORT, retracing=asked)) for row in rows]
    for row, [found, *_], [other, *_] in zip(rows, together, alone, strict=True):
        aligners = [by_replacement, *([AttentionAligner()] if name in WITH_ATTENTION else [])]
        for align in aligners:
            weights = align(row, found.tokens, found)
            assert weights.shape == (len(found.tokens), len(row))
            assert np.isfinite(weights).all()
            assert (weights >= 0).all()
            np.testing.assert_allclose(weights, align(row, other.tokens, other), atol=1e-5)
    if name not in WITH_ATTENTION:
        with pytest.raises(ModelError, match="alignments must be asked of a model with attention"):
            AttentionAligner()(rows[0], together[0][0].tokens, together[0][0])


def test_replacement_by_hand() -> None:
    """The divergence of the distributions of all sources with one symbol replaced, one by one."""
    model, row, tokens = make_model(ARCHITECTURES["gru-general"]), [5, 9, 4], [6, 7]
    every = SYMBOLS - 4
    align = ReplacementAligner(model, SYMBOLS, torch.device("cpu"), draws=every - 1)
    read = torch.tensor([[BEGIN, tokens[0]]])
    expected = np.zeros((2, 3))
    for place in range(3):
        shares = []
        for symbol in range(4, SYMBOLS):  # itself is one of them
            source = Source.of_tokens([[*row[:place], symbol, *row[place + 1 :]]])
            with torch.no_grad():
                logits = model.step(read, model.start(source))[0][0].double()
            shares.append(torch.softmax(logits, -1).numpy())
        mean = np.mean(shares, axis=0)
        told = np.mean([(p * np.log(p / mean)).sum(-1) for p in shares], axis=0)
        expected[:, place] = told / told.max()
    found = align(row, tokens, written(*tokens))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_symbol_that_cannot_be_seen_tells_nothing() -> None:
    class Blind:
        """Writes the same whatever it reads."""

        def start(self, source: Source, *, attention: bool = False) -> Source:
            return source

        def step(self, tokens: torch.Tensor, state: Source) -> tuple[torch.Tensor, Source]:
            return torch.zeros(*tokens.shape, 7), state

    align = ReplacementAligner(Blind(), 7, torch.device("cpu"))
    np.testing.assert_allclose(align([4, 5], [6], written(6)), 0, atol=1e-3)


def test_a_source_of_one_known_symbol_is_aligned_too() -> None:
    model = make_model(ARCHITECTURES["rnn-dot"])
    weights = ReplacementAligner(model, 5, torch.device("cpu"))([4], [4, 5], written(4, 5))
    assert weights.shape == (2, 1)
    assert not math.isnan(weights.sum())
    assert ReplacementAligner(model, 5, torch.device("cpu"))([4], [], written()).shape == (0, 1)


def test_a_model_that_reverses_is_aligned_backwards(run: Run) -> None:
    model = Transducer.load(run.folder)
    words = ["abc", "dab", "cd", "bca", "a", "dbc", "cad", "bd"]
    wrong = 0
    for word, outputs in zip(words, model(words, alignments="replacement"), strict=True):
        assert outputs[0].text == word[::-1]
        expected = tuple((len(word) - 1 - place, place) for place in range(len(word)))
        wrong += outputs[0].alignments != expected
    assert wrong <= 1
    [[best, second]] = model(["abc"], alignments=True, beam=2, nbest=2)
    for output in (best, second):
        assert [target for _, target in output.alignments] == [*range(len(output.text))]
    [[blank]] = model([" "], alignments=True)
    assert blank.alignments == ()
    assert model(["abc"])[0][0].alignments == ()


def test_where_there_are_none(run: Run) -> None:
    model = Transducer.load(run.folder)
    with pytest.raises(
        ConfigError, match="alignments must be by attention or replacement; got 'at"
    ):
        model(["abc"], alignments="attension")
    words = ["ab", "ba", "abb", "bab", "aab", "bba", "aabb", "bbaa"] * 3
    blind = {"kind": "gru", "width": 8, "attention": "none"}
    without = Transducer(
        {"encoder": {"kind": "gru", "width": 8}, "decoder": blind}, max_steps=1, dev_fraction=0.3
    )
    without.fit(words, words)
    with pytest.raises(ModelError, match="attention: none"):
        without(["ab"], alignments=True)
    [[output]] = without(["ab"], alignments="replacement", min_length=1, max_length=3)
    assert output.alignments
