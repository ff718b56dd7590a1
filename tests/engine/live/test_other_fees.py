"""A fee that a venue takes in another asset than the account's cash: the execution is booked, and nothing enters."""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.venues.binance import BinanceVenue
from engine.venues.bybit import BybitVenue
from engine.venues.instruments import instrument_of
from engine.venues.okx import OkxVenue
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench

WHAT = f"fees of {BTC_PERP}"


def test_an_execution_with_a_fee_in_another_asset_is_booked_and_withholds_entries(tmp_path: Path) -> None:
    """Its layer has its stop, and one page names the asset; a person lets the desk go on, and the next such fee is one more."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        trade = bench.venue.trade

        def in_bnb(order: str, venue_id: str, side: int, lots: int, price: float = 0.0) -> None:
            trade(order, venue_id, side, lots, price)
            bench.venue.executions[-1] = bench.venue.executions[-1]._replace(fee=0.0, other_fee="0.0002 BNB")

        bench.venue.trade = in_bnb  # type: ignore[method-assign]
        await bench.entered()
        assert any("S" in id_ for id_ in bench.venue.orders)
        assert WHAT in bench.desk.book.health
        assert sum(sleeve.ledger.cash for sleeve in bench.desk.book.sleeves) == pytest.approx(100_000.0, abs=1e-6)
        entries = bench.desk.book.sleeves[1].entries
        await bench.to_close()
        bench.close(rests=long())
        await bench.after(3)
        assert bench.desk.book.sleeves[1].entries == entries
        bench.desk.take(
            "adopt", {"request": 0, "difference": WHAT, "by": "ann", "reason": "off", "order": "", "lots": 0, "filled_lots": 0}
        )
        assert WHAT not in bench.desk.book.health
        bench.venue.trade("ndstranger", "x", 1, 1)
        bench.poll.wake()
        await bench.after(20)
        assert WHAT in bench.desk.book.health

    pages = [page for page in on_bench(tmp_path / "desk.jsonl", play).pages if "BNB" in page]
    assert len(pages) == 2, pages
    assert all("0.0002 BNB" in page and "switch fees in BNB off" in page for page in pages)


BINANCE = {"id": 1, "orderId": 2, "side": "BUY", "price": "60000", "qty": "0.003", "maker": False, "time": 5}
OKX = {"tradeId": "1", "ordId": "2", "clOrdId": "", "side": "buy", "fillSz": "0.3", "fillPx": "60000", "ts": "5", "execType": "T"}
BYBIT = {
    "execId": "1",
    "orderId": "2",
    "orderLinkId": "",
    "side": "Buy",
    "execQty": "0.003",
    "execPrice": "60000",
    "isMaker": False,
}
BYBIT |= {"execTime": "5", "execType": "Trade"}


@pytest.mark.parametrize(
    ("asset", "wanted"), [("USDT", (0.09, "")), ("BNB", (0.0, "0.09 BNB")), ("", (0.09, "")), (None, (0.09, ""))]
)
def test_each_venue_says_what_a_fee_was_taken_in(asset: str | None, wanted: tuple[float, str]) -> None:
    """What is not the instrument's cash is no fee in it, and no reason to read no execution any more."""
    found = []
    for made, row in (
        (BinanceVenue(None, None, instrument_of("binance", "BTC-USDT"), "BTCUSDT", {}, 0), BINANCE | {"commission": "0.09"}),
        (OkxVenue(None, None, instrument_of("okx", "BTC-USDT"), "BTC-USDT-SWAP", Decimal("0.1")), OKX | {"fee": "-0.09"}),
        (BybitVenue(None, None, instrument_of("bybit", "BTC-USDT"), "BTCUSDT", Decimal("0.001")), BYBIT | {"execFee": "0.09"}),
    ):
        charged = row | dict.fromkeys(("commissionAsset", "feeCcy", "feeCurrency"), asset)
        trade = made._trade(charged, "") if isinstance(made, BinanceVenue) else made._trade(charged)
        found.append((trade.fee, trade.other_fee))
    assert found == [wanted] * 3
