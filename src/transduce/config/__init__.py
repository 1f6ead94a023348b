"""Every option of the whole system: one schema, YAML in and out.

:class:`Config` is a whole recipe; its sections have files of their own. Unknown keys are refused
and the nearest known one is suggested. What only the data can tell (vocabulary sizes) is no
option; the builder of the model receives it.
"""

from transduce.config.data import (
    Columns,
    DataConfig,
    Files,
    ParallelFiles,
    PartConfig,
    TagColumn,
    TokenizerConfig,
    TokenizersConfig,
)
from transduce.config.model import (
    DecoderConfig,
    EncoderConfig,
    LinearRecurrentOptions,
    MambaEncoderConfig,
    MinGRUEncoderConfig,
    ModelConfig,
    RecurrentDecoderConfig,
    RecurrentEncoderConfig,
    SSRUDecoderConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
    TransformerOptions,
)
from transduce.config.recipe import (
    Config,
    EngineChoice,
    EvaluationConfig,
    WeightNumber,
    load_config,
    require_agreement,
    require_one_input,
)
from transduce.config.search import NeighboursConfig, SearchConfig
from transduce.config.training import TrainingConfig
from transduce.config.yaml import parse_override

__all__ = [
    "Columns",
    "Config",
    "DataConfig",
    "DecoderConfig",
    "EncoderConfig",
    "EngineChoice",
    "EvaluationConfig",
    "Files",
    "LinearRecurrentOptions",
    "MambaEncoderConfig",
    "MinGRUEncoderConfig",
    "ModelConfig",
    "NeighboursConfig",
    "ParallelFiles",
    "PartConfig",
    "RecurrentDecoderConfig",
    "RecurrentEncoderConfig",
    "SSRUDecoderConfig",
    "SearchConfig",
    "TagColumn",
    "TokenizerConfig",
    "TokenizersConfig",
    "TrainingConfig",
    "TransformerDecoderConfig",
    "TransformerEncoderConfig",
    "TransformerOptions",
    "WeightNumber",
    "load_config",
    "parse_override",
    "require_agreement",
    "require_one_input",
]
