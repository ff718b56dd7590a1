"""Binance's paths, with the fields that its documentation gives each, from memory. Any other field is noted when it comes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fakes.exchange.binance import reading as r
from tests.fakes.exchange.binance import trading as t
from tests.fakes.exchange.binance.venue import BinanceVenue

PUBLIC, KEY, SIGNED = "public", "key", "signed"  # what a request must bring
SPAN = "startTime endTime limit"
PLACE = (
    "symbol side positionSide type timeInForce quantity reduceOnly price newClientOrderId newOrderRespType priceMatch"
    " selfTradePreventionMode goodTillDate"
)
ALGO = (
    "algoType symbol side positionSide type timeInForce quantity price triggerPrice workingType priceMatch closePosition"
    " priceProtect reduceOnly activatePrice callbackRate clientAlgoId newOrderRespType selfTradePreventionMode goodTillDate"
)


class Route(NamedTuple):
    """One path: what it does, what it asks of a request, and the fields it knows."""

    act: Callable[[BinanceVenue, Any], Any]
    fields: frozenset[str]
    needs: str = SIGNED


def route(act: object, fields: str, needs: str = SIGNED) -> Route:
    """A route of a list of names."""
    return Route(act, frozenset(fields.split()), needs)  # type: ignore[arg-type]


ROUTES = {
    ("POST", "fapi/v1/order"): route(t.place_order, PLACE),
    ("PUT", "fapi/v1/order"): route(t.amend_order, "symbol side orderId origClientOrderId quantity price priceMatch"),
    ("DELETE", "fapi/v1/order"): route(t.cancel_order, "symbol orderId origClientOrderId"),
    ("GET", "fapi/v1/order"): route(r.get_order, "symbol orderId origClientOrderId"),
    ("GET", "fapi/v1/openOrder"): route(r.open_order, "symbol orderId origClientOrderId"),
    ("POST", "fapi/v1/batchOrders"): route(t.place_batch, "batchOrders"),
    ("DELETE", "fapi/v1/batchOrders"): route(
        t.cancel_batch, "symbol orderIdList orderidlist origClientOrderIdList origclientorderidlist"
    ),
    ("DELETE", "fapi/v1/allOpenOrders"): route(t.cancel_all, "symbol"),
    ("POST", "fapi/v1/countdownCancelAll"): route(t.dead_man, "symbol countdownTime"),
    ("POST", "fapi/v1/algoOrder"): route(t.place_algo, ALGO),
    ("DELETE", "fapi/v1/algoOrder"): route(t.cancel_algo, "symbol algoId clientAlgoId"),
    ("GET", "fapi/v1/algoOrder"): route(r.get_algo, "symbol algoId clientAlgoId"),
    ("DELETE", "fapi/v1/algoOpenOrders"): route(t.cancel_all_algos, "symbol"),
    ("GET", "fapi/v1/openOrders"): route(r.open_orders, "symbol"),
    ("GET", "fapi/v1/openAlgoOrders"): route(r.open_algos, "algoType symbol algoId"),
    ("GET", "fapi/v1/allOrders"): route(r.all_orders, f"symbol orderId {SPAN}"),
    ("GET", "fapi/v1/allAlgoOrders"): route(r.all_algos, f"symbol algoId page {SPAN}"),
    ("GET", "fapi/v1/userTrades"): route(r.trades, f"symbol orderId fromId {SPAN}"),
    ("GET", "fapi/v1/income"): route(r.income, f"symbol incomeType page {SPAN}"),
    ("GET", "fapi/v3/positionRisk"): route(r.positions, "symbol"),
    ("GET", "fapi/v2/positionRisk"): route(r.old_positions, "symbol"),
    ("GET", "fapi/v3/account"): route(r.account, ""),
    ("GET", "fapi/v1/accountConfig"): route(r.account_config, ""),
    ("GET", "fapi/v1/symbolConfig"): route(r.symbol_config, "symbol"),
    ("GET", "fapi/v1/leverageBracket"): route(r.brackets, "symbol"),
    ("GET", "fapi/v1/positionSide/dual"): route(r.position_mode, ""),
    ("POST", "fapi/v1/positionSide/dual"): route(r.set_position_mode, "dualSidePosition"),
    ("POST", "fapi/v1/marginType"): route(r.set_margin_type, "symbol marginType"),
    ("POST", "fapi/v1/leverage"): route(r.set_leverage, "symbol leverage"),
    ("GET", "fapi/v1/commissionRate"): route(r.commission, "symbol"),
    ("GET", "sapi/v1/account/apiRestrictions"): route(r.restrictions, ""),
    ("POST", "fapi/v1/listenKey"): route(r.listen_key, "", KEY),
    ("PUT", "fapi/v1/listenKey"): route(r.listen_key, "listenKey", KEY),
    ("DELETE", "fapi/v1/listenKey"): route(r.close_listen_key, "", KEY),
    ("GET", "fapi/v1/exchangeInfo"): route(r.trading_rules, "", PUBLIC),
    ("GET", "fapi/v1/time"): route(r.server_time, "", PUBLIC),
    ("GET", "fapi/v1/premiumIndex"): route(r.premium, "symbol", PUBLIC),
    ("GET", "fapi/v1/fundingRate"): route(r.funding_history, f"symbol {SPAN}", PUBLIC),
    ("GET", "fapi/v1/ticker/24hr"): route(r.tickers, "symbol", PUBLIC),
    ("GET", "fapi/v1/klines"): route(r.candles, f"symbol interval {SPAN}", PUBLIC),
    ("GET", "fapi/v1/depth"): route(r.book, "symbol limit", PUBLIC),
}
SENT_WITH_ALL = frozenset(("timestamp", "recvWindow", "signature"))
