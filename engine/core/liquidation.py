"""Liquidation of isolated margin (DEFINITIONS D5): at which price a venue closes a sleeve's position, and at what cost.

Called by sim_venue.settle and venues/paper.py inside a bar, and by leap.py about the bars that a sleeve may sleep through. The
margin is the sleeve's whole cash; a bar's own prices are taken for the mark price. Of the liquidation level and a protective
order the one nearer to the price goes first.
"""

from .exits import reached
from .ledger import open_lots
from .sizing import liquidation_distance, margin_distance
from .state import (
    DECIDED,
    EXIT_SLOT,
    LIQUIDATION,
    NONE,
    PROTECTIVE,
    TARGET,
    Bar,
    Fill,
    Layer,
    Position,
    Rules,
    Sleeve,
)


def average_entry(position: Position) -> float:
    """The entry price of all open layers, by lots: at it a sleeve's equity is its cash."""
    a, b, c, d, e = position.layers
    paid = a.lots * a.entry + b.lots * b.entry + c.lots * c.entry + d.lots * d.entry + e.lots * e.entry
    return paid / open_lots(position)


def liquidation_level(sleeve: Sleeve, rules: Rules) -> float:
    """The price at which an open position's margin is what its tier asks for; a long without debt has none above 0."""
    side, entry, units = sleeve.position.side, average_entry(sleeve.position), open_lots(sleeve.position) * rules.lot_size
    return entry - side * margin_distance(sleeve.ledger.cash, units, entry, side, rules)


def fee_taken(rules: Rules) -> float:
    """The liquidation fee as a fraction of notional: no more than the margin at the level can pay."""
    return min(rules.liquidation_fee_frac, rules.maintenance_frac)


def bankruptcy_price(sleeve: Sleeve, rules: Rules) -> float:
    """The price at which nothing of the margin is left once the liquidation fee is paid."""
    side, entry, units = sleeve.position.side, average_entry(sleeve.position), open_lots(sleeve.position) * rules.lot_size
    return entry - side * liquidation_distance(sleeve.ledger.cash, units, entry, side, fee_taken(rules))


def first_level(side: int, liquidation: float, level: float) -> float:
    """What the price meets first: the liquidation level, or a protective order at `level`."""
    return liquidation if (liquidation - level) * side > 0.0 else level


def comes_first(side: int, liquidation: float, level: float, target: float, bar: Bar, rules: Rules, inside: int) -> bool:
    """True when this bar reaches the liquidation level before a layer's orders at `level` and `target`: they do not fill.
    `inside`: as for exits.reached."""
    if not (liquidation - level) * side > 0.0:
        return False
    which, _ = reached(side, liquidation, target, bar, rules.tick, rules.mode, inside)
    return which not in (NONE, TARGET)


def closing_price(sleeve: Sleeve, rules: Rules, bar: Bar, inside: int) -> float:
    """The price at which the venue closes the whole position in this bar; 0 if the bar does not reach the level.

    It is the bankruptcy price, or the open where that is worse: no insurance fund is counted on. `inside`: 1 when a resting
    entry opened the position within this bar.
    """
    side = sleeve.position.side
    which, _ = reached(side, liquidation_level(sleeve, rules), 0.0, bar, rules.tick, rules.mode, inside)
    if which == NONE:
        return 0.0
    price = bankruptcy_price(sleeve, rules)
    if inside == 0 and (bar.open - price) * side < 0.0:
        return bar.open
    return price


def liquidation_fill(layer: Layer, k: int, rules: Rules, price: float, t_ms: int) -> Fill:
    """The whole layer closed at `price`: the venue takes it over, whatever the bar's volume."""
    slot = EXIT_SLOT if layer.exit_pending in DECIDED else PROTECTIVE
    fee = layer.lots * rules.lot_size * price * fee_taken(rules)
    return Fill(slot, 0, 0, layer.key, k, layer.lots, price, fee, 0, LIQUIDATION, price, t_ms)


def clear_of_liquidation(side: int, liquidation: float, bar: Bar) -> bool:
    """True when the bar stays strictly on the safe side of the level."""
    return bar.low > liquidation if side > 0 else bar.high < liquidation
