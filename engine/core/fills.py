"""The simulated venue: which order fills inside a bar, at what price and cost. Live code with a real venue does not call this.

`taken` is what sleeves of the instrument have filled in this bar: all of a bar's fills together take at most participation_max of
its volume, so liquidity is consumed once.
"""

from math import sqrt

from .exits import touched
from .sizing import whole_lots
from .state import (
    ENTRY,
    NO_FILL,
    NONE,
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


def liquidity_taker(
    rules: Rules, cost: Cost, slot: int, k: int, lots: int, side: int, reference: float, reason: int, t_ms: int
) -> Fill:
    """A fill that takes liquidity: slippage against us and the taker fee; `side` is the trade's."""
    units = lots * rules.lot_size
    price = reference * (1.0 + side * slippage_frac(rules, cost, units))
    return Fill(slot, k, lots, price, units * price * rules.taker_frac, 0, reason, reference, t_ms)


def match_entry(order: Order, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float) -> Fill:
    """The fill of the entry order at this bar's open as layer k, or NO_FILL."""
    if order.side == 0:
        return NO_FILL
    lots = available(rules, order.lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    return liquidity_taker(rules, cost, ENTRY, k, lots, order.side, bar.open, NONE, bar.close_ms)


def match_pending(position: Position, layer: Layer, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float) -> Fill:
    """The fill at this bar's open of an exit decided earlier, or NO_FILL."""
    if layer.exit_pending == NONE or layer.lots <= 0:
        return NO_FILL
    lots = available(rules, layer.lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    return liquidity_taker(rules, cost, PROTECTIVE, k, lots, -position.side, bar.open, layer.exit_pending, bar.close_ms)


def match_exit(position: Position, layer: Layer, k: int, rules: Rules, cost: Cost, bar: Bar, taken: float) -> Fill:
    """The fill of one of the layer's resting orders on this bar, or NO_FILL."""
    if layer.exit_pending != NONE or layer.lots <= 0:
        return NO_FILL
    reason, price = touched(position, layer, bar, rules.tick, rules.mode)
    if reason == NONE:
        return NO_FILL
    lots = available(rules, layer.lots, bar.volume, taken)
    if not lots > 0:
        return NO_FILL
    if reason == TARGET:
        units = lots * rules.lot_size
        return Fill(TARGET_SLOT, k, lots, price, units * price * rules.maker_frac, 1, reason, price, bar.close_ms)
    return liquidity_taker(rules, cost, PROTECTIVE, k, lots, -position.side, price, reason, bar.close_ms)
