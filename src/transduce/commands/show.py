"""``transduce show``: what is in a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from transduce.engine import engine_of
from transduce.errors import ConfigError
from transduce.evaluation.by_part import parted, table_by_part
from transduce.evaluation.tables import number, render_table
from transduce.files import place
from transduce.kernels.processor import processor_features
from transduce.pretrained.foreign.foreign_model import AdaptedModel
from transduce.pretrained.published_model import load_trained
from transduce.reading.parts import parts_of
from transduce.tokenization.joint import JointTokenizer
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.model_folder import PUBLISHED, WEIGHTS
from transduce.workflow.shrinking import weight_sizes
from transduce.workflow.tokenizer_files import SideTokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["show", "show_engine", "show_model"]

_SPECIAL = 4  # symbols that every vocabulary starts with
_SHOWN = 12


def show_model(model: Path, output: Path | None, part: str | None, *, engine: bool) -> str:
    """What the command prints, where no attention is asked for.

    Raises ConfigError for an ``output`` or a ``part``, which only that has.
    """
    for option, given in (("--output", output), ("--part", part)):
        if given is not None:
            raise ConfigError(f"{option} must be given with --attention; got {given} alone")
    return show_engine(model) if engine else show(model)


def show(model: Path) -> str:
    """Parameters by module, sizes, vocabulary, training record and scores, as text."""
    trained = load_trained(model)
    record = _section(trained.report, "training")
    blocks = [
        _origin(trained),
        _parameters(trained, model),
        _input(trained),
        _vocabulary(trained),
        _training(trained, record),
        _mixture(trained),
        _scores(_section(record, "best"), _section(trained.report, "test")),
    ]
    return "\n".join(block for block in blocks if block).rstrip("\n")


def show_engine(model: Path) -> str:
    """In which form and which numbers the model predicts on this machine, and why."""
    trained = load_trained(model)
    if isinstance(trained, AdaptedModel):
        return f"engine: transformers runs it, as there are no modules of ours for {trained.family}"
    chosen, _ = engine_of(trained.model, trained.config.engine)
    rows = [
        ["asked for", trained.config.engine],
        ["chosen", chosen.number or "the model itself (reference)"],
        ["because", chosen.reason],
        ["device", str(trained.model.device)],
        ["threads", str(torch.get_num_threads())],
        ["processor", ", ".join(processor_features()) or "no features that matter here"],
        ["kernels", str(chosen.kernels or "none")],
    ]
    return render_table("engine", ["", "value"], rows, texts=2).rstrip("\n")


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    """Those of a section that are numbers: a report is a file, and may hold anything."""
    return {name: value for name, value in values.items() if type(value) in (int, float)}


def _count(value: object) -> str:
    return f"{value:,}" if type(value) in (int, float) else "-"


def _origin(trained: TrainedModel) -> str:
    if isinstance(trained, AdaptedModel):
        return f"{trained.config.name}: {trained.family}, published, run by transformers\n"
    model = trained.config.model
    attention = getattr(model.decoder, "attention", None)
    details = [
        *([f"{model.frontend.kind} frontend"] if model.frontend.kind != "embedding" else []),
        f"{model.encoder.kind} encoder",
        f"{model.decoder.kind} decoder",
        *([f"{attention} attention"] if attention not in (None, "none") else []),
        *(["copying"] if model.copy_source else []),
        *(["CTC"] if model.ctc else []),
    ]
    lines = [f"{trained.config.name}: {', '.join(details)}"]
    if imported := _section(trained.report, "imported"):
        lines.append(f"imported: a published model of the family {imported.get('family')}")
    if model.from_ is not None:
        lines.append(f"trained on from {model.from_}")
    if model.encoder_from is not None:
        lines.append(f"trained with the encoder of {model.encoder_from}")
    versions = _section(trained.report, "versions")
    if "created" in trained.report:
        by = ", ".join(f"{name} {text}" for name, text in versions.items())
        lines.append(f"trained until {trained.report['created']} with {by}")
    return "\n".join(lines) + "\n"


def _parameters(trained: TrainedModel, folder: Path) -> str:
    counts = trained.parameters_by_module()
    total = sum(counts.values())
    rows = [
        [name, f"{count:,}", f"{100 * count / total:.1f} %", _megabytes(4 * count)]
        for name, count in counts.items()
    ]
    rows.append(["total", f"{total:,}", "100.0 %", _megabytes(4 * total)])
    file = Path(PUBLISHED) / WEIGHTS if isinstance(trained, AdaptedModel) else Path(WEIGHTS)
    size = place(folder, str(file)).stat().st_size
    rows.append([str(file), "", "", _megabytes(size)])
    table = render_table("parameters", ["module", "parameters", "share", "MB in float32"], rows)
    return table + ("" if trained.config.weights == "float32" else "\n" + _weights(trained))


def _weights(trained: TrainedModel) -> str:
    """What is stored in which numbers."""
    sizes = weight_sizes(trained)
    rows = [
        [
            trained.config.weights,
            f"{sizes.rounded:,}",
            _bytes_each(sizes.rounded_bytes, sizes.rounded),
        ],
        ["float32", f"{sizes.floats:,}", _bytes_each(sizes.float_bytes, sizes.floats)],
        ["all", f"{sizes.rounded + sizes.floats:,}", f"{sizes.bytes_each:.3f}"],
    ]
    table = render_table("weights", ["numbers", "weights", "bytes of one"], rows)
    return table + f"in float32: {sizes.kept_kinds}\n"


def _bytes_each(size: int, count: int) -> str:
    return f"{size / count:.3f}" if count else "-"


def _vocabulary(trained: TrainedModel) -> str:
    both: list[tuple[str, SideTokenizer]] = [("target", trained.target_tokenizer)]
    if (source := trained.reader.tokenizer) is not None:
        both.insert(0, ("source", source))
    rows = []
    for side, tokenizer in both:
        if not isinstance(tokenizer, JointTokenizer):
            rows.append(_tokenizer_row(side, tokenizer))
            continue
        for name, member in tokenizer.members.items():
            rows.append(_tokenizer_row(f"{side} of {name or 'other parts'}", member))
        rows.append([side, "all together", "", f"{tokenizer.size:,}"])
    shared = ", shared" if trained.config.tokenizer.shared else ""
    columns = ["side", "kind", "some symbols", "symbols"]
    return render_table(f"vocabulary{shared}", columns, rows, texts=3)


def _input(trained: TrainedModel) -> str:
    """How recordings or pictures become frames."""
    if not trained.reader.in_files:
        return ""
    if isinstance(trained, AdaptedModel):  # whose config says no more than what sources are
        rows = [["kind", trained.config.data.input.kind], ["read by", "its own image processor"]]
    else:
        options = trained.config.data.input.model_dump(mode="json", exclude={"augmentation"})
        rows = [[name.replace("_", " "), str(value)] for name, value in options.items()]
    rows.append(["numbers of a frame", str(trained.reader.width)])
    return render_table("source", ["", "value"], rows, texts=2)


def _tokenizer_row(side: str, tokenizer: Tokenizer) -> list[str]:
    some = tokenizer.symbols(range(_SPECIAL, min(tokenizer.size, _SPECIAL + _SHOWN)))
    visible = ["␣" if symbol.isspace() else symbol for symbol in some]
    return [side, tokenizer.kind, " ".join(visible), f"{tokenizer.size:,}"]


def _training(trained: TrainedModel, record: dict[str, Any]) -> str:
    if not record:
        return ""
    data = _section(trained.report, "data")
    rows = [[name.replace("_", " "), _count(data[name])] for name in _DATA if name in data]
    for verb, key in (("left out", "filtered"), ("cut", "truncated")):
        rows += [[f"{verb} for {why}", _count(n)] for why, n in _section(data, key).items()]
    rows += [["skipped for errors", str(_section(data, "problems").get("skipped", 0))]]
    plain = {k: v for k, v in record.items() if isinstance(v, int | float | str)}
    rows += [[name.replace("_", " "), _value(value)] for name, value in plain.items()]
    return render_table("training", ["", "value"], rows)


_DATA = ("train_pairs", "dev_sources")


def _mixture(trained: TrainedModel) -> str:
    """The parts of a mixture: how the model is told of each, and how much it learnt from it."""
    if trained.config.data.parts is None:
        return ""
    counted = _section(_section(trained.report, "data"), "parts")
    rows = []
    for name, part in parts_of(trained.config).items():
        found = _numbers(_section(counted, name))
        pairs, drawn = found.get("train_pairs"), found.get("pairs_an_epoch")
        tags = dict.fromkeys(tag for tag in (part.source_tag, part.target_tag) if tag)
        rows.append(
            [
                name,
                " ".join(tags) or "-",
                _count(pairs) if pairs else "-",
                f"{drawn / pairs:.2f}" if pairs and drawn else "-",
                _count(found.get("dev_sources")),
            ]
        )
    columns = ["part", "tag", "train pairs", "times an epoch", "dev sources"]
    data = trained.config.data
    title = f"mixture, temperature {data.temperature:g}, tags: {data.tags}"
    return render_table(title, columns, rows, texts=2)


def _scores(best: dict[str, Any], test: dict[str, Any]) -> str:
    """The best dev scoring beside the test set's, where each was measured; then part by part."""
    best, best_parts = parted(_numbers(best))
    metrics = _numbers(_section(test, "metrics"))
    names = [*dict.fromkeys([*metrics, *best])]
    if not names:
        return ""
    rows = [[name, _score(best.get(name)), _score(metrics.get(name))] for name in names]
    note = "" if metrics else "not tested yet: transduce evaluate MODEL\n"
    tables = [render_table("scores", ["metric", "dev, in training", "test"], rows) + note]
    parts_tested = _section(test, "parts")
    tested = {
        name: _numbers(_section(_section(parts_tested, name), "metrics")) for name in parts_tested
    }
    for title, parts in (("dev, in training, by part", best_parts), ("test, by part", tested)):
        if parts:
            tables.append(table_by_part(title, parts))
    return "\n".join(tables)


def _value(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else number(value)


def _score(value: object) -> str:
    return number(value) if isinstance(value, int | float) else "-"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f}"
