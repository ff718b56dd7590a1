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
    agree(recorded_tape(market_data, "perp"), tmp_path, QUOTES[name], in_part=False, least=60)


@pytest.mark.long
@pytest.mark.parametrize("changed", [{"half_spread_bps": 0.0}, {"quoter": "as", "half_spread_bps": 1.0}])
def test_hftbacktest_fills_in_part_alike(market_data: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    """Spot, quotes of a thousand lots: what is filled in part is so there, too."""
    agree(recorded_tape(market_data, "spot"), tmp_path, changed, in_part=True, least=40)


def agree(tape: Path, folder: Path, changed: dict[str, Any], *, in_part: bool, least: int) -> None:
    """Our run's orders there: all of them with the same lots, those filled whole at the same nanosecond."""
    if not (PEER / "ready").exists():
        pytest.skip("no hftbacktest: `python -m bench making` sets it up")
    opened = sound_tape(tape)
    run = ran(opened, compiled=True, latency_ms=20, **{"half_spread_bps": 1.0, **changed})
    _, theirs = at_the_peer(PEER / "bin" / "python", opened, run, folder, in_part=in_part)
    found = compared(opened, run, theirs)
    assert found.filled >= least
    assert found.same_lots == found.orders
    assert found.same_time == found.both_whole > 0
    assert found.lots == found.their_lots
