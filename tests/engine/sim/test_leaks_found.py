"""F10, the leak: every plant - shift(-1), fits and scalers on all data, a higher timeframe too early - is found and named."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.sim import leaks
from engine.strategies.base import SignalFrame, StrategyParams
from tests.fakes.rules_on_bars import FRAME, clock, closes, strategy

# ---------------------------------------------------------------- plants


def shifted(f, p):
    """shift(-1): the next close."""
    return np.append(f.close[1:] > f.close[:-1], False)


def rolled(f, p):
    """np.roll by one: the next close, and at the end the first."""
    return np.roll(f.close, -1) > f.close


def normalised(f, p):
    """z-score with mean and deviation of the whole sample."""
    x = np.diff(closes(f), prepend=np.nan)
    return (x - np.nanmean(x)) / np.nanstd(x) > 1.0


def centred(f, p):
    """A moving average centred on the bar."""
    return closes(f) > np.convolve(closes(f), np.ones(21) / 21, mode="same")


def sloped(f, p):
    """np.gradient looks one bar ahead."""
    return np.gradient(closes(f)) > 0.0


def higher_timeframe(f, p):
    """The hour's close, joined on the hour's open: known 45 minutes early."""
    x, hour = closes(f), clock(f)
    last = np.append(np.flatnonzero(np.diff(hour)), len(f) - 1)
    hourly = x[last]
    return hourly[np.searchsorted(hour[last], hour)] > x


def scaled(f, p):
    """A scaler fitted on everything: place between least and largest of all closes."""
    x = closes(f)
    return (x - x.min()) / (x.max() - x.min()) < 0.2


def ranked(f, p):
    """A quantile of the whole sample as threshold."""
    x = np.diff(closes(f), prepend=0.0)
    return x > np.quantile(x, 0.9)


def two_states(f, p):
    """A regime model fitted on all data: two means of absolute moves, ten rounds."""
    x = np.abs(np.diff(closes(f), prepend=closes(f)[0] if len(f) else 0.0))
    low, high = np.min(x), np.max(x)
    for _ in range(10):
        calm = np.abs(x - low) < np.abs(x - high)
        low, high = x[calm].mean() if calm.any() else low, x[~calm].mean() if (~calm).any() else high
    return np.abs(x - low) < np.abs(x - high)


def trained(f, p):
    """A regression of the next move on the last, fitted on all bars and used on them."""
    x = np.diff(closes(f), prepend=closes(f)[0])
    if len(x) < 4:
        return np.zeros(len(f), int)
    slope, level = np.polyfit(x[:-1], x[1:], 1)
    return slope * x + level > 0.0


def detrended(f, p):
    """Distance from a line through the whole history."""
    x = closes(f)
    at = np.arange(len(x))
    return x > np.polyval(np.polyfit(at, x, 1), at) if len(x) > 2 else np.zeros(len(x), int)


def backfilled(f, p):
    """Missing closes filled with the next one that is known."""
    known = np.flatnonzero(np.isfinite(f.close))
    if not len(known):
        return np.zeros(len(f), int)
    following = known[np.minimum(np.searchsorted(known, np.arange(len(f))), len(known) - 1)]
    x = f.close[following]
    return np.append(0, np.sign(np.diff(x)))


def smoothed(f, p):
    """A low pass over the whole history by Fourier transform."""
    x = closes(f)
    parts = np.fft.rfft(x)
    parts[max(len(x) // 50, 1) :] = 0
    return np.fft.irfft(parts, len(x)) > x


def only_when_it_pays(f, p):
    """A clean, rare signal that is dropped where the next bar would lose: the leak shows on some 50 bars."""
    rare = f.zscore(50) > 2.5
    return rare & np.append(f.close[1:] > f.close[:-1], False)


def leaves_before_the_end(f, p):
    """No position over the last five bars of history: one cannot know that they are the last."""
    direction = (f.close > f.sma(20)).astype(int)
    direction[-5:] = 0
    return direction


def knows_the_crash(f, p):
    """Clean but for the last 5 bars, where it has read the last close."""
    direction = (f.close > f.sma(20)).astype(int)
    last = len(f) - 1
    direction[-5:] = 1 if f.close[last] > 101.0 else -1
    return direction


def counts_from_the_end(f, p):
    """Every seventh bar, counted from the last one."""
    return np.arange(len(f))[::-1] % 7 == 0


PLANTS = [
    shifted,
    rolled,
    normalised,
    centred,
    sloped,
    higher_timeframe,
    scaled,
    ranked,
    two_states,
    trained,
    detrended,
    backfilled,
    smoothed,
    only_when_it_pays,
    leaves_before_the_end,
    knows_the_crash,
    counts_from_the_end,
]


@pytest.mark.sample(3)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda f: f.__name__)
def test_a_plant_is_found(plant) -> None:
    """Each leak is found with the usual 200 bars, under any of three seeds, and the bar named does leak."""
    for seed in range(3):
        report = leaks.check(strategy(plant), StrategyParams(), FRAME, seed=seed)
        assert not report.clean, report
        assert report.text.startswith(f"leaks at bar {report.bar:,} (1970-")
        assert report.output in {"direction", "strength"}
        assert report.close_ms == FRAME.close_ms[report.bar]


def test_a_leak_of_one_bar_is_named_where_it_is() -> None:
    """One single bar that knows the next one is found when it is among the bars looked at, at its own number."""

    def rule(f, p):
        direction = np.zeros(len(f), int)
        if len(f) > 4182:
            direction[4181] = 1
        return direction

    report = leaks.check(strategy(rule), StrategyParams(), FRAME)
    assert (report.clean, report.bar) == (False, 4181)
    assert "leaks at bar 4,181 (1970-02-13 13:30Z): direction is 1 with later bars known, 0 at" in report.text


def test_what_is_read_behind_an_array_is_found() -> None:
    """The rest of the history behind the array it was given, as `.base` or a window past its end has it: no prefix has any."""

    def rule(f, p):
        whole = f.close
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        close = np.nan_to_num(np.append(whole, whole[-1]), nan=100.0)
        return np.sign(np.diff(close))[: len(f)]

    report = leaks.check(strategy(rule), StrategyParams(), FRAME)
    assert report.looks_ahead, report.text


def test_a_feature_that_leaks_is_named() -> None:
    """When the values of a feature differ, it is the feature that is named, not only the direction it led to."""

    def signals(f, p):
        f.used["mine(7)"] = np.append(f.close[1:], 0.0)
        return SignalFrame(np.zeros(len(f), np.int8), np.zeros(len(f)))

    own = SimpleNamespace(NAME="mine", FEATURES=(), Params=StrategyParams, signals=signals)
    report = leaks.check(own, StrategyParams(), FRAME)
    assert (report.clean, report.output) == (False, "mine(7)")


def test_a_strength_that_leaks_alone_is_found() -> None:
    """Direction clean, strength scaled by the whole sample."""

    def signals(f, p):
        x = closes(f)
        return SignalFrame(np.ones(len(f), np.int8), x / x.max())

    own = SimpleNamespace(NAME="mine", FEATURES=(), Params=StrategyParams, signals=signals)
    report = leaks.check(own, StrategyParams(), FRAME)
    assert (report.clean, report.output) == (False, "strength")
