"""Labels against their definitions in plain lists, when each is known, and that a missing one is named."""

from itertools import pairwise
from math import isfinite, log, nan, sqrt

import numpy as np
import pytest

from engine.errors import BadInput, DataError
from engine.features.frame import FeatureFrame
from engine.models.labels import LABELS, label_of, outcome_of
from tests.engine.features.feature_calls import HOUR_MS, bars, bits, built

AHEAD = {"return_4": 4, "direction_4": 4, "log_vol_4": 4, "triple_barrier_16": 16}


def by_hand(name: str, f: FeatureFrame, t: int) -> tuple[float, int]:
    """(value, bars until it is known) of bar t; NaN where it is not."""
    ahead, c = AHEAD[name], f.close.tolist()
    if t + ahead >= len(c):
        return nan, ahead
    if name == "triple_barrier_16":
        width = f.realised_vol(96)[t] * sqrt(ahead / (365 * 24))
        for k in range(t + 1, t + ahead + 1):
            if not isfinite(width) or not isfinite(f.high[k]):
                return nan, ahead
            if f.low[k] <= c[t] * (1 - width):
                return -1.0, k - t
            if f.high[k] >= c[t] * (1 + width):
                return 1.0, k - t
        return 0.0, ahead
    window = c[t : t + ahead + 1]
    if not isfinite(window[0] + window[-1]):
        return nan, ahead
    if name == "log_vol_4":
        return (log(sqrt(sum(log(b / a) ** 2 for a, b in pairwise(window)) / ahead)), ahead)
    move = log(window[-1] / window[0])
    return (move if name == "return_4" else float(move > 0)), ahead


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("holes", [0.0, 0.01])
def test_a_label_is_its_definition_and_known_when_its_last_price_is(name: str, holes: float) -> None:
    """Value, time and what is missing, row by row; nothing is known of the last bars, and their time is still given."""
    frame = bars(31, 700, holes)
    found = label_of(name, frame)
    expected = [by_hand(name, frame, t) for t in range(len(frame))]
    assert np.allclose(found.values, [value for value, _ in expected], rtol=1e-9, atol=1e-12, equal_nan=True)
    assert ((found.known_ms - frame.close_ms) // HOUR_MS).tolist() == [after for _, after in expected]
    assert np.isnan(found.values[-AHEAD[name] :]).all()
    assert np.isfinite(found.values).any()


@pytest.mark.parametrize("name", LABELS)
def test_what_comes_after_it_is_known_changes_no_label(name: str) -> None:
    """A label is a function of its interval: cut where it is known, it has the same bits; cut a bar before, it has none."""
    frame = bars(32, 400, 0.0)
    found = label_of(name, frame)
    for t in (120, 200, 300):
        end = t + int(found.known_ms[t] - frame.close_ms[t]) // HOUR_MS
        alone = label_of(name, built(frame, slice(t + AHEAD[name] + 1)))
        assert bits(alone.values[t : t + 1]) == bits(found.values[t : t + 1])
        assert alone.known_ms[t] == found.known_ms[t]
        assert np.isnan(label_of(name, built(frame, slice(t + 1, end))).values[:1]).all()


def test_the_barriers_are_touched_where_the_path_says() -> None:
    """By hand: up, down, both in one bar (the lower counts), neither; each known at the close of the bar that touches."""
    frame = bars(33, 200, 0.0)
    width = float(frame.realised_vol(96)[150] * sqrt(16 / (365 * 24)))
    level = frame.close[150]
    for high, low, value, after in ((1 + width, 1, 1, 3), (1, 1 - width, -1, 3), (2, 0.5, -1, 3), (1, 1, 0, 16)):
        columns = {n: getattr(frame, n).copy() for n in ("open", "high", "low", "close", "volume")}
        for n in ("open", "high", "low", "close"):
            columns[n][151:] = level
        columns["high"][153], columns["low"][153] = level * high, level * low
        found = label_of("triple_barrier_16", FeatureFrame(frame.close_ms, **columns, timeframe_ms=HOUR_MS))
        assert (found.values[150], found.known_ms[150] - frame.close_ms[150]) == (value, after * HOUR_MS)


def test_a_side_leaves_at_its_barrier_and_a_bar_that_spans_both_stops_either() -> None:
    """By hand on the same paths; where neither is touched, at the last close. A direction leaves after its bars."""
    frame = bars(33, 200, 0.0)
    width = float(frame.realised_vol(96)[150] * sqrt(16 / (365 * 24)))
    level = frame.close[150]
    up, down = log(1 + width), log(1 - width)
    for high, low, buyer, seller in ((1 + width, 1, up, up), (1, 1 - width, down, down), (2, 0.5, down, up), (1, 1, 0.0, 0.0)):
        columns = {n: getattr(frame, n).copy() for n in ("open", "high", "low", "close", "volume")}
        for n in ("open", "high", "low", "close"):
            columns[n][151:] = level
        columns["high"][153], columns["low"][153] = level * high, level * low
        found = outcome_of("triple_barrier_16", FeatureFrame(frame.close_ms, **columns, timeframe_ms=HOUR_MS))
        assert (found.buyer[150], found.seller[150]) == (pytest.approx(buyer), pytest.approx(seller))
        assert np.isnan(found.buyer[-16:]).all()
    found = outcome_of("direction_4", frame)
    assert bits(found.buyer) == bits(found.seller) == bits(label_of("return_4", frame).values)
    with pytest.raises(BadInput, match="log_vol_4 has no side"):
        outcome_of("log_vol_4", frame)


@pytest.mark.parametrize("ahead", [1, 7])
def test_any_horizon_can_be_named(ahead: int) -> None:
    """The name has it: a return of so many bars, known at the close of the last of them."""
    frame = bars(33, 200, 0.0)
    found = label_of(f"return_{ahead}", frame)
    assert found.values[50] == pytest.approx(log(frame.close[50 + ahead] / frame.close[50]))
    assert found.known_ms[50] == frame.close_ms[50 + ahead]


def test_an_unknown_label_and_an_infinite_value_are_named() -> None:
    """The name, how many rows and the first; a price of nothing gives no infinite return."""
    frame = bars(34, 300, 0.0)
    for name in ("gain_4", "return", "return_0", "return_-4", "return_2001", "return_4.0", "return_٤", "_4"):
        with pytest.raises(BadInput, match=r"unknown label .* - use return_N, direction_N, log_vol_N, triple_barrier_N"):
            label_of(name, frame)
    close = frame.close.copy()
    close[50] = 0.0
    broken = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, close, frame.volume, HOUR_MS)
    with pytest.raises(DataError, match="label return_4 is infinite at 2 of 300 rows"):
        label_of("return_4", broken)
