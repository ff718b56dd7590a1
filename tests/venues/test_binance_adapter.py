"""What is Binance's own in its adapter: stops that move by a new version, ids that come again, weeks and pages, codes."""

from typing import Any

import pytest

from engine.core.orders import DONE, UNKNOWN, WORKING
from engine.core.state import ENTRY, EXIT_SLOT, TARGET_SLOT
from engine.errors import DataError
from engine.venues import binance as module
from engine.venues.binance import OUTCOMES, BinanceVenue, stem_of
from engine.venues.instruments import instrument_of
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, code_of, outcome_of
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, STOP, order
from tests.fakes.exchange.binance.played import INST, SYMBOL, under_virtual_clock
from tests.fakes.exchange.orders import Order
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


def test_the_id_of_a_filled_entry_is_not_given_twice() -> None:
    """Binance would take it again: one position, and EXISTS. An entry that cannot be asked for is not sent."""

    async def again(played: Played, binance: BinanceVenue) -> tuple[list[Any], int, Any, int]:
        sent = [await binance.place(ENTER), await binance.place(ENTER)]
        once = played.venue.exchange.account.position("BTC").lots
        played.venue.exchange.place(Order("ndE1", "BTC", 1, 100))  # what the venue does with it
        played.venue.faults.on("read_timeout")
        return sent, once, await binance.place(order("ndE2")), played.venue.exchange.account.position("BTC").lots

    sent, once, unasked, lots = BINANCE.run(again)
    assert [one.outcome for one in sent] == ["unknown", EXISTS]
    assert (once, lots) == (300, 400)
    assert (unasked.state, unasked.outcome) == (UNKNOWN, "unknown")


@pytest.mark.parametrize("slot", [ENTRY, EXIT_SLOT])
def test_what_takes_is_no_post_only_order(slot: int) -> None:
    """GTX: refused, not an order that ended at once."""

    async def take(played: Played, binance: BinanceVenue) -> Any:
        await binance.place(ENTER)
        side, price = (1, 61_000.0) if slot == ENTRY else (-1, 59_000.0)
        return await binance.place(order("nd1", slot, side, 100, price, post_only=1))

    said = BINANCE.run(take)
    assert (said.outcome, "-5022" in said.why) == (REFUSED, True)


def test_an_execution_names_its_order_or_waits() -> None:
    """The order behind an execution is asked for; where it cannot be, nothing is handed on and the cursor does not move."""

    async def named(played: Played, binance: BinanceVenue) -> tuple[Any, Any, int]:
        await binance.place(ENTER)
        played.venue.exchange.place(Order("stranger", "BTC", 1, 100))
        before = len(played.venue.calls)
        trades, _ = await binance.trades("")
        asked = len(played.venue.calls) - before
        one = type(binance)._one

        async def broken(self: Any, *about: Any) -> Any:
            played.venue.faults.on("http_5xx")
            return await one(self, *about)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BinanceVenue, "_one", broken)
            with pytest.raises(DataError, match="did not answer order") as raised:
                await binance.trades("")
        return trades, raised.value, asked

    trades, _, asked = BINANCE.run(named)
    assert [one.order for one in trades] == ["ndE1"] * 3 + [""]
    assert asked == 3  # one page, two orders


def test_an_execution_that_is_listed_behind_a_newer_one_is_not_lost() -> None:
    """Hidden at the first look: the second one brings it, and it alone; much later the cursor has forgotten both."""

    async def late(played: Played, binance: BinanceVenue) -> list[Any]:
        class Late(BinanceVenue):
            """Its list hides an execution at first."""

            async def _data(self, name: str, about: Any, version: str = "") -> Any:
                return [row for row in await binance._data(name, about, version) if row.get("id") not in hidden]

        for number in range(3):
            await binance.place(order(f"nd{number}", lots=10))
            await played.wait(20_000)
        said, cursor = [], ""
        hidden = [2]
        for _ in range(3):
            new, cursor = await Late(*binance).trades(cursor)
            said.append([trade.order for trade in new])
            hidden.clear()
        for _ in range(2):
            await played.wait(3 * MINUTE)
            await binance.place(order(f"nd{played.venue.exchange.clock()}", lots=10))
            new, cursor = await binance.trades(cursor)
            said.append([str(len(new)), str(cursor.count("/"))])
        return said

    assert BINANCE.run(late) == [["nd0", "nd2"], ["nd1"], [], ["1", "2"], ["1", "2"]]


def test_pages_and_weeks_bring_every_execution_and_bill_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With pages of seven rows and a month of settlements."""
    monkeypatch.setattr(module, "PAGE", 7)

    async def many(played: Played, binance: BinanceVenue) -> tuple[Any, ...]:
        played.venue.exchange.markets["BTC"].depth_lots = 1
        await binance.place(order("ndE1", lots=23))
        trades, cursor = await binance.trades("")
        for _ in range(30):
            await played.wait(DAY)
        bills = await binance.bills(played.venue.exchange.ledger[0].t_ms)
        return trades, bills, await binance.trades(cursor), played.venue.exchange.ledger

    trades, bills, (later, _), ledger = BINANCE.run(many)
    assert [one.trade for one in trades] == [str(e.bill.trade) for e in ledger if e.kind == log.FILL]
    assert [bill.t_ms for bill in bills] == [e.bill.t_ms for e in ledger if e.kind == log.FUNDING]
    assert (len(trades), len(bills), later) == (23, 90, [])


def test_settings_that_the_desk_cannot_trade_with_are_said() -> None:
    """Cross margin is not isolated; hedge mode with a position, and a fee paid in BNB, stop it with one line."""

    async def odd(played: Played, binance: BinanceVenue) -> tuple[Any, ...]:
        flat = await binance.position()
        await binance.trading.set_margin_mode("cross", SYMBOL)
        await binance.trading.set_leverage(7, SYMBOL)
        await binance.place(ENTER)
        cross = await binance.position()
        (row,) = await binance._data("positionrisk", {}, "v3")
        (fill, *_) = await binance._data("usertrades", {})

        async def hedged(*_: Any) -> Any:
            return [row | {"positionSide": "LONG"}]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BinanceVenue, "_data", hedged)
            with pytest.raises(DataError, match="hedge mode"):
                await binance.position()
        with pytest.raises(DataError, match="paid in BNB"):
            binance._trade(fill | {"commissionAsset": "BNB"}, "")
        return flat, cross

    flat, cross = BINANCE.run(odd)
    assert (flat.lots, flat.isolated, flat.leverage) == (0, True, 3.0)
    assert (cross.lots, cross.isolated, cross.leverage, cross.liquidation) == (300, False, 7.0, None)


def test_the_adapter_sends_no_field_that_binance_does_not_document() -> None:
    """Each request and each question once; polls and trading are two clients."""

    async def each(played: Played, binance: BinanceVenue) -> set[str]:
        both = BinanceVenue(played.venue.virtual_client(0.0), played.client, *binance[2:])
        for one in (ENTER, STOP, order("ndT1", TARGET_SLOT, -1, price=62_000.0)):
            await both.place(one)
            await both.amend(one, one.price - 100.0, 200)
            await both.cancel(one)
        await both.standing()
        await both.trades("")
        await both.bills(0)
        await both.position()
        await both.trading.close()
        assert not played.venue.noted
        return {f"{method} {path.removeprefix('fapi/')}" for method, path, _ in played.venue.calls}

    lists = ("openOrders", "openAlgoOrders", "allAlgoOrders", "userTrades", "income", "symbolConfig")
    requests = {f"{method} v1/order" for method in ("POST", "PUT", "DELETE", "GET")} | {
        "POST v1/algoOrder",
        "DELETE v1/algoOrder",
    }
    assert BINANCE.run(each) == requests | {f"GET v1/{name}" for name in lists} | {"GET v3/positionRisk"}


def test_what_is_too_small_to_open_may_still_be_closed() -> None:
    """With Binance's own lot: 60 USDT is below the least notional of an entry, and no reason to keep a position."""

    async def dust(played: Played) -> tuple[Any, Any, int]:
        binance = BinanceVenue(played.client, played.client, instrument_of("binance", "BTC-USDT"), INST)
        await binance.place(order("ndE1", lots=3))
        refused = await binance.place(order("ndE2", lots=1))
        await binance.place(order("ndX1", EXIT_SLOT, -1, 2))
        left = (await binance.position()).lots
        closed = await binance.place(order("ndX2", EXIT_SLOT, -1, 1))
        return refused, closed, left

    (refused, closed, left), venue = under_virtual_clock(dust)
    assert (refused.outcome, "-4164" in refused.why, left) == (REFUSED, True, 1)
    assert (closed.state, venue.exchange.account.position("BTC").lots) == (WORKING, 0)


def test_a_page_of_html_is_named_in_the_answer() -> None:
    """One line that a person can read, of a request and of a question; no key and no signature is in it."""

    async def page(played: Played, binance: BinanceVenue) -> list[str]:
        await binance.place(ENTER)
        played.venue.faults.on("html")
        said = [(await binance.ask(ENTER)).why, (await binance.place(order("ndX1", EXIT_SLOT, -1))).why]
        played.venue.faults.off("html")
        played.venue.faults.on("http_5xx")
        return [*said, (await binance.ask(ENTER)).why]

    *pages, failed = BINANCE.run(page)
    assert all(text.startswith("no row: <html>") for text in pages)
    assert "signature=[secret]" in failed


def test_sizes_prices_and_ids_are_exact() -> None:
    """No float's tail is sent; a version is no part of the desk's id."""
    binance = BinanceVenue(None, None, instrument_of("binance", "BTC-USDT"), INST)
    assert [binance._size(lots) for lots in (1, 30, 12_345)] == ["0.001", "0.03", "12.345"]
    assert [binance._price(price) for price in (0.1 + 0.2, 59_000.3, 60_000.0)] == ["0.3", "59000.3", "60000"]
    assert binance._lots("12.345") == 12_345
    with pytest.raises(DataError):
        binance._lots("0.0015")
    assert [stem_of(text) for text in ("ndS1", "ndS1-12", "nd-S1", "")] == ["ndS1", "ndS1", "nd-S1", ""]


def test_the_table_of_codes() -> None:
    """Codes are negative; what leaves the execution unknown, and what is new, proves nothing."""
    proven = {"-4116": EXISTS, "-2013": NOT_FOUND, "-2011": NOT_FOUND, "-1021": NOT_TAKEN, "-1003": NOT_TAKEN, "-2022": REFUSED}
    for code, outcome in proven.items():
        error = Exception(f'binanceusdm {{"code":{code},"msg":"x"}}')
        assert (code_of(error), outcome_of(error, OUTCOMES)) == (code, outcome)
    for code in ("-1000", "-1001", "-1006", "-1007", "-2010", "-4117", "-9999", "1"):
        assert outcome_of(Exception(f'binanceusdm {{"code":{code},"msg":"x"}}'), OUTCOMES) == "unknown"
