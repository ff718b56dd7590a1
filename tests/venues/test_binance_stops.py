"""A protective order at Binance: versions under one id of the desk, one of which is open; what fires, what cannot be asked."""

from typing import Any

import pytest

from engine.core.orders import DONE, UNKNOWN, WORKING, VenueOrder
from engine.venues.binance import BinanceVenue
from engine.venues.binance_versions import Sent, left_out
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, STOP, order
from tests.fakes.exchange.binance.played import under_virtual_clock
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import flat_path, small_exchange

BINANCE = ADAPTED["binance"]
DAY = 24 * 60 * MINUTE


def stops(played: Played) -> list[tuple[str, int]]:
    """(client id, level) of the conditional orders that stand."""
    return [(algo.client, algo.stop) for algo in played.venue.exchange.open_algos()]


def test_a_stop_moves_by_a_new_one_before_the_old_one_goes() -> None:
    """At no time is there none; afterwards one stands, under the desk's one id; the same again changes nothing."""

    async def trail(played: Played, binance: BinanceVenue) -> tuple[list[Any], list[Any], list[int]]:
        await binance.place(ENTER)
        await binance.place(STOP)
        least: list[int] = []
        played.venue.exchange.listeners.append(lambda _: least.append(len(stops(played))))
        said = [await binance.amend(STOP, price, 300) for price in (58_500.0, 58_600.0, 58_600.0, 58_500.0)]
        shown = [(one.order, one.price) for one in await binance.standing()]
        return said, [stops(played), shown], least

    said, (there, shown), least = BINANCE.run(trail)
    assert [(one.state, one.price, one.lots) for one in said] == [
        (WORKING, p, 300) for p in (58_500.0, 58_600.0, 58_600.0, 58_500.0)
    ]
    assert there == [("ndS1-3", 585_000)]
    assert shown == [("ndS1", 58_500.0)]
    assert set(least) == {1, 2}


@pytest.mark.parametrize(("fault", "level"), [("timeout_before", 580_000), ("timeout_after", 585_000)])
def test_a_stop_whose_move_is_not_answered_is_one_stop_again(fault: str, level: int) -> None:
    """Both truths: it is in doubt, it is asked, and one version stands."""

    async def lost(played: Played, binance: BinanceVenue) -> tuple[Any, Any, list[Any]]:
        await binance.place(ENTER)
        await binance.place(STOP)
        played.venue.faults.on(fault)
        moved = await binance.amend(STOP, 58_500.0, 300)
        played.venue.faults.off(fault)
        await played.wait(MINUTE)
        return moved, await binance.ask(STOP), stops(played)

    moved, asked, there = BINANCE.run(lost)
    assert (moved.state, moved.outcome) == (UNKNOWN, "unknown")
    assert (asked.state, asked.price) == (WORKING, level / 10)
    assert [at for _, at in there] == [level]


def test_two_that_stand_are_in_doubt_until_one_is_gone() -> None:
    """The old one cannot be cancelled: nobody is allowed to think that the stop has moved."""

    async def two(played: Played, binance: BinanceVenue) -> tuple[Any, int, Any, list[Any]]:
        await binance.place(ENTER)
        await binance.place(STOP)
        played.venue.faults.on("reject_cancels")
        moved, count = await binance.amend(STOP, 58_500.0, 300), len(stops(played))
        played.venue.faults.off("reject_cancels")
        return moved, count, await binance.ask(STOP), stops(played)

    moved, count, asked, there = BINANCE.run(two)
    assert (moved.state, moved.outcome, count) == (UNKNOWN, "unknown", 2)
    assert (asked.state, asked.price, there) == (WORKING, 58_500.0, [("ndS1-1", 585_000)])


def test_the_old_one_that_fires_while_the_new_one_is_placed_ends_both() -> None:
    """It is the desk's one order that has fired: the newer version goes, and does not close what is left."""

    async def race(played: Played, binance: BinanceVenue) -> tuple[Any, Any, list[Any], int]:
        await binance.place(order("ndE1", lots=600))
        await binance.place(STOP)
        played.venue.faults.on("reject_cancels")
        await binance.amend(STOP, 56_000.0, 300)
        await played.wait(700 * MINUTE)  # 57,000.0: the old one fires
        played.venue.faults.off("reject_cancels")
        fired = await binance.ask(STOP)
        return fired, await binance.trades(""), stops(played), played.venue.exchange.account.position("BTC").lots

    fired, (trades, _), there, left = BINANCE.run(race)
    assert (fired.state, fired.filled_lots, there, left) == (DONE, 300, [], 300)
    assert sum(one.lots for one in trades if one.venue_id == fired.child_id) == 300


def test_a_list_that_does_not_have_the_new_version_yet_ends_no_stop() -> None:
    """The old one is cancelled, the new one is not listed: it is asked for by its id, and moved as if it were."""

    async def lagging(played: Played, binance: BinanceVenue) -> list[Any]:
        class Lagging(BinanceVenue):
            """Its list has no second version yet."""

            async def _versions(self, order: Any) -> Any:
                return [row for row in await binance._versions(order) if row["clientAlgoId"] == order.id]

        slow = Lagging(*binance)
        await binance.place(ENTER)
        await binance.place(STOP)
        said = [await slow.amend(STOP, 58_500.0, 300), await slow.ask(STOP), await slow.amend(STOP, 58_600.0, 300)]
        return [*said, await binance.ask(STOP), stops(played)]

    *said, there = BINANCE.run(lagging)
    assert [(one.state, one.price) for one in said] == [(WORKING, p) for p in (58_500.0, 58_500.0, 58_600.0, 58_600.0)]
    assert there == [("ndS1-2", 586_000)]


def test_a_new_version_that_was_acknowledged_and_lost_leaves_the_old_one() -> None:
    """It is read back before the old one goes: a layer is never without its stop."""

    async def lost(played: Played, binance: BinanceVenue) -> tuple[Any, Any, list[Any], Any]:
        await binance.place(ENTER)
        await binance.place(STOP)
        played.venue.faults.on("lost_order")
        moved = await binance.amend(STOP, 58_500.0, 300)
        there = stops(played)
        played.venue.faults.off("lost_order")
        soon = await binance.ask(STOP)
        await played.wait(MINUTE)
        return (moved, soon), await binance.ask(STOP), there, await binance.amend(STOP, 58_500.0, 300)

    doubts, asked, there, again = BINANCE.run(lost)
    assert [(one.state, one.outcome) for one in doubts] == [(UNKNOWN, "unknown")] * 2
    assert there == [("ndS1", 580_000)]
    assert (asked.state, asked.price) == (WORKING, 58_000.0)
    assert (again.state, again.price) == (WORKING, 58_500.0)


def test_a_cancelled_stop_is_cancelled_in_every_version() -> None:
    """Two stand, neither does after."""

    async def end(played: Played, binance: BinanceVenue) -> tuple[Any, list[Any]]:
        await binance.place(ENTER)
        await binance.place(STOP)
        played.venue.faults.on("reject_cancels")
        await binance.amend(STOP, 58_500.0, 300)
        played.venue.faults.off("reject_cancels")
        return await binance.cancel(STOP), stops(played)

    ended, there = BINANCE.run(end)
    assert (ended.state, ended.filled_lots, there) == (DONE, 0, [])


def test_a_stop_of_long_ago_is_still_found() -> None:
    """Its first version is forgotten by Binance, and its last one was placed six weeks before it fires."""

    async def old(played: Played, binance: BinanceVenue) -> tuple[Any, Any]:
        stop = STOP._replace(decided_ms=played.venue.exchange.clock())
        await binance.place(ENTER)
        await binance.place(stop)
        await binance.amend(stop, 54_000.0, 300)
        for _ in range(42):
            await played.wait(DAY)
        standing = await binance.ask(stop)
        await played.wait(DAY)
        return standing, await binance.ask(stop)

    def falling(clock: Any) -> Any:
        return small_exchange(clock, flat_path(600_000, (42 * DAY + MINUTE, 539_000, 300)))

    standing, fired = under_virtual_clock(lambda played: old(played, BINANCE.adapter(played.client)), falling)[0]
    assert (standing.state, standing.price) == (WORKING, 54_000.0)
    assert (fired.state, fired.filled_lots, bool(fired.child_id)) == (DONE, 300, True)


def test_a_conditional_order_that_cannot_be_asked_for_is_in_doubt() -> None:
    """Not found it is not: the venue has not answered. Nor is it moved then."""

    async def hidden(played: Played, binance: BinanceVenue) -> list[Any]:
        await binance.place(ENTER)
        await binance.place(STOP)
        played.venue.faults.on("algo_unaskable")
        return [await binance.ask(STOP), await binance.amend(STOP, 58_500.0, 300), await binance.cancel(STOP), len(stops(played))]

    *said, count = BINANCE.run(hidden)
    assert [(one.state, one.outcome) for one in said] == [(UNKNOWN, "unknown")] * 3
    assert count == 1


def test_a_stop_that_a_list_leaves_out_is_moved_and_cancelled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a list: it is asked for by its id. That nothing of it stands any more is known once a list shows it."""

    async def none(*_: Any) -> list[Any]:
        return []

    async def left_out(played: Played, binance: BinanceVenue) -> tuple[Any, Any, Any, list[Any]]:
        other = order("ndS2", STOP.slot, -1, 300, 58_400.0)
        await binance.place(ENTER)
        await binance.place(STOP)
        with monkeypatch.context() as half:
            half.setattr(BinanceVenue, "_versions", none)
            moved = await binance.amend(STOP, 58_500.0, 300)
        there = stops(played)
        await binance.cancel(STOP)
        await binance.place(other)
        with monkeypatch.context() as half:
            half.setattr(BinanceVenue, "_versions", none)
            gone = await binance.cancel(other)
        await played.wait(MINUTE)
        return moved, gone, await binance.ask(other), [there, stops(played)]

    moved, gone, afterwards, there = BINANCE.run(left_out)
    assert (moved.state, moved.price) == (WORKING, 58_500.0)
    assert (gone.state, afterwards.state) == (UNKNOWN, DONE)
    assert there == [[("ndS1-1", 585_000)], []]


def test_a_version_that_fired_and_is_left_out_of_a_list_ends_no_stop_without_its_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a list has the cancelled first version alone: the stop was taken to be cancelled, and its execution to be nobody's."""
    of_list = BinanceVenue._versions

    async def first_half(venue: BinanceVenue, stop: VenueOrder) -> list[Any]:
        return (await of_list(venue, stop))[:1]

    async def left_out(played: Played, binance: BinanceVenue) -> Any:
        await binance.place(ENTER)
        await binance.place(STOP)
        await binance.amend(STOP, 58_500.0, 300)
        await played.wait(700 * MINUTE)
        with monkeypatch.context() as half:
            half.setattr(BinanceVenue, "_versions", first_half)
            return await binance.ask(STOP), (await first_half(binance, STOP))[0]

    asked, listed = BINANCE.run(left_out)
    assert listed["algoStatus"] == "CANCELED"
    assert (asked.state, asked.filled_lots, bool(asked.child_id)) == (DONE, 300, True)


def test_no_version_is_sent_beside_one_that_may_still_come() -> None:
    """A request without an answer arrives eight seconds later: until then the stop does not move, and ends in doubt alone."""

    async def late(played: Played, binance: BinanceVenue) -> Any:
        await binance.place(ENTER)
        await binance.place(STOP)
        most: list[int] = []
        played.venue.exchange.listeners.append(lambda _: most.append(len(stops(played))))
        played.venue.faults.on("late")
        first = await binance.amend(STOP, 58_500.0, 300)
        played.venue.faults.off("late")
        second = await binance.amend(STOP, 58_600.0, 300)
        await played.wait(10_000)
        asked, third = await binance.ask(STOP), await binance.amend(STOP, 58_600.0, 300)
        played.venue.faults.on("late")
        await binance.amend(STOP, 58_700.0, 300)
        played.venue.faults.off("late")
        ended = [await binance.cancel(STOP)]
        await played.wait(10_000)
        return [first, second, asked, third], [*ended, await binance.cancel(STOP)], stops(played), max(most)

    moves, ends, there, most = BINANCE.run(late)
    assert [(one.state, one.price) for one in moves] == [(UNKNOWN, None)] * 2 + [(WORKING, 58_500.0), (WORKING, 58_600.0)]
    assert ([one.state for one in ends], there, most) == ([UNKNOWN, DONE], [], 2)


def test_a_version_that_stands_and_is_left_out_of_a_list_is_moved_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list has the cancelled first version alone; what stands behind it is the order."""
    of_list = BinanceVenue._versions

    async def first_half(venue: BinanceVenue, stop: VenueOrder) -> list[Any]:
        return (await of_list(venue, stop))[:1]

    async def left_out(played: Played, binance: BinanceVenue) -> Any:
        await binance.place(ENTER)
        await binance.place(STOP)
        await binance.amend(STOP, 58_100.0, 300)
        await played.wait(MINUTE)
        with monkeypatch.context() as half:
            half.setattr(BinanceVenue, "_versions", first_half)
            asked, moved = await binance.ask(STOP), await binance.amend(STOP, 58_200.0, 300)
            there = stops(played)
            await played.wait(MINUTE)
            return asked, moved, there, await binance.cancel(STOP), stops(played)

    asked, moved, there, gone, after = BINANCE.run(left_out)
    assert (asked.state, asked.price) == (WORKING, 58_100.0)
    assert (moved.state, moved.price, there) == (WORKING, 58_200.0, [("ndS1-2", 582_000)])
    assert (gone.state, after) == (DONE, [])


@pytest.mark.parametrize(
    ("listed", "standing", "sent", "absent"),
    [
        (["S"], "", 0, ["S-1"]),
        (["S", "S-3"], "", 0, ["S-1", "S-2", "S-4"]),
        (["S-7", "S-8"], "", 0, ["S-9"]),
        (["S-1", "S"], "", 0, ["S-2"]),
        (["S", "S-3"], "S-3", 3, []),
        (["S"], "S", 2, ["S-1", "S-2"]),
        (["S", "S-3"], "S-3", None, [f"S-{n}" for n in range(4, 14)]),
    ],
)
def test_what_a_list_may_have_left_out(listed: list[str], standing: str, sent: int | None, absent: list[str]) -> None:
    """Not those before its first: Binance forgets what was cancelled three days ago. Of another process nothing is known."""
    rows = [{"clientAlgoId": id_, "algoStatus": "NEW" if id_ == standing else "CANCELED"} for id_ in listed]
    assert left_out("S", rows, None if sent is None else Sent(sent, 0)) == absent


def test_a_stop_without_a_position_ends_without_a_fill() -> None:
    """Binance takes it, and refuses its child when it triggers."""

    async def alone(played: Played, binance: BinanceVenue) -> tuple[Any, Any]:
        placed = await binance.place(STOP)
        await played.wait(700 * MINUTE)
        return placed, await binance.ask(STOP)

    placed, asked = BINANCE.run(alone)
    assert placed.state == WORKING
    assert (asked.state, asked.filled_lots, asked.why) == (DONE, 0, "REJECTED")


def test_a_child_that_the_venue_does_not_find_leaves_its_stop_in_doubt() -> None:
    """The stop has fired: that its child is not there yet does not mean that the stop never was."""

    async def orphaned(played: Played, binance: BinanceVenue) -> Any:
        await binance.place(ENTER)
        row = {"algoStatus": "FINISHED", "algoId": 1, "actualOrderId": "1", "clientAlgoId": "ndS1"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BinanceVenue, "_versions", lambda *_: one_row(row))
            return await binance.ask(STOP)

    async def one_row(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [row]

    asked = BINANCE.run(orphaned)
    assert (asked.state, asked.outcome, "-2013" in asked.why) == (UNKNOWN, "unknown", True)


@pytest.mark.parametrize("before", [0, 1])
def test_the_execution_of_a_moved_stop_is_the_stops_whatever_its_child_is_called(before: int) -> None:
    """Binance gives a child the client id of the version that fired, or one that it invents: the local one does so in turn."""

    async def fires(played: Played, binance: BinanceVenue) -> tuple[list[Any], Any, str]:
        await binance.place(ENTER)
        for n in range(before):
            await binance.place(order(f"ndE{2 + n}", price=50_000.0))
        await binance.place(STOP)
        for price in (58_100.0, 58_200.0):
            assert (await binance.amend(STOP, price, 300)).state == WORKING
        await played.wait(700 * MINUTE)
        trades, _ = await binance.trades("")
        row = await binance.polling.fapiprivate_get_order({"symbol": "BTCUSDT", "orderId": trades[-1].venue_id})
        return list(trades), await binance.ask(STOP), row["clientOrderId"]

    trades, asked, called = BINANCE.run(fires)
    child = [one for one in trades if one.venue_id == asked.child_id]
    assert (asked.state, sum(one.lots for one in child)) == (DONE, 300)
    is_named = called == "ndS1-2"
    assert is_named or called.startswith("venue")
    assert {one.order for one in child} == {"ndS1" if is_named else ""}
