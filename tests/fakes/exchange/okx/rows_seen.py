"""Every kind of row that the local OKX answers with or pushes, by endpoint: made by a run that has one of each."""

import json
from typing import Any

from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.okx.played import INST, SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.transfers import transfer

BILLED_MS = 2 * 3_600_000
Row = dict[str, Any]


def rows_by_endpoint() -> dict[str, list[Any]]:
    """`GET trade/order` or `WS orders` -> its rows."""
    return dict(under_virtual_clock(visit)[0])


def rows_of(answer: Any) -> list[Any]:
    """The rows of an answer or a push, recorded or our own."""
    data = answer.get("data", [answer]) if isinstance(answer, dict) else answer
    return data if isinstance(data, list) else [data]


async def visit(played: Played) -> dict[str, list[Any]]:
    """Ask every path that answers with rows while there is an entry, a stop, a target and a bill."""
    ex, found = played.client, {}
    await ex.load_markets()
    transfer(played.venue.exchange, "deposit", 500 * PICO)
    sent: list[str] = []
    played.collect(lambda: ex.watch_orders(SYMBOL))
    played.collect(lambda: ex.watch_orders(SYMBOL, None, None, {"trigger": True}))
    played.collect(lambda: ex.watch_positions([SYMBOL]))
    played.collect(lambda: balance_of(ex))
    for watch in (ex.watch_ticker, ex.watch_mark_price, ex.watch_funding_rate):
        played.collect(lambda watch=watch: listed(watch(SYMBOL)))
    played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m"))
    await played.subscribed("orders", "orders-algo", "positions", "account", "tickers", "mark-price", "funding-rate", "candle15m")
    for line in played.venue.lines:
        line._send = lambda text, send=line._send: (sent.append(text), send(text))  # type: ignore[assignment,misc]
    found |= await changes(ex)
    await played.wait(BILLED_MS)
    found |= await questions(ex)
    for text in sent:
        message = json.loads(text) if text.startswith("{") else {}
        if "data" in message:
            found.setdefault(f"WS {message['arg']['channel']}", []).extend(message["data"])
    return found


async def listed(call: Any) -> list[Any]:
    """What a single watch brings."""
    return [await call]


async def balance_of(ex: Any) -> list[Any]:
    """The account channel."""
    return [await ex.watch_balance({"type": "swap"})]


async def changes(ex: Any) -> dict[str, list[Any]]:
    """Rows of requests that change something."""
    entry = {"instId": INST, "tdMode": "isolated", "side": "buy", "ordType": "market", "sz": "1", "clOrdId": "ndE1"}
    attached = [{"attachAlgoClOrdId": "ndA1", "slTriggerPx": "49000", "slOrdPx": "-1"}]
    resting = entry | {"ordType": "limit", "px": "50000", "clOrdId": "ndL1", "attachAlgoOrds": attached}
    stop = {"instId": INST, "tdMode": "isolated", "side": "sell", "ordType": "conditional", "sz": "1", "reduceOnly": True}
    calls = {
        "POST account/set-leverage": ex.privatePostAccountSetLeverage({"instId": INST, "lever": "3", "mgnMode": "isolated"}),
        "POST account/set-position-mode": ex.privatePostAccountSetPositionMode({"posMode": "net_mode"}),
        "POST trade/batch-orders": ex.privatePostTradeBatchOrders([entry, resting]),
        "POST trade/order-algo": ex.privatePostTradeOrderAlgo(
            stop | {"slTriggerPx": "50000", "slOrdPx": "-1", "algoClOrdId": "ndS1"}
        ),
        "POST trade/amend-order": ex.privatePostTradeAmendOrder({"instId": INST, "clOrdId": "ndL1", "newPx": "49000"}),
        "POST trade/amend-algos": ex.privatePostTradeAmendAlgos(
            {"instId": INST, "algoClOrdId": "ndS1", "newSlTriggerPx": "49000"}
        ),
        "POST trade/cancel-all-after": ex.privatePostTradeCancelAllAfter({"timeOut": "0"}),
    }
    found = {name: (await call)["data"] for name, call in calls.items()}
    trigger = stop | {"ordType": "trigger", "triggerPx": "50000", "orderPx": "-1", "algoClOrdId": "ndG1"}
    await ex.privatePostTradeOrderAlgo(trigger)
    return found


async def questions(ex: Any) -> dict[str, list[Any]]:
    """Rows of questions, and of what ends the orders."""
    swap, inst = {"instType": "SWAP"}, {"instId": INST}
    calls = {
        "GET public/instruments": ex.publicGetPublicInstruments(swap),
        "GET public/time": ex.publicGetPublicTime(),
        "GET public/mark-price": ex.publicGetPublicMarkPrice(swap | inst),
        "GET public/funding-rate": ex.publicGetPublicFundingRate(inst),
        "GET public/funding-rate-history": ex.publicGetPublicFundingRateHistory(inst),
        "GET public/position-tiers": ex.publicGetPublicPositionTiers(swap | {"tdMode": "isolated", "instFamily": "BTC-USDT"}),
        "GET market/ticker": ex.publicGetMarketTicker(inst),
        "GET market/candles": ex.publicGetMarketCandles(inst),
        "GET market/books": ex.publicGetMarketBooks(inst),
        "GET account/config": ex.privateGetAccountConfig(),
        "GET account/balance": ex.privateGetAccountBalance(),
        "GET account/positions": ex.privateGetAccountPositions(),
        "GET account/leverage-info": ex.privateGetAccountLeverageInfo(inst | {"mgnMode": "isolated"}),
        "GET account/trade-fee": ex.privateGetAccountTradeFee(swap),
        "GET account/bills": ex.privateGetAccountBills(),
        "GET asset/currencies": ex.privateGetAssetCurrencies(),
        "GET trade/order": ex.privateGetTradeOrder(inst | {"clOrdId": "ndE1"}),
        "GET trade/orders-pending": ex.privateGetTradeOrdersPending(),
        "GET trade/orders-history": ex.privateGetTradeOrdersHistory(swap),
        "GET trade/order-algo": ex.privateGetTradeOrderAlgo({"algoClOrdId": "ndS1"}),
        "GET trade/orders-algo-pending": ex.privateGetTradeOrdersAlgoPending({"ordType": "trigger"}),
        "GET trade/fills-history": ex.privateGetTradeFillsHistory(swap),
        "POST trade/cancel-order": ex.privatePostTradeCancelOrder(inst | {"clOrdId": "ndL1"}),
        "POST trade/cancel-algos": ex.privatePostTradeCancelAlgos([inst | {"algoClOrdId": "ndS1"}]),
        "POST trade/close-position": ex.privatePostTradeClosePosition(inst | {"mgnMode": "isolated"}),
    }
    found = {name: (await call)["data"] for name, call in calls.items()}
    history = await ex.privateGetTradeOrdersAlgoHistory({"ordType": "conditional", "state": "canceled"})
    return found | {"GET trade/orders-algo-history": history["data"]}
