"""Bybit's rows: an order, an execution, a position, a line of the transaction log. Nearly every number is text."""

from decimal import Decimal
from typing import Any

from tests.fakes.exchange.account import Bill, Position
from tests.fakes.exchange.bybit.words import (
    ALGO_STATES,
    CANCEL_TYPES,
    IN_FORCE,
    PART,
    REJECT_REASONS,
    SEQ_BASE,
    STATES,
    STOP,
    STOP_LOSS,
    TAKE_PROFIT,
    Instrument,
    bill_id,
    money,
    number,
    order_id,
    side_word,
    trade_id,
)
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Candle, Contract, Market
from tests.fakes.exchange.orders import LIMIT, MARKET, Algo, Order

Row = dict[str, Any]


def instrument_row(inst: Instrument, market: Market) -> Row:
    """market/instruments-info."""
    contract, base = market.contract, {"baseCoin": inst.name, "quoteCoin": "USDT", "settleCoin": "USDT"}
    sizes = {"qtyStep": number(inst.lot), "minOrderQty": inst.size(contract.min_lots), "maxOrderQty": "100000"}
    sizes |= {"maxMktOrderQty": inst.size(contract.max_market_lots), "postOnlyMaxOrderQty": "100000"}
    sizes |= {"minNotionalValue": str(contract.min_notional)}
    prices = {"minPrice": number(inst.tick), "maxPrice": "1999999.8", "tickSize": number(inst.tick)}
    leverage = {"minLeverage": "1", "maxLeverage": str(contract.leverage_max), "leverageStep": "0.01"}
    dates = {"launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "", "fundingInterval": 480}
    filters = {"leverageFilter": leverage, "priceFilter": prices, "lotSizeFilter": sizes}
    fixed = {"contractType": "LinearPerpetual", "status": "Trading", "priceScale": "2", "unifiedMarginTrade": True}
    return {"symbol": inst.symbol} | fixed | base | dates | filters


def stop_kind(algo: Algo | None) -> str:
    """stopOrderType: an order of its own, or one that belongs to the position; those that an entry has brought do."""
    if algo is None:
        return ""
    if algo.shape == STOP:
        return STOP
    part = PART if algo.shape == PART else ""
    return part + (STOP_LOSS if algo.stop else TAKE_PROFIT)


def trigger_row(inst: Instrument, algo: Algo | None) -> Row:
    """What an order waits for; nothing of it for one that does not."""
    kind = stop_kind(algo)
    mode = "Partial" if kind.startswith(PART) else "Full" if kind not in ("", STOP) else ""
    row: Row = {"stopOrderType": kind, "tpslMode": mode, "closeOnTrigger": kind not in ("", STOP)}
    if algo is None:
        return row | {"triggerPrice": "0", "triggerDirection": 0, "triggerBy": ""}
    rises = (algo.side > 0) is bool(algo.stop)
    level = {"triggerPrice": inst.price(algo.stop or algo.target), "triggerDirection": 1 if rises else 2}
    return row | level | {"triggerBy": "LastPrice"}


def order_row(inst: Instrument, algo: Algo | None, order: Order | None, whole: int = 0) -> Row:
    """One order: `algo` while it waits, `order` once it is placed, both of one that has triggered.

    `whole`: lots of the position, which is the size of a stop without one.
    """
    first = order or algo
    assert first is not None
    root = algo or first
    lots, price = (
        (order.lots if order else root.lots or whole),
        order.price if order else algo.stop_price or algo.target_price if algo else 0,
    )
    filled, turnover, fee = (order.filled, order.turnover, order.fee) if order else (0, 0, 0)
    kind = order.kind if order else LIMIT if price else MARKET
    state = STATES[order.state] if order else ALGO_STATES.get(first.state, "Triggered")
    left = max(0, lots - filled) if first.is_open or state == "Triggered" else 0
    row: Row = {"orderId": order_id(root), "orderLinkId": root.client, "symbol": inst.symbol, "side": side_word(first.side)}
    row |= {"orderType": "Market" if kind == MARKET else "Limit", "timeInForce": IN_FORCE[kind]}
    row |= {"price": inst.price(price, "0"), "qty": inst.size(lots), "orderStatus": state, "positionIdx": 0, "isLeverage": ""}
    row |= {"cancelType": CANCEL_TYPES.get(first.why, "UNKNOWN"), "rejectReason": REJECT_REASONS.get(first.why, "EC_NoError")}
    row |= {"avgPrice": inst.average(turnover, filled), "leavesQty": inst.size(left), "leavesValue": inst.value(left * price)}
    row |= {"cumExecQty": inst.size(filled), "cumExecValue": inst.value(turnover), "cumExecFee": money(fee)}
    row |= {
        "cumFeeDetail": {"USDT": money(fee)} if filled else {},
        "reduceOnly": first.reduce_only,
        "orderIv": None,
        "placeType": "",
    }
    row |= {"blockTradeId": None, "smpType": "None", "smpGroup": 0, "smpOrderId": "", "lastPriceOnCreated": ""}
    row |= {"tpTriggerBy": "", "slTriggerBy": "", "tpLimitPrice": "0", "slLimitPrice": "0", "createType": "CreateByUser"}
    brackets = order.brackets if order else ()
    row |= {"stopLoss": inst.price(max((one.stop for one in brackets), default=0), "0")}
    row |= {"takeProfit": inst.price(max((one.target for one in brackets), default=0), "0")}
    row |= {"createdTime": str(root.created_ms), "updatedTime": str(first.updated_ms)}
    return row | trigger_row(inst, algo)


def pushed_order(row: Row) -> Row:
    """The row of an order as the stream has it."""
    named = {name: "" if value is None else value for name, value in row.items() if name != "isLeverage"}
    return named | {"category": "linear", "feeCurrency": "USDT"}


def execution_row(inst: Instrument, event: Event, algo: Algo | None, closed: int, contract: Contract) -> Row:
    """execution/list: a trade. `closed`: lots of the position that it ended."""
    order, bill = event.order, event.bill
    assert order is not None
    assert bill is not None
    root = algo or order
    ppm = contract.maker_ppm if event.maker else contract.taker_ppm
    row: Row = {"symbol": inst.symbol, "orderId": order_id(root), "orderLinkId": root.client, "side": side_word(order.side)}
    row |= {"orderPrice": inst.price(order.price, "0"), "orderQty": inst.size(order.lots), "leavesQty": inst.size(order.left)}
    row |= {"orderType": "Market" if order.kind == MARKET else "Limit", "stopOrderType": stop_kind(algo) or "UNKNOWN"}
    row |= {"execId": trade_id(bill.trade), "execPrice": inst.price(bill.ticks), "execQty": inst.size(bill.lots)}
    row |= {"execType": "Trade", "execValue": inst.value(bill.lots * bill.ticks), "execFee": money(bill.fee)}
    row |= {"feeRate": number(Decimal(ppm) / 1_000_000), "isMaker": event.maker, "closedSize": inst.size(closed)}
    return row | execution_rest(inst, bill) | {"createType": "CreateByUser"}


def execution_rest(inst: Instrument, bill: Bill) -> Row:
    """What a trade and a funding have alike."""
    empty: Row = dict.fromkeys(("tradeIv", "markIv", "indexPrice", "underlyingPrice", "blockTradeId"), "")
    return empty | {
        "markPrice": inst.price(bill.ticks),
        "execTime": str(bill.t_ms),
        "feeCurrency": "USDT",
        "seq": SEQ_BASE + bill.id,
    }


def funding_row(inst: Instrument, bill: Bill, held: int) -> Row:
    """execution/list: a funding. Its fee is positive where it cost, as a trade's."""
    row: Row = {
        "symbol": inst.symbol,
        "orderId": "",
        "orderLinkId": "",
        "side": side_word(held),
        "orderPrice": "0",
        "orderQty": "0",
    }
    row |= {
        "leavesQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "execId": bill_id(bill.id),
        "execType": "Funding",
    }
    row |= {"execPrice": inst.price(bill.ticks), "execQty": inst.size(bill.lots), "execValue": inst.value(bill.lots * bill.ticks)}
    row |= {"execFee": money(-bill.cash), "feeRate": rate_of(bill, inst), "isMaker": False, "closedSize": "0"}
    return row | execution_rest(inst, bill) | {"createType": ""}


def rate_of(bill: Bill, inst: Instrument) -> str:
    """The funding rate that a bill was made with."""
    worth = Decimal(bill.lots * bill.ticks) * inst.lot * inst.tick
    return number((abs(Decimal(bill.cash)) / 10**12 / worth).quantize(Decimal("1e-8")))


def log_row(inst: Instrument, event: Event, algo: Algo | None, held: int, contract: Contract) -> Row:
    """account/transaction-log: TRADE or SETTLEMENT. `change` is what the balance changed by, `held` the lots after it."""
    bill, order = event.bill, event.order
    assert bill is not None
    row: Row = {"symbol": inst.symbol, "category": "linear", "currency": "USDT", "transactionTime": str(bill.t_ms)}
    row |= {
        "change": money(bill.cash),
        "cashBalance": money(bill.balance),
        "size": inst.size(abs(held)),
        "qty": inst.size(bill.lots),
    }
    row |= {"tradePrice": inst.price(bill.ticks), "id": f"1_{inst.symbol}_{SEQ_BASE + bill.id}"}
    if order is None:
        mine: Row = {"type": "SETTLEMENT", "side": side_word(held), "funding": money(bill.cash), "cashFlow": "0", "fee": "0"}
        mine |= {"feeRate": rate_of(bill, inst), "orderId": f"{bill.t_ms // 1000}-8-1-1-1", "orderLinkId": ""}
        return row | mine | {"tradeId": bill_id(bill.id)}
    root, ppm = algo or order, contract.maker_ppm if event.maker else contract.taker_ppm
    mine = {"type": "TRADE", "side": side_word(order.side), "funding": "", "cashFlow": money(bill.pnl), "fee": money(bill.fee)}
    mine |= {"feeRate": number(Decimal(ppm) / 1_000_000), "orderId": order_id(root), "orderLinkId": root.client}
    return row | mine | {"tradeId": trade_id(bill.trade)}


# of a transfer -> type; the last is of no table
TRANSFER_TYPES = {"deposit": "TRANSFER_IN", "withdrawal": "TRANSFER_OUT", "bonus": "BONUS", "rebate": "FEE_REFUND"}
TRANSFER_TYPES |= {"interest": "INTEREST", "strange": "NEW_KIND_OF_REWARD"}


def transfer_row(bill: Bill) -> Row:
    """account/transaction-log: money that was moved; of no symbol, no category and no trade."""
    of_trades = ("symbol", "category", "side", "qty", "size", "tradePrice", "funding", "fee", "feeRate", "orderId", "orderLinkId")
    row: Row = dict.fromkeys((*of_trades, "tradeId"), "") | {"currency": "USDT", "transactionTime": str(bill.t_ms)}
    row |= {"type": TRANSFER_TYPES.get(bill.kind, bill.kind.upper()), "id": f"1_USDT_{SEQ_BASE + bill.id}"}
    return row | {"change": money(bill.cash), "cashFlow": money(bill.cash), "cashBalance": money(bill.balance)}


def position_row(inst: Instrument, held: Position, market: Market, stop: int, target: int) -> Row:
    """position/list, in one-way mode; `stop` and `target` are those of the whole position."""
    pico = market.contract.pico
    margin = abs(held.cost) * pico // held.leverage
    row: Row = {"positionIdx": 0, "riskId": 1, "riskLimitValue": "2000000", "symbol": inst.symbol, "side": side_word(held.lots)}
    row |= {"size": inst.size(abs(held.lots)), "avgPrice": inst.average(held.cost, held.lots) or "0", "tradeMode": 0}
    row |= {"positionValue": money(abs(held.cost) * pico), "positionStatus": "Normal", "autoAddMargin": 0, "adlRankIndicator": 0}
    row |= {
        "leverage": str(held.leverage),
        "positionBalance": money(margin),
        "markPrice": inst.price(market.mark),
        "liqPrice": "",
    }
    row |= {
        "bustPrice": "",
        "positionMM": money(abs(held.cost) * pico * 5 // 1000),
        "positionIM": money(margin),
        "tpslMode": "Full",
    }
    row |= {"takeProfit": inst.price(target, "0"), "stopLoss": inst.price(stop, "0"), "trailingStop": "0"}
    row |= {"unrealisedPnl": money((held.lots * market.mark - held.cost) * pico), "curRealisedPnl": money(held.realized)}
    row |= {"cumRealisedPnl": money(held.realized), "seq": SEQ_BASE + held.trade, "isReduceOnly": False}
    row |= {"mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "", "createdTime": str(held.opened_ms)}
    return row | {"updatedTime": str(held.updated_ms)}


def pushed_position(row: Row) -> Row:
    """The row of a position as the stream has it."""
    named = {name: value for name, value in row.items() if name != "avgPrice"}
    more = {"entryPrice": row["avgPrice"], "sessionAvgPrice": "", "category": "linear"}
    return named | more | {"positionIMByMp": row["positionIM"], "positionMMByMp": row["positionMM"]}


def wallet_row(cash: int, upl: int, margin: int, frozen: int) -> Row:
    """account/wallet-balance: one currency, in pico."""
    free, equity = money(cash - margin - frozen), money(cash + upl)
    coin: Row = {"coin": "USDT", "equity": equity, "usdValue": equity, "walletBalance": money(cash), "locked": "0", "bonus": "0"}
    coin |= {"availableToWithdraw": free, "availableToBorrow": "", "borrowAmount": "0", "accruedInterest": "0", "spotBorrow": "0"}
    coin |= {"totalOrderIM": money(frozen), "totalPositionIM": money(margin), "totalPositionMM": "0", "unrealisedPnl": money(upl)}
    coin |= {"cumRealisedPnl": "0", "collateralSwitch": True, "marginCollateral": True}
    row: Row = dict.fromkeys(("accountIMRate", "accountMMRate", "accountLTV", "totalMaintenanceMargin"), "0")
    row |= {"totalEquity": equity, "totalWalletBalance": money(cash), "totalMarginBalance": equity, "totalAvailableBalance": free}
    return row | {
        "totalPerpUPL": money(upl),
        "totalInitialMargin": money(margin + frozen),
        "accountType": "UNIFIED",
        "coin": [coin],
    }


def pushed_wallet(row: Row) -> Row:
    """The wallet as the stream has it."""
    named = {name: value for name, value in row.items() if name != "totalPerpUPL"}
    hidden = ("locked", "collateralSwitch", "marginCollateral")
    coins = [{name: value for name, value in coin.items() if name not in hidden} for coin in row["coin"]]
    return named | {"totalPerpUpl": row["totalPerpUPL"], "coin": coins}


def pushed_execution(row: Row) -> Row:
    """The row of a trade as the stream has it."""
    named = {name: value for name, value in row.items() if name != "feeCurrency"}
    return {"category": "linear", "isLeverage": "0"} | named


def candle_row(inst: Instrument, candle: Candle) -> list[str]:
    """market/kline: the start, four prices, base and quote volume."""
    prices = [inst.price(ticks) for ticks in candle[1:5]]
    return [str(candle.open_ms), *prices, inst.size(candle.lots), inst.value(candle.lots * candle.close)]


def pushed_candle(inst: Instrument, candle: Candle, word: str, span_ms: int, now: int, closed: bool) -> Row:
    """kline: one that has closed says so."""
    names = ("open", "high", "low", "close", "volume", "turnover")
    row: Row = dict(zip(names, candle_row(inst, candle)[1:], strict=True))
    times = {"start": candle.open_ms, "end": candle.open_ms + span_ms - 1, "interval": word}
    return times | row | {"confirm": closed, "timestamp": now}


def ticker_row(inst: Instrument, market: Market, now: int, due_ms: int) -> Row:
    """market/tickers and the tickers topic."""
    day = [candle for candle in market.minutes[-1440:] if candle.open_ms > now - 86_400_000] or market.minutes[-1:]
    size, lots = inst.size(market.depth_lots), sum(candle.lots for candle in day)
    row: Row = {"symbol": inst.symbol, "tickDirection": "PlusTick", "lastPrice": inst.price(market.last), "price24hPcnt": "0"}
    row |= {"ask1Price": inst.price(market.best(1)), "ask1Size": size, "bid1Price": inst.price(market.best(-1)), "bid1Size": size}
    row |= {"prevPrice24h": inst.price(day[0].open), "prevPrice1h": inst.price(day[0].open), "fundingIntervalHour": "8"}
    row |= {"highPrice24h": inst.price(max(x.high for x in day)), "lowPrice24h": inst.price(min(x.low for x in day))}
    row |= {
        "markPrice": inst.price(market.mark),
        "indexPrice": inst.price(market.mark),
        "openInterest": "0",
        "openInterestValue": "0",
    }
    row |= {"volume24h": inst.size(lots), "turnover24h": inst.value(lots * market.last), "nextFundingTime": str(due_ms)}
    return row | {"fundingRate": number(Decimal(market.rate_e8) / 10**8)}
