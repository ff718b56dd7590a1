"""Every call of ccxt that the desk makes or was tempted to make, and what each sends to Bybit.

`python -m tests.fakes.exchange.bybit.calls` writes tests/venues/captured/bybit.json anew; read its diff before it is committed: a
line that changed is a request that the adapter did not send before.
"""

from pathlib import Path
from typing import Any

from tests.fakes.exchange.bybit.played import INST, SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.capture import Call, sent_by_each, text_of
from tests.fakes.exchange.stage import START_MS

CAPTURED = Path(__file__).parents[3] / "venues" / "captured" / "bybit.json"
ENTRY, STOP = "ndabcd00000012E11", "ndabcd00000012S11"
ORDER_ID, STOP_ID = "1001", "2001"
SINCE = START_MS - 86_400_000
MINE = {"category": "linear", "symbol": INST}
GAP_MS = 1_000  # between two calls: a path may be asked ten times a second


def setting_calls() -> dict[str, Call]:
    """Markets, modes, leverage, balance, fees."""
    return {
        "load_markets": lambda ex: ex.load_markets(True),
        "fetch_time": lambda ex: ex.fetch_time(),
        "fetch_position_mode": lambda ex: ex.fetch_position_mode(SYMBOL),
        "key permissions raw": lambda ex: ex.privateGetV5UserQueryApi(),
        "account raw": lambda ex: ex.privateGetV5AccountInfo(),
        "set_position_mode one-way": lambda ex: ex.set_position_mode(False, SYMBOL),
        "set_margin_mode isolated": lambda ex: ex.set_margin_mode("isolated", SYMBOL, {"lever": 3, "leverage": 3}),
        "fetch_leverage": lambda ex: ex.fetch_leverage(SYMBOL),
        "set_leverage": lambda ex: ex.set_leverage(5, SYMBOL),
        "fetch_accounts": lambda ex: ex.fetch_accounts(),
        "fetch_balance": lambda ex: ex.fetch_balance(),
        "fetch_positions": lambda ex: ex.fetch_positions([SYMBOL]),
        "fetch_trading_fee": lambda ex: ex.fetch_trading_fee(SYMBOL),
        "fetch_market_leverage_tiers": lambda ex: ex.fetch_market_leverage_tiers(SYMBOL),
    }


def placing_calls() -> dict[str, Call]:
    """Entries, stops, targets."""
    both = {"stopLoss": {"triggerPrice": 50_000}, "takeProfit": {"triggerPrice": 70_000}}
    down, stops = (
        {"triggerDirection": "descending", "reduceOnly": True},
        [{"clientOrderId": STOP + end} for end in ("", "2", "3", "4")],
    )

    def order(kind: str, side: str, price: float | None, params: dict[str, Any]) -> Call:
        return lambda ex: ex.create_order(SYMBOL, kind, side, 0.01, price, params)

    return {
        "market entry": order("market", "buy", None, {"clientOrderId": ENTRY}),
        "market entry without an id": order("market", "buy", None, {}),
        "post-only entry": order("limit", "buy", 50_000.05, {"clientOrderId": ENTRY + "2", "postOnly": True}),
        "entry with stopLoss and takeProfit": order("market", "buy", None, {"clientOrderId": ENTRY + "3", **both}),
        "stop by triggerPrice": order("market", "sell", None, {"triggerPrice": 50_000, **stops[1], **down}),
        "stop by triggerPrice without a direction": order("market", "sell", None, {"triggerPrice": 50_000, **stops[3]}),
        "stop by stopLossPrice": order("market", "sell", None, {"stopLossPrice": 50_000, **stops[0], "reduceOnly": True}),
        "target by takeProfitPrice": order("market", "sell", None, {"takeProfitPrice": 70_000, **stops[2], "reduceOnly": True}),
        "stop and target": order("market", "sell", None, {"stopLossPrice": 50_000, "takeProfitPrice": 70_000, **stops[3]}),
        "target as a limit": order("limit", "sell", 70_000, {"reduceOnly": True, "clientOrderId": ENTRY + "4"}),
        "stop of the whole position": lambda ex: ex.create_order(
            SYMBOL, "market", "sell", 0, None, {"stopLossPrice": 50_000, "tradingStopEndpoint": True}
        ),
    }


def changing_calls() -> dict[str, Call]:
    """Amendments and cancellations."""
    mine, stop = {"clientOrderId": ENTRY + "2"}, {"stopLossPrice": 49_500, "trigger": True}
    level = {"triggerPrice": 49_500, "reduceOnly": True, "trigger": True}
    return {
        "edit_order limit": lambda ex: ex.edit_order(ORDER_ID, SYMBOL, "limit", "buy", 0.01, 49_000, dict(mine)),
        "edit_order stopLossPrice": lambda ex: ex.edit_order(STOP_ID, SYMBOL, "market", "sell", 0.01, None, dict(stop)),
        "edit_order triggerPrice": lambda ex: ex.edit_order(STOP_ID, SYMBOL, "market", "sell", 0.01, None, dict(level)),
        "amend raw": lambda ex: ex.privatePostV5OrderAmend({**MINE, "orderLinkId": STOP, "triggerPrice": "49500", "qty": "0.02"}),
        "cancel_order by id": lambda ex: ex.cancel_order(ORDER_ID, SYMBOL),
        "cancel_order by client id": lambda ex: ex.cancel_order("", SYMBOL, dict(mine)),
        "cancel_order by orderLinkId": lambda ex: ex.cancel_order(None, SYMBOL, {"orderLinkId": ENTRY + "2"}),
        "cancel_order stop by id": lambda ex: ex.cancel_order(STOP_ID, SYMBOL, {"trigger": True}),
        "cancel_order stop by client id": lambda ex: ex.cancel_order("", SYMBOL, {"trigger": True, "clientOrderId": STOP}),
        "cancel raw": lambda ex: ex.privatePostV5OrderCancel({**MINE, "orderLinkId": STOP}),
        "cancel_orders": lambda ex: ex.cancel_orders([ORDER_ID, "1002"], SYMBOL),
        "cancel_orders by client id": lambda ex: ex.cancel_orders([], SYMBOL, {"clientOrderIds": [STOP]}),
        "cancel_all_orders": lambda ex: ex.cancel_all_orders(SYMBOL),
        "cancel_all_orders stops": lambda ex: ex.cancel_all_orders(SYMBOL, {"trigger": True}),
        "cancel_all_orders_after": lambda ex: ex.cancel_all_orders_after(30_000),
    }


def asking_calls() -> dict[str, Call]:
    """Orders, executions, bills, market data, and the close of a position."""
    known, mine, stop = {"acknowledged": True}, {"clientOrderId": ENTRY}, {"trigger": True, "clientOrderId": STOP}
    linked, pages = {"orderLinkId": ENTRY}, {"paginate": True, "paginationCalls": 1}
    fundings = {"accountType": "UNIFIED", "category": "linear", "type": "SETTLEMENT", "startTime": str(SINCE)}
    return {
        "fetch_order": lambda ex: ex.fetch_order(ORDER_ID, SYMBOL),
        "fetch_order by id": lambda ex: ex.fetch_order(ORDER_ID, SYMBOL, dict(known)),
        "fetch_order by client id": lambda ex: ex.fetch_order("", SYMBOL, known | mine),
        "fetch_order by orderLinkId": lambda ex: ex.fetch_order("", SYMBOL, known | linked),
        "fetch_order stop by id": lambda ex: ex.fetch_order(STOP_ID, SYMBOL, known | {"trigger": True}),
        "fetch_order stop by client id": lambda ex: ex.fetch_order("", SYMBOL, known | stop),
        "fetch_open_orders": lambda ex: ex.fetch_open_orders(SYMBOL),
        "fetch_open_orders stops": lambda ex: ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True}),
        "fetch_open_order": lambda ex: ex.fetch_open_order(ORDER_ID, SYMBOL, dict(linked)),
        "fetch_closed_orders": lambda ex: ex.fetch_closed_orders(SYMBOL, SINCE, 50),
        "fetch_canceled_orders": lambda ex: ex.fetch_canceled_orders(SYMBOL, SINCE, 50),
        "order history raw": lambda ex: ex.privateGetV5OrderHistory({**MINE, "orderLinkId": ENTRY}),
        "fetch_my_trades": lambda ex: ex.fetch_my_trades(SYMBOL, SINCE, 100),
        "fetch_my_trades paginated": lambda ex: ex.fetch_my_trades(SYMBOL, SINCE, 100, dict(pages)),
        "executions raw": lambda ex: ex.privateGetV5ExecutionList({**MINE, "startTime": str(SINCE), "cursor": "9%3A0%2C9%3A0"}),
        "fetch_order_trades": lambda ex: ex.fetch_order_trades(ORDER_ID, SYMBOL),
        "fetch_ledger": lambda ex: ex.fetch_ledger("USDT", SINCE, 50),
        "fetch_funding_history": lambda ex: ex.fetch_funding_history(SYMBOL, SINCE, 50),
        "fundings raw": lambda ex: ex.privateGetV5AccountTransactionLog(dict(fundings)),
        "fetch_funding_rate": lambda ex: ex.fetch_funding_rate(SYMBOL),
        "fetch_funding_rate_history": lambda ex: ex.fetch_funding_rate_history(SYMBOL, SINCE, 10),
        "fetch_ohlcv": lambda ex: ex.fetch_ohlcv(SYMBOL, "15m", START_MS - 3_600_000, 10),
        "fetch_mark_price": lambda ex: ex.fetch_mark_price(SYMBOL),
        "fetch_ticker": lambda ex: ex.fetch_ticker(SYMBOL),
        "fetch_order_book": lambda ex: ex.fetch_order_book(SYMBOL),
        "close_position": lambda ex: ex.close_position(SYMBOL),
    }


def stream_calls() -> dict[str, Call]:
    """Subscriptions and orders by socket."""
    stop, entry = {"stopLossPrice": 50_000, "reduceOnly": True, "clientOrderId": STOP + "9"}, {"clientOrderId": ENTRY + "9"}
    return {
        "create_order_ws": lambda ex: ex.create_order_ws(SYMBOL, "market", "buy", 0.01, None, dict(entry)),
        "create_order_ws stop": lambda ex: ex.create_order_ws(SYMBOL, "market", "sell", 0.01, None, dict(stop)),
        "cancel_order_ws": lambda ex: ex.cancel_order_ws(None, SYMBOL, {"orderLinkId": STOP + "9"}),
        "watch_orders": lambda ex: ex.watch_orders(SYMBOL),
        "watch_orders stops": lambda ex: ex.watch_orders(SYMBOL, None, None, {"trigger": True}),
        "watch_my_trades": lambda ex: ex.watch_my_trades(SYMBOL),
        "watch_positions": lambda ex: ex.watch_positions([SYMBOL]),
        "watch_positions again": lambda ex: ex.watch_positions([SYMBOL]),
        "watch_balance": lambda ex: ex.watch_balance(),
        "watch_ohlcv": lambda ex: ex.watch_ohlcv(SYMBOL, "15m"),
        "watch_mark_price": lambda ex: ex.watch_mark_price(SYMBOL),
        "watch_ticker": lambda ex: ex.watch_ticker(SYMBOL),
        "watch_order_book": lambda ex: ex.watch_order_book(SYMBOL),
        "watch_funding_rate": lambda ex: ex.watch_funding_rate(SYMBOL),
    }


def clean(fields: Any) -> Any:
    """Without what no two runs share: request ids, times, the login's arguments."""
    if not isinstance(fields, dict):
        return fields
    if fields.get("op") == "auth":
        return {"op": "auth", "args": ["key", "expires", "signature"]}
    hidden = {name: "request" for name in ("req_id", "reqId") if name in fields}
    hidden |= {"header": sorted(fields["header"])} if "header" in fields else {}
    return fields | hidden


def captured() -> dict[str, Any]:
    """Make every call against a local venue under the virtual clock."""
    calls = setting_calls() | placing_calls() | changing_calls() | asking_calls() | stream_calls()

    async def script(played: Played) -> Any:
        found: dict[str, Any] = {}
        for name, call in calls.items():
            found |= await sent_by_each(played, {name: call}, clean)
            await played.wait(GAP_MS)
        return found

    found: dict[str, Any] = under_virtual_clock(script)[0]
    return found


if __name__ == "__main__":
    CAPTURED.write_text(text_of(captured()), encoding="utf-8")
