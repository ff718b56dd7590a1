"""Every call of ccxt that the desk makes or was tempted to make, and what each sends to OKX.

`python -m tests.fakes.exchange.okx.calls` writes tests/venues/captured/okx.json anew; read its diff before it is committed: a
line that changed is a request that the adapter did not send before.
"""

from pathlib import Path
from typing import Any

from tests.fakes.exchange.capture import Call, sent_by_each, text_of
from tests.fakes.exchange.okx.played import INST, ISOLATED, SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.stage import START_MS

CAPTURED = Path(__file__).parents[3] / "venues" / "captured" / "okx.json"
ENTRY, STOP = "ndabcd00000012E11", "ndabcd00000012S11"
ORDER_ID, ALGO_ID = "1001", "2001"
SINCE = 1_690_000_000_000
BROKER = "6b9ad766b55dBCDE"  # ccxt's own id begins every client id that it invents


def setting_calls() -> dict[str, Call]:
    """Markets, modes, leverage, balance, fees."""
    return {
        "load_markets": lambda ex: ex.load_markets(True),
        "fetch_time": lambda ex: ex.fetch_time(),
        "fetch_status": lambda ex: ex.fetch_status(),
        "fetch_position_mode": lambda ex: ex.fetch_position_mode(SYMBOL),
        "account config": lambda ex: ex.privateGetAccountConfig(),
        "set_position_mode one-way": lambda ex: ex.set_position_mode(False, SYMBOL),
        "set_margin_mode isolated": lambda ex: ex.set_margin_mode("isolated", SYMBOL, {"lever": 3}),
        "fetch_leverage": lambda ex: ex.fetch_leverage(SYMBOL, ISOLATED),
        "set_leverage": lambda ex: ex.set_leverage(3, SYMBOL, ISOLATED),
        "fetch_accounts": lambda ex: ex.fetch_accounts(),
        "fetch_balance": lambda ex: ex.fetch_balance({"type": "swap"}),
        "fetch_positions": lambda ex: ex.fetch_positions([SYMBOL]),
        "fetch_trading_fee": lambda ex: ex.fetch_trading_fee(SYMBOL),
        "fetch_market_leverage_tiers": lambda ex: ex.fetch_market_leverage_tiers(SYMBOL),
    }


def placing_calls() -> dict[str, Call]:
    """Entries, stops, targets."""
    algo = {"reduceOnly": True, **ISOLATED}
    ids = [{"algoClOrdId": STOP + end} for end in ("2", "", "3", "4", "5")]
    both = {"stopLoss": {"triggerPrice": 50_000}, "takeProfit": {"triggerPrice": 70_000}}

    def order(kind: str, side: str, price: float | None, params: dict[str, Any]) -> Call:
        return lambda ex: ex.create_order(SYMBOL, kind, side, 1.0, price, params)

    return {
        "market entry": order("market", "buy", None, {"clientOrderId": ENTRY, **ISOLATED}),
        "market entry without an id": order("market", "buy", None, dict(ISOLATED)),
        "post-only entry": order("limit", "buy", 50_000.05, {"clientOrderId": ENTRY + "2", "postOnly": True, **ISOLATED}),
        "entry with stopLoss and takeProfit": order("market", "buy", None, {"clientOrderId": ENTRY + "3", **both, **ISOLATED}),
        "entry with an attached stop raw": lambda ex: ex.privatePostTradeOrder(
            {
                "instId": INST,
                "tdMode": "isolated",
                "side": "buy",
                "sz": "1",
                "clOrdId": ENTRY + "6",
                "ordType": "market",
                "reduceOnly": False,
                "attachAlgoOrds": [
                    {"attachAlgoClOrdId": ENTRY + "7", "slTriggerPx": "50000", "slOrdPx": "-1", "slTriggerPxType": "last"}
                ],
            }
        ),
        "stop by triggerPrice": order("market", "sell", None, {"triggerPrice": 50_000, **ids[0], **algo}),
        "stop by stopLossPrice": order("market", "sell", None, {"stopLossPrice": 50_000, **ids[1], **algo}),
        "target by takeProfitPrice": order("market", "sell", None, {"takeProfitPrice": 70_000, **ids[2], **algo}),
        "stop and target": order("market", "sell", None, {"stopLossPrice": 50_000, "takeProfitPrice": 70_000, **ids[3], **algo}),
        "target as a limit": order("limit", "sell", 70_000, {"reduceOnly": True, "clientOrderId": ENTRY + "4", **ISOLATED}),
        "stop of the whole position": order(
            "market", "sell", None, {"stopLossPrice": 50_000, "closeFraction": "1", **ids[4], **ISOLATED}
        ),
    }


def changing_calls() -> dict[str, Call]:
    """Amendments and cancellations."""
    mine = {"clientOrderId": ENTRY}
    return {
        "edit_order limit": lambda ex: ex.edit_order(ORDER_ID, SYMBOL, "limit", "buy", 1.0, 49_000, dict(mine)),
        "edit_order stopLossPrice": lambda ex: ex.edit_order(
            ALGO_ID, SYMBOL, "market", "sell", 1.0, None, {"stopLossPrice": 49_500}
        ),
        "edit_order triggerPrice": lambda ex: ex.edit_order(
            ALGO_ID, SYMBOL, "market", "sell", 1.0, None, {"triggerPrice": 49_500, "reduceOnly": True, "trigger": True}
        ),
        "edit_order oco": lambda ex: ex.edit_order(ALGO_ID, SYMBOL, "oco", "sell", 1.0, None, {"stopLossPrice": 49_500}),
        "amend-algos raw": lambda ex: ex.privatePostTradeAmendAlgos(
            {"instId": INST, "algoClOrdId": STOP, "newSlTriggerPx": "49500", "newSz": "2"}
        ),
        "cancel_order by id": lambda ex: ex.cancel_order(ORDER_ID, SYMBOL),
        "cancel_order by client id": lambda ex: ex.cancel_order("", SYMBOL, dict(mine)),
        "cancel_order stop by id": lambda ex: ex.cancel_order(ALGO_ID, SYMBOL, {"trigger": True}),
        "cancel_order stop by client id": lambda ex: ex.cancel_order("", SYMBOL, {"trigger": True, "algoClOrdId": STOP}),
        "cancel_orders": lambda ex: ex.cancel_orders([ORDER_ID, "1002"], SYMBOL),
        "cancel_orders stops by client id": lambda ex: ex.cancel_orders([], SYMBOL, {"trigger": True, "clientOrderId": [STOP]}),
        "cancel_all_orders": lambda ex: ex.cancel_all_orders(SYMBOL),
        "cancel_all_orders stops": lambda ex: ex.cancel_all_orders(SYMBOL, {"trigger": True}),
        "cancel_all_orders_after": lambda ex: ex.cancel_all_orders_after(30_000),
    }


def asking_calls() -> dict[str, Call]:
    """Orders, executions, bills, market data, and the close of a position."""
    stop = {"trigger": True, "algoClOrdId": STOP}
    day_ago = {"paginate": True, "paginationCalls": 1}
    return {
        "fetch_order by id": lambda ex: ex.fetch_order(ORDER_ID, SYMBOL),
        "fetch_order by client id": lambda ex: ex.fetch_order("", SYMBOL, {"clientOrderId": ENTRY}),
        "fetch_order stop by id": lambda ex: ex.fetch_order(ALGO_ID, SYMBOL, {"trigger": True}),
        "fetch_order stop by client id": lambda ex: ex.fetch_order("", SYMBOL, dict(stop)),
        "fetch_open_orders": lambda ex: ex.fetch_open_orders(SYMBOL),
        "fetch_open_orders stops": lambda ex: ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True}),
        "fetch_open_orders oco": lambda ex: ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True, "ordType": "oco"}),
        "fetch_closed_orders": lambda ex: ex.fetch_closed_orders(SYMBOL, SINCE, 50),
        "fetch_canceled_orders": lambda ex: ex.fetch_canceled_orders(SYMBOL, SINCE, 50),
        "fetch_my_trades": lambda ex: ex.fetch_my_trades(SYMBOL, SINCE, 100),
        "fetch_my_trades paginated": lambda ex: ex.fetch_my_trades(SYMBOL, SINCE, 100, dict(day_ago)),
        "fills raw": lambda ex: ex.privateGetTradeFills({"instType": "SWAP", "begin": str(SINCE)}),
        "fetch_order_trades": lambda ex: ex.fetch_order_trades(ORDER_ID, SYMBOL),
        "fetch_ledger": lambda ex: ex.fetch_ledger("USDT", SINCE, 50),
        "fetch_funding_history": lambda ex: ex.fetch_funding_history(SYMBOL, SINCE, 50),
        "fetch_funding_rate": lambda ex: ex.fetch_funding_rate(SYMBOL),
        "fetch_funding_rate_history": lambda ex: ex.fetch_funding_rate_history(SYMBOL),
        "fetch_ohlcv": lambda ex: ex.fetch_ohlcv(SYMBOL, "15m", START_MS - 3_600_000, 10),
        "fetch_mark_price": lambda ex: ex.fetch_mark_price(SYMBOL),
        "fetch_ticker": lambda ex: ex.fetch_ticker(SYMBOL),
        "close_position": lambda ex: ex.close_position(SYMBOL, None, ISOLATED),
    }


def stream_calls() -> dict[str, Call]:
    """Subscriptions and orders by socket."""
    algo = {"stopLossPrice": 50_000, "reduceOnly": True, "algoClOrdId": STOP, **ISOLATED}
    entry = {"clientOrderId": ENTRY + "5", **ISOLATED}
    return {
        "create_order_ws": lambda ex: ex.create_order_ws(SYMBOL, "market", "buy", 1.0, None, entry),
        "create_order_ws stop": lambda ex: ex.create_order_ws(SYMBOL, "market", "sell", 1.0, None, algo),
        "watch_orders": lambda ex: ex.watch_orders(SYMBOL),
        "watch_orders stops": lambda ex: ex.watch_orders(SYMBOL, None, None, {"trigger": True}),
        "watch_my_trades": lambda ex: ex.watch_my_trades(SYMBOL),
        "watch_positions": lambda ex: ex.watch_positions([SYMBOL]),
        "watch_balance": lambda ex: ex.watch_balance({"type": "swap"}),
        "watch_ohlcv": lambda ex: ex.watch_ohlcv(SYMBOL, "15m"),
        "watch_mark_price": lambda ex: ex.watch_mark_price(SYMBOL),
        "watch_ticker": lambda ex: ex.watch_ticker(SYMBOL),
        "watch_funding_rate": lambda ex: ex.watch_funding_rate(SYMBOL),
    }


def clean(fields: Any) -> Any:
    """Without what no two runs share: invented ids, request ids, the login's arguments."""
    if isinstance(fields, list):
        return [clean(item) for item in fields]
    if not isinstance(fields, dict):
        return fields
    if fields.get("op") == "login":
        return {"op": "login", "args": [sorted(fields["args"][0])]}
    shown = {name: clean(value) for name, value in fields.items()}
    if str(shown.get("clOrdId", "")).startswith(BROKER):
        shown["clOrdId"] = "invented"
    return shown | ({"id": "request"} if "op" in shown and "id" in shown else {})


def captured() -> dict[str, Any]:
    """Make every call against a local venue under the virtual clock."""
    calls = setting_calls() | placing_calls() | changing_calls() | asking_calls() | stream_calls()

    async def script(played: Played) -> Any:
        return await sent_by_each(played, calls, clean)

    found: dict[str, Any] = under_virtual_clock(script)[0]
    return found


if __name__ == "__main__":
    CAPTURED.write_text(text_of(captured()), encoding="utf-8")
