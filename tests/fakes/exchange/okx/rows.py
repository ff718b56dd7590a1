"""OKX's rows: an order, an algo, a fill, a position, a bill as OKX writes them. Every number is text, what is not there is ''."""

from decimal import Decimal
from typing import Any

from tests.fakes.exchange.account import Bill, Position
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Candle, Market
from tests.fakes.exchange.okx.words import (
    ALGO_STATES,
    CANCEL_SOURCES,
    STATES,
    Instrument,
    algo_id,
    bill_id,
    money,
    number,
    order_id,
)
from tests.fakes.exchange.orders import Algo, Bracket, Order

Row = dict[str, Any]
PUSH_ONLY = ("execType", "fillFee", "fillFeeCcy", "fillPnl")  # of an order's last execution
BOOLEANS = {True: "true", False: "false"}


def instrument_row(inst: Instrument, market: Market) -> Row:
    """public/instruments."""
    contract = market.contract
    fixed = {"instType": "SWAP", "alias": "", "auctionEndTime": "", "baseCcy": "", "quoteCcy": "", "category": "1"}
    empty = dict.fromkeys(
        ("contTdSwTime", "expTime", "maxMktAmt", "maxPlatOILmt", "openType", "optType", "preMktSwTime", "stk"), ""
    )
    sizes = {"lotSz": number(inst.lot), "minSz": inst.contracts(contract.min_lots), "tickSz": number(inst.tick)}
    sizes |= {"maxMktSz": inst.contracts(contract.max_market_lots), "maxLmtSz": "100000000", "maxLmtAmt": "20000000"}
    sizes |= {"maxStopSz": inst.contracts(contract.max_market_lots), "maxTriggerSz": "100000000", "maxTwapSz": "100000000"}
    what = {"ctMult": "1", "ctType": "linear", "ctVal": number(inst.ct_val), "ctValCcy": inst.name, "settleCcy": "USDT"}
    names = {
        "instId": inst.inst_id,
        "instFamily": inst.family,
        "uly": inst.family,
        "instIdCode": inst.code,
        "maxIcebergSz": "100000000",
    }
    rest = {"lever": str(contract.leverage_max), "listTime": "1573557408000", "ruleType": "normal", "state": "live"}
    return fixed | empty | sizes | what | names | rest | {"futureSettlement": False, "tradeQuoteCcyList": []}


def order_row(inst: Instrument, order: Order, leverage: int, event: Event | None = None) -> Row:
    """An order as REST lists it; with a fill's event, as the stream pushes it."""
    average = number((Decimal(order.turnover) / order.filled * inst.tick).quantize(Decimal("1e-8"))) if order.filled else ""
    row: Row = dict.fromkeys(
        ("pxType", "pxUsd", "pxVol", "quickMgnType", "stpId", "tgtCcy", "cancelSourceReason", "attachAlgoClOrdId"), ""
    )
    row |= dict.fromkeys(("slOrdPx", "slTriggerPx", "slTriggerPxType", "tpOrdPx", "tpTriggerPx", "tpTriggerPxType"), "")
    row |= {"instType": "SWAP", "instId": inst.inst_id, "ordId": order_id(order), "clOrdId": order.client, "tag": order.tag}
    row |= {"side": "buy" if order.side > 0 else "sell", "posSide": "net", "tdMode": "isolated", "ordType": order.kind}
    row |= {"sz": inst.contracts(order.lots), "px": inst.price(order.price), "accFillSz": inst.contracts(order.filled)}
    row |= {"avgPx": average, "state": STATES[order.state], "lever": str(leverage), "reduceOnly": BOOLEANS[order.reduce_only]}
    row |= {
        "fee": money(-order.fee),
        "feeCcy": "USDT",
        "rebate": "0",
        "rebateCcy": "USDT",
        "pnl": money(order.pnl),
        "ccy": "USDT",
    }
    row |= {"cTime": str(order.created_ms), "uTime": str(order.updated_ms), "category": "normal", "isTpLimit": "false"}
    row |= {"cancelSource": CANCEL_SOURCES.get(order.why, ""), "source": "7" if order.parent else "", "stpMode": "cancel_maker"}
    parent = algo_id(order.parent) if order.parent else ""
    row |= {"algoId": parent, "algoClOrdId": "", "linkedAlgoOrd": {"algoId": ""}}
    row["attachAlgoOrds"] = [bracket_row(inst, bracket) for bracket in order.brackets]
    return row | last_fill(inst, event)


def last_fill(inst: Instrument, event: Event | None) -> Row:
    """The execution of a push; empty without one."""
    if event is None or event.bill is None:
        return {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "", "execType": ""}
    bill = event.bill
    row = {"fillPx": inst.price(bill.ticks), "fillSz": inst.contracts(bill.lots), "fillTime": str(bill.t_ms)}
    more = {"fillFee": money(-bill.fee), "fillFeeCcy": "USDT", "fillPnl": money(bill.pnl)}
    return row | more | {"tradeId": str(bill.trade), "execType": "M" if event.maker else "T"}


def bracket_row(inst: Instrument, bracket: Bracket) -> Row:
    """One of attachAlgoOrds."""
    row = {"attachAlgoId": "", "attachAlgoClOrdId": bracket.client}
    return row | levels(inst, bracket.stop, bracket.target, bracket.stop_price, bracket.target_price)


def levels(inst: Instrument, stop: int, target: int, stop_price: int, target_price: int) -> Row:
    """Trigger prices and what is ordered there: -1 is the market."""
    row = {"slTriggerPx": inst.price(stop), "slOrdPx": (inst.price(stop_price) or "-1") if stop else ""}
    row |= {"tpTriggerPx": inst.price(target), "tpOrdPx": (inst.price(target_price) or "-1") if target else ""}
    return row | {"slTriggerPxType": "last" if stop else "", "tpTriggerPxType": "last" if target else ""}


def algo_row(inst: Instrument, algo: Algo, leverage: int, child: Order | None = None) -> Row:
    """An algo; `child` is what it has placed. OKX names its id, and nothing of it by a client id."""
    row: Row = {"instType": "SWAP", "instId": inst.inst_id, "algoId": algo_id(algo), "algoClOrdId": algo.client, "clOrdId": ""}
    row |= {"side": "buy" if algo.side > 0 else "sell", "posSide": "net", "tdMode": "isolated", "ordType": algo.shape}
    row |= {"sz": inst.contracts(algo.lots) if algo.lots else "", "closeFraction": "" if algo.lots else "1"}
    row |= {"state": ALGO_STATES[algo.state], "reduceOnly": BOOLEANS[algo.reduce_only], "lever": str(leverage), "tag": algo.tag}
    row |= {"ordId": order_id(algo.child) if algo.child else "", "ordIdList": [order_id(algo.child)] if algo.child else []}
    row |= {
        "actualSz": inst.contracts(child.filled) if child else "0",
        "actualPx": "",
        "actualSide": {"stop": "sl", "target": "tp"}.get(algo.hit, ""),
    }
    if child and child.filled:
        row["actualPx"] = number((Decimal(child.turnover) / child.filled * inst.tick).quantize(Decimal("1e-8")))
    row |= {"cTime": str(algo.created_ms), "uTime": str(algo.updated_ms), "triggerTime": str(algo.triggered_ms or "")}
    row |= {"failCode": "51169" if algo.why == "nothing_to_reduce" else "", "ordPx": "", "triggerPx": "", "triggerPxType": ""}
    if algo.shape == "trigger":
        price = inst.price(algo.stop_price or algo.target_price) or "-1"
        return row | {"triggerPx": inst.price(algo.stop or algo.target), "triggerPxType": "last", "ordPx": price}
    return row | levels(inst, algo.stop, algo.target, algo.stop_price, algo.target_price)


def fill_row(inst: Instrument, event: Event) -> Row:
    """trade/fills and trade/fills-history."""
    order, bill = event.order, event.bill
    assert order is not None
    assert bill is not None
    row = {
        "instType": "SWAP",
        "instId": inst.inst_id,
        "tradeId": str(bill.trade),
        "ordId": order_id(order),
        "clOrdId": order.client,
    }
    row |= {"billId": bill_id(bill.id), "fillPx": inst.price(bill.ticks), "fillSz": inst.contracts(bill.lots), "tag": order.tag}
    row |= {"side": "buy" if order.side > 0 else "sell", "posSide": "net", "execType": "M" if event.maker else "T"}
    row |= {
        "fee": money(-bill.fee),
        "feeCcy": "USDT",
        "fillPnl": money(bill.pnl),
        "fillTime": str(bill.t_ms),
        "ts": str(bill.t_ms),
    }
    return row


def bill_row(inst: Instrument, bill: Bill, event: Event) -> Row:
    """account/bills: 2 is a trade, 8 funding (173 paid, 174 received)."""
    trade = bill.kind == "trade"
    order = event.order
    side = ("1" if order.side > 0 else "2") if order else ""
    row = {"instType": "SWAP", "instId": inst.inst_id, "ccy": "USDT", "mgnMode": "isolated", "billId": bill_id(bill.id)}
    row |= {"type": "2" if trade else "8", "subType": side if trade else "173" if bill.cash < 0 else "174"}
    row |= {"bal": money(bill.balance), "balChg": money(bill.cash), "pnl": money(bill.pnl if trade else bill.cash)}
    row |= {"fee": money(-bill.fee), "sz": inst.contracts(bill.lots), "px": inst.price(bill.ticks), "ts": str(bill.t_ms)}
    row |= {
        "ordId": order_id(order) if order else "",
        "clOrdId": order.client if order else "",
        "from": "",
        "to": "",
        "notes": "",
    }
    return row | {"tradeId": str(bill.trade or ""), "execType": ("M" if event.maker else "T") if trade else "", "interest": "0"}


# of a transfer -> (type, subType): 1, 7 and 10 by ccxt's table, what comes beside them from memory; 99 is of no table
TRANSFER_TYPES = {"deposit": ("1", "11"), "withdrawal": ("1", "12"), "interest": ("7", "9"), "clawback": ("10", "")}


def transfer_row(bill: Bill) -> Row:
    """account/bills: money that was moved; of no instrument."""
    of_trades = ("instType", "instId", "mgnMode", "sz", "px", "ordId", "clOrdId", "tradeId", "execType", "notes")
    row: Row = dict.fromkeys(of_trades, "") | {"ccy": "USDT", "billId": bill_id(bill.id), "ts": str(bill.t_ms)}
    row |= dict(zip(("type", "subType"), TRANSFER_TYPES.get(bill.kind, ("99", "")), strict=True))
    row |= {"bal": money(bill.balance), "balChg": money(bill.cash), "pnl": "0", "fee": "0", "interest": "0"}
    moved = bill.kind in ("deposit", "withdrawal")  # 6 is the funding account, 18 the trading account
    ends = ("6", "18") if bill.cash > 0 else ("18", "6")
    return row | dict(zip(("from", "to"), ends if moved else ("", ""), strict=True))


def position_row(inst: Instrument, held: Position, market: Market) -> Row:
    """account/positions and the positions channel, in net mode."""
    pico, contract = market.contract.pico, market.contract
    upl = (held.lots * market.mark - held.cost) * pico
    margin = abs(held.cost) * pico // held.leverage
    average = number((Decimal(held.cost) / held.lots * inst.tick).quantize(Decimal("1e-8"))) if held.lots else ""
    worth = abs(held.lots) * market.mark * pico
    row: Row = dict.fromkeys(("baseBal", "quoteBal", "quoteBorrowed", "quoteInterest", "posCcy", "optVal", "spotInUseAmt"), "")
    row |= {"spotInUseCcy": "", "interest": "", "liqPenalty": "0", "pendingCloseOrdLiabVal": "0", "usdPx": "1", "adl": "1"}
    row |= {
        "instType": "SWAP",
        "instId": inst.inst_id,
        "posId": str(9_000_000 + contract.min_lots),
        "posSide": "net",
        "ccy": "USDT",
    }
    row |= {"mgnMode": "isolated", "pos": ("-" if held.lots < 0 else "") + inst.contracts(abs(held.lots)), "avgPx": average}
    row |= {"availPos": inst.contracts(abs(held.lots)), "lever": str(held.leverage), "last": inst.price(market.last)}
    row |= {
        "markPx": inst.price(market.mark),
        "idxPx": inst.price(market.mark),
        "notionalUsd": money(worth),
        "margin": money(margin),
    }
    row |= {"upl": money(upl), "uplLastPx": money((held.lots * market.last - held.cost) * pico), "bePx": average, "liqPx": ""}
    ratio = number((Decimal(upl) / margin).quantize(Decimal("1e-8"))) if margin else "0"
    row |= {"uplRatio": ratio, "uplRatioLastPx": ratio, "mmr": money(worth * 4 // 1000), "mgnRatio": ""}
    row |= {"realizedPnl": money(held.realized), "pnl": money(held.realized + held.fees - held.funding), "fee": money(-held.fees)}
    row |= {"fundingFee": money(held.funding), "tradeId": str(held.trade or ""), "cTime": str(held.opened_ms)}
    return row | {"uTime": str(held.updated_ms)}


def balance_row(cash: int, upl: int, margin: int, frozen: int, now: int) -> Row:
    """account/balance and the account channel: one currency, in pico."""
    equity = money(cash + upl)
    detail: Row = dict.fromkeys(("accAvgPx", "borrowFroz", "clSpotInUseAmt", "crossLiab", "interest", "isoLiab", "liab"), "")
    detail |= dict.fromkeys(("maxLoan", "maxSpotInUseAmt", "mgnRatio", "openAvgPx", "spotBal", "spotUpl", "spotUplRatio"), "")
    detail |= dict.fromkeys(("totalPnl", "totalPnlRatio", "uplLiab"), "")
    detail |= dict.fromkeys(("fixedBal", "imr", "mmr", "notionalLever", "rewardBal", "smtSyncEq", "spotCopyTradingEq"), "0")
    detail |= {"spotInUseAmt": "", "spotIsoBal": "0", "stgyEq": "0", "twap": "0", "collateralEnabled": False, "ccy": "USDT"}
    free = money(cash - margin - frozen)
    detail |= {"availBal": free, "availEq": free, "cashBal": money(cash), "eq": equity, "eqUsd": equity, "disEq": equity}
    detail |= {
        "frozenBal": money(margin + frozen),
        "ordFrozen": money(frozen),
        "isoEq": money(margin + upl),
        "isoUpl": money(upl),
    }
    detail |= {"upl": money(upl), "uTime": str(now)}
    row: Row = dict.fromkeys(("adjEq", "borrowFroz", "imr", "mgnRatio", "mmr", "notionalUsd", "notionalUsdForBorrow"), "")
    row |= dict.fromkeys(("notionalUsdForFutures", "notionalUsdForOption", "notionalUsdForSwap", "ordFroz", "upl"), "")
    return row | {"details": [detail], "isoEq": money(margin + upl), "totalEq": equity, "uTime": str(now)}


def candle_row(inst: Instrument, candle: Candle, closed: bool) -> list[str]:
    """market/candles and the candle channels: sizes in contracts, base and quote; 1 at the end: closed."""
    base = candle.lots * inst.lot * inst.ct_val
    prices = [inst.price(ticks) for ticks in candle[1:5]]
    return [
        str(candle.open_ms),
        *prices,
        inst.contracts(candle.lots),
        number(base),
        number(base * candle.close * inst.tick),
        "1" if closed else "0",
    ]


def ticker_row(inst: Instrument, market: Market, now: int) -> Row:
    """market/ticker and the tickers channel."""
    day = [candle for candle in market.minutes[-1440:] if candle.open_ms > now - 86_400_000] or market.minutes[-1:]
    row = {"instType": "SWAP", "instId": inst.inst_id, "last": inst.price(market.last), "lastSz": inst.contracts(market.now.lots)}
    row |= {"askPx": inst.price(market.best(1)), "askSz": inst.contracts(market.depth_lots), "bidPx": inst.price(market.best(-1))}
    row |= {"bidSz": inst.contracts(market.depth_lots), "open24h": inst.price(day[0].open), "ts": str(now)}
    row |= {"high24h": inst.price(max(x.high for x in day)), "low24h": inst.price(min(x.low for x in day))}
    lots = sum(candle.lots for candle in day)
    row |= {"vol24h": inst.contracts(lots), "volCcy24h": number(lots * inst.lot * inst.ct_val)}
    return row | {"sodUtc0": row["open24h"], "sodUtc8": row["open24h"]}
