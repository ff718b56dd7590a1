"""Baselines say what is claimed of them, from the past alone."""

import numpy as np
import pytest

from engine.clock import HOUR_MS
from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.models import baselines
from engine.models.labels import AHEAD, label_of

BAR_MS = 900_000


def bars(count: int, seed: int = 3) -> FeatureFrame:
    """Prices whose volatility depends on the hour, with a hole of three bars."""
    dice = np.random.default_rng(seed)
    close_ms = 1_735_689_600_000 + BAR_MS * np.arange(1, count + 1)
    size = 0.001 * (1.0 + (close_ms // HOUR_MS % 24 == 14) * 3.0)
    close = 100.0 * np.exp(np.cumsum(dice.normal(size=count) * size))
    close[count // 2 : count // 2 + 3] = np.nan
    return FeatureFrame(close_ms, close, close, close, close, np.ones(count), BAR_MS)


def test_the_log_volatility_of_an_hour_is_the_label_of_an_hour_ago() -> None:
    """HAR's first column says what is known at a close: the label that ended there, of a year where the label is of a bar."""
    frame = bars(2_000)
    label, column = label_of("log_vol_4", frame).values, baselines.har_columns(frame)[:, 0]
    a_year = 0.5 * np.log(365 * 96)
    assert np.allclose(column[AHEAD:] - a_year, label[:-AHEAD], rtol=1e-9, equal_nan=True)
    assert np.isnan(column).sum() == AHEAD + 3 + AHEAD


def test_the_last_known_label_is_never_one_that_is_still_open() -> None:
    """At a close the label that ended there counts; later ones do not, whatever they are."""
    frame = bars(400)
    label = label_of("triple_barrier_16", frame)
    found = baselines.last_known(label.values, frame.close_ms, label.known_ms)
    for n in (0, 150, 260, 399):
        ended = [
            (known, k) for k, known in enumerate(label.known_ms) if known <= frame.close_ms[n] and np.isfinite(label.values[k])
        ]
        assert np.isnan(found[n]) if not ended else found[n] == label.values[max(ended)[1]]
    later = label.values.copy()
    later[label.known_ms > frame.close_ms[260]] = 7.0
    again = baselines.last_known(later, frame.close_ms, label.known_ms)
    assert np.array_equal(again[:261], found[:261], equal_nan=True)


def test_least_squares_finds_what_made_the_target() -> None:
    """HAR columns of real shape, known coefficients; rows with holes are left out and say nothing themselves."""
    columns = baselines.har_columns(bars(3_000))
    weights = np.arange(columns.shape[1]) / 10.0
    target = columns @ weights
    found = baselines.least_squares(columns[:2_500], target[:2_500], columns[2_500:])
    assert np.allclose(found, target[2_500:], equal_nan=True)
    assert np.isnan(baselines.least_squares(columns[:2_500], target[:2_500], columns[:10])).all()


def test_a_row_alone_is_predicted_as_in_the_batch() -> None:
    """To the bit: what is computed live at one close is what history says of it."""
    columns = baselines.har_columns(bars(3_000))
    target = columns[:, 0] * 0.7 + columns[:, 3] * 0.2
    rows = columns[2_500:]
    batch = baselines.least_squares(columns[:2_500], target[:2_500], rows)
    alone = [baselines.least_squares(columns[:2_500], target[:2_500], rows[n : n + 1])[0] for n in range(len(rows))]
    assert np.array(alone).tobytes() == batch.tobytes()


def test_an_hour_that_training_has_not_seen_is_not_guessed() -> None:
    """NaN, not the mean of the other hours."""
    columns = baselines.har_columns(bars(3_000))
    trained = columns[columns[:, 4 + 5] == 0.0]
    found = baselines.least_squares(trained, trained[:, 0] * 2.0, columns[-96:])
    assert np.array_equal(np.isnan(found), columns[-96:, 4 + 5] == 1.0)


def test_too_few_rows_and_no_labels_are_refused() -> None:
    """By name."""
    columns = baselines.har_columns(bars(900))
    with pytest.raises(DataError, match="HAR needs"):
        baselines.least_squares(columns[:100], np.ones(100), columns[100:])
    with pytest.raises(DataError, match="no training label"):
        baselines.base_rate(np.full(5, np.nan), 3)


def test_zero_and_base_rate() -> None:
    """As many rows as asked for."""
    assert baselines.zero(np.ones(3), 2).tolist() == [0.0, 0.0]
    assert baselines.base_rate(np.array([1.0, 0.0, np.nan, 0.0]), 2) == pytest.approx([1 / 3, 1 / 3])
