"""The face that people use, beside CTranslate2: texts in, texts out, with the same tokenizers.

    pip install -r benchmarks/requirements-peers.txt    # into an environment of its own
    python -m benchmarks.face runs/en-de --sources test.en

``Transducer.predict`` against ``Translator.translate_batch`` over our export in int8, with our
tokenizer before and after it, and against our own engine alone, which is handed tokens and gives
tokens. All take turns, sentence by sentence or batch by batch, in orders that change; a figure is
the median of the rounds' ratios. CTranslate2 is asked with several batch sizes, its best counts.
One thread each, since the threads of two libraries in one process hinder each other;
``benchmarks.decode`` compares more, in processes apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]

_BATCHES = (16, 32, 64, 256)  # of CTranslate2, which sorts by length within what it is given
_MANY, _SINGLES = 256, 40


def main() -> None:
    """Measure and report."""
    options = _arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    texts = options.sources.read_text(encoding="utf-8").splitlines()[:_MANY]
    with tempfile.TemporaryDirectory() as home:
        systems = _Systems(options.model, Path(home))
        rows = []
        for beam in options.beams:
            for single in (True, False):
                if options.sentences in (None, 1 if single else _MANY):
                    rows.append(_compare(systems, texts, beam, single, options.rounds))
                    _show(rows[-1])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _show(row: dict[str, Any]) -> None:
    print(
        f"beam {row['beam']}, {row['sentences']:>3} sentences at once: "
        f"ours {row['milliseconds']:.2f} ms; {row['times_ctranslate2']:.2f} x CTranslate2 "
        f"({row['least']:.2f} to {row['most']:.2f}, its batch {row['batch']}); "
        f"face {row['times_engine']:.3f} x engine",
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a trained model directory")
    parser.add_argument("--sources", type=Path, required=True, help="one sentence a line")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4], metavar="W")
    parser.add_argument("--sentences", type=int, choices=[1, _MANY], help="at once; both if none")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


class _Systems:
    """Ours by its face and by its engine alone, and CTranslate2, over one model."""

    def __init__(self, model: Path, home: Path) -> None:
        import torch

        torch.set_num_threads(1)
        from transduce import Transducer
        from transduce.export.folder import export_trained

        self.face = Transducer.load(model, device="cpu")
        trained = self.face._trained()
        self.trained = trained
        self.tokenizer = trained.coders("")[0]
        export_trained(trained, home / "ct2", "int8")
        import ctranslate2
        import tokenizers

        self.translator = ctranslate2.Translator(
            str(home / "ct2"), device="cpu", compute_type="int8", intra_threads=1
        )
        source, target = (home / "ct2" / f"{side}.tokenizer.json" for side in ("source", "target"))
        self.source = tokenizers.Tokenizer.from_file(str(source))
        self.target = tokenizers.Tokenizer.from_file(str(target))
        self.numbers = self.target.get_vocab()
        self.longest = trained.config.search.max_length

    def ours(self, texts: Sequence[str], beam: int) -> list[str]:
        """The face."""
        return self.face.predict(texts, beam=beam)

    def engine(self, rows: Sequence[Sequence[int]], beam: int) -> list[Any]:
        """Tokens to tokens."""
        from transduce.search import decode_all

        options = self.trained.config.search.model_copy(update={"beam": beam, "nbest": 1})
        return list(decode_all(self.trained.stepper(), rows, options, window=4096))

    def theirs(self, texts: Sequence[str], beam: int, batch: int) -> list[str]:
        """CTranslate2 between our tokenizers."""
        tokens = [encoding.tokens for encoding in self.source.encode_batch(list(texts))]
        found = self.translator.translate_batch(
            tokens,
            beam_size=beam,
            max_batch_size=batch,
            max_decoding_length=self.longest,
            max_input_length=0,
        )
        numbers = ([self.numbers[token] for token in one.hypotheses[0]] for one in found)
        return [self.target.decode(row) for row in numbers]


def _compare(
    systems: _Systems, texts: Sequence[str], beam: int, single: bool, rounds: int
) -> dict[str, Any]:
    groups = [[text] for text in texts[:_SINGLES]] if single else [list(texts)]
    rows = [systems.tokenizer.encode_batch(group) for group in groups]
    batch = 1 if single else _best_batch(systems, groups[0], beam)
    runs: dict[str, Callable[[int], object]] = {
        "ours": lambda place: systems.ours(groups[place], beam),
        "theirs": lambda place: systems.theirs(groups[place], beam, batch),
        "engine": lambda place: systems.engine(rows[place], beam),
    }
    for run in runs.values():  # caches fill, kernels are made
        run(0)
    taken: list[dict[str, float]] = []
    orders = list(itertools.permutations(runs))
    for number in range(rounds):
        seconds = dict.fromkeys(runs, 0.0)
        for place in range(len(groups)):  # nobody always comes behind the same other
            for name in orders[(number + place) % len(orders)]:
                seconds[name] += _seconds(lambda: runs[name](place))  # noqa: B023
        taken.append(seconds)
    against_peer = [one["theirs"] / one["ours"] for one in taken]
    against_engine = [one["ours"] / one["engine"] for one in taken]
    own = [1000 * one["ours"] / len(groups) for one in taken]
    return {
        "beam": beam,
        "sentences": 1 if single else len(texts),
        "milliseconds": statistics.median(own),
        "times_ctranslate2": statistics.median(against_peer),
        "least": min(against_peer),
        "most": max(against_peer),
        "batch": batch,
        "times_engine": statistics.median(against_engine),
    }


def _best_batch(systems: _Systems, texts: Sequence[str], beam: int) -> int:
    systems.theirs(texts, beam, _BATCHES[0])

    def seconds(batch: int) -> float:
        return min(_seconds(lambda: systems.theirs(texts, beam, batch)) for _ in range(2))

    taken = {batch: seconds(batch) for batch in _BATCHES}
    return min(taken, key=lambda batch: taken[batch])


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
