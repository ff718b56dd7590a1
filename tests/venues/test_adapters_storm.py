"""Each adapter under a seeded plan of faults: whatever was lost on the way, it says afterwards what is true at the exchange."""

import random
from collections import Counter
from typing import Any

import pytest

from engine.core.orders import DONE, PARTIAL, REJECTED, WORKING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, TARGET_SLOT
from engine.errors import DataError
from engine.venues.outcome import NOT_FOUND
from tests.fakes.exchange.adapted import ADAPTED, MINUTE, Adapted, order
from tests.fakes.exchange.faults import Faults, drawn
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS, walked_exchange

STEPS = 40
LEVELS = {PROTECTIVE: [58_000.0, 58_500.0, 59_000.0], TARGET_SLOT: [60_200.0, 60_400.0]}
# Left out, because no adapter can see it: an order that was acknowledged and never was (it is not found), and half of a list,
# of which OKX and Bybit show the newest first. Positions and the desk's own clock find these.
SENT = [
    "timeout_before",
    "timeout_after",
    "late",
    "read_timeout",
    "http_5xx",
    "html",
    "rate_limit",
    "ban",
    "maintenance",
    "clock_skew",
]
SENT += ["reject_orders", "reject_cancels", "reject_amends", "algo_unaskable", "drop_fills_rest", "venue_cancels", "thin_book"]


class Careless:
    """A client that does something at random, and the same again where it was not answered."""

    def __init__(self, played: Played, venue: Any, seed: int) -> None:
        self.played, self.venue, self.dice = played, venue, random.Random(seed)
        self.orders: dict[str, VenueOrder] = {}
        self.trades: list[Any] = []
        self.cursor = ""

    async def step(self) -> None:
        """One thing; what the venue says to it is not looked at."""
        act = self.dice.choice(
            [self.enter, self.enter, self.protect, self.aim, self.leave, self.move, self.end, self.again, self.poll]
        )
        await act()

    async def place(self, letter: str, slot: int, side: int, lots: int, price: float) -> None:
        """A new order."""
        one = order(f"nd{len(self.orders)}{letter}", slot, side, lots, price)
        self.orders[one.id] = one
        await self.venue.place(one)

    async def enter(self) -> None:
        """At the market or resting."""
        price = self.dice.choice([0.0, 0.0, 59_900.0])
        await self.place("E", ENTRY, 1, self.dice.choice([20, 60, 100]), price)

    async def protect(self) -> None:
        """A stop, near or far."""
        await self.place("S", PROTECTIVE, -1, 100, self.dice.choice([59_800.0, 59_000.0]))

    async def aim(self) -> None:
        """A target."""
        await self.place("T", TARGET_SLOT, -1, 100, 60_300.0)

    async def leave(self) -> None:
        """An exit."""
        await self.place("X", EXIT_SLOT, -1, 50, 0.0)

    async def move(self) -> None:
        """Amend a stop or a target."""
        if movable := [one for one in self.orders.values() if one.slot in LEVELS]:
            one = self.dice.choice(movable)
            await self.venue.amend(one, self.dice.choice(LEVELS[one.slot]), 100)

    async def end(self) -> None:
        """Cancel something."""
        if self.orders:
            await self.venue.cancel(self.dice.choice(list(self.orders.values())))

    async def again(self) -> None:
        """An entry once more, as nobody should."""
        if entries := [one for one in self.orders.values() if one.slot == ENTRY]:
            await self.venue.place(self.dice.choice(entries))

    async def poll(self) -> None:
        """What is new among the executions."""
        try:
            new, self.cursor = await self.venue.trades(self.cursor)
        except DataError:
            return
        self.trades += new


async def storm(played: Played, venue: Any, seed: int) -> dict[str, Any]:
    """What the adapter says once the faults are over, each order asked for; and how often each fault has acted."""
    await played.client.load_markets()
    span = STEPS * 2 * MINUTE
    plan = drawn(seed, START_MS, span, 12, SENT, MINUTE)
    # hidden between two pages of one look, an execution is behind newer ones for ten minutes: no cursor goes back so far
    plan = [window._replace(chance=1.0) if window.kind == "drop_fills_rest" else window for window in plan]
    played.venue.faults = Faults(played.venue.exchange.clock, plan, seed)
    careless = Careless(played, venue, seed)
    for _ in range(STEPS):
        await careless.step()
        await played.wait(2 * MINUTE)
    played.venue.faults.plan.clear()
    await played.wait(15 * MINUTE)
    new, _ = await venue.trades(careless.cursor)
    answers = {}
    for id_, one in careless.orders.items():
        await played.wait(1_000)  # no venue is asked more often than it allows
        answers[id_] = await venue.ask(one)
    said = {
        "orders": careless.orders,
        "answers": answers,
        "trades": careless.trades + list(new),
        "count": played.venue.faults.count,
    }
    return said | {"standing": await venue.standing(), "position": await venue.position(), "bills": await venue.bills(START_MS)}


def check_true(said: dict[str, Any], exchange: Any, fired: str) -> None:
    """Orders, executions, bills and position are the exchange's, each once."""
    ledger = [event for event in exchange.ledger if event.bill and event.bill.symbol == "BTC"]
    bills = [event.bill for event in ledger]
    booked = [(b.lots, b.ticks / 10) for b in bills if b.trade]
    assert sorted((one.lots, one.price) for one in said["trades"]) == sorted(booked)
    assert len({one.trade for one in said["trades"]}) == len(booked)
    assert [round(one.cash, 6) for one in said["bills"]] == [round(b.cash / 10**12, 6) for b in bills if not b.trade]
    assert said["position"].lots == exchange.account.position("BTC").lots
    assert (
        len({one.order for one in said["standing"]})
        == len(said["standing"])
        == len(exchange.open_orders() + exchange.open_algos())
    )
    given = Counter(one.client for one in exchange.orders.values() if one.client and not one.parent)
    assert [id_ for id_, count in given.items() if count > 1] == []
    filled = Counter[str]()
    for one in said["trades"]:
        filled[one.order or one.venue_id] += one.lots
    there = {one.order for one in said["standing"]}
    for id_, answer in said["answers"].items():
        assert (answer.state in (WORKING, PARTIAL)) is (id_ in there), (id_, answer)
        assert answer.state in (WORKING, PARTIAL, DONE, REJECTED) or answer.outcome == NOT_FOUND, (id_, answer)
        assert answer.filled_lots == filled[id_] + (filled[answer.child_id] if answer.child_id else 0), (id_, answer)
    assert fired or all(answer.child_id for answer in said["answers"].values() if answer.filled_lots and answer.order[-1] == "S")


def weathered(at: Adapted, seed: int) -> Counter[str]:
    """Run and check one plan; how often each fault acted."""

    async def script(played: Played) -> Any:
        return await storm(played, at.adapter(played.client), seed)

    said, local = at.played.under_virtual_clock(script, lambda clock: walked_exchange(clock, seed), seed=seed)
    check_true(said, local.exchange, at.fired)
    count: Counter[str] = said["count"]
    return count


@pytest.mark.parametrize("venue", ADAPTED)
def test_after_a_storm_the_adapter_says_what_is_true(venue: str) -> None:
    """One plan; its faults have acted."""
    assert sum(weathered(ADAPTED[venue], 5).values()) >= 5


@pytest.mark.long
@pytest.mark.parametrize("venue", ADAPTED)
def test_after_many_storms_too(venue: str) -> None:
    """Fifty plans, in which each kind of fault acts."""
    total = Counter[str]()
    for seed in range(50):
        total += weathered(ADAPTED[venue], seed)
    assert set(total) == set(SENT)
