"""A sleeve's configuration as the core reads it. The only place that maps params, instrument and costs to core Rules.

Called by sim/ and live/, once a sleeve and configuration version. Hard limits of a sleeve (D19) come from desk.toml and stand
above the params: the stricter of the two holds.
"""

from typing import TYPE_CHECKING, NamedTuple

from engine.core.sizing import whole_lots
from engine.core.state import FILL_MODES, Rules
from engine.errors import BadInput
from engine.strategies.params import StrategyParams

if TYPE_CHECKING:
    from engine.venues.instruments import Costs, Instrument

HOUR_MS = 3_600_000


class SleeveLimits(NamedTuple):
    """Hard limits of one sleeve, defaults of D19. No proposal can touch them."""

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
) -> Rules:
    """The core's Rules; `index` is the instrument's place in the Market, `mode` a fill mode of core.state or its name,
    `bar_ms` the timeframe.

    Raises BadInput for an unknown mode, or a fixed_qty below one lot.
    """
    if isinstance(mode, str):
        if mode not in FILL_MODES:
            raise BadInput(f"fills = {mode!r} is not one of {', '.join(FILL_MODES)}")
        mode = FILL_MODES.index(mode)
    fixed = whole_lots(params.fixed_qty, instrument.lot_size)
    if params.fixed_qty > 0.0 and fixed == 0:
        lot = f"{instrument.lot_size:g}"
        raise BadInput(f"fixed_qty = {params.fixed_qty:g} is less than one lot of {instrument.symbol}, {lot}")
    same = {name: getattr(params, name) for name in SAME}
    return Rules(
        **same,
        instrument=index,
        mode=mode,
        bar_ms=bar_ms,
        fixed_lots=fixed,
        risk_start_frac=min(params.risk_start_frac, limits.risk_frac_max),
        risk_floor_frac=min(params.risk_floor_frac, limits.risk_frac_max),
        risk_max_frac=min(params.risk_max_frac, limits.risk_frac_max),
        leverage_max=min(params.leverage_max, limits.leverage_max),
        maintenance_frac=instrument.maintenance_frac,
        day_loss_frac_max=limits.day_loss_frac_max,
        streak_max=limits.streak_max,
        day_entries_max=limits.day_entries_max,
        pause_ms=round(limits.pause_hours * HOUR_MS),
        lot_size=instrument.lot_size,
        tick=instrument.tick,
        maker_frac=costs.maker_frac,
        taker_frac=costs.taker_frac,
    )


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
