"""The simulated venue against another one, written apart: each order alone, over a book that is a dict, in exact decimals."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.l2.checks import OpenTape
from engine.making.resting import F_LOTS, F_NUMBER, F_WHEN, L_CANCEL_SENT, L_LOTS, L_PRICE, L_SENT, L_SIDE
from engine.making.simulation import MakingRun
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import ran


class Moment(NamedTuple):
    """Something at the venue: the book after it, or a trade."""

    when: int
    sides: tuple[dict[int, int], dict[int, int]] | None
    trade: tuple[int, int, int] | None


def history(opened: OpenTape) -> list[Moment]:
    """Every state of the book and every trade, in order; a message comes before a trade of its time."""
    tape, trades = opened.tape, opened.trades
    assert trades is not None
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    found, fed = [], False
    for n in range(len(tape.kind)):
        fed = fed or tape.kind[n] == 1
        if not fed:
            continue  # before the snapshot, which has them
        for k in range(tape.start[n], tape.start[n + 1]):
            book = sides[tape.side[k]]
            book.pop(int(tape.price[k]), None)
            if tape.lots[k]:
                book[int(tape.price[k])] = int(tape.lots[k])
        found.append(Moment(int(tape.recv_ns[n]), (dict(sides[0]), dict(sides[1])), None))
    for row in zip(*(column.tolist() for column in trades), strict=True):
        if row[0] <= tape.recv_ns[-1]:
            found.append(Moment(row[0], None, (row[1], row[2], row[3])))
    return sorted(found, key=lambda m: m.when)


def filled(moments: list[Moment], row: list[int], entry_ns: int, *, even: bool) -> list[tuple[int, int]]:
    """(when, lots) of one order's fills."""
    side, price, left = row[L_SIDE], row[L_PRICE], row[L_LOTS]
    arrives, gone = row[L_SENT] + entry_ns, (row[L_CANCEL_SENT] + entry_ns) if row[L_CANCEL_SENT] else None
    mine, other, found = (0, 1, []) if side > 0 else (1, 0, [])
    books = [m.sides for m in moments if m.when <= arrives and m.sides]
    best = min(books[-1][other]) if side > 0 else max(books[-1][other])
    if (best - price) * side <= 0:
        return []
    level = Fraction(books[-1][mine].get(price, 0))
    ahead, traded = level, Fraction(0)
    for m in moments:
        if m.when <= arrives or left == 0 or (gone is not None and m.when > gone):
            continue
        lots = 0
        if m.sides:
            best = min(m.sides[other]) if side > 0 else max(m.sides[other])
            now = Fraction(m.sides[mine].get(price, 0))
            lots = left if (best - price) * side <= 0 else 0
            left_there = level - traded
            if even and now < left_there:
                ahead = ahead * now / left_there
            ahead, level, traded = min(ahead, now), now, Fraction(0)
        elif m.trade and m.trade[2] == -side:
            if (m.trade[0] - price) * side < 0:
                lots = left
            elif m.trade[0] == price:
                lots = min(left, max(0, int(m.trade[1] - ahead)))
                ahead, traded = max(Fraction(0), ahead - m.trade[1]), traded + m.trade[1]
        if lots:
            found.append((m.when, lots))
            left -= lots
    return found


def by_order(run: MakingRun) -> list[list[tuple[int, int]]]:
    """(when, lots) of the fills of each order."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(run.orders))]
    for row in run.fills.tolist():
        found[row[F_NUMBER] - 1].append((row[F_WHEN], row[F_LOTS]))
    return found


@pytest.mark.parametrize("queue", ["last", "even"])
def test_every_order_fills_as_at_a_venue_written_apart(tmp_path: Path, queue: str) -> None:
    """Six seeds of books and storms of trades: each order's fills, lots and nanoseconds."""
    orders = fills = parts = 0
    for seed in range(20, 26):
        opened = busy_market(tmp_path, seed, 200)
        run = ran(
            opened, queue=queue, size=2.5, inventory=10.0, inventory_max=100.0, loss_max=1e9, compiled=True, requote_bps=1.0
        )
        moments, ours = history(opened), by_order(run)
        for row, have in zip(run.orders.tolist(), ours, strict=True):
            assert filled(moments, row, run.terms.entry_ns, even=queue == "even") == have
            parts += len(have) > 1
        orders, fills = orders + len(ours), fills + len(run.fills)
    assert orders > 100
    assert fills > 60
    assert parts > 5
