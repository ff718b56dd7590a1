"""How near the desk is to each of its limits, from the newest mark. Called by the API's desk view.

Nothing is counted here: losses in a row, entries and first equity of the UTC day (desk time) are the guardrails' own memory,
which every mark carries. A limit whose breaker keeps entries shut says until when, and a streak that has tripped counts in full.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.book.bodies import SleeveBody
from engine.control.config import SleeveConfig
from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch.tripped import in_force

LIMIT_OF = {"daily loss": "loss of the day", "loss streak": "losses in a row", "entry frequency": "entries of the day"}


class LimitUsage(NamedTuple):
    """A limit, its value now in its unit (None before it was measured), and the share of it that is used.

    `until_ms`: its breaker tripped and keeps entries shut until then, desk time.
    """

    name: str
    value: float | None
    limit: float
    used_frac: float | None
    unit: str
    until_ms: int | None = None


def limit_usage(
    mark: Mapping[str, Any] | None, hard: HardLimits, sleeves: Sequence[SleeveConfig], tripped: Sequence[Event] = ()
) -> list[LimitUsage]:
    """Each limit of desk and sleeves. `mark`: body of the newest mark, None before the first; `tripped`: breakers up to it."""
    body = mark or {}
    equity, gross = body.get("equity"), body.get("gross")
    bodies: Mapping[str, SleeveBody] = body.get("sleeves") or {}
    found = [
        usage("drawdown since release, halts the desk", _lost(body.get("peak"), equity), hard.drawdown_frac_max, "frac"),
        usage("gross exposure, times equity", _times(gross, equity), hard.gross_frac_max, "ratio"),
        usage(
            "correlated exposure, times equity",
            _times(body.get("correlated"), equity),
            hard.correlated_frac_max,
            "ratio",
        ),
        usage("open positions", body.get("positions"), hard.positions_max, "count"),
        usage("entry orders in a minute", body.get("minute_orders"), hard.orders_minute_max, "count"),
    ]
    for name, notional in exposures(bodies, sleeves, lambda s: f"{s.venue} {s.symbol}").items():
        found.append(usage(f"exposure in {name}, times equity", _times(notional, equity), hard.instrument_frac_max, "ratio"))
    for name, notional in exposures(bodies, sleeves, lambda s: s.strategy).items():
        found.append(usage(f"exposure by {name}, times equity", _times(notional, equity), hard.family_frac_max, "ratio"))
    for s in sleeves:
        found += _shut(s.name, _of_sleeve(s.name, bodies.get(s.name), hard), bodies.get(s.name) or {}, tripped)
    return found


def _shut(name: str, found: list[LimitUsage], body: Mapping[str, Any], tripped: Sequence[Event]) -> list[LimitUsage]:
    """The same limits; the one whose breaker is in force with its end, and a streak, which is counted anew, in full."""
    shut = in_force(name, body, tripped)
    names = {f"{name}: {LIMIT_OF[breaker]}" for breaker in shut.breakers} if shut is not None else set()
    streak = f"{name}: {LIMIT_OF['loss streak']}"
    if shut is None:
        return found
    full = names == {streak}
    return [
        one
        if one.name not in names
        else one._replace(until_ms=shut.until_ms, value=one.limit, used_frac=1.0)
        if full
        else one._replace(until_ms=shut.until_ms)
        for one in found
    ]


def usage(name: str, value: float | None, limit: float, unit: str) -> LimitUsage:
    """A limit and how much of it is used."""
    return LimitUsage(name, value, limit, None if value is None else value / limit, unit)


def _of_sleeve(name: str, body: SleeveBody | None, hard: HardLimits) -> list[LimitUsage]:
    """A sleeve's own limits."""
    day_loss = streak = entries = leverage = spread = span = volume = None
    if body is not None:
        guard, position = body["guard"], body.get("position")
        day_loss, streak, entries = _lost(guard["day_equity"], body["equity"]), guard["streak"], guard["day_entries"]
        spread, span, volume = guard["spread_frac"], guard["range_times"], guard["volume_times"]
        leverage = _times(abs(position["notional"] or 0.0), body["equity"]) if position is not None else 0.0
    return [
        usage(f"{name}: loss of the day", day_loss, hard.day_loss_frac_max, "frac"),
        usage(f"{name}: losses in a row", streak, hard.streak_max, "count"),
        usage(f"{name}: entries of the day", entries, hard.day_entries_max, "count"),
        usage(f"{name}: leverage", leverage, hard.leverage_max, "ratio"),
        usage(f"{name}: estimated spread", spread, hard.spread_frac_max, "frac"),
        usage(f"{name}: last bar's range, times usual", span, hard.range_times_max, "ratio"),
        usage(f"{name}: last bar's volume, times usual", volume, hard.volume_times_max, "ratio"),
    ]


def exposures(
    bodies: Mapping[str, SleeveBody], sleeves: Sequence[SleeveConfig], group: Callable[[SleeveConfig], str]
) -> dict[str, float]:
    """Open notional of all sleeves of each group: an instrument, or a strategy."""
    found: dict[str, float] = {}
    for s in sleeves:
        name, body = group(s), bodies.get(s.name)
        position = body.get("position") if body is not None else None
        found[name] = found.get(name, 0.0) + abs((position["notional"] or 0.0) if position is not None else 0.0)
    return found


def _lost(before: float | None, now: float | None) -> float | None:
    """The share lost since then; nothing when there is a gain."""
    return None if not before or now is None else max(0.0, 1.0 - now / before)


def _times(amount: float | None, equity: float | None) -> float | None:
    """Multiples of equity; None where none is left: a negative share would read as room."""
    return None if amount is None or equity is None or equity <= 0.0 else amount / equity
