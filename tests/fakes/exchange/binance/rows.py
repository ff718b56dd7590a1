"""Binance's rows: an order, a conditional order, an execution, a position, an income as Binance writes them.

Prices, sizes and money are text, ids and times are numbers.
"""

from decimal import Decimal
from typing import Any

from tests.fakes.exchange.account import Bill, Position
from tests.fakes.exchange.binance.words import (
    BILL_BASE,
    FORCES,
    Instrument,
    algo_id,
    algo_status_of,
    client_of,
    money,
    number,
    order_id,
    status_of,
)
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Candle, Market
from tests.fakes.exchange.orders import MARKET, Algo, Order

Row = dict[str, Any]
MINUTES_A_DAY = 1_440


def instrument_row(inst: Instrument, market: Market) -> Row:
    """One of exchangeInfo's symbols."""
    contract = market.contract
    step, least = inst.size(1), inst.size(contract.min_lots)
    most = inst.size(contract.max_market_lots)
    filters: list[Row] = [
        {"filterType": "PRICE_FILTER", "minPrice": inst.price(1), "maxPrice": "4529764", "tickSize": inst.price(1)},
        {"filterType": "LOT_SIZE", "stepSize": step, "minQty": least, "maxQty": most},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": step, "minQty": least, "maxQty": most},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": str(contract.min_notional)},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    ]
    names = {"symbol": inst.symbol, "pair": inst.symbol, "baseAsset": inst.name, "quoteAsset": "USDT", "marginAsset": "USDT"}
    dates = {"deliveryDate": 4_133_404_800_000, "onboardDate": 1_569_398_400_000}
    digits = {"pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8, "settlePlan": 0}
    rest = {"contractType": "PERPETUAL", "status": "TRADING", "underlyingType": "COIN", "underlyingSubType": ["PoW"]}
    margins = {"maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "triggerProtect": "0.0500"}
    margins |= {"liquidationFee": "0.012500", "marketTakeBound": "0.05"}
    kinds = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
    return (
        names
        | dates
        | digits
        | rest
        | margins
        | {"filters": filters, "orderTypes": kinds, "timeInForce": ["GTC", "IOC", "FOK", "GTX"]}
    )


def order_row(inst: Instrument, order: Order) -> Row:
    """An order as a question answers it; a request's own answer has `cumQty` and no `time`."""
    kind = "MARKET" if order.kind == MARKET else "LIMIT"
    row: Row = {"orderId": order_id(order), "symbol": inst.symbol, "status": status_of(order), "clientOrderId": client_of(order)}
    row |= {"price": inst.price(order.price), "avgPrice": inst.average(order.turnover, order.filled)}
    row |= {"origQty": inst.size(order.lots), "executedQty": inst.size(order.filled), "cumQuote": quote(inst, order.turnover)}
    row |= {"timeInForce": FORCES[order.kind], "type": kind, "origType": kind, "reduceOnly": order.reduce_only}
    row |= {"closePosition": False, "side": side(order.side), "positionSide": "BOTH", "stopPrice": "0.00"}
    row |= {
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    return row | {"goodTillDate": 0, "time": order.created_ms, "updateTime": order.updated_ms}


def taken_row(inst: Instrument, order: Order) -> Row:
    """An order as the answer to a request has it."""
    row = order_row(inst, order) | {"cumQty": inst.size(order.filled)}
    del row["time"]
    return row


def algo_row(inst: Instrument, algo: Algo, child: Order | None = None) -> Row:
    """A conditional order as a question answers it; `actual...` is what it has placed."""
    status = algo_status_of(algo, child)
    row: Row = {"algoId": algo_id(algo), "clientAlgoId": algo.client, "algoType": "CONDITIONAL", "orderType": algo.shape}
    row |= {"symbol": inst.symbol, "side": side(algo.side), "positionSide": "BOTH", "timeInForce": "GTC"}
    row |= {"quantity": inst.size(algo.lots), "algoStatus": status, "triggerPrice": inst.price(algo.stop or algo.target)}
    row |= {"price": inst.price(algo.stop_price or algo.target_price), "icebergQuantity": None}
    row |= {"selfTradePreventionMode": "EXPIRE_MAKER", "workingType": "CONTRACT_PRICE", "priceMatch": "NONE"}
    row |= {"closePosition": algo.lots == 0, "priceProtect": False, "reduceOnly": algo.reduce_only}
    row |= {"createTime": algo.created_ms, "updateTime": algo.updated_ms, "triggerTime": algo.triggered_ms, "goodTillDate": 0}
    row |= {"actualOrderId": str(order_id(child)) if child else "", "actualPrice": "0.00000", "tpOrderType": ""}
    if child:
        row |= {"actualPrice": inst.average(child.turnover, child.filled), "actualQty": inst.size(child.filled)}
        row |= {"actualType": "LIMIT" if child.price else "MARKET"}
    return row


def taken_algo_row(inst: Instrument, algo: Algo) -> Row:
    """A conditional order as the answer to its request has it: nothing of a child."""
    return {name: value for name, value in algo_row(inst, algo).items() if not name.startswith(("actual", "tpOrder"))}


def quote(inst: Instrument, turnover: int) -> str:
    """A turnover in lots times ticks as quote units."""
    return number(turnover * inst.contract.lot * inst.contract.tick)


def side(sign: int) -> str:
    """BUY or SELL."""
    return "BUY" if sign > 0 else "SELL"


def fill_row(inst: Instrument, event: Event) -> Row:
    """userTrades: nothing in it says which client id the order has."""
    order, bill = event.order, event.bill
    assert order is not None
    assert bill is not None
    row: Row = {"symbol": inst.symbol, "id": bill.trade, "orderId": order_id(order), "side": side(order.side)}
    row |= {"price": inst.price(bill.ticks), "qty": inst.size(bill.lots), "quoteQty": quote(inst, bill.lots * bill.ticks)}
    row |= {"realizedPnl": money(bill.pnl), "marginAsset": "USDT", "commission": money(bill.fee), "commissionAsset": "USDT"}
    return row | {"time": bill.t_ms, "positionSide": "BOTH", "buyer": order.side > 0, "maker": event.maker}


def income_row(inst: Instrument, bill: Bill) -> list[Row]:
    """income: a settlement is one row; an execution one for its fee, and one for a profit that it realised."""
    parts = [("FUNDING_FEE", bill.cash)] if bill.kind == "funding" else [("COMMISSION", -bill.fee), ("REALIZED_PNL", bill.pnl)]
    fixed = {"symbol": inst.symbol, "asset": "USDT", "time": bill.t_ms, "tranId": BILL_BASE + bill.id}
    trade = str(bill.trade or "")
    return [
        fixed | {"incomeType": kind, "income": money(cash), "info": trade or kind, "tradeId": trade}
        for kind, cash in parts
        if cash
    ]


# of a transfer -> incomeType; the last is of no table
TRANSFER_TYPES = {"deposit": "TRANSFER", "withdrawal": "TRANSFER", "bonus": "WELCOME_BONUS", "rebate": "REFERRAL_KICKBACK"}
TRANSFER_TYPES |= {"clawback": "INSURANCE_CLEAR", "strange": "NEW_KIND_OF_REWARD"}


def transfer_row(bill: Bill) -> Row:
    """income: money that was moved; of no symbol."""
    kind = TRANSFER_TYPES.get(bill.kind, bill.kind.upper())
    row: Row = {"symbol": "", "asset": "USDT", "time": bill.t_ms, "tranId": BILL_BASE + bill.id}
    return row | {"incomeType": kind, "income": money(bill.cash), "info": kind, "tradeId": ""}


def position_row(inst: Instrument, held: Position, market: Market) -> Row:
    """v3/positionRisk, in one-way mode: neither leverage nor the kind of margin is in it."""
    pico = market.contract.pico
    worth, margin = held.lots * market.mark * pico, abs(held.cost) * pico // held.leverage
    upl = (held.lots * market.mark - held.cost) * pico
    average = inst.average(abs(held.cost), abs(held.lots))
    row: Row = {"symbol": inst.symbol, "positionSide": "BOTH", "positionAmt": inst.size(held.lots), "entryPrice": average}
    row |= {"breakEvenPrice": average, "markPrice": inst.price(market.mark), "unRealizedProfit": money(upl)}
    row |= {"liquidationPrice": "0", "isolatedMargin": money(margin + upl), "notional": money(worth), "marginAsset": "USDT"}
    row |= {"isolatedWallet": money(margin), "initialMargin": money(margin), "positionInitialMargin": money(margin)}
    row |= {"maintMargin": money(abs(worth) * 4 // 1000), "openOrderInitialMargin": "0", "adl": 1}
    return row | {"bidNotional": "0", "askNotional": "0", "updateTime": held.updated_ms}


def old_position_row(inst: Instrument, held: Position, market: Market, margin_type: str) -> Row:
    """v2/positionRisk: with leverage and the kind of margin, and for every symbol."""
    row = position_row(inst, held, market)
    names = ("symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit")
    names += ("liquidationPrice", "isolatedMargin", "notional", "isolatedWallet", "updateTime")
    more = {"leverage": str(held.leverage), "maxNotionalValue": "20000000", "isAutoAddMargin": "false"}
    return {name: row[name] for name in names} | more | {"marginType": {"ISOLATED": "isolated"}.get(margin_type, "cross")}


def asset_row(cash: int, upl: int, margin: int, ordered: int, now: int) -> Row:
    """One asset of v3/account, in pico."""
    free = money(cash - margin - ordered)
    row: Row = {"asset": "USDT", "walletBalance": money(cash), "unrealizedProfit": money(upl), "marginBalance": money(cash + upl)}
    row |= {"maintMargin": "0.00000000", "initialMargin": money(margin + ordered), "positionInitialMargin": money(margin)}
    row |= {"openOrderInitialMargin": money(ordered), "crossWalletBalance": money(cash - margin), "crossUnPnl": "0.00000000"}
    return row | {"availableBalance": free, "maxWithdrawAmount": free, "updateTime": now}


def candle_row(inst: Instrument, candle: Candle, span_ms: int) -> list[Any]:
    """klines: nothing in it says whether the candle has closed."""
    prices = [inst.price(ticks) for ticks in candle[1:5]]
    worth = quote(inst, candle.lots * candle.close)
    ends = [candle.open_ms + span_ms - 1, worth, 1, inst.size(candle.lots), worth, "0"]
    return [candle.open_ms, *prices, inst.size(candle.lots), *ends]


def ticker_row(inst: Instrument, market: Market, now: int) -> Row:
    """ticker/24hr."""
    day = [candle for candle in market.minutes[-MINUTES_A_DAY:] if candle.open_ms > now - 86_400_000] or market.minutes[-1:]
    first, lots = day[0].open, sum(candle.lots for candle in day)
    change = Decimal(market.last - first) / first * 100
    row: Row = {"symbol": inst.symbol, "priceChange": inst.price(market.last - first), "priceChangePercent": f"{change:.3f}"}
    row |= {
        "weightedAvgPrice": inst.price(market.last),
        "lastPrice": inst.price(market.last),
        "lastQty": inst.size(market.now.lots),
    }
    row |= {"openPrice": inst.price(first), "highPrice": inst.price(max(x.high for x in day))}
    row |= {
        "lowPrice": inst.price(min(x.low for x in day)),
        "volume": inst.size(lots),
        "quoteVolume": quote(inst, lots * market.last),
    }
    return row | {"openTime": now - 86_400_000, "closeTime": now, "firstId": 1, "lastId": len(day), "count": len(day)}


def premium_row(inst: Instrument, market: Market, due_ms: int, now: int) -> Row:
    """premiumIndex: mark price, and the rate that is paid next."""
    row = {"symbol": inst.symbol, "markPrice": inst.price(market.mark), "indexPrice": inst.price(market.mark)}
    row |= {"estimatedSettlePrice": inst.price(market.mark), "lastFundingRate": rate(market), "interestRate": "0.00010000"}
    return row | {"nextFundingTime": due_ms, "time": now}


def rate(market: Market) -> str:
    """A funding rate."""
    return f"{Decimal(market.rate_e8) / 10**8:.8f}"
