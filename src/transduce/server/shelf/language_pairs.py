"""From which languages a model translates to which: its own codes and those that clients send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transduce.server.limits.request_errors import RequestError
from transduce.server.shelf.loaded_model import LoadedModel

__all__ = ["LanguagePairs"]

_UNTOLD = "und"  # BCP 47: undetermined


@dataclass(frozen=True, slots=True)
class LanguagePairs:
    """``codes`` are those of a model of many; () for one that goes from one to one other.

    The latter answers whatever codes a client sends.
    """

    codes: Sequence[str]
    source: str
    target: str

    @classmethod
    def of(cls, model: LoadedModel) -> LanguagePairs:
        """Those of a model."""
        return cls(model.codes, _UNTOLD, _UNTOLD)

    def listed(self) -> list[dict[str, Any]]:
        """As LibreTranslate lists them."""
        if not self.codes:
            own = [{"code": self.source, "name": self.source, "targets": [self.target]}]
            if self.target != self.source:
                own.append({"code": self.target, "name": self.target, "targets": []})
            return own
        targets = list(self.codes)
        return [{"code": code, "name": code, "targets": targets} for code in self.codes]

    def chosen(self, source: str, target: str) -> tuple[str | None, str | None]:
        """What a model of many is told. Raises RequestError for a code that it does not know."""
        if not self.codes:
            return None, None
        own = None if source == "auto" else self._known(source)
        return own, self._known(target)

    def detected(self, text: str) -> list[dict[str, Any]]:
        """As LibreTranslate tells it: a model of one language reads nothing else."""
        return [{"confidence": 100.0, "language": self.source}]

    def _known(self, code: str) -> str:
        """The model's own code: ``deu_Latn`` for ``deu``, in letters of any case."""
        for own in self.codes:
            if own.lower() == code.lower():
                return own
        for own in self.codes:
            if own.lower().replace("-", "_").split("_")[0] == code.lower().split("-")[0]:
                return own
        raise RequestError(f"{code[:50]} is not supported")
