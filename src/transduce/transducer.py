"""The Python face: load, fit, predict, score, save, with scikit-learn's habits."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from transduce.automatic.runs import fit_pairs
from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.estimator import ModelFiles
from transduce.estimator.config_of_arguments import config_of
from transduce.estimator.not_fitted import not_fitted
from transduce.estimator.parameters import parameters, replace_parameters
from transduce.estimator.showing import choose_display, model_table
from transduce.estimator.signatures import with_search_options
from transduce.explain.asking.question import Quantity
from transduce.explain.beam_tree import BeamTree, beam_tree
from transduce.explain.explaining import explain
from transduce.explain.explanation import Explanation
from transduce.explain.method import Method
from transduce.pretrained.hub import fetching
from transduce.pretrained.published_model import load_model, read_learnt_from, read_pretrained
from transduce.reading.frames import FrameSource
from transduce.workflow.asked_details import asked_details
from transduce.workflow.attention_picture import AttentionWeights, attention_of, draw_attention_of
from transduce.workflow.corpora.in_memory import (
    DevPairs,
    GivenSource,
    PartNames,
    corpora_of,
    file_sources,
    part_names,
    references,
    require_as_many,
    texts,
    with_parts,
)
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import Output, TrainedModel

__all__ = ["Transducer"]


class Transducer:
    """An encoder-decoder to fit on pairs of texts and to predict with.

    ``model`` is a preset (``lstm-small``), a family (``gru``, its small size), a
    model section as a mapping, or ``auto``; ``source`` and ``target`` are kinds of tokenizer.
    With ``auto`` all that is not said here is chosen for the pairs, the minutes (10 if none) and
    the machine, and a share of the pairs is held out to test the model on: ``recipe_`` then says
    what was chosen and why, ``trained_.report["test"]`` the scores.
    The first of the limits ``max_minutes``, ``max_steps``, ``max_epochs`` to be reached ends
    training; with none set it is 30 epochs. ``options`` sets any other key of a recipe, dotted:
    ``{"training.learning_rate": 1e-3}``. ``verbose`` 0 trains in silence; 1 shows the run in a
    notebook's cell or on a terminal, elsewhere in ``logging`` (logger ``transduce``).

    >>> pairs = [("ab", "ba"), ("abc", "cba"), ("ca", "ac"), ("bca", "acb")]
    >>> reverse = Transducer("gru-tiny", max_steps=2, dev_fraction=0.5)
    >>> reverse = reverse.fit([s for s, _ in pairs * 9], [t for _, t in pairs * 9])
    >>> len(reverse.predict(["cab", "b"]))
    2
    """

    def __init__(
        self,
        model: str | Mapping[str, Any] = "lstm-small",
        *,
        source: str = "character",
        target: str = "character",
        shared: bool = False,
        max_minutes: float | None = None,
        max_steps: int | None = None,
        max_epochs: int | None = None,
        dev_fraction: float = 0.05,
        metric: str = "loss",
        seed: int = 1,
        beam: int = 1,
        options: Mapping[str, Any] | None = None,
        verbose: int = 1,
    ) -> None:
        self.model = model
        self.source = source
        self.target = target
        self.shared = shared
        self.max_minutes = max_minutes
        self.max_steps = max_steps
        self.max_epochs = max_epochs
        self.dev_fraction = dev_fraction
        self.metric = metric
        self.seed = seed
        self.beam = beam
        self.options = options
        self.verbose = verbose

    # -------------------------------------------------------- scikit-learn's habits

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor by name.

        ``deep`` adds each option as ``options__training__learning_rate``.
        """
        return parameters(self, deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Replace arguments of the constructor, or options of a recipe by their nested names.

        ``set_params(options__training__learning_rate=1e-3)`` is what a grid search does with
        ``{"options__training__learning_rate": [1e-3, 3e-3]}``. Raises ConfigError for an unknown
        name.
        """
        replace_parameters(self, params)
        return self

    def __sklearn_tags__(self) -> Any:
        from transduce.estimator.scikit_learn import text_tags

        return text_tags()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trained_")

    def __copy__(self) -> Self:
        """Another estimator around the same model."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: the arguments, and of a model the bytes of its files."""
        state = dict(self.__dict__)
        if "trained_" in state:
            state["trained_"] = ModelFiles.of(state["trained_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.get("trained_")
        self.__dict__.update(state if files is None else {**state, "trained_": files.load()})

    def _changed(self) -> dict[str, Any]:
        """The arguments that are no defaults."""
        default = {p.name: p.default for p in inspect.signature(Transducer).parameters.values()}
        return {k: v for k, v in self.get_params(deep=False).items() if v != default[k]}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._changed().items())
        return f"Transducer({said})"

    def _repr_html_(self) -> str:
        return model_table(repr(self), self.trained_.report if hasattr(self, "trained_") else {})

    # -------------------------------------------------------- training and prediction

    def fit(
        self,
        sources: Iterable[GivenSource],
        targets: Iterable[str],
        *,
        part: PartNames = None,
        dev: DevPairs | None = None,
        output: str | Path | None = None,
        on_interrupt: Literal["raise", "keep"] = "raise",
        download: bool = False,
    ) -> Self:
        """Train on pairs; the best model on ``dev`` is kept (a share of the pairs if none).

        Sources are texts; paths of files where ``options`` say ``{"data.input.kind": "audio"}`` or
        another kind; with ``data.beside`` pairs of a path and what stands beside it. ``part`` names
        the data set of each pair, for a model of a mixture; ``dev`` has names too: ``(sources,
        targets, part)``. ``options`` say how parts are drawn: ``{"data.parts.ice.weight": 2}``.
        ``output`` keeps the run's directory. After Ctrl-C this holds the best model so far;
        KeyboardInterrupt is raised then, unless ``on_interrupt`` is ``keep``. ``download`` permits
        to fetch the name that ``model`` is ``from``. Raises TransduceError.

        >>> words = [a + b + c for a in "bdg" for b in "aeiou" for c in "lmn"]
        >>> both = Transducer("gru-tiny", max_steps=1, dev_fraction=0.3)
        >>> both = both.fit([*words, *words], [*words, *words], part=["ice"] * 45 + ["ita"] * 45)
        >>> len(both.predict(["bal", "dim"], part="ice"))
        2
        """
        if targets is None:  # in the words that scikit-learn waits for
            raise DataError(
                "targets must be given; fit requires y to be passed, but the target y is None"
            )
        names = part_names(part)
        progress = choose_display(self.verbose)
        with fetching(download), tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run" if output is None else Path(output)
            if self.model == "auto":
                pairs = (sources, targets, names, dev)
                trained, self.recipe_ = fit_pairs(*pairs, self._changed(), run, progress)
            else:
                config = with_parts(config_of(self.get_params(deep=False)), names)
                corpora = corpora_of(config, sources, targets, names, dev, self.dev_fraction)
                known, say = read_learnt_from(config), progress.say
                trained = fit(config, corpora, run, learnt_from=known, progress=progress, say=say)
        self.trained_ = trained
        if trained.report["training"]["stopped"] == "interrupted" and on_interrupt == "raise":
            raise KeyboardInterrupt("the best model so far is kept")
        return self

    @with_search_options
    def predict(
        self, sources: Iterable[FrameSource], *, part: PartNames = None, **search: Any
    ) -> list[str]:
        """The best output of each source; ``search`` options by name: ``beam=4``.

        A source is what the model reads: a text, a path, an array, ``(samples, rate)``, two inputs.
        ``part`` names one of the mixture that a model was trained on, or one for each source.
        """
        return [outputs[0].text for outputs in self(sources, part=part, **search)]

    @with_search_options
    def __call__(
        self,
        sources: Iterable[FrameSource],
        *,
        part: PartNames = None,
        timings: bool = False,
        confidence: bool = False,
        minimum_confidence: float | None = None,
        alternatives: int = 0,
        alignments: bool | str = False,
        **search: Any,
    ) -> list[list[Output]]:
        """The n-best outputs of each source, with scores.

        Asked for, an output has ``words`` (of a recording, ``timings``), a ``confidence`` (below
        ``minimum_confidence``: ``withheld``), ``alternatives`` of each token, ``alignments``.
        """
        trained, options = self._trained(), self._search(search)
        sure = confidence, minimum_confidence
        details = asked_details(trained, *sure, alternatives=alternatives, alignments=alignments)
        is_text = trained.config.data.input.kind == "text"
        given = [*texts(sources, "sources")] if is_text else file_sources(sources)
        names = part_names(part)
        if not isinstance(names, list):
            only = trained.predict(given, options, part=names, timings=timings, details=details)
            return list(only)
        require_as_many(names, "part", given)
        found = {}
        for name in dict.fromkeys(names):
            own = [source for source, of in zip(given, names, strict=True) if of == name]
            found[name] = trained.predict(own, options, part=name, timings=timings, details=details)
        outputs = {name: iter(list(own)) for name, own in found.items()}  # part after part
        return [next(outputs[name]) for name in names]

    @with_search_options
    def score(
        self,
        sources: Iterable[FrameSource],
        targets: Iterable[str | Sequence[str]],
        *,
        part: PartNames = None,
        **search: Any,
    ) -> float:
        """The share of sources, 0 to 1, whose output is exactly a target of theirs."""
        predicted = self.predict(sources, part=part, **search)
        wanted = references(targets, "targets", predicted)
        if not predicted:
            raise DataError("sources must hold at least one text; got none")
        right = sum(text in among for text, among in zip(predicted, wanted, strict=True))
        return right / len(predicted)

    def attention(
        self, source: FrameSource, output: str | None = None, *, part: str | None = None
    ) -> AttentionWeights:
        """Where the model looks while it writes ``output`` (none: what it says of the source).

        ``numpy.asarray`` makes an array ``[T, S]`` of it, and a notebook shows it. Raises
        ModelError where the decoder has no attention.
        """
        return attention_of(self._trained(), source, output, part)

    def draw_attention(
        self, source: FrameSource, path: str | Path, *, part: str | None = None
    ) -> str:
        """Draw :meth:`attention` (PNG); give what the model says of the source."""
        return draw_attention_of(self._trained(), source, path, part=part)

    @with_search_options
    def beam_tree(self, source: FrameSource, *, part: str | None = None, **search: Any) -> BeamTree:
        """All that the search of a source kept, dropped and finished; a notebook shows it."""
        return beam_tree(self._trained(), source, self._search(search), part=part)

    def explain(
        self,
        source: FrameSource,
        target: str | None = None,
        *,
        method: str | Method | None = None,
        against: str | None = None,
        quantity: Quantity = "token",
        unit: str = "symbol",
        part: str | None = None,
        alternatives: int = 0,
    ) -> Explanation:
        """What in a source made the model write ``target`` (None: what it writes by itself).

        See :func:`transduce.explain.explaining.explain`. A notebook shows what this gives.
        """
        return explain(
            self._trained(),
            source,
            target,
            method=method,
            against=against,
            quantity=quantity,
            unit=unit,
            part=part,
            alternatives=alternatives,
        )

    def save(self, folder: str | Path) -> None:
        """Write the model directory, over a model that is there, in one change.

        Raises BusyError where another process writes there, OSError naming the file.
        """
        self._trained().save(folder)

    @classmethod
    def load(
        cls, folder: str | Path, device: str = "auto", *, adapter: str | Path | None = None
    ) -> Transducer:
        """Read a model directory, with the change of an ``adapter``'s file. Raises ModelError."""
        return cls._around(load_model(folder, adapter, device))

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        source_language: str | None = None,
        target_language: str | None = None,
        legacy_weights: bool = False,
        download: bool = False,
    ) -> Transducer:
        """Read a published model from its files, as one of our own.

        ``path`` is a directory of Hugging Face transformers (T5, mT5, ByT5, BART, mBART-50, Marian,
        M2M-100, NLLB, Pegasus, Whisper), of CTranslate2 or of ours, or g2p-en's checkpoint. The
        languages are for models of many (``eng_Latn``, ``en_XX``, ``en``; ``auto`` for recordings
        whose language a Whisper is to guess). ``legacy_weights`` permits pytorch_model.bin, a
        pickle, read as data. A text that is no path is a name in the cache of the Hugging Face hub,
        which ``download`` permits to fetch; nothing else is downloaded and no code of the
        checkpoint is run. Raises ModelError.
        """
        return cls._around(
            read_pretrained(
                path,
                device=device,
                source_language=source_language,
                target_language=target_language,
                legacy_weights=legacy_weights,
                download=download,
            )
        )

    def speaking(self, source: str | None = None, target: str | None = None) -> Transducer:
        """The same model of many languages between two others: ``speaking(target="deu_Latn")``.

        Of a Whisper ``source`` is what is spoken, or ``auto``: the model guesses. Raises
        ModelError where there is no such language.
        """
        return self._around(self._trained().speaking(source, target))

    @classmethod
    def _around(cls, trained: TrainedModel) -> Transducer:
        config = trained.config
        loaded = cls(
            config.model.model_dump(mode="json", by_alias=True),
            source=config.tokenizer.source.kind,
            target=config.tokenizer.target.kind,
            shared=config.tokenizer.shared,
            max_minutes=config.training.max_minutes,
            max_steps=config.training.max_steps,
            max_epochs=config.training.max_epochs,
            metric=config.training.metric,
            seed=config.training.seed,
            beam=config.search.beam,
        )
        loaded.trained_ = trained
        return loaded

    trained_: TrainedModel
    recipe_: str  # of a model that was chosen, with a reason beside each line

    def _trained(self) -> TrainedModel:
        if not hasattr(self, "trained_"):
            raise not_fitted()
        return self.trained_

    def _search(self, options: Mapping[str, Any]) -> SearchConfig:
        was_chosen = self.model == "auto" and "beam" not in self._changed()
        beam = {} if was_chosen else {"beam": self.beam}
        return self._trained().config.searching({**beam, **options})
