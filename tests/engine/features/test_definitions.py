"""Every feature of the catalog against its definition, written in plain lists: values and missing values, with holes in the bars.

4-hour bars, so that a day is six of them and thirty days are a hundred and eighty; all within one calendar quarter, so that the
history begins at the first bar (law 2 tests the anchor itself).
"""

import itertools
import statistics
from collections.abc import Callable
from math import inf, isfinite, nan, sqrt

import numpy as np
import pytest

from engine.errors import BadInput, StrategyError
from engine.features.anchor import quarters_back
from engine.features.catalog import BY_NAME
from engine.features.feature import COLUMNS, WINDOW_MAX
from engine.features.frame import FeatureFrame, label, unbroken_runs

TF = 4 * 3_600_000
DAY = 6  # bars
T0 = 1_735_689_600_000  # 2025-01-01
COUNT = 520  # 86 days
Bars = dict[str, list[float]]


def bars(seed: int, holes: float = 0.0, step: float = 0.0) -> Bars:
    """A walk of whole bars; `holes`: share of single values that are missing or infinite; `step`: prices on a coarse grid."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, COUNT)))
    if step:
        close = np.round(close / step) * step
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + rng.random(COUNT), np.minimum(opened, close) - rng.random(COUNT)
    made = {"open": opened, "high": high, "low": low, "close": close, "volume": np.round(rng.lognormal(3, 2, COUNT))}
    for values in made.values():
        values[rng.random(COUNT) < holes] = nan
        values[rng.random(COUNT) < holes / 4] = inf
    return {name: values.tolist() for name, values in made.items()}


def frame(made: Bars) -> FeatureFrame:
    """The frame of such bars."""
    return FeatureFrame(T0 + (np.arange(COUNT) + 1) * TF, *(made[name] for name in COLUMNS), TF)


# ---- the definitions: each takes an unbroken run of bars and gives one value or None a bar ------------------------------------

Values = list[float | None]
Run = dict[str, list[float]]


def mean(values: list[float]) -> float:
    """Sum over count."""
    return sum(values) / len(values)


def windowed(values: list[float], n: int, of: Callable[[list[float]], float | None]) -> Values:
    """`of` the last n values, once there are n."""
    return [of(values[t - n + 1 : t + 1]) if t >= n - 1 else None for t in range(len(values))]


def ema(values: list[float], n: int) -> Values:
    """Begins at the mean of the first n; weight 2 / (n + 1)."""
    out: Values = [None] * len(values)
    for t in range(n - 1, len(values)):
        before = out[t - 1] if t >= n else None
        out[t] = mean(values[:n]) if before is None else before + 2 / (n + 1) * (values[t] - before)
    return out


def wilder(values: list[float], n: int) -> Values:
    """Begins at the mean of the first n; weight 1 / n."""
    out: Values = [None] * len(values)
    for t in range(n - 1, len(values)):
        before = out[t - 1] if t >= n else None
        out[t] = mean(values[:n]) if before is None else ((n - 1) * before + values[t]) / n
    return out


def rsi(close: list[float], n: int) -> Values:
    """Wilder's averages of gains and losses; unknown where the window did not move."""
    moves = [b - a for a, b in itertools.pairwise(close)]
    up, down = (wilder([max(sign * m, 0.0) for m in moves], n) for sign in (1, -1))
    out: Values = [None] * len(close)
    for t, (gain, loss) in enumerate(zip(up, down, strict=True), 1):
        still = t >= n and len(set(close[t - n : t + 1])) == 1
        if gain is not None and loss is not None and not still:
            out[t] = 100.0 * gain / (gain + loss)
    return out


def true_ranges(run: Run) -> list[float]:
    """From the second bar on: the bar with the close before it."""
    rows = zip(run["high"][1:], run["low"][1:], run["close"], strict=False)
    return [max(h, c) - min(lo, c) for h, lo, c in rows]


def atr(run: Run, n: int) -> Values:
    """Wilder's average of true ranges."""
    return [None, *wilder(true_ranges(run), n)][: len(run["close"])]


def vol(close: list[float], days: float) -> Values:
    """Root of the mean of squared returns, weights halving every `days`, a year of 365 days; after three half-lives."""
    half = days * DAY
    out: Values = [None] * len(close)
    squares = [(b / a - 1.0) ** 2 for a, b in itertools.pairwise(close)]
    for t in range(1, len(close)):
        if t >= 3 * half:
            weights = [0.5 ** ((t - 1 - k) / half) for k in range(t)]
            out[t] = sqrt(365 * DAY * sum(w * s for w, s in zip(weights, squares[:t], strict=True)) / sum(weights))
    return out


def vol_ratio(run: Run, n: int) -> Values:
    """ATR over close against its median of up to thirty days, at least a day of them; never below one."""
    share = [None if a is None else a / c for a, c in zip(atr(run, n), run["close"], strict=True)]
    out: Values = [None] * len(share)
    for t, now in enumerate(share):
        seen = [s for s in share[max(0, t - 30 * DAY + 1) : t + 1] if s is not None]
        if now is not None and len(seen) >= DAY:
            out[t] = max(1.0, now / statistics.median(seen))
    return out


def zscore(window: list[float]) -> float | None:
    """The last value's distance from the mean in standard deviations."""
    spread = statistics.pstdev(window)
    return (window[-1] - mean(window)) / spread if spread > 1e-9 else None


def times_usual(values: list[float]) -> Values:
    """Each over the mean of the 24 before it, more than a day here."""
    before = [None, *windowed(values, 24, mean)][: len(values)]
    return [x / usual if usual else None for x, usual in zip(values, before, strict=True)]


DEFINITIONS: dict[tuple[str, tuple[float, ...]], tuple[tuple[str, ...], Callable[[Run], Values]]] = {
    ("sma", (7,)): (("close",), lambda r: windowed(r["close"], 7, mean)),
    ("sma", (1,)): (("close",), lambda r: windowed(r["close"], 1, mean)),
    ("ema", (7,)): (("close",), lambda r: ema(r["close"], 7)),
    ("ema", (1,)): (("close",), lambda r: ema(r["close"], 1)),
    ("rsi", (5,)): (("close",), lambda r: rsi(r["close"], 5)),
    ("rsi", (2,)): (("close",), lambda r: rsi(r["close"], 2)),
    ("returns", (1,)): (("close",), lambda r: windowed(r["close"], 2, lambda w: w[1] / w[0] - 1.0)),
    ("returns", (9,)): (("close",), lambda r: windowed(r["close"], 10, lambda w: w[-1] / w[0] - 1.0)),
    ("zscore", (8,)): (("close",), lambda r: windowed(r["close"], 8, zscore)),
    ("highest", (6,)): (("high",), lambda r: windowed(r["high"], 6, max)),
    ("lowest", (6,)): (("low",), lambda r: windowed(r["low"], 6, min)),
    ("atr", (5,)): (("high", "low", "close"), lambda r: atr(r, 5)),
    ("atr", (1,)): (("high", "low", "close"), lambda r: atr(r, 1)),
    ("vol", (3.0,)): (("close",), lambda r: vol(r["close"], 3.0)),
    ("vol", (0.5,)): (("close",), lambda r: vol(r["close"], 0.5)),
    ("vol_ratio", (5,)): (("high", "low", "close"), lambda r: vol_ratio(r, 5)),
    ("day_volume", ()): (("volume",), lambda r: windowed(r["volume"], DAY, sum)),
    ("volume_times", ()): (("volume",), lambda r: times_usual(r["volume"])),
    ("range_times", ()): (("high", "low"), lambda r: times_usual([h - lo for h, lo in zip(r["high"], r["low"], strict=True)])),
}
KINDS = {"whole": (1, 0.0, 0.0), "holes": (2, 0.01, 0.0), "many holes": (3, 0.06, 0.0), "coarse prices": (4, 0.004, 4.0)}


def by_definition(made: Bars, columns: tuple[str, ...], of: Callable[[Run], Values]) -> list[float]:
    """The definition over each unbroken run of its own columns; NaN elsewhere."""
    out = [nan] * COUNT
    start = 0
    while start < COUNT:
        end = start
        while end < COUNT and all(isfinite(made[name][end]) for name in columns):
            end += 1
        if end > start:
            values = of({name: made[name][start:end] for name in columns})
            out[start:end] = [nan if value is None else value for value in values]
        start = end + 1
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", DEFINITIONS, ids=lambda call: f"{call[0]}{call[1]}")
def test_a_feature_is_its_definition(call: tuple[str, tuple[float, ...]], kind: str) -> None:
    """Value by value, and missing exactly where the definition has none: holes in any column, prices that stand still."""
    made = bars(*KINDS[kind])
    columns, of = DEFINITIONS[call]
    expected, found = np.array(by_definition(made, columns, of)), getattr(frame(made), call[0])(*call[1])
    assert np.flatnonzero(np.isfinite(found) != np.isfinite(expected)).tolist() == []
    assert np.nanmax(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0), initial=0.0) < 1e-8
    assert np.isfinite(found).any() or kind == "many holes"  # a long warm-up never ends there


def test_every_feature_of_the_catalog_has_its_definition_here() -> None:
    """A new feature brings one."""
    assert {name for name, _ in DEFINITIONS} == set(BY_NAME)
    assert {name: BY_NAME[name].inputs for name, _ in DEFINITIONS} == {
        name: columns + (("timeframe_ms",) if "timeframe_ms" in BY_NAME[name].inputs else ())
        for (name, _), (columns, _) in DEFINITIONS.items()
    }


@pytest.mark.parametrize("call", DEFINITIONS, ids=lambda call: f"{call[0]}{call[1]}")
def test_the_first_value_stands_where_the_feature_says(call: tuple[str, tuple[float, ...]]) -> None:
    """One bar fewer has no value at all; with exactly enough there is one, at the end."""
    name, args = call
    made = bars(5)
    first = BY_NAME[name].first(TF, *args)
    for count, values in ((first, 0), (first + 1, 1)):
        part = FeatureFrame(T0 + (np.arange(count) + 1) * TF, *(made[c][:count] for c in COLUMNS), TF)
        found = getattr(part, name)(*args)
        assert np.isfinite(found).sum() == values
        assert count == 0 or values == 0 or isfinite(found[-1])


@pytest.mark.parametrize("price", [1e-8, 1.0, 1e8])
def test_the_size_of_a_price_changes_no_ratio(price: float) -> None:
    """A coin of a hundred-millionth and one of a hundred million: the same RSI, score, volatility and width."""
    made = bars(6)
    scaled = {name: [v * price for v in values] if name != "volume" else values for name, values in made.items()}
    for name, args in (("rsi", (5,)), ("returns", (3,)), ("vol", (1.0,)), ("vol_ratio", (5,))):
        one, other = getattr(frame(made), name)(*args), getattr(frame(scaled), name)(*args)
        assert np.allclose(one, other, rtol=1e-6, equal_nan=True), name


@pytest.mark.parametrize(("name", "args"), [("rsi", (1,)), ("highest", (1,)), ("lowest", (1,)), ("zscore", (1,))])
def test_a_window_that_the_formula_has_no_answer_for_is_one_clear_line(name: str, args: tuple[int, ...]) -> None:
    """TA-Lib knows no window of one there: the feature is named with its window, nothing is made up."""
    with pytest.raises(StrategyError, match=rf"feature {name}\(1\) cannot be computed"):
        getattr(frame(bars(7)), name)(*args)


def test_the_largest_window_is_taken_and_one_more_is_not() -> None:
    """100,000 bars of a minute are seventy days of warm-up: no value here, and no error; one bar more is out of bounds."""
    minutes = FeatureFrame((np.arange(9) + 1) * 60_000, *([[1.0] * 9] * 5), 60_000)
    assert np.isnan(minutes.sma(WINDOW_MAX)).all()
    with pytest.raises(StrategyError, match=r"100001 is outside 0 to 100,000"):
        minutes.sma(WINDOW_MAX + 1)


@pytest.mark.parametrize(("bars_", "quarters"), [(0, 1), (1, 1), (540, 1), (541, 2), (1080, 2), (1081, 3), (2160, 4), (2161, 5)])
def test_ninety_days_of_warm_up_fit_one_quarter(bars_: int, quarters: int) -> None:
    """540 bars of four hours are exactly ninety days; a bar more needs another quarter."""
    assert quarters_back(bars_, TF) == quarters


def test_runs_are_what_a_loop_would_find() -> None:
    """Empty, all, none, single bars at either end."""
    rng = np.random.default_rng(8)
    masks = [np.array(m, bool) for m in ([], [1], [0], [1, 0, 1], [0, 1, 1, 0])] + [rng.random(60) < 0.6 for _ in range(20)]
    for mask in masks:
        runs, start = [], None
        for t, there in enumerate([*mask.tolist(), False]):
            if there and start is None:
                start = t
            elif not there and start is not None:
                runs.append((start, t))
                start = None
        assert unbroken_runs([mask]) == runs
        assert unbroken_runs([mask, np.ones(len(mask), bool)]) == runs


def test_a_higher_bar_is_its_own_bars_and_missing_where_one_of_them_is() -> None:
    """Open of the first, extremes, close of the last, volume of all, known from its close on; a hole takes that column alone."""
    made = bars(9, 0.03)
    day = frame(made).at("1d")
    for name, of in (("open", lambda w: w[0]), ("high", max), ("low", min), ("close", lambda w: w[-1]), ("volume", sum)):
        expected = [nan] * (DAY - 1)
        for start in range(0, COUNT - DAY + 1, DAY):
            window = made[name][start : start + DAY]
            expected += [of(window) if all(map(isfinite, window)) else nan] * DAY
        assert np.allclose(getattr(day, name), expected[:COUNT], rtol=1e-12, equal_nan=True), name
    assert day.available_ms.tolist() == [0] * (DAY - 1) + [T0 + (t + 1) // DAY * DAY * TF for t in range(DAY - 1, COUNT)]


def test_a_day_that_no_base_bar_begins_is_never_known() -> None:
    """Bars that open five minutes past the hour make no whole day: no value, and no error."""
    made = bars(10)
    shifted = FeatureFrame(T0 + 300_000 + (np.arange(COUNT) + 1) * TF, *(made[name] for name in COLUMNS), TF)
    assert np.isnan(shifted.at("1d").close).all()
    with pytest.raises(BadInput):
        shifted.at("2d")


@pytest.mark.parametrize(("args", "text"), [((), "vol"), ((3.0,), "vol(3)"), ((0.5,), "vol(0.5)"), ((1e5, 2), "vol(100000,2)")])
def test_labels_are_short_and_tell_windows_apart(args: tuple[float, ...], text: str) -> None:
    """As a journal shows them."""
    assert label(BY_NAME["vol"], args) == text
