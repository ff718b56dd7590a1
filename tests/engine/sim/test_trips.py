"""Rows -> round trips, decisions, fills: every cent is accounted for, whatever the order of events."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import state
from engine.sim import trips as t

BAR = 900_000
VIEW = np.dtype(
    [(name, "i8") for name in t.COLUMNS[:1]]
    + [("sleeve", "i2")]
    + [(name, "i1") for name in t.COLUMNS[2:]]
    + [("lots", "i8")]
    + [(name, "f8") for name in t.VALUES[1:]]
)


def rows_of(lines):
    """Dictionaries of row fields -> the frame the code under test reads."""
    block = np.zeros(len(lines), dtype=VIEW)
    for n, line in enumerate(lines):
        for name, value in line.items():
            block[n][name] = value
    return t.frame_of(block)


def fill(bar, side, lots, price, slot=state.ENTRY, *, clean=None, fee=0.0, sleeve=0, reason=0):
    """One fill row; `clean` is the price without slippage."""
    clean = price if clean is None else clean
    return {
        "close_ms": bar * BAR,
        "sleeve": sleeve,
        "kind": state.K_FILL,
        "code": slot,
        "rule": reason,
        "side": side,
        "lots": lots,
        "price": price,
        "fee": fee,
        "a": clean,
    }


SLEEVES = [t.RunSleeve("one", "x:BTC-USDT:perp", 0.001, 110.0, BAR), t.RunSleeve("two", "x:ETH-USDT:perp", 0.01, 50.0, BAR)]


def test_a_round_trip_is_flat_to_flat_with_all_its_layers():
    """Two entries, a target for one layer, a stop for the other: one trip, averaged, told by its last reason."""
    rows = rows_of(
        [
            {"close_ms": BAR, "kind": state.K_SIZE, "lots": 1000, "a": 2.0},
            fill(2, 1, 1000, 100.0, fee=0.05),
            {"close_ms": 3 * BAR, "kind": state.K_SIZE, "lots": 3000, "a": 3.0},
            fill(4, 1, 3000, 104.0, clean=103.9, fee=0.15),
            {"close_ms": 5 * BAR, "kind": state.K_FUNDING, "lots": 4000, "fee": -0.4},
            fill(6, -1, 3000, 108.0, state.TARGET_SLOT, fee=0.1, reason=state.TARGET),
            fill(9, -1, 1000, 98.0, state.PROTECTIVE, clean=98.2, fee=0.05, reason=state.STOP),
        ]
    )
    table = t.trips(rows, SLEEVES)
    assert len(table) == 1
    trip = table.row(0, named=True)
    assert (trip["trip"], trip["side"], trip["layers"], trip["lots"], trip["reason"]) == ("t1", "long", 2, 4000, "stop")
    assert (trip["entry_ms"], trip["exit_ms"], trip["bars"]) == (BAR, 8 * BAR, 8)
    assert trip["entry_price"] == pytest.approx(103.0)
    assert trip["exit_price"] == pytest.approx(105.5)
    assert trip["slippage"] == pytest.approx(0.3 + 0.2)
    assert trip["fees"] == pytest.approx(0.35)
    assert trip["funding"] == pytest.approx(-0.4)
    assert trip["net"] == pytest.approx(4 * (105.5 - 103.0) - 0.35 - 0.4)
    assert trip["gross"] - trip["slippage"] - trip["fees"] + trip["funding"] == pytest.approx(trip["net"])
    assert trip["risk"] == pytest.approx(1 * 2.0 + 3 * 3.0)
    assert trip["r"] == pytest.approx(trip["net"] / 11.0)


def test_a_last_open_position_is_marked_not_closed():
    """A short that is still on: no exit, no R, its P&L at the mark."""
    table = t.trips(rows_of([fill(2, -1, 100, 120.0, fee=0.01)]), SLEEVES)
    trip = table.row(0, named=True)
    assert (trip["side"], trip["reason"], trip["exit_ms"], trip["r"]) == ("short", "open", None, None)
    assert trip["net"] == pytest.approx(0.1 * (120.0 - 110.0) - 0.01)


def test_no_rows_no_trips():
    """An empty run has empty frames with all their columns."""
    rows = rows_of([])
    assert t.trips(rows, SLEEVES).is_empty()
    assert "net" in t.trips(rows, SLEEVES).columns
    assert t.decisions(rows, SLEEVES).is_empty()
    assert t.fills(rows, SLEEVES).is_empty()
    assert t.breakers(rows, SLEEVES).is_empty()
    assert t.bars_held(t.trips(rows, SLEEVES), SLEEVES, np.arange(1, 9) * BAR, BAR) == 0


def test_an_exit_decided_at_a_close_is_named_as_one():
    """Fade and halt leave by an order of their own, neither the protective one nor the target."""
    rows = rows_of([fill(2, 1, 10, 100.0), fill(3, -1, 10, 101.0, state.EXIT_SLOT, reason=state.FADE)])
    assert t.fills(rows, SLEEVES).select("slot", "reason").rows() == [("entry", "none"), ("exit", "fade")]


@st.composite
def histories(draw):
    """A random walk of fills and funding of two sleeves, with the cash an honest bookkeeper would have."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lines, cash, held = [], 0.0, [0, 0]
    for bar in range(2, draw(st.integers(2, 60))):
        s = int(rng.integers(2))
        price, clean, fee = rng.uniform(10, 100), rng.uniform(10, 100), rng.uniform(0, 1)
        if held[s] == 0 or (rng.random() < 0.3 and abs(held[s]) < 10**6):
            side, lots, slot = int(np.sign(held[s])) or int(rng.choice([-1, 1])), int(rng.integers(1, 10**6)), 0
        elif rng.random() < 0.2:
            lines.append({"close_ms": bar * BAR, "sleeve": s, "kind": state.K_FUNDING, "lots": held[s], "fee": fee - 0.5})
            cash += fee - 0.5
            continue
        else:
            side, slot = -int(np.sign(held[s])), 1
            lots = abs(held[s]) if rng.random() < 0.6 else int(rng.integers(1, abs(held[s]) + 1))
        lines.append(fill(bar, side, lots, price, slot, clean=clean, fee=fee, sleeve=s, reason=slot and state.STOP))
        held[s] += side * lots
        cash -= side * lots * SLEEVES[s].lot_size * price + fee
    marked = sum(h * sleeve.lot_size * sleeve.mark for h, sleeve in zip(held, SLEEVES, strict=True))
    return lines, cash + marked, held


@settings(max_examples=150, deadline=None)
@given(histories())
def test_nets_and_open_profit_sum_to_the_change_of_equity(history):
    """Whatever was traded: the trips' nets are the money, and the costs of each explain it."""
    lines, change, held = history
    table = t.trips(rows_of(lines), SLEEVES)
    assert table["net"].sum() == pytest.approx(change, abs=0.001)
    explained = table["gross"] - table["slippage"] - table["fees"] + table["funding"]
    assert explained.to_list() == pytest.approx(table["net"].to_list(), abs=1e-6)
    assert (table["reason"] == "open").sum() == sum(h != 0 for h in held)
    for by in ("sleeve", "reason", "side"):
        assert sum(part["net"] for part in t.attribution(table, by)) == pytest.approx(change, abs=0.001)


def test_decisions_carry_size_and_caps_of_the_same_bar():
    """The size beside an entry, the rule beside a refusal, nothing beside a bar that holds."""
    keys = {"close_ms": BAR, "sleeve": 1}
    rows = rows_of(
        [
            keys | {"kind": state.K_DECISION, "code": state.REFUSED, "rule": state.R_GROSS, "side": -1, "fee": 0.5},
            keys | {"kind": state.K_SIZE, "code": state.REFUSED, "rule": state.R_GROSS, "binding": 1, "equity": 2.5},
            keys | {"kind": state.K_CAPS, "price": 1.0, "fee": 2.0, "equity": 3.0, "a": 4.0, "b": 5.0},
            {"close_ms": 2 * BAR, "sleeve": 1, "kind": state.K_DECISION, "lots": -7, "a": 55.0, "price": 50.0},
        ]
    )
    first, second = t.decisions(rows, SLEEVES).to_dicts()
    assert (first["action"], first["refused_by"], first["sleeve"]) == ("refused", "gross_frac_max", "two")
    assert (first["cap_binding"], first["units_wanted"], first["cap_leverage"]) == ("volatility target", 2.5, 4.0)
    assert (second["action"], second["lots_before"], second["protective"], second["target"]) == ("hold", -7, 55.0, None)
    assert second["units_wanted"] is None


def test_a_desk_breaker_has_no_end_of_its_own():
    """The daily loss re-arms at a time; the desk's drawdown waits for a person."""
    rows = rows_of(
        [
            {"close_ms": BAR, "kind": state.K_BREAKER, "code": state.DAY_LOSS, "equity": 970.0, "a": 5.0 * BAR},
            {"close_ms": BAR, "sleeve": -1, "kind": state.K_BREAKER, "code": state.DESK_DRAWDOWN, "equity": 850.0},
        ]
    )
    assert t.breakers(rows, SLEEVES).select("sleeve", "breaker", "until_ms").rows() == [
        ("one", "daily loss", 5 * BAR),
        ("desk", "desk drawdown", None),
    ]


def test_exposure_counts_a_bar_once_for_all_sleeves():
    """Two sleeves in the market at once are one bar of exposure; an open trip lasts to the end."""
    rows = rows_of(
        [
            fill(2, 1, 1, 10.0),
            fill(3, 1, 1, 10.0, sleeve=1),
            fill(4, -1, 1, 10.0, state.TARGET_SLOT, reason=state.TARGET),
            fill(4, -1, 1, 10.0, state.TARGET_SLOT, sleeve=1, reason=state.TARGET),
            fill(8, 1, 1, 10.0),
        ]
    )
    close_ms = np.arange(1, 11) * BAR
    assert t.bars_held(t.trips(rows, SLEEVES), SLEEVES, close_ms, BAR) == 3 + 3
    assert isinstance(t.fills(rows, SLEEVES), pl.DataFrame)
