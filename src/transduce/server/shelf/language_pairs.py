"""From which languages a model translates to which: its own codes and those that clients send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transduce.server.limits.request_errors import RequestError
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.model_shelf import ToldModel
from transduce.server.texts.language_guess import base_code

__all__ = ["UNTOLD", "LanguagePairs", "listed_together"]

UNTOLD = "und"  # BCP 47: undetermined


@dataclass(frozen=True, slots=True)
class LanguagePairs:
    """``codes`` are those of a model of many; () for one that goes from one to one other.

    The latter has the codes of its recipe (``source.language``), and answers whatever codes a
    client sends.
    """

    codes: Sequence[str]
    source: str
    target: str

    @classmethod
    def of(cls, model: LoadedModel) -> LanguagePairs:
        """Those of a model."""
        return cls.told(ToldModel.of(model.trained.config, model.codes))

    @classmethod
    def told(cls, model: ToldModel) -> LanguagePairs:
        """Those of a model that need not be in memory."""
        return cls(model.codes, model.source or UNTOLD, model.target or UNTOLD)

    @property
    def both(self) -> list[tuple[str, str]]:
        """All pairs."""
        if not self.codes:
            return [(self.source, self.target)]
        return [(a, b) for a in self.codes for b in self.codes if a != b]

    def sources(self, target: str) -> Sequence[str]:
        """The languages that are translated to this one."""
        wanted = base_code(target)
        if not self.codes:
            return [self.source] if base_code(self.target) == wanted else []
        others = [code for code in self.codes if base_code(code) != wanted]
        return others if len(others) < len(self.codes) else []

    def fit(self, source: str, target: str) -> int:
        """2 where it is this pair, 1 where it is the target, else 0."""
        sources = self.sources(target)
        return bool(sources) + any(base_code(own) == base_code(source) for own in sources)

    def chosen(self, source: str, target: str) -> tuple[str | None, str | None]:
        """What a model of many is told. Raises RequestError for a code that it does not know."""
        if not self.codes:
            return None, None
        return self._known(source), self._known(target)

    def _known(self, code: str) -> str:
        """The model's own code: ``deu_Latn`` for ``deu`` or ``de``, in letters of any case."""
        for own in self.codes:
            if own.lower() == code.lower():
                return own
        for own in self.codes:
            if base_code(own) == base_code(code):
                return own
        raise RequestError(f"{code[:50]} is not supported")


def listed_together(models: Sequence[LanguagePairs]) -> list[dict[str, Any]]:
    """As LibreTranslate lists them: each language of all models, and those it is translated to."""
    targets: dict[str, dict[str, None]] = {}
    for pairs in models:
        if pairs.codes:
            for code in pairs.codes:
                targets.setdefault(code, {}).update(dict.fromkeys(pairs.codes))
        else:
            targets.setdefault(pairs.source, {})[pairs.target] = None
            targets.setdefault(pairs.target, {})
    return [{"code": code, "name": code, "targets": [*own]} for code, own in targets.items()]
