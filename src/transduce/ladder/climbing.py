"""Rungs are measured: each in processes of its own, in turns, so that what the machine does
meanwhile meets all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from transduce.config import require_one_input
from transduce.errors import ConfigError, DataError, ModelError
from transduce.evaluation.compare import System, compare_systems
from transduce.export.folder import export_trained
from transduce.export.holdable import (
    require_library,
    require_own_tokenizers,
    require_transformers,
)
from transduce.ladder.ladder_rows import Ladder, LadderRow
from transduce.ladder.rung import Rung, exported_job, model_job, sizes
from transduce.ladder.rung_process import RungProcess
from transduce.pretrained.published_model import load_trained
from transduce.reading.pair_files import Example
from transduce.workflow.evaluate import metric_names, normalizer, spread
from transduce.workflow.trained import TrainedModel

__all__ = ["Climb", "climb"]

Say = Callable[[str], None]

_STARTS = 3  # processes of each rung whose start-up is measured
_TOGETHER = (1, 32)
_TIMED = 64  # sources of a round; one by one, half of them
_ALL = 1024  # sources read ahead where all are answered


@dataclass(frozen=True)
class Climb:
    """What is measured on: the examples, all of one ``part`` of a mixture; how often; with how many
    threads.
    """

    examples: Sequence[Example]
    threads: int
    part: str | None = None
    rounds: int = 5


def climb(rungs: Sequence[Rung], asked: Climb, say: Say = lambda line: None) -> Ladder:
    """Measure all rungs, and CTranslate2's int8 where it can hold the first that it can.

    Raises ModelError naming a rung that cannot be run, DataError for one that cannot answer.
    """
    config = TrainedModel.read_config(rungs[0].folder)
    require_one_input(config, "a ladder")
    with _exported(rungs, asked) as (export, reason), ExitStack() as stack:
        jobs = {rung: model_job(rung, asked.part) for rung in rungs}
        jobs |= export
        processes, rows = _started(jobs, asked, stack, say)
        texts = {rung: _texts(rung, process, asked, say) for rung, process in processes.items()}
        speeds = _speeds(processes, asked, say)
        on_disk = {rung: sizes(rung.folder) for rung in processes}
    own = config.for_part(asked.part or "")
    configs = [TrainedModel.read_config(rung.folder) for rung in rungs]
    normal = normalizer([one.for_part(asked.part or "") for one in configs])
    comparison = compare_systems(
        [System(rung.name, [normal(text) for text in found]) for rung, found in texts.items()],
        [[normal(text) for text in example.references] for example in asked.examples],
        metric_names(own),
        bleu_tokenizer=own.evaluation.bleu_tokenizer,
        symbols=own.targets == "symbols",
    )
    measured = [
        LadderRow(
            rung.name,
            *on_disk[rung],
            resident=rows[rung]["resident"],
            most=rows[rung]["most"],
            start_up=rows[rung]["start_up"],
            tokens_per_second=rates,
        )
        for rung, rates in speeds.items()
    ]
    left_out = () if reason is None else (reason,)
    return Ladder(tuple(measured), comparison, asked.threads, asked.rounds, left_out)


@contextmanager
def _exported(
    rungs: Sequence[Rung], asked: Climb
) -> Iterator[tuple[dict[Rung, dict[str, Any]], str | None]]:
    """CTranslate2's int8 of the first rung that it can hold, or why there is none."""
    reason = "no rung"
    for rung in rungs:
        config = TrainedModel.read_config(rung.folder)
        try:
            require_own_tokenizers(config.for_part(asked.part or ""))
            require_transformers(config.model)
            require_library()
        except (ConfigError, ModelError) as error:
            reason = f"ctranslate2 int8 ({error})"
            continue
        with TemporaryDirectory() as place:
            folder = Path(place) / "int8"
            trained = load_trained(rung.folder, "cpu")
            export_trained(trained, folder, "int8", part=asked.part)
            name = f"ctranslate2 int8 of {rung.name.partition(' ')[0]}"
            own = Rung(name, folder, rung.options, "ctranslate2")
            search = rung.configured(config).search.model_copy(update={"nbest": 1})
            yield {own: exported_job(own, config, search, asked.part, asked.threads)}, None
        return
    yield {}, reason


def _started(
    jobs: Mapping[Rung, Mapping[str, Any]], asked: Climb, stack: ExitStack, say: Say
) -> tuple[dict[Rung, RungProcess], dict[Rung, dict[str, float]]]:
    """A process of each rung, and what starts cost: the median of several, one after another."""
    first = asked.examples[0].source
    costs: dict[Rung, list[dict[str, float]]] = {rung: [] for rung in jobs}
    processes = {}
    starts = min(_STARTS, asked.rounds)
    for turn in range(starts):
        for rung, job in jobs.items():
            say(f"starting {rung.name} ({turn + 1} of {starts})")
            process = RungProcess(rung.name, job, asked.threads, first)
            own = {name: process.first[name] for name in ("resident", "most")}
            costs[rung].append({**own, "start_up": process.seconds})
            if turn + 1 < starts:
                process.close()
            else:
                processes[rung] = stack.enter_context(process)
    rows = {
        rung: {name: median(cost[name] for cost in own) for name in own[0]}
        for rung, own in costs.items()
    }
    return processes, rows


def _texts(rung: Rung, process: RungProcess, asked: Climb, say: Say) -> list[str]:
    say(f"answering {len(asked.examples):,} sources: {rung.name}")
    reply = process.ask([example.source for example in asked.examples], _ALL)
    for error in reply["errors"]:
        if error:
            raise DataError(f"{rung.name} must answer all sources; got: {error}")
    texts: list[str] = reply["texts"]
    return texts


def _speeds(
    processes: Mapping[Rung, RungProcess], asked: Climb, say: Say
) -> dict[Rung, dict[int, float]]:
    """Tokens a second, the median over rounds in which each rung has its turn."""
    sources = [example.source for example in spread(asked.examples, _TIMED)]
    rates: dict[Rung, dict[int, list[float]]] = {
        rung: {together: [] for together in _TOGETHER} for rung in processes
    }
    for turn in range(asked.rounds):
        say(f"timing, round {turn + 1} of {asked.rounds}")
        for together in _TOGETHER:
            own = sources[: len(sources) // 2 or 1] if together == 1 else sources
            for rung, process in processes.items():
                reply = process.ask(own, together)
                rates[rung][together].append(reply["tokens"] / max(reply["seconds"], 1e-9))
    return {
        rung: {together: median(found) for together, found in own.items()}
        for rung, own in rates.items()
    }
