"""What a shortlist does to a search: what is in a list, and which options need all tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, SYMBOLS, make_model
from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import END, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Constraints, Ensemble, Shortlist, decode, decode_all
from transduce.search.rules.adjustments import Adjustments

# 12 calls for 6 and 8, 5 for 13, others for nothing; 4 is at hand always.
OFFSETS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 3, 3])
SHORTLIST = Shortlist(OFFSETS, np.array([13, 6, 8]), np.array([4]), SYMBOLS)
ON = SearchConfig(shortlist=True, max_length=5, beam=3, nbest=3)


@pytest.fixture(scope="module")
def model() -> Seq2Seq:
    made = make_model(ARCHITECTURES["transformer-learned"])
    torch.manual_seed(4)
    with torch.no_grad():
        made.output.weight.normal_(0, 1.0)
        made.output.bias[END] = -2.0
    return made


def written(found: list[list[Any]]) -> list[set[int]]:
    return [{token for output in outputs for token in output.tokens} for outputs in found]


def test_lists_of_sources() -> None:
    lists = SHORTLIST.of(Source.of_tokens([[5, 7], [12, 12, 5], []]), more=[9, -1, 2**70])
    assert lists.tolist() == [
        [0, 1, 2, 3, 4, 9, 13, 0, 0],
        [0, 1, 2, 3, 4, 6, 8, 9, 13],
        [0, 1, 2, 3, 4, 9, 0, 0, 0],
    ]
    assert SHORTLIST.of(Source.of_tokens([])).shape == (0, 1)


def test_a_token_that_the_shortlist_does_not_know() -> None:
    with pytest.raises(SearchError, match="must hold tokens below 14; got 14"):
        SHORTLIST.of(Source.of_tokens([[14]]))


def test_outputs_hold_what_the_source_calls_for(model: Seq2Seq) -> None:
    source = Source.of_tokens([[5, 7], [12], [6]])
    found = written(decode(model, source, ON, Constraints(shortlist=SHORTLIST)))
    for tokens, listed in zip(found, ({4, 13}, {4, 6, 8}, {4}), strict=True):
        assert tokens
        assert tokens <= listed
    whole = written(decode(model, source, ON.model_copy(update={"shortlist": False})))
    assert whole != found


def test_constraints_stay_reachable_and_bans_hold(model: Seq2Seq) -> None:
    source, options = Source.of_tokens([[5, 7], [12]]), ON.model_copy(update={"beam": 5})
    bound = Constraints(required=((10, 11),), prefix=(9,), shortlist=SHORTLIST)
    for outputs in decode(model, source, options, bound):
        assert outputs[0].constraints_met
        assert outputs[0].tokens[0] == 9
    banned = Constraints(forbidden=((4,),), shortlist=SHORTLIST)
    assert written(decode(model, source, ON, banned))[1] <= {6, 8}
    guessed = Constraints(first_of=(10, 11), shortlist=SHORTLIST)
    assert all(o[0].tokens[0] in (10, 11) for o in decode(model, source, ON, guessed))
    raised = Adjustments(biases=(((10,), 50.0), ((11,), -50.0)))
    adjusted = decode(model, source, ON, Constraints(adjustments=raised, shortlist=SHORTLIST))
    assert all(10 in own for own in written(adjusted))
    assert not any({11} & own for own in written(adjusted))


@pytest.mark.parametrize("estimated", [False, True])
def test_scores_are_those_within_the_list(model: Seq2Seq, estimated: bool) -> None:
    source, shortlist = Source.of_tokens([[12]]), SHORTLIST
    others = np.random.default_rng(1).normal(size=model.output.weight.shape[1] + 1)
    if estimated:
        shortlist = replace(SHORTLIST, unlisted=others.astype(np.float32))
    [[best, *_]] = decode(model, source, ON, Constraints(shortlist=shortlist))
    read = torch.tensor([[2, *best.tokens]])
    held: list[torch.Tensor] = []
    hook = model.output.register_forward_pre_hook(lambda _, given: held.append(given[0]))
    logits = model.step(read, model.start(source))[0][0].double()
    hook.remove()
    if estimated:  # PADDING's place is that of all tokens in no list
        logits[:, 0] = held[0][0].double() @ torch.from_numpy(others[:-1]) + others[-1]
    listed = [0, 1, 2, 3, 4, 6, 8]
    own = logits[:, listed].log_softmax(1)
    tokens = [*best.tokens, END][: len(best.token_scores)]
    expected = [own[step, listed.index(token)].item() for step, token in enumerate(tokens)]
    assert best.token_scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("options", [{"sample": True}, {"sample": True, "top_k": 3}])
def test_options_that_need_all_tokens(model: Seq2Seq, options: dict[str, Any]) -> None:
    source, bound = Source.of_tokens([[5, 7], [12]]), Constraints(shortlist=SHORTLIST)
    search = SearchConfig(max_length=5, **options)
    listed = search.model_copy(update={"shortlist": True})
    assert decode(model, source, listed, bound) == decode(model, source, search)


def test_packing_and_second_readings(model: Seq2Seq) -> None:
    rows, bound = [[5, 7], [12], [6], [12, 5]], Constraints(shortlist=SHORTLIST)
    together = list(decode_all(model, rows, ON, bound))
    apart = list(decode_all(model, rows, ON.model_copy(update={"batch_tokens": 1}), bound))
    assert [[o.tokens for o in found] for found in together] == [
        [o.tokens for o in found] for found in apart
    ]


def test_an_ensemble_keeps_to_the_list(model: Seq2Seq) -> None:
    members = Ensemble([model, make_model(ARCHITECTURES["gru-general"])])
    source = Source.of_tokens([[5, 7], [12], [6]])
    shortlist = replace(SHORTLIST, unlisted=np.ones(99, np.float32))  # of one member at most
    found = written(decode(members, source, ON, Constraints(shortlist=shortlist)))
    assert all(t <= own for t, own in zip(found, ({4, 13}, {4, 6, 8}, {4}), strict=True))


def test_a_search_without_one_is_refused(model: Seq2Seq) -> None:
    with pytest.raises(SearchError, match="shortlist must be false where none was learnt"):
        decode(model, Source.of_tokens([[5]]), ON)


def test_sources_keep_their_lists() -> None:
    source = replace(
        Source.of_tokens([[5], [6, 7]]),
        shortlist=torch.tensor([[0, 1], [0, 2]]),
        unlisted=torch.tensor([[0.5], [1.5]]),
    )
    chosen = source.select(torch.tensor([1])).to("cpu")
    assert chosen.shortlist is not None
    assert chosen.unlisted is not None
    assert chosen.shortlist.tolist() == [[0, 2]]
    assert chosen.unlisted.tolist() == [[1.5]]
