"""A sleeve's configuration as core Rules. The only place that maps params, instrument and costs to Rules.

Called by sim/ and live/, once per sleeve and configuration version. Hard limits of a sleeve (D19) come from desk.toml and
override the params: the stricter of the two applies.
"""

from collections.abc import Sequence
from math import floor, inf
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import HOUR_MS
from engine.core.state import FILL_MODES, Rules
from engine.errors import BadInput
from engine.strategies.params import StrategyParams
from engine.venues.tiers import core_tiers

if TYPE_CHECKING:
    from engine.venues.instruments import Costs, Instrument

SPOT_LEVERAGE = 0.995  # spot is bought with the cash there is; the rest is for fee and slippage
CLOSING_FEE_HELD = ("okx",)  # venues whose maintenance margin holds the taker fee of closing, too (D5)
LOT_SLACK = 1e-9  # 0.3 / 0.1 is slightly below 3; 0.3 is meant as three lots


class SleeveLimits(NamedTuple):
    """Hard limits of one sleeve, defaults of D19. No proposal can change them."""

    day_loss_frac_max: float = 0.03
    streak_max: int = 3
    day_entries_max: int = 20
    pause_hours: float = 24.0
    risk_frac_max: float = 0.02
    leverage_max: float = 10.0


SLEEVE_LIMITS = SleeveLimits()


def rules_of(
    params: StrategyParams,
    instrument: "Instrument",
    costs: "Costs",
    index: int,
    mode: int | str,
    bar_ms: int,
    limits: SleeveLimits = SLEEVE_LIMITS,
    own: int | None = None,
    family: int = 0,
    size_part: float | None = None,
) -> Rules:
    """The core's Rules; `index` is the instrument's place in the Market, `mode` a fill mode of core.state or its name,
    `bar_ms` the timeframe; `own`: the place of the sleeve's own bars where they are of a longer timeframe than the market's;
    `family`: as `families` counts; `size_part`: of the size that a sleeve trades at, None for all of it.

    Raises BadInput for an unknown mode, or a fixed_qty below one lot.
    """
    if isinstance(mode, str):
        if mode not in FILL_MODES:
            raise BadInput(f"fills = {mode!r} is not one of {', '.join(FILL_MODES)}")
        mode = FILL_MODES.index(mode)
    fixed = floor(params.fixed_qty / instrument.lot_size + LOT_SLACK)
    if params.fixed_qty > 0.0 and fixed == 0:
        lot = f"{instrument.lot_size:g}"
        raise BadInput(f"fixed_qty = {params.fixed_qty:g} is less than one lot of {instrument.symbol}, {lot}")
    read = {name: getattr(params, name) for name in SAME}
    read |= {name: min(getattr(params, name), limits.risk_frac_max) for name in RISKS}
    read |= {name: getattr(limits, name) for name in ("day_loss_frac_max", "streak_max", "day_entries_max")}
    read |= {name: getattr(instrument, name) for name in ("lot_size", "tick")}
    closing = costs.taker_frac if instrument.venue in CLOSING_FEE_HELD else 0.0
    read |= {"maintenance_frac": instrument.maintenance_frac + closing}
    read |= {"liquidation_fee_frac": max(instrument.liquidation_fee_frac, costs.taker_frac)}
    least = floor(instrument.least_qty / instrument.lot_size + 1.0 - LOT_SLACK) if instrument.least_qty > 0.0 else 1
    spot = instrument.market == "spot"
    read |= {"least_lots": max(least, 1), "least_notional": instrument.least_notional, "shorts": 0 if spot else 1}
    read |= {"risk_limit_frac": limits.risk_frac_max}
    read |= {"maker_frac": costs.maker_frac, "taker_frac": costs.taker_frac, "fixed_lots": fixed}
    read |= {"instrument": index, "bars": index if own is None else own, "mode": mode, "bar_ms": bar_ms}
    read |= {"family": family, "funding_ms": 0 if spot else instrument.funding_hours * HOUR_MS}
    read["leverage_max"] = min(params.leverage_max, limits.leverage_max, SPOT_LEVERAGE if spot else inf)
    read["size_part"] = 1.0 if size_part is None else size_part
    read["pause_ms"] = round(limits.pause_hours * HOUR_MS)
    # the kernel refuses an int in a float's place: 0 in desk.toml means 0.0
    numbers = {name: kind(read[name]) for name, kind in Rules.__annotations__.items() if name != "tiers"}
    return Rules(**numbers, tiers=core_tiers(instrument.tiers, closing))


def families(strategies: Sequence[str]) -> list[int]:
    """Which family each sleeve is of, by the names of their strategies: a number each, in the order in which they come."""
    numbers = {name: n for n, name in enumerate(dict.fromkeys(strategies))}
    return [numbers[name] for name in strategies]


# fields whose name and meaning are the same in Params and Rules
SAME = (
    "layers_max",
    "stop_atr",
    "stop_frac",
    "target_atr",
    "target_frac",
    "arm_atr",
    "arm_frac",
    "trail_atr",
    "trail_frac",
    "add_atr",
    "fade_below",
    "kelly_part",
    "vol_target",
    "notional_frac_max",
    "participation_max",
)
RISKS = ("risk_start_frac", "risk_floor_frac", "risk_max_frac")
