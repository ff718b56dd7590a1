"""What is OKX's own in its adapter: contracts, bills as a cursor, codes. What all adapters do alike is in test_adapters.py."""

from decimal import Decimal

import pytest

from engine.errors import DataError
from engine.venues.instruments import instrument_of
from engine.venues.okx import OUTCOMES, OkxVenue
from engine.venues.outcome import EXISTS, code_of, outcome_of, table_of
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.adapted import ADAPTED, order
from tests.fakes.exchange.okx.played import INST, Played


def test_a_cursor_is_a_bill() -> None:
    """Behind any cursor, oldest first, each once."""

    async def many(played: Played, okx: OkxVenue) -> tuple[list[str], list[str], list[str]]:
        for market in played.venue.exchange.markets.values():
            market.depth_lots = 1
        await okx.place(order("ndE1", lots=250))
        whole, _ = await okx.trades("")
        fills = [event for event in played.venue.exchange.ledger if event.kind == log.FILL]
        rows = await okx._data("private_get_trade_fills_history", {"instType": "SWAP", "instId": INST, "limit": "100"})
        behind, cursor = await okx.trades(min((row["billId"] for row in rows), key=int))
        assert await okx.trades(cursor) == ([], cursor)
        return [t.trade for t in whole], [str(e.bill.trade) for e in fills if e.bill], [t.trade for t in behind]

    whole, booked, behind = ADAPTED["okx"].run(many)
    assert len(booked) > 200
    assert whole == booked
    assert behind == booked[-99:]


def test_sizes_and_prices_are_exact() -> None:
    """No float's tail is sent, and a fill that is no whole lot is an error."""
    okx = OkxVenue(None, None, instrument_of("okx", "BTC-USDT"), INST, Decimal("0.01"))
    assert [okx._size(lots) for lots in (1, 30, 100, 12_345)] == ["0.01", "0.3", "1", "123.45"]
    assert [okx._price(price) for price in (0.1 + 0.2, 59_000.3, 60_000.0)] == ["0.3", "59000.3", "60000"]
    assert okx._lots("123.45") == 12_345
    with pytest.raises(DataError, match="between two lots"):
        okx._lots("0.015")


def test_the_table_of_codes() -> None:
    """A code means one thing; an order's own code counts before the request's; one that is new proves nothing."""
    with pytest.raises(ValueError, match="51000"):
        table_of(rejected="51000", exists="51000")
    batch = Exception('okx {"code":"1","data":[{"sCode":"51016","sMsg":"x"}],"msg":"All operations failed"}')
    assert (code_of(batch), outcome_of(batch, OUTCOMES)) == ("51016", EXISTS)
    for code in ("50004", "50013", "50026", "59999"):
        assert outcome_of(Exception(f'okx {{"code":"{code}","msg":""}}'), OUTCOMES) == "unknown"
    assert outcome_of(TimeoutError(), OUTCOMES) == "unknown"
