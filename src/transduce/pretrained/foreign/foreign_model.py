"""From a checkpoint of any family to a model that transformers runs and we search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from transduce.audio.sound import Segment
from transduce.config import Config
from transduce.errors import DataError, EngineError, ModelError
from transduce.files import place
from transduce.interfaces import Frames, Source, Stepper
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import count_by_module
from transduce.pretrained.checkpoint.banned import Banned, banned
from transduce.pretrained.checkpoint.generation import search_options
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import (
    Vocabulary,
    byte_level_vocabulary,
    read_pipeline,
)
from transduce.pretrained.foreign.foreign_stepper import CausalAdapter, EncoderDecoderAdapter
from transduce.pretrained.foreign.published_files import side_files, write_published
from transduce.pretrained.foreign.transformers_library import (
    build_network,
    image_processor,
    said_by_library,
)
from transduce.reading.frames import FrameReader, FrameSource
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.model_folder import CONFIG, PUBLISHED, WEIGHTS, replacing_model
from transduce.workflow.predicting.source_limits import UNLIMITED, SourceLimits
from transduce.workflow.trained import TrainedModel

__all__ = ["AdaptedModel", "read_adapted"]

_PROBE = "a"
_NOTE = (
    f"# The network and its tokenizers are those of {PUBLISHED}/, run by transformers;\n"
    "# the sections model, tokenizer and training have no say in them.\n"
)


@dataclass
class AdaptedModel(TrainedModel):
    """What predicts like a trained model of ours, its network run by transformers.

    ``files`` are those that read its texts and pictures, by their paths in the checkpoint.
    """

    adapter: Stepper[Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """``model_type`` of the checkpoint."""
        return str(self._network().config.model_type)

    def stepper(self) -> Stepper[Any]:
        """The adapter. Raises EngineError where ``config.engine`` asks for another."""
        if self.adapter is None:
            raise ModelError("model must have an adapter")
        if self.config.neighbours.index is not None:
            raise ModelError("neighbours must be asked of a model of ours; got one of transformers")
        if self.config.engine not in ("auto", "reference"):
            raise EngineError(
                f"engine must be auto for a model that transformers runs; got {self.config.engine}"
            )
        return self.adapter

    @property
    def goes_on(self) -> bool:
        """Whether it is a decoder alone, as GPT-2 is."""
        return isinstance(self.adapter, CausalAdapter)

    @property
    def positions(self) -> int | None:
        """Tokens of a source, or of a prompt with its output; None where the config says none."""
        theirs = self._network().config
        reading = getattr(theirs, "encoder", theirs)
        count = getattr(reading, "max_position_embeddings", None)
        return count if type(count) is int and count > 0 else None

    def limits(self) -> SourceLimits:
        """None that are known here: the network says what is too long."""
        return UNLIMITED

    def attention(self, source: FrameSource, output: str, part: str | None = None) -> Any:
        """Raise ModelError: transformers is not asked for it."""
        raise ModelError(
            "attention must be that of a model of ours; this one is run by transformers"
        )

    def parameters_by_module(self) -> dict[str, int]:
        """Parameters of each module of its network; tied ones count where they come first."""
        return count_by_module(self._network())

    def save(self, folder: str | Path) -> None:
        """Write config, report, confidence and the published model, in one change.

        ``transduce.pretrained.published_model.load_trained`` reads it. Raises ModelError,
        BusyError, OSError.
        """
        if place(Path(folder), WEIGHTS).exists():
            raise ModelError(f"model must be saved in a directory of its own; {folder} has another")
        with replacing_model(folder) as change:
            write_published(self._network(), self.files, change)
            change.write_text(CONFIG, _NOTE + self.config.to_yaml())
            self.write_confidence(change)
            self.write_report(change)

    def _network(self) -> Any:
        return cast(_Network, self.model).network


class _Network(nn.Module):
    """A network of the library with what ours are asked for."""

    def __init__(self, network: nn.Module, adapter: Stepper[Any]) -> None:
        super().__init__()
        self.network = network
        self._adapter = adapter

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def forward(self, source: Source, target: Tensor) -> Tensor:
        """Logits ``[B, T, V]`` of what comes after each of ``target`` ``[B, T]``."""
        return self._adapter.step(target, self._adapter.start(source))[0]


def read_adapted(checkpoint: PublishedCheckpoint, config: Config | None = None) -> AdaptedModel:
    """Load with transformers, from files alone and without their code.

    ``config`` is one that was saved with the model; None: what the checkpoint says. Raises
    ModelError.
    """
    network = build_network(checkpoint)
    pictures = checkpoint.family == "vision-encoder-decoder"
    theirs = network.config
    folder = checkpoint.folder
    decoder_folder = folder / "decoder" if (folder / "decoder").is_dir() else folder
    target = _vocabulary(decoder_folder, checkpoint)
    options = network.generation_config
    decoder = getattr(theirs, "decoder", theirs)
    size = getattr(decoder, "vocab_size", None)
    if type(size) is not int:
        raise ModelError(f"{folder}: config.json must say how many symbols there are (vocab_size)")
    end = _named("eos_token_id", options, theirs, decoder)
    if end is None:
        raise ModelError(f"{folder}: config.json must name the end (eos_token_id)")
    padding = _named("pad_token_id", options, theirs, decoder)
    start = _named("decoder_start_token_id", options, theirs)
    numbering = Numbering(
        size,
        padding if padding != end else None,
        _unknown(target, end),
        _first(start, _named("bos_token_id", decoder), end) or 0,
        end,
    )
    target_tokenizer = _tokenizer(target, numbering, bans=banned(checkpoint, numbering))
    adapter: Stepper[Any]
    source: Tokenizer | FrameReader
    if not getattr(theirs, "is_encoder_decoder", False):
        source, adapter = target_tokenizer, CausalAdapter(network, numbering)
    elif pictures:
        pixels = PixelReader(folder)
        source = pixels
        adapter = EncoderDecoderAdapter(
            network, None, numbering, drops_end=False, picture=(3, pixels.height)
        )
    else:
        encoder = getattr(theirs, "encoder", theirs)
        source, own, drops = _source(_vocabulary(folder, checkpoint), int(encoder.vocab_size), end)
        adapter = EncoderDecoderAdapter(network, own, numbering, drops_end=drops)
    model = cast(Seq2Seq, _Network(network, adapter))  # it has what predictions and losses ask for
    report = {"imported": {"family": checkpoint.family, "run by": "transformers"}}
    return AdaptedModel(
        config or _config(checkpoint, decoder, pictures=pictures),
        source,
        target_tokenizer,
        model,
        report,
        adapter=adapter,
        files=side_files(folder),
    )


def _config(checkpoint: PublishedCheckpoint, decoder: Any, *, pictures: bool) -> Config:
    search = search_options(checkpoint)
    positions = getattr(decoder, "max_position_embeddings", None)
    if isinstance(positions, int):
        search["max_length"] = max(1, min(search["max_length"], positions - 2))
        search["min_length"] = min(search["min_length"], search["max_length"])
    values: dict[str, Any] = {
        "name": checkpoint.folder.resolve().name,
        "tokenizer": {"source": {"kind": "imported"}, "target": {"kind": "imported"}},
        "search": search,
    }
    if pictures:
        values["data"] = {"input": {"kind": "image", "color": True}}
        values["model"] = {"frontend": {"kind": "patches"}}  # as recipes for pictures must say
    return Config.from_mapping(values)


def _vocabulary(folder: Path, checkpoint: PublishedCheckpoint) -> Vocabulary:
    found = read_pipeline(folder)
    return byte_level_vocabulary(checkpoint) if found is None else found


def _tokenizer(
    vocabulary: Vocabulary, numbering: Numbering, *before: int, bans: Banned | None = None
) -> Tokenizer:
    bans = bans or Banned()
    return Tokenizer.imported(
        ImportedSymbols(
            vocabulary.pipeline,
            numbering,
            before,
            hidden=vocabulary.hidden | {numbering.end},
            their_banned_first=bans.first,
            their_forbidden=bans.phrases,
        )
    )


def _source(vocabulary: Vocabulary, size: int, end: int) -> tuple[Tokenizer, Numbering, bool]:
    """The encoder's side: what its tokenizer puts around a text, [CLS] and [SEP] for one."""
    pipeline = vocabulary.pipeline
    inner = pipeline.encode(_PROBE, add_special_tokens=False).ids
    whole = pipeline.encode(_PROBE).ids
    place = next((n for n in range(len(whole)) if whole[n : n + len(inner)] == inner), 0)
    before, after = whole[:place], whole[place + len(inner) :]
    if len(after) > 1:
        raise ModelError(f"tokenizer must end a text with one symbol at most; got {after}")
    padding = pipeline.token_to_id("[PAD]")
    padding = pipeline.token_to_id("<pad>") if padding is None else padding
    last = after[0] if after else end
    numbering = Numbering(
        size, None if padding == last else padding, _unknown(vocabulary, last), last, last
    )
    return _tokenizer(vocabulary, numbering, *before), numbering, not after


def _unknown(vocabulary: Vocabulary, end: int) -> int | None:
    for name in ("<unk>", "[UNK]"):
        number = vocabulary.pipeline.token_to_id(name)
        if number is not None and number != end:
            return int(number)
    return None


def _named(name: str, *settings: Any) -> int | None:
    return _first(*(getattr(own, name, None) for own in settings))


def _first(*numbers: Any) -> int | None:
    for number in numbers:
        if isinstance(number, list | tuple) and number:
            number = number[0]
        if isinstance(number, int):
            return number
    return None


def _three_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels ``[Y, X]`` or ``[Y, X, C]`` as a file of such is read. Raises DataError."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise DataError(
            f"picture must be [height, width] or [height, width, 1, 3 or 4]; got {[*pixels.shape]}"
        )
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


class PixelReader:
    """Pictures as the checkpoint's own image processor makes them: frames ``[W, 3 · H]``."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
    frames_a_second: float | None = None

    def __init__(self, folder: Path) -> None:
        """Raise ModelError where the folder does not say how pictures are read."""
        self._processor = image_processor(folder)
        with said_by_library(f"{folder}: pictures must be made as preprocessor_config.json says"):
            channels, self.height, _ = self._shape
        if channels != 3:
            raise ModelError(f"{folder}: pictures must have 3 channels; got {channels}")
        self.features = 3 * self.height

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        pixels = self._pixels(np.zeros((8, 8, 3), dtype=np.uint8))
        return pixels.shape[0], pixels.shape[1], pixels.shape[2]

    def _pixels(self, picture: Any) -> Any:
        return self._processor(images=picture, return_tensors="np")["pixel_values"][0]

    def length(self, source: str) -> int:
        """Columns of the picture."""
        return self._shape[2]

    def read(self, source: FrameSource) -> Frames:
        """Float32 ``[W, 3 · H]``. Raises DataError naming the file."""
        from PIL import Image, UnidentifiedImageError

        given: Any = source
        if isinstance(source, str | Path):
            try:
                with Image.open(source) as picture:
                    given = picture.convert("RGB")
            except (OSError, UnidentifiedImageError):
                raise DataError("file must be a readable picture", file=source) from None
        elif isinstance(given, Image.Image):
            given = given.convert("RGB")  # as the library's own pipelines do
        elif hasattr(source, "__array__"):
            given = _three_channels(np.asarray(source))
        else:
            raise DataError(f"picture must be a path or pixels; got a {type(source).__name__}")
        frames: Frames = np.ascontiguousarray(
            self._pixels(given).transpose(2, 0, 1).reshape(self._shape[2], -1), dtype=np.float32
        )
        return frames

    def segments(self, source: FrameSource, *, sound: bool = False) -> list[Segment]:
        """The whole picture."""
        return [Segment(self.read(source))]

    def seen(self, source: FrameSource) -> None:
        """None: its own processor tells no pixels."""

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """As it is."""
        return self.read(source)

    def located(self, source: str, folder: Path) -> str:
        """The path taken from ``folder``."""
        return str(folder / source)
