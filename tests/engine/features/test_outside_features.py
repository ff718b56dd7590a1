"""Features of outside series: joined as of each close, missing when too old, moved by a period, refused when not listed."""

from pathlib import Path

import numpy as np
import pytest

from engine.data.sources import Observations
from engine.errors import StrategyError
from engine.features.catalog import FEATURES
from engine.features.frame import FeatureFrame
from engine.strategies.base import load_strategy
from tests.engine.features.feature_calls import ARGUMENTS, HOUR_MS, bars, bits, value

OF_SERIES = [(feature.name, name) for feature in FEATURES for name in feature.series]
EIGHT_HOURS = 8 * HOUR_MS


def with_series(frame: FeatureFrame, name: str, seen: Observations) -> FeatureFrame:
    """The frame with one series in the place of its own."""
    columns = {column: getattr(frame, column) for column in ("open", "high", "low", "close", "volume")}
    outside = {**frame._outside, name: seen}
    return FeatureFrame(frame.close_ms, **columns, timeframe_ms=HOUR_MS, others=frame._others, outside=outside)


@pytest.mark.parametrize(("feature", "name"), OF_SERIES)
def test_a_series_moved_by_one_period_is_seen(feature: str, name: str) -> None:
    """Published eight hours later: other values at the closes between, and from the end of a prefix on nothing of the future."""
    frame, args = bars(41, 300, 0.0), ARGUMENTS[feature][0]
    seen = frame._outside[name]
    moved = with_series(frame, name, seen._replace(available_ms=seen.available_ms + EIGHT_HOURS))
    a, b = value(frame, feature, args), value(moved, feature, args)
    assert (a != b)[100:].mean() > 0.5
    later = seen._replace(values=np.where(seen.available_ms > frame.close_ms[199], 1e3, seen.values))
    assert bits(value(with_series(frame, name, later), feature, args)[:200]) == bits(a[:200])


@pytest.mark.parametrize(("feature", "name"), OF_SERIES)
def test_a_value_that_is_too_old_is_missing_and_the_window_fills_anew(feature: str, name: str) -> None:
    """Two observations do not come: no value while the last one is too old, nor until the window behind is full."""
    frame, args = bars(42, 300, 0.0), ARGUMENTS[feature][0]
    seen = frame._outside[name]
    rows = (seen.available_ms < 100 * HOUR_MS) | (seen.available_ms > 110 * HOUR_MS)
    found = value(
        with_series(frame, name, Observations(seen.available_ms[rows], seen.values[rows], EIGHT_HOURS, None)), feature, args
    )
    lacking = np.flatnonzero(np.isnan(found)) + 1  # hours at the close
    gap = [hour for hour in lacking.tolist() if hour > 50]
    first = next(f for f in FEATURES if f.name == feature).first(
        HOUR_MS, *next(f for f in FEATURES if f.name == feature).bind(args, {})
    )
    assert gap == [*range(104, 112 + first)]


@pytest.mark.parametrize(
    ("feature", "name", "wrong"),
    [(f, n, w) for f, n in OF_SERIES if "funding" not in f for w in (0.0, -3.0) if (f, w) != ("fear_greed", 0.0)],
)
def test_a_number_that_such_a_series_cannot_have_is_no_value(feature: str, name: str, wrong: float) -> None:
    """An index, a ratio and an open interest of nothing or less: missing, never a logarithm of it or a level."""
    frame, args = bars(43, 200, 0.0), ARGUMENTS[feature][0]
    seen = frame._outside[name]
    found = value(with_series(frame, name, seen._replace(values=np.full(len(seen.values), wrong))), feature, args)
    assert np.isnan(found).all()


def test_a_feature_of_a_series_that_is_not_listed_is_refused_when_the_file_is_read(tmp_path: Path) -> None:
    """The feature, the series, and what to add: not at the first bar."""
    text = '''"""T."""
from engine.strategies.base import StrategyParams
NAME = "own"
FEATURES = ("sma", "funding_zscore")
class Params(StrategyParams):
    """P."""
def signals(f, p): ...
'''
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(StrategyError, match=r"own.py: funding_zscore reads the series funding, which SERIES does not list - add"):
        load_strategy("own", tmp_path)
    (tmp_path / "own.py").write_text(text.replace("StrategyParams\n", "StrategyParams, OutsideSeries\n").replace(
        "class Params", 'SERIES = {"funding": OutsideSeries("funding", "rate", 9)}\nclass Params'))  # fmt: skip
    assert load_strategy("own", tmp_path).FEATURES == ("sma", "funding_zscore")
    frame = bars(44, 100, 0.0)
    bare = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, frame.close, frame.volume, HOUR_MS)
    with pytest.raises(StrategyError, match="reads the series funding, which SERIES does not list"):
        bare.funding_rate()
