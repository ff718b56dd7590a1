"""What the local Binance sends or does that no recorded payload holds, with where each comes from.

`ccxt`: its code or the samples in its comments name it, for whatever endpoint. `memory`: nothing at hand does. A desk that builds
on a line of these tables builds on what has not been seen; the first calls on a real account settle it.
"""

from tests.fakes.exchange.recorded import CCXT, MEMORY

ORDERS = ("order_response", "http_futures_account_orders")
POSITIONS = ("position_risk", "http_futures_account_positions_one_way")
ALGO_PUSHES = ("algo_update_new", "algo_update_canceled", "ws_futures_algo_update_triggering", "ws_futures_algo_update_triggered")
ORDER_PUSHES = (
    "order_update_new",
    "order_update_trade",
    "order_update_trade_partial",
    "ws_futures_order_update_new_reduce_only_qty",
)
# endpoint -> recorded payloads of it, or of the same rows by the other way (REST, stream)
RECORDED_IN: dict[str, tuple[str, ...]] = {
    "GET exchangeInfo": ("http_futures_market_exchange_info",),
    "GET premiumIndex": ("http_futures_market_premium_index",),
    "GET fundingRate": ("http_futures_market_funding_rate",),
    "GET ticker/24hr": ("http_futures_market_ticker_24hr",),
    "GET depth": ("http_futures_market_depth",),
    "GET positionSide/dual": ("http_futures_account_position_side_dual",),
    "GET symbolConfig": ("http_futures_account_symbol_config",),
    "GET commissionRate": ("http_futures_wallet_commission_rate_btcusdt",),
    "GET v2/positionRisk": POSITIONS,
    "GET v3/positionRisk": POSITIONS,
    "GET v3/account": ("account_info_v2",),
    "GET order": ORDERS,
    "GET openOrder": ORDERS,
    "GET openOrders": ORDERS,
    "GET allOrders": ORDERS,
    "POST order": ORDERS,
    "PUT order": ORDERS,
    "DELETE order": ORDERS,
    "GET openAlgoOrders": ("open_algo_orders",),
    "GET allAlgoOrders": ("open_algo_orders",),
    "GET algoOrder": ("open_algo_orders",),
    "POST algoOrder": ("open_algo_orders",),
    "GET userTrades": ("http_futures_account_trades",),
    "WS ORDER_TRADE_UPDATE": (*ORDER_PUSHES, "ws_futures_order_update_new_price_match"),
    "WS ALGO_UPDATE": (*ALGO_PUSHES, "ws_futures_algo_update_finished"),
    "WS ACCOUNT_UPDATE": ("account_update",),
    "WS kline": ("kline_stream_open", "kline_stream_closed"),
    "WS markPriceUpdate": ("mark_price_stream",),
    "WS 24hrTicker": ("ticker_stream", "ws_futures_ticker_24hr"),
    "WS depthUpdate": ("depth_update_stream", "ws_futures_depth_diff_update"),
}
# endpoint -> source -> fields; `result.side` is a field inside `result`
NOT_SEEN: dict[str, dict[str, str]] = {
    "DELETE algoOrder": {
        CCXT: "algoId clientAlgoId code msg",
    },
    "DELETE allOpenOrders": {
        CCXT: "code msg",
    },
    "DELETE order": {
        CCXT: "cumQty",
    },
    "GET accountConfig": {
        CCXT: "canDeposit canTrade canWithdraw dualSidePosition feeTier multiAssetsMargin tradeGroupId updateTime",
    },
    "GET algoOrder": {
        CCXT: (
            "closePosition goodTillDate icebergQuantity orderType price priceMatch priceProtect "
            "selfTradePreventionMode triggerTime"
        ),
        MEMORY: "actualOrderId actualPrice actualQty actualType tpOrderType",
    },
    "GET allAlgoOrders": {
        CCXT: (
            "closePosition goodTillDate icebergQuantity orderType price priceMatch priceProtect "
            "selfTradePreventionMode triggerTime"
        ),
        MEMORY: "actualOrderId actualPrice actualQty actualType tpOrderType",
    },
    "GET fundingRate": {
        CCXT: "markPrice",
    },
    "GET income": {
        CCXT: "asset income incomeType info symbol time tradeId tranId",
    },
    "GET leverageBracket": {
        CCXT: (
            "brackets brackets.bracket brackets.cum brackets.initialLeverage brackets.maintMarginRatio "
            "brackets.notionalCap brackets.notionalFloor symbol"
        ),
    },
    "GET openAlgoOrders": {
        CCXT: (
            "closePosition goodTillDate icebergQuantity orderType price priceMatch priceProtect "
            "selfTradePreventionMode triggerTime"
        ),
        MEMORY: "actualOrderId actualPrice tpOrderType",
    },
    "GET sapi/v1/account/apiRestrictions": {
        CCXT: "createTime",
        MEMORY: (
            "enableFutures enableInternalTransfer enableMargin enableReading enableSpotAndMarginTrading "
            "enableVanillaOptions enableWithdrawals ipRestrict permitsUniversalTransfer"
        ),
    },
    "GET time": {
        CCXT: "serverTime",
    },
    "GET v3/account": {
        CCXT: "positions.isolatedMargin positions.isolatedWallet positions.notional",
    },
    "GET v3/positionRisk": {
        CCXT: ("adl askNotional bidNotional initialMargin maintMargin marginAsset openOrderInitialMargin positionInitialMargin"),
    },
    "POST algoOrder": {
        CCXT: (
            "closePosition goodTillDate icebergQuantity orderType price priceMatch priceProtect "
            "selfTradePreventionMode triggerTime"
        ),
    },
    "POST countdownCancelAll": {
        CCXT: "symbol",
        MEMORY: "countdownTime",
    },
    "POST leverage": {
        CCXT: "leverage maxNotionalValue symbol",
    },
    "POST listenKey": {
        CCXT: "listenKey",
    },
    "POST marginType": {
        CCXT: "code msg",
    },
    "POST order": {
        CCXT: "cumQty",
    },
    "POST positionSide/dual": {
        CCXT: "code msg",
    },
    "PUT listenKey": {
        CCXT: "listenKey",
    },
    "PUT order": {
        CCXT: "cumQty",
    },
    "WS 24hrMiniTicker": {
        CCXT: "E c e h l o q s v",
    },
    "WS ORDER_TRADE_UPDATE": {
        CCXT: "o.pm",
    },
    "WS answer": {
        CCXT: (
            "id result result.avgPrice result.clientOrderId result.closePosition result.cumQty result.cumQuote "
            "result.executedQty result.goodTillDate result.orderId result.origQty result.origType result.positionSide "
            "result.price result.priceMatch result.priceProtect result.reduceOnly result.selfTradePreventionMode "
            "result.side result.status result.stopPrice result.symbol result.timeInForce result.type "
            "result.updateTime result.workingType status"
        ),
    },
}

# what it does -> source, and what it does here
NOT_SEEN_DONE: dict[str, tuple[str, str]] = {
    "income of what was moved": (
        CCXT,
        "TRANSFER, WELCOME_BONUS, REFERRAL_KICKBACK, INSURANCE_CLEAR are ccxt's words; an empty symbol is from memory",
    ),
    "tranId of another type": (MEMORY, "unique among the incomes of one type alone"),
    "a client id again": (MEMORY, "unique among open orders alone: refused with -4116 while the other is open, taken after"),
    "a client id that was given twice": (MEMORY, "a question answers for the newer order"),
    "the child of a conditional order": (
        MEMORY,
        "has an orderId of its own; its clientOrderId is the clientAlgoId (public threads) or an invented one, here in turn;"
        " actualOrderId, actualQty and actualType are in a public thread",
    ),
    "a conditional order": (MEMORY, "needs neither margin nor a position until it triggers; cannot be amended"),
    "its states": (
        CCXT,
        "NEW, TRIGGERED while its child is open, FINISHED after, CANCELED, REJECTED; in the stream TRIGGERING too",
    ),
    "a conditional order on POST order": (CCXT, "-4120"),
    "a reduce-only conditional order when the position is closed": (MEMORY, "stays, and is REJECTED when it triggers"),
    "a reduce-only order when the position is closed": (MEMORY, "EXPIRED"),
    "a post-only order that would take": (
        CCXT,
        "-5022, no order; a FOK order that cannot fill is taken and EXPIRED, unlike -5021",
    ),
    "stopLoss and takeProfit on POST order": (MEMORY, "are not looked at"),
    "refusal of a cancellation": (CCXT, "-2011 for whatever reason"),
    "code of each refusal": (MEMORY, "the numbers and sentences are ccxt's, which of them is given for what is not"),
    "codes of ccxt's classes": (
        CCXT,
        "ccxt takes those of USD-M by the host fapi.binance.com: elsewhere some are plain ExchangeError",
    ),
    "status of a refusal": (MEMORY, "400; 401 for a wrong key, 429 for too many, 418 for a ban"),
    "maintenance": (
        CCXT,
        "503 and a sentence that makes ccxt lose the code; what is true of an order that was sent is not known",
    ),
    "a field that is not documented": (MEMORY, "is ignored here and noted; -1104 would be possible"),
    "a request's age": (MEMORY, "recvWindow at most (5 s without one, 60 s at most), and less than a second ahead: -1021"),
    "limits": (CCXT, "2,400 a minute, 300 orders in ten seconds; each request weighs 1 here"),
    "open orders": (MEMORY, "200 of a symbol, and 200 conditional ones: then -2025 and -4045"),
    "an unknown word in a filter": (MEMORY, "-1130 for incomeType and algoType"),
    "lists by time": (
        CCXT,
        "a week: the last one without a time, the first one with startTime alone; more between both is -4165",
    ),
    "userTrades and allOrders from an id": (
        MEMORY,
        "ids from there on, oldest first, whatever their age; fromId 0 is the oldest",
    ),
    "allAlgoOrders": (MEMORY, "open ones too; by createTime"),
    "orders that are no longer listed": (
        MEMORY,
        "cancelled three days ago and without executions; the end after 90 days is not played",
    ),
    "income by startTime alone": (MEMORY, "a week from there, as the other lists; the adapter does not build on it"),
    "tranId": (CCXT, "one for each settlement; shared by the fee and the profit of an execution"),
    "v3/positionRisk": (MEMORY, "symbols with a position or an open order alone; liquidationPrice is 0, none is modelled"),
    "a listen key": (MEMORY, "lives an hour from its last POST or PUT; then one listenKeyExpired, and silence on an open line"),
    "ccxt's renewal of a listen key": (CCXT, "once, twenty minutes after the first: a quiet user stream is dead after eighty"),
    "a listen key that is wrong": (MEMORY, "the line opens and stays silent"),
    "pushes of one execution": (MEMORY, "ACCOUNT_UPDATE, then ORDER_TRADE_UPDATE, then the end of the conditional order"),
    "marks and tickers": (MEMORY, "with each print and at the subscription, not every second"),
    "the book's ids": (CCXT, "U, u, pu joined to lastUpdateId of depth as ccxt checks them"),
    "answers of ws-fapi": (CCXT, "those of REST in `result`; errors in `error` with the status of HTTP"),
    "countdownCancelAll": (
        MEMORY,
        "ends the normal orders of all symbols here; Binance's is for one, and its algo orders are not known",
    ),
}
