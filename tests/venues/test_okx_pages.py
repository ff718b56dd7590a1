"""What OKX lists, as adapters read it: pages that overlap, repeat or hold a row twice; children of a stop; what no order made."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from engine.core.orders import DONE, PARTIAL
from engine.errors import DataError
from engine.venues.okx import PAGE, OkxVenue
from tests.fakes.exchange.adapted import STOP, okx_adapter

Ask = Callable[[str, Mapping[str, str]], Any]


class Scripted:
    """A ccxt client that answers as `ask` says."""

    def __init__(self, ask: Ask) -> None:
        self.ask, self.asked = ask, list[Mapping[str, str]]()

    def milliseconds(self) -> int:
        """Its clock."""
        return 10**12

    def __getattr__(self, name: str) -> Any:
        async def call(about: Mapping[str, str]) -> Any:
            self.asked.append(about)
            return {"data": self.ask(name, about)}

        return call


def run(question: Awaitable[Any]) -> Any:
    """What it brings."""

    async def main() -> Any:
        return await question

    return asyncio.run(main())


def venue_of(ask: Ask) -> OkxVenue:
    """BTC there."""
    return okx_adapter(Scripted(ask))


def fill(bill: int, kind: str = "1") -> dict[str, str]:
    """An execution of a contract."""
    about = {"tradeId": f"t{bill}", "ordId": "7", "clOrdId": "", "billId": str(bill), "side": "sell", "subType": kind}
    return about | {"fillSz": "1", "fillPx": "60000", "fee": "-0.1", "execType": "T", "ts": str(bill), "fillTime": str(bill)}


def listed(about: Mapping[str, str], bills: range, overlap: int = 0) -> list[int]:
    """Bills of a page, newest first."""
    end = int(about.get("after", "1000000")) + overlap
    return [bill for bill in reversed(bills) if int(about.get("before", "-1")) < bill < end][:PAGE]


def bills_read(page: Callable[[list[int]], list[int]], overlap: int = 0) -> list[str]:
    """Executions that the adapter reads of 250, whose pages `page` spoils."""
    venue = venue_of(lambda _, about: [fill(bill) for bill in page(listed(about, range(1_000, 1_250), overlap))])
    found, cursor = run(venue.trades("999"))
    assert cursor.split(",")[-1] == "1249/1249"
    assert run(venue.trades(cursor)) == ([], cursor)
    return [trade.trade for trade in found]


def test_an_execution_that_is_listed_behind_a_newer_one_is_not_lost() -> None:
    """Of a round trip of the gate, the exit was listed before the entry: no order of the book misses it, and the desk was a lot
    short for good. A minute back is read; what is older than that is not asked for again.
    """
    late, shown = 1_700_000_000_500, list[int]()
    venue = venue_of(lambda _, about: [fill(bill) for bill in reversed(shown) if bill > int(about.get("before", "0"))])
    found, cursor = list[list[str]](), str(late - 100_000)
    for now in (
        [late - 90_000, late + 10],
        [late - 90_000, late, late + 10],
        [late, late + 10],
        [late, late + 10, late + 90_000],
    ):
        shown[:] = now
        new, cursor = run(venue.trades(cursor))
        found.append([trade.trade for trade in new])
    assert found == [[f"t{late - 90_000}", f"t{late + 10}"], [f"t{late}"], [], [f"t{late + 90_000}"]]
    assert cursor == f"{late + 10}/{late + 10},{late + 90_000}/{late + 90_000}"


def test_a_row_that_comes_twice_ends_no_list() -> None:
    """A page of a hundred with 99 executions is full: what is behind it was never read before, and the cursor went past it."""
    every = [f"t{bill}" for bill in range(1_000, 1_250)]
    assert bills_read(lambda page: page) == every
    assert bills_read(lambda page: [page[0], *page[:-1]] if len(page) == PAGE else page) == every
    assert bills_read(lambda page: page, overlap=1) == every
    assert bills_read(lambda page: page, overlap=40) == every


def test_a_page_that_is_shown_again_is_no_answer() -> None:
    """Instead of asking for ever."""
    client = Scripted(lambda *_: [fill(bill) for bill in range(1_000, 1_000 + PAGE)])
    for name, about in (("trades", ("",)), ("bills", (0,)), ("transfers", (1,)), ("standing", ())):
        with pytest.raises(DataError):
            run(getattr(okx_adapter(client), name)(*about))
        assert len(client.asked) <= 3
        client.asked.clear()


@pytest.mark.parametrize(
    ("kind", "forced"), [("1", ""), ("", ""), ("128", "adl"), ("125", "adl"), ("103", "liquidation"), ("112", "delivery")]
)
def test_what_the_venue_closes_by_itself_is_named(kind: str, forced: str) -> None:
    """By the kind of the execution."""
    found, _ = run(venue_of(lambda _, about: [] if "after" in about else [fill(1, kind)]).trades(""))
    assert [trade.forced for trade in found] == [forced]


@pytest.mark.parametrize(("second", "state", "lots"), [("filled", DONE, 300), ("live", PARTIAL, 200), ("canceled", DONE, 200)])
def test_a_stop_may_place_several_orders(second: str, state: str, lots: int) -> None:
    """`ordIdList`, without an `ordId`: they count together, and each is known as its child."""
    rows = {"71": ("filled", "2"), "72": (second, "1" if second == "filled" else "0")}

    def ask(name: str, about: Mapping[str, str]) -> Any:
        if name == "private_get_trade_order_algo":
            return [{"state": "effective", "algoId": "9", "algoClOrdId": STOP.id, "ordId": "", "ordIdList": ["71", "72"]}]
        state, filled = rows[about["ordId"]]
        return [{"state": state, "accFillSz": filled, "ordId": about["ordId"], "px": "", "sz": "2"}]

    found = run(venue_of(ask).ask(STOP))
    assert (found.state, found.filled_lots, found.child_id) == (state, lots, "71,72")


@pytest.mark.parametrize(("account", "position"), [("-0.3", "0"), ("0", "-0.3"), ("", "-0.3"), ("-0.1", "-0.2"), ("-0.3", None)])
def test_funding_of_an_isolated_position_is_paid_from_its_own_balance(account: str, position: str | None) -> None:
    """The account's balance does not move by it: nothing was booked, and the cash differed once the position was closed."""
    row = {"billId": "1", "ts": "5", "instId": "BTC-USDT-SWAP", "balChg": account, "posBalChg": position}
    found = run(venue_of(lambda _, about: [] if "after" in about else [row]).bills(0))
    assert [(bill.bill, bill.cash) for bill in found] == [("1", -0.3)]
