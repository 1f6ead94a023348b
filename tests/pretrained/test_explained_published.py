"""Published models explained, and the same weights as inseq's where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import FAMILIES
from library_models import write_bert_to_gpt2
from numpy.testing import assert_allclose
from whisper_models import save_model, save_tokenizer

from transduce.errors import DataError, ModelError
from transduce.explain.explaining import explain
from transduce.explain.gradients.integrated_gradients import IntegratedGradients
from transduce.explain.perturbations.kernel_shap import KernelShap
from transduce.pretrained.published_model import read_pretrained


def opened(name: str, folder):
    return FAMILIES[name](folder).ours


@pytest.mark.parametrize("name", ["t5", "bart", "marian", "nllb"])
def test_families(name, tmp_path):
    trained = opened(name, tmp_path)
    gradient = IntegratedGradients(pieces=2)
    for method in ("saliency", "attention", "attention-rollout", "occlusion", gradient):
        found = explain(trained, "the cat", "a dog", method=method)
        assert found.weights.shape == (len(found.rows), len(found.source))
        assert np.isfinite(found.weights).all()
        assert found.weights.any()
    assert found.figures["completeness_gap"] < 0.01
    if name == "nllb":  # the language is written first, and was not chosen
        assert len(found.rows) == len(found.target) - 1


def test_whisper(tmp_path):
    save_model(tmp_path)
    save_tokenizer(tmp_path)
    trained = read_pretrained(tmp_path)
    sound = np.random.default_rng(1).standard_normal(16000).astype(np.float32) * 0.1
    found = explain(trained, sound, "ab", method="attention", cells=(6, 2))
    assert found.kind == "audio"
    assert found.rows == ("Ġ", "a", "b", "end")
    assert found.weights.shape == (4, 12)
    assert found.canvas.column_edges[-1] == pytest.approx(trained.config.data.input.pad_to)
    saliency = explain(trained, sound, "a", method="saliency", cells=(6, 2))
    assert saliency.weights.any()


def test_a_model_that_another_library_runs(tmp_path):
    write_bert_to_gpt2(tmp_path)
    trained = read_pretrained(tmp_path)
    found = explain(trained, "abc", "de")
    assert found.method == "occlusion"
    assert found.weights[:, 1:4].any()
    assert explain(trained, "abc", "de", method=KernelShap(samples=16)).weights.any()
    with pytest.raises(ModelError, match="must be occlusion, lime or kernel-shap for a model that"):
        explain(trained, "abc", "de", method="saliency")


def test_a_target_that_is_too_long_is_refused(tmp_path):
    trained = opened("bart", tmp_path)
    with pytest.raises(DataError, match="target must have at most 63 symbols"):
        explain(trained, "abc", "d" * 70, method="saliency")


# ---------------------------------------------------------------- an oracle

TEXT, ANSWER = "the cat sat on", "a small house"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    inseq = pytest.importorskip("inseq")
    folder = tmp_path_factory.mktemp("t5")
    trained = opened("t5", folder)
    return trained, inseq, folder


def theirs(both, method: str) -> torch.Tensor:
    """Gradients of probabilities, ``[S, T, E]``."""
    _, inseq, folder = both
    model = inseq.load_model(str(folder), method)
    found = model.attribute(TEXT, ANSWER, show_progress=False)
    return found.sequence_attributions[0].source_attributions


def test_saliency_is_inseqs(both):
    found = explain(both[0], TEXT, ANSWER, method="saliency")
    likely = np.exp(found.log_probabilities)[:, None]
    expected = theirs(both, "saliency").norm(dim=-1).T
    assert_allclose(found.weights * likely, expected, rtol=1e-3, atol=1e-5)


def test_input_x_gradient_is_inseqs(both):
    found = explain(both[0], TEXT, ANSWER, method="input-x-gradient")
    likely = np.exp(found.log_probabilities)[:, None]
    expected = theirs(both, "input_x_gradient").sum(-1).T
    assert_allclose(found.weights * likely, expected, rtol=1e-3, atol=1e-5)
