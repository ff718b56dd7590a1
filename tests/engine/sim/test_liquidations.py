"""What a run says of liquidation: how often, by which tiers, and when equity was below zero."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from engine.core.state import EXIT_REASONS
from engine.sim import wide
from engine.sim.explain import LIQUIDATION_MODEL, RULE_TEXT
from engine.sim.liquidations import liquidation_notes, liquidations

FILLS = pl.DataFrame(
    {
        "sleeve": ["trend", "trend", "trend", "other"],
        "close_ms": [1, 1, 2, 900_000],
        "reason": ["liquidation", "liquidation", "stop", "liquidation"],
        "cash_after": [5.0, 0.0, 1.0, -3.0],
    }
)
CLOSES = np.array([0, 900_000])


def sleeve(name: str = "trend", market: str = "perp", tiers: tuple = ()) -> SimpleNamespace:
    """A planned sleeve, as far as the notes look."""
    instrument = SimpleNamespace(market=market, tiers=tiers)
    return SimpleNamespace(spec=SimpleNamespace(name=name), key=f"binance:BTC-USDT:{market}", instrument=instrument)


def test_a_position_counts_once_however_many_layers_it_had() -> None:
    """Two fills of one bar are one liquidation; a stop is none."""
    found = liquidations(FILLS)
    assert found.rows() == [("trend", 1, 0.0), ("other", 900_000, -3.0)]
    (text,) = liquidation_notes(found, [sleeve(tiers=((1.0, 0.1),))], CLOSES, np.array([1.0, 1.0]), [0.0])
    assert text.startswith("2 liquidations: the venue closed trend at 1970-01-01")


def test_equity_below_zero_is_named() -> None:
    """A sleeve that ended below zero by name; else the first close at which the desk was. A rounding is neither."""
    none, known = liquidations(FILLS.clear()), sleeve(tiers=((1.0, 0.1),))
    assert liquidation_notes(none, [known], CLOSES, np.array([1.0, -1e-9]), [-1e-9]) == []
    (text,) = liquidation_notes(none, [known], CLOSES, np.array([1.0, -5.0]), [-5.0])
    assert text.startswith("BELOW ZERO: trend lost more than its margin")
    (text,) = liquidation_notes(none, [known], CLOSES, np.array([1.0, -5.0]), [5.0])
    assert text.startswith("BELOW ZERO: the desk's equity was negative at 1970-01-01 00:15")


def test_a_run_without_tiers_says_that_the_first_alone_counts() -> None:
    """Once for each instrument that has margin; spot has none."""
    none, curve = liquidations(FILLS.clear()), np.array([1.0, 1.0])
    (text,) = liquidation_notes(none, [sleeve(), sleeve("b")], CLOSES, curve, [1.0, 1.0])
    assert text == "no margin tiers of binance:BTC-USDT:perp: liquidation is judged by the first tier alone"
    assert liquidation_notes(none, [sleeve(market="spot")], CLOSES, curve, [1.0]) == []


@pytest.mark.parametrize(("count", "said"), [(0, False), (2, True)])
def test_the_raw_signal_counts_its_liquidations(count: int, said: bool) -> None:
    """Limits that are too wide meet the venue's: the stamp of the run counts how often."""
    table = pl.DataFrame(
        {"sleeve": ["trend"], "close_ms": [1], "action": ["enter"], "refused_by": [None]},
        schema_overrides={"refused_by": pl.String},
    )
    found = wide.counted(table, table, 0.01, count)
    assert found["liquidations"] == count
    assert ("The venue would have liquidated it 2 times" in found["text"]) is said


def test_a_round_trip_says_that_the_venue_closed_it() -> None:
    """The closing rule and the assumption of the fill have their sentence."""
    assert "the venue closed the position" in RULE_TEXT["liquidation"]
    assert "price that leaves nothing" in LIQUIDATION_MODEL


def test_every_reason_to_leave_is_put_in_words() -> None:
    """One without words was said to be a trip that is still open."""
    assert set(EXIT_REASONS) <= RULE_TEXT.keys()
