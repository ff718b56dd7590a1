"""What the local Bybit sends or does that no recorded payload holds, with where each comes from.

`ccxt`: its code or the samples in its comments name it, for whatever endpoint. `memory`: nothing at hand does. A desk that builds
on a line of these tables builds on what has not been seen; the first calls on a real account settle it.
"""

from tests.fakes.exchange.recorded import CCXT, MEMORY

ORDERS = ("http_get_orders_realtime", "http_get_orders_realtime_tp_sl", "http_get_orders_history")
ORDERS = (*ORDERS, "http_get_order_partially_filled_rejected", "http_get_orders_history_with_duplicate")
PUSHED = ("ws_account_order", "ws_account_order_filled", "ws_account_order_stop_loss", "ws_account_order_stop_market")
# endpoint -> recorded payloads of it, or of the same rows by the other way (REST, stream)
RECORDED_IN: dict[str, tuple[str, ...]] = {
    "GET market/instruments-info": ("http_get_instruments_linear", "http_get_instruments_linear_symbol_type"),
    "GET market/tickers": ("ws_ticker_linear",),
    "GET market/orderbook": ("http_get_orderbook",),
    "GET market/funding/history": ("http_get_funding_history",),
    "GET user/query-api": ("http_get_user_query_api",),
    "GET account/info": ("http_get_account_info",),
    "GET account/wallet-balance": ("http_get_wallet_balance", "http_get_wallet_balance_with_spot_borrow"),
    "GET account/fee-rate": ("http_get_fee_rate",),
    "GET position/list": ("http_get_positions", "http_get_positions_with_open_time"),
    "GET order/realtime": ORDERS,
    "GET order/history": ORDERS,
    "GET execution/list": ("http_get_executions",),
    "WS order": PUSHED,
    "WS execution": ("ws_account_execution", "ws_account_execution_adl"),
    "WS position": ("ws_account_position", "ws_account_position_short"),
    "WS wallet": ("ws_account_wallet", "ws_account_wallet_small_order"),
    "WS tickers": ("ws_ticker_linear",),
    "WS orderbook": ("ws_orderbook_snapshot", "ws_orderbook_delta"),
    "WS kline": ("ws_kline",),
}
# endpoint -> source -> fields; `coin.bonus` is a field inside `coin`
NOT_SEEN: dict[str, dict[str, str]] = {
    "GET account/transaction-log": {
        CCXT: (
            "cashBalance cashFlow category change currency fee feeRate funding id orderId orderLinkId qty side "
            "size symbol tradeId tradePrice transactionTime type"
        ),
    },
    "GET asset/coin/query-info": {
        CCXT: (
            "chains chains.chain chains.chainDeposit chains.chainType chains.chainWithdraw chains.confirmation "
            "chains.depositMin chains.minAccuracy chains.withdrawFee chains.withdrawMin coin name remainAmount"
        ),
    },
    "GET market/risk-limit": {
        CCXT: "id initialMargin isLowestRisk maintenanceMargin maxLeverage riskLimitValue symbol",
    },
    "GET market/time": {
        CCXT: "timeNano timeSecond",
    },
    "GET order/history": {
        CCXT: "createType cumFeeDetail cumFeeDetail.USDT",
    },
    "GET order/realtime": {
        CCXT: "createType cumFeeDetail",
    },
    "POST order/amend": {
        CCXT: "orderId orderLinkId",
    },
    "POST order/cancel": {
        CCXT: "orderId orderLinkId",
    },
    "POST order/cancel-all": {
        CCXT: "orderId orderLinkId",
    },
    "POST order/create": {
        CCXT: "orderId orderLinkId",
    },
    "WS execution": {
        CCXT: "createType",
    },
    "WS order": {
        CCXT: "cumFeeDetail cumFeeDetail.USDT",
    },
    "WS wallet": {
        CCXT: "accountType coin.bonus coin.cumRealisedPnl coin.unrealisedPnl coin.usdValue",
    },
}

# what it does -> source, and what it does here
NOT_SEEN_DONE: dict[str, tuple[str, str]] = {
    "lines of the log for what was moved": (
        CCXT,
        "TRANSFER_IN, TRANSFER_OUT, BONUS, FEE_REFUND, INTEREST are ccxt's words; without symbol and category from memory",
    ),
    "a stop that fires": (
        MEMORY,
        "keeps its orderId and orderLinkId: Untriggered, Triggered, New, Filled; its executions carry both",
    ),
    "a reduce-only stop when the position is closed": (MEMORY, "stays; Rejected when it triggers with nothing to reduce"),
    "stops and targets of the position": (
        MEMORY,
        "end when it is closed (CancelByTpSlTsClear); of a Partial pair the first ends the other",
    ),
    "stopLoss and takeProfit on order/create": (
        MEMORY,
        "stand from the entry's end on, sized to its fills; the venue's follow the position",
    ),
    "a conditional order that is cancelled while it waits": (CCXT, "Deactivated"),
    "one namespace of orderLinkId": (MEMORY, "for conditional and other orders, also those that have ended: 110072"),
    "letters of orderLinkId": (CCXT, "36 at most (ccxt's comment); letters, digits, dashes, underscores are from memory"),
    "an order that is not there": (CCXT, "an empty list with code 0; cancel and amend say 110001"),
    "order/realtime by an id": (CCXT, "of the last 500 orders in any state (ccxt's message); then order/history"),
    "order/realtime without orderFilter": (CCXT, "both kinds, as ccxt asks; the filters are from memory"),
    "nextPageCursor": (CCXT, "behind every page that has rows, also the last; empty behind an empty page"),
    "windows of lists": (MEMORY, "seven days; the transaction log one day unless both ends are given"),
    "rows of a page": (MEMORY, "orders 20 to 50, executions 50 to 100, transactions 20 to 50; more is 10001, not cut"),
    "requests a second": (CCXT, "its costs: 20 for create and cancel, 30 for the transaction log, else 10; 10006"),
    "a request's age": (MEMORY, "recv_window at most, and less than a second ahead: 10002"),
    "status of a refusal": (
        MEMORY,
        "200 with retCode, also for a wrong key or signature; 10006 as a fault 429; 418 where Bybit is said to use 403",
    ),
    "maintenance": (MEMORY, "503 and 10016, of which nothing is known for an order that was sent"),
    "a price between two ticks, a size between two steps": (MEMORY, "10001"),
    "a size or value that is too small": (CCXT, "110094 for the value; 10001 for the size is from memory"),
    "an amendment that changes nothing": (MEMORY, "10001"),
    "a stop whose level has passed": (CCXT, "110092 and 110093"),
    "triggerBy MarkPrice and IndexPrice": (MEMORY, "taken, and the last price is what counts"),
    "an order while another request holds it": (MEMORY, "110079"),
    "disconnected-cancel-all": (MEMORY, "counts from the end of the last private connection, not from the last request"),
    "the margin mode": (CCXT, "of the whole account; no order says it"),
    "funding in execution/list": (CCXT, "execType Funding, execFee positive where it cost, as a trade's fee"),
    "funding in the transaction log": (
        CCXT,
        "type SETTLEMENT, change and funding negative where it cost; tradeId is the execution's execId from memory",
    ),
    "a login that has expired": (MEMORY, "10002 with success false; the connection stays open"),
    "pushes of one event": (MEMORY, "order, execution, position and wallet each by themselves, in the order of subscription"),
}
