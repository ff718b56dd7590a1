"""Round trips and equity taken apart: every part sums to the whole, months and drawdowns against a loop."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from engine.sim import breakdown

HOUR = 3_600_000
START = 1_738_360_800_000  # 2025-01-31 22:00Z


@pytest.fixture(scope="module")
def trips():
    """Some hundred trips over two months, the last one open."""
    n, chance = 200, np.random.default_rng(5)
    entry = START + np.cumsum(chance.integers(1, 9, n)) * HOUR
    return pl.DataFrame(
        {
            "sleeve": chance.choice(["a", "b"], n),
            "instrument": chance.choice(["x:BTC-USDT:perp", "x:ETH-USDT:perp"], n),
            "side": chance.choice(["long", "short"], n),
            "reason": [*chance.choice(["stop", "target", "trail"], n - 1), "open"],
            "entry_ms": entry,
            "exit_ms": pl.Series([*(entry[:-1] + HOUR), None], dtype=pl.Int64),
            "net": chance.normal(0, 10, n),
            "fees": chance.random(n),
            "funding": chance.normal(0, 1, n),
            "slippage": chance.random(n),
            "r": pl.Series([*chance.normal(0, 1, n - 1), None], dtype=pl.Float64),
        }
    )


@pytest.mark.parametrize("by", ["exit", "side", "hour", "weekday", "month", "symbol", "sleeve"])
def test_every_part_sums_to_the_whole(trips, by):
    """No trip is lost or counted twice, and money is kept to the cent."""
    found = breakdown.split(trips, by)
    assert found["trips"].sum() == len(trips)
    assert found["wins"].sum() == (trips["net"] > 0).sum()
    for name in breakdown.SUMS:
        assert found[name].sum() == pytest.approx(trips[name].sum())
    assert found["key"].to_list() == sorted(found["key"].to_list())


def test_hours_weekdays_and_months_are_those_of_the_entry(trips):
    """In UTC, Monday is 1."""
    when = [datetime.fromtimestamp(ms / 1000, UTC) for ms in trips["entry_ms"]]
    for by, key in (
        ("hour", lambda d: f"{d.hour:02d}"),
        ("weekday", lambda d: str(d.isoweekday())),
        ("month", lambda d: f"{d:%Y-%m}"),
    ):
        expected = {}
        for d in when:
            expected[key(d)] = expected.get(key(d), 0) + 1
        assert dict(breakdown.split(trips, by).select("key", "trips").iter_rows()) == expected


def test_months_multiply_to_the_whole_and_midnight_ends_the_day_before():
    """A close at 2025-02-01 00:00Z is the last of January."""
    close_ms = START + HOUR * np.arange(800)
    equity = 100.0 * np.cumprod(1 + np.random.default_rng(2).normal(0, 0.01, 800))
    found = breakdown.months(close_ms, equity)
    assert [(y, m) for y, m, _ in found] == [(2025, 1), (2025, 2), (2025, 3)]
    assert np.prod([1 + r for *_, r in found]) == pytest.approx(equity[-1] / equity[0])
    assert found[0][2] == pytest.approx(equity[2] / equity[0] - 1)


def test_the_deepest_drawdowns_against_a_loop():
    """Peak, lowest point, the moment it is back, and the depth of each; one that is not over has no such moment."""
    equity = np.array([100, 110, 99, 105, 110, 120, 60, 90, 130, 117.0])
    close_ms = START + HOUR * np.arange(10)
    found = breakdown.drawdowns(close_ms, equity, 5)
    hours = [[None if ms is None else (ms - START) // HOUR for ms in d[:3]] for d in found]
    assert hours == [[5, 6, 8], [1, 2, 4], [8, 9, None]]
    assert [d.depth_frac for d in found] == pytest.approx([0.5, 0.1, 0.1])
    assert [d.depth for d in found] == pytest.approx([60, 11, 13])
    assert breakdown.drawdowns(close_ms, np.linspace(1, 2, 10), 5) == []
    assert len(breakdown.drawdowns(close_ms, equity, 1)) == 1
