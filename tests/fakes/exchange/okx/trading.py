"""OKX's trading paths: place, amend and cancel orders and algos. One item's refusal is a row with its sCode."""

from collections.abc import Callable
from typing import Any

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.faults import LATE_MS
from tests.fakes.exchange.okx.rows import Row
from tests.fakes.exchange.okx.venue import OkxVenue
from tests.fakes.exchange.okx.words import (
    ALGO_BASE,
    AMEND_CODES,
    CANCEL_CODES,
    KINDS,
    ORDER_BASE,
    PLACE_CODES,
    Fault,
    Instrument,
    Refusal,
    algo_id,
    client_id,
    order_id,
    side_of,
)
from tests.fakes.exchange.orders import Algo, Bracket, Order, Refused

Fields = dict[str, Any]
ALGO_SHAPES = ("conditional", "oco", "trigger")
BATCH_MAX = 20


def each(items: Any, act: Callable[[Fields], Row], blank: Row) -> list[Row]:
    """Do every item; raises Refusal with the rows when all (code 1) or some (code 2) were refused."""
    listed = items if isinstance(items, list) else [items]
    if not 1 <= len(listed) <= BATCH_MAX:
        raise Fault("51111", f"Maximum {BATCH_MAX} orders can be placed in bulk")
    rows = []
    for item in listed:
        try:
            rows.append(blank | act(item) | {"sCode": "0", "sMsg": ""})
        except Fault as fault:
            names = {name: item[name] for name in blank if name in item}
            rows.append(blank | names | {"sCode": fault.code, "sMsg": fault.message})
    refused = sum(row["sCode"] != "0" for row in rows)
    if refused:
        raise Refusal("1" if refused == len(rows) else "2", rows)
    return rows


def on(act: Callable[[], Any], codes: dict[str, tuple[str, str]]) -> Any:
    """Do it; what the exchange refuses gets its code."""
    try:
        return act()
    except Refused as refused:
        raise Fault(*codes[refused.why]) from None


def checked(venue: OkxVenue, item: Fields) -> Instrument:
    """The instrument of an order, after what OKX checks of every order. Raises Fault."""
    inst = venue.inst(item)
    if inst.inst_id in venue.suspended:
        raise Fault("51022", "Contract suspended")
    if item.get("tdMode") != "isolated":
        raise Fault("51000", "Parameter tdMode error")
    if item.get("posSide", "net") not in ("net", ""):
        raise Fault("51000", "Parameter posSide error")
    return inst


def truth(item: Fields, name: str) -> bool:
    """A boolean, as JSON or as text."""
    return item.get(name) in (True, "true")


def place_orders(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/order and trade/batch-orders."""
    return each(items, lambda item: place_order(venue, item), {"ordId": "", "clOrdId": "", "tag": "", "ts": str(venue.now)})


def place_order(venue: OkxVenue, item: Fields) -> Row:
    """One order."""
    inst = checked(venue, item)
    if (kind := KINDS.get(item.get("ordType", ""))) is None:
        raise Fault("51000", "Parameter ordType error")
    brackets = tuple(bracket(inst, one) for one in item.get("attachAlgoOrds") or ())
    client, price = client_id(item, "clOrdId"), 0 if kind == o.MARKET else inst.ticks(item.get("px"))
    order = Order(client, inst.name, side_of(item.get("side")), inst.lots(item.get("sz")), kind, price, truth(item, "reduceOnly"))
    order.brackets, order.tag = brackets, item.get("tag", "")
    check_brackets(order, price or venue.market(inst).last)
    if venue.faults.hit("reject_orders"):
        raise Fault(*PLACE_CODES[o.NO_MARGIN])
    if venue.faults.hit("lost_order"):
        return {"ordId": str(ORDER_BASE + 999_999_999), "clOrdId": client, "tag": order.tag}
    if venue.faults.hit("late"):
        venue.swallow = True
        venue.exchange.place_late(LATE_MS, order)
        return {}
    on(lambda: venue.exchange.place(order), PLACE_CODES)
    return {"ordId": order_id(order), "clOrdId": client, "tag": order.tag}


def check_brackets(order: Order, price: int) -> None:
    """A stop that comes with an order is on the losing side of its price, or of the last one. Raises Fault."""
    if any(one.stop and (one.stop - price) * order.side >= 0 for one in order.brackets):
        codes = {True: ("51047", "The stop loss trigger price must be lower than the order price.")}
        raise Fault(*codes.get(order.side > 0, ("51278", "SL trigger price can not be lower than the last price")))


def bracket(inst: Instrument, item: Fields) -> Bracket:
    """One of attachAlgoOrds. Raises Fault."""
    stop, target = inst.ticks(item.get("slTriggerPx"), "slTriggerPx"), inst.ticks(item.get("tpTriggerPx"), "tpTriggerPx")
    if not (stop or target):
        raise Fault("51000", "Parameter attachAlgoOrds error")
    prices = (limit_of(inst, item, "slOrdPx", stop), limit_of(inst, item, "tpOrdPx", target))
    return Bracket(stop, target, *prices, client_id(item, "attachAlgoClOrdId"))


def limit_of(inst: Instrument, item: Fields, name: str, trigger: int) -> int:
    """What is ordered at a trigger: -1 is the market (0). Raises Fault where a trigger has none."""
    text = item.get(name, "")
    if trigger and text in ("", None):
        raise Fault("51000", f"Parameter {name} error")
    return 0 if text in ("", None, "-1") else inst.ticks(text, name)


def place_algo(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/order-algo."""
    return each(items, lambda item: one_algo(venue, item), {"algoId": "", "algoClOrdId": "", "clOrdId": "", "tag": ""})


def one_algo(venue: OkxVenue, item: Fields) -> Row:
    """One algo: conditional (a stop or a target), oco (both) or trigger."""
    inst = checked(venue, item)
    shape, client, side = item.get("ordType"), client_id(item, "algoClOrdId"), side_of(item.get("side"))
    client_id(item, "clOrdId")
    if shape not in ALGO_SHAPES:
        raise Fault("51000", "Parameter ordType error")
    fraction, size = item.get("closeFraction"), item.get("sz")
    if (fraction in ("", None)) is (size in ("", None)) or fraction not in ("", None, "1"):
        raise Fault("51000", "Parameter sz error")
    if shape == "trigger":
        levels = trigger_levels(venue, inst, item, side)
    else:
        stop, target = inst.ticks(item.get("slTriggerPx"), "slTriggerPx"), inst.ticks(item.get("tpTriggerPx"), "tpTriggerPx")
        if (shape == "oco") is not (stop > 0 and target > 0):
            raise Fault("51000", "Parameter slTriggerPx error")
        levels = (stop, target, limit_of(inst, item, "slOrdPx", stop), limit_of(inst, item, "tpOrdPx", target))
    reduce_only = truth(item, "reduceOnly") or fraction == "1"
    algo = Algo(client, inst.name, side, inst.lots(size) if size else 0, *levels, reduce_only=reduce_only, shape=shape)
    algo.tag = item.get("tag", "")
    if venue.faults.hit("reject_orders"):
        raise Fault(*PLACE_CODES[o.NO_MARGIN])
    if venue.faults.hit("lost_order"):
        return {"algoId": str(ALGO_BASE + 999_999_999), "algoClOrdId": client, "clOrdId": "", "tag": algo.tag}
    if venue.faults.hit("late"):
        venue.swallow = True
        venue.exchange.place_late(LATE_MS, algo)
        return {}
    on(lambda: venue.exchange.place_algo(algo), PLACE_CODES | algo_codes(venue, algo))
    return {"algoId": algo_id(algo), "algoClOrdId": client, "clOrdId": item.get("clOrdId", ""), "tag": algo.tag}


def trigger_levels(venue: OkxVenue, inst: Instrument, item: Fields, side: int) -> tuple[int, int, int, int]:
    """A trigger order's one level is a stop or a target, by where the price is now."""
    level, price = inst.ticks(item.get("triggerPx"), "triggerPx"), limit_of(inst, item, "orderPx", 1)
    if not level:
        raise Fault("51000", "Parameter triggerPx error")
    is_stop = side * (level - venue.market(inst).last) > 0
    return (level, 0, price, 0) if is_stop else (0, level, 0, price)


def algo_codes(venue: OkxVenue, algo: Algo) -> dict[str, tuple[str, str]]:
    """Codes of what only an algo is refused for."""
    last, sells = venue.exchange.markets[algo.symbol].last, algo.side < 0
    by_stop = bool(algo.stop) and algo.side * (last - algo.stop) >= 0
    trigger = {
        (True, True): ("51280", "SL trigger price can not be higher than the last price"),
        (True, False): ("51278", "SL trigger price can not be lower than the last price"),
        (False, True): ("51279", "TP trigger price can not be lower than the last price"),
        (False, False): ("51277", "TP trigger price can not be higher than the last price"),
    }[by_stop, sells]
    return {o.BAD_TRIGGER: trigger, o.DUPLICATE: ("51065", "algoClOrdId already exists.")}


def find_order(venue: OkxVenue, item: Fields) -> Order | None:
    """The order of ordId or, without one, clOrdId. Raises Fault where both are missing."""
    venue.inst(item)
    if item.get("ordId"):
        return venue.exchange.orders.get(int(item["ordId"]) - ORDER_BASE if str(item["ordId"]).isdigit() else 0)
    if not item.get("clOrdId"):
        raise Fault("51003", "Either client order ID or order ID is required.")
    return venue.exchange.by_client(item["clOrdId"])


def find_algo(venue: OkxVenue, item: Fields) -> Algo | None:
    """The algo of algoId or, without one, algoClOrdId. Raises Fault where both are missing."""
    if item.get("algoId"):
        return venue.exchange.algos.get(int(item["algoId"]) - ALGO_BASE if str(item["algoId"]).isdigit() else 0)
    if not item.get("algoClOrdId"):
        raise Fault("51000", "Parameter algoId error")
    return venue.exchange.algo_by_client(item["algoClOrdId"])


def cancel_orders(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/cancel-order and trade/cancel-batch-orders."""

    def cancel(item: Fields) -> Row:
        order = find_order(venue, item)
        if venue.faults.hit("reject_cancels"):
            raise Fault("51403", "Cancellation failed as the order type does not support cancellation.")
        ended = on(lambda: venue.exchange.cancel(order.id if order else 0), CANCEL_CODES)
        return {"ordId": order_id(ended), "clOrdId": ended.client}

    return each(items, cancel, {"ordId": "", "clOrdId": "", "ts": str(venue.now)})


def cancel_algos(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/cancel-algos."""

    def cancel(item: Fields) -> Row:
        algo = find_algo(venue, item)
        if venue.faults.hit("reject_cancels"):
            raise Fault("51403", "Cancellation failed as the order type does not support cancellation.")
        ended = on(lambda: venue.exchange.cancel_algo(algo.id if algo else 0), CANCEL_CODES)
        return {"algoId": algo_id(ended), "algoClOrdId": ended.client}

    return each(items, cancel, {"algoId": "", "algoClOrdId": "", "clOrdId": "", "tag": ""})


def amend_orders(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/amend-order: price and size of a normal order."""

    def amend(item: Fields) -> Row:
        order, inst = find_order(venue, item), venue.inst(item)
        if venue.faults.hit("reject_amends"):
            raise Fault("51506", "Order modification unavailable for the order type.")
        lots = inst.lots(item["newSz"], "newSz") if item.get("newSz") else 0
        now = on(
            lambda: venue.exchange.amend(order.id if order else 0, inst.ticks(item.get("newPx"), "newPx"), lots), AMEND_CODES
        )
        return {"ordId": order_id(now), "clOrdId": now.client, "reqId": item.get("reqId", "")}

    return each(items, amend, {"ordId": "", "clOrdId": "", "reqId": "", "ts": str(venue.now)})


def amend_algos(venue: OkxVenue, items: Any) -> list[Row]:
    """trade/amend-algos: levels and size in place; nothing of it needs a new order price."""

    def amend(item: Fields) -> Row:
        algo, inst = find_algo(venue, item), venue.inst(item)
        if venue.faults.hit("reject_amends"):
            raise Fault("51506", "Order modification unavailable for the order type.")
        names = ("newSlTriggerPx", "newTpTriggerPx")
        stop, target = (inst.ticks(item.get(name), name) for name in names)
        lots = inst.lots(item["newSz"], "newSz") if item.get("newSz") else 0
        now = on(lambda: venue.exchange.amend_algo(algo.id if algo else 0, stop, target, lots), AMEND_CODES)
        return {"algoId": algo_id(now), "algoClOrdId": now.client, "reqId": item.get("reqId", "")}

    return each(items, amend, {"algoId": "", "algoClOrdId": "", "reqId": ""})


def close_position(venue: OkxVenue, item: Fields) -> list[Row]:
    """trade/close-position: the whole of it, at the market. Raises Fault 51023 while flat."""
    inst = venue.inst(item)
    held = venue.exchange.account.position(inst.name)
    if not held.lots:
        raise Fault("51023", "Position doesn't exist.")
    client = client_id(item, "clOrdId")
    closing = Order(client, inst.name, -1 if held.lots > 0 else 1, abs(held.lots), reduce_only=True)
    on(lambda: venue.exchange.place(closing), PLACE_CODES)
    return [{"instId": inst.inst_id, "posSide": "net", "clOrdId": client, "tag": ""}]


def cancel_all_after(venue: OkxVenue, item: Fields) -> list[Row]:
    """trade/cancel-all-after: 0, or 10 to 120 s."""
    seconds = str(item.get("timeOut", ""))
    if not seconds.isdigit() or not (int(seconds) == 0 or 10 <= int(seconds) <= 120):
        raise Fault("51000", "Parameter timeOut error")
    due = venue.exchange.dead_man(int(seconds) * 1000)
    return [{"triggerTime": str(due), "tag": "", "ts": str(venue.now)}]
