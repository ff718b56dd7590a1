"""Every kind of row that the local Bybit answers with or pushes, by endpoint: made by a run that has one of each."""

import json
from typing import Any

from tests.fakes.exchange.bybit.played import INST, SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.transfers import transfer

BILLED_MS = 2 * 3_600_000
MINE = {"category": "linear", "symbol": INST}
Row = dict[str, Any]


def rows_by_endpoint() -> dict[str, list[Any]]:
    """`GET order/realtime` or `WS order` -> its rows; of an answer without a list, the answer."""
    return dict(under_virtual_clock(visit)[0])


def rows_of(answer: Any) -> list[Any]:
    """The rows of an answer or a push, recorded or our own."""
    data = answer.get("result", answer.get("data", [answer])) if isinstance(answer, dict) else answer
    if isinstance(data, dict):
        data = data.get("list", data.get("rows", [data]))
    return data if isinstance(data, list) else [data]


async def visit(played: Played) -> dict[str, list[Any]]:
    """Ask every path that answers with rows while there is an entry, a stop, a target and a bill."""
    ex, found = played.client, {}
    await ex.load_markets()
    transfer(played.venue.exchange, "deposit", 500 * PICO)
    sent: list[str] = []
    for watch in (ex.watch_orders, ex.watch_my_trades, lambda: ex.watch_positions([SYMBOL])):
        played.collect(watch)
    played.collect(lambda: listed(ex.watch_balance()))
    for watch in (ex.watch_ticker, ex.watch_order_book):
        played.collect(lambda watch=watch: listed(watch(SYMBOL)))
    played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m"))
    topics = ("order", "execution", "position", "wallet", f"tickers.{INST}", f"orderbook.50.{INST}", f"kline.15.{INST}")
    await played.subscribed(*topics)
    for line in played.venue.lines:
        line._send = lambda text, send=line._send: (sent.append(text), send(text))
    found |= await changes(ex)
    await played.wait(BILLED_MS)
    found |= await questions(ex)
    for text in sent:
        message = json.loads(text)
        if "topic" in message:
            found.setdefault(f"WS {message['topic'].partition('.')[0]}", []).extend(rows_of(message))
    return found


async def listed(call: Any) -> list[Any]:
    """What a single watch brings."""
    return [await call]


async def changes(ex: Any) -> dict[str, list[Any]]:
    """Answers to requests that change something."""
    entry = MINE | {"side": "Buy", "orderType": "Market", "qty": "0.01", "orderLinkId": "ndE1"}
    resting = entry | {"orderType": "Limit", "price": "50000", "orderLinkId": "ndL1", "stopLoss": "45000"}
    stop = entry | {"side": "Sell", "triggerPrice": "50000", "triggerDirection": 2, "reduceOnly": True, "orderLinkId": "ndS1"}
    calls = {
        "POST order/create": [ex.privatePostV5OrderCreate(body) for body in (entry, resting, stop)],
        "POST order/amend": [ex.privatePostV5OrderAmend(MINE | {"orderLinkId": "ndL1", "price": "49000"})],
        "POST position/trading-stop": [ex.privatePostV5PositionTradingStop(MINE | {"stopLoss": "51000"})],
    }
    return {name: [row for call in each for row in rows_of(await call)] for name, each in calls.items()}


async def questions(ex: Any) -> dict[str, list[Any]]:
    """Rows of questions, and of what ends the orders."""
    calls = {
        "GET market/instruments-info": ex.publicGetV5MarketInstrumentsInfo(MINE),
        "GET market/time": ex.publicGetV5MarketTime(),
        "GET market/tickers": ex.publicGetV5MarketTickers(MINE),
        "GET market/orderbook": ex.publicGetV5MarketOrderbook(MINE),
        "GET market/kline": ex.publicGetV5MarketKline(MINE | {"interval": "15"}),
        "GET market/risk-limit": ex.publicGetV5MarketRiskLimit(MINE),
        "GET market/funding/history": ex.publicGetV5MarketFundingHistory(MINE),
        "GET asset/coin/query-info": ex.privateGetV5AssetCoinQueryInfo(),
        "GET user/query-api": ex.privateGetV5UserQueryApi(),
        "GET account/info": ex.privateGetV5AccountInfo(),
        "GET account/wallet-balance": ex.privateGetV5AccountWalletBalance({"accountType": "UNIFIED"}),
        "GET account/fee-rate": ex.privateGetV5AccountFeeRate(MINE),
        "GET account/transaction-log": ex.privateGetV5AccountTransactionLog({}),
        "GET position/list": ex.privateGetV5PositionList(MINE),
        "GET order/realtime": ex.privateGetV5OrderRealtime(MINE),
        "GET execution/list": ex.privateGetV5ExecutionList(MINE),
        "POST order/cancel": ex.privatePostV5OrderCancel(MINE | {"orderLinkId": "ndL1"}),
        "POST order/cancel-all": ex.privatePostV5OrderCancelAll(MINE),
        "GET order/history": ex.privateGetV5OrderHistory(MINE),
    }
    return {name: rows_of(await call) for name, call in calls.items()}
