"""Whether methods that tell the truth are told from those that do not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from explained_models import TARGET, subject_of
from numpy.testing import assert_allclose

from command_line import call
from transduce.errors import ConfigError
from transduce.explain.gradients.saliency import Saliency
from transduce.explain.known_methods import METHODS, chosen_method
from transduce.explain.measuring.faithfulness import FRACTIONS, measure_weights
from transduce.explain.measuring.measurement import RANDOM, compare_methods
from transduce.explain.perturbations.occlusion import Occlusion
from transduce.interfaces import UNKNOWN
from transduce.workflow.trained import TrainedModel


def test_what_is_taken_away_is_the_weightiest():
    """Against the source rewritten by hand, the end never among it."""
    subject = subject_of("gru-general", length=7)
    chance = torch.Generator().manual_seed(2)
    weights = torch.rand(len(TARGET), 8, generator=chance)
    found = measure_weights(subject, weights, fixed=1)
    whole = subject.scores()[0].exp().numpy()
    without, alone = np.zeros(5), np.zeros(5)
    for token in range(len(TARGET)):
        order = weights[token, :7].argsort(descending=True).tolist()
        for place, fraction in enumerate(FRACTIONS):
            first = order[: max(1, round(7 * fraction))]
            for lost, gone in ((without, first), (alone, [n for n in range(7) if n not in first])):
                values = subject.source.values.clone()
                values[0, gone] = UNKNOWN
                left = subject.scores(values)[0, token].exp()
                lost[place] += (whole[token] - left) / len(TARGET)
    assert_allclose(found.comprehensiveness["mask"], without, atol=1e-6)
    assert_allclose(found.sufficiency["mask"], alone, atol=1e-6)
    numbers = found.numbers()
    assert numbers["comprehensiveness, mask"] == pytest.approx(without.mean(), abs=1e-6)
    resampled = found.comprehensiveness["resample"] - found.sufficiency["resample"]
    both = (without.mean() - alone.mean() + float(resampled.mean())) / 2
    assert numbers["faithfulness"] == pytest.approx(both, abs=1e-6)


def test_true_weights_beat_a_random_order_and_false_ones_do_not():
    found = {RANDOM: [], "true": [], "false": []}
    for seed in range(12):
        subject = subject_of("gru-general", length=4 + seed % 4)
        true = Occlusion().weigh(subject).source
        drawn = torch.rand(true.shape, generator=torch.Generator().manual_seed(seed))
        for name, weights in (("true", true), ("false", -true), (RANDOM, drawn)):
            found[name].append(measure_weights(subject, weights, fixed=1, seed=seed))
    measured = compare_methods(found, {"true": 0.5}, {"true": {"completeness_gap": 0.004}}, {})
    assert [row.method for row in measured.rows] == ["true", RANDOM, "false"]
    against = measured.rows[0].scores["faithfulness"].against_first
    assert against.difference > 0
    assert against.p_value < 0.05
    table = measured.table()
    assert "12 sources" in table
    assert "0.40 %" in table
    json.dumps(measured.to_dict(), allow_nan=False)


def test_at_the_terminal(run, tmp_path, monkeypatch, capsys):
    place = tmp_path / "m.json"
    status = call(
        monkeypatch, "explain", run.folder, run.test, "--measure", "--count", 4,
        "--method", "saliency", "-o", place,
    )  # fmt: skip
    assert status == 0
    shown = capsys.readouterr().out
    assert "4 sources" in shown
    written = json.loads(place.read_text())
    assert {row["method"] for row in written["methods"]} == {"saliency", RANDOM}
    assert call(
        monkeypatch, "explain", run.folder, "--measure", "--count", 3, "--method", "occlusion",
        "-o", tmp_path / "m.png",
    ) == 0  # fmt: skip
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["x.tsv", "-o", "m.html"], "--output must end in .json, .png where --measure is"),
        (["x.tsv", "--target", "a"], "--measure must be asked without --all, --target"),
    ],
)
def test_what_cannot_be_measured_is_refused(run, monkeypatch, capsys, options, message):
    assert call(monkeypatch, "explain", run.folder, *options, "--measure") == 2
    assert message in capsys.readouterr().err


def test_the_default_method_is_what_measured_best(run):
    trained = TrainedModel.load(run.folder)
    assert chosen_method(None, trained) == METHODS["lime"]
    assert chosen_method("saliency", trained) == Saliency()
    with pytest.raises(ConfigError):
        chosen_method("guess", trained)
