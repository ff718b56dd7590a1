"""Binance's trading paths: place, amend and cancel orders and conditional orders. A refusal is the whole answer."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.binance.rows import Row, taken_algo_row, taken_row
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.binance.words import (
    ALGO_BASE,
    AMEND_CODES,
    CANCEL_CODES,
    CONDITIONAL,
    KINDS,
    NO_MARGIN,
    ORDER_BASE,
    PLACE_CODES,
    UNKNOWN_ORDER,
    Fault,
    Instrument,
    algo_id,
    client_id,
    required,
    side_of,
    truth,
    whole,
)
from tests.fakes.exchange.faults import LATE_MS
from tests.fakes.exchange.orders import Algo, Order, Refused

Fields = dict[str, Any]
ORDERS_MAX = (300, 10_000)  # new orders in so many ms
OPEN_MAX = 200  # normal orders of a symbol; and as many conditional ones
LOST = 999_999_999  # id of an order that is acknowledged and never was
BATCH_MAX = 10


def on(act: Callable[[], Any], codes: Mapping[str, tuple[int, str]], least: int = 0) -> Any:
    """Do it; what the exchange refuses gets its code."""
    try:
        return act()
    except Refused as refused:
        code, text = codes[refused.why]
        raise Fault(code, text.format(least=least)) from None


def checked(venue: BinanceVenue, fields: Fields) -> Instrument:
    """The instrument of an order, after what Binance checks of every order. Raises Fault."""
    inst = venue.inst(fields)
    if inst.symbol in venue.suspended:
        raise Fault(-4140, "Invalid symbol status for opening position.")
    if not venue.within("orders", *ORDERS_MAX):
        raise Fault(-1015, "Too many new orders; current limit is 300 orders per 10 SECONDS.", 429)
    if (fields.get("positionSide", "BOTH") == "BOTH") is venue.hedge_mode:
        raise Fault(-4061, "Order's position side does not match user's setting.")
    return inst


def place_order(venue: BinanceVenue, fields: Fields) -> Row:
    """POST order: LIMIT or MARKET; what is conditional has another path."""
    inst, side, kind = checked(venue, fields), side_of(fields), required(fields, "type")
    if kind in CONDITIONAL:
        raise Fault(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
    if kind not in ("LIMIT", "MARKET"):
        raise Fault(-1116, "Invalid orderType.")
    lots, client = inst.lots(fields), client_id(fields, "newClientOrderId")
    if kind == "MARKET":
        if sent := [name for name in ("price", "timeInForce") if name in fields]:
            raise Fault(-1106, f"Parameter '{sent[0]}' sent when not required.")
        order = Order(client, inst.name, side, lots, o.MARKET, 0, truth(fields, "reduceOnly"))
    else:
        if (force := KINDS.get(required(fields, "timeInForce"))) is None:
            raise Fault(-1115, "Invalid timeInForce.")
        order = Order(client, inst.name, side, lots, force, inst.ticks(fields), truth(fields, "reduceOnly"))
    return handed_over(venue, inst, order)


def handed_over(venue: BinanceVenue, inst: Instrument, order: Order) -> Row:
    """Let the exchange have an order that is well formed, or play a fault."""
    if sum(other.symbol == inst.name for other in venue.exchange.open_orders()) >= OPEN_MAX:
        raise Fault(-2025, "Reach max open order limit.")
    if venue.faults.hit("reject_orders"):
        raise Fault(*NO_MARGIN)
    if venue.faults.hit("lost_order"):
        order.created_ms = order.updated_ms = venue.now
        return taken_row(inst, order) | {"orderId": ORDER_BASE + LOST}
    if venue.faults.hit("late"):
        venue.swallow = True
        venue.exchange.place_late(LATE_MS, order)
        return {}
    if order.kind == o.POST_ONLY and order.side * (order.price - venue.market(inst).best(order.side)) >= 0:
        raise Fault(-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.")
    on(lambda: venue.exchange.place(order), PLACE_CODES, inst.contract.min_notional)
    return taken_row(inst, order)


def place_batch(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """POST batchOrders: up to five orders, each with an answer or a refusal of its own."""
    try:
        items = json.loads(required(fields, "batchOrders"))
    except ValueError:
        items = None
    if not isinstance(items, list) or not 1 <= len(items) <= 5:
        raise Fault(-4082, "Invalid number of batch place orders.")
    return [refusal_or(lambda item=item: place_order(venue, item)) for item in items]


def refusal_or(act: Callable[[], Row]) -> Row:
    """A row, or the refusal as one."""
    try:
        return act()
    except Fault as fault:
        return {"code": fault.code, "msg": fault.message}


def place_algo(venue: BinanceVenue, fields: Fields) -> Row:
    """POST algoOrder: a stop or a target, at the market or with a limit, or one that closes the position."""
    inst, side, kind = checked(venue, fields), side_of(fields), required(fields, "type")
    if required(fields, "algoType") != "CONDITIONAL":
        raise Fault(-1102, "Mandatory parameter 'algoType' was not sent, was empty/null, or malformed.")
    if kind not in CONDITIONAL or kind == "TRAILING_STOP_MARKET":  # the desk trails by itself: that one is not modelled
        raise Fault(-1116, "Invalid orderType.")
    if fields.get("workingType", "CONTRACT_PRICE") != "CONTRACT_PRICE":
        raise Fault(-1102, "Mandatory parameter 'workingType' was not sent, was empty/null, or malformed.")
    client, whole_of_it = client_id(fields, "clientAlgoId"), truth(fields, "closePosition")
    if sent := [name for name in ("quantity", "reduceOnly") if whole_of_it and name in fields]:
        raise Fault(-1106, f"Parameter '{sent[0]}' sent when not required.")
    lots, trigger = 0 if whole_of_it else inst.lots(fields), inst.ticks(fields, "triggerPrice")
    price = inst.ticks(fields) if kind in ("STOP", "TAKE_PROFIT") else 0
    levels = (trigger, 0, price, 0) if kind.startswith("STOP") else (0, trigger, 0, price)
    reduces = whole_of_it or truth(fields, "reduceOnly")
    algo = Algo(client, inst.name, side, lots, *levels, reduce_only=reduces, shape=kind)
    return algo_handed_over(venue, inst, algo)


def algo_handed_over(venue: BinanceVenue, inst: Instrument, algo: Algo) -> Row:
    """Let the exchange have a conditional order, or play a fault. Margin and position count when it triggers."""
    if sum(other.symbol == inst.name for other in venue.exchange.open_algos()) >= OPEN_MAX:
        raise Fault(-4045, "Reach max stop order limit.")
    if venue.faults.hit("reject_orders"):
        raise Fault(*NO_MARGIN)
    if venue.faults.hit("lost_order"):
        algo.created_ms = algo.updated_ms = venue.now
        return taken_algo_row(inst, algo) | {"algoId": ALGO_BASE + LOST}
    if venue.faults.hit("late"):
        venue.swallow = True
        venue.exchange.place_late(LATE_MS, algo)
        return {}
    on(lambda: venue.exchange.place_algo(algo), PLACE_CODES)
    algo.client = algo.client or f"venue{algo.id:017d}"
    return taken_algo_row(inst, algo)


def find_order(venue: BinanceVenue, fields: Fields) -> Order | None:
    """The order of orderId or, without one, origClientOrderId. Raises Fault where both are missing."""
    inst, number = venue.inst(fields), whole(fields, "orderId")
    if number is not None:
        found = venue.exchange.orders.get(number - ORDER_BASE)
    elif not fields.get("origClientOrderId"):
        raise Fault(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    else:
        found = venue.exchange.by_client(fields["origClientOrderId"])
    return found if found is not None and found.symbol == inst.name else None


def find_algo(venue: BinanceVenue, fields: Fields) -> Algo | None:
    """The conditional order of algoId or, without one, clientAlgoId. Raises Fault where both are missing."""
    number = whole(fields, "algoId")
    if number is not None:
        return venue.exchange.algos.get(number - ALGO_BASE)
    if not fields.get("clientAlgoId"):
        raise Fault(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    return venue.exchange.algo_by_client(fields["clientAlgoId"])


def cancel_order(venue: BinanceVenue, fields: Fields) -> Row:
    """DELETE order."""
    order = find_order(venue, fields)
    if venue.faults.hit("reject_cancels"):
        raise Fault(*UNKNOWN_ORDER)
    ended = on(lambda: venue.exchange.cancel(order.id if order else 0), CANCEL_CODES)
    return taken_row(venue.of[ended.symbol], ended)


def cancel_batch(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """DELETE batchOrders: a list of ids of ours or of Binance's."""
    listed = [("orderId", fields.get("orderIdList") or fields.get("orderidlist"))]
    listed.append(("origClientOrderId", fields.get("origClientOrderIdList") or fields.get("origclientorderidlist")))
    try:
        ids = [(name, str(one)) for name, text in listed for one in json.loads(text or "[]")]
    except ValueError:
        ids = []
    if not 1 <= len(ids) <= BATCH_MAX:
        raise Fault(-4083, "Invalid batch cancel orders.")
    symbol = venue.inst(fields).symbol
    return [refusal_or(lambda one=one: cancel_order(venue, {"symbol": symbol, one[0]: one[1]})) for one in ids]


def cancel_all(venue: BinanceVenue, fields: Fields) -> Row:
    """DELETE allOpenOrders."""
    name = venue.inst(fields).name
    for order in [order for order in venue.exchange.open_orders() if order.symbol == name]:
        venue.exchange.cancel(order.id)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def cancel_algo(venue: BinanceVenue, fields: Fields) -> Row:
    """DELETE algoOrder."""
    algo = find_algo(venue, fields)
    if venue.faults.hit("reject_cancels"):
        raise Fault(*UNKNOWN_ORDER)
    ended = on(lambda: venue.exchange.cancel_algo(algo.id if algo else 0), CANCEL_CODES)
    return {"algoId": algo_id(ended), "clientAlgoId": ended.client, "code": "200", "msg": "success"}


def cancel_all_algos(venue: BinanceVenue, fields: Fields) -> Row:
    """DELETE algoOpenOrders."""
    name = venue.inst(fields).name
    for algo in [algo for algo in venue.exchange.open_algos() if algo.symbol == name]:
        venue.exchange.cancel_algo(algo.id)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def amend_order(venue: BinanceVenue, fields: Fields) -> Row:
    """PUT order: price and size of a limit order; there is nothing like it for a conditional one."""
    order, inst = find_order(venue, fields), venue.inst(fields)
    side_of(fields)
    if order is not None and order.kind == o.MARKET:
        raise Fault(-5025, "Only limit order is supported.")
    if venue.faults.hit("reject_amends"):
        raise Fault(-5026, "Exceed maximum modify order limit.")
    changed = (order.id if order else 0, inst.ticks(fields), inst.lots(fields))
    return taken_row(inst, on(lambda: venue.exchange.amend(*changed), AMEND_CODES, inst.contract.min_notional))


def dead_man(venue: BinanceVenue, fields: Fields) -> Row:
    """POST countdownCancelAll: 0 stops it. The exchange has one for all symbols."""
    inst, after = venue.inst(fields), whole(fields, "countdownTime")
    if after is None:
        raise Fault(-1102, "Mandatory parameter 'countdownTime' was not sent, was empty/null, or malformed.")
    venue.exchange.dead_man(after)
    return {"symbol": inst.symbol, "countdownTime": str(after)}
