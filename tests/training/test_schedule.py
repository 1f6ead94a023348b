from __future__ import annotations

import pytest
from training_fakes import toy_config

from transduce.config import TrainingConfig
from transduce.errors import ConfigError
from transduce.training.schedule import Limits, learning_rate, sampling_share


def rates(config: TrainingConfig, steps: list[int], total: int = 100) -> list[float]:
    return [learning_rate(config, step, step / total) for step in steps]


def config(schedule: str, warmup: int = 10) -> TrainingConfig:
    return toy_config(schedule=schedule, warmup_steps=warmup, learning_rate=2.0)


def test_constant_after_warmup() -> None:
    assert rates(config("constant"), [0, 4, 9, 10, 99]) == pytest.approx([0.2, 1.0, 2.0, 2.0, 2.0])


def test_linear_reaches_zero() -> None:
    linear = config("linear", warmup=0)
    assert rates(linear, [0, 25, 50, 100]) == pytest.approx([2.0, 1.5, 1.0, 0.0])


def test_cosine_reaches_zero() -> None:
    # cos(π/4) = 0.70710678
    cosine = config("cosine", warmup=0)
    assert rates(cosine, [0, 25, 50, 100]) == pytest.approx([2.0, 1.70710678, 1.0, 0.0])


def test_inverse_square_root_follows_the_paper() -> None:
    # Vaswani et al. 2017, equation 3, scaled to a peak of 2 at step 10
    steps = [1, 5, 10, 40, 90]
    paper = [2.0 * 10**0.5 * min(n**-0.5, n * 10**-1.5) for n in steps]
    assert rates(config("inverse-square-root"), [n - 1 for n in steps], 1000) == pytest.approx(
        paper
    )


def test_warmup_ends_at_half_of_a_run_that_is_too_short_for_it() -> None:
    constant = config("constant", warmup=1000)
    assert rates(constant, [25, 50, 75]) == pytest.approx([1.0, 2.0, 2.0])


def test_scheduled_sampling_grows_until_half_of_the_run() -> None:
    options = toy_config(scheduled_sampling=0.4)
    shares = [sampling_share(options, progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert shares == pytest.approx([0.0, 0.2, 0.4, 0.4])


def test_progress_is_the_largest_used_share() -> None:
    limits = Limits.of(toy_config(max_minutes=10, max_steps=100, max_epochs=4))
    assert limits.progress(20, 0.4, 1.0) == pytest.approx(0.2)
    assert limits.progress(20, 2.0, 1.0) == pytest.approx(0.5)
    assert limits.progress(20, 2.0, 9.0) == pytest.approx(0.9)
    assert limits.progress(20, 2.0, 11.0) == 1.0


def test_time_for_the_last_scoring_is_kept_back() -> None:
    limits = Limits.of(toy_config(max_minutes=10))
    assert limits.progress(0, 0, 4.0, reserve=2.0) == pytest.approx(0.5)
    assert limits.reached(0, 0, 7.9, reserve=2.0) is None
    assert limits.reached(0, 0, 8.0, reserve=2.0) == "max_minutes"
    assert limits.progress(0, 0, 2.5, reserve=99.0) == pytest.approx(0.5)  # at most half


def test_each_limit_ends_the_run() -> None:
    limits = Limits.of(toy_config(max_minutes=10, max_steps=100, max_epochs=4))
    assert limits.reached(99, 3.9, 9.9) is None
    assert limits.reached(100, 3.9, 9.9) == "max_steps"
    assert limits.reached(99, 4.0, 9.9) == "max_epochs"
    assert limits.reached(99, 3.9, 10.0) == "max_minutes"


def test_no_limit_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"max_minutes, training\.max_steps or .* must be set"):
        Limits.of(toy_config())


@pytest.mark.parametrize(
    ("options", "scorings"),
    [
        ({"max_steps": 1000}, 12),
        ({"max_minutes": 2.0}, 12),
        ({"max_epochs": 3}, 12),
        ({"max_epochs": 15}, 15),
        ({"max_epochs": 500}, 12),
        ({"max_epochs": 500, "patience": 3}, 500),
        ({"max_epochs": 500, "patience": 3, "max_minutes": 1.0}, 12),
    ],
)
def test_number_of_scorings_is_chosen_from_the_limits(
    options: dict[str, float], scorings: int
) -> None:
    limits = Limits.of(toy_config(**options))
    assert limits.scorings == scorings
    assert limits.interval(1.0) == scorings
    assert limits.interval(0.999 / scorings) == 0
    assert limits.interval(1 / scorings) == 1
