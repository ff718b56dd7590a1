"""Worse than the other side, since when, and how many round trips it takes: planted series, and what honest doubt looks like."""

import random

import pytest

from engine.parity.worse import TRIPS_MIN, worse

HOUR = 3_600_000


def series(*parts: tuple[int, float, float], seed: int = 1) -> list[tuple[int, float]]:
    """(entry, dollars) of trips an hour apart: parts of (how many, mean, spread)."""
    dice = random.Random(seed)
    values = [dice.gauss(mean, spread) for count, mean, spread in parts for _ in range(count)]
    return [(n * HOUR, value) for n, value in enumerate(values)]


def test_a_constant_cost_is_worse() -> None:
    """A dollar a trip in little noise: the interval holds it, and no change is made up."""
    found = worse(series((60, -1.0, 0.5)))
    assert found.verdict == "worse"
    assert found.low is not None
    assert found.high is not None
    assert found.low < -1.0 < found.high < 0.0
    assert found.since_ms is None


@pytest.mark.parametrize("seed", range(5))
def test_a_change_is_found_with_its_interval(seed: int) -> None:
    """Nothing for forty trips, then two dollars less: the interval holds the 41st."""
    found = worse(series((40, 0.0, 0.5), (30, -2.0, 0.5), seed=seed))
    assert found.since_ms is not None
    assert found.since_low_ms is not None
    assert found.since_high_ms is not None
    assert found.since_low_ms <= 40 * HOUR <= found.since_high_ms
    assert found.since_high_ms - found.since_low_ms <= 8 * HOUR
    assert found.before == pytest.approx(0.0, abs=0.4)
    assert found.after == pytest.approx(-2.0, abs=0.4)


def test_noise_alone_rarely_changes() -> None:
    """Of twenty series without a change, at most three are given one (5 % each)."""
    assert sum(worse(series((50, 0.0, 1.0), seed=100 + n)).since_ms is not None for n in range(20)) <= 3


def test_few_trips_cannot_be_told_and_say_how_many_it_takes() -> None:
    """A tenth of a spread takes about 785 trips; the same answer twice."""
    few = worse(series((TRIPS_MIN - 1, -1.0, 1.0)))
    assert (few.verdict, few.low, "an interval needs" in few.why) == ("not known yet", None, True)
    alternating = [(n * HOUR, -0.1 + (1.0 if n % 2 else -1.0)) for n in range(100)]
    found = worse(alternating)
    assert found.verdict == "not known yet"
    assert found.needed == pytest.approx(785, rel=0.03)
    assert worse(alternating) == found


def test_equal_sides_are_the_same() -> None:
    """Not a cent in any trip; and of no trip nothing is said."""
    assert worse([(n, 0.001) for n in range(30)]).verdict == "the same"
    assert worse([]).verdict == "not known yet"
