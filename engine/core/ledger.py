"""What we own: a fill, a funding settlement and a mark each turn a sleeve into the next sleeve.

on_fill is the one place that moves a position, for simulated and for real executions alike, whole or in part. Cash holds what
is realised, equity adds the open positions at the last mark; a round trip's P&L is cash now minus cash before its first fill.
"""

from .exits import stop_level, target_level, trailed
from .guardrails import count_opened, count_trip, is_turning
from .state import (
    ADOPTED,
    ENTRY,
    FLAT,
    LAYERS,
    LIQUIDATION,
    NO_LAYER,
    NO_ORDER,
    NONE,
    TARGET_SLOT,
    Fill,
    Layer,
    Layers,
    Ledger,
    Order,
    Position,
    Rules,
    Sleeve,
)


def put(layers: Layers, k: int, layer: Layer) -> Layers:
    """The layers with the k-th replaced."""
    a, b, c, d, e = layers
    return (
        layer if k == 0 else a,
        layer if k == 1 else b,
        layer if k == 2 else c,
        layer if k == 3 else d,
        layer if k == 4 else e,
    )


def drop(layers: Layers, k: int) -> Layers:
    """The layers without the k-th; those behind it move up."""
    a, b, c, d, e = layers
    return (
        b if k <= 0 else a,
        c if k <= 1 else b,
        d if k <= 2 else c,
        e if k <= 3 else d,
        NO_LAYER,
    )


def open_lots(position: Position) -> int:
    """Lots of all layers, without the side."""
    a, b, c, d, e = position.layers
    return a.lots + b.lots + c.lots + d.lots + e.lots


def entry_index(sleeve: Sleeve) -> int:
    """Which layer the entry order fills: its own when it has filled in part, else the next."""
    open_layers = sleeve.position.open_layers
    for k in range(open_layers):
        if sleeve.position.layers[k].key == sleeve.order.key:
            return k
    return open_layers


def fits(sleeve: Sleeve, fill: Fill) -> bool:
    """True when the sleeve can book this fill: an entry it ordered, on its side, or no more than the layer holds."""
    if fill.slot == ENTRY:
        ours = sleeve.order.side != 0 and fill.key == sleeve.order.key and sleeve.order.side * sleeve.position.side >= 0
        return ours and 0 < fill.lots <= sleeve.order.lots and fill.layer == entry_index(sleeve) < LAYERS
    return 0 <= fill.layer < sleeve.position.open_layers and 0 < fill.lots <= sleeve.position.layers[fill.layer].lots


def on_fill(sleeve: Sleeve, rules: Rules, fill: Fill) -> Sleeve:
    """The sleeve after one execution; `fits(sleeve, fill)` must hold."""
    if fill.slot == ENTRY:
        return apply_entry(sleeve, rules, fill)
    return apply_exit(sleeve, rules, fill)


def booked(ledger: Ledger, fill: Fill, units: float, gained: float, slipped: float) -> Ledger:
    """The ledger after a fill of `units` that realised `gained` before its fee and lost `slipped` to slippage."""
    return ledger._replace(
        cash=ledger.cash + gained - fill.fee,
        fees=ledger.fees + fill.fee,
        slippage=ledger.slippage + slipped,
        traded=ledger.traded + units * fill.price,
    )


def entered(layer: Layer, rules: Rules, fill: Fill, order: Order) -> Layer:
    """The layer after (another part of) its entry: average price, levels from it or the strategy's own; a level that the
    strategy has moved since the first part stays, an exit that was decided stays decided."""
    lots, side, atr = layer.lots + fill.lots, order.side, order.atr
    entry = fill.price
    if layer.lots > 0 and lots > 0:
        entry = (layer.lots * layer.entry + fill.lots * fill.price) / lots
    stop = order.stop if order.stop > 0.0 else stop_level(rules, entry, side, atr)
    target = order.target if order.target > 0.0 else target_level(rules, entry, side, atr)
    if layer.lots > 0:
        first_stop = order.stop if order.stop > 0.0 else stop_level(rules, layer.entry, side, atr)
        first_target = order.target if order.target > 0.0 else target_level(rules, layer.entry, side, atr)
        stop = stop if layer.stop == first_stop else layer.stop
        target = target if layer.target == first_target else layer.target
    return Layer(fill.key, lots, entry, stop, target, layer.exit_pending)


def rest_of(order: Order, lots: int) -> Order:
    """The entry order after `lots` of it filled."""
    left = order.lots - lots
    if left <= 0:
        return NO_ORDER
    return order._replace(lots=left, notional=order.notional * left / order.lots)


def apply_entry(sleeve: Sleeve, rules: Rules, fill: Fill) -> Sleeve:
    """A fill of the entry order opens layer `fill.layer`, or adds to it when it is a further part."""
    position, order, k = sleeve.position, sleeve.order, fill.layer
    side, units = order.side, fill.lots * rules.lot_size
    if position.open_layers == 0:
        position = position._replace(
            side=side, opened_ms=fill.t_ms, best=fill.price, atr=order.atr, cash_before=sleeve.ledger.cash, hold=order.hold
        )
    before, guard = position.layers[k], sleeve.guard
    if order.limit > 0.0 and before.lots == 0:
        guard = count_opened(guard, sleeve.ledger, rules, fill.t_ms)
    layer = entered(before, rules, fill, order)
    position = position._replace(
        open_layers=max(position.open_layers, k + 1),
        last_entry=fill.price,
        risk=position.risk + units * abs(layer.entry - layer.stop),
        layers=put(position.layers, k, layer),
    )
    position = position._replace(trail=trailed(position, rules))
    ledger = booked(sleeve.ledger, fill, units, 0.0, side * units * (fill.price - fill.reference_price))
    return sleeve._replace(position=position, order=rest_of(order, fill.lots), ledger=ledger, guard=guard)


def apply_exit(sleeve: Sleeve, rules: Rules, fill: Fill) -> Sleeve:
    """A fill that reduces layer `fill.layer`. The rest of a target rests on, of what a person adopted it stays; the rest of any
    other exit leaves at the next open, by the order that filled in part. The last one closes the round trip; the entry of a
    reversal waits for it, and goes on unless the trip's loss pauses the entries.
    """
    position, k = sleeve.position, fill.layer
    layer, side, units = position.layers[k], position.side, fill.lots * rules.lot_size
    gained = side * units * (fill.price - layer.entry)
    ledger = booked(sleeve.ledger, fill, units, gained, side * units * (fill.reference_price - fill.price))
    if fill.lots < layer.lots:
        rest = layer._replace(lots=layer.lots - fill.lots)
        if fill.slot != TARGET_SLOT and fill.reason != ADOPTED:
            rest = rest._replace(exit_pending=fill.reason)
        if (
            sleeve.order.key == layer.key and rest.exit_pending != NONE
        ):  # its own entry still rests: a layer that leaves takes no more
            sleeve = sleeve._replace(order=NO_ORDER)
        return sleeve._replace(position=position._replace(layers=put(position.layers, k, rest)), ledger=ledger)
    position = position._replace(open_layers=position.open_layers - 1, layers=drop(position.layers, k))
    if position.open_layers > 0:
        return sleeve._replace(position=position, ledger=ledger)
    pnl = ledger.cash - position.cash_before
    r = pnl / position.risk if position.risk > 0.0 else 0.0
    ledger = ledger._replace(trips=ledger.trips + 1, last_r=r)
    guard = count_trip(sleeve.guard, rules, pnl, fill.t_ms)
    paused = guard.pause_until_ms != sleeve.guard.pause_until_ms
    goes_on = is_turning(sleeve) and not paused and fill.reason not in (ADOPTED, LIQUIDATION)
    return sleeve._replace(position=FLAT, order=sleeve.order if goes_on else NO_ORDER, ledger=ledger, guard=guard)


def funding_cash(position: Position, rules: Rules, mark: float, rate: float) -> float:
    """What a settlement of a linear perpetual pays: longs pay a positive rate on lots at the mark price (DEFINITIONS D4)."""
    return -position.side * (open_lots(position) * rules.lot_size) * mark * rate


def on_funding(sleeve: Sleeve, cash: float) -> Sleeve:
    """The sleeve after a settlement, simulated or billed, that paid `cash` (negative: it cost)."""
    ledger = sleeve.ledger
    return sleeve._replace(ledger=ledger._replace(cash=ledger.cash + cash, funding=ledger.funding + cash))


def on_mark(sleeve: Sleeve, rules: Rules, price: float) -> Sleeve:
    """The sleeve at `price`."""
    return sleeve._replace(ledger=valued(sleeve, rules, price))


def valued(sleeve: Sleeve, rules: Rules, price: float) -> Ledger:
    """Equity and notional at `price`."""
    position, ledger = sleeve.position, sleeve.ledger
    a, b, c, d, e = position.layers
    gain = a.lots * (price - a.entry)
    if position.open_layers > 1:
        gain = gain + b.lots * (price - b.entry) + c.lots * (price - c.entry) + d.lots * (price - d.entry)
        gain = gain + e.lots * (price - e.entry)
    equity = ledger.cash + position.side * rules.lot_size * gain
    notional = open_lots(position) * rules.lot_size * price
    return ledger._replace(equity=equity, notional=notional)
