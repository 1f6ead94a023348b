"""Networks and readers of pictures that transformers builds for us, out of data alone.

None of a checkpoint's files is opened by the library, which would look for code, adapters and
pickles beside them: it gets a config of plain values and our tensors. What a config may not say
(``auto_map``, where kernels and weights come from) is left out, and the class is one of the
library's own for its ``model_type``. So there is nothing left that it could ask on standard input.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.models.blueprint import blueprint
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint, read_json
from transduce.pretrained.checkpoint.stored import StoredWeights
from transduce.pretrained.foreign.published_files import quiet

__all__ = ["build_network", "image_processor", "said_by_library"]

# What only tells the library where else to look, or to run other code than its own.
_LEFT_OUT = frozenset(
    {
        *("auto_map", "custom_pipelines", "custom_generate", "_name_or_path", "name_or_path"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
        *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
        *("kernel_config", "use_kernels", "fusion_config", "distributed_config", "device_map"),
        *("transformers_weights", "gguf_file", "adapter_kwargs", "use_pretrained_backbone"),
    }
)
_LARGEST = 1 << 24  # of a number in a config: positions, symbols
_MOST = 1 << 14  # of what there are several of: layers, heads, labels
_COUNTS = re.compile(r"layer|head|label|expert|group|block|stage")
_FREE = re.compile(r"theta|seed")  # numbers that count nothing
_SIDE = 4096  # pixels of a picture that is read
_PREPROCESSOR, _PROCESSOR = "preprocessor_config.json", "processor_config.json"
_BUFFERS = 1 << 28  # bytes that a network may have besides its weights


def build_network(checkpoint: PublishedCheckpoint) -> Any:
    """The network of a checkpoint in evaluation mode, with its weights. Raises ModelError."""
    folder, weights = checkpoint.folder, checkpoint.weights
    try:
        import transformers
    except ImportError:
        raise ModelError(
            f"{folder}: a model of type {checkpoint.family} is run by the package "
            "transformers; install it with: pip install 'transduce[transformers]'"
        ) from None
    if checkpoint.option("quantization_config") is not None:
        raise ModelError(f"{folder}: weights must be plain floats; got a quantization_config")
    must = f"{folder}: transformers must be able to load the model"
    with said_by_library(must), quiet():
        config, kind = _classes(transformers, checkpoint, must)
        with blueprint(len(weights.stored), folder):
            empty = kind(config)
        _require_room(empty, weights.stored, must)
        found, said = kind.from_pretrained(
            None,
            config=config,
            state_dict=_tensors(empty, weights),
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        _require_all(found, said, must)
        if checkpoint.generation:
            found.generation_config = transformers.GenerationConfig.from_dict(
                _cleaned(checkpoint.generation)
            )
    return found.eval()


def image_processor(folder: Path) -> Any:
    """What makes tensors of pictures, as the checkpoint says. Raises ModelError."""
    from transformers import AutoImageProcessor

    must = f"{folder}: {_PREPROCESSOR} must say how pictures are read"
    files = [name for name in (_PREPROCESSOR, _PROCESSOR) if (folder / name).is_file()]
    with tempfile.TemporaryDirectory() as copy, said_by_library(must), quiet():
        for name in (*files, "config.json"):
            values = _cleaned(read_json(folder / name))
            if name != "config.json":
                _require_sides(values, must)
            (Path(copy) / name).write_text(json.dumps(values), encoding="utf-8")
        return AutoImageProcessor.from_pretrained(
            copy, local_files_only=True, trust_remote_code=False
        )


@contextmanager
def said_by_library(must: str) -> Iterator[None]:
    """Make a ModelError of what the library raises, which is of many kinds."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{must}; {reason}") from None


def _classes(transformers: Any, checkpoint: PublishedCheckpoint, must: str) -> tuple[Any, Any]:
    """The config and the class of its network, both the library's own."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    family = checkpoint.family
    if family not in CONFIG_MAPPING:
        raise ModelError(f"{must}; it knows no model_type {family[:60]}")
    values = _cleaned(checkpoint.config)
    _require_numbers(values, must)
    config = CONFIG_MAPPING[family].from_dict(values)
    alone = {
        "encoder-decoder": transformers.EncoderDecoderModel,
        "vision-encoder-decoder": transformers.VisionEncoderDecoderModel,
    }
    if family in alone:
        return config, alone[family]
    several = checkpoint.option("is_encoder_decoder", False) is True
    known = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if several else MODEL_FOR_CAUSAL_LM_MAPPING
    if type(config) not in known:
        raise ModelError(f"{must}; it writes no text with the model_type {family[:60]}")
    return config, known[type(config)]


def _cleaned(value: Any) -> Any:
    """Without what is left out, at any depth."""
    if isinstance(value, Mapping):
        return {k: _cleaned(inner) for k, inner in value.items() if k not in _LEFT_OUT}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def _require_numbers(values: Mapping[str, Any], must: str) -> None:
    """Refuse counts that nobody has, before the library makes lists of them."""
    waiting: list[tuple[str, Any]] = list(values.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif type(value) is int and not _FREE.search(name):
            most = _MOST if _COUNTS.search(name) else _LARGEST
            if abs(value) > most:
                raise ModelError(f"{must}; {name} must be {most:,} at most, got {value}")


def _require_sides(values: Mapping[str, Any], must: str) -> None:
    """Refuse pictures that are larger than anybody's."""
    waiting: list[Any] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping | list):
            waiting += value.values() if isinstance(value, Mapping) else value
        elif type(value) in (int, float) and abs(value) > _SIDE:
            raise ModelError(f"{must}; numbers must be {_SIDE:,} at most, got {value}")


def _tensors(empty: nn.Module, weights: StoredWeights) -> dict[str, Tensor]:
    """All that is stored: floats for what the network learns, any type for the rest."""
    learnt = {f".{name}" for name, _ in empty.named_parameters(remove_duplicate=False)}
    found = {}
    for name in weights.stored:
        own = f".{name}" in learnt or any(known.endswith(f".{name}") for known in learnt)
        found[name] = weights.take(name) if own else weights.take_stored(name)
    return found


def _require_room(empty: nn.Module, stored: Mapping[str, tuple[int, ...]], must: str) -> None:
    """Refuse a network that would be larger than its weights."""
    held = sum(map(math.prod, stored.values()))
    named = sum(parameter.numel() for parameter in empty.parameters())
    if named > 2 * held + _MOST:
        raise ModelError(
            f"{must}; its config asks for {named:,} numbers, its weights hold {held:,}"
        )
    buffers = sum(buffer.numel() * buffer.itemsize for buffer in empty.buffers())
    if buffers > _BUFFERS + 8 * held:
        raise ModelError(f"{must}; its config asks for {buffers:,} bytes besides the weights")


def _require_all(network: nn.Module, said: Mapping[str, Any], must: str) -> None:
    """Refuse weights that were not there, of another shape, or of layers that are not built."""
    if errors := said.get("error_msgs"):
        raise ModelError(f"{must}; {str(errors[0]).strip().splitlines()[0]}")
    if missing := sorted(said["missing_keys"]):
        raise ModelError(f"{must}; its weights must hold {missing[0]}")
    if mismatched := sorted(said["mismatched_keys"]):
        raise ModelError(f"{must}; its weights must be of the config's shape: {mismatched[0]}")
    built = {_DIGITS.sub("#", name) for name in network.state_dict()}
    for name in sorted(said["unexpected_keys"]):
        kind = _DIGITS.sub("#", name)
        if any(known == kind or known.endswith(f".{kind}") for known in built):
            raise ModelError(f"{must}; its config must have a place for {name}")


_DIGITS = re.compile(r"\d+")
