"""What is Bybit's own in its adapter: windows of time, the history behind recent orders, modes, codes."""

from decimal import Decimal
from typing import Any

import pytest

from engine.core.orders import DONE, REJECTED, UNKNOWN, WORKING
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues.bybit import OUTCOMES, WEEK_MS, BybitVenue
from engine.venues.instruments import instrument_of
from engine.venues.outcome import EXISTS, NOT_FOUND, code_of, outcome_of
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, STOP, order
from tests.fakes.exchange.bybit.played import INST
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS

BYBIT = ADAPTED["bybit"]
MINE = {"category": "linear", "symbol": INST}


def test_an_order_that_the_recent_list_has_forgotten_is_in_the_history() -> None:
    """Not found means in neither; an old order that filled is done, not lost."""

    async def forgotten(played: Played, bybit: BybitVenue) -> list[Any]:
        await bybit.place(ENTER)
        played.venue.recent = 0
        return [await bybit.ask(ENTER), await bybit.ask(order("nd9"))]

    old, never = BYBIT.run(forgotten)
    assert (old.state, old.filled_lots) == (DONE, 300)
    assert (never.state, never.outcome) == (UNKNOWN, NOT_FOUND)


def test_a_history_that_cannot_be_asked_leaves_an_order_in_doubt() -> None:
    """Half an answer is not 'not found'."""

    async def half(played: Played, bybit: BybitVenue) -> Any:
        page = bybit._page

        async def broken(name: str, about: Any) -> Any:
            if name.endswith("history"):
                played.venue.faults.on("http_5xx")
            return await page(name, about)

        class Halting(BybitVenue):
            """Its history is away."""

            _page = staticmethod(broken)  # type: ignore[assignment]

        return await Halting(*bybit).ask(ENTER)

    asked = BYBIT.run(half)
    assert (asked.state, asked.outcome) == (UNKNOWN, "unknown")


def test_a_stop_that_fires_at_nothing_was_refused() -> None:
    """It says Rejected: there is no such order, and never a fill of it."""

    async def fires(played: Played, bybit: BybitVenue) -> list[Any]:
        placed = await bybit.place(STOP)
        await played.wait(700 * MINUTE)
        return [placed, await bybit.ask(STOP)]

    placed, fired = BYBIT.run(fires)
    assert placed.state == WORKING
    assert (fired.state, fired.outcome, fired.filled_lots) == (REJECTED, REFUSED, 0)


def test_a_stop_that_was_ended_while_it_waited_is_done() -> None:
    """Bybit calls it Deactivated."""

    async def ended(played: Played, bybit: BybitVenue) -> list[Any]:
        await bybit.place(ENTER)
        await bybit.place(STOP)
        return [await bybit.cancel(STOP), await bybit.cancel(STOP), await bybit.standing()]

    first, again, standing = BYBIT.run(ended)
    assert (first.state, first.why.split()[0], standing) == (DONE, "Deactivated", [])
    assert (again.state, again.outcome) == (DONE, NOT_FOUND)


@pytest.mark.parametrize(("side", "price", "way"), [(-1, 58_000.0, 2), (1, 62_000.0, 1)])
def test_a_stop_waits_for_the_side_on_which_it_loses(side: int, price: float, way: int) -> None:
    """A long's below, a short's above; the price is the last one's."""

    async def placed(played: Played, bybit: BybitVenue) -> Any:
        await bybit.place(order("ndE1", ENTRY, -side))
        await bybit.place(order("ndS1", PROTECTIVE, side, price=price))
        return [fields for _, path, fields in played.venue.calls if path == "order/create"][-1], played.venue.noted

    sent, noted = BYBIT.run(placed)
    assert (sent["triggerDirection"], sent["triggerBy"], sent["reduceOnly"], sent["orderType"]) == (
        way,
        "LastPrice",
        True,
        "Market",
    )
    assert not noted


def test_the_adapter_sends_no_field_that_bybit_does_not_document() -> None:
    """Nor one that the local venue would note."""

    async def everything(played: Played, bybit: BybitVenue) -> Any:
        for one in (ENTER, STOP, order("ndL1", ENTRY, 1, 300, 50_000.0, post_only=1)):
            await bybit.place(one)
        await bybit.amend(STOP, 58_500.0, 200)
        await bybit.amend(order("ndL1"), 50_100.0, 200)
        await bybit.cancel(order("ndL1"))
        await bybit.ask(order("nd9"))
        for question in (
            bybit.standing(),
            bybit.trades(""),
            bybit.trades(f"{START_MS}:{START_MS}/x"),
            bybit.bills(START_MS),
            bybit.position(),
        ):
            await question
        return played.venue.noted, {path for _, path, _ in played.venue.calls}

    noted, paths = BYBIT.run(everything)
    assert not noted
    assert len(paths) == 9


def test_an_execution_that_is_listed_behind_a_newer_one_is_not_lost() -> None:
    """Hidden at the first look: the second one brings it, and it alone; much later the cursor has forgotten both."""

    async def late(played: Played, bybit: BybitVenue) -> list[Any]:
        class Late(BybitVenue):
            """Its list hides an execution at first."""

            async def _page(self, name: str, about: Any) -> Any:
                rows, cursor = await bybit._page(name, about)
                return [row for row in rows if row["orderLinkId"] not in hidden], cursor

        for number in range(2):
            await bybit.place(order(f"nd{number}", lots=10))
            await played.wait(20_000)
        said, cursor = [], ""
        hidden = ["nd0"]
        for _ in range(3):
            new, cursor = await Late(*bybit).trades(cursor)
            said.append([trade.order for trade in new])
            hidden.clear()
        await played.wait(3 * MINUTE)
        await bybit.place(order("nd2", lots=10))
        new, cursor = await bybit.trades(cursor)
        return [*said, [trade.order for trade in new], cursor.count("/")]

    assert BYBIT.run(late) == [["nd1"], ["nd0"], [], ["nd2"], 1]


def test_executions_of_months_are_all_there() -> None:
    """A list shows a week: the adapter asks for the weeks between its cursor and now."""

    async def rarely(played: Played, bybit: BybitVenue) -> list[Any]:
        await bybit.place(order("nd0", lots=10))
        _, cursor = await bybit.trades("")
        for number in range(1, 4):
            await played.wait(9 * 24 * 60 * MINUTE)
            await bybit.place(order(f"nd{number}", lots=10))
        new, _ = await bybit.trades(cursor)
        return [trade.order for trade in new]

    assert BYBIT.run(rarely) == ["nd1", "nd2", "nd3"]


def test_what_stands_is_listed_over_pages() -> None:
    """Sixty orders, fifty a page, each once."""

    async def many(played: Played, bybit: BybitVenue) -> list[str]:
        for number in range(60):
            await bybit.place(order(f"nd{number}", ENTRY, 1, 10, 50_000.0 + number))
            await played.wait(100)
        return [one.order for one in await bybit.standing()]

    assert sorted(BYBIT.run(many)) == sorted(f"nd{number}" for number in range(60))


def test_hedge_mode_and_cross_margin_are_seen() -> None:
    """A position of one side of a hedge is an error with its way out; the margin mode is the account's."""

    async def modes(played: Played, bybit: BybitVenue) -> Any:
        await bybit.trading.private_post_v5_account_set_margin_mode({"setMarginMode": "REGULAR_MARGIN"})
        await bybit.place(ENTER)
        crossed = await bybit.position()
        result = bybit._result

        async def hedged(self: Any, name: str, about: Any) -> Any:
            found = await result(name, about)
            return found | {"list": [row | {"positionIdx": 1} for row in found["list"]]} if "list" in found else found

        class Hedged(BybitVenue):
            """Its position is the long side of a hedge."""

            _result = hedged  # type: ignore[assignment]

        with pytest.raises(DataError, match="hedge mode - set one-way mode"):
            await Hedged(*bybit).position()
        return crossed

    crossed = BYBIT.run(modes)
    assert (crossed.lots, crossed.isolated) == (300, False)


def test_in_hedge_mode_nothing_is_ordered() -> None:
    """Every order says that it is for the one-way position: the venue refuses it."""

    async def hedged(played: Played, bybit: BybitVenue) -> Any:
        await bybit.trading.private_post_v5_position_switch_mode(MINE | {"mode": 3})
        return await bybit.place(ENTER), len(played.venue.exchange.orders)

    placed, count = BYBIT.run(hedged)
    assert (placed.state, placed.outcome, count) == (REJECTED, REFUSED, 0)


def test_a_cursor_of_pages_that_runs_in_a_circle_is_an_error() -> None:
    """Not a desk that hangs."""

    async def circle(played: Played, bybit: BybitVenue) -> None:
        class Circling(BybitVenue):
            """Its pages never end."""

            async def _page(self, name: str, about: Any) -> Any:
                return [{"execTime": "1"}], "again"

        with pytest.raises(DataError, match="more than 200 pages"):
            await Circling(*bybit).trades("")

    BYBIT.run(circle)


def test_a_funding_without_an_id_is_an_error() -> None:
    """It could not be booked exactly once."""
    bybit = BYBIT.adapter(None)
    line = {"symbol": INST, "tradeId": "", "change": "-0.18", "transactionTime": "1700006400000"}
    with pytest.raises(DataError, match="1700006400000 has no id"):
        bybit._bill(line)
    assert bybit._bill(line | {"tradeId": "a"}).cash == -0.18


def test_sizes_and_prices_are_exact() -> None:
    """No float's tail is sent, and a size between two lots is an error."""
    bybit = BybitVenue(None, None, instrument_of("bybit", "BTC-USDT"), INST, Decimal("0.001"))
    assert [bybit._size(lots) for lots in (1, 30, 1000, 12_345)] == ["0.001", "0.03", "1", "12.345"]
    assert [bybit._price(price) for price in (0.1 + 0.2, 59_000.3, 60_000.0)] == ["0.3", "59000.3", "60000"]
    assert bybit._lots("12.345") == 12_345
    with pytest.raises(DataError, match="between two lots"):
        bybit._lots("0.0015")


def test_the_table_of_codes() -> None:
    """Of ccxt's text; what is new, and what the venue itself is unsure of, proves nothing."""
    twice = Exception('bybit {"retCode":110072,"retMsg":"OrderLinkedID is duplicate","result":{},"retExtInfo":{},"time":1}')
    assert (code_of(twice), outcome_of(twice, OUTCOMES)) == ("110072", EXISTS)
    for code in ("5004", "10014", "10016", "110019", "110030", "199999"):
        assert outcome_of(Exception(f'bybit {{"retCode":{code},"retMsg":""}}'), OUTCOMES) == "unknown"
    assert WEEK_MS == 604_800_000
