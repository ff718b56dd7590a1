"""Versions of a protective order at Binance: what is remembered of them, what a process knows of its own, whose an order is."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from engine.core.orders import DONE, UNKNOWN, WORKING, VenueOrder
from engine.venues.binance import BinanceVenue
from engine.venues.binance_versions import SENT_KEPT, Sent, forced_by, keep_sent
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP
from tests.fakes.exchange.played import Played

BINANCE = ADAPTED["binance"]


def test_versions_are_remembered_of_the_orders_that_were_sent_last() -> None:
    """A process lives for months, and places thousands of stops; one that moves stays, however long ago it was placed."""
    sent: dict[str, Sent] = {}
    keep_sent(sent, "ndS1", 0)
    for n in range(3 * SENT_KEPT):
        keep_sent(sent, f"ndS{n + 2}", 0)
        if n % 500 == 0:
            keep_sent(sent, "ndS1", n)
    assert len(sent) == SENT_KEPT
    assert (sent["ndS1"].version, "ndS2" in sent) == (2_500, False)


@pytest.mark.parametrize(
    ("client", "forced"),
    [
        ("autoclose-17", "liquidation"),
        ("adl_autoclose", "adl"),
        ("settlement_autoclose-8", "delivery"),
        ("web_1", ""),
        ("ndS1autoclose-", ""),
    ],
)
def test_what_binance_itself_closes_is_named_by_the_ids_that_it_keeps_for_that(client: str, forced: str) -> None:
    """Of nobody's order: the desk's own name is never one of them."""
    assert forced_by(client) == forced


def test_a_stop_that_somebody_cancels_at_the_venue_has_ended_at_once() -> None:
    """No newer version is on its way, so its layer does not wait without one; but after a process that ended while moving it."""

    async def gone(played: Played, binance: BinanceVenue) -> list[str]:
        await binance.place(ENTER)
        await binance.place(STOP)
        await binance.amend(STOP, 58_500.0, 300)
        (there,) = played.venue.exchange.open_algos()
        await binance.trading.fapiprivate_delete_algoorder({"symbol": "BTCUSDT", "clientAlgoId": there.client})
        another = [binance._replace(last_sent={}) for _ in range(2)]  # processes that do not know what was sent before them
        moved = STOP._replace(amending=1)
        return [(await one.ask(about)).state for one, about in zip((binance, *another), (STOP, STOP, moved), strict=True)]

    assert BINANCE.run(gone) == [DONE, DONE, UNKNOWN]


class Killed(Exception):
    """The process ends here."""


def dying(client: Any, at: int, after: bool) -> Any:
    """The client of a process that ends before, or just after, its `at`-th request that changes something."""

    class Dying:
        """ccxt, until then."""

        def __init__(self) -> None:
            self.left = at

        def __getattr__(self, name: str) -> Any:
            call = getattr(client, name)
            if not name.startswith(("fapiprivate_post_algo", "fapiprivate_delete_algo")):
                return call

            async def last(about: dict[str, Any]) -> Any:
                self.left -= 1
                if self.left < 0 and not after:
                    raise Killed
                answer = await call(about)
                if self.left < 0:
                    raise Killed
                return answer

            return last

    return Dying()


async def as_the_desk_asks(binance: BinanceVenue, stop: VenueOrder, price: float, played: Played) -> list[float]:
    """Ask until it is known how the stop stands, and move it to its level, as the duties do; the levels that were said."""
    said: list[float] = []
    for _ in range(60):
        asked = await binance.ask(stop._replace(amending=1))
        if asked.state == WORKING and asked.price is not None:
            said.append(asked.price)
            moved = asked if asked.price == price else await binance.amend(stop, price, 300)
            if moved.state == WORKING and moved.price == price:
                return said
        await played.wait(1_000)
    raise AssertionError(f"nothing was known of it: {said}")


def test_lots_that_no_version_covers_wait_for_no_version_in_doubt() -> None:
    """The stop of a layer that has grown was acknowledged and lost: another one covers it seconds later, not half a minute."""

    async def grown(played: Played, binance: BinanceVenue) -> list[Any]:
        thin = STOP._replace(lots=100)
        await binance.place(ENTER)
        await binance.place(thin)
        played.venue.faults.on("lost_order")
        said = [await binance.amend(thin, 58_000.0, 300), await binance.ask(thin)]
        played.venue.faults.off("lost_order")
        await played.wait(3_000)
        said += [await binance.ask(thin), await binance.amend(thin, 58_000.0, 300)]
        return [[(one.state, one.lots) for one in said], [algo.client for algo in played.venue.exchange.open_algos()]]

    said, there = BINANCE.run(grown)
    assert [state for state, _ in said] == [UNKNOWN, UNKNOWN, WORKING, WORKING]
    assert ([lots for _, lots in said[2:]], there) == ([100, 300], ["ndS1-2"])


@pytest.mark.sample(8)
@pytest.mark.parametrize("lists", ["", "lists_late"])
@pytest.mark.parametrize("on_its_way", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
def test_no_version_is_placed_beside_one_that_a_killed_process_has_sent(
    at: int, after: bool, on_its_way: bool, lists: str
) -> None:
    """Killed before or behind each write, the last one perhaps still on its way: two stand no longer than a question takes."""

    async def kill(played: Played, binance: BinanceVenue) -> tuple[int, int, list[Any], float | None]:
        exchange, faults = played.venue.exchange, played.venue.faults
        if lists:
            faults.on(lists)
        await binance.place(ENTER)
        await binance.place(STOP)
        mortal = binance._replace(trading=dying(binance.trading, at, after))
        with suppress(Killed):
            for n, price in enumerate((58_100.0, 58_200.0, 58_300.0)):
                if on_its_way and n == at // 2:
                    faults.on("late")
                await mortal.amend(STOP, price, 300)
        faults.off("late")
        counts = [(exchange.now, len(exchange.open_algos()))]
        exchange.listeners.append(lambda event: counts.append((event.t_ms, len(exchange.open_algos()))))
        next_one = BINANCE.adapter(played.client)
        await as_the_desk_asks(next_one, STOP, 58_400.0, played)
        await played.wait(60_000)
        counts.append((exchange.now, 1))
        two_ms = sum(later - t_ms for (t_ms, n), (later, _) in pairwise(counts) if n > 1)
        there = [(algo.stop, algo.lots) for algo in exchange.open_algos()]
        return two_ms, min(n for _, n in counts), there, (await next_one.ask(STOP)).price

    two_ms, least, there, price = BINANCE.run(kill)
    assert (there, price, least) == ([(584_000, 300)], 58_400.0, 1)
    assert two_ms <= 1_000
