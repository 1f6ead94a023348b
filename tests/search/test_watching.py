"""A watched search gives what an unwatched one gives, and its notes say how it got there."""

from __future__ import annotations

import pytest
import torch

from architectures import ARCHITECTURES, make_model, make_source_for
from transduce.config import SearchConfig
from transduce.engine.choice import fast_stepper
from transduce.interfaces import END, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Constraints, Hypothesis, SearchTree, Watch, Watched, decode

SEARCHES = {
    "greedy": {},
    "beam": {"beam": 3, "nbest": 3},
    "diverse": {"beam": 4, "nbest": 4, "diverse_groups": 2, "diversity": 0.5},
    "sampled": {"sample": True, "nbest": 3, "top_k": 5, "seed": 3},
    "sampled beam": {"sample": True, "sample_beam": 3, "beam": 1, "nbest": 2},
    "like generate": {"beam": 3, "nbest": 3, "stopping": "generate", "forced_end": True},
    "penalised": {"beam": 1, "repetition_penalty": 1.3},
}


def options(name: str) -> SearchConfig:
    return SearchConfig.model_validate({"max_length": 5, **SEARCHES[name]})


def made(name: str) -> tuple[Seq2Seq, Source]:
    model = make_model(ARCHITECTURES[name])
    return model, make_source_for(model, [[5, 6, 7, 8], [4, 13]])


def check_tree(tree: SearchTree, found: list[Hypothesis]) -> None:
    """The notes hold together, and hold the outputs."""
    for number, branch in enumerate(tree.branches):
        assert branch.parent < number
        if branch.parent >= 0:
            before = tree.branches[branch.parent]
            assert before.fate == "kept" or before.rank is not None
            assert before.step == branch.step - 1
            assert before.lane == branch.lane
    ranked = {b.rank: (n, b) for n, b in enumerate(tree.branches) if b.rank is not None}
    assert sorted(ranked) == list(range(len(found)))
    for rank, output in enumerate(found):
        number, branch = ranked[rank]
        path = tree.path(number)
        assert output.tokens == (path[:-1] if path[-1] == END else path)
        assert branch.score == output.score
        assert branch.total == pytest.approx(output.log_probability, abs=1e-4)
        assert (branch.fate == "finished") == output.finished
        own = [branch.log_probability]
        while branch.parent >= 0:
            branch = tree.branches[branch.parent]
            own.append(branch.log_probability)
        scores = [*own[::-1], 0.0] if finished_for_free(output, path) else own[::-1]
        assert output.token_scores[len(tree.prefix) :] == pytest.approx(scores, abs=1e-6)


def finished_for_free(output: Hypothesis, path: tuple[int, ...]) -> bool:
    return output.finished and path[-1] != END


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_over_all_architectures(name: str) -> None:
    model, source = made(name)
    for search in ("greedy", "beam", "diverse", "sampled"):
        asked = options(search)
        watch = Watch()
        found = decode(model, source, asked)
        assert decode(Watched(model, watch), source, asked) == found
        assert len(watch.trees) == len(found)
        for tree, outputs in zip(watch.trees, found, strict=True):
            check_tree(tree, outputs)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("prefix", [(), (5, 6)])
def test_over_all_searches(search: str, prefix: tuple[int, ...]) -> None:
    model, source = made("gru-general")
    constraints = Constraints(prefix=prefix)
    watch = Watch(dropped=2)
    found = decode(model, source, options(search), constraints)
    assert decode(Watched(model, watch), source, options(search), constraints) == found
    for tree, outputs in zip(watch.trees, found, strict=True):
        assert tree.prefix == prefix
        check_tree(tree, outputs)


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_the_engine_s_search_in_one_call_is_the_one_that_is_drawn(search: str) -> None:
    model, source = made("lstm-dot")
    engine = fast_stepper(model, "float32")
    watch = Watch()
    found = decode(engine, source, options(search))
    watched = decode(Watched(engine, watch), source, options(search))
    for own, noted, tree in zip(found, watched, watch.trees, strict=True):
        assert [h.tokens for h in own] == [h.tokens for h in noted]
        assert [h.score for h in own] == pytest.approx([h.score for h in noted], abs=1e-5)
        check_tree(tree, noted)


def test_what_is_dropped_is_the_best_of_what_is_not_kept() -> None:
    model, source = made("gru-general")
    source = source.select(torch.tensor([0]))
    asked = options("beam")
    watch = Watch(dropped=3)
    decode(Watched(model, watch), source, asked)
    [tree] = watch.trees
    first = [b for b in tree.branches if b.step == 1]
    logits, _ = model.step(torch.tensor([[2]]), model.start(source))
    log_probs = logits[0, -1].log_softmax(0)
    log_probs[[0, 1, 2]] = -torch.inf
    order = log_probs.argsort(descending=True).tolist()
    assert {b.token for b in first if b.fate == "dropped"} <= set(order[:7])
    assert sum(b.fate == "dropped" for b in first) == 3
    worst = min(b.total for b in first if b.fate in ("kept", "finished", "cut"))
    assert all(b.total <= worst for b in first if b.fate == "dropped" and b.token != END)
