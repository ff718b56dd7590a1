"""Round trips of pairs from the rows alone, over random baskets: they explain equity, fees, slippage and funding of the core."""

from math import isnan
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from engine.core.row_fields import KIND_OF, DecisionRow
from engine.core.state import K_FILL, Bar
from engine.sim.basket_trips import TRIP_SCHEMA, decisions_frame, last_prices, rows_frame, trips_frame, trips_of
from engine.sim.trips import decisions, no_rows
from tests.fakes.baskets import HOUR_MS, hostile

CENT = 0.01
SEEDS = 40


def marks_of(bars: np.ndarray, legs: int) -> list[float]:
    """The last close of a usable bar of each leg."""
    table = bars.reshape(-1, legs)
    span = SimpleNamespace(**{name: table[name] for name in ("open", "high", "low", "close", "volume")})
    return last_prices(span, range(legs))


@pytest.mark.sample(1)
@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_trips_explain_what_the_core_booked(first: int) -> None:
    """Equity, fees, slippage, funding and turnover to the cent; an open trip has lots on a leg, a closed one has none."""
    seen = dict.fromkeys(("trips", "open", "funding", "crossed"), 0.0)
    for seed in range(first, first + 20):
        case = hostile(seed)
        run, legs = case.run(), len(case.rules)
        lots = [rules.lot_size for rules in case.rules]
        table = trips_of(run.rows, case.pairs, lots, marks_of(case.given.bars, legs), HOUR_MS)
        ledger = run.book.ledger
        assert sum(trip.net for trip in table) == pytest.approx(run.equity[-1] - case.cash, abs=CENT), seed
        for name in ("fees", "slippage", "funding"):
            assert sum(trip.of_both(name) for trip in table) == pytest.approx(getattr(ledger, name), abs=CENT), (seed, name)
        for p, pair in enumerate(run.pairs):
            open_ = [trip for trip in table if trip.pair == p and trip.reason == "open"]
            assert len(open_) == int(pair.lots_a != 0 or pair.lots_b != 0), seed
        frame = trips_frame(table, list("abcde")[:legs], list("abcde")[:legs], case.pairs, HOUR_MS)
        assert (frame.schema, frame.height) == (pl.Schema(TRIP_SCHEMA), len(table))
        apart = (frame["net"] - frame["net_a"] - frame["net_b"]).abs()
        assert frame.is_empty() or float(apart.sum()) < CENT
        closed = frame.filter(pl.col("exit_ms").is_not_null())
        assert (closed["bars"] >= 1).all()
        seen["trips"] += len(table)
        seen["open"] += frame.height - closed.height
        seen["funding"] += sum(abs(leg.funding) > 0.0 for trip in table for leg in trip.legs)
        fills = run.rows[run.rows["kind"] == K_FILL]
        seen["crossed"] += int(((fills["fee"] == 0.0) & (fills["lots"] > 0)).sum())
    assert all(seen.values()), f"the storm has not reached everything: {seen}"


def test_decisions_have_the_columns_of_any_run() -> None:
    """Every decision of a pair by its name, with its spread; nothing that one instrument alone has."""
    case = hostile(3)
    run = case.run()
    found = decisions_frame(rows_frame(run.rows), list("abcde"), case.pairs)
    assert set(decisions(no_rows(), []).columns) <= set(found.columns)
    assert found.height == int((run.rows["kind"] == KIND_OF[DecisionRow]).sum()) > 0
    entered = found.filter(pl.col("action") == "enter")
    assert entered.height > 0
    assert not any(isnan(value) for name in ("spread_z", "hedge", "deviation", "risk") for value in entered[name])
    assert (entered["spread_z"] * entered["signal"] < 0).all()
    assert (set(entered["hedge"]), set(entered["deviation"])) == ({1.0}, {0.015}), "the fits of this basket"
    assert (entered["risk"] > 0.0).all()
    left = found.filter(pl.col("action") == "exit")
    assert left["exit_reason"].null_count() == 0
    assert found.filter(pl.col("action") == "refused")["refused_by"].null_count() == 0
    assert found["strength"].null_count() == found.height


def test_a_bar_that_cannot_be_traded_marks_nothing() -> None:
    """The core keeps the last price of a bar that it can use; so do trips."""
    case = hostile(5)
    bars = case.given.bars.copy()
    assert bars.dtype.names is not None
    assert set(Bar._fields) == set(bars.dtype.names)
    bars["volume"][-len(case.rules) :] = np.nan
    bars["close"][-len(case.rules) :] *= 2.0
    run = case._replace(given=case.given._replace(bars=bars)).run()
    table = trips_of(run.rows, case.pairs, [r.lot_size for r in case.rules], marks_of(bars, len(case.rules)), HOUR_MS)
    assert sum(trip.net for trip in table) == pytest.approx(run.equity[-1] - case.cash, abs=CENT)
