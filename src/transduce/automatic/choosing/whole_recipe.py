"""From what is in the pairs, the minutes and the machine to a recipe, each line with its reason."""

from __future__ import annotations

from transduce.automatic.choosing.frames_chosen import FrameFacts, choose_frames
from transduce.automatic.choosing.machine_speed import Machine
from transduce.automatic.choosing.recipe_lines import RecipeLine
from transduce.automatic.choosing.sizes import Work, choose_size
from transduce.automatic.choosing.tokens_chosen import Tokens, choose_tokens
from transduce.automatic.looking.facts import Facts

__all__ = ["choose"]

_MANY_STEPS = 4000  # from which a Transformer has overtaken an LSTM on sentences
_FEW_DEV = 100  # sources: fewer right or wrong answers do not tell models apart
_LONG = 40  # characters of a target that is seldom right to the last one


def choose(
    facts: Facts,
    minutes: float,
    machine: Machine,
    *,
    dev_sources: int,
    frames: FrameFacts | None = None,
) -> list[RecipeLine]:
    """The sections tokenizer, model, training, search and evaluation.

    The same facts, minutes and machine give the same recipe.
    """
    tokens = choose_tokens(facts)
    if frames is not None:
        model, training = choose_frames(facts, frames, minutes, machine)
        return [
            *tokens.choices,
            *model,
            *training,
            *_limits(facts, tokens, minutes, None),
            *_metric(facts, tokens, dev_sources, 5.0),
            *_search(facts, tokens, frames),
            *_evaluation(facts, tokens),
        ]
    work = _work(facts, tokens, minutes, machine)
    return [
        *tokens.choices,
        *_model(facts, tokens, work, minutes, machine),
        *_training(facts, tokens, work),
        *_limits(facts, tokens, minutes, work),
        *_metric(facts, tokens, dev_sources, work.epochs),
        *_search(facts, tokens, None),
        *_evaluation(facts, tokens),
    ]


# ---------------------------------------------------------------- model


def _work(facts: Facts, tokens: Tokens, minutes: float, machine: Machine) -> Work:
    if tokens.pieces or facts.target.script:
        transformer = choose_size("transformer", tokens.demand, minutes, machine)
        if transformer.steps >= _MANY_STEPS and transformer.size.width >= 192:
            return transformer
    return choose_size("lstm", tokens.demand, minutes, machine)


def _model(
    facts: Facts, tokens: Tokens, work: Work, minutes: float, machine: Machine
) -> list[RecipeLine]:
    size = work.size
    dropout, because = _dropout(facts, work)
    reach = (
        f"about {work.epochs:,.{0 if work.epochs >= 10 else 1}f} epochs in {minutes:g} min "
        f"on {machine}"
    )
    if size.family == "transformer":
        reason = "sentences, and enough time for a Transformer"
        chosen = [
            choice
            for side in ("encoder", "decoder")
            for choice in (
                RecipeLine(f"model.{side}.kind", "transformer", reason),
                RecipeLine(f"model.{side}.layers", size.layers, reach),
                RecipeLine(f"model.{side}.width", size.width, reach),
                RecipeLine(f"model.{side}.feedforward", 4 * size.width, "four times the width"),
                RecipeLine(
                    f"model.{side}.heads",
                    size.width // 48 if size.width % 64 else size.width // 64,
                    "of 48 or 64 each",
                ),
                RecipeLine(f"model.{side}.dropout", dropout, because),
            )
        ]
        tie = "all" if tokens.shared else "target"
        return [*chosen, RecipeLine("model.tie", tie, "one embedding table for input and output")]
    reason = "learns fastest from few steps and short texts"
    chosen = [
        RecipeLine("model.encoder.kind", "lstm", reason),
        RecipeLine("model.encoder.layers", size.layers, reach),
        RecipeLine("model.encoder.width", size.width, reach),
        RecipeLine("model.encoder.dropout", dropout, because),
        RecipeLine("model.decoder.kind", "lstm", reason),
        RecipeLine("model.decoder.layers", 1, "one layer is enough for the decoder"),
        RecipeLine("model.decoder.width", size.width, reach),
        RecipeLine("model.decoder.dropout", dropout, because),
    ]
    if facts.tags:
        chosen.append(
            RecipeLine("model.decoder.attention", "multihead", "attends to tags and letters")
        )
    else:
        chosen.append(
            RecipeLine("model.decoder.attention", "general", "attends to the whole source")
        )
    if tokens.copies:
        reason = f"{100 * facts.shared:.0f} % of a target's letters stand in its source"
        chosen.append(RecipeLine("model.copy", True, reason))
    if tokens.shared:
        chosen.append(RecipeLine("model.tie", "all", "one embedding table for input and output"))
    return chosen


def _dropout(facts: Facts, work: Work) -> tuple[float, str]:
    if facts.source.digits > 0.6 and facts.target.digits > 0.6:
        return 0.05, "digits follow a rule, which dropout would hide"
    if work.epochs < 5:
        return 0.1, "each pair is seen only a few times"
    if work.epochs < 15:
        return 0.2, "each pair is seen several times"
    if facts.pairs < 2000:
        return 0.4, "little data, seen many times"
    return 0.3, "each pair is seen many times"


# ---------------------------------------------------------------- training

_RATES = {64: 6e-3, 96: 5e-3, 128: 4e-3, 192: 4e-3, 256: 3e-3, 384: 2e-3, 512: 1e-3}
_TRANSFORMER_RATES = {128: 3e-3, 192: 2e-3, 256: 1.5e-3, 512: 7e-4}


def _training(facts: Facts, tokens: Tokens, work: Work) -> list[RecipeLine]:
    rates = _TRANSFORMER_RATES if work.size.family == "transformer" else _RATES
    steps = work.steps
    warmup = max(20, min(400 if work.size.family == "transformer" else 200, round(steps / 20)))
    smoothing = 0.1 if tokens.pieces else 0.05
    chosen = [
        RecipeLine(
            "training.batch_tokens", work.batch_tokens, f"about {steps:,.0f} steps in the time"
        ),
        RecipeLine("training.learning_rate", rates[work.size.width], "suits this width"),
        RecipeLine("training.schedule", "cosine", "falls to zero at the end"),
        RecipeLine("training.warmup_steps", warmup, "a twentieth of the steps"),
        RecipeLine("training.label_smoothing", smoothing, "avoids overconfidence"),
        RecipeLine(
            "training.ema_decay",
            round(min(0.999, max(0.98, 1 - 20 / max(1.0, steps))), 4),
            "weights are averaged over a twentieth of the steps",
        ),
    ]
    if facts.tags and work.epochs >= 3:
        reason = "tags are a set: their order means nothing"
        chosen.append(RecipeLine("training.tag_orders", 8, reason))
    if work.epochs >= 40:
        chosen.append(RecipeLine("training.weight_decay", 0.1, "little data is soon memorized"))
    return chosen


_ENOUGH_STEPS, _ENOUGH_EPOCHS = 5000, 120


def _limits(facts: Facts, tokens: Tokens, minutes: float, work: Work | None) -> list[RecipeLine]:
    chosen = [RecipeLine("training.max_minutes", minutes, "your limit, including dev scorings")]
    if work is not None:
        steps_an_epoch = max(1.0, work.steps / max(work.epochs, 1e-9))
        epochs = max(_ENOUGH_EPOCHS, round(_ENOUGH_STEPS / steps_an_epoch))
        if work.epochs > epochs:
            reason = "little data is learnt by then"
            chosen.append(RecipeLine("training.max_epochs", epochs, reason))
    return chosen


def _metric(facts: Facts, tokens: Tokens, dev_sources: int, epochs: float) -> list[RecipeLine]:
    target = facts.target
    if dev_sources < _FEW_DEV:
        name, reason = "loss", f"{dev_sources} dev sources are too few to count right answers"
    elif tokens.pieces:
        name, reason = "bleu", "the usual metric for translations"
    elif target.script:
        name, reason = "chrf", "without spaces, pieces of words are compared"
    elif target.is_closed and not facts.labels:
        name, reason = ("per", "few answers will be completely right, so symbols are counted")
        if epochs >= 20:
            name, reason = "exact_match", "an answer is right or wrong"
    elif target.characters >= _LONG or (epochs < 20 and not facts.labels):
        name, reason = "cer", "few answers will be completely right, so letters are counted"
    else:
        name, reason = "exact_match", "an answer is right or wrong"
    return [RecipeLine("training.metric", name, reason)]


# ---------------------------------------------------------------- search, evaluation


def _search(facts: Facts, tokens: Tokens, frames: FrameFacts | None) -> list[RecipeLine]:
    longest = min(1024, round(1.3 * tokens.longest) + 10)
    chosen = [
        RecipeLine("search.beam", 1 if facts.labels else 4, "one symbol needs no search")
        if facts.labels
        else RecipeLine("search.beam", 4, "keeps a few hypotheses"),
        RecipeLine("search.max_length", longest, "a third more than the longest target"),
    ]
    if frames is not None:
        chosen.append(RecipeLine("search.batch_tokens", 40_000, "frames that are read together"))
    return chosen


def _evaluation(facts: Facts, tokens: Tokens) -> list[RecipeLine]:
    if tokens.pieces or not facts.target.script:
        return []
    tokenizer = "zh" if facts.target.script == "han" else "char"
    metrics = ["loss", "token_accuracy", "exact_match", "bleu", "chrf", "cer"]
    reason = "sentences without spaces"
    return [
        RecipeLine("evaluation.metrics", metrics, reason),
        RecipeLine("evaluation.bleu_tokenizer", tokenizer, reason),
    ]
