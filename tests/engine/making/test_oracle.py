"""The same orders on the recorded tapes at hftbacktest, in an environment of its own: every order's filled lots and time."""

from pathlib import Path
from typing import Any

import pytest

from bench.making import QUOTES, at_the_peer, compared
from engine.l2.checks import sound_tape
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.maker_markets import ran

PEER = Path(__file__).resolve().parents[3] / "bench" / "venvs" / "hftbacktest"


@pytest.mark.long
@pytest.mark.parametrize("name", QUOTES)
def test_hftbacktest_fills_the_same_orders_at_the_same_time(market_data: Path, tmp_path: Path, name: str) -> None:
    """The perpetual; one lot a quote, so that no rule about parts is in it: its exchange of parts stops on this tape."""
    assert same(recorded_tape(market_data, "perp"), tmp_path, QUOTES[name], in_part=False) >= 60


@pytest.mark.long
@pytest.mark.parametrize("changed", [{"half_spread_bps": 0.0}, {"quoter": "as", "half_spread_bps": 1.0}])
def test_hftbacktest_fills_in_part_alike(market_data: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    """Spot, quotes of ten thousand lots: what is filled in part is so there, too."""
    assert same(recorded_tape(market_data, "spot"), tmp_path, changed, in_part=True) >= 40


def same(tape: Path, folder: Path, changed: dict[str, Any], *, in_part: bool) -> int:
    """How many of our run's orders were filled; there all have the same lots, those filled whole the same nanosecond."""
    if not (PEER / "ready").exists():
        pytest.skip("no hftbacktest: `python -m bench making` sets it up")
    opened = sound_tape(tape)
    run = ran(opened, compiled=True, latency_ms=20, **{"half_spread_bps": 1.0, **changed})
    _, theirs = at_the_peer(PEER / "bin" / "python", opened, run, folder, in_part=in_part)
    found = compared(opened, run, theirs)
    assert found.same_lots == found.orders
    assert found.same_time == found.both_whole > 0
    assert found.lots == found.their_lots
    return found.filled
