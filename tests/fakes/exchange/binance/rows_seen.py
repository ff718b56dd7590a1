"""Every kind of row that the local Binance answers with or pushes, by endpoint: made by a run that has one of each.

Texts are read as they leave the venue: ccxt hands numbers on as text.
"""

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.exchange.binance.client import LocalBinance
from tests.fakes.exchange.binance.played import INST, SYMBOL, Played, walked
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.played import play_virtual
from tests.fakes.exchange.serve import Line
from tests.fakes.exchange.transfers import transfer
from tests.fakes.exchange.wire import Answer, Request

BILLED_MS = 2 * 3_600_000
Row = dict[str, Any]


class Recording(LocalBinance):
    """Keeps what it says."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: dict[str, list[Any]] = {}

    def answer(self, request: Request) -> Answer:
        """An answer, kept by method and path."""
        answer = super().answer(request)
        name = request.path.removeprefix("/fapi/").removeprefix("/").removeprefix("v1/")
        self.said.setdefault(f"{request.method} {name}", []).extend(rows_of(json.loads(answer.text)))
        return answer

    def open_line(self, path: str, send: Callable[[str], None], *rest: Any) -> Line | None:
        """A line, its pushes kept by their event."""

        def kept(text: str) -> None:
            message = json.loads(text)
            self.said.setdefault(f"WS {message.get('e', 'answer')}", []).append(message)
            send(text)

        return super().open_line(path, kept, *rest)


def rows_of(payload: Any) -> list[Any]:
    """The rows of an answer, a push or a recorded one of either."""
    data = payload["data"] if isinstance(payload, dict) and "stream" in payload else payload
    return data if isinstance(data, list) else [data]


def rows_by_endpoint() -> dict[str, list[Any]]:
    """`GET order` or `WS ORDER_TRADE_UPDATE` -> its rows."""
    _, venue = play_virtual(visit, Recording, walked, 0.0, 0)
    return dict(venue.said)


async def visit(played: Played) -> None:
    """Ask every path while there is an entry, a stop, a target, an order by socket and a settlement."""
    ex = played.client
    await ex.load_markets()
    transfer(played.venue.exchange, "deposit", 500 * PICO)
    played.collect(lambda: ex.watch_orders(SYMBOL))
    played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m"))
    played.collect(lambda: listed(ex.watch_order_book(SYMBOL)))
    await played.subscribed("user", "btcusdt@kline_15m", "btcusdt@depth@100ms")
    market = next(line for line in played.venue.lines if line.kind == "market")
    names = [f"btcusdt@{name}" for name in ("markPrice@1s", "ticker", "miniTicker")]
    market.take(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 99}))
    await changes(ex)
    for _ in range(4):
        await played.wait(BILLED_MS // 4)
        await ex.fapiPrivatePutListenKey()  # ccxt renews it once
        for line in played.venue.lines:
            line.streams.clear()  # the market has said enough
    await questions(ex)
    played.venue.exchange.cancel_algo(played.venue.exchange.open_algos()[0].id)
    played.venue.exchange.markets["BTC"].coming = None
    await ex.create_order_ws(SYMBOL, "market", "sell", 0.01, None, {"clientOrderId": "ndX1"})
    await played.wait(1_000)


async def listed(call: Any) -> list[Any]:
    """What a single watch brings."""
    return [await call]


async def changes(ex: Any) -> None:
    """Requests that change something."""
    mine = {"symbol": INST}
    entry = mine | {"side": "BUY", "type": "MARKET", "quantity": "0.02", "newClientOrderId": "ndE1"}
    resting = entry | {"type": "LIMIT", "price": "50000", "timeInForce": "GTC", "newClientOrderId": "ndL1"}
    stop = mine | {"side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET", "quantity": "0.01", "reduceOnly": "true"}
    await ex.fapiPrivatePostLeverage(mine | {"leverage": 5})
    await ex.fapiPrivatePostMarginType(mine | {"marginType": "CROSSED"})
    await ex.fapiPrivatePostMarginType(mine | {"marginType": "ISOLATED"})
    await ex.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
    await ex.fapiPrivatePostPositionSideDual({"dualSidePosition": "false"})
    await ex.fapiPrivatePostOrder(entry)
    await ex.fapiPrivatePostOrder(resting)
    await ex.fapiPrivatePutOrder(mine | {"side": "BUY", "origClientOrderId": "ndL1", "quantity": "0.02", "price": "49000"})
    await ex.fapiPrivatePostCountdownCancelAll(mine | {"countdownTime": 0})
    level = await ex.fapiPublicGetPremiumIndex(mine)
    near, above = (f"{float(level['markPrice']) + step:.1f}" for step in (-10, 10))
    await ex.fapiPrivatePostAlgoOrder(stop | {"triggerPrice": "50000", "clientAlgoId": "ndS1"})
    await ex.fapiPrivatePostAlgoOrder(stop | {"triggerPrice": near, "clientAlgoId": "ndS2"})
    target = stop | {"type": "TAKE_PROFIT_MARKET", "triggerPrice": above, "clientAlgoId": "ndT2"}
    await ex.fapiPrivatePostAlgoOrder(target)
    await ex.fapiPrivatePostAlgoOrder(stop | {"triggerPrice": "50000", "clientAlgoId": "ndS3"})
    await ex.fapiPrivateDeleteAlgoOrder(mine | {"clientAlgoId": "ndS3"})


async def questions(ex: Any) -> None:
    """Questions, and what ends the orders."""
    mine = {"symbol": INST}
    await ex.fapiPublicGetTime()
    await ex.fapiPublicGetFundingRate(mine)
    await ex.fapiPublicGetTicker24hr(mine)
    await ex.fapiPublicGetKlines(mine | {"interval": "15m"})
    await ex.fapiPublicGetDepth(mine)
    await ex.fapiPrivateV3GetAccount()
    await ex.fapiPrivateV3GetPositionRisk(mine)
    await ex.fapiPrivateV2GetPositionRisk(mine)
    for ask in ("AccountConfig", "PositionSideDual"):
        await getattr(ex, f"fapiPrivateGet{ask}")()
    for ask in (
        "SymbolConfig",
        "LeverageBracket",
        "CommissionRate",
        "OpenOrders",
        "OpenAlgoOrders",
        "AllOrders",
        "AllAlgoOrders",
    ):
        await getattr(ex, f"fapiPrivateGet{ask}")(dict(mine))
    for ask in ("UserTrades", "Income"):
        await getattr(ex, f"fapiPrivateGet{ask}")(dict(mine))
    await ex.sapiGetAccountApiRestrictions()
    for ask in ("Order", "OpenOrder"):
        await getattr(ex, f"fapiPrivateGet{ask}")(mine | {"origClientOrderId": "ndL1"})
    await ex.fapiPrivateGetAlgoOrder(mine | {"clientAlgoId": "ndT2"})
    await ex.fapiPrivateDeleteOrder(mine | {"origClientOrderId": "ndL1"})
    await ex.fapiPrivateDeleteAllOpenOrders(dict(mine))
