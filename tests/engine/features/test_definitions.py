"""Every feature of the catalog against its definition, written in plain lists: values and missing values, with holes in the bars.

4-hour bars, so that a day is six of them and thirty days are a hundred and eighty; all within one calendar quarter, so that the
history begins at the first bar (law 2 tests the anchor itself).
"""

from collections.abc import Callable
from math import inf, isfinite, nan

import numpy as np
import pytest

from engine.data.sources import Observations
from engine.errors import BadInput, StrategyError
from engine.features.anchor import quarters_back
from engine.features.catalog import BY_NAME
from engine.features.feature import COLUMNS, OTHERS_CLOSE, SERIES, TAKER_BUY, WINDOW_MAX
from engine.features.frame import FeatureFrame, label, unbroken_runs
from tests.engine.features.definitions import (
    DAY,
    TF,
    Run,
    Values,
    atr,
    ema,
    mean,
    rsi,
    times_usual,
    vol,
    vol_ratio,
    windowed,
    zscore,
)
from tests.engine.features.level_definitions import LEVELS
from tests.engine.features.momentum_definitions import MOMENTUM
from tests.engine.features.wider_definitions import WIDER

T0 = 1_735_689_600_000  # 2025-01-01
COUNT = 520  # 86 days
CLOSES = T0 + (np.arange(COUNT) + 1) * TF
OUTSIDE = sorted({name for feature in BY_NAME.values() for name in feature.inputs if name.startswith(SERIES)})


def bars(seed: int, holes: float = 0.0, step: float = 0.0) -> Run:
    """A walk of whole bars; `holes`: share of single values that are missing or infinite; `step`: prices on a coarse grid."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, COUNT)))
    if step:
        close = np.round(close / step) * step
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + rng.random(COUNT), np.minimum(opened, close) - rng.random(COUNT)
    made = {"open": opened, "high": high, "low": low, "close": close, "volume": np.round(rng.lognormal(3, 2, COUNT))}
    made[TAKER_BUY] = made["volume"] * rng.random(COUNT)
    made |= {name: 20.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, COUNT))) for name in OUTSIDE}
    made["series.funding"] = np.round(rng.normal(0.0, 1.0, COUNT)) / 1e4  # often the same
    made[OTHERS_CLOSE] = close[:, None] * np.exp(rng.normal(0.0, 0.01, (COUNT, 2)))
    for values in made.values():
        values[rng.random(COUNT) < holes] = nan
        values[rng.random(COUNT) < holes / 4] = inf
    return {name: values.tolist() for name, values in made.items()} | {"close_ms": CLOSES.tolist()}


def frame(made: Run) -> FeatureFrame:
    """The frame of such bars."""
    return part(made, COUNT)


def part(made: Run, count: int) -> FeatureFrame:
    """The frame of the first of them."""
    own = [made[name][:count] for name in COLUMNS]
    closes = np.array(made[OTHERS_CLOSE])[:count].T
    others = {f"COIN{k}": FeatureFrame(CLOSES[:count], *own[:3], column, own[4], TF) for k, column in enumerate(closes)}
    taker, closes_ = made[TAKER_BUY][:count], CLOSES[:count]
    seen = {name.removeprefix(SERIES): Observations(closes_, np.array(made[name][:count]), 0, None) for name in OUTSIDE}
    return FeatureFrame(closes_, *own, TF, others=others, outside=seen, taker_buy_volume=taker)


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
    **MOMENTUM,
    **LEVELS,
    **WIDER,
}
KINDS = {"whole": (1, 0.0, 0.0), "holes": (2, 0.01, 0.0), "many holes": (3, 0.06, 0.0), "coarse prices": (4, 0.004, 4.0)}


def by_definition(made: Run, columns: tuple[str, ...], of: Callable[[Run], Values]) -> list[float]:
    """The definition over each unbroken run of its own columns; NaN elsewhere."""
    out = [nan] * COUNT
    start = 0
    while start < COUNT:
        end = start
        while end < COUNT and all(np.isfinite(made[name][end]).all() for name in columns):
            end += 1
        if end > start:
            values = of({name: made[name][start:end] for name in columns})
            out[start:end] = [nan if value is None else value for value in values]
        start = end + 1
    return out


@pytest.mark.sample(8)
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
    read = {name: tuple(x for x in BY_NAME[name].inputs if x != "timeframe_ms") for name, _ in DEFINITIONS}
    assert read == {name: columns for (name, _), (columns, _) in DEFINITIONS.items()}


@pytest.mark.parametrize("call", [c for c in DEFINITIONS if "supertrend" not in c[0]], ids=lambda call: f"{call[0]}{call[1]}")
def test_the_first_value_stands_where_the_feature_says(call: tuple[str, tuple[float, ...]]) -> None:
    """One bar fewer has no value at all; with exactly enough there is one, at the end. SuperTrend waits for a close outside."""
    name, args = call
    made = bars(5)
    first = BY_NAME[name].first(TF, *args)
    for count, values in ((first, 0), (first + 1, 1)):
        found = getattr(part(made, count), name)(*args)
        assert np.isfinite(found).sum() == values
        assert count == 0 or values == 0 or isfinite(found[-1])


@pytest.mark.parametrize("price", [1e-8, 1.0, 1e8])
def test_the_size_of_a_price_changes_no_ratio(price: float) -> None:
    """A coin of a hundred-millionth and one of a hundred million: the same scores, sides, volatilities and widths."""
    made = bars(6)
    scaled = {
        name: (np.array(values) * (price if name in ("open", "high", "low", "close") else 1)) for name, values in made.items()
    }
    ratios = [
        ("rsi", (5,)),
        ("returns", (3,)),
        ("vol", (1.0,)),
        ("vol_ratio", (5,)),
        ("zscore", (8,)),
        ("mfi", (4,)),
        ("adx", (5,)),
    ]
    ratios += [("cci", (6,)), ("stoch_k", (5, 3)), ("ppo", (3, 7)), ("trix", (4,)), ("cmo", (5,)), ("ultimate", (2, 4, 7))]
    ratios += [("bollinger_position", (5, 2.0)), ("supertrend_side", (4, 1.5)), ("yang_zhang", (8,)), ("efficiency", (5,))]
    ratios += [("downside_vol", (8,)), ("skewness", (8,)), ("beta", (8,)), ("correlation", (8,)), ("vwap_distance", (5,))]
    for name, args in ratios:
        one, other = getattr(frame(made), name)(*args), getattr(frame(scaled), name)(*args)
        assert np.allclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True), name


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
