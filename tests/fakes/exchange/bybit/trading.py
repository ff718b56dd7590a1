"""Bybit's trading paths: place, amend and cancel orders, and the stops of a position. A refusal is the code of the answer."""

from collections.abc import Callable
from typing import Any

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.bybit.rows import Row
from tests.fakes.exchange.bybit.venue import BybitVenue
from tests.fakes.exchange.bybit.words import (
    AMEND_CODES,
    BUSY,
    CANCEL_CODES,
    GONE,
    KINDS,
    NO_MARGIN,
    PARAMS,
    PART,
    PLACE_CODES,
    STOP,
    Fault,
    Instrument,
    link_id,
    order_id,
    own_number,
    side_of,
    truth,
    whole,
    wrong,
)
from tests.fakes.exchange.faults import LATE_MS
from tests.fakes.exchange.orders import Algo, Bracket, Order, Refused

Fields = dict[str, Any]
LOST = 999_999_999  # the number of an order that is acknowledged and never was
BATCH_MAX = 20
FILTERS = ("Order", "StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
TRIGGERS = ("LastPrice", "MarkPrice", "IndexPrice")
WINDOW_S = (3, 300)


def on(act: Callable[[], Any], codes: dict[str, tuple[str, str]]) -> Any:
    """Do it; what the exchange refuses gets its code."""
    try:
        return act()
    except Refused as refused:
        raise Fault(*codes[refused.why]) from None


def checked(venue: BybitVenue, fields: Fields) -> Instrument:
    """The instrument of a request, after what Bybit checks of every one. Raises Fault."""
    linear(fields)
    inst = venue.inst(fields)
    index = whole(fields, "positionIdx", 0, 2, 0)
    if (index != 0) is not venue.hedged:
        raise Fault(PARAMS, "position idx not match position mode")
    return inst


def linear(fields: Fields) -> None:
    """The category of a request: perpetuals alone are here. Raises Fault."""
    if fields.get("category") not in ("linear", "inverse", "spot", "option"):
        raise wrong("category")
    if fields["category"] != "linear":
        raise Fault(PARAMS, "Not supported symbols")


def named(order: Order | Algo) -> Row:
    """What every trading path answers."""
    return {"orderId": order_id(order), "orderLinkId": order.client}


def place_order(venue: BybitVenue, fields: Fields) -> Row:
    """order/create: an order, or with `triggerPrice` one that waits for it."""
    inst, client = checked(venue, fields), link_id(fields)
    if inst.symbol in venue.suspended:
        raise Fault("110023", "This contract only supports position reduction operation")
    order = conditional(inst, fields, client) if fields.get("triggerPrice") not in ("", None) else normal(inst, fields, client)
    if venue.faults.hit("reject_orders"):
        raise Fault(*NO_MARGIN)
    if venue.faults.hit("lost_order"):
        return {"orderId": order_id(LOST), "orderLinkId": client}
    if client and find(venue, {"orderLinkId": client}):
        raise Fault(*PLACE_CODES[o.DUPLICATE])
    if venue.faults.hit("late"):
        venue.swallow = True
        venue.exchange.place_late(LATE_MS, order)
        return {}
    if isinstance(order, Algo):
        return named(on(lambda: venue.exchange.place_algo(order), PLACE_CODES | {o.BAD_TRIGGER: trigger_code(order)}))
    return named(on(lambda: venue.exchange.place(order), PLACE_CODES))


def kind_and_price(inst: Instrument, fields: Fields) -> tuple[str, int]:
    """The exchange's kind and the limit price (0: market). Raises Fault."""
    word, force = fields.get("orderType"), fields.get("timeInForce") or "GTC"
    if word not in ("Market", "Limit"):
        raise wrong("orderType")
    if force not in KINDS:
        raise wrong("timeInForce")
    if word == "Market":
        return o.MARKET, 0
    return KINDS[force], inst.ticks(fields.get("price"))


def normal(inst: Instrument, fields: Fields, client: str) -> Order:
    """An order that is placed at once."""
    kind, price = kind_and_price(inst, fields)
    stop, target = inst.ticks(fields.get("stopLoss"), "stopLoss"), inst.ticks(fields.get("takeProfit"), "takeProfit")
    reduces = truth(fields, "reduceOnly")
    if reduces and (stop or target):
        raise Fault("110057", "Conditional order or limit order contains TP/SL related params")
    order = Order(client, inst.name, side_of(fields.get("side")), inst.lots(fields.get("qty")), kind, price, reduces)
    order.brackets = (*([Bracket(stop=stop)] if stop else []), *([Bracket(target=target)] if target else []))
    return order


def conditional(inst: Instrument, fields: Fields, client: str) -> Algo:
    """An order that waits: `triggerDirection` 1 for a price that rises, 2 for one that falls."""
    side, (_, price) = side_of(fields.get("side")), kind_and_price(inst, fields)
    level, way = inst.ticks(fields["triggerPrice"], "triggerPrice"), whole(fields, "triggerDirection", 1, 2, 0)
    if not way:
        raise wrong("triggerDirection")
    if fields.get("triggerBy", "LastPrice") not in TRIGGERS:
        raise wrong("triggerBy")
    lots, reduces = inst.lots(fields.get("qty")), truth(fields, "reduceOnly")
    if not lots:
        raise Fault(*PLACE_CODES[o.TOO_SMALL])
    is_stop = (side > 0) is (way == 1)
    levels = (level, 0, price, 0) if is_stop else (0, level, 0, price)
    return Algo(client, inst.name, side, lots, *levels, reduce_only=reduces, shape=STOP)


def trigger_code(algo: Algo) -> tuple[str, str]:
    """The price has passed the level already."""
    rises = (algo.side > 0) is bool(algo.stop)
    return (
        ("110092", "expect Rising, but trigger_price <= current")
        if rises
        else ("110093", "expect Falling, but trigger_price >= current")
    )


def find(venue: BybitVenue, fields: Fields) -> Order | Algo | None:
    """The order of orderId or, without one, orderLinkId. Raises Fault where both are missing."""
    exchange = venue.exchange
    if fields.get("orderId"):
        mine = own_number(fields["orderId"])
        return exchange.algos.get(mine) or exchange.orders.get(mine)
    if not fields.get("orderLinkId"):
        raise Fault(PARAMS, "params error: OrderId or orderLinkId is required")
    return exchange.algo_by_client(fields["orderLinkId"]) or exchange.by_client(fields["orderLinkId"])


def standing(venue: BybitVenue, fields: Fields) -> Order | Algo:
    """What may still be changed of an order: the conditional one, or what it has placed. Raises Fault 110001."""
    found = find(venue, fields)
    if isinstance(found, Algo) and found.child:
        found = venue.exchange.orders.get(found.child)
    if found is None or not found.is_open or found.symbol != venue.inst(fields).name:
        raise Fault(*GONE)
    return found


def amend_order(venue: BybitVenue, fields: Fields) -> Row:
    """order/amend: price, trigger and size, in place."""
    linear(fields)
    order, inst, exchange = standing(venue, fields), venue.inst(fields), venue.exchange
    if venue.faults.hit("reject_amends"):
        raise Fault(*BUSY)
    lots = inst.lots(fields["qty"]) if fields.get("qty") else 0
    price, level = inst.ticks(fields.get("price")), inst.ticks(fields.get("triggerPrice"), "triggerPrice")
    if isinstance(order, Order):
        on(lambda: exchange.amend(order.id, price, lots), AMEND_CODES)
        return named(venue.parent(order) or order)
    stop, target = (level, 0) if order.stop else (0, level)
    codes = AMEND_CODES | {o.BAD_TRIGGER: trigger_code(order)}
    return named(on(lambda: exchange.amend_algo(order.id, stop, target, lots), codes))


def cancel_order(venue: BybitVenue, fields: Fields) -> Row:
    """order/cancel."""
    linear(fields)
    order = standing(venue, fields)
    if venue.faults.hit("reject_cancels"):
        raise Fault(*BUSY)
    return named(end(venue, order))


def end(venue: BybitVenue, order: Order | Algo) -> Order | Algo:
    """Cancel one; the order as it was asked for."""
    if isinstance(order, Algo):
        return on(lambda: venue.exchange.cancel_algo(order.id), CANCEL_CODES)  # type: ignore[no-any-return]
    on(lambda: venue.exchange.cancel(order.id), CANCEL_CODES)
    return venue.parent(order) or order


def cancel_batch(venue: BybitVenue, fields: Fields) -> Row:
    """order/cancel-batch: a row and a code each."""
    linear(fields)
    asked = fields.get("request")
    if not isinstance(asked, list) or not 1 <= len(asked) <= BATCH_MAX:
        raise wrong("request")
    rows, codes = [], []
    for item in asked:
        try:
            rows.append(cancel_order(venue, {"category": "linear", **item}))
            codes.append({"code": 0, "msg": "OK"})
        except Fault as fault:
            rows.append({"orderId": item.get("orderId", ""), "orderLinkId": item.get("orderLinkId", "")})
            codes.append({"code": int(fault.code), "msg": fault.message})
    return {
        "list": [{"category": "linear", "symbol": item.get("symbol", "")} | row for item, row in zip(asked, rows, strict=True)],
        "ext": codes,
    }


def of_filter(fields: Fields) -> Callable[[Order | Algo], bool]:
    """What an `orderFilter` lets through; without one, everything. Raises Fault for a word that Bybit does not know."""
    word = fields.get("orderFilter") or ""
    if word and word not in FILTERS:
        raise wrong("orderFilter")
    return {"": lambda _: True, "Order": lambda one: isinstance(one, Order), "StopOrder": lambda one: isinstance(one, Algo)}.get(
        word, lambda _: False
    )


def cancel_all(venue: BybitVenue, fields: Fields) -> Row:
    """order/cancel-all of a symbol or a coin. Raises Fault without one."""
    linear(fields)
    if not (fields.get("symbol") or fields.get("baseCoin") or fields.get("settleCoin")):
        raise Fault(PARAMS, "params error: symbol, baseCoin or settleCoin is required")
    symbol, lets = venue.inst(fields).name if fields.get("symbol") else "", of_filter(fields)
    if venue.faults.hit("reject_cancels"):
        raise Fault(*BUSY)
    mine = [one for one in venue.open_orders() if lets(one) and symbol in ("", one.symbol)]
    wanted = [standing(venue, {"symbol": venue.of[one.symbol].symbol, "orderId": order_id(one)}) for one in mine]
    return {"list": [named(end(venue, one)) for one in wanted], "success": "1"}


def cancel_all_after(venue: BybitVenue, fields: Fields) -> Row:
    """order/disconnected-cancel-all: after the last private connection has gone, not after a silence of requests."""
    if fields.get("product", "OPTIONS") not in ("OPTIONS", "DERIVATIVES", "SPOT"):
        raise wrong("product")
    if not (seconds := whole(fields, "timeWindow", *WINDOW_S, 0)):
        raise wrong("timeWindow")
    venue.dead_man_s = seconds
    return {}


def trading_stop(venue: BybitVenue, fields: Fields) -> Row:
    """position/trading-stop: Full for the whole position, one each, 0 takes it away; Partial adds a pair of a size. No ids."""
    inst, held = checked(venue, fields), venue.exchange.account.position(venue.inst(fields).name)
    mode = fields.get("tpslMode", "Full")
    if mode not in ("Full", "Partial"):
        raise wrong("tpslMode")
    if not held.lots:
        raise Fault(PARAMS, "can not set tp/sl/ts for zero position")
    if venue.faults.hit("reject_orders"):
        raise Fault(*NO_MARGIN)
    side, tag = (-1 if held.lots > 0 else 1), f"pair{len(venue.exchange.algos)}" if mode == PART else ""
    new = []
    for name, size in (("stopLoss", "slSize"), ("takeProfit", "tpSize")):
        if fields.get(name) in ("", None):
            continue
        level = inst.ticks(fields[name], name)
        limit = inst.ticks(fields.get("slLimitPrice" if name == "stopLoss" else "tpLimitPrice"))
        lots = inst.lots(fields.get(size), size) if mode == PART else 0
        if mode == PART and not 0 < lots <= abs(held.lots):
            raise Fault("110058", "Insufficient number of remaining position size to set take profit and stop loss")
        levels = (level, 0, limit, 0) if name == "stopLoss" else (0, level, 0, limit)
        new.append((name, Algo("", inst.name, side, lots, *levels, shape=PART if mode == PART else mode, tag=tag)))
    for _, algo in new:
        if (algo.stop or algo.target) and algo.hit_by(venue.market(inst).last):
            raise Fault(PARAMS, "StopLoss or TakeProfit set for position is on the other side of the price")
    for name, algo in new:
        set_stop(venue, name, algo)
    return {}


def set_stop(venue: BybitVenue, name: str, algo: Algo) -> None:
    """Put one in place; of the whole position there is one of each."""
    if algo.shape != PART:
        for other in venue.exchange.open_algos():
            if other.symbol == algo.symbol and other.shape not in (STOP, PART) and bool(other.stop) is (name == "stopLoss"):
                venue.exchange.venue_cancels(other.id, "cleared")
    if algo.stop or algo.target:
        on(lambda: venue.exchange.place_algo(algo), PLACE_CODES | {o.BAD_TRIGGER: trigger_code(algo)})
