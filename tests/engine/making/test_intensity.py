"""Kappa from a tape: what was planted is found within its interval; another law, clusters and short tapes are said."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.l2.checks import open_tape
from engine.l2.moments import changes_of
from engine.l2.tape import TapeTrades
from engine.making.intensity import TakerSweeps, doubts_of, intensity_of, kappa_of, sweeps_of
from tests.engine.l2.test_book import recorded_tape
from tests.engine.making.test_simulation import busy_market

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def drawn(kappa: float, count: int = 20_000, seed: int = 3) -> TakerSweeps:
    """Sweeps of an hour whose reach is exponential."""
    rng = np.random.default_rng(seed)
    return TakerSweeps(np.sort(rng.integers(0, HOUR, count)), rng.exponential(1.0 / kappa, count))


@pytest.mark.parametrize("kappa", [0.3, 1.0, 4.0])
def test_a_planted_kappa_is_in_its_interval(kappa: float) -> None:
    """Within 3 %, the interval narrow and around it."""
    found = kappa_of(drawn(kappa), 0, HOUR)
    assert found["low"] < kappa < found["high"] < 1.1 * found["low"]
    assert found["kappa"] == pytest.approx(kappa, rel=0.03)
    assert found["per_s"] == pytest.approx(20_000 / 3600)


def test_an_interval_is_as_wide_as_sweeps_come_in_clusters() -> None:
    """The same reaches, in blocks that differ: wider than if they had come evenly."""
    even = drawn(1.0)
    clustered = TakerSweeps(even.when_ns, np.sort(even.reach_bps))
    wide, narrow = kappa_of(clustered, 0, HOUR), kappa_of(even, 0, HOUR)
    assert wide["kappa"] == pytest.approx(narrow["kappa"])
    assert wide["high"] - wide["low"] > 5 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize("count", [0, 99])
def test_too_few_sweeps_have_no_kappa(count: int) -> None:
    """None, and the reason; a tape that is too short for an interval has none."""
    found = kappa_of(drawn(1.0, count), 0, HOUR)
    assert found["kappa"] is None
    assert "sweeps" in doubts_of(found, [], [])[0]
    short = kappa_of(TakerSweeps(np.arange(500) * 1_000_000, np.ones(500)), 0, 60 * SECOND)
    assert (short["kappa"], short["low"]) == (1.0, None)
    assert "too short" in doubts_of(short, [], [])[0]


def test_doubts_are_each_said() -> None:
    """A wide interval, windows outside of it, a tail that is not the formula's."""
    good = {"kappa": 1.0, "low": 0.9, "high": 1.1, "sweeps": 500}
    shares = [{"bps": 2.0, "share": 0.13, "formula": 0.135}]
    assert doubts_of(good, [1.0] * 5, shares) == []
    assert "times apart" in doubts_of(good | {"high": 2.0}, [1.0] * 5, shares)[0]
    assert "2 of 5 windows" in doubts_of(good, [1.0, 1.0, 1.0, 3.0, None], shares)[0]
    assert "reach 2 bps" in doubts_of(good, [1.0] * 5, [shares[0] | {"share": 0.5}])[0]


def test_trades_of_one_time_and_side_are_one_sweep(tmp_path: Path) -> None:
    """By the farthest of them; a reach is never below 0; without trades it is refused."""
    opened = busy_market(tmp_path)
    tape, trades = opened.tape, opened.trades
    assert trades is not None
    changes = changes_of(opened.report.replayed, tape)
    whole = sweeps_of(trades, changes)
    twice = TapeTrades(*(np.repeat(column, 2) for column in trades))
    assert sweeps_of(twice, changes).reach_bps.tolist() == whole.reach_bps.tolist()
    assert (whole.reach_bps >= 0.0).all()
    with pytest.raises(DataError, match="no trades"):
        intensity_of(None, changes, 0, 1)


def test_no_one_kappa_describes_the_recorded_tape(market_data: Path) -> None:
    """345 s: three doubts, the interval three times as wide as it is low, and the same answer twice."""
    opened = open_tape(recorded_tape(market_data, "perp"))
    recv = opened.tape.recv_ns
    changes = changes_of(opened.report.replayed, opened.tape)
    found = intensity_of(opened.trades, changes, int(recv[0]), int(recv[-1]))
    assert found["verdict"] == "No one kappa describes this tape"
    assert len(found["doubts"]) == 3
    assert found["kappa"] == pytest.approx(0.778, abs=0.001)
    assert found["gamma"] is None
    assert found == intensity_of(opened.trades, changes, int(recv[0]), int(recv[-1]))
