"""What an adapter's answer claims while all kinds of fault act is true at that moment, and its lists are true once they are over.

Orders that are acknowledged and lost, a stranger, halves of lists are among the faults here. A half of a list shows the newest:
executions behind a cursor may then be missed, and are in the whole list; what finds them is an order that says more is filled.
"""

import random
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, MINUTE, Adapted, order
from tests.fakes.exchange.faults import Faults, drawn
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS, walked_exchange

BAR_MS = 8 * MINUTE
SETTLED_MS = 20 * MINUTE  # after the last fault: what was late has arrived, what was hidden is listed


class Stormed(NamedTuple):
    """What a desk without a memory has collected, and what was true at the end."""

    placed: list[tuple[VenueOrder, Any, bool]]  # each request, its answer, and whether the venue had the order then
    asked: list[tuple[VenueOrder, Any, Any]]  # at the end: the answer, and the venue's own order then
    polled: list[Any]  # executions behind its own cursor
    whole: list[Any]
    bills: list[Any]
    standing: list[Any]
    lots: int
    venue: Any


def stem(client: str) -> str:
    """The desk's id in a client id: Binance's adapter moves a stop by a new version of it, `ID-1`."""
    return client.partition("-")[0]


def there(exchange: Any, one: VenueOrder) -> Any:
    """The venue's own order: a conditional one, or what it has placed; of versions the one that fired, or the last."""
    if one.slot != PROTECTIVE:
        return exchange.by_client(one.id)
    versions = [algo for algo in exchange.algos.values() if stem(algo.client) == one.id]
    fired = [algo for algo in versions if algo.child]
    algo = (fired or versions or [None])[-1]
    return exchange.orders[algo.child] if fired else algo


def copied(mine: Any) -> Any:
    """As it is now."""
    return replace(mine) if mine else None


async def storm(played: Played, venue: Any, seed: int, bars: int) -> Stormed:
    """Orders of all kinds, moved, ended, sent again while they are in doubt; executions polled once a bar."""
    dice, exchange = random.Random(seed), played.venue.exchange
    played.venue.faults = Faults(exchange.clock, drawn(seed, START_MS, bars * BAR_MS, bars // 2 + 10), seed)
    placed: list[tuple[VenueOrder, Any, bool]] = []
    polled, cursor = [], ""
    for number in range(bars):
        last = exchange.markets["BTC"].last / 10
        fresh = [
            order(f"ndE{number}", ENTRY, 1, 10),
            order(f"ndL{number}", ENTRY, 1, 10, round(last * 0.998, 1)),
            order(f"ndS{number}", PROTECTIVE, -1, 10, round(last * 0.997, 1)),
        ]
        again = [one for one, answer, _ in placed[-5:] if answer.state == UNKNOWN]
        one = dice.choice(fresh + again[:1])
        placed.append((one, await venue.place(one), there(exchange, one) is not None))
        old = dice.choice(placed)[0]
        if old.price and dice.random() < 0.5:
            await venue.amend(old, round(last * 0.996, 1), 10)
        elif dice.random() < 0.3:
            await venue.cancel(old)
        try:
            new, cursor = await venue.trades(cursor)
            polled += new
        except DataError:
            pass
        await played.wait(BAR_MS)
    played.venue.faults.plan.clear()
    for market in exchange.markets.values():
        market.depth_lots = market.contract.depth_lots
    await played.wait(SETTLED_MS)
    asked = []
    for one in {one.id: one for one, _, _ in placed}.values():
        asked.append((one, await venue.ask(one), copied(there(exchange, one))))
        await played.wait(200)
    polled += (await venue.trades(cursor))[0]
    lists = [(await venue.trades(""))[0], await venue.bills(START_MS), await venue.standing()]
    return Stormed(placed, asked, list(polled), *lists, (await venue.position()).lots, played.venue)


def check(found: Stormed) -> None:
    """Every claim against the exchange's own ledger."""
    exchange = found.venue.exchange
    for one, answer, was_there in found.placed:
        sent_before = sum(other.id == one.id for other, _, _ in found.placed) > 1
        if answer.outcome in (REFUSED, NOT_TAKEN) and not sent_before:
            assert there(exchange, one) is None, (one.id, answer)
        if answer.outcome == EXISTS or answer.state == WORKING:
            assert was_there or found.venue.faults.count["lost_order"], (one.id, answer)
    for one, answer, truth in found.asked:
        if truth is None:
            assert (answer.state, answer.outcome) == (UNKNOWN, NOT_FOUND), (one.id, answer)
        else:
            assert (answer.state in (WORKING, PARTIAL)) is truth.is_open, (one.id, answer, truth)
            assert truth.is_open or answer.state == DONE or (answer.state == REJECTED and truth.state == o.FAILED), (
                answer,
                truth,
            )
            assert answer.filled_lots == getattr(truth, "filled", 0), (one.id, answer, truth)
    check_lists(found)


def check_lists(found: Stormed) -> None:
    """Executions, bills, position, standing orders."""
    exchange = found.venue.exchange
    fills = [(e.order.side, e.bill) for e in exchange.ledger if e.kind == log.FILL and e.bill.symbol == "BTC"]
    booked = [(side, bill.lots, bill.ticks / 10, pytest.approx(bill.fee / PICO), bill.t_ms) for side, bill in fills]
    assert [(t.side, t.lots, t.price, t.fee, t.t_ms) for t in found.whole] == booked
    ids = [trade.trade for trade in found.polled]
    assert len(ids) == len(set(ids))
    missed = {trade.trade for trade in found.whole} - set(ids)
    assert set(ids) <= {trade.trade for trade in found.whole}
    assert not missed or found.venue.faults.count["partial_answer"], missed
    bills = [e.bill for e in exchange.ledger if e.kind == log.FUNDING and e.bill.symbol == "BTC"]
    assert [(bill.t_ms, bill.cash) for bill in found.bills] == [(bill.t_ms, pytest.approx(bill.cash / PICO)) for bill in bills]
    assert found.lots == exchange.account.position("BTC").lots
    still = [stem(one.client) for one in [*exchange.open_orders(), *exchange.open_algos()] if one.symbol == "BTC"]
    assert sorted(one.order for one in found.standing) == sorted(still)


def stormed(at: Adapted, seed: int, bars: int) -> Stormed:
    """One seed."""
    found: Stormed = at.played.under_virtual_clock(
        lambda played: storm(played, at.adapter(played.client), seed, bars), lambda clock: walked_exchange(clock, 1), seed=seed
    )[0]
    return found


@pytest.mark.long
@pytest.mark.parametrize("venue", ADAPTED)
def test_answers_claim_what_is_true_under_all_kinds_of_fault(venue: str) -> None:
    """Twenty days, in which twenty kinds act."""
    kinds = set()
    for seed in range(20):
        found = stormed(ADAPTED[venue], seed, 180)
        check(found)
        kinds |= {kind for kind, count in found.venue.faults.count.items() if count}
    assert len(kinds) >= 20
