"""Units of time and the one way to print it. Used everywhere; the core declares the units.

Times are UTC milliseconds (`*_ms`). Every screen, answer, message and error writes them with `utc`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from engine.core.state import DAY_MS, HOUR_MS, MINUTE_MS
from engine.errors import BadInput

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "LOCAL_TIMEFRAME",
    "MINUTE_MS",
    "TIMEFRAMES",
    "LocalTimeframe",
    "Timeframe",
    "timeframe_ms",
    "timeframe_text",
    "utc",
    "utc_day",
]

UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
Timeframe = Literal["1m", "5m", "15m", "1h", "4h", "1d"]  # of a sleeve
TIMEFRAMES: tuple[str, ...] = get_args(Timeframe)
LocalTimeframe = Literal["15s"]  # of a sleeve at a local venue alone (app.home.accounts): many closes an hour, timers as they are
LOCAL_TIMEFRAME, LOCAL_MS = "15s", 15_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timeframe_ms(text: str) -> int:
    """`15m` -> 900000. Raises BadInput for anything but a number with m, h, d or w, and the timeframe of a local venue."""
    if text == LOCAL_TIMEFRAME:
        return LOCAL_MS
    if re.fullmatch(r"[1-9]\d*[mhdw]", text) is None:
        raise BadInput(f"unknown timeframe {text!r}", f"use {', '.join(TIMEFRAMES)}")
    return int(text[:-1]) * UNITS_MS[text[-1]]


def timeframe_text(ms: int) -> str:
    """900000 -> `15m`, in days, hours or minutes; ms when it is not a whole number of minutes, nor a local venue's timeframe."""
    if ms == LOCAL_MS:
        return LOCAL_TIMEFRAME
    for unit in ("d", "h", "m"):
        if ms > 0 and ms % UNITS_MS[unit] == 0:
            return f"{ms // UNITS_MS[unit]}{unit}"
    return f"{ms} ms"


def utc(ms: float | None) -> str:
    """`2025-03-04 05:15Z`, with seconds when there are some; a dash for None."""
    if ms is None:
        return "-"
    when = EPOCH + timedelta(milliseconds=ms)
    return when.strftime("%Y-%m-%d %H:%M:%SZ" if when.second else "%Y-%m-%d %H:%MZ")


def utc_day(ms: float) -> str:
    """The UTC day, `2025-03-04`."""
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")
