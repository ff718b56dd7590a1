"""What a round trip earns before and after each cost, and how many of them it takes to know. Called by page.py.

Turns the closed trips and rows of a Probe into basis points of entry notional, so that edge - adverse selection - fees - spread
- impact + funding = net holds trip by trip.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from engine.research.kill.judged_bars import BPS, JudgedBars, Probe, in_bps
from engine.sim import trips as reading
from engine.sim.metrics import Floats

T_TO_KNOW = 2.0


class Needed(NamedTuple):
    """How far the mean trip is from zero. `t`: mean over its standard error; `trips`: how many make it 2 at this mean and
    deviation."""

    t: float | None
    trips: int | None
    reason: str = ""


def needed(nets: Floats) -> Needed:
    """Of (n,) nets of round trips, taken as independent; ddof 1."""
    if len(nets) < 2:
        return Needed(None, None, "fewer than 2 round trips")
    mean, spread = float(nets.mean()), float(nets.std(ddof=1))
    if spread <= 0.0:
        return Needed(None, None, "the round trips never vary")
    t = mean / (spread / math.sqrt(len(nets)))
    if mean <= 0.0:
        return Needed(t, None, "the mean round trip loses")
    return Needed(t, math.ceil((T_TO_KNOW * spread / mean) ** 2))


def feasibility(judged: JudgedBars, probe: Probe) -> dict[str, Any]:
    """The mean closed trip taken apart, in bps of its entry notional, with trades a day and the days until they are enough."""
    count = len(probe.trips)
    if not count:
        return {"trades": 0, "reason": "no closed round trip"}
    gross, fees, slip, funding, net = (in_bps(probe.trips, c) for c in ("gross", "fees", "slippage", "funding", "net"))
    spread, adverse = spread_bps(judged, probe), adverse_bps(judged, probe)
    tell, a_day = needed(net), count / judged.days
    return {
        "trades": count,
        "trades_a_day": a_day,
        "edge_bps": mean_of(gross + adverse),
        "adverse_selection_bps": mean_of(adverse),
        "fees_bps": mean_of(fees),
        "spread_bps": mean_of(np.minimum(spread, slip)),
        "impact_bps": mean_of(slip - np.minimum(spread, slip)),
        "funding_bps": mean_of(funding),
        "net_bps": mean_of(net),
        "t": tell.t,
        "trades_to_know": tell.trips,
        "days_to_know": None if tell.trips is None else tell.trips / a_day,
        "reason": tell.reason,
    }


def of_trips(judged: JudgedBars, probe: Probe) -> Any:
    """The fills of closed trips, each with its trip's place, its notional in the trip's entry notional, and the bar before it."""
    fills = reading.fills(probe.rows, reading.traded_sleeves(judged.planned, judged.loaded.span)).sort("n")
    first, last = probe.trips["first_n"].to_numpy(), probe.trips["last_n"].to_numpy()
    trip = np.searchsorted(first, fills["n"].to_numpy(), side="right") - 1
    inside = (trip >= 0) & (fills["n"].to_numpy() <= last[np.maximum(trip, 0)])
    return fills.filter(inside), trip[inside]


def spread_bps(judged: JudgedBars, probe: Probe) -> Floats:
    """(trips,) what crossing half the spread cost: of each fill that took, the half-spread as widened at the close before it."""
    fills, trip = of_trips(judged, probe)
    wide = judged.frame.reader().vol_ratio(judged.sleeve.params.atr_bars)
    at = np.searchsorted(judged.frame.close_ms, fills["close_ms"].to_numpy()) - 1
    half = judged.sleeve.costs.half_spread_frac * wide[last_known(wide)[np.maximum(at, 0)]]
    paid = np.where(fills["maker"].to_numpy(), 0.0, half * (fills["units"] * fills["clean_price"]).to_numpy())
    return summed(probe, trip, paid)


def adverse_bps(judged: JudgedBars, probe: Probe) -> Floats:
    """(trips,) how far the price went against entries that rested, from the fill to the close of its bar; 0 for takers."""
    fills, trip = of_trips(judged, probe)
    at = np.searchsorted(judged.frame.close_ms, fills["close_ms"].to_numpy())
    close, price = judged.frame.close[at], fills["clean_price"].to_numpy()
    rested = fills["maker"].to_numpy() & (fills["slot"] == "entry").to_numpy()
    against = -fills["side"].to_numpy() * (close - price) * fills["units"].to_numpy()
    return summed(probe, trip, np.where(rested, against, 0.0))


def last_known(values: Floats) -> np.ndarray:
    """The last bar up to each with a value: the core, too, keeps an exit's last known slippage (core/step.cost_now)."""
    return np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))


def mean_of(values: Floats) -> float | None:
    """The mean; None where a part of it is not known."""
    found = float(values.mean())
    return found if math.isfinite(found) else None


def summed(probe: Probe, trip: np.ndarray, money: Floats) -> Floats:
    """Money of fills summed by trip, in bps of the trip's entry notional."""
    notional = (probe.trips["units"] * probe.trips["entry_price"]).to_numpy()
    total = np.bincount(trip, weights=money, minlength=len(notional)).astype(np.float64)
    return np.asarray(total / notional * BPS, np.float64)
