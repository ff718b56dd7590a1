"""Margin tiers of an instrument: pairs of (notional_max, rate) as desk.toml gives them -> what the core asks of a position.

Called by instruments.py (the check) and strategies/rules.py (the core's Rules). A venue's page lists them as brackets: up to so
much notional the maintenance margin is so much of it. The amount that it takes off in the higher ones follows from the lower
ones: the margin has no jump at a cap (Binance: "maintenance amount").
"""

from collections.abc import Sequence
from itertools import pairwise

from engine.core.state import NO_TIER, TIERS, Tier, Tiers

CAP_MAX = 1e15  # quote units of notional
TIERS_MAX = TIERS + 1  # the first one is the instrument's maintenance_frac
Pairs = Sequence[Sequence[float]]


def fault_in(pairs: Pairs) -> str:
    """Why the pairs are no margin tiers; "" for good ones and for none."""
    if len(pairs) > TIERS_MAX:
        return f"at most {TIERS_MAX} tiers: leave out those that no position of yours can reach"
    if any(len(pair) != 2 for pair in pairs):
        return "each tier is [notional_max, maintenance rate]"
    caps, rates = [float(cap) for cap, _ in pairs], [float(rate) for _, rate in pairs]
    rises = all(a < b for values in (caps, rates) for a, b in pairwise(values))
    within = all(0 < cap <= CAP_MAX for cap in caps) and all(0 < rate < 1 for rate in rates)
    return "" if rises and within else "caps and rates rise from tier to tier, caps above 0, rates in 0..1"


def core_tiers(pairs: Pairs, added: float = 0.0) -> Tiers:
    """The tiers behind the first, with their amounts; `added` to each rate: a closing fee that the venue counts in."""
    found, amount = [], 0.0
    for (cap, below), (_, rate) in pairwise(pairs):
        amount += cap * (rate - below)
        found.append(Tier(float(rate) + added, amount))
    a, b, c, d, e, f = (*found, *[NO_TIER] * (TIERS - len(found)))
    return a, b, c, d, e, f
