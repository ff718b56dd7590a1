"""OKX's paths, with the fields that its documentation gives each. A field that is not here is noted when it comes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fakes.exchange.okx import reading as r
from tests.fakes.exchange.okx import trading as t
from tests.fakes.exchange.okx.venue import OkxVenue

PAGE = "after before begin end limit"
PLACE = "instId tdMode ccy clOrdId tag side posSide ordType sz px pxUsd pxVol reduceOnly tgtCcy banAmend stpMode attachAlgoOrds"
ALGO = (
    "instId tdMode ccy side posSide ordType sz tag tgtCcy algoClOrdId closeFraction tpTriggerPx tpTriggerPxType tpOrdPx tpOrdKind"
    " slTriggerPx slTriggerPxType slOrdPx cxlOnClosePos reduceOnly triggerPx orderPx triggerPxType attachAlgoOrds clOrdId"
)
AMEND = "instId cxlOnFail ordId clOrdId reqId newSz newPx newPxUsd newPxVol attachAlgoOrds"
AMEND_ALGO = (
    "instId algoId algoClOrdId cxlOnFail reqId newSz newTpTriggerPx newTpOrdPx newSlTriggerPx newSlOrdPx newTpTriggerPxType"
    " newSlTriggerPxType newTriggerPx newOrdPx newTriggerPxType"
)


class Route(NamedTuple):
    """One path: what it does, whether it needs a signature, and the fields it knows."""

    act: Callable[[OkxVenue, Any], list[Any]]
    fields: frozenset[str]
    private: bool = True


def route(act: object, fields: str, private: bool = True) -> Route:
    """A route of a list of names."""
    return Route(act, frozenset(fields.split()), private)  # type: ignore[arg-type]


ROUTES = {
    ("POST", "trade/order"): route(t.place_orders, PLACE),
    ("POST", "trade/batch-orders"): route(t.place_orders, PLACE),
    ("POST", "trade/order-algo"): route(t.place_algo, ALGO),
    ("POST", "trade/amend-order"): route(t.amend_orders, AMEND),
    ("POST", "trade/amend-algos"): route(t.amend_algos, AMEND_ALGO),
    ("POST", "trade/cancel-order"): route(t.cancel_orders, "instId ordId clOrdId"),
    ("POST", "trade/cancel-batch-orders"): route(t.cancel_orders, "instId ordId clOrdId"),
    ("POST", "trade/cancel-algos"): route(t.cancel_algos, "instId algoId algoClOrdId"),
    ("POST", "trade/cancel-all-after"): route(t.cancel_all_after, "timeOut tag"),
    ("POST", "trade/close-position"): route(t.close_position, "instId posSide mgnMode ccy autoCxl clOrdId tag"),
    ("GET", "trade/order"): route(r.get_order, "instId ordId clOrdId"),
    ("GET", "trade/order-algo"): route(r.get_algo, "algoId algoClOrdId"),
    ("GET", "trade/orders-pending"): route(r.orders_pending, f"instType uly instFamily instId ordType state {PAGE}"),
    ("GET", "trade/orders-history"): route(r.orders_history, f"instType uly instFamily instId ordType state category {PAGE}"),
    ("GET", "trade/orders-algo-pending"): route(r.algos_pending, "ordType algoId instType instId after before limit"),
    ("GET", "trade/orders-algo-history"): route(r.algos_history, "ordType state algoId instType instId after before limit"),
    ("GET", "trade/fills"): route(r.fills, f"instType uly instFamily instId ordId subType {PAGE}"),
    ("GET", "trade/fills-history"): route(r.fills, f"instType uly instFamily instId ordId subType {PAGE}"),
    ("GET", "account/bills"): route(r.bills, f"instType instId ccy mgnMode ctType type subType {PAGE}"),
    ("GET", "account/bills-archive"): route(r.bills, f"instType instId ccy mgnMode ctType type subType {PAGE}"),
    ("GET", "account/positions"): route(r.positions, "instType instId posId"),
    ("GET", "account/balance"): route(r.balance, "ccy"),
    ("GET", "account/config"): route(r.config, ""),
    ("POST", "account/set-position-mode"): route(r.set_position_mode, "posMode"),
    ("POST", "account/set-leverage"): route(r.set_leverage, "instId ccy lever mgnMode posSide"),
    ("GET", "account/leverage-info"): route(r.leverage, "instId ccy mgnMode"),
    ("GET", "account/trade-fee"): route(r.trade_fee, "instType instId uly instFamily ruleType"),
    ("GET", "asset/currencies"): route(r.currencies, "ccy"),
    ("GET", "public/instruments"): route(r.instruments, "instType uly instFamily instId", private=False),
    ("GET", "public/time"): route(r.server_time, "", private=False),
    ("GET", "system/status"): route(r.system_status, "state", private=False),
    ("GET", "public/position-tiers"): route(r.tiers, "instType tdMode uly instFamily instId ccy tier", private=False),
    ("GET", "public/mark-price"): route(r.mark_price, "instType uly instFamily instId", private=False),
    ("GET", "public/funding-rate"): route(r.funding_rate, "instId", private=False),
    ("GET", "public/funding-rate-history"): route(r.funding_history, "instId before after limit", private=False),
    ("GET", "market/ticker"): route(r.tickers, "instId", private=False),
    ("GET", "market/tickers"): route(r.tickers, "instType uly instFamily", private=False),
    ("GET", "market/candles"): route(r.candles, "instId bar after before limit", private=False),
    ("GET", "market/history-candles"): route(r.candles, "instId bar after before limit", private=False),
    ("GET", "market/books"): route(r.books, "instId sz", private=False),
}
