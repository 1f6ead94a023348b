"""A trained model without the units, heads and layers that it misses least."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from transduce.config import Config, ModelConfig, require_one_input
from transduce.errors import ConfigError, ModelError
from transduce.interfaces import Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights, set_weights
from transduce.reading.pair_files import Example
from transduce.training.objectives.choose import choose_objectives
from transduce.workflow.evaluate import pair_batches, spread
from transduce.workflow.pruning.asked_shares import PRUNED, AskedShare, PrunedPart
from transduce.workflow.pruning.learnt_gates import STEPS, gate_scores
from transduce.workflow.pruning.prunable_units import UnitGroup, with_options
from transduce.workflow.pruning.recurrent_units import hidden_groups, with_identities
from transduce.workflow.pruning.transformer_units import feedforward_groups, head_groups
from transduce.workflow.pruning.unit_choice import best_units, counts_kept, require_some_left
from transduce.workflow.pruning.unit_removal import weights_without
from transduce.workflow.pruning.unit_scores import taylor_scores
from transduce.workflow.pruning.whole_layers import layers_left, with_layers, without_layers
from transduce.workflow.trained import TrainedModel

__all__ = ["prune"]

_MOST_EXAMPLES = 500  # of dev, by which units are scored
_TOKENS = 512  # of a batch: a score is the mean over batches
_ROUNDS = 3  # in which units go by Taylor scores, scored anew in each

# Scores of the units of a model, of which such a share is to be left
_Scores = Callable[[Seq2Seq, Sequence[UnitGroup], float], list[list[Tensor]]]

_NAMES: dict[PrunedPart, str] = {
    "feedforward": "feed-forward blocks",
    "heads": "attention heads of a Transformer",
    "hidden": "hidden units of recurrent layers",
}


def prune(
    trained: TrainedModel,
    asked: Sequence[AskedShare],
    dev: Mapping[str, Sequence[Example]],
    *,
    gates_on: Mapping[str, Sequence[Example]] | None = None,
    steps: int | None = None,
) -> TrainedModel:
    """The model without what ``asked`` names; ``trained`` stays what it is.

    Layers go first, then heads, then units, those that are missed least on ``dev``, examples by
    the part of a mixture ("" where there are none): by Taylor scores or, where there are training
    examples ``gates_on``, by gates that are learnt on these in ``steps``, 300 if nobody says. What
    was measured of the model is forgotten. Raises ConfigError where a part is not there, all of it
    would go or there are no examples, ModelError where the model's weights are no floats of ours.
    """
    require_one_input(trained.config, "pruning")
    _require_own_floats(trained)
    batches = _batches(trained, dev, _MOST_EXAMPLES, "data.dev")
    scores = (
        _by_taylor(batches) if gates_on is None else _by_gates(trained, gates_on, steps or STEPS)
    )
    rounds = _ROUNDS if gates_on is None else 1
    smaller = _on_cpu(trained)
    for each in sorted(asked, key=lambda one: PRUNED.index(one.part)):
        if each.part == "layers":
            smaller = _without_layers(smaller, each, batches)
        else:
            smaller = _without_units(smaller, each, scores, rounds)
    return smaller


def _by_taylor(batches: Sequence[Batch]) -> _Scores:
    return lambda model, groups, _: taylor_scores(model, groups, batches)


def _by_gates(
    trained: TrainedModel, examples: Mapping[str, Sequence[Example]], steps: int
) -> _Scores:
    batches = _batches(trained, examples, None, "data.train")
    random.Random(trained.config.training.seed).shuffle(batches)  # their lengths rise
    recipe = trained.config.training

    def scores(model: Seq2Seq, groups: Sequence[UnitGroup], kept: float) -> list[list[Tensor]]:
        objectives = choose_objectives(recipe, model)
        return gate_scores(model, groups, batches, objectives, kept, steps=steps, seed=recipe.seed)

    return scores


def _require_own_floats(trained: TrainedModel) -> None:
    if not isinstance(trained.model, Seq2Seq):
        raise ModelError("model must be of a family with modules of ours to be pruned")
    if trained.config.weights != "float32":
        raise ModelError(
            "model must have float32 weights to be pruned; "
            f"got {trained.config.weights}: prune the model that it was made of"
        )


def _batches(
    trained: TrainedModel, given: Mapping[str, Sequence[Example]], count: int | None, key: str
) -> list[Batch]:
    """So many of the examples, or all, in small batches."""
    examples = sum(map(len, given.values()))
    if not examples:
        raise ConfigError(f"{key} must hold at least one pair to prune by; got none")
    count = count or examples
    most = {name: max(1, count * len(own) // examples) for name, own in given.items()}
    return [
        batch
        for name, own in given.items()
        for batch in pair_batches(
            trained, spread(own, most[name]), name or None, batch_tokens=_TOKENS
        )
    ]


def _on_cpu(trained: TrainedModel) -> TrainedModel:
    return _made(trained, trained.config.model, named_weights(trained.model))


def _made(trained: TrainedModel, model: ModelConfig, weights: dict[str, Tensor]) -> TrainedModel:
    """A model of this config and these weights that reads and writes as ``trained`` does."""
    config: Config = trained.config.model_copy(update={"model": model})
    made = TrainedModel.fresh(config, trained.source, trained.target_tokenizer)
    own = named_weights(made.model)  # maps that change nothing are gone where none is needed
    set_weights(made.model, {name: weight for name, weight in weights.items() if name in own})
    made.model.eval()
    made.report = {name: value for name, value in trained.report.items() if name != "test"}
    made.report["parameters"] = made.parameters_by_module()
    return made


def _without_layers(
    trained: TrainedModel, asked: AskedShare, batches: Sequence[Batch]
) -> TrainedModel:
    stays = layers_left(trained.model, asked, batches)
    weights = without_layers(named_weights(trained.model), stays)
    return _made(trained, with_layers(trained.config.model, stays), weights)


def _without_units(
    trained: TrainedModel, asked: AskedShare, scores: _Scores, rounds: int
) -> TrainedModel:
    if asked.part == "hidden":
        _require_like_embeddings(trained.config.model)
    groups = _groups(_readable(trained, asked), asked)
    require_some_left(asked, groups)
    total = sum(group.count for group in groups)
    final = total - asked.of(total)
    for number in range(1, rounds + 1):
        left = max(final, round(total * (final / total) ** (number / rounds)))
        model = _readable(trained, asked)
        groups = _groups(model, asked)
        found = scores(model, groups, left / sum(group.count for group in groups))
        kept = counts_kept(left, groups, found)
        stays = [best_units(*each) for each in zip(groups, found, kept, strict=True)]
        weights = weights_without(named_weights(model), groups, stays)
        trained = _made(trained, with_options(trained.config.model, groups, kept), weights)
    return trained


def _readable(trained: TrainedModel, asked: AskedShare) -> Seq2Seq:
    """The model, in which every use of a unit is a product with weights."""
    if asked.part != "hidden":
        return trained.model
    model = copy.deepcopy(trained.model)
    with_identities(model)
    return model


def _require_like_embeddings(config: ModelConfig) -> None:
    """Raise ConfigError where embeddings, which stay, would be of two widths."""
    if config.embedding_width is None and config.encoder.width != config.decoder.width:
        raise ConfigError(
            "--prune hidden must be of a model whose embeddings are of one width "
            "(model.embedding_width, or encoder and decoder as wide); got "
            f"{config.encoder.width} and {config.decoder.width}"
        )


def _groups(model: Seq2Seq, asked: AskedShare) -> list[UnitGroup]:
    """Raises ConfigError where there are none in a stack that is named."""
    found: list[UnitGroup] = []
    match asked.part:
        case "hidden":
            found = hidden_groups(model, asked.sides)
        case "heads":
            found = [group for side in asked.sides for group in head_groups(model, side)]
        case "feedforward":
            found = [group for side in asked.sides for group in feedforward_groups(model, side)]
        case "layers":
            raise ValueError("layers have no units")
    if not found:
        whose = f"the {asked.sides[0]}" if len(asked.sides) == 1 else "the model"
        named = _NAMES[asked.part]
        raise ConfigError(
            f"--prune {asked.option} must be of a part that is there; {whose} has no {named}"
        )
    return found
