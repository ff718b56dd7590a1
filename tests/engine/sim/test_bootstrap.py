"""The interval on a difference: honest about noise, the same every time."""

from functools import cache

import numpy as np
import pytest

from engine.sim import bootstrap
from engine.sim.bootstrap import DAYS_MIN, difference


def noise(seed: int, n: int = 365, mean: float = 0.0) -> np.ndarray:
    """Daily returns of 2 % volatility with a little memory."""
    steps = np.random.default_rng(seed).normal(mean, 0.02, n)
    return steps + 0.2 * np.concatenate(([0.0], steps[:-1]))


def test_an_edge_is_seen_and_noise_is_not() -> None:
    """A day's advantage of half a percent is told; of nothing, not."""
    base = noise(1)
    assert difference(base, base + 0.005 + noise(2) * 0.1).verdict == "better"
    assert difference(base, base - 0.005 + noise(2) * 0.1).verdict == "worse"
    assert difference(base, noise(5)).verdict == "cannot be told apart"


def test_noise_is_rarely_called_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 pairs of a quarter without a difference about five are told apart, and not the ten of days drawn one by one."""
    monkeypatch.setattr(bootstrap, "resampled", cache(bootstrap.resampled))  # 90 days are drawn alike each time
    told = sum(difference(noise(s, 90), noise(s + 1000, 90)).verdict != "cannot be told apart" for s in range(100))
    assert told < 10


def test_several_variants_widen_the_interval() -> None:
    """Three looks need a wider interval than one."""
    one, three = difference(noise(1), noise(2)), difference(noise(1), noise(2), 3)
    assert three.low < one.low
    assert three.high > one.high
    assert three.level == pytest.approx(1 - 0.05 / 3)


def test_the_same_every_time() -> None:
    """The seed is fixed."""
    assert difference(noise(1), noise(2)) == difference(noise(1), noise(2))


def test_too_few_days_and_no_difference() -> None:
    """No interval under thirty days; equal runs are the same."""
    short = difference(noise(1, DAYS_MIN - 1), noise(2, DAYS_MIN - 1))
    assert short.low is None
    assert short.verdict == "not comparable"
    assert short.why == "both traded on 29 whole days only, and an interval needs 30"
    assert difference(noise(1), noise(1)).verdict == "the same"
    assert difference([], []).mean is None


@pytest.mark.parametrize(("shift", "verdict"), [(0.01, "better"), (-0.01, "worse")])
def test_days_that_speak_for_a_verdict_cannot_prove_it(shift: float, verdict: str) -> None:
    """They end where one run was stopped by its losses: that the other is better does not count, that it is worse does."""
    base = [0.001 * (k % 7 - 3) for k in range(90)]
    found = difference(base, [x + shift + 0.0001 * (k % 3) for k, x in enumerate(base)])
    assert found.verdict == verdict
    assert found._replace(favoured=verdict).verdict == "cannot be told apart"
    assert found._replace(favoured={"better": "worse", "worse": "better"}[verdict]).verdict == verdict
