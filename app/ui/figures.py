"""Formats of numbers and times. Called by the pages; unknown values are a dash, never a zero.

A minus is a real one; only a profit or a loss has a plus (`sign=True`), zero has no sign; a narrow space stands before % and R.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, TypeGuard
from zoneinfo import ZoneInfo

from engine.clock import MINUTE_MS, TIMEFRAMES, timeframe_ms, utc

NONE = "–"
OFF = "not traded: "  # how the name of an instrument that its venue does not trade begins, in the API's words
SIMULATED = ("paper", "shadow")  # modes of a desk of which no order leaves, in the API's words
MINUS, THIN = "\u2212", "\u202f"  # a minus as wide as the plus; a narrow space that keeps a unit at its number
NAMES = {"resumes_ms": "pause ends:", "size_part": "part of the size:"}  # settings that the card names so, too
ZONE_MAX = 60
EXACT, LONG = 1e15, Context(prec=60)  # below it a half of the last digit shown can be seen
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    """`1,234.50` with a real minus; a plus only with `sign`, for a profit or a loss; zero has no sign."""
    if not is_number(value):
        return NONE
    shown = rounded(abs(value), digits)
    return shown if not shown.strip("0.,") else (MINUS if value < 0 else "+" if sign else "") + shown


def rounded(value: float, digits: int) -> str:
    """As a browser rounds, whose tables stand beside: 61,077.25, the mean of two ticks, is 61,077.3 in both."""
    if not value < EXACT:  # infinite too
        return f"{value:,.{digits}f}"
    return f"{Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, LONG):,f}"


def percent(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction in percent: 0.0123 -> `1.23 %`."""
    return f"{number(value * 100, digits, sign=sign)}{THIN}%" if is_number(value) else NONE


def in_r(value: Any) -> str:
    """A multiple of the money at risk, always with its sign: `+0.08 R`."""
    return f"{number(value, sign=True)}{THIN}R" if is_number(value) else NONE


def price(value: Any) -> str:
    """A price, with fewer digits the larger it is; of a coin below a cent six that count."""
    if not is_number(value):
        return NONE
    small = 5 if abs(value) >= 0.1 or value == 0 else min(15, 5 - math.floor(math.log10(abs(value))))
    return number(value, 1 if abs(value) >= 10_000 else 2 if abs(value) >= 10 else small)


def tone(value: Any, digits: int = 2) -> str:
    """The class of a result's colour; the sign says it too. What reads as zero with these `digits` has neither."""
    if not is_number(value) or not round(value, digits):
        return ""
    return "pos" if value > 0 else "neg"


def pure(value: Any) -> str:
    """A pure number, six significant digits."""
    return f"{value:,.6g}".replace("-", MINUS) if is_number(value) else NONE


def count(value: Any) -> str:
    """A whole number."""
    return f"{value:,.0f}" if is_number(value) else NONE


def counted(value: Any, one: str, many: str = "") -> str:
    """`1 trip`, `1,024 trips`; `many` where an s is not enough."""
    return f"{count(value)} {one if value == 1 else many or f'{one}s'}"


def setting(value: Any) -> str:
    """A parameter's value."""
    return NONE if value is None else pure(value) if is_number(value) else str(value)


def change_text(change: Mapping[str, Any], now_ms: Any = None, zone: str = "") -> str:
    """A changed setting: `stop_atr 2 → 2.5`, `paused no → yes`, `pause ends: no end → 2 Jan 2026 06:00Z`; a time of this
    year without it, and on the clock of `zone`, too."""
    key = str(change.get("key"))
    old, new = (_changed(key, change.get(side), now_ms, zone) for side in ("old", "value"))
    start, _, last = key.rpartition(".")
    name = f"{start}.{NAMES.get(last, last)}" if start else NAMES.get(last, last)
    return f"{name} {old} → {new}"


def _changed(key: str, value: Any, now_ms: Any, zone: str) -> str:
    if key.endswith("size_part"):
        return "whole" if value is None else percent(value, 0)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_ms"):
        return "no end" if value is None else both(value, now_ms, zone)
    return setting(value)


def when(ms: Any) -> str:
    """UTC: 2025-03-04 05:15Z, with seconds unless they are zero."""
    return utc(ms) if is_number(ms) else NONE


def short(ms: Any, now_ms: Any = None) -> str:
    """UTC: `31 Dec 08:00Z`; with the year where it is not the one of `now_ms`, the desk's time."""
    if not is_number(ms):
        return NONE
    date, clock_time = utc(ms).split(" ")
    year, month, of_month = date.split("-")
    same = is_number(now_ms) and utc(now_ms).startswith(f"{year}-")
    return f"{int(of_month)} {MONTHS[int(month) - 1]}{'' if same else f' {year}'} {clock_time}"


def to_minute(ms: Any, now_ms: Any = None) -> str:
    """As `short`, without seconds: of what a person did by the wall clock."""
    return short(ms // MINUTE_MS * MINUTE_MS, now_ms) if is_number(ms) else NONE


def year_of(ms: Any) -> int | None:
    """The UTC year of an instant, for a table whose rows of this year have none (engine/sim/page/table.js)."""
    return int(utc(ms)[:4]) if is_number(ms) else None


def local(ms: Any, zone: str | None) -> str:
    """The same instant on the clock of a time zone, `09:00 Berlin`, with its day where that differs; empty for UTC or no zone."""
    if not is_number(ms) or not zone or len(zone) > ZONE_MAX:
        return ""
    try:
        here = datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone))
    except (ValueError, OSError, KeyError):  # a name that the browser made up
        return ""
    if not here.utcoffset():
        return ""
    other = here.date() != datetime.fromtimestamp(ms / 1000, UTC).date()
    date = f"{here.day} {MONTHS[here.month - 1]} " if other else ""
    return f"{date}{here:%H:%M} {place_of(zone)}"


def place_of(zone: str) -> str:
    """The place in a time zone's name: `Berlin`."""
    return zone.rpartition("/")[2].replace("_", " ")


def both(ms: Any, now_ms: Any, zone: str) -> str:
    """An instant in UTC and on the clock of a time zone: `4 Dec 00:45Z (01:45 Berlin)`."""
    here = local(ms, zone)
    return short(ms, now_ms) + (f" ({here})" if here else "")


def bar_ms(timeframe: Any) -> int | None:
    """How long a bar of a sleeve takes; None for an unknown timeframe."""
    return timeframe_ms(str(timeframe)) if timeframe in TIMEFRAMES else None


def day(ms: Any) -> str:
    """UTC day."""
    return when(ms)[:10] if is_number(ms) else NONE


def since(ms: Any, now_ms: Any) -> str:
    """Since when, and for how long: `28 Nov 23:32Z, for 12 min`; to the minute, the year only where it is another."""
    if not is_number(ms):
        return NONE
    at = to_minute(ms, now_ms)
    return f"{at}, for {length((now_ms - ms) // MINUTE_MS * 60)}" if is_number(now_ms) and now_ms - ms >= MINUTE_MS else at


def length(seconds: Any) -> str:
    """A duration in its two largest units: 2 h 15 min."""
    if not is_number(seconds):
        return NONE
    left, parts = abs(float(seconds)), []
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole:.0f} {name}")
    return " ".join(parts[:2]) or "0 s"


def clock(seconds: float) -> str:
    """Time left, to the second: 23:59:58."""
    left = max(0, int(seconds))
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"


def figure(value: Any, unit: str) -> str:
    """A value formatted by its unit, as in guards and facts."""
    forms = {"frac": percent, "usd": number, "price": price, "count": count, "bars": count, "ms": when}
    if unit == "duration_ms":
        return length(value / 1000) if is_number(value) else NONE
    return forms.get(unit, setting)(value)


def of_strategy(found: Mapping[str, Any]) -> Any:
    """What strategies have made in a stretch: its net without the P&L of incident windows."""
    return found.get("net") if found.get("strategy") is None else found["strategy"]
