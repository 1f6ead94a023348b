"""One model, many threads: the answers of one thread, whatever the others ask."""

from __future__ import annotations

import threading

import pytest
import torch

from architectures import ARCHITECTURES
from transduce import Transducer
from transduce.config import Config
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

THREADS = 32
WORDS = ["abcd", "a", "bc", "dcbadcbadcba", "cab", "dd", "abab" * 12, "c"]


def untrained(name: str) -> Transducer:
    config = Config.from_mapping({"model": ARCHITECTURES[name], "search": {"max_length": 20}})
    sides = (config.tokenizer.source, config.tokenizer.target)
    torch.manual_seed(1)
    tokenizers = [Tokenizer.train(["abcd"], side) for side in sides]
    return Transducer._around(TrainedModel.fresh(config, *tokenizers))


@pytest.mark.parametrize("name", ["transformer-relative", "lstm-dot"])
def test_32_threads_have_the_answers_of_one(name: str) -> None:
    model = untrained(name)
    asked = [
        {},
        {"beam": 4, "nbest": 2},
        {"sample": True, "seed": 5},
        {"beam": 2, "required": ["a"]},
    ]
    expected = [model(WORDS, **search) for search in asked]
    fresh = untrained(name)  # whose fast form the threads make
    found: dict[int, object] = {}
    begin = threading.Barrier(THREADS)

    def ask(number: int) -> None:
        begin.wait()
        found[number] = fresh(WORDS, **asked[number % len(asked)])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.get(number) == expected[number % len(asked)] for number in range(THREADS)] == [
        True
    ] * THREADS
