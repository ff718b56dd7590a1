"""What Binance's streams push: events of an order, a conditional order, the account and the market, in one-letter fields."""

from decimal import Decimal

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.binance.rows import Row, old_position_row, premium_row, quote, rate, side, ticker_row
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.binance.words import FORCES, Instrument, algo_id, client_of, money, order_id, status_of
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import FUNDING_MS, Candle
from tests.fakes.exchange.orders import Algo

EXECUTIONS = {log.ACCEPTED: "NEW", log.FILL: "TRADE", log.AMENDED: "AMENDMENT"}


def order_push(venue: BinanceVenue, event: Event, hide_fill: bool = False) -> Row:
    """ORDER_TRADE_UPDATE: what an order is, and what has just happened to it. A hidden execution leaves the order filled."""
    order = event.order
    assert order is not None
    inst, kind = venue.of[order.symbol], "MARKET" if order.kind == o.MARKET else "LIMIT"
    row: Row = {"s": inst.symbol, "c": client_of(order), "S": side(order.side), "o": kind, "f": FORCES[order.kind]}
    row |= {"q": inst.size(order.lots), "p": inst.price(order.price), "ap": inst.average(order.turnover, order.filled), "sp": "0"}
    row |= {"x": EXECUTIONS.get(event.kind, status_of(order)), "X": status_of(order), "i": order_id(order)}
    row |= {"l": "0.000", "z": inst.size(order.filled), "L": "0.00", "T": event.t_ms, "t": 0, "b": "0", "a": "0", "m": False}
    row |= {"R": order.reduce_only, "wt": "CONTRACT_PRICE", "ot": kind, "ps": "BOTH", "cp": False, "pP": False, "si": 0, "ss": 0}
    row |= {"rp": "0", "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0}
    bill = event.bill
    if hide_fill:
        row["x"] = "CALCULATED"
    elif bill is not None:
        row |= {"l": inst.size(bill.lots), "L": inst.price(bill.ticks), "N": "USDT", "n": money(bill.fee), "t": bill.trade}
        row |= {"m": event.maker, "rp": money(bill.pnl)}
    return {"e": "ORDER_TRADE_UPDATE", "T": event.t_ms, "E": venue.now, "o": row}


def algo_push(venue: BinanceVenue, algo: Algo, status: str, t_ms: int) -> Row:
    """ALGO_UPDATE: `ai` is what the conditional order has placed."""
    inst, child = venue.of[algo.symbol], venue.exchange.orders.get(algo.child)
    row: Row = {"caid": algo.client, "aid": algo_id(algo), "at": "CONDITIONAL", "o": algo.shape, "s": inst.symbol}
    row |= {"S": side(algo.side), "ps": "BOTH", "f": "GTC", "q": inst.size(algo.lots), "X": status, "ai": ""}
    row |= {"tp": inst.price(algo.stop or algo.target), "p": inst.price(algo.stop_price or algo.target_price)}
    row |= {"V": "EXPIRE_MAKER", "wt": "CONTRACT_PRICE", "pm": "NONE", "cp": algo.lots == 0, "pP": False, "R": algo.reduce_only}
    row |= {"tt": algo.triggered_ms, "gtd": 0}
    if status in ("TRIGGERED", "FINISHED"):
        row |= {"ai": str(order_id(algo.child)), "act": "LIMIT" if row["p"] != "0.00" else "MARKET", "ap": "0", "aq": "0"}
    if status == "FINISHED" and child is not None:
        row |= {"ap": inst.average(child.turnover, child.filled), "aq": inst.size(child.filled)}
    if algo.why == o.NOTHING_TO_REDUCE:
        row["rm"] = "Reduce Only reject"
    return {"e": "ALGO_UPDATE", "T": t_ms, "E": venue.now, "o": row}


def account_push(venue: BinanceVenue, event: Event) -> Row:
    """ACCOUNT_UPDATE: balance and position after an execution or a settlement."""
    bill = event.bill
    assert bill is not None
    inst, account = venue.of[bill.symbol], venue.exchange.account
    held = account.position(inst.name)
    old = old_position_row(inst, held, venue.market(inst), venue.margin_types[inst.symbol])
    margin = sum(account.margin(market.contract) for market in venue.exchange.markets.values())
    change = money(bill.cash) if bill.kind == "funding" else "0"
    balance = {"a": "USDT", "wb": money(bill.balance), "cw": money(bill.balance - margin), "bc": change}
    row: Row = {"s": inst.symbol, "pa": old["positionAmt"], "ep": old["entryPrice"], "bep": old["breakEvenPrice"]}
    row |= {"cr": money(held.realized), "up": old["unRealizedProfit"], "mt": old["marginType"], "iw": old["isolatedWallet"]}
    why = "FUNDING_FEE" if bill.kind == "funding" else "ORDER"
    body = {"m": why, "B": [balance], "P": [row | {"ps": "BOTH"}]}
    return {"e": "ACCOUNT_UPDATE", "T": event.t_ms, "E": venue.now, "a": body}


def expired_push(venue: BinanceVenue, key: str) -> Row:
    """The user stream ends: nothing comes any more, and the line stays open."""
    return {"e": "listenKeyExpired", "E": venue.now, "listenKey": key}


def candle_push(venue: BinanceVenue, inst: Instrument, candle: Candle, interval: str, span_ms: int, closed: bool) -> Row:
    """kline: `x` says whether it has closed."""
    worth, lots = quote(inst, candle.lots * candle.close), inst.size(candle.lots)
    prices = dict(zip("ohlc", (inst.price(ticks) for ticks in candle[1:5]), strict=True))
    row: Row = {"t": candle.open_ms, "T": candle.open_ms + span_ms - 1, "s": inst.symbol, "i": interval, "f": 1, "L": 1}
    row |= prices | {"v": lots, "n": 1, "x": closed, "q": worth, "V": lots, "Q": worth, "B": "0"}
    return {"e": "kline", "E": venue.now, "s": inst.symbol, "k": row}


def mark_push(venue: BinanceVenue, inst: Instrument) -> Row:
    """markPriceUpdate."""
    due = (venue.now // FUNDING_MS + 1) * FUNDING_MS
    row = premium_row(inst, venue.market(inst), due, venue.now)
    prices = {"p": row["markPrice"], "i": row["indexPrice"], "P": row["estimatedSettlePrice"]}
    return {"e": "markPriceUpdate", "E": venue.now, "s": inst.symbol, "r": rate(venue.market(inst)), "T": due} | prices


def ticker_push(venue: BinanceVenue, inst: Instrument, mini: bool) -> Row:
    """24hrTicker, or the smaller 24hrMiniTicker."""
    row = ticker_row(inst, venue.market(inst), venue.now)
    said: Row = {"E": venue.now, "s": inst.symbol, "c": row["lastPrice"], "o": row["openPrice"], "h": row["highPrice"]}
    said |= {"l": row["lowPrice"], "v": row["volume"], "q": row["quoteVolume"]}
    if mini:
        return {"e": "24hrMiniTicker"} | said
    said |= {"p": row["priceChange"], "P": row["priceChangePercent"], "w": row["weightedAvgPrice"], "Q": row["lastQty"]}
    return (
        {"e": "24hrTicker"} | said | {"O": row["openTime"], "C": row["closeTime"], "F": 1, "L": row["lastId"], "n": row["count"]}
    )


def depth_push(venue: BinanceVenue, inst: Instrument, before: int, bids: list[list[str]], asks: list[list[str]]) -> Row:
    """depthUpdate: levels that have changed since update `before`; a size of 0 takes one away."""
    last = venue.books[inst.symbol]
    ids = {"U": before + 1, "u": last, "pu": before}
    return {"e": "depthUpdate", "E": venue.now, "T": venue.now, "s": inst.symbol} | ids | {"b": bids, "a": asks}


def sizes(levels: list[list[str]]) -> dict[str, str]:
    """Price -> size."""
    return dict(map(tuple, levels))  # type: ignore[arg-type]


def changed(old: dict[str, str], new: dict[str, str]) -> list[list[str]]:
    """Levels of `new`, and a size of 0 for those that only `old` has."""
    gone = [[price, f"{Decimal(0):.3f}"] for price in old if price not in new]
    return gone + [[price, size] for price, size in new.items()]
