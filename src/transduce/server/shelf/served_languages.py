"""The languages of all models of a server: what is listed, detected, and which model is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transduce.server.limits.request_errors import RequestError
from transduce.server.shelf.language_pairs import UNTOLD, LanguagePairs, listed_together
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.model_shelf import ModelShelf
from transduce.server.texts.language_guess import guessed_languages

__all__ = ["ServedLanguages"]

_AUTO = "auto"


class ServedLanguages:
    """Of the models that read texts; of one of many languages once it has been loaded."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    def pairs(self) -> list[LanguagePairs]:
        """Those of each model, the first the one that is meant where none fits."""
        return [LanguagePairs.told(self._shelf.told(name)) for name in self._names()]

    def listed(self) -> list[dict[str, Any]]:
        """As LibreTranslate lists them."""
        return listed_together(self.pairs())

    def detected(self, texts: Sequence[str], target: str | None = None) -> tuple[str, float]:
        """The source language of texts and how sure that is, from 0 to 1.

        Of those that are translated to ``target``, if any are.
        """
        known = self.pairs()
        fitting = [code for own in known for code in own.sources(target or "")] if target else []
        every = [code for own in known for code in own.codes or [own.source]]
        codes = [*dict.fromkeys(code for code in fitting or every if code != UNTOLD)]
        if len(codes) < 2:
            return (codes or [UNTOLD])[0], 1.0
        return guessed_languages("\n".join(texts), codes)[0]

    async def model(
        self, source: str, target: str, texts: Sequence[str]
    ) -> tuple[LoadedModel, tuple[str | None, str | None], str]:
        """Which model is meant, what it is told of languages, and the source language.

        ``source`` may be ``auto``. One that fits both codes comes before one that fits the target,
        and that before the first. Raises RequestError where that does not know a code.
        """
        found = source
        if source.lower() == _AUTO:
            found, _ = self.detected(texts, target)
        names = self._names()
        fits = [pairs.fit(found, target) for pairs in self.pairs()] if len(names) > 1 else []
        model = await self._shelf.get(names[fits.index(max(fits)) if fits else 0])
        if model.kind != "text":
            raise RequestError(f"model must be one of texts; got one of {model.kind}")
        return model, LanguagePairs.of(model).chosen(found, target), found

    def _names(self) -> list[str]:
        texts = [name for name in self._shelf.names if self._shelf.told(name).kind == "text"]
        return texts or [self._shelf.names[0]]
