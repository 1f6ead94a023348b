"""What else it could have said: all that a search kept, dropped and finished, with its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transduce.config import SearchConfig
from transduce.drawing.tree import Twig, draw_tree
from transduce.errors import DataError
from transduce.explain.records.tree_branch import TreeBranch, kind_of, note_of
from transduce.explain.showing.tree_page import tree_fragment, tree_page
from transduce.files import write_text
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.search import SearchTree, Watch, Watched
from transduce.tokenization.joint import Coder, coder
from transduce.workflow.predicting.other_tokens import token_names
from transduce.workflow.predicting.output import Output
from transduce.workflow.trained import TrainedModel

__all__ = ["BeamTree", "beam_tree"]


@dataclass(frozen=True)
class BeamTree:
    """A search as a tree. ``branches`` name their parents by number, -1 is the beginning, behind
    ``prefix``. ``outputs`` are those of ``predict``, best first; ``search`` are the options that
    are no defaults.
    """

    source: str
    outputs: tuple[str, ...]
    prefix: tuple[str, ...]
    search: Mapping[str, Any]
    branches: tuple[TreeBranch, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and mappings, ready for JSON."""
        return {"version": 1, **asdict(self)}

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    def to_html(self) -> str:
        """One page that needs no other file."""
        return tree_page(self)

    def _repr_html_(self) -> str:
        return tree_fragment(self)

    def save(self, path: str | Path) -> None:
        """Write it, as JSON, HTML or PNG by the name of the file. Raises DataError."""
        place = Path(path)
        if place.suffix.lower() == ".png":
            title = f"Beam tree of: {self.source}" if self.source else "Beam tree"
            draw_tree(self.twigs(), self.root, place, title=title[:80])
            return
        text = self.to_html() if place.suffix.lower() == ".html" else self.to_json() + "\n"
        try:
            write_text(place, text)
        except OSError as error:
            raise DataError(f"file must be writable; got {error.strerror}", file=place) from None

    @property
    def root(self) -> str:
        """What every output begins with, as it is drawn."""
        return "".join(self.prefix) or "begin"

    def twigs(self) -> list[Twig]:
        """The branches as they are drawn."""
        return [Twig(b.parent, b.name, kind_of(b), note_of(b)) for b in self.branches]


def beam_tree(
    trained: TrainedModel,
    source: FrameSource,
    options: SearchConfig | None = None,
    *,
    part: str | None = None,
    dropped: int = 5,
) -> BeamTree:
    """The search of one source, as ``predict`` makes it with these options (none: the model's).

    ``dropped`` are noted at each step of each lane of what did not go on. The search goes step
    by step where the engine would make it in one call; both choose alike. Raises DataError where
    the source cannot be read, is empty, or is searched in several pieces.
    """
    asked = trained.config.search if options is None else options
    watch = Watch(dropped)
    watched = trained.predictor(part, Watched(trained.stepper(), watch), limits=trained.limits())
    outputs: list[Output] = next(watched.predict([source], asked))
    if len(watch.trees) != 1:
        raise DataError(
            "source must be searched in one piece to have a beam tree; "
            f"got {len(watch.trees) or 'none'}"
        )
    [tree] = watch.trees
    own = coder(trained.target_tokenizer, find_part(trained.config, part).name)
    defaults = SearchConfig().model_dump(mode="json")
    search = {k: v for k, v in asked.model_dump(mode="json").items() if v != defaults[k]}
    return BeamTree(
        "" if trained.reader.in_files and not isinstance(source, str | Path) else str(source),
        tuple(output.text for output in outputs),
        tuple(own.symbols(tree.prefix)),
        search,
        _named(tree, own),
    )


def _named(tree: SearchTree, own: Coder) -> tuple[TreeBranch, ...]:
    names = token_names([branch.token for branch in tree.branches], own)
    return tuple(
        TreeBranch(
            b.parent, b.step, b.lane, name, b.token, b.log_probability, b.total, b.fate,
            b.rank, b.score,
        )
        for b, name in zip(tree.branches, names, strict=True)
    )  # fmt: skip
