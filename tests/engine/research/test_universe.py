"""A search says which of its symbols were not there all the time, and what the choice of them leaves out."""

from pathlib import Path

from sqlalchemy import Engine

from engine.control.desk_setup import desk_setup
from engine.research import search
from engine.research.universe import SURVIVORS, notes_of
from engine.sim import resolve
from tests.engine.research.conftest import Planner
from tests.fakes import recordings


def test_one_symbol_with_all_its_bars_needs_no_note(make: Planner) -> None:
    """Nothing is said where nothing is missing."""
    planned = make({"strategy": "trend", "symbol": "BTC-USDT", "start": "2025-01-03", "end": "2025-01-20"})
    first = 1_735_862_400_000
    assert notes_of([planned], first, first + 16 * 86_400_000) == []


def test_a_span_beyond_the_bars_and_a_late_symbol_are_named(tmp_path: Path, ledger: Engine) -> None:
    """With the day on which its bars begin, and that survivors alone were chosen."""
    folder = recordings.record(tmp_path / "bars", 3_500)
    late = recordings.bars(3_500, seed=2, price=3_000.0, tick=0.01)[960:]
    recordings.write(folder, "binance_ETH-USDT_perp_15m", late)
    desk = desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(folder)})
    args = {"strategy": "trend", "vary": {"stop_atr": "1,2"}, "symbols": ["BTC-USDT", "ETH-USDT"], "start": "2025-01"}
    found = search.sweep(lambda given: resolve.planned(desk, desk.catalog(), given), ledger, None, args)
    assert found["notes"][0].startswith("ETH-USDT: no bars before 2025-01-11; the span asked for begins 2025-01-01")
    assert found["notes"][1].startswith("the common span begins with the bars of ETH-USDT, 2025-01-11")
    assert found["notes"][-1] == SURVIVORS
    assert found["first_ms"] == int(late["ts"][0])
