"""Money moved in and out of an account, as each venue bills it: all of it, each bill once, by what it is."""

from collections.abc import Mapping
from typing import Any

import pytest

from engine.errors import DataError
from engine.venues.transfer_bills import BINANCE, BYBIT, OKX, named_transfers
from tests.fakes.exchange.account import TRANSFERS
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, Adapted
from tests.fakes.exchange.faults import BILL_KINDS
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS
from tests.fakes.exchange.transfers import transfer

NOT_NAMED = {"okx": {"bonus", "rebate", "strange"}, "binance": {"interest", "strange"}, "bybit": {"clawback", "strange"}}
AMOUNTS = dict(zip(TRANSFERS, (2_500, -300, 10, 2, -1, -7, 5), strict=True))


@pytest.fixture(params=ADAPTED)
def at(request: pytest.FixtureRequest) -> Adapted:
    """Each venue."""
    return ADAPTED[request.param]


def moved(played: Played) -> None:
    """One of each kind."""
    for kind, amount in AMOUNTS.items():
        transfer(played.venue.exchange, kind, amount * PICO)


def truth(played: Played) -> float:
    """What was moved by the venue's own ledger."""
    return sum(bill.cash for bill in played.venue.exchange.account.bills if bill.kind in TRANSFERS) / PICO


@pytest.mark.parametrize("sockets", [False, True])
def test_each_kind_is_named_and_what_is_not_is_unknown(at: Adapted, sockets: bool) -> None:
    """Beside executions and a funding settlement, which are booked elsewhere; through ccxt."""

    async def script(played: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        moved(played)
        await played.wait(600 * MINUTE)
        return await venue.transfers(START_MS), truth(played), len(await venue.bills(START_MS))

    found, sum_moved, fundings = at.run(script, sockets)
    unnamed = NOT_NAMED[at.name.lower()]
    assert {t.kind for t in found} == (set(TRANSFERS) - unnamed) | {"unknown"}
    assert {t.cash: t.kind for t in found} == {float(a): "unknown" if k in unnamed else k for k, a in AMOUNTS.items()}
    assert sum(t.cash for t in found) == sum_moved
    assert len({t.bill for t in found}) == len(TRANSFERS)
    assert fundings > 0


@pytest.mark.parametrize("fault", [*BILL_KINDS, ""])
def test_lists_that_are_wrong_lose_nothing_and_add_nothing(at: Adapted, fault: str) -> None:
    """230 bills, more than a page anywhere; what is listed late is there once it is listed."""

    async def script(played: Played, venue: Any) -> Any:
        for n in range(230):
            transfer(played.venue.exchange, "deposit" if n % 3 else "withdrawal", (n + 1) * PICO * (1 if n % 3 else -1))
            await played.wait(1_000)
        if fault:
            played.venue.faults.on(fault)
        early = await venue.transfers(START_MS)
        await played.wait(180 * MINUTE)
        return early, await venue.transfers(START_MS), truth(played), await venue.transfers(START_MS + 100_000)

    early, found, sum_moved, later = at.run(script)
    assert len(found) == len({t.bill for t in found}) == 230
    assert sum(t.cash for t in found) == sum_moved
    assert [t.t_ms for t in found] == sorted(t.t_ms for t in found)
    assert len(early) == (0 if fault == "bills_late" else 230)
    assert {t.bill for t in later} == {t.bill for t in found if t.t_ms >= START_MS + 100_000}


def test_a_day_of_three_months_ago_is_read_too(at: Adapted) -> None:
    """OKX has another list for it; the others windows of a week."""

    async def script(played: Played, venue: Any) -> Any:
        transfer(played.venue.exchange, "deposit", 5 * PICO)
        await played.wait(20 * 1_440 * MINUTE)
        transfer(played.venue.exchange, "withdrawal", -5 * PICO)
        return await venue.transfers(START_MS)

    assert [t.cash for t in at.run(script)] == [5.0, -5.0]


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (OKX, {"billId": "1", "type": "1", "balChg": "5", "ts": "1"}),
        (BINANCE, {"tranId": 1, "incomeType": "TRANSFER", "income": "5", "time": 1}),
        (BYBIT, {"id": "1", "type": "TRANSFER_IN", "change": "5", "transactionTime": "1"}),
    ],
)
def test_a_bill_that_cannot_be_read_stops_the_reading(fields: Any, row: Mapping[str, Any]) -> None:
    """Nothing is assumed of the others: a missing field, what is no number or no amount, an id that cannot be kept."""
    assert len(named_transfers("it", [row], fields)) == 1
    bad = [{fields.cash: "nan"}, {fields.cash: "1e300"}, {fields.cash: "much"}, {fields.t_ms: "soon"}, {fields.t_ms: None}]
    bad += [{fields.cash: None, fields.type: None, fields.t_ms: ""}, {"billId": "9" * 500, "tranId": "9" * 500, "id": "9" * 500}]
    for wrong in bad:
        with pytest.raises(DataError, match="cannot be read"):
            named_transfers("it", [row | wrong], fields)
    for name in row:
        with pytest.raises(DataError, match="cannot be read"):
            named_transfers("it", [{key: value for key, value in row.items() if key != name}], fields)


def test_binance_counts_its_ids_for_each_type() -> None:
    """The fee and the rebate of one trade may share a tranId: both are booked."""
    rows = [{"tranId": 7, "incomeType": kind, "income": "1", "time": 1} for kind in ("TRANSFER", "API_REBATE", "TRANSFER")]
    assert [(t.bill, t.kind) for t in named_transfers("Binance", rows, BINANCE)] == [
        ("API_REBATE:7", "rebate"),
        ("TRANSFER:7", "deposit"),
    ]


def test_a_list_that_shows_the_same_page_for_ever_is_an_error() -> None:
    """OKX pages by id: a page that does not go back would be asked for without end."""

    async def script(played: Played, venue: Any) -> Any:
        page = [{"billId": str(n), "ts": str(START_MS), "type": "1", "balChg": "1"} for n in range(100)]

        async def again(_about: Mapping[str, str]) -> Mapping[str, Any]:
            return {"data": page}

        played.client.private_get_account_bills = again
        with pytest.raises(DataError, match="again"):
            await venue.transfers(START_MS - 1)

    ADAPTED["okx"].run(script)
