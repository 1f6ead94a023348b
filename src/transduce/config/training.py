"""The training section of the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from transduce.config.base import (
    Bounds,
    Count,
    FilePath,
    Name,
    PositiveInt,
    Probability,
    Ratio,
    Section,
    Seed,
    TokenBudget,
    Width,
)

__all__ = ["TrainedNumber", "TrainingConfig"]

TrainedNumber = Literal["float32", "int8", "int4"]


class TrainingConfig(Section):
    """The training loop. The first limit reached ends it; at least one must be set."""

    seed: Seed = 1
    max_minutes: Annotated[float, Bounds(gt=0, le=1_000_000)] | None = None
    max_steps: PositiveInt | None = None
    max_epochs: PositiveInt | None = None
    batch_tokens: TokenBudget = 4096  # target tokens of a step, padding included
    accumulate: Annotated[int, Bounds(ge=1, le=100_000)] = 1  # batches to one step
    learning_rate: Annotated[float, Bounds(gt=0, le=100)] = 1e-3
    # muon: matrices by Jordan et al. 2024, all else by AdamW
    optimizer: Literal["adamw", "muon"] = "adamw"
    # of matrices with muon; none: three times learning_rate
    matrix_learning_rate: Annotated[float, Bounds(gt=0, le=100)] | None = None
    schedule: Literal["constant", "linear", "cosine", "inverse-square-root"] = "cosine"
    warmup_steps: Annotated[int, Bounds(ge=0, le=1_000_000_000)] = 200
    weight_decay: Annotated[float, Bounds(ge=0, le=100)] = 0.0
    betas: tuple[Probability, Probability] = Field(
        default=(0.9, 0.98), description="two numbers of at least 0 and less than 1"
    )
    clip_norm: Annotated[float, Bounds(gt=0, le=1e6)] | None = 1.0
    dropout: Probability | None = None  # of encoder and decoder; none: what model says of each
    label_smoothing: Probability = 0.1
    ctc_weight: Probability = 0.3  # model.ctc: share of the loss that it is, beside the decoder's
    # Trained models that it learns from (Hinton et al. 2015); several are an ensemble
    teacher: Annotated[tuple[FilePath, ...], Field(max_length=100)] = ()
    teacher_weight: Annotated[float, Bounds(gt=0, le=1)] = 0.5  # the rest is the references'
    teacher_temperature: Annotated[float, Bounds(gt=0, le=100)] = 1.0  # of both distributions
    teacher_outputs: Count = 16  # tokens kept of each distribution of the teacher, the likeliest
    teacher_folder: FilePath | None = None  # where these are kept for all students; none: the run's
    # Two passes with unlike dropout shall agree: R-Drop's α (Liang et al. 2021)
    r_drop_weight: Ratio = 0.0
    simcut_weight: Ratio = 0.0  # as a pass with tokens cut from both sides (Gao et al. 2022)
    simcut_share: Annotated[float, Bounds(gt=0, lt=1)] = 0.05  # of tokens that are cut
    adversarial_weight: Ratio = 0.0  # of the loss at changed embeddings (Miyato et al. 2017)
    virtual_adversarial_weight: Ratio = 0.0  # of what predictions change by there
    adversarial_size: Annotated[float, Bounds(gt=0, le=1000)] = 1.0  # ε, norm of both changes
    # of the loss at sources some of whose tokens are others (Cheng et al. 2019)
    adversarial_symbols_weight: Ratio = 0.0
    adversarial_symbols_share: Annotated[float, Bounds(gt=0, le=1)] = 0.25  # of tokens replaced
    mixup_weight: Ratio = 0.0  # of the loss between two pairs (Zhang et al. 2018)
    mixup_alpha: Annotated[float, Bounds(gt=0, le=1000)] = 0.2  # α, how far between them
    risk_weight: Ratio = 0.0  # of the metric's expected cost over samples (Shen et al. 2016)
    # Over shares of a sample with its reference, or as in reinforcement learning (Williams 1992)
    risk_method: Literal["minimum-risk", "reinforcement"] = "minimum-risk"
    risk_metric: Name | None = None  # none: metric
    risk_samples: Count = 8  # drawn of each sentence, beside its reference
    risk_sharpness: Annotated[float, Bounds(gt=0, le=100)] = 0.005  # α, power of probabilities
    # Parts that do not learn: encoder, decoder.layers.0, …
    freeze: Annotated[tuple[Name, ...], Field(max_length=10_000)] = ()
    lora_rank: Width | None = None  # only changes of this rank are learnt (Hu et al. 2021)
    lora_alpha: Annotated[float, Bounds(gt=0, le=1e6)] = 16.0  # they are multiplied by alpha / rank
    scheduled_sampling: Probability = 0.0  # share of decoder inputs taken from the model itself
    word_dropout: Probability = 0.0  # share of decoder inputs hidden (Bowman et al. 2016)
    source_word_dropout: Probability = 0.0  # share of source tokens hidden (Iyyer et al. 2015)
    # Others in the place of n source tokens, p(n) ∝ exp(-n / it) (Wang et al. 2018)
    switchout_temperature: Annotated[float, Bounds(gt=0, le=100)] | None = None
    # Texts in other pieces each epoch: share of bpe's merges that are left out (Provilkov et al.
    # 2020), power of unigram's probabilities (Kudo 2018); SentencePiece's alpha
    source_subword_sampling: Probability = 0.0
    target_subword_sampling: Probability = 0.0
    # Spans of sources hidden: infilling writes the whole target (Lewis et al. 2020), spans what was
    # hidden (Raffel et al. 2020)
    denoising: Literal["infilling", "spans", "frames"] | None = None
    denoising_share: Annotated[float, Bounds(gt=0, lt=1)] = 0.3  # of tokens or frames, hidden
    denoising_span: Annotated[float, Bounds(ge=1, le=1000)] = 3.0  # tokens of a span, in the mean
    tag_orders: Count = 1  # orders in which a source's tags are read, an epoch each
    average: Literal["none", "ema", "last"] = "ema"
    ema_decay: Probability = 0.999
    average_last: Count = 5  # average: last, over this many dev scorings
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: TrainedNumber = "float32"  # others: steps see them rounded so (Jacob et al. 2018)
    device: Name = "auto"
    threads: Count | None = None
    evaluate_every: PositiveInt | None = None  # steps; none: chosen from the limits
    metric: Name = "loss"  # what the best model is chosen by, on dev
    patience: PositiveInt | None = None  # dev scorings without a new best before it stops
    dev_sentences: PositiveInt = 1000  # at most so many are decoded at each dev scoring
    checkpoint_every: PositiveInt | None = None  # steps; none: at each dev scoring
    tensorboard: bool = False
