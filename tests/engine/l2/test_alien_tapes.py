"""Tapes of another hand, held against a slow book that shares no code: features, bars, labels and a maker's fills."""

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from math import isnan, nan
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.l2.bars import NO_BOOK, BookColumns, book_bars
from engine.l2.checks import OpenTape, open_tape, sound_tape
from engine.l2.features import computed
from engine.l2.moments import changes_of, moments_of
from engine.l2.outcomes import labels_of
from engine.l2.pieces import from_message, until_message
from engine.l2.replay import replay
from engine.making.resting import F_LOTS, F_NUMBER, F_WHEN, L_CANCEL_SENT, L_LOTS, L_PRICE, L_SENT, L_SIDE
from engine.making.simulation import MakingOptions, simulate, terms_of
from tests.fakes.alien_tapes import MS, AlienVenue, BookStep, SlowBook, faulty_tape, shallow_tape

Made = Callable[[Path], tuple[Path, AlienVenue]]
BOTH = [shallow_tape, faulty_tape]
SECOND = 1_000 * MS


def exact(quantity: float) -> Fraction:
    """A quantity as it was written."""
    return Fraction(str(quantity))


def row_of(step: BookStep | None, at_ns: int) -> dict[str, float] | None:
    """Features of the reference's book; None without one."""
    if step is None or step.sides is None or not all(step.sides) or at_ns - step.at_ns > 5 * SECOND:
        return None
    bids, asks = step.sides
    bid, ask = max(bids), min(asks)
    near = [sum(exact(s[p]) for p in sorted(s, reverse=s is bids)[:10]) if len(s) >= 10 else None for s in (bids, asks)]
    deep = None not in near
    both = [one or Fraction(0) for one in near]
    return {
        "spread": (ask - bid) / ((ask + bid) / 2.0) * 1e4,
        "imbalance": (bids[bid] - asks[ask]) / (bids[bid] + asks[ask]),
        "depth": float(both[0] + both[1]) if deep else nan,
        "depth_imbalance": float((both[0] - both[1]) / (both[0] + both[1])) if deep else nan,
    }


def grid_of(book: SlowBook) -> dict[int, dict[str, float] | None]:
    """A row every 100 ms from the first change to the last."""
    step_ns, times = 100 * MS, [one.at_ns for one in book.steps]
    begin, end = -(-times[0] // step_ns) * step_ns, times[-1] // step_ns * step_ns
    return {at: row_of(book.steps[bisect_right(times, at) - 1], at) for at in range(begin, end + 1, step_ns)}


def near(one: float, other: float) -> bool:
    """Equal but for the last bits; missing is equal to missing."""
    return (isnan(one) and isnan(other)) or abs(one - other) <= 1e-9 * max(1.0, abs(one))


def opened(made: Made, folder: Path) -> tuple[OpenTape, AlienVenue, SlowBook]:
    """The tape, its venue, and the slow book of its messages."""
    path, venue = made(folder)
    return open_tape(path), venue, SlowBook(venue.messages, chained=venue.chained)


@pytest.mark.parametrize("made", BOTH)
def test_the_book_and_its_features_are_those_of_a_slow_one(made: Made, tmp_path: Path) -> None:
    """At each 100 ms: the same value, and none where the slow book has none; compiled and plain are the same bits."""
    tape, venue, book = opened(made, tmp_path)
    plain = replay(tape.tape, compiled=False)
    for name in plain.written._fields:
        assert (getattr(plain.written, name) == getattr(tape.report.replayed.written, name)).all()
    expected = grid_of(book)
    m = moments_of(tape.tape, tape.report.replayed, tape.trades, 100)
    assert m.when_ns.tolist() == list(expected)
    assert sum(row is None for row in expected.values()) > 5
    columns = {column.name: column.values for column in computed(m)}
    for k, (at, row) in enumerate(expected.items()):
        for name in ("spread", "imbalance", "depth", "depth_imbalance"):
            assert near(nan if row is None else row[name], float(columns[name][k])), (name, at)
        if not k % 29 and not isnan(flow := float(columns["flow(1000)"][k])):
            inside = [t for t in venue.trades if at - SECOND < t.at_ns <= at]
            assert near(flow, float(sum(exact(t.quantity) * (-1 if t.buyer_maker else 1) for t in inside)))


def test_the_door_names_what_is_wrong_and_lets_the_rest_in(tmp_path: Path) -> None:
    """Errors of the faulty tape and no others; the shallow one has warnings alone."""
    rules = [{(f.severity, f.rule) for f in opened(made, tmp_path)[0].report.issues} for made in BOTH]
    assert rules[0] == {("warning", rule) for rule in ("duplicate", "late", "one_sided", "depth_changed", "silence", "gap")}
    assert {rule for severity, rule in rules[1] if severity == "error"} == {"crossed", "foreign_snapshot", "one_sided"}


@pytest.mark.parametrize("made", BOTH)
def test_bars_are_those_of_a_slow_book_however_the_tape_is_cut(made: Made, tmp_path: Path) -> None:
    """In pieces of any length the same bits; means, closes and flow by loops; a gap exactly where the slow book has one."""
    tape, venue, book = opened(made, tmp_path)
    whole, dice, trades = book_bars(tape.tape, tape.trades, 5_000), Random(3), tape.trades
    assert trades is not None
    columns, parts, n, traded = BookColumns(5_000), [], 0, 0
    while n < len(tape.tape.kind):
        end = min(n + dice.randint(1, 200), len(tape.tape.kind))
        piece = until_message(from_message(tape.tape, n), end - n)
        until = int(np.searchsorted(trades.recv_ns, piece.recv_ns[-1], side="right"))
        given = trades._replace(**{name: column[traded:until] for name, column in trades._asdict().items()})
        parts.append(columns.take(piece, given))
        n, traded = end, until
    assert pl.concat(parts).equals(whole)
    expected, values = grid_of(book), 0
    for bar in whole.iter_rows(named=True):
        open_ns, close_ns = bar["ts"] * MS, (bar["ts"] + 5_000) * MS
        rows = [expected[at] for at in range(open_ns + 100 * MS, close_ns + 1, 100 * MS)]
        assert (bar["gap"] == NO_BOOK) == (None in rows)
        if bar["gap"]:
            assert bar["imbalance_mean"] is bar["taker_flow"] is None
            continue
        own = [row["imbalance"] for row in rows if row is not None]
        assert near(bar["imbalance_mean"], sum(own) / len(own))
        assert near(bar["imbalance_close"], own[-1])
        inside = [t for t in venue.trades if open_ns < t.at_ns <= close_ns]
        assert near(bar["taker_flow"], float(sum(exact(t.quantity) * (-1 if t.buyer_maker else 1) for t in inside)))
        values += 1
    assert values > 5


@pytest.mark.parametrize("fill", ["through", "queue"])
def test_labels_are_those_of_loops(fill: str, tmp_path: Path) -> None:
    """Filled or not, unknown where the book was lost or the tape ends; the move, MFE and MAE after the fill."""
    path, venue = shallow_tape(tmp_path)
    tape, steps = sound_tape(path), SlowBook(venue.messages, chained=False).steps
    m = moments_of(tape.tape, tape.report.replayed, tape.trades, 500)
    assert tape.trades is not None
    orders = labels_of(
        tape.tape, changes_of(tape.report.replayed, tape.tape), m, tape.trades, life_s=10.0, horizons_s=(2,), fill=fill
    )
    times = [step.at_ns for step in steps]
    lost = [step.at_ns for step in steps if step.sides is None or not all(step.sides)]
    end = min(venue.messages[-1].at_ns, venue.trades[-1].at_ns)
    for k in range(0, len(orders.side), 5):
        at, side, price = int(orders.placed_ns[k]), int(orders.side[k]), float(tape.tape.scale.price(orders.price[k]))
        sides = steps[bisect_right(times, at) - 1].sides
        assert sides is not None
        ahead, got, filled_ns = exact(sides[side < 0][price]), Fraction(0), 0
        for t in venue.trades:
            if at < t.at_ns <= at + 10 * SECOND and t.buyer_maker == (side > 0) and not filled_ns:
                got += exact(t.quantity) if t.price == price else 0
                filled_ns = t.at_ns if (t.price - price) * side < 0 or (fill == "queue" and got > ahead) else 0
        gone = any(at < x <= (filled_ns or at + 10 * SECOND) for x in lost)
        expected = nan if gone or at + 10 * SECOND > end else float(filled_ns > 0)
        assert near(expected, float(orders.filled[k])), k
        if expected != 1.0:
            continue
        till = filled_ns + 2 * SECOND
        a, b = bisect_right(times, filled_ns) - 1, bisect_right(times, till)
        path_bps = [((max(s[0]) + min(s[1])) / 2 / price - 1) * 1e4 * side for _, s in steps[a:b] if s and all(s)]
        known = till <= end and not any(at < x <= till for x in lost)
        found = (path_bps[-1], max(0.0, *path_bps), min(0.0, *path_bps)) if known else (nan,) * 3
        for one, table in zip(found, orders[6:9], strict=True):
            assert isnan(one) == isnan(table[k, 0])
            assert isnan(one) or abs(one - table[k, 0]) < 1e-6


def fills_of(row: list[int], steps: list[Any], scale: Any, entry_ns: int, end_ns: int) -> list[tuple[int, Fraction]]:
    """(when, quantity) of one order's fills at a venue written apart; all that waited at its price is ahead of it."""
    side, price = row[L_SIDE], Fraction(row[L_PRICE], 10**scale.price_digits)
    left, arrives = Fraction(row[L_LOTS], 10**scale.lot_digits), row[L_SENT] + entry_ns
    gone = row[L_CANCEL_SENT] + entry_ns if row[L_CANCEL_SENT] else end_ns
    sides: Any = None
    ahead, found = Fraction(-1), list[tuple[int, Fraction]]()
    for at, kind, what in steps:
        if ahead < 0 and (at > arrives or (at == arrives and kind == 1)):
            best = exact(min(sides[1]) if side > 0 else max(sides[0]))
            if (best - price) * side <= 0:
                return []
            ahead = exact(sides[side < 0].get(float(price), 0.0))
        if at > min(gone, end_ns) or (ahead >= 0 and left == 0):
            break
        if kind == 0:
            sides = what or sides
            if ahead >= 0 and what and all(what):
                best = exact(min(what[1]) if side > 0 else max(what[0]))
                ahead = min(ahead, exact(what[side < 0].get(float(price), 0.0)))
                if (best - price) * side <= 0:
                    found.append((at, left))
                    left = Fraction(0)
        elif at > arrives and ahead >= 0 and what.buyer_maker == (side > 0):
            beyond = (exact(what.price) - price) * side
            lots = left if beyond < 0 else min(left, max(Fraction(0), exact(what.quantity) - ahead)) if beyond == 0 else 0
            ahead = max(Fraction(0), ahead - exact(what.quantity)) if beyond == 0 else ahead
            found += [(at, Fraction(lots))] if lots else []
            left -= lots
    return found


@pytest.mark.parametrize("half_spread_bps", [0.0, 1.0])
def test_a_makers_fills_are_those_of_a_venue_written_apart(half_spread_bps: float, tmp_path: Path) -> None:
    """Every third order of a quoter on the shallow tape: when it was filled, and how much, to the lot and the nanosecond."""
    path, venue = shallow_tape(tmp_path)
    tape = sound_tape(path)
    assert tape.trades is not None
    rest = {"inventory_max": 1e6, "loss_max": 1e9, "quote_age_max_ms": 600_000, "orders_second_max": 100, "requote_bps": 0.2}
    options = MakingOptions(size=500.0, inventory=2_000.0, half_spread_bps=half_spread_bps, **rest)  # type: ignore[arg-type]
    run = simulate(tape.tape, tape.trades, terms_of(tape.tape.scale, options, 2e-4))
    got: dict[int, list[tuple[int, Fraction]]] = {}
    for fill in run.fills.tolist():
        got.setdefault(fill[F_NUMBER], []).append((fill[F_WHEN], Fraction(fill[F_LOTS], 10**tape.tape.scale.lot_digits)))
    steps = [(one.at_ns, 0, one.sides) for one in SlowBook(venue.messages, chained=False).steps]
    steps = sorted([*steps, *((t.at_ns, 1, t) for t in venue.trades)], key=lambda one: one[:2])  # type: ignore[list-item]
    entry_ns, end_ns = options.latency_ms * MS, venue.messages[-1].at_ns
    for number, row in list(enumerate(run.orders.tolist(), 1))[::3]:
        assert fills_of(row, steps, tape.tape.scale, entry_ns, end_ns) == got.get(number, []), number
    assert sum(map(len, got.values())) > 20
