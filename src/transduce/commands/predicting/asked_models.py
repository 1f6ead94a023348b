"""The models of a request, ready to answer its sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from transduce.commands.arguments import search_options, updated
from transduce.commands.predicting.answer_forms import Form
from transduce.commands.predicting.request import Request
from transduce.errors import ConfigError, DataError
from transduce.light.prediction_records import record_key
from transduce.light.recording import remember
from transduce.pretrained.published_model import load_model, load_trained
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.workflow.asked_details import asked_details
from transduce.workflow.predicting.output import Output
from transduce.workflow.trained import TrainedModel

__all__ = ["AskedModels"]


class AskedModels:
    """What answers a request. A request is plain values, so that one that was sent to another
    process, or another machine, is answered there in the same way.
    """

    def __init__(self, request: Request, form: Form) -> None:
        """Raises TransduceError where a model cannot be read, or not be asked this."""
        plain = not (request.overrides or request.ensemble or request.adapter)
        key = record_key(request.model) if plain else None
        self.trained = load_model(request.model, request.adapter)
        remember(self.trained, request.model, key)
        self.config = self.trained.config = updated(self.trained.config, request.overrides)
        if request.source_language is not None:
            self.trained = self.trained.speaking(request.source_language, None)
        self.options = search_options(self.config, request.beam, request.nbest)
        self.in_files = self.trained.reader.in_files
        self._request = request
        self._timings = request.timings or form.timed
        _require_recordings(request, form, self.trained)
        self._details = asked_details(
            self.trained,
            confidence=request.confidence,
            least=request.least,
            alternatives=request.alternatives,
            alignments=request.alignments,
        )
        self.part = find_part(self.config, request.part)

    def given(self, paths: Sequence[str]) -> Iterator[str | DataError]:
        """Each record of each file; see ``SourceReader.given``."""
        return self.trained.reader.given(paths, self.part.data)

    def predict(
        self, sources: Iterable[FrameSource | DataError], window: int
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order; what cannot be answered says why."""
        if self._request.ensemble:
            predictor = TrainedModel.ensemble(
                self.members, self._request.part, timings=self._timings
            )
            return predictor.predict(sources, self.options, window=window, keep_going=True)
        return self.trained.predict(
            sources,
            self.options,
            part=self._request.part,
            window=window,
            timings=self._timings,
            keep_going=True,
            details=self._details,
        )

    @cached_property
    def members(self) -> list[TrainedModel]:
        """All models, the first of them ``trained``. Raises TransduceError."""
        others = [load_trained(path) for path in self._request.ensemble]
        if self._request.source_language is not None:
            others = [other.speaking(self._request.source_language, None) for other in others]
        for other in others:
            other.config = other.config.updated({"engine": self.config.engine})
        return [self.trained, *others]


def _require_recordings(request: Request, form: Form, trained: TrainedModel) -> None:
    """Raise ConfigError where subtitles, or a file for each source, are asked of other sources."""
    kind = trained.config.data.input.kind
    if form.timed and kind != "audio":
        raise ConfigError(f"--format {request.form} must be used with recordings; got {kind}")
    if request.output_folder is not None and not trained.reader.in_files:
        raise ConfigError(
            "--output-dir must be used with recordings or pictures; the model reads "
            f"{kind}: --output writes one file for all"
        )
