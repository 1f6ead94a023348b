"""What several runs on the same pairs need not do anew: learn tokenizers, and encode the pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transduce.config import Config
from transduce.files import locked_in_turn
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.corpora.digests import digest
from transduce.workflow.corpora.survey import Seen, Tokenizers, survey
from transduce.workflow.readers.source_reader import Cache, Corpus

__all__ = ["SharedData"]


class SharedData:
    """Tokenizers and encoded pairs of the last run, for the next one that reads alike.

    It belongs to one process; of large data the encoded pairs are files below ``folder``, which
    several processes share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._surveyed: tuple[str, tuple[Tokenizers, Seen]] | None = None
        self._corpus: tuple[str, Corpus] | None = None

    def survey(self, config: Config, corpora: Corpora) -> tuple[Tokenizers, Seen]:
        """What ``survey`` gives, from the last run where it was of the same pairs and options."""
        key = _key(config, corpora)
        if self._surveyed is None or self._surveyed[0] != key:
            self._surveyed = key, survey(config, corpora)
        return self._surveyed[1]

    def encode(
        self,
        config: Config,
        corpora: Corpora,
        build: Callable[[Cache | None], Corpus],
        *,
        large: bool,
    ) -> Corpus:
        """The encoded pairs, built where the last run was of others; ``large`` ones in files."""
        key = _key(config, corpora)
        if self._corpus is None or self._corpus[0] != key:
            self._corpus = None  # before there are two
            self._corpus = key, self._built(key, build) if large else build(None)
        return self._corpus[1]

    def _built(self, key: str, build: Callable[[Cache | None], Corpus]) -> Corpus:
        """One process writes the files, the others wait and open them."""
        folder = self._folder / key
        folder.mkdir(parents=True, exist_ok=True)
        with locked_in_turn(folder):
            return build(Cache(folder, key))


def _key(config: Config, corpora: Corpora) -> str:
    """Names the pairs and how they are read, whatever the model; a seed draws augmentations."""
    options = config.data.model_dump_json(), config.tokenizer.model_dump_json()
    return digest("\n".join([corpora.fingerprint, *options, str(config.training.seed)]))
