"""What a stored model says at each bar of a frame: one path for a backtest's history and for the last bar of a live desk.

A row is answered by the fit that answers for its close (Artifact.fit_at), never by a later one, from the features that it names,
through the frame like a strategy's own. numpy alone: nothing here trains. No strategy reads it yet.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import timeframe_ms, timeframe_text, utc
from engine.errors import DataError
from engine.features.calls import matrix_of
from engine.features.frame import FeatureFrame
from engine.models.artifact import Artifact
from engine.models.trees import predict

EARLY, EMPTY = "before the model's first fit", "every feature is missing"
Array = npt.NDArray[np.float64]


class PredictionColumn(NamedTuple):
    """A value a bar, NaN where there is none; `fits`: the number of the fit that answered, -1 where none did; `missing`: bars
    without a value, by reason.
    """

    values: Array
    fits: npt.NDArray[np.int64]
    missing: dict[str, int]


def predictions(model: Artifact, frame: FeatureFrame) -> PredictionColumn:
    """The column of a model over all bars of a frame; the same bits for a bar whatever comes after it.

    Raises DataError for a frame of another timeframe, BadInput and StrategyError as its features do.
    """
    wanted = model.about["timeframe"]
    if frame.timeframe_ms != timeframe_ms(wanted):
        raise DataError(
            f"{model.text} predicts {wanted} bars, these are {timeframe_text(frame.timeframe_ms)}", "use its timeframe"
        )
    rows = matrix_of(frame, model.features.calls)
    fits = np.searchsorted([fit.from_ms for fit in model.fits], frame.close_ms, side="right") - 1
    empty = np.isnan(rows).all(axis=1)
    values = np.full(len(frame), np.nan)
    for number in np.unique(fits[(fits >= 0) & ~empty]).tolist():
        own = (fits == number) & ~empty
        values[own] = predict(model.fits[number].trees, rows[own])
    why = Counter(EARLY if fit < 0 else EMPTY for fit in fits[np.isnan(values)].tolist())
    return PredictionColumn(values, np.where(np.isnan(values), -1, fits), dict(why))


def last_prediction(model: Artifact, frame: FeatureFrame) -> float:
    """What the model says at the frame's last bar; NaN where it says nothing. The same bits as in `predictions`.

    Only that row is asked: what the features cost is all it costs.
    """
    number = model.fit_at(int(frame.close_ms[-1]))
    row = matrix_of(frame, model.features.calls)[-1:]
    return float("nan") if number < 0 or np.isnan(row).all() else float(predict(model.fits[number].trees, row)[0])


def about(model: Artifact) -> str:
    """One line: what it predicts, from when on."""
    label, first = model.about["label"], utc(model.fits[0].from_ms)
    return f"{model.text}: {label.get('name')} of {model.about['instrument']} {model.about['timeframe']}, from {first} on"
