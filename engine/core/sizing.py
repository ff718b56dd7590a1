"""How much: risk at the stop by a lower bound of Kelly, then the caps of DEFINITIONS D1 and D17, rounded down to whole lots."""

from math import ceil, floor, sqrt

from .exits import protective
from .state import (
    CAP_FIXED,
    CAP_LEVERAGE,
    CAP_NOTIONAL,
    CAP_PARTICIPATION,
    CAP_RISK,
    CAP_STRATEGY,
    CAP_VOL,
    NO_SIZE,
    REFERENCE,
    TIERS,
    Layer,
    Ledger,
    Position,
    Rules,
    Signal,
    Size,
    Sleeve,
)

Z80 = 0.8416212335729143  # one-sided 80 %
TRIPS_MIN = 30  # fewer round trips say nothing about Kelly
SPARE = 1.05  # of the venue's least notional
LOTS_MAX = 1e15  # floor() of more is not exact, and of inf or NaN no int


def whole_lots(units: float, lot_size: float) -> int:
    """`units` (base) as whole lots, rounded down by steps (floor(0.3 / 0.1) would lose one); 0 for what is not positive."""
    if not (lot_size > 0.0 and units > 0.0 and units < LOTS_MAX * lot_size):
        return 0
    lots = floor(units / lot_size)
    if (lots + 1) * lot_size <= units * (1.0 + 1e-12):  # 3 * 0.1 is a hair more than 0.3
        lots += 1
    return lots


def win_rate_lower(wins: int, trips: int) -> float:
    """Wilson's one-sided 80 % lower bound of the win rate; `trips` positive."""
    n = max(float(trips), 1.0)
    p, zz = wins / n, Z80 * Z80
    return (p + zz / (2.0 * n) - Z80 * sqrt(p * (1.0 - p) / n + zz / (4.0 * n * n))) / (1.0 + zz / n)


def kelly(p: float, odds: float) -> float:
    """Kelly's fraction for a win rate and odds (mean win over mean loss, positive): p - (1 - p) / odds."""
    return p - (1.0 - p) / odds if odds > 0.0 else -1.0


def risk_frac(ledger: Ledger, rules: Rules) -> float:
    """Share of equity that may be lost at the stop (D1): the start value before 30 round trips, then a clamped part of Kelly."""
    if ledger.trips < TRIPS_MIN or ledger.wins <= 0 or ledger.losses <= 0:
        return min(rules.risk_start_frac, rules.risk_max_frac)
    mean_loss = ledger.loss / ledger.losses
    mean_win = ledger.gain / ledger.wins
    if not (mean_loss > 0.0 and mean_win > 0.0):
        return min(rules.risk_start_frac, rules.risk_max_frac)
    lower = win_rate_lower(ledger.wins, ledger.wins + ledger.losses)
    share = rules.kelly_part * kelly(lower, mean_win / mean_loss) / mean_loss
    return min(max(share, rules.risk_floor_frac), rules.risk_max_frac)


def size(ledger: Ledger, rules: Rules, signal: Signal, price: float, stop_distance: float, volume: float) -> Size:
    """Whole lots for a new layer and every cap in base units; no lots when an input is missing, zero or NaN.

    `size_part` multiplies what is wanted and every cap, so that the whole position comes to that part; the fewest lots that the
    venue takes have no part.
    """
    equity, part = ledger.equity, rules.size_part
    if not (part > 0.0 and part <= 1.0):
        return NO_SIZE
    if not (equity > 0.0 and price > 0.0 and stop_distance > 0.0 and volume >= 0.0 and signal.slip_frac >= 0.0):
        return NO_SIZE
    if (rules.vol_target > 0.0 and not signal.vol_annual > 0.0) or not signal.size_frac >= 0.0:
        return NO_SIZE
    share = risk_frac(ledger, rules) * part
    lost = lost_at_stop(stop_distance, price, rules, signal.slip_frac)
    by_risk = share * equity / lost if lost > 0.0 else 0.0
    by_vol = part * rules.vol_target / signal.vol_annual * equity / price if rules.vol_target > 0.0 else by_risk
    by_notional = (part * rules.notional_frac_max * equity - ledger.notional) / price
    by_leverage = (part * rules.leverage_max * equity - ledger.notional) / price
    by_part = part * rules.participation_max * volume
    units, binding = by_risk, CAP_RISK
    if rules.fixed_lots != 0:
        fixed = part * rules.fixed_lots if rules.fixed_lots > 0 else float(least_lots(rules, price))
        units, binding = fixed * rules.lot_size, CAP_FIXED
    wanted = units
    if rules.mode == REFERENCE:  # bench SPEC knows no volume
        by_part = wanted
    if rules.fixed_lots == 0 and by_vol < units:
        units, binding = by_vol, CAP_VOL
    if by_notional < units:
        units, binding = by_notional, CAP_NOTIONAL
    if by_leverage < units:
        units, binding = by_leverage, CAP_LEVERAGE
    if by_part < units:
        units, binding = by_part, CAP_PARTICIPATION
    if signal.size_frac > 0.0 and part * signal.size_frac * equity / price < units:
        units, binding = part * signal.size_frac * equity / price, CAP_STRATEGY
    lots = whole_lots(units, rules.lot_size)
    return Size(lots, wanted, binding, share, by_risk, by_vol, by_notional, by_leverage, by_part)


def least_lots(rules: Rules, price: float) -> int:
    """The fewest lots that the venue takes at a price, with room for a price that moves before the order arrives."""
    by_notional = ceil(SPARE * rules.least_notional / (price * rules.lot_size)) if price > 0.0 else 0
    return max(rules.least_lots, by_notional, 1)


def lost_at_stop(distance: float, price: float, rules: Rules, slip_frac: float) -> float:
    """Quote units that one base unit loses when it leaves `distance` from its entry `price`: with fees and spread both ways."""
    return distance + price * (2.0 * rules.taker_frac + 2.0 * slip_frac)


def position_risk(sleeve: Sleeve, rules: Rules, slip_frac: float, lots: int, price: float, stop_distance: float) -> float:
    """What the position and `lots` more at `price` lose if every layer leaves by its protective order, of the sleeve's equity.

    A layer whose stop lies beyond its entry has locked a gain in, which counts against the others' losses.
    """
    position, lost = sleeve.position, lots * lost_at_stop(stop_distance, price, rules, slip_frac)
    a, b, c, d, e = position.layers
    lost += layer_risk(position, a, rules, slip_frac) + layer_risk(position, b, rules, slip_frac)
    lost += layer_risk(position, c, rules, slip_frac) + layer_risk(position, d, rules, slip_frac)
    lost += layer_risk(position, e, rules, slip_frac)
    return lost * rules.lot_size / sleeve.ledger.equity if sleeve.ledger.equity > 0.0 else 1e300


def layer_risk(position: Position, layer: Layer, rules: Rules, slip_frac: float) -> float:
    """The same of one open layer, in quote units per lot's base unit; 0 for none."""
    if layer.lots == 0:
        return 0.0
    level = protective(position, layer)[1]
    return layer.lots * lost_at_stop(position.side * (layer.entry - level), layer.entry, rules, slip_frac)


def liquidation_distance(
    equity: float, units: float, price: float, side: int, maintenance_frac: float, amount: float = 0.0
) -> float:
    """How far the price may go against `units` at `price` before maintenance margin is gone (D5: the sleeve's whole equity is its
    isolated margin); `amount`: what the tier takes off (quote units).
    """
    if not (units > 0.0 and maintenance_frac >= 0.0 and maintenance_frac < 1.0 and amount >= 0.0):
        return 0.0
    return ((equity + amount) / units - maintenance_frac * price) / (1.0 - side * maintenance_frac)


def margin_distance(equity: float, units: float, price: float, side: int, rules: Rules) -> float:
    """The same under all tiers. The tier that a notional lies in asks for the most of all, so the nearest distance counts."""
    nearest = liquidation_distance(equity, units, price, side, rules.maintenance_frac)
    for k in range(TIERS):
        tier = rules.tiers[k]
        if tier.rate == 0.0:
            break  # NO_TIER; what is not a rate goes on, and refuses
        nearest = min(nearest, liquidation_distance(equity, units, price, side, tier.rate, tier.amount))
    return nearest
