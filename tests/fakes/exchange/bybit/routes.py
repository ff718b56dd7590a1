"""Bybit's paths, with the fields that its documentation gives each. A field that is not here is noted when it comes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fakes.exchange.bybit import reading as r
from tests.fakes.exchange.bybit import trading as t
from tests.fakes.exchange.bybit.venue import BybitVenue

PAGE = "limit cursor"
TIMES = "startTime endTime"
TPSL = "takeProfit stopLoss tpTriggerBy slTriggerBy tpslMode tpLimitPrice slLimitPrice"
PLACE = (
    f"category symbol side orderType qty price timeInForce positionIdx orderLinkId reduceOnly closeOnTrigger isLeverage"
    f" marketUnit triggerPrice triggerDirection triggerBy orderFilter smpType mmp orderIv {TPSL} tpOrderType slOrderType"
    f" slippageToleranceType slippageTolerance bboSideType bboLevel"
)
AMEND = f"category symbol orderId orderLinkId qty price triggerPrice triggerBy orderIv {TPSL}"
CANCEL = "category symbol orderId orderLinkId orderFilter"
ORDERS = f"category symbol baseCoin settleCoin orderId orderLinkId openOnly orderFilter {PAGE}"
STOPS = f"category symbol {TPSL} trailingStop activePrice tpSize slSize tpOrderType slOrderType positionIdx"


class Route(NamedTuple):
    """One path: what it does, whether it needs a signature, and the fields it knows."""

    act: Callable[[BybitVenue, Any], dict[str, Any]]
    fields: frozenset[str]
    private: bool = True


def route(act: object, fields: str, private: bool = True) -> Route:
    """A route of a list of names."""
    return Route(act, frozenset(fields.split()), private)  # type: ignore[arg-type]


ROUTES = {
    ("POST", "order/create"): route(t.place_order, PLACE),
    ("POST", "order/amend"): route(t.amend_order, AMEND),
    ("POST", "order/cancel"): route(t.cancel_order, CANCEL),
    ("POST", "order/cancel-batch"): route(t.cancel_batch, "category request"),
    ("POST", "order/cancel-all"): route(t.cancel_all, "category symbol baseCoin settleCoin orderFilter stopOrderType"),
    ("POST", "order/disconnected-cancel-all"): route(t.cancel_all_after, "timeWindow product"),
    ("POST", "position/trading-stop"): route(t.trading_stop, STOPS),
    ("GET", "order/realtime"): route(r.orders_realtime, ORDERS),
    ("GET", "order/history"): route(r.orders_history, f"{ORDERS} orderStatus {TIMES}"),
    ("GET", "execution/list"): route(r.executions, f"category symbol orderId orderLinkId baseCoin execType {TIMES} {PAGE}"),
    ("GET", "account/transaction-log"): route(
        r.transactions, f"accountType category currency baseCoin type transSubType {TIMES} {PAGE}"
    ),
    ("GET", "position/list"): route(r.positions, f"category symbol baseCoin settleCoin {PAGE}"),
    ("POST", "position/set-leverage"): route(r.set_leverage, "category symbol buyLeverage sellLeverage"),
    ("POST", "position/switch-mode"): route(r.switch_mode, "category symbol coin mode"),
    ("GET", "account/wallet-balance"): route(r.wallet, "accountType coin"),
    ("GET", "account/info"): route(r.account_settings, ""),
    ("POST", "account/set-margin-mode"): route(r.set_margin_mode, "setMarginMode"),
    ("GET", "account/fee-rate"): route(r.fee_rate, "category symbol baseCoin"),
    ("GET", "user/query-api"): route(r.query_api, ""),
    ("GET", "asset/coin/query-info"): route(r.coins, "coin"),
    ("GET", "market/instruments-info"): route(r.instruments, f"category symbol status baseCoin {PAGE}", private=False),
    ("GET", "market/time"): route(r.server_time, "", private=False),
    ("GET", "market/risk-limit"): route(r.tiers, "category symbol cursor", private=False),
    ("GET", "market/tickers"): route(r.tickers, "category symbol baseCoin expDate", private=False),
    ("GET", "market/kline"): route(r.candles, "category symbol interval start end limit", private=False),
    ("GET", "market/orderbook"): route(r.books, "category symbol limit", private=False),
    ("GET", "market/funding/history"): route(r.funding_history, f"category symbol {TIMES} limit", private=False),
}
