"""Definitions of features across instruments, of outside series and circles of time, in plain lists. For test_definitions.py."""

import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from math import cos, log, pi, sin, sqrt

from tests.engine.features.definitions import DAY, Run, Values, mean, windowed, zscore
from tests.engine.features.level_definitions import weighed
from tests.engine.features.momentum_definitions import HLC, Definition, over, typical

BOTH = ("close", "others.close")
CV = ("close", "volume")
Window = Callable[[Run], float | None]


def moved(close: list[float]) -> bool:
    """Whether a window moved at all."""
    return len(set(close)) > 1


def in_window(run: Run, n: int, of: Window) -> Values:
    """`of` the last n returns' bars where the close moved."""
    return over(run, n + 1, lambda w: of(w) if moved(w["close"]) else None)


def logs(close: list[float]) -> list[float]:
    """Log returns."""
    return [log(b / a) for a, b in pairwise(close)]


def simple(close: list[float]) -> list[float]:
    """Simple returns."""
    return [b / a - 1.0 for a, b in pairwise(close)]


def other(w: Run) -> list[float]:
    """The closes of the first other instrument."""
    return [row[0] for row in w["others.close"]]


def skew(w: Run) -> float | None:
    """Third central moment over the deviation cubed."""
    moves = [1e4 * x for x in logs(w["close"])]
    centre, spread = mean(moves), statistics.pstdev(moves)
    return mean([(x - centre) ** 3 for x in moves]) / spread**3 if spread > 1e-6 else None


def paired(n: int, of: Callable[[list[float], list[float]], float]) -> Callable[[Run], Values]:
    """`of` (other's returns, own returns) where both moved."""
    return lambda r: over(
        r, n + 1, lambda w: of(simple(other(w)), simple(w["close"])) if moved(w["close"]) and moved(other(w)) else None
    )


def relative(w: Run) -> float | None:
    """Own return less the other's."""
    a, b = w["close"], other(w)
    return a[-1] / a[0] - b[-1] / b[0] if moved(a) or moved(b) else None


def slope(w: Run) -> float | None:
    """Volume of rises less that of falls, over all of it."""
    signed = sum(((b > a) - (b < a)) * v for (a, b), v in zip(pairwise(w["close"]), w["volume"][1:], strict=True))
    return signed / sum(w["volume"][1:]) if sum(w["volume"][1:]) else None


def illiquid(w: Run) -> float | None:
    """Way in bps over what was paid, in millions."""
    paid = sum(c * v for c, v in zip(w["close"][1:], w["volume"][1:], strict=True))
    return 1e4 * sum(map(abs, logs(w["close"]))) / (paid / 1e6) if paid else None


def away(w: Run) -> float | None:
    """Close over the volume-weighted price."""
    fair = weighed(typical(w), w["volume"])
    return None if fair is None or max(w["high"]) == min(w["low"]) else w["close"][-1] / fair - 1.0


def circle(of: Callable[[float], float], turn: Callable[[datetime], float]) -> Callable[[Run], Values]:
    """A point on a circle of time, from the calendar."""
    return lambda r: [of(2 * pi * turn(datetime.fromtimestamp(ms / 1000, UTC))) for ms in r["close_ms"]]


def of_day(at: datetime) -> float:
    """Share of the day that is over."""
    return (at.hour + at.minute / 60) / 24


def of_week(at: datetime) -> float:
    """Share of the week that is over, from Monday."""
    return (at.weekday() + of_day(at)) / 7


def of_settlement(at: datetime) -> float:
    """Share of the eight hours that is over."""
    return (at.hour + at.minute / 60) / 8 % 1


def change(name: str, n: int) -> Callable[[Run], Values]:
    """Log change over n bars."""
    return lambda r: windowed(r[name], n + 1, lambda w: log(w[-1] / w[0]))


def each(name: str, of: Callable[[float], float]) -> Definition:
    """`of` every value of a series."""
    return ((name,), lambda r: [of(x) for x in r[name]])


FUNDING = ("series.funding",)
WIDER: dict[tuple[str, tuple[float, ...]], Definition] = {
    ("downside_vol", (8,)): (
        ("close",),
        lambda r: in_window(r, 8, lambda w: sqrt(365 * DAY * mean([min(x, 0.0) ** 2 for x in logs(w["close"])]))),
    ),
    ("skewness", (8,)): (("close",), lambda r: in_window(r, 8, skew)),
    ("premium", ()): (BOTH, lambda r: [c / row[0] - 1.0 for c, row in zip(r["close"], r["others.close"], strict=True)]),
    ("relative_return", (5,)): (BOTH, lambda r: over(r, 6, relative)),
    ("correlation", (8,)): (BOTH, paired(8, statistics.correlation)),
    ("beta", (8,)): (BOTH, paired(8, lambda x, y: statistics.linear_regression(x, y).slope)),
    ("vwap_distance", (5,)): ((*HLC, "volume"), lambda r: over(r, 5, away)),
    ("obv_slope", (5,)): (CV, lambda r: in_window(r, 5, slope)),
    ("amihud", (5,)): (CV, lambda r: in_window(r, 5, illiquid)),
    ("volume_zscore", (8,)): (("volume",), lambda r: windowed(r["volume"], 8, zscore)),
    ("hour_sin", ()): (("close_ms",), circle(sin, of_day)),
    ("hour_cos", ()): (("close_ms",), circle(cos, of_day)),
    ("week_sin", ()): (("close_ms",), circle(sin, of_week)),
    ("week_cos", ()): (("close_ms",), circle(cos, of_week)),
    ("funding_sin", ()): (("close_ms",), circle(sin, of_settlement)),
    ("funding_cos", ()): (("close_ms",), circle(cos, of_settlement)),
    ("funding_rate", ()): each("series.funding", lambda x: 1e4 * x),
    ("funding_zscore", (1.0,)): (
        FUNDING,
        lambda r: windowed([1e4 * x for x in r["series.funding"]], DAY, zscore),
    ),
    ("funding_trend", (0.5,)): (
        FUNDING,
        lambda r: windowed(r["series.funding"], DAY // 2, lambda w: 1e4 * (w[-1] - mean(w))),
    ),
    ("open_interest_change", (5,)): (("series.open_interest",), change("series.open_interest", 5)),
    ("long_short", ()): each("series.long_short", log),
    ("vix", ()): each("series.vix", lambda x: x),
    ("dollar_change", (1.5,)): (("series.dxy",), change("series.dxy", 9)),
    ("stocks_change", (1.0,)): (("series.spx",), change("series.spx", 6)),
    ("mvrv", ()): each("series.mvrv", lambda x: x),
    ("sopr", ()): each("series.sopr", lambda x: x - 1.0),
    ("fear_greed", ()): each("series.fear_greed", lambda x: x),
}
