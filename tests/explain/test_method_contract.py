"""What every method promises for every architecture."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from explained_models import (
    BY_GRADIENTS,
    BY_LOOKING,
    BY_TAKING_AWAY,
    TARGET,
    slowly,
    subject_of,
)
from torch.testing import assert_close

from architectures import ARCHITECTURES, WITH_ATTENTION
from transduce.errors import ConfigError, ModelError
from transduce.explain.asking.question import Question
from transduce.explain.asking.units import cells
from transduce.explain.attentions.attention_weights import AttentionReading
from transduce.explain.method import Method

CLOSE = {"atol": 2e-5, "rtol": 1e-3}


def methods_of(name: str) -> list[Method]:
    """All that an architecture can have."""
    looking = list(BY_LOOKING) if name in WITH_ATTENTION else []
    encoder = ARCHITECTURES[name]["encoder"]["kind"]
    if encoder != "transformer":
        looking = [method for method in looking if method.name != "attention-rollout"]
    return [*BY_GRADIENTS, *BY_TAKING_AWAY, *looking]


# Of all others the methods that draw, or refine, make the same calls as those that do not.
OF_ALL = {"gru-copy-feeding", "transformer", "lstm-none", "patches-gru", "transformer-t5"}
OF_ONE_INPUT = [name for name, model in ARCHITECTURES.items() if "beside" not in model]
DRAWING = {"smoothgrad", "gradient-shap", "kernel-shap", "lime"}


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_weights_have_their_shape_and_are_finite(name):
    subject = subject_of(name)
    count, units, steps = len(TARGET), subject.units.count, len(TARGET)
    for method in methods_of(name):
        if method.name in DRAWING and name not in OF_ALL:
            continue
        found = method.weigh(subject)
        assert found.source.shape == (count, units), method
        assert found.source.dtype == torch.float64
        assert found.source.isfinite().all(), method
        assert found.source.any(), method
        assert found.signed or (found.source >= 0).all(), method
        if found.prefix is not None:
            assert found.prefix.shape == (count, steps), method
            assert found.prefix.isfinite().all(), method
            if method != AttentionReading(shifted=True):  # which reads a step further
                assert not found.prefix.triu(1).any(), method


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_no_row_hangs_on_its_neighbours(name):
    """What all methods are made of: numbers and gradients, in blocks and beside padding."""
    subject = subject_of(name)
    values = torch.cat([subject.source.values, subject.blank])
    scores = subject.scores(values)
    which = torch.arange(len(TARGET))
    vectors, prefix = subject.vectors(values[:1]), subject.prefix_vectors(subject.prefix)
    gradients = subject.gradients(vectors, prefix, which)
    assert_close(gradients[2].double(), scores[0], **CLOSE)
    prefixes = torch.cat([subject.prefix, subject.blank_prefix])
    every = subject.scores(prefix=prefixes)
    two = torch.tensor([0, 2])
    assert_close(subject.scores_of(two, prefix=prefixes), every[[0, 1], two], **CLOSE)
    assert_close(subject.scores_of(two, values), scores[[0, 1], two], **CLOSE)
    alone = slowly(subject)
    assert_close(alone.scores(values), scores, **CLOSE)
    for own, together in zip(alone.gradients(vectors, prefix, which), gradients, strict=True):
        assert_close(own, together, **CLOSE)
    wide = subject.padded(subject.length + 5)
    assert_close(wide.scores(), scores[:1], **CLOSE)
    by_source, by_prefix, _ = wide.gradients(wide.vectors(wide.source.values), prefix, which)
    assert_close(by_source[:, : subject.length], gradients[0], **CLOSE)
    assert_close(by_prefix, gradients[1], **CLOSE)
    assert not by_source[:, subject.length :].any()  # padding is not seen


@pytest.mark.parametrize("name", ["gru-copy-feeding", "patches-transformer"])
def test_methods_are_the_same_in_small_blocks_and_beside_padding(name):
    subject = subject_of(name, length=2)
    wide = subject.padded(subject.length + 5)
    few = dataclasses.replace(subject, room=1 << 12)  # a few rows together
    assert few.rows_together < 8
    for method in methods_of(name):
        found = method.weigh(subject)
        for other in (few, wide):
            again = method.weigh(other)
            assert_close(again.source, found.source, **CLOSE)
            if found.prefix is not None:
                assert_close(again.prefix, found.prefix, **CLOSE)


def test_frames_between_the_strides_are_not_seen():
    """A kernel of one and strides of 2 and 2: three frames of four are never read."""
    subject = subject_of("convolution-lstm-feeding")
    frames, numbers = subject.source.values.shape[1:]
    alone = cells(frames, numbers, frames, 1)  # each frame by itself
    subject = dataclasses.replace(subject, units=alone)
    seen = torch.arange(frames) % 4 == 0
    for method in (*BY_GRADIENTS, BY_TAKING_AWAY[0]):
        weights = method.weigh(subject).source
        assert weights[:, seen].any()
        assert_close(weights[:, ~seen], torch.zeros_like(weights[:, ~seen]), atol=1e-6, rtol=0)


def test_whole_outputs_and_contrasts_are_explained_by_all():
    whole = subject_of("lstm-additive", question=Question.of(TARGET, "output"))
    contrast = subject_of(
        "lstm-additive", question=Question(torch.tensor(TARGET), (1,), "token", 7)
    )
    for subject in (whole, contrast):
        for method in (*BY_GRADIENTS, *BY_TAKING_AWAY, BY_LOOKING[0], BY_LOOKING[3]):
            found = method.weigh(subject)
            assert found.source.shape == (1, 4)
            assert found.source.isfinite().all()


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("lstm-none", BY_LOOKING[0], "must be saliency, .* for a decoder with attention: none"),
        ("rnn-none", BY_LOOKING[3], "must be saliency, .* for a decoder with attention: none"),
        ("gru-general", BY_LOOKING[2], "attention-rollout must be asked of .* a Transformer"),
    ],
)
def test_what_an_architecture_has_not_is_refused(name, method, message):
    with pytest.raises(ModelError, match=message):
        method.weigh(subject_of(name))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (AttentionReading(layer=2), "method.layer must be 0 to 1, or -1 for the last; got 2"),
        (AttentionReading(head=4), "method.head must be 0 to 3, or -1 for the mean; got 4"),
    ],
)
def test_a_layer_that_is_not_there_is_refused(method, message):
    with pytest.raises(ConfigError, match=message):
        method.weigh(subject_of("transformer"))
