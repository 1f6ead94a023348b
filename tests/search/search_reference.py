"""Search written twice more, slowly and in plain Python: by enumeration, and as a beam."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search_fakes import TableStepper

from transduce.config import SearchConfig
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.search import Constraints

Phrase = tuple[int, ...]


@dataclass(frozen=True)
class Found:
    tokens: Phrase
    score: float
    token_scores: tuple[float, ...]
    finished: bool
    met: bool

    @property
    def order(self) -> tuple[bool, bool, float]:
        return (not self.met, not self.finished, -self.score)


def holds(tokens: Phrase, phrase: Phrase) -> bool:
    spans = range(len(tokens) - len(phrase) + 1)
    return any(tokens[start : start + len(phrase)] == phrase for start in spans)


def bounds(count: int, options: SearchConfig, prefix: Phrase) -> tuple[int, int]:
    most, least = options.max_length, options.min_length
    if options.max_length_ratio is not None:
        most = min(most, math.floor(options.max_length_ratio * count + 1e-9))
    if options.min_length_ratio is not None:
        least = max(least, math.ceil(options.min_length_ratio * count - 1e-9))
    most = max(most, len(prefix), 1)
    return min(least, most), most


def may_follow(
    tokens: Phrase, token: int, least: int, options: SearchConfig, c: Constraints
) -> bool:
    if token in (PADDING, UNKNOWN, BEGIN):
        return False
    if token == END:
        return len(tokens) >= least
    after = (*tokens, token)
    if any(after[-len(phrase) :] == phrase for phrase in c.forbidden):
        return False
    size = options.no_repeat_ngram
    if size is not None and len(after) > size:
        earlier = [after[start : start + size] for start in range(len(after) - size)]
        return after[-size:] not in earlier
    return True


def final_score(
    model: TableStepper, source: Phrase, tokens: Phrase, scores: Sequence[float], o: SearchConfig
) -> float:
    count = max(len(scores), 1)
    penalty = {
        "none": 1.0,
        "average": float(count),
        "gnmt": ((5 + count) / 6) ** o.length_alpha,
        "power": count**o.length_alpha,
    }[o.length_normalization]
    score = sum(scores) / penalty
    if o.coverage_penalty:
        rows = [model.entry((*source, END), tokens[:j])[1] for j in range(len(scores))]
        for i in range(len(source) + 1):
            seen = sum(row[i] for row in rows)
            score += o.coverage_penalty * math.log(min(max(seen, 1e-6), 1.0))
    return score


def result(
    model: TableStepper,
    source: Phrase,
    tokens: Phrase,
    scores: tuple[float, ...],
    finished: bool,
    options: SearchConfig,
    constraints: Constraints,
) -> Found:
    met = all(holds(tokens, phrase) for phrase in constraints.required)
    score = final_score(model, source, tokens, scores, options)
    return Found(tokens, score, scores, finished, met)


def enumerate_all(
    model: TableStepper, source: Phrase, options: SearchConfig, constraints: Constraints
) -> list[Found]:
    """Every finished output that the options permit, best first."""
    least, most = bounds(len(source), options, constraints.prefix)
    found = []
    for tokens in _sequences(range(4, model.size), most):
        if tokens[: len(constraints.prefix)] != constraints.prefix:
            continue
        steps = range(len(constraints.prefix), len(tokens) + 1)
        whole = (*tokens, END)
        if all(may_follow(tokens[:j], whole[j], least, options, constraints) for j in steps):
            scores = tuple(
                float(model.log_probs(source, tokens[:j])[y]) for j, y in enumerate(whole)
            )
            found.append(result(model, source, tokens, scores, True, options, constraints))
    return sorted(found, key=lambda f: f.order)


def _sequences(tokens: range, most: int) -> Iterator[Phrase]:
    for length in range(most + 1):
        yield from itertools.product(tokens, repeat=length)


def reference_beam(
    model: TableStepper, source: Phrase, options: SearchConfig, constraints: Constraints
) -> list[Found]:
    """One sentence, lists and loops; it never stops early on a bound."""
    width, groups = options.beam // options.diverse_groups, options.diverse_groups
    least, most = bounds(len(source), options, constraints.prefix)
    prefix = constraints.prefix
    first = tuple(float(model.log_probs(source, prefix[:j])[y]) for j, y in enumerate(prefix))
    beams = [[(prefix, first)] for _ in range(groups)]
    finished: list[list[Found]] = [[] for _ in range(groups)]

    def keep(group: int, tokens: Phrase, scores: tuple[float, ...], done: bool) -> None:
        new = result(model, source, tokens, scores, done, options, constraints)
        finished[group] = [*finished[group], new]

    while any(beams):
        taken: dict[int, int] = {}
        for group, beam in enumerate(beams):
            if not beam:
                continue
            candidates = []
            for parent, (tokens, scores) in enumerate(beam):
                table = model.log_probs(source, tokens)
                for token in range(model.size):
                    if may_follow(tokens, token, least, options, constraints):
                        order = sum(scores) + float(table[token])
                        order -= options.diversity * taken.get(token, 0) if groups > 1 else 0
                        candidates.append((-order, parent, token, float(table[token])))
            candidates.sort()
            going, ended = split(candidates, beam, width, constraints)
            for _, parent, _, value in ended:
                keep(group, beam[parent][0], (*beam[parent][1], value), True)
            chosen = going  # at the maximum length too: what would have gone on
            if len(beam[0][0]) >= most or not going:
                for parent, (tokens, scores) in enumerate(beam):
                    if parent not in [candidate[1] for candidate in ended]:
                        keep(group, tokens, scores, False)
                going = []
            if width == 1 and ended and not constraints.required:
                going = chosen = []  # a group of one that ends takes no other token
            for _, _, token, _ in chosen:
                taken[token] = taken.get(token, 0) + 1
            if going and closed(finished[group], beam, going, width, options, constraints):
                going = []
            beams[group] = [
                ((*beam[parent][0], token), (*beam[parent][1], value))
                for _, parent, token, value in going
            ]
        # A group that is done keeps its best; the others go on.
    kept = [f for lane in finished for f in sorted(lane, key=lambda f: f.order)[:width]]
    best: dict[Phrase, Found] = {}
    for f in sorted(kept, key=lambda f: f.order):
        best.setdefault(f.tokens, f)
    return list(best.values())[: options.nbest]


Candidate = tuple[float, int, int, float]


def closed(
    finished: list[Found],
    beam: list[tuple[Phrase, tuple[float, ...]]],
    going: list[Candidate],
    width: int,
    options: SearchConfig,
    constraints: Constraints,
) -> bool:
    """W have finished, and what goes on is less probable than the n-th or would score less."""
    if sum(f.finished and f.met for f in finished) < width:
        return False
    if width == 1 or constraints.required:
        return True
    last = sorted(finished, key=lambda f: f.order)[min(options.nbest, width) - 1]
    length = len(beam[0][0]) + 2
    penalty = {
        "none": 1.0,
        "average": float(length),
        "gnmt": ((5 + length) / 6) ** options.length_alpha,
        "power": length**options.length_alpha,
    }[options.length_normalization]
    best = max(sum(beam[parent][1]) + value for _, parent, _, value in going)
    return sum(last.token_scores) >= best or last.score >= best / penalty


def split(
    candidates: list[Candidate],
    beam: list[tuple[Phrase, tuple[float, ...]]],
    width: int,
    constraints: Constraints,
) -> tuple[list[Candidate], list[Candidate]]:
    """Who goes on and who ends."""
    if not constraints.required:
        ended = [c for c in candidates[:width] if c[2] == END]
        return [c for c in candidates[: 2 * width] if c[2] != END][:width], ended
    complete = [all(holds(tokens, p) for p in constraints.required) for tokens, _ in beam]
    of_complete = [c for c in candidates if complete[c[1]]][:width]
    ended = [c for c in of_complete if c[2] == END]
    ended += [c for c in candidates[:width] if c[2] == END and not complete[c[1]]]
    open_ones = [c for c in candidates if c[2] != END]
    pool = set(open_ones[: 2 * width])
    for parent, (tokens, _) in enumerate(beam):
        own = [c for c in open_ones if c[1] == parent]
        pool.update(own[:1])
        for phrase in constraints.required:
            if not holds(tokens, phrase):
                wanted = phrase[progress(tokens, phrase)]
                pool.update(c for c in own if c[2] == wanted)
    banks: dict[int, list[Candidate]] = {}
    for c in sorted(pool):
        after = (*beam[c[1]][0], c[2])
        held = sum(progress(after, phrase) for phrase in constraints.required)
        banks.setdefault(held, []).append(c)
    turns = [(turn, -held, c) for held, bank in banks.items() for turn, c in enumerate(bank)]
    return [c for _, _, c in sorted(turns)][:width], ended


def progress(tokens: Phrase, phrase: Phrase) -> int:
    """How many tokens of the phrase the end of ``tokens`` matches; all once it was there."""
    if holds(tokens, phrase):
        return len(phrase)
    fits = [n for n in range(len(phrase)) if tokens[len(tokens) - n :] == phrase[:n]]
    return max(fits)
