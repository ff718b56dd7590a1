"""What holds of the features as a set: a frozen feed, arguments that do not go together, units, normal forms, the calendar."""

import numpy as np
import pytest

from engine.data.sources import Observations
from engine.errors import StrategyError
from engine.features.catalog import FEATURES
from engine.features.feature import PRICE
from engine.features.frame import FeatureFrame
from tests.engine.features.feature_calls import CALLS, HOUR_MS, bars, bits, built, called, value

STILL_VALUED = {  # what stands still has these, and they say so: no move, no width, what was traded
    "returns", "bollinger_width", "atr", "vol", "vol_ratio", "day_volume", "volume_times", "obv", "obv_sma", "delta",
    "cumulative_delta", "premium", "funding_rate", "funding_trend", "open_interest_change", "long_short", "vix",
    "dollar_change", "stocks_change", "mvrv", "sopr", "fear_greed",
}  # fmt: skip


def frozen(frame: FeatureFrame, count: int) -> FeatureFrame:
    """The frame and `count` more bars at its last close, with a volume of 3."""
    columns = {n: np.append(getattr(frame, n), np.full(count, frame.close[-1])) for n in ("open", "high", "low", "close")}
    columns |= {n: np.append(getattr(frame, n), np.full(count, 3.0)) for n in ("volume", "taker_buy_volume")}
    others = {name: frozen(other, count) for name, other in frame._others.items()}
    ended = {}
    for name, seen in frame._outside.items():
        rows = seen.available_ms <= frame.close_ms[-1]
        ended[name] = Observations(seen.available_ms[rows], seen.values[rows], 10**15, None)
    closes = (np.arange(len(frame) + count) + 1) * HOUR_MS
    return FeatureFrame(closes, **columns, timeframe_ms=HOUR_MS, others=others, outside=ended)


def test_a_feed_that_freezes_keeps_no_value_of_the_market_before() -> None:
    """No oscillator stays where it was: it is unknown, or a level at the price itself, or a move of nothing."""
    frame = frozen(bars(21, 300, 0.0), 400)
    price = frame.close[-1]
    for name, args in CALLS:
        feature, last = called(name, args)[0], value(frame, name, args)[-1]
        if feature.unit == PRICE:
            assert np.isnan(last) or last == pytest.approx(price, rel=1e-9), (name, args)
        elif name in {"returns", "bollinger_width", "atr"}:
            assert last == pytest.approx(0.0, abs=1e-9), (name, args)
        elif name not in STILL_VALUED and feature.columns:
            assert np.isnan(last), (name, args, last)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("macd", (26, 12), "fast = 26 is not shorter than slow = 12"),
        ("macd_signal", (12, 12), "fast = 12 is not shorter than slow = 12"),
        ("ppo", (9, 3), "fast = 9 is not shorter than slow = 3"),
        ("ultimate", (7, 7, 28), "7, 7, 28 do not ascend"),
        ("correlation", (1,), "a spread needs 2 bars and more"),
        ("skewness", (2,), "a skewness needs 3 bars and more"),
        ("yang_zhang", (1,), "a spread needs 2 bars and more"),
        ("poc", (1,), "bars = 1 is outside 2 to 2,000"),
        ("poc", (2001,), "bars = 2001 is outside 2 to 2,000"),
        ("value_area_high", (96, 0.0001), "height = 0.0001 is outside 0.0005 to 0.1"),
        ("value_area_low", (96, 24), "height = 24.0 is outside 0.0005 to 0.1"),
        ("bollinger_upper", (20, 0), "deviations = 0 is outside 0 to 100,000"),
        ("supertrend", (10, -3.0), r"width = -3.0 is outside 0 to 100,000"),
        ("keltner_upper", (20, 10.5), r"atr_bars = 10.5 is not a whole number of bars"),
        ("vwap", ("96",), "bars = '96' is not a number"),
        ("hour", (1,), "too many positional arguments"),
        ("zscored", (), "no feature None to normalise; available: sma"),
        ("zscored", ("rsii", 14), "no feature 'rsii' to normalise"),
        ("zscored", ("zscored", 14), "no feature 'zscored' to normalise"),
        ("zscored", (["rsi"],), r"no feature \['rsi'\] to normalise"),
        ("minmaxed", ("rsi",), "missing a required argument: 'bars'"),
        ("minmaxed", ("rsi", 0), "bars = 0 is outside 0 to 100,000"),
    ],
)
def test_arguments_that_do_not_go_together_are_one_clear_line(name: str, args: tuple, words: str) -> None:
    """The feature, the argument and its bounds; nothing is swapped or rounded without a word."""
    with pytest.raises(StrategyError, match=words) as caught:
        getattr(bars(1, 300, 0.0), name)(*args)
    assert str(caught.value).startswith(f"feature {name}(")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("over", [1, 0, -5, 2.5, 100_001, True, "96", float("nan"), float("inf"), None])
def test_a_window_to_normalise_over_is_a_whole_number_of_bars(over) -> None:
    """Two bars to 100,000."""
    with pytest.raises(StrategyError, match=r"feature zscored\(name, \*arguments, over=96\): over = .* is (outside|not a)"):
        bars(1, 300, 0.0).zscored("rsi", 14, over=over)


def test_every_feature_names_its_unit_and_its_source_of_bars() -> None:
    """A unit each; features of one window say how many bars by default, but for the first ones."""
    assert all(feature.unit and feature.about for feature in FEATURES)
    levels = {feature.name for feature in FEATURES if feature.unit == PRICE}
    assert {"sma", "vwap", "poc", "supertrend", "keltner_upper"} <= levels
    assert levels.isdisjoint({"atr", "macd", "obv", "zscore", "supertrend_side", "bollinger_width"})
    frame = bars(3, 900, 0.0)
    for name, args in CALLS:
        if called(name, args)[0].unit == PRICE:  # a level lies where prices are
            assert np.nanmax(np.abs(np.log(value(frame, name, args) / frame.close))) < 0.5, name


def test_a_normal_form_is_read_like_a_feature_and_declared_by_what_it_is_of() -> None:
    """Label, cache, FEATURES, higher timeframes and other instruments; values by hand."""
    frame = bars(4, 400, 0.0)
    reader = frame.reader(["rsi"])
    score = reader.zscored("rsi", 14, over=50)
    assert score is reader.zscored("rsi", bars=14, over=50)
    assert score is not reader.minmaxed("rsi", 14, over=50)
    assert len(reader.at("4h").zscored("rsi", 5)) == len(reader.of("XRP-USDT").zscored("rsi", 5)) == 400
    assert set(reader.used) == {
        "zscored(rsi(14),50)", "minmaxed(rsi(14),50)", "4h.zscored(rsi(5),96)", "XRP-USDT.zscored(rsi(5),96)",
    }  # fmt: skip
    assert np.isnan(score[: 14 + 49]).all()
    window = frame.rsi(14)[300 - 49 : 301]
    assert score[300] == pytest.approx((window[-1] - window.mean()) / window.std())
    assert frame.minmaxed("rsi", 14, over=50)[300] == pytest.approx((window[-1] - window.min()) / np.ptp(window))
    with pytest.raises(StrategyError, match="reads obv, which FEATURES does not list"):
        reader.zscored("obv")


def test_a_mean_of_stochastics_is_unknown_while_a_range_of_nothing_is_in_it() -> None:
    """Five bars at one price: no value at the fifth, nor while the mean of three, and of three of those, still has it."""
    frame = bars(13, 100, 0.0)
    columns = {n: getattr(frame, n).copy() for n in ("open", "high", "low", "close")}
    for values in columns.values():
        values[40:45] = 100.0
    still = FeatureFrame(frame.close_ms, **columns, volume=frame.volume, timeframe_ms=HOUR_MS)
    assert np.flatnonzero(np.isnan(still.stoch_k(5, 3))).tolist() == [*range(6), 44, 45, 46]
    assert np.flatnonzero(np.isnan(still.stoch_d(5, 3, 3))).tolist() == [*range(8), *range(44, 49)]


def test_a_missing_inner_value_ends_a_window_and_the_next_one_fills_anew() -> None:
    """RSI is unknown where the price stands still: the normal form too, and for as long as its window reaches there."""
    frame = built(bars(5, 300, 0.0))
    close = frame.close.copy()
    close[100:120] = close[100]
    still = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, close, frame.volume, HOUR_MS)
    lacking = np.flatnonzero(np.isnan(still.rsi(5)))
    known = ~np.isnan(still.zscored("rsi", 5, over=10))
    assert lacking.tolist() == [*range(5), *range(105, 120)]
    assert np.flatnonzero(known).tolist() == [*range(14, 105), *range(129, 300)]


def test_a_small_spread_on_a_large_number_keeps_its_digits() -> None:
    """On-balance volume of a billion that moves by thousandths: the score of the moves."""
    frame = bars(6, 300, 0.0)
    volume = np.where(np.arange(300) == 0, 1e9, 1e-3 * frame.volume)
    large = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, frame.close, volume, HOUR_MS)
    moves = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, frame.close, 1e-3 * frame.volume, HOUR_MS)
    found, expected = large.zscored("obv", over=20)[100:], moves.zscored("obv", over=20)[100:]
    assert np.abs(found - expected).max() < 6e-6


def test_the_calendar_is_known_at_a_missing_bar_and_at_the_moment_of_the_decision() -> None:
    """Every bar has its hour, also one that is not there; a 4h bar's is that of its close."""
    frame = bars(7, 500, 0.3)
    assert np.isnan(frame.close).any()
    for name in ("hour", "weekday", "month", "weekend", "funding_hours", "session"):
        assert np.isfinite(getattr(frame, name)()).all(), name
    assert frame.hour()[:25].tolist() == [*range(1, 24), 0, 1]
    assert frame.funding_hours()[:9].tolist() == [7, 6, 5, 4, 3, 2, 1, 8, 7]
    assert frame.at("4h").hour()[3:11].tolist() == [4, 4, 4, 4, 8, 8, 8, 8]


def test_the_index_of_volatilities_is_the_mean_of_all_listed_and_of_no_fewer() -> None:
    """Equal to the mean by hand; missing where one coin is; refused where none is listed."""
    frame = bars(8, 400, 0.0)
    each = [frame.of(name).realised_vol(24) for name in ("XRP-USDT", "SOL-USDT")]
    assert frame.vol_index(24) == pytest.approx(np.mean(each, axis=0), nan_ok=True)
    one = bars(9, 400, 0.02)
    holes = np.isnan(one.of("XRP-USDT").close)
    assert holes.any()
    assert np.isnan(one.vol_index(24)[holes]).all()
    with pytest.raises(StrategyError, match="reads all INSTRUMENTS, and none is listed"):
        frame.of("XRP-USDT").vol_index()


def test_a_day_without_its_first_bar_has_no_session_price() -> None:
    """From 00:00 UTC or not at all: no VWAP of a part of the day, and the next day's is whole again."""
    frame = bars(10, 24 * 4, 0.0)
    close = frame.close.copy()
    close[30] = np.nan
    holed = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, close, frame.volume, HOUR_MS)
    known = ~np.isnan(holed.vwap_session())
    assert known.tolist() == [True] * 30 + [False] * 18 + [True] * 48
    assert bits(holed.vwap_session()[48:]) == bits(frame.vwap_session()[48:])


def test_delta_is_missing_where_takers_were_not_recorded() -> None:
    """No taker volume is no zero: NaN throughout, at every timeframe, and volume features go on."""
    frame = bars(11, 200, 0.0)
    bare = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, frame.close, frame.volume, HOUR_MS)
    slow = frame.at("4h").taker_buy_volume[3::4]
    assert slow == pytest.approx(frame.taker_buy_volume[: len(slow) * 4].reshape(-1, 4).sum(axis=1))
    assert frame.at("4h").delta()[3::4] == pytest.approx(2.0 * slow - frame.at("4h").volume[3::4])
    for view in (bare, bare.at("4h")):
        assert np.isnan(view.delta()).all()
        assert np.isnan(view.cumulative_delta(6)).all()
        assert np.isnan(view.taker_buy_volume).all()
    assert np.isfinite(bare.obv()).all()


def test_a_supertrend_has_no_side_before_the_market_gave_it_one() -> None:
    """The same from a fall as from a rise: its mirror image, bar by bar, and unknown at first."""
    frame = bars(12, 300, 0.0)
    mirror = {"open": 300.0 - frame.open, "high": 300.0 - frame.low, "low": 300.0 - frame.high, "close": 300.0 - frame.close}
    other = FeatureFrame(frame.close_ms, **mirror, volume=frame.volume, timeframe_ms=HOUR_MS)
    assert np.array_equal(frame.supertrend_side(), -other.supertrend_side(), equal_nan=True)
    begun = int(np.isfinite(frame.supertrend_side()).argmax())
    assert begun > 10
    assert np.isnan(frame.supertrend()[:begun]).all()
    assert np.isfinite(frame.supertrend()[begun:]).all()
