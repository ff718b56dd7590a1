"""Formats of numbers and times. Called by the pages; unknown values are a dash, never a zero."""

from typing import Any

from engine.clock import utc

NONE = "–"


def is_number(value: Any) -> bool:
    """Whether `value` is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def percent(value: Any, digits: int = 2) -> str:
    """A fraction: 0.0123 -> 1.23 %."""
    return f"{value * 100:,.{digits}f} %" if is_number(value) else NONE


def money(value: Any, digits: int = 2) -> str:
    """Quote currency: 10,000.00."""
    return f"{value:,.{digits}f}" if is_number(value) else NONE


def number(value: Any) -> str:
    """A pure number, six significant digits."""
    return f"{value:,.6g}" if is_number(value) else NONE


def ratio(value: Any) -> str:
    """A pure number with two decimals, such as a Sharpe ratio."""
    return f"{value:,.2f}" if is_number(value) else NONE


def price(value: Any) -> str:
    """A price: two decimals from 100 on, else six significant digits."""
    return (f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}") if is_number(value) else NONE


def count(value: Any) -> str:
    """A whole number."""
    return f"{value:,.0f}" if is_number(value) else NONE


def setting(value: Any) -> str:
    """A parameter's value."""
    return NONE if value is None else number(value) if is_number(value) else str(value)


def when(ms: Any) -> str:
    """UTC: 2025-03-04 05:15Z, with seconds unless they are zero."""
    return utc(ms) if is_number(ms) else NONE


def day(ms: Any) -> str:
    """UTC day."""
    return when(ms)[:10] if is_number(ms) else NONE


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
    forms = {"frac": percent, "usd": money, "price": price, "count": count, "bars": count, "ms": when}
    if unit == "duration_ms":
        return length(value / 1000) if is_number(value) else NONE
    return forms.get(unit, setting)(value)
