"""Trailing correlations: what numpy-free arithmetic says, nothing of the day itself, and unknown where it cannot be known."""

from math import sqrt

import numpy as np
import pytest

from engine.clock import DAY_MS, HOUR_MS
from engine.data.align import Market
from engine.data.correlation import daily_correlations, day_of, upper

T0 = 20_000 * DAY_MS
NAMES = ("a", "b", "c")


def market(closes: np.ndarray, step: int = HOUR_MS) -> Market:
    """Bars of three instruments with these closes, the first one closing a step after midnight."""
    none = np.zeros_like(closes)
    close_ms = T0 + step * np.arange(1, len(closes) + 1, dtype=np.int64)
    return Market(NAMES, step, close_ms, closes, closes, closes, closes, none, none, none, ())


def walk(days: int, per_day: int = 24, seed: int = 1) -> np.ndarray:
    """b moves with a and a bit by itself, c by itself."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.01, (days * per_day, 3))
    steps[:, 1] = 0.8 * steps[:, 0] + 0.3 * steps[:, 1]
    return 100.0 * np.exp(np.cumsum(steps, axis=0))


def pearson(x: list[float], y: list[float]) -> float:
    """By the textbook, in plain sums."""
    mx, my = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return above / sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def at(made: Market, day: int, names: tuple[str, ...] = NAMES) -> np.ndarray:
    """The matrix of one day, counted from the first."""
    close = T0 + day * DAY_MS + HOUR_MS
    return daily_correlations(made, names, close, close)[0]


def test_it_is_the_correlation_of_the_hours_of_the_thirty_days_before() -> None:
    """By textbook sums over exactly those returns; a unit diagonal, the same both ways."""
    closes = walk(45)
    found = at(market(closes), 40)
    returns = closes[1:] / closes[:-1] - 1.0  # return k ends at the close of bar k + 1
    window = returns[10 * 24 - 1 : 40 * 24 - 1]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert found[i, j] == found[j, i] == round(pearson(window[:, i].tolist(), window[:, j].tolist()), 4)
    assert np.diag(found).tolist() == [1.0] * 3
    assert found[0, 1] > 0.9
    assert abs(found[0, 2]) < 0.3


def test_nothing_of_the_day_itself_or_later_counts() -> None:
    """Other closes after the day has begun change nothing; one close before it does."""
    closes = walk(45)
    later, sooner = closes.copy(), closes.copy()
    later[40 * 24 :] *= 7.0
    sooner[40 * 24 - 1, 0] *= 1.5
    assert at(market(later), 40).tolist() == at(market(closes), 40).tolist()
    assert at(market(sooner), 40).tolist() != at(market(closes), 40).tolist()


def test_the_days_of_a_run_are_those_of_each_day() -> None:
    """One call for many days, one for each: the same bits; a bar that closes at midnight is of the day that ends."""
    made = market(walk(45))
    many = daily_correlations(made, NAMES, T0 + 35 * DAY_MS, T0 + 38 * DAY_MS)
    assert len(many) == 4
    assert [m.tolist() for m in many] == [at(made, day).tolist() for day in (34, 35, 36, 37)]
    assert day_of(T0 + 35 * DAY_MS) + 1 == day_of(T0 + 35 * DAY_MS + 1)


def test_quarter_hours_count_by_the_hour() -> None:
    """Bars of fifteen minutes give what their hourly closes give."""
    closes = walk(45, per_day=96)
    assert at(market(closes, HOUR_MS // 4), 40).tolist() == at(market(closes[3::4]), 40).tolist()


@pytest.mark.parametrize(("days", "known"), [(7, False), (8, True)])
def test_a_quarter_of_the_window_has_to_be_there(days: int, known: bool) -> None:
    """After seven days there are 167 returns, 180 are needed."""
    assert np.isfinite(at(market(walk(45)[: days * 24]), days)[0, 1]) == known


def test_what_cannot_be_known_is_unknown_for_its_pairs_alone() -> None:
    """A price that stood still, a name without bars, hours that one of them lacks."""
    closes = walk(45)
    closes[:, 2] = 100.0
    found = at(market(closes), 40, ("a", "b", "c", "nobody"))
    assert np.isfinite(found[0, 1])
    assert np.isnan(found[[0, 1, 0, 1, 2], [2, 2, 3, 3, 3]]).all()
    holed = walk(45)
    holed[100:, 2] = np.nan
    holed[900, 1] = np.nan
    assert np.isnan(at(market(holed), 40)[0, 2])
    patched = walk(45)
    patched[900, 2] = np.nan
    assert at(market(patched), 40)[0, 1] == at(market(walk(45)), 40)[0, 1]
    assert at(market(patched), 40)[0, 2] == pytest.approx(at(market(walk(45)), 40)[0, 2], abs=0.01)
    assert at(market(holed), 40)[0, 1] == pytest.approx(at(market(walk(45)), 40)[0, 1], abs=0.01)


def test_an_event_holds_each_pair_once() -> None:
    """Row by row above the diagonal; null for unknown."""
    square = np.array([[1.0, 0.5, np.nan], [0.5, 1.0, -0.25], [np.nan, -0.25, 1.0]])
    assert upper(square) == [0.5, None, -0.25]
