"""The benchmark's own claims: a long run in parts is one run, and what differs at nautilus_trader has a name."""

import os

import numpy as np
import pytest

from bench import agreement, ours, work
from bench.__main__ import HERE, run_peer

PEER = HERE / "venvs" / "nautilus" / "ready"


def test_a_long_run_in_parts_is_one_run(monkeypatch):
    """Round trips and final equity of strategy A are equal bit for bit, and strategy B trades."""
    columns = work.bars(20_000)
    data, whole = ours.prepare(columns), ours.market(columns)
    at_once = ours.run(data)
    monkeypatch.setattr(ours, "PART", 2_333)
    trips, equity = ours.run_long(whole, "A")
    assert equity == at_once.desk.equity
    assert len(trips) > 20
    np.testing.assert_array_equal(trips, ours.paths(at_once.rows, data.last))
    assert len(ours.run_long(whole, "B")[0]) > 20


def crossing() -> tuple[np.ndarray, int]:
    """Bars that fall, then rise: (columns, the bar after the cross), whose entry is at 100."""
    close = np.concatenate([np.linspace(110.0, 95.0, 300), np.linspace(95.0, 120.0, 200)]).round(2)
    up = int(np.flatnonzero(work.crosses(work.average(close, work.FAST), work.average(close, work.SLOW)) > 0)[0]) + 1
    close[up:] = 100.0
    return np.column_stack([close, close, close, close, close]), up


def test_a_difference_to_nautilus_has_a_name():
    """A target that its walk meets before our stop, a trail that the close had passed, and what is neither."""
    columns, up = crossing()
    stopped, aimed = np.array([up, up + 2, 100.0, 99.0]), np.array([up, up + 2, 100.0, 102.0])
    columns[up + 2, 1:3] = 103.0, 98.0
    assert agreement.named(stopped[None], aimed[None], columns)["high first"] == 1
    columns[up + 2, 1:3] = 100.0, 98.0
    assert agreement.named(stopped[None], aimed[None], columns)["not explained"] == 1
    columns[up + 1, 1] = 102.5  # the trail is now at 100.9, above this bar's close
    assert agreement.named(stopped[None], aimed[None], columns)["trail refused"] == 1


@pytest.mark.long
@pytest.mark.skipif(not PEER.exists(), reason="needs the environment of nautilus_trader: python -m bench agreement makes it")
@pytest.mark.skipif(not os.environ.get("NIGHTDESK_DATA"), reason="needs recorded bars: NIGHTDESK_DATA")
@pytest.mark.parametrize("series", ["binance_BTC-USDT_perp_1h", "binance_SOL-USDT_perp_1h"])
def test_nautilus_agrees_on_recorded_bars(series, tmp_path):
    """Nine of ten round trips are the same on hourly bars, and each of the others is explained."""
    columns = agreement.recorded(series)[:20_000]
    path = tmp_path / f"{series}.npy"
    np.save(path, columns)
    work.OUT.mkdir(exist_ok=True)
    _, theirs = run_peer("nautilus", path)
    _, own = ours.measured(columns)
    found = agreement.agreement(own, theirs)
    assert found.ours > 50
    assert found.only_ours == 0
    assert found.same >= 0.9 * found.ours
    assert agreement.named(own, theirs, columns)["not explained"] == 0
