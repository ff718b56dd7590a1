"""The frame: holes, caching, what was read, and the words for what cannot be read."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from engine.errors import DataError, StrategyError
from engine.features.frame import FeatureFrame

MINUTE_MS = 60_000


def frame_of(count=50, hole=None) -> FeatureFrame:
    """Rising minutes, one of them missing if asked for."""
    close = np.arange(count, dtype=float) + 100.0
    if hole is not None:
        close[hole] = np.nan
    stamps = (np.arange(count) + 1) * MINUTE_MS
    return FeatureFrame(stamps, close, close + 1, close - 1, close, np.ones(count), MINUTE_MS)


def test_a_missing_bar_ends_a_run_and_the_next_one_warms_up() -> None:
    """One NaN bar: NaN there and for the next window, values again behind it - not NaN for ever."""
    values = frame_of(hole=20).sma(5)
    assert np.isfinite(values[4:20]).all()
    assert np.isnan(values[20:25]).all()
    assert np.isfinite(values[25:]).all()


def test_an_infinite_price_is_a_missing_one() -> None:
    """Infinity ends a run as NaN does."""
    close = np.arange(30.0) + 1.0
    close[10] = np.inf
    frame = FeatureFrame((np.arange(30) + 1) * MINUTE_MS, close, close, close, close, np.ones(30), MINUTE_MS)
    assert frame.runs() == [(0, 10), (11, 30)]
    assert np.isfinite(frame.ema(5)[15:]).all()


def test_missing_volume_does_not_break_a_feature_of_the_close() -> None:
    """A run is counted over the inputs a feature reads."""
    volume = np.ones(30)
    volume[10] = np.nan
    close = np.arange(30.0) + 1.0
    frame = FeatureFrame((np.arange(30) + 1) * MINUTE_MS, close, close, close, close, volume, MINUTE_MS)
    assert np.isfinite(frame.sma(3)[2:]).all()
    assert frame.runs(("volume",)) == [(0, 10), (11, 30)]


def test_a_feature_is_computed_once_and_shared_by_readers() -> None:
    """Two readers get the very same array; each knows only what it read itself."""
    frame = frame_of()
    one, two = frame.reader(), frame.reader()
    assert one.sma(5) is two.sma(5)
    two.ema(7)
    assert set(one.used) == {"sma(5)"}
    assert set(two.used) == {"sma(5)", "ema(7)"}
    assert frame.used == {}


def test_a_named_argument_is_the_same_feature() -> None:
    """f.sma(bars=5) and f.sma(5) are one cache entry and one label."""
    frame = frame_of()
    assert frame.sma(bars=5) is frame.sma(5)
    frame.vol()
    frame.vol(3)
    assert set(frame.used) == {"sma(5)", "vol(3)"}


def test_nothing_can_be_written_through_the_frame() -> None:
    """Bars and features are read-only: a strategy cannot change what another one reads."""
    frame = frame_of()
    for values in (frame.close, frame.close_ms, frame.sma(5)):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_a_prefix_shares_no_value() -> None:
    """A prefix computes for itself, from its own bars alone."""
    frame = frame_of(hole=20)
    frame.sma(5)
    part = frame.prefix(22)
    assert len(part) == len(part.close) == len(part.sma(5)) == 22
    assert part.sma(5).base is not frame.sma(5)
    assert part.runs() == [(0, 20), (21, 22)]


def test_an_unknown_feature_names_the_catalog() -> None:
    """A typing error is answered with what there is."""
    with pytest.raises(AttributeError, match="no feature 'smaa'; available: sma, ema"):
        frame_of().smaa(5)


def test_an_undeclared_feature_is_refused() -> None:
    """A reader with a declaration reads nothing else."""
    with pytest.raises(StrategyError, match="reads ema, which FEATURES does not list"):
        frame_of().reader(("sma",)).ema(5)


@pytest.mark.parametrize("args", [(), (0,), (-1,), (2.5,), ("5",), (True,), (5, 6), (10**6,), (float("nan"),), (float("inf"),)])
def test_an_argument_that_is_no_window_is_refused(args) -> None:
    """Each is one clear line with the feature's name, whatever the number of bars."""
    with pytest.raises(StrategyError, match="sma"):
        frame_of().sma(*args)


def test_skipped_time_is_refused() -> None:
    """A missing bar is a NaN row; a row that is left out would shift every window."""
    frame = frame_of()
    keep = np.arange(50) != 20
    columns = [x[keep] for x in (frame.open, frame.high, frame.low, frame.close, frame.volume)]
    with pytest.raises(DataError, match="bars are not regular"):
        FeatureFrame(frame.close_ms[keep], *columns, MINUTE_MS)
    with pytest.raises(DataError, match="unequal length"):
        FeatureFrame(frame.close_ms, *columns, MINUTE_MS)


def test_no_bars_and_one_bar_give_as_many_values() -> None:
    """The shortest histories are histories too."""
    for count in (0, 1):
        frame = frame_of(count)
        assert [len(frame.sma(5)), len(frame.rsi(14)), len(frame.vol())] == [count] * 3
        assert np.isnan(frame.vol_ratio(14)).all()


def test_a_market_gives_the_frame_of_each_instrument() -> None:
    """Columns of a market of two instruments become contiguous bars of one."""
    prices = np.arange(20.0).reshape(10, 2) + 1.0
    market = SimpleNamespace(close_ms=(np.arange(10) + 1) * MINUTE_MS, timeframe_ms=MINUTE_MS, volume=prices)
    market.open = market.high = market.low = market.close = prices
    frame = FeatureFrame.of_market(market, 1)
    assert frame.close.tolist() == prices[:, 1].tolist()
    assert frame.close.flags.c_contiguous


def test_reading_features_loads_neither_pandas_nor_numba() -> None:
    """A worker's memory: TA-Lib would drag pandas in, and numba has no place outside the kernel."""
    code = (
        "import sys, numpy as np; from engine.features.frame import FeatureFrame as F; x = np.arange(9.0) + 1;"
        "F(np.arange(1, 10), x, x, x, x, x, 1).sma(3); print(sorted({'pandas', 'numba'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
