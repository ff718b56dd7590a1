"""What is Binance's own in its adapter: ids that come again, weeks and pages, settings, codes. Stops have a file of their own."""

import asyncio
from typing import Any

import pytest

from engine.core.orders import UNKNOWN, WORKING
from engine.core.state import ENTRY, EXIT_SLOT, TARGET_SLOT
from engine.errors import DataError
from engine.venues import binance_lists
from engine.venues.binance import OUTCOMES, BinanceVenue, stem_of
from engine.venues.instruments import instrument_of
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, code_of, outcome_of
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, STOP, order
from tests.fakes.exchange.binance.played import INST, SYMBOL, under_virtual_clock
from tests.fakes.exchange.orders import Order
from tests.fakes.exchange.played import Played

BINANCE = ADAPTED["binance"]
DAY = 24 * 60 * MINUTE


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


def test_what_takes_is_no_post_only_order() -> None:
    """GTX: an entry and an exit are refused, not orders that ended at once."""

    async def take(played: Played, binance: BinanceVenue) -> list[Any]:
        await binance.place(ENTER)
        takes = order("nd1", ENTRY, 1, 100, 61_000.0, post_only=1), order("nd2", EXIT_SLOT, -1, 100, 59_000.0, post_only=1)
        return [await binance.place(one) for one in takes]

    assert [(one.outcome, "-5022" in one.why) for one in BINANCE.run(take)] == [(REFUSED, True)] * 2


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
    monkeypatch.setattr(binance_lists, "PAGE", 7)

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


def test_whose_an_old_execution_was_is_not_asked() -> None:
    """A first start reads all that an account ever traded: thousands of orders, asked for one by one."""

    async def old(played: Played, binance: BinanceVenue) -> tuple[Any, int]:
        await binance.place(ENTER)
        await played.wait(8 * DAY)
        await binance.place(order("ndE2", lots=10))
        before = len(played.venue.calls)
        trades, _ = await binance.trades("")
        return [one.order for one in trades], len(played.venue.calls) - before

    assert BINANCE.run(old) == (["", "", "", "ndE2"], 2)


def test_settings_that_the_desk_cannot_trade_with_are_said() -> None:
    """Cross margin is not isolated; hedge mode with a position, and a fee paid in BNB, stop it with one line."""

    async def odd(played: Played, binance: BinanceVenue) -> tuple[Any, ...]:
        flat = await binance.position()
        await binance.trading.set_margin_mode("cross", SYMBOL)
        await binance.trading.set_leverage(7, SYMBOL)
        await binance.place(ENTER)
        await asyncio.sleep(binance_lists.SETTINGS_MS / 1_000)
        cross = await binance.position()
        (row,) = await binance._data("positionrisk", {}, "v3")

        async def hedged(*_: Any) -> Any:
            return [row | {"positionSide": "LONG"}]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BinanceVenue, "_data", hedged)
            with pytest.raises(DataError, match="hedge mode"):
                await binance.position()
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

    lists = ("openOrders", "openAlgoOrders", "algoOrder", "allAlgoOrders", "userTrades", "income", "symbolConfig")
    requests = {f"{method} v1/order" for method in ("POST", "PUT", "DELETE", "GET")} | {
        "POST v1/algoOrder",
        "DELETE v1/algoOrder",
    }
    assert BINANCE.run(each) == requests | {f"GET v1/{name}" for name in lists} | {"GET v3/positionRisk"}


def test_what_is_too_small_to_open_may_still_be_closed() -> None:
    """With Binance's own lot: 60 USDT is below the least notional of an entry, and no reason to keep a position."""

    async def dust(played: Played) -> tuple[Any, Any, int]:
        binance = BinanceVenue(played.client, played.client, instrument_of("binance", "BTC-USDT"), INST, {}, 0)
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
    assert pages == ["no row: a page of HTML"] * 2
    assert failed.startswith("502")
    assert not [word for word in ("signature", "http:", "<") if word in failed]


def test_sizes_prices_and_ids_are_exact() -> None:
    """No float's tail is sent; a version is no part of the desk's id."""
    binance = BinanceVenue(None, None, instrument_of("binance", "BTC-USDT"), INST, {}, 0)
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
