"""The simulated venue: which order fills inside a bar, at what price and cost. Live code with a real venue does not call this.

`taken` is what sleeves of the instrument have filled in this bar: all of a bar's fills together take at most participation_max of
its volume, so liquidity is consumed once.
"""

from math import sqrt

from .exits import TICK_PART, touched
from .sizing import whole_lots
from .state import (
    DECIDED,
    ENTRY,
    EXIT_SLOT,
    NO_FILL,
    NONE,
    PESSIMISTIC,
    PROTECTIVE,
    REFERENCE,
    TARGET,
    TARGET_SLOT,
    Bar,
    Cost,
    Fill,
    Layer,
    Order,
    Position,
    Rules,
)


def slippage_frac(rules: Rules, cost: Cost, units: float) -> float:
    """Half-spread plus square-root impact of `units` (base), as a fraction of price (D3, D16); none in reference mode."""
    if rules.mode == REFERENCE or not units > 0.0:
        return 0.0
    return cost.slip_frac + cost.impact * sqrt(units)


def available(rules: Rules, lots: int, volume: float, taken: float) -> int:
    """How many of `lots` the bar lets through: participation_max caps the sum of its fills (base units)."""
    if rules.mode == REFERENCE:
        return lots
    return min(lots, whole_lots(rules.participation_max * volume - taken, rules.lot_size))


def taker_fill(
    rules: Rules, cost: Cost, slot: int, key: int, k: int, lots: int, side: int, reference: float, reason: int, t_ms: int
) -> Fill:
    """A fill that takes liquidity: slippage against us and the taker fee; `side` is the trade's."""
    units = lots * rules.lot_size
    price = reference * (1.0 + side * slippage_frac(rules, cost, units))
    return Fill(slot, 0, 0, key, k, lots, price, units * price * rules.taker_frac, 0, reason, reference, t_ms)


def maker_fill(rules: Rules, slot: int, key: int, k: int, lots: int, price: float, reason: int, t_ms: int) -> Fill:
    """A fill of an order that rested: its own price and the maker fee."""
    units = lots * rules.lot_size
    return Fill(slot, 0, 0, key, k, lots, price, units * price * rules.maker_frac, 1, reason, price, t_ms)


def lives(order: Order, bar: Bar, rules: Rules) -> bool:
    """True while an entry order may fill in this bar: half a bar late is still its bar, a missing bar is not waited for."""
    return 2 * (bar.close_ms - order.decided_ms) <= (2 * order.good_for + 1) * rules.bar_ms


def ends(order: Order, bar: Bar, rules: Rules) -> bool:
    """True when this bar is the entry order's last: a market order's only one, a limit's `good_for`-th, a post-only's that
    would take."""
    would_take = (bar.open - order.limit) * order.side <= 0.0 and is_first(order, bar, rules)
    late = bar.close_ms - order.decided_ms >= order.good_for * rules.bar_ms
    return late or not order.limit > 0.0 or (order.post_only != 0 and would_take)


def is_first(order: Order, bar: Bar, rules: Rules) -> bool:
    """True for the first bar an order meets: a limit beyond the market takes there, later it would have rested."""
    return bar.close_ms - order.decided_ms <= rules.bar_ms


def match_entry(order: Order, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float) -> Fill:
    """The fill of the entry order on this bar as layer k, or NO_FILL.

    A market order takes at the open. A limit that the open has passed takes there on its first bar (a post-only one does not
    fill), never worse than its price; a resting one fills at its price as maker: pessimistic after trade-through by a tick,
    else on a touch.
    """
    if order.side == 0 or not lives(order, bar, rules):
        return NO_FILL
    lots = available(rules, order.lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    if not order.limit > 0.0:
        return taker_fill(rules, cost, ENTRY, order.key, k, lots, order.side, bar.open, NONE, bar.close_ms)
    passed = (bar.open - order.limit) * order.side <= 0.0
    if passed and is_first(order, bar, rules):
        if order.post_only != 0:
            return NO_FILL
        fill = taker_fill(rules, cost, ENTRY, order.key, k, lots, order.side, bar.open, NONE, bar.close_ms)
        if (fill.price - order.limit) * order.side > 0.0:
            units = lots * rules.lot_size
            return fill._replace(price=order.limit, fee=units * order.limit * rules.taker_frac)
        return fill
    through = (order.limit - (bar.low if order.side > 0 else bar.high)) * order.side
    if through < 0.0 or (rules.mode == PESSIMISTIC and not (through > 0.0 and through >= TICK_PART * rules.tick)):
        return NO_FILL
    return maker_fill(rules, ENTRY, order.key, k, lots, order.limit, NONE, bar.close_ms)


def match_pending(position: Position, layer: Layer, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float) -> Fill:
    """The fill at this bar's open of an exit decided earlier, or NO_FILL; the rest of a stop that filled in part is one."""
    if layer.exit_pending == NONE or layer.lots <= 0:
        return NO_FILL
    slot = EXIT_SLOT if layer.exit_pending in DECIDED else PROTECTIVE
    return market_exit(slot, layer.exit_pending, layer.key, k, layer.lots, position.side, rules, cost, bar, taken)


def market_exit(
    slot: int, reason: int, key: int, k: int, lots: int, side: int, rules: Rules, cost: Cost, bar: Bar, taken: float
) -> Fill:
    """The fill at this bar's open of an order that leaves at the market, or NO_FILL; `side` is the position's."""
    lots = available(rules, lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    return taker_fill(rules, cost, slot, key, k, lots, -side, bar.open, reason, bar.close_ms)


def match_exit(position: Position, layer: Layer, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float, inside: int) -> Fill:
    """The fill of one of the layer's resting orders on this bar, or NO_FILL; `inside`: as for exits.reached."""
    if layer.exit_pending != NONE or layer.lots <= 0:
        return NO_FILL
    reason, price = touched(position, layer, bar, rules.tick, rules.mode, inside)
    return resting_exit(reason, price, layer.key, k, layer.lots, position.side, rules, cost, bar, taken)


def resting_exit(
    reason: int, price: float, key: int, k: int, lots: int, side: int, rules: Rules, cost: Cost, bar: Bar, taken: float
) -> Fill:
    """The fill of a protective or target order that this bar reached at `price` for `reason`; NO_FILL for NONE."""
    if reason == NONE:
        return NO_FILL
    lots = available(rules, lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    if reason == TARGET:
        return maker_fill(rules, TARGET_SLOT, key, k, lots, price, reason, bar.close_ms)
    return taker_fill(rules, cost, PROTECTIVE, key, k, lots, -side, price, reason, bar.close_ms)
