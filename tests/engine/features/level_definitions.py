"""Definitions of channels, volatilities and volume features, in plain lists. Used by test_definitions.py."""

import itertools
import statistics
from collections.abc import Callable
from math import exp, floor, log, sqrt

from tests.engine.features.definitions import DAY, TF, Run, Values, atr, ema, mean, windowed
from tests.engine.features.momentum_definitions import HLC, OHLC, Definition, before, both, over, place, typical

TAKER = ("volume", "taker_buy_volume")
HLV = ("high", "low", "volume")


def band(close: list[float], n: int, width: float) -> Values:
    """Mean and so many deviations."""
    return windowed(close, n, lambda w: mean(w) + width * statistics.pstdev(w))


def percent_b(close: list[float], n: int, width: float) -> Values:
    """Place between the bands."""

    def of(w: list[float]) -> float | None:
        reach = 2.0 * width * statistics.pstdev(w)
        return (w[-1] - mean(w)) / reach + 0.5 if len(set(w)) > 1 else None

    return windowed(close, n, of)


def keltner(run: Run, n: int, atr_bars: int, width: float) -> Values:
    """Average of the close and so many true ranges."""
    return both(ema(run["close"], n), atr(run, atr_bars), lambda m, a: m + width * a)


def trailed(run: Run, n: int, width: float, side: int) -> list[tuple[float, int] | None]:
    """(line, side) of a SuperTrend begun on `side`: its bands only tighten while the close stays inside."""
    out: list[tuple[float, int] | None] = []
    upper = lower = 0.0
    for t, reach in enumerate(atr(run, n)):
        if reach is None:
            out.append(None)
            continue
        middle, close = (run["high"][t] + run["low"][t]) / 2.0, run["close"]
        high, low = middle + width * reach, middle - width * reach
        first = t == 0 or out[t - 1] is None
        upper, lower = (
            high if first or high < upper or close[t - 1] > upper else upper,
            low if first or low > lower or close[t - 1] < lower else lower,
        )
        if not first:
            side = 1 if side < 0 and close[t] > upper else -1 if side > 0 and close[t] < lower else side
        out.append((lower if side > 0 else upper, side))
    return out


def supertrend(run: Run, n: int, width: float) -> list[tuple[float, int] | None]:
    """Where both beginnings agree, and the last n bars moved from the one before."""
    moved = over(run, n + 1, lambda w: 1.0 if max(w["high"]) > min(w["low"]) else None)
    starts = zip(trailed(run, n, width, 1), trailed(run, n, width, -1), moved, strict=True)
    return [a if a is not None and a == b and m else None for a, b, m in starts]


def annual(variances: Values, n: int) -> Values:
    """Root of the annual mean of n variances."""
    return windowed([v or 0.0 for v in variances], n, lambda w: sqrt(365 * DAY * mean(w)))


def moving(run: Run, n: int, values: Values) -> Values:
    """The values where the last n bars had a range."""
    return both(
        values,
        over(run, n, lambda w: 1.0 if any(h > x for h, x in zip(w["high"], w["low"], strict=True)) else None),
        lambda v, _: v,
    )


def realised(close: list[float], n: int) -> Values:
    """Mean squared log return."""
    squares = [log(b / a) ** 2 for a, b in itertools.pairwise(close)]
    moved = windowed(close, n + 1, lambda w: 1.0 if len(set(w)) > 1 else None)
    return both(before(1, annual(squares, n))[: len(close)], moved, lambda v, _: v)


def of_bars(run: Run, n: int, of: Callable[[float, float, float, float], float]) -> Values:
    """Mean of a variance of each bar."""
    rows = zip(*(run.get(name, run["high"]) for name in OHLC), strict=True)
    return moving({"close": run["high"], **run}, n, annual([of(*row) for row in rows], n))


def satchell(o: float, h: float, low: float, c: float) -> float:
    """Rogers and Satchell's variance of a bar."""
    return log(h / c) * log(h / o) + log(low / c) * log(low / o)


def yang_zhang(run: Run, n: int) -> Values:
    """Gaps, bodies and drift-free ranges, weighed for the least variance."""
    rows = list(zip(*(run[name] for name in OHLC), strict=True))
    gaps = [log(b[0] / a[3]) for a, b in itertools.pairwise(rows)]
    bodies, inner = [log(c / o) for o, _, _, c in rows[1:]], [satchell(*row) for row in rows[1:]]
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    found: Values = [None] * len(rows)
    for t in range(n - 1, len(gaps)):
        w = slice(t - n + 1, t + 1)
        total = statistics.variance(gaps[w]) + k * statistics.variance(bodies[w]) + (1 - k) * mean(inner[w])
        still = len({x for row in rows[t - n + 1 : t + 2] for x in row[1:3]}) == 1
        found[t + 1] = None if still else sqrt(365 * DAY * total)
    return found


def vol_index(rows: list[list[float]], n: int) -> Values:
    """Mean over the coins."""
    each = [realised([row[k] for row in rows], n) for k in range(2)]
    return both(*each, lambda a, b: (a + b) / 2.0)


def obv(run: Run) -> list[float]:
    """Volume of rises less that of falls, from the first bar's volume on."""
    signs = [0.0, *((b > a) - (b < a) for a, b in itertools.pairwise(run["close"]))]
    return list(itertools.accumulate([run["volume"][0], *(s * v for s, v in zip(signs[1:], run["volume"][1:], strict=True))]))


def cmf(w: Run) -> float | None:
    """Place of each close in its bar, -1 to 1, weighed by volume."""
    rows = [(h, x, c, v) for h, x, c, v in zip(*(w[n] for n in (*HLC, "volume")), strict=True)]
    if not any(h > x and v > 0 for h, x, _, v in rows):
        return None
    return sum((2 * c - h - x) / (h - x) * v for h, x, c, v in rows if h > x) / sum(w["volume"])


def weighed(price: list[float], volume: list[float]) -> float | None:
    """Mean price by volume."""
    return sum(p * v for p, v in zip(price, volume, strict=True)) / sum(volume) if sum(volume) else None


def day_vwap(run: Run) -> Values:
    """From the first bar of the day on; nothing on a day whose first bar is not there."""
    out: Values = []
    begin: int | None = None
    for t, close_ms in enumerate(run["close_ms"]):
        if (close_ms - TF) % (DAY * TF) == 0:
            begin = t
        out.append(None if begin is None else weighed(typical(run)[begin : t + 1], run["volume"][begin : t + 1]))
    return out


def profile(w: Run, height: float) -> tuple[int, list[float]] | None:
    """(lowest row, volume of each row): a bar's volume lies evenly over its range, row k from exp(k * height) up."""
    bottom, top = floor(log(min(w["low"])) / height), floor(log(max(w["high"])) / height)
    volume = [0.0] * (top - bottom + 1)
    for h, x, v in zip(*(w[n] for n in HLV), strict=True):
        for k in range(len(volume)):
            inside = min(log(h), (bottom + k + 1) * height) - max(log(x), (bottom + k) * height)
            volume[k] += v * max(inside, 0.0) / (log(h) - log(x))
    return (bottom, volume) if sum(w["volume"]) else None


def area(w: Run, height: float) -> tuple[float, float, float] | None:
    """(point of control, low, high of the value area), each within the prices of the window."""
    found = profile(w, height)
    if found is None:
        return None
    bottom, volume = found
    low = high = peak = next(k for k, v in enumerate(volume) if v > max(volume) * (1 - 1e-9))
    while sum(volume[low : high + 1]) < 0.7 * (1 - 1e-9) * sum(volume):
        above, below = volume[high + 1] if high + 1 < len(volume) else -1.0, volume[low - 1] if low else -1.0
        low, high = (low, high + 1) if above > below * (1 - 1e-9) else (low - 1, high)
    prices = [exp((bottom + row) * height) for row in (peak + 0.5, low, high + 1)]
    one, two, three = (min(max(price, min(w["low"])), max(w["high"])) for price in prices)
    return one, two, three


def of_area(part: int) -> Callable[[Run], Values]:
    """One of the three, over 10 bars in rows of a percent."""

    def values(run: Run) -> Values:
        return over({"close": run["high"], **run}, 10, lambda w: (found := area(w, 0.01)) and found[part])

    return values


def deltas(run: Run) -> list[float]:
    """Bought less sold."""
    return [bought - (v - bought) for v, bought in zip(run["volume"], run["taker_buy_volume"], strict=True)]


LEVELS: dict[tuple[str, tuple[float, ...]], Definition] = {
    ("bollinger_upper", (5, 1.5)): (("close",), lambda r: band(r["close"], 5, 1.5)),
    ("bollinger_lower", (5, 1.5)): (("close",), lambda r: band(r["close"], 5, -1.5)),
    ("bollinger_position", (5, 1.5)): (("close",), lambda r: percent_b(r["close"], 5, 1.5)),
    ("bollinger_width", (5, 1.5)): (
        ("close",),
        lambda r: windowed(r["close"], 5, lambda w: 3.0 * statistics.pstdev(w) / mean(w)),
    ),
    ("keltner_upper", (4, 6, 1.5)): (HLC, lambda r: keltner(r, 4, 6, 1.5)),
    ("keltner_lower", (6, 4, 1.5)): (HLC, lambda r: keltner(r, 6, 4, -1.5)),
    ("donchian_position", (5,)): (HLC, lambda r: over(r, 5, place)),
    ("supertrend", (4, 1.5)): (HLC, lambda r: [s and s[0] for s in supertrend(r, 4, 1.5)]),
    ("supertrend_side", (4, 1.5)): (HLC, lambda r: [s and float(s[1]) for s in supertrend(r, 4, 1.5)]),
    ("realised_vol", (8,)): (("close",), lambda r: realised(r["close"], 8)),
    ("parkinson", (8,)): (("high", "low"), lambda r: of_bars(r, 8, lambda _o, h, x, _c: log(h / x) ** 2 / (4 * log(2)))),
    ("garman_klass", (8,)): (
        OHLC,
        lambda r: of_bars(r, 8, lambda o, h, x, c: log(h / x) ** 2 / 2 - (2 * log(2) - 1) * log(c / o) ** 2),
    ),
    ("rogers_satchell", (8,)): (OHLC, lambda r: of_bars(r, 8, satchell)),
    ("yang_zhang", (8,)): (OHLC, lambda r: yang_zhang(r, 8)),
    ("vol_index", (8,)): (("others.close",), lambda r: vol_index(r["others.close"], 8)),
    ("obv", ()): (("close", "volume"), lambda r: [*obv(r)]),
    ("obv_sma", (5,)): (("close", "volume"), lambda r: windowed(obv(r), 5, mean)),
    ("cmf", (5,)): ((*HLC, "volume"), lambda r: over(r, 5, cmf)),
    ("vwap", (5,)): ((*HLC, "volume"), lambda r: over(r, 5, lambda w: weighed(typical(w), w["volume"]))),
    ("vwap_session", ()): (("close_ms", *HLC, "volume"), day_vwap),
    ("twma", (5,)): (("close",), lambda r: windowed(r["close"], 5, lambda w: weighed(w, [1.0, 2.0, 3.0, 4.0, 5.0]))),
    ("twap", (5,)): (OHLC, lambda r: over(r, 5, lambda w: mean([mean([w[n][t] for n in OHLC]) for t in range(5)]))),
    ("delta", ()): (TAKER, lambda r: [*deltas(r)]),
    ("cumulative_delta", (5,)): (TAKER, lambda r: windowed(deltas(r), 5, sum)),
    ("poc", (10, 0.01)): (HLV, of_area(0)),
    ("value_area_low", (10, 0.01)): (HLV, of_area(1)),
    ("value_area_high", (10, 0.01)): (HLV, of_area(2)),
}
