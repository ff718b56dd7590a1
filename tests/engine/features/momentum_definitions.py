"""Definitions of momentum indicators and of the shape and time of a bar, in plain lists. Used by test_definitions.py."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.engine.features.definitions import Run, Values, ema, mean, true_ranges, wilder, windowed

Definition = tuple[tuple[str, ...], Callable[[Run], Values]]
HLC = ("high", "low", "close")
OHLC = ("open", *HLC)


def before(count: int, values: Values) -> Values:
    """The values behind `count` bars without one."""
    return [None] * count + values


def both(a: Values, b: Values, of: Callable[[float, float], float | None]) -> Values:
    """`of` two values wherever both are there."""
    return [None if x is None or y is None else of(x, y) for x, y in zip(a, b, strict=True)]


def smoothed(values: Values, of: Callable[[list[float]], Values]) -> Values:
    """`of` the values from the first that is there."""
    first = next((t for t, v in enumerate(values) if v is not None), len(values))
    return before(first, of([v for v in values[first:] if v is not None]))


def macd(close: list[float], fast: int, slow: int) -> Values:
    """Both averages have their first value at one bar."""
    lead = slow - fast
    return both(before(lead, ema(close[lead:], fast))[: len(close)], ema(close, slow), lambda a, b: a - b)


def macd_signal(close: list[float], fast: int, slow: int, signal: int) -> Values:
    """An average of the line."""
    return smoothed(macd(close, fast, slow), lambda line: ema(line, signal))


def moved(close: list[float], n: int, values: Values) -> Values:
    """The values but where the last n closes are all alike."""
    still = windowed(close, n, lambda w: 1.0 if len(set(w)) == 1 else None)
    return [None if s else v for s, v in zip(still, values, strict=True)]


def windows(run: Run, n: int) -> list[Run | None]:
    """The last n bars at each bar."""
    count = len(run["close"])
    return [{k: v[t - n + 1 : t + 1] for k, v in run.items()} if t >= n - 1 else None for t in range(count)]


def over(run: Run, n: int, of: Callable[[Run], float | None]) -> Values:
    """`of` each window of n bars."""
    return [None if w is None else of(w) for w in windows(run, n)]


def place(w: Run) -> float | None:
    """Of the last close between the lowest low and the highest high."""
    top, bottom = max(w["high"]), min(w["low"])
    return (w["close"][-1] - bottom) / (top - bottom) if top > bottom else None


def stochastic(run: Run, bars: int, *smooth: int) -> Values:
    """In percent, mean after mean; no value where one is missing in the mean."""
    values = [None if x is None else 100.0 * x for x in over(run, bars, place)]
    for n in smooth:
        part = [values[max(0, t - n + 1) : t + 1] for t in range(len(values))]
        values = [None if len(p) < n or None in p else mean([x for x in p if x is not None]) for p in part]
    return values


def typical(run: Run) -> list[float]:
    """(high + low + close) / 3."""
    return [sum(x) / 3.0 for x in zip(run["high"], run["low"], run["close"], strict=True)]


def cci(window: list[float]) -> float | None:
    """Distance from the mean in 0.015 mean deviations."""
    off = mean([abs(x - mean(window)) for x in window])
    return (window[-1] - mean(window)) / (0.015 * off) if len(set(window)) > 1 else None


def mfi(run: Run, n: int) -> Values:
    """Share of the money that came with a rise, of the money that came with a move."""
    price = typical(run)
    flows = [
        (b > a, b * v) if b != a else (False, 0.0) for (a, b), v in zip(itertools.pairwise(price), run["volume"][1:], strict=True)
    ]

    def share(window: list[Any]) -> float | None:
        total = sum(money for _, money in window)
        return 100.0 * sum(money for up, money in window if up) / total if total > 0.0 else None

    return before(1, windowed(flows, n, share))[: len(price)]


def fading_sum(values: list[float], n: int) -> Values:
    """Wilder's running sum, begun with n - 1 values."""
    out: Values = [None] * len(values)
    total = sum(values[: n - 1])
    for t in range(n - 1, len(values)):
        total += values[t] - total / n
        out[t] = total
    return out


def directional(run: Run, n: int) -> tuple[Values, Values]:
    """(+DI, -DI); no value where the last n bars did not move from the one before."""
    up = [b - a for a, b in itertools.pairwise(run["high"])]
    down = [a - b for a, b in itertools.pairwise(run["low"])]
    plus = [u if u > d and u > 0 else 0.0 for u, d in zip(up, down, strict=True)]
    minus = [d if d > u and d > 0 else 0.0 for u, d in zip(up, down, strict=True)]
    ranges = fading_sum(true_ranges(run), n)
    moved = over(run, n + 1, lambda w: 1.0 if max(w["high"]) > min(w["low"]) else None)

    def index(moves: list[float]) -> Values:
        found = before(1, both(fading_sum(moves, n), ranges, lambda m, r: 100.0 * m / r if r else 0.0))[: len(moved)]
        return both(found, moved, lambda x, _: x)

    return index(plus), index(minus)


def adx(run: Run, n: int) -> Values:
    """Wilder's average of the index of directional movement."""
    plus, minus = directional(run, n)
    return smoothed(both(plus, minus, lambda p, m: 100.0 * abs(p - m) / (p + m) if p + m else 0.0), lambda dx: wilder(dx, n))


def aroon(w: Run) -> float | None:
    """How much later the highest high came than the lowest low; the later of equals."""
    n = len(w["high"]) - 1
    high = max(range(n + 1), key=lambda t: (w["high"][t], t))
    low = min(range(n + 1), key=lambda t: (w["low"][t], -t))
    return 100.0 * (high - low) / n if max(w["high"]) > min(w["low"]) else None


def trix(close: list[float], n: int) -> Values:
    """Change of the average of an average of an average."""
    third = smoothed(smoothed(ema(close, n), lambda x: ema(x, n)), lambda x: ema(x, n))
    return before(1, both(third[:-1], third[1:], lambda a, b: 100.0 * (b / a - 1.0)))[: len(close)]


def cmo(close: list[float], n: int) -> Values:
    """Wilder's averages of gains and losses, their difference over their sum."""
    moves = [b - a for a, b in itertools.pairwise(close)]
    up, down = (wilder([max(sign * m, 0.0) for m in moves], n) for sign in (1, -1))
    moved = windowed(close, n + 1, lambda w: 1.0 if len(set(w)) > 1 else None)
    found = before(1, both(up, down, lambda g, b: 100.0 * (g - b) / (g + b) if g + b else 0.0))[: len(close)]
    return both(found, moved, lambda x, _: x)


def ultimate(run: Run, *bars: int) -> Values:
    """Buying pressure over true range of three windows, weighed 4, 2 and 1."""
    low = [min(a, c) for a, c in zip(run["low"][1:], run["close"], strict=False)]
    pressure = [c - x for c, x in zip(run["close"][1:], low, strict=True)]
    ranges = true_ranges(run)

    def share(t: int, n: int) -> float:
        return sum(pressure[t - n + 1 : t + 1]) / sum(ranges[t - n + 1 : t + 1])

    count = len(ranges)
    found = [
        100.0 * sum(w * share(t, n) for w, n in zip((4, 2, 1), bars, strict=True)) / 7.0
        if t >= bars[-1] - 1 and sum(ranges[t - bars[0] + 1 : t + 1]) > 0
        else None
        for t in range(count)
    ]
    return before(1, found)[: len(run["close"])]


def efficiency(window: list[float]) -> float | None:
    """Net move over the way gone."""
    way = sum(abs(b - a) for a, b in itertools.pairwise(window))
    return abs(window[-1] - window[0]) / way if way else None


def each(of: Callable[[float, float, float, float], float]) -> Callable[[Run], Values]:
    """`of` open, high, low, close of a bar that has a range."""

    def values(run: Run) -> Values:
        rows = zip(*(run.get(n, run["close"]) for n in OHLC), strict=True)
        return [of(*row) / (row[1] - row[2]) if row[1] > row[2] else None for row in rows]

    return values


def at(of: Callable[[datetime], float]) -> Callable[[Run], Values]:
    """`of` the date and time of the close."""
    return lambda run: [float(of(datetime.fromtimestamp(ms / 1000, UTC))) for ms in run["close_ms"]]


def part_of_day(when: datetime) -> int:
    """Asia over midnight, then Europe, then America."""
    return 1 if 7 <= when.hour < 13 else 2 if 13 <= when.hour < 22 else 0


MOMENTUM: dict[tuple[str, tuple[float, ...]], Definition] = {
    ("macd", (3, 7)): (("close",), lambda r: moved(r["close"], 8, macd(r["close"], 3, 7))),
    ("macd_signal", (3, 7, 4)): (("close",), lambda r: moved(r["close"], 8, macd_signal(r["close"], 3, 7, 4))),
    ("macd_hist", (3, 7, 4)): (
        ("close",),
        lambda r: moved(r["close"], 8, both(macd(r["close"], 3, 7), macd_signal(r["close"], 3, 7, 4), lambda a, b: a - b)),
    ),
    ("ppo", (3, 7)): (
        ("close",),
        lambda r: moved(r["close"], 8, both(ema(r["close"], 3), ema(r["close"], 7), lambda a, b: 100.0 * (a / b - 1.0))),
    ),
    ("stoch_k", (5, 3)): (HLC, lambda r: stochastic(r, 5, 3)),
    ("stoch_d", (5, 3, 2)): (HLC, lambda r: stochastic(r, 5, 3, 2)),
    ("williams_r", (5,)): (HLC, lambda r: [None if x is None else 100.0 * x - 100.0 for x in over(r, 5, place)]),
    ("cci", (6,)): (HLC, lambda r: windowed(typical(r), 6, cci)),
    ("mfi", (4,)): ((*HLC, "volume"), lambda r: mfi(r, 4)),
    ("adx", (5,)): (HLC, lambda r: adx(r, 5)),
    ("plus_di", (5,)): (HLC, lambda r: directional(r, 5)[0]),
    ("minus_di", (5,)): (HLC, lambda r: directional(r, 5)[1]),
    ("aroon", (6,)): (("high", "low"), lambda r: over({**r, "close": r["high"]}, 7, aroon)),
    ("trix", (4,)): (("close",), lambda r: moved(r["close"], 12, trix(r["close"], 4))),
    ("cmo", (5,)): (("close",), lambda r: cmo(r["close"], 5)),
    ("ultimate", (2, 4, 7)): (HLC, lambda r: ultimate(r, 2, 4, 7)),
    ("efficiency", (5,)): (("close",), lambda r: windowed(r["close"], 6, efficiency)),
    ("efficiency", (1,)): (("close",), lambda r: windowed(r["close"], 2, efficiency)),
    ("body", ()): (OHLC, each(lambda o, _h, _l, c: c - o)),
    ("upper_wick", ()): (OHLC, each(lambda o, h, _l, c: h - max(o, c))),
    ("lower_wick", ()): (OHLC, each(lambda o, _h, low, c: min(o, c) - low)),
    ("close_position", ()): (HLC, each(lambda _o, _h, low, c: c - low)),
    ("hour", ()): (("close_ms",), at(lambda when: when.hour)),
    ("weekday", ()): (("close_ms",), at(lambda when: when.weekday())),
    ("month", ()): (("close_ms",), at(lambda when: when.month)),
    ("weekend", ()): (("close_ms",), at(lambda when: when.weekday() >= 5)),
    ("funding_hours", ()): (("close_ms",), at(lambda when: 8 - when.hour % 8 - when.minute / 60)),
    ("session", ()): (("close_ms",), at(part_of_day)),
}
