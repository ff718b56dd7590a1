"""Fields that the local OKX sends and no recorded payload of that endpoint holds, with where each comes from.

`ccxt`: its code or the samples in its comments name it, for whatever endpoint. `memory`: nothing at hand does. A desk that builds
on a field of this table builds on what has not been seen; the first calls on a real account settle it.
"""

from tests.fakes.exchange.recorded import CCXT, MEMORY

ORDERS = ("http_get_orders_pending", "http_get_orders_pending_with_attached_tp_sl", "http_get_orders_history")
ALGOS = ("http_get_orders_algo_pending", "http_get_orders_algo_pending_attached_oco", "http_get_orders_algo_history")
ALGOS = (*ALGOS, "http_get_orders_algo_pending_close_fraction")

# endpoint -> recorded payloads of it, or of the same rows by the other way (REST, stream)
RECORDED_IN: dict[str, tuple[str, ...]] = {
    "GET public/instruments": ("http_get_instruments_swap",),
    "GET public/mark-price": ("http_get_mark_price",),
    "GET public/funding-rate-history": ("http_get_funding_rate_history",),
    "GET public/position-tiers": ("http_get_position_tiers",),
    "GET market/books": ("http_get_order_book",),
    "GET account/balance": ("http_get_account_balance",),
    "GET account/positions": ("http_get_positions",),
    "GET account/trade-fee": ("http_get_trade_fee_response",),
    "POST account/set-position-mode": ("http_set_position_mode_response",),
    "POST trade/batch-orders": ("http_place_order_response",),
    "POST trade/order-algo": ("http_place_algo_order_response", "http_place_algo_order_rejected"),
    "POST trade/cancel-algos": ("http_cancel_algo_order_response",),
    "GET trade/order": ORDERS,
    "GET trade/orders-pending": ORDERS,
    "GET trade/orders-history": ORDERS,
    "GET trade/order-algo": ALGOS,
    "GET trade/orders-algo-pending": ALGOS,
    "GET trade/orders-algo-history": ALGOS,
    "GET trade/fills-history": ("http_transaction_detail", "http_transaction_detail_empty_fee"),
    "WS orders": ("ws_orders", "ws_orders_trigger", "ws_orders_ioc", "ws_orders_fok"),
    "WS orders-algo": ("ws_orders_algo",),
    "WS account": ("ws_account", "ws_account_empty"),
    "WS tickers": ("ws_tickers",),
    "GET market/ticker": ("ws_tickers",),
    "WS mark-price": ("http_get_mark_price",),
    "WS positions": ("http_get_positions",),
    "WS funding-rate": ("ws_funding_rate",),
}

# endpoint -> source -> fields; `details.ccy` is a field inside `details`
NOT_SEEN: dict[str, dict[str, str]] = {
    "GET account/bills": {
        CCXT: (
            "bal balChg billId ccy clOrdId execType fee from instId instType interest mgnMode notes ordId pnl px "
            "subType sz to tradeId ts type"
        ),
    },
    "GET account/config": {
        CCXT: (
            "acctLv autoLoan ctIsoMode greeksType ip kycLv label level levelTmp liquidationGear mainUid mgnIsoMode "
            "opAuth perm posMode roleType spotOffsetType spotRoleType spotTraderInsts traderInsts type uid"
        ),
    },
    "GET account/leverage-info": {
        CCXT: "ccy instId lever mgnMode posSide",
    },
    "GET asset/currencies": {
        CCXT: ("canDep canInternal canWd ccy chain fee mainNet maxFee maxWd minFee minWd name usedWdQuota wdQuota wdTickSz"),
        MEMORY: "minDep",
    },
    "GET public/funding-rate": {
        CCXT: (
            "fundingRate fundingTime instId instType interestRate maxFundingRate method minFundingRate nextFundingRate "
            "nextFundingTime premium settFundingRate settState ts"
        ),
        MEMORY: "formulaType impactValue prevFundingTime",
    },
    "GET public/funding-rate-history": {
        CCXT: "method",
        MEMORY: "formulaType",
    },
    "GET public/time": {
        CCXT: "ts",
    },
    "GET trade/fills-history": {
        CCXT: "fillPnl fillTime posSide tag",
    },
    "GET trade/order-algo": {
        CCXT: "failCode lever",
        MEMORY: "ordIdList",
    },
    "GET trade/orders-algo-history": {
        CCXT: "failCode lever",
        MEMORY: "ordIdList",
    },
    "GET trade/orders-algo-pending": {
        CCXT: "failCode lever",
        MEMORY: "ordIdList",
    },
    "POST account/set-leverage": {
        CCXT: "instId lever mgnMode posSide",
    },
    "POST trade/amend-algos": {
        CCXT: "algoClOrdId algoId reqId sCode sMsg",
    },
    "POST trade/amend-order": {
        CCXT: "clOrdId ordId reqId sCode sMsg ts",
    },
    "POST trade/batch-orders": {
        CCXT: "ts",
    },
    "POST trade/cancel-algos": {
        CCXT: "algoClOrdId clOrdId tag",
    },
    "POST trade/cancel-all-after": {
        CCXT: "tag triggerTime ts",
    },
    "POST trade/cancel-order": {
        CCXT: "clOrdId ordId sCode sMsg ts",
    },
    "POST trade/close-position": {
        CCXT: "clOrdId instId posSide tag",
    },
    "POST trade/order-algo": {
        CCXT: "clOrdId tag",
    },
    "WS funding-rate": {
        CCXT: "instType interestRate maxFundingRate method minFundingRate premium settFundingRate settState",
        MEMORY: "formulaType impactValue prevFundingTime",
    },
    "WS orders": {
        CCXT: (
            "amendResult amendSource attachAlgoOrds.attachAlgoClOrdId attachAlgoOrds.slOrdPx "
            "attachAlgoOrds.slTriggerPx attachAlgoOrds.slTriggerPxType attachAlgoOrds.tpOrdPx "
            "attachAlgoOrds.tpTriggerPx attachAlgoOrds.tpTriggerPxType code fillFee fillFeeCcy fillNotionalUsd fillPnl "
            "lastPx msg notionalUsd reqId"
        ),
        MEMORY: "attachAlgoOrds.attachAlgoId",
    },
    "WS orders-algo": {
        CCXT: "actualSide closeFraction failCode slOrdPx slTriggerPx slTriggerPxType tpOrdPx tpTriggerPx tpTriggerPxType",
        MEMORY: "ordIdList",
    },
}

# what it does -> source, and what it does here
NOT_SEEN_DONE: dict[str, tuple[str, str]] = {
    "bills of what was moved": (
        MEMORY,
        "1 in or out with subType 11 or 12, 7 interest, 10 clawback (the types are ccxt's); of no instrument; 99 is of no table",
    ),
    "attachAlgoOrds": (
        CCXT,
        "a field of trade/order; attachAlgoClOrdId is taken by the raw call, ccxt's own order leaves it out",
    ),
    "attachAlgoClOrdId": (
        MEMORY,
        "becomes the algoClOrdId of a conditional algo order once the entry has ended; not found before",
    ),
    "the size of an attached stop": (MEMORY, "what the entry has filled when it ended, also of one that was cancelled in part"),
    "an attached stop when the position is closed otherwise": (MEMORY, "stays until it is cancelled (no cxlOnClosePos)"),
    "an attached stop on the wrong side of the price": (
        CCXT,
        "51047 of a buy; 51278 of a sell is from memory; the entry is refused",
    ),
    "amend-algos and cancel-algos of an attached stop": (MEMORY, "as of any other algo, by its algoClOrdId, once it is there"),
}
