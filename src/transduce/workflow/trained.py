"""A trained model with all that it needs to run: config, tokenizers, weights."""

from __future__ import annotations

import copy
import json
import logging
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from transduce.confidence.confidence import Confidence
from transduce.confidence.record import CONFIDENCE, confidence_file, confidence_json, confidence_of
from transduce.config import Config, SearchConfig, load_config
from transduce.errors import DataError, ModelError, naming
from transduce.files import Change, changing, place, read_as_one
from transduce.interfaces import BEGIN, Stepper
from transduce.models.blueprint import blueprint
from transduce.models.build import build_model
from transduce.models.copying import copy_map
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import (
    count_by_module,
    named_weights,
    read_weights,
    restore_floats,
    write_weights,
)
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.search import Ensemble, Shortlist
from transduce.shortlists import shortlist_file, shortlist_of, write_shortlist
from transduce.tokenization.imported import AUTO
from transduce.tokenization.joint import Coder, JointTokenizer, coder
from transduce.tokenization.tokenizer import Tokenizer
from transduce.untrusted.tensors import TensorFile
from transduce.workflow.devices import choose_device
from transduce.workflow.fast_form import FastForm, OwnPredictors, is_native
from transduce.workflow.model_folder import (
    CONFIG,
    REPORT,
    WEIGHTS,
    checked,
    read_report,
    replacing_model,
    require_files,
)
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.output_rules import NO_RULES, OutputRules
from transduce.workflow.predicting.predictor import Predictor
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.readers.choose import reader_of
from transduce.workflow.readers.source_reader import SourceReader
from transduce.workflow.tokenizer_files import (
    Side,
    SideTokenizer,
    SourceSide,
    load_sides,
    stored_tokenizers,
    write_sides,
)

__all__ = [
    "CONFIG",
    "REPORT",
    "WEIGHTS",
    "Output",
    "TrainedModel",
    "choose_device",
    "read_report",
]

_PLAIN_LIST = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]")  # in a text no line ends
_LINE_END = re.compile(r"\n\s*")


@dataclass
class TrainedModel:
    """A model with what reads its sources (tokenizers, or a reader of recordings or pictures) and
    the target's tokenizer. ``load`` reads the directory that ``save`` writes. ``confidence`` says
    how sure it is of an output, ``shortlist`` which tokens a source calls for, where there is one.
    """

    config: Config
    source: SourceSide
    target_tokenizer: SideTokenizer
    model: Seq2Seq
    report: dict[str, Any] = field(default_factory=dict)
    confidence: Confidence | None = field(default=None, repr=False)
    shortlist: Shortlist | None = field(default=None, repr=False)
    _fast: FastForm = field(init=False, repr=False)
    _reader: tuple[object, SourceReader] | None = field(default=None, init=False, repr=False)
    _own: OwnPredictors | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._fast = FastForm(self.model)

    @classmethod
    def fresh(cls, config: Config, source: SourceSide, target: SideTokenizer) -> TrainedModel:
        """An untrained model between its sides. Raises ConfigError."""
        symbols, reader = None, reader_of(source, config)
        if config.model.copy_source and (own := reader.tokenizer) is not None:
            symbols = copy_map(own.symbols(range(own.size)), target.symbols(range(target.size)))
        model = build_model(
            config.model,
            *(reader.width, target.size, symbols),
            picture_channels=config.data.picture_channels,
            beside_size=reader.second_width,
            guesses_frames=config.training.denoising == "frames",
        )
        return cls(config, source, target, model)

    @property
    def goes_on(self) -> bool:
        """Whether it is a decoder alone, whose output goes on from the source."""
        return False

    @property
    def source_tokenizer(self) -> SideTokenizer:
        """What reads sources that are text. Raises ModelError where they are none."""
        tokenizer = self.reader.tokenizer
        if tokenizer is None:
            kinds = " and ".join(one.kind for one in self.config.data.inputs)
            raise ModelError(f"source must be text for this; the model reads {kinds} files")
        return tokenizer

    @property
    def reader(self) -> SourceReader:
        """What reads sources, whatever they are."""
        if self._reader is None or self._reader[0] is not self.source:
            self._reader = self.source, reader_of(self.source, self.config)
        return self._reader[1]

    @staticmethod
    def read_config(folder: str | Path) -> Config:
        """The config of a model directory. Raises ConfigError.

        Options of its search that do nothing, which recipes once could hold, are passed over.
        """
        config = load_config(place(Path(folder), CONFIG))
        for name, beside in config.search.idle().items():
            logging.getLogger("transduce").info(
                "%s: search.%s does nothing where %s is not %s",
                *(folder, name, beside.name, beside.wanted),
            )
        return config.model_copy(update={"search": config.search.without_idle()})

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> TrainedModel:
        """Read a model directory, whoever changes it meanwhile.

        Raises ModelError naming what is missing, broken or not the file that was saved.
        """
        folder = Path(folder)
        return read_as_one(folder, lambda: cls._read(folder, device))

    @classmethod
    def _read(cls, folder: Path, device: str) -> TrainedModel:
        require_files(folder, [CONFIG, WEIGHTS])
        config = cls.read_config(folder)
        tokenizers = stored_tokenizers(folder, config)
        require_files(folder, tokenizers)
        extras = [*confidence_file(folder), *shortlist_file(folder)]
        with checked(folder, [*tokenizers, WEIGHTS, *extras]):
            source, target = load_sides(folder, config)
            with TensorFile(place(folder, WEIGHTS)) as file:
                with naming(folder), blueprint(len(file.entries), folder):
                    trained = cls.fresh(config, source, target)
                read_weights(trained.model, file, config.weights)
            trained.confidence = confidence_of(folder)
            trained.shortlist = shortlist_of(folder, trained.reader.width, trained.model)
        chosen = choose_device(device)
        if chosen.type != "cpu":
            restore_floats(trained.model)
        trained.model.to(chosen).eval()
        trained.report = read_report(folder)
        return trained

    def save(self, folder: str | Path) -> None:
        """Write the model directory, in one change. Raises BusyError, OSError."""
        with replacing_model(folder) as change:
            self.write_frame(change)
            write_weights(named_weights(self.model), change.path(WEIGHTS))
            self.write_confidence(change)
            write_shortlist(change, self.shortlist)
            self.write_report(change)

    def write_frame(self, change: Change) -> None:
        """Write config and tokenizers, all that a model needs beside its weights."""
        change.write_text(CONFIG, self.config.to_yaml())
        write_sides(change, self.config, self.reader.stored, self.target_tokenizer)

    def write_confidence(self, change: Change) -> None:
        """Write how sure it is; what was fitted for other weights goes away."""
        if self.confidence is None:
            change.remove(CONFIDENCE)
        else:
            change.write_text(CONFIDENCE, confidence_json(self.confidence))

    def write_report(self, change: Change) -> None:
        """Write the report as JSON."""
        text = json.dumps(self.report, indent=2, ensure_ascii=False) + "\n"
        text = _PLAIN_LIST.sub(lambda found: f"[{_LINE_END.sub(' ', found[1])}]", text)
        change.write_text(REPORT, text, summed=False)

    def save_report(self, folder: Path) -> None:
        """Replace the report of a model directory. Raises BusyError, OSError."""
        with changing(folder) as change:
            self.write_report(change)

    def predict(
        self,
        sources: Iterable[FrameSource | DataError],
        options: SearchConfig,
        *,
        part: str | None = None,
        window: int = 4096,
        timings: bool = False,
        keep_going: bool = False,
        rules: OutputRules = NO_RULES,
        details: Details = PLAIN,
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order, as :meth:`Predictor.predict` gives them.

        With ``keep_going`` what cannot be answered has an output that says why. ``part`` names
        one of a mixture; ``timings`` asks when each word of a recording was said; ``rules`` and
        ``details`` bear on this call. Raises ConfigError where a part must be named or is none,
        ModelError where there are no timings to be had.
        """
        predictor = self.predictor(part, timings=timings, rules=rules, details=details)
        return predictor.predict(sources, options, window=window, keep_going=keep_going)

    def predictor(
        self,
        part: str | None = None,
        stepper: Stepper[Any] | None = None,
        *,
        limits: SourceLimits | None = None,
        timings: bool = False,
        rules: OutputRules = NO_RULES,
        details: Details = PLAIN,
    ) -> Predictor:
        """What predicts for a part of a mixture, with ``stepper`` and ``limits`` in place of the
        model's own; the rest as in :meth:`predict`.
        """
        plain = not timings and rules is NO_RULES and details is PLAIN
        if stepper is not None or limits is not None or not plain:
            own = stepper or self.stepper()
            return self._predictor(part, own, limits, timings, rules, details)
        # Of a single short sentence all this would be a good share of the time.
        made_of = self.config, self.source, self.target_tokenizer, self.shortlist, self.stepper()
        kept = self._own  # which another thread may replace meanwhile
        if kept is None or any(map(operator.is_not, kept.made_of, made_of)):
            kept = self._own = OwnPredictors(made_of)
        predictor = kept.predictors.get(part)
        if predictor is None:
            predictor = kept.predictors[part] = self._predictor(part, made_of[-1], None, False)
        return predictor

    def _predictor(
        self,
        part: str | None,
        stepper: Stepper[Any],
        limits: SourceLimits | None,
        timings: bool,
        rules: OutputRules = NO_RULES,
        details: Details = PLAIN,
    ) -> Predictor:
        chosen = find_part(self.config, part)
        writer = Writer(coder(self.target_tokenizer, chosen.name), chosen, rules, self.shortlist)
        limits, device = limits or self.limits(), self.model.device
        return self.reader.predictor(
            stepper, writer, device, limits, timings=timings, details=details
        )

    @property
    def positions(self) -> int | None:
        """How many tokens it has places for, where its config does not say so."""
        return None

    def limits(self) -> SourceLimits:
        """How long a source may be, where this model alone predicts."""
        native = is_native(self.stepper())
        sizes = self.reader.width, self.target_tokenizer.size
        return SourceLimits.of(self.config.model, sizes, self.model.device, native=native)

    def speaking(self, source: str | None, target: str | None) -> TrainedModel:
        """The same model of many languages between two others; None: as it is.

        The source of a model of recordings may be ``auto``: it guesses what is spoken. Raises
        ModelError where there is no such language.
        """
        other = copy.copy(self)  # with the same fast form
        if self.reader.tokenizer is None:
            other.target_tokenizer = self._hearing(source, target)
            return other
        for side, language in (("source", source), ("target_tokenizer", target)):
            tokenizer = getattr(self, side)
            if language is None:
                continue
            if not isinstance(tokenizer, Tokenizer):
                raise ModelError("model must read and write text to have languages")
            setattr(other, side, tokenizer.speaking(language))
        return other

    def _hearing(self, source: str | None, target: str | None) -> SideTokenizer:
        """The tokenizer of a model of recordings that are spoken in another language."""
        if target is not None:
            raise ModelError(
                f"target language must be told when the model is imported; got {target!r} now"
            )
        tokenizer = self.target_tokenizer
        if source is None:
            return tokenizer
        if not isinstance(tokenizer, Tokenizer):
            raise ModelError("model must have one imported tokenizer to have languages")
        return tokenizer.guessing() if source == AUTO else tokenizer.speaking(source)

    def coders(self, part: str) -> tuple[Coder, Coder]:
        """What reads the sources and writes the targets of a part ("" where there are none)."""
        return coder(self.source_tokenizer, part), coder(self.target_tokenizer, part)

    def stepper(self) -> Stepper[Any]:
        """The model in evaluation mode, in the form that ``config.engine`` asks for, made once.

        Who changes weights of ``model`` calls :meth:`refresh`; training does. Raises EngineError.
        """
        if self._fast.model is not self.model:
            self._fast = FastForm(self.model)
        return self._fast.stepper(self.config.engine, self.config.neighbours)

    def refresh(self) -> None:
        """Predict with the weights that ``model`` has now."""
        self._fast.forget()

    def other_side(self, other: TrainedModel) -> Side | None:
        """The side that another model reads or writes otherwise; None where both are alike."""
        if self.reader.fingerprint() != other.reader.fingerprint():
            return "source"
        if self.target_tokenizer.to_json() != other.target_tokenizer.to_json():
            return "target"
        return None

    @staticmethod
    def ensemble(
        members: Sequence[TrainedModel], part: str | None = None, *, timings: bool = False
    ) -> Predictor:
        """Several models as one: the mean of their probabilities at each step.

        ``part`` is one of the first model's mixture. Architectures may differ. Raises ModelError
        where tokenizers do, SearchError for no model.
        """
        for number, member in enumerate(members, 1):
            first = members[0]
            if (side := member.other_side(first)) is not None:
                raise ModelError(
                    f"models of an ensemble must share their {side} tokenizer; "
                    f"got another one in model {number}"
                )
            member.model.to(first.model.device)
        stepper = Ensemble([member.stepper() for member in members])
        limits = reduce(SourceLimits.plus, (member.limits() for member in members))
        return members[0].predictor(part, stepper, limits=limits, timings=timings)

    def tokenizers(self, part: str) -> tuple[Tokenizer, Tokenizer]:
        """Those of a part's sources and targets; where parts have their own, with own numbers."""
        sides = self.source_tokenizer, self.target_tokenizer
        source, target = (s.member(part) if isinstance(s, JointTokenizer) else s for s in sides)
        return source, target

    def attention(self, source: FrameSource, output: str, part: str | None = None) -> torch.Tensor:
        """Weights over the source's symbols and end for each output symbol and end, ``[T, S]``.

        Over the vectors that a frontend makes of frames, where there are such. The tags of a
        part are symbols too. Raises ModelError where the decoder has no attention.
        """
        chosen = find_part(self.config, part)
        target_coder = coder(self.target_tokenizer, chosen.name)
        tokens = [BEGIN, *target_coder.encode(chosen.target(output))]
        target = torch.tensor([tokens], device=self.model.device)
        self.model.eval()
        with torch.inference_mode():
            encoded = self.reader.encoded(source, chosen).to(self.model.device)
            state = self.model.start(encoded, attention=True)
            weights = self.model.step(target, state)[1].attention
        if weights is None:
            raise ModelError("decoder must have an attention to draw it; got attention: none")
        return weights[0].float().cpu()

    def parameters_by_module(self) -> dict[str, int]:
        """Parameters of each module of the model; tied ones count where they come first."""
        return count_by_module(self.model)
