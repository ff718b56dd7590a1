"""What a stored model says at each bar of a frame: one path for a backtest's history and for the last bar of a live desk.

Called through FeatureFrame.model and .regime (features/predicted.py), in whatever process a strategy runs. A row is answered by
the fit that answers for its close (Artifact.fit_at), never by a later one, from the features that the model names, through the
frame like a strategy's own. numpy alone: nothing here trains.

A prediction is a function of its row. A regime's state is one of the rows since its filter began: WARM_BARS before the quarter
or the change of fits that the bar is behind, a place that depends on the bar's time alone, so that a restart, a longer file and
a desk of a year give the same bits. What was computed is kept and used again where every bit of its rows is the same.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, timeframe_ms, timeframe_text, utc
from engine.errors import DataError, StrategyError
from engine.features.anchor import QUARTER_DAYS, quarter_rows
from engine.features.calls import matrix_of
from engine.features.frame import FeatureFrame
from engine.models import regime
from engine.models.artifact import Artifact
from engine.models.regime import STATES, RegimeState
from engine.models.trees import predict

EARLY, EMPTY = "before the model's first fit", "its features are missing"
WARM_BARS, WARM_DAYS_MAX = 500, QUARTER_DAYS - 10  # of a regime's filter; paper has a quarter before the bar's own at least
STATE = "state"
PARTS = (STATE, *STATES)
Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class PredictionColumn(NamedTuple):
    """A value a bar, NaN where there is none; `fits`: the number of the fit that answered, -1 where none did; `missing`: bars
    without a value, by reason.
    """

    values: Array
    fits: Rows
    missing: dict[str, int]


class RegimeColumn(NamedTuple):
    """A row a bar: P(state | bars so far) (n, 3), NaN where nothing is known; state, and number of its fit, -1 for none."""

    probabilities: Array
    states: npt.NDArray[np.int8]
    fits: Rows


class _KnownRows(NamedTuple):
    """Rows from a first close on, and what was said of them."""

    first_ms: int
    rows: Array
    values: Array


class _KnownPath(NamedTuple):
    """Rows that a filter went through, and where it was after each."""

    rows: Array
    probabilities: Array
    states: npt.NDArray[np.int8]
    bars: Rows


class ModelColumn:
    """A stored model as a frame reads it (features/predicted.StoredColumns)."""

    def __init__(self, model: Artifact) -> None:
        self.model = model
        self._rows: _KnownRows | None = None
        self._paths: dict[tuple[int, int, int], _KnownPath] = {}

    @property
    def sha256(self) -> str:
        """Of the artifact."""
        return self.model.sha256

    @property
    def key(self) -> str:
        """Of the artifact."""
        return self.model.key

    def label(self, part: str) -> str:
        """`model(vol-btc@1.2.0)`, `regime(btc@1.0.0)`, `regime(btc@1.0.0,bull)`. Raises StrategyError for the other kind."""
        name = f"{self.model.name}@{self.model.version}"
        if not part and self.model.is_regime:
            raise StrategyError(f"it reads {name} as a prediction, and that is a regime", f'write f.regime("{self.model.name}")')
        if part and not self.model.is_regime:
            raise StrategyError(f"it reads {name} as a regime, and that is a prediction", f'write f.model("{self.model.name}")')
        if part not in ("", *PARTS):
            raise StrategyError(f"a regime has no {part!r}", f"available: {', '.join(PARTS)}")
        return f"regime({name})" if part == STATE else f"regime({name},{part})" if part else f"model({name})"

    def why_null(self, close_ms: int) -> str:
        """Why it says nothing at a close where it says nothing."""
        early = self.model.fit_at(close_ms) < 0
        return f"{EARLY} ({utc(self.model.fits[0].from_ms)})" if early else EMPTY

    def values(self, frame: FeatureFrame, part: str) -> Array:
        """As StoredColumns says. Raises DataError for a frame of another timeframe, and for a fit that has seen its bars."""
        if not self.model.is_regime:
            return self.predictions(frame).values
        found = self.regimes(frame)
        if part != STATE:
            return found.probabilities[:, STATES.index(part)].copy()
        return np.where(found.states < 0, np.nan, found.states - 1.0)

    def predictions(self, frame: FeatureFrame) -> PredictionColumn:
        """The column of trees over all bars of a frame; the same bits for a bar whatever comes after it."""
        fits, rows = fits_of(self.model, frame), matrix_of(frame, self.model.features.calls)
        empty = np.isnan(rows).all(axis=1)
        values = np.full(len(frame), np.nan)
        asked = (fits >= 0) & ~empty
        if (known := self._rows) is not None and len(frame) and known.first_ms == int(frame.close_ms[0]):
            count = min(len(rows), len(known.rows))
            same = np.zeros(len(rows), np.bool_)
            same[:count] = _same_rows(rows[:count], known.rows[:count])
            values[same] = known.values[: len(same)][same[: len(known.values)]]
            asked &= ~same
        for number in np.unique(fits[asked]).tolist():
            own = asked & (fits == number)
            trees = self.model.fits[number].trees
            assert trees is not None, "a fit of trees"  # noqa: S101 - artifact.py reads no mixture
            values[own] = predict(trees, rows[own])
        if len(frame):
            self._rows = _KnownRows(int(frame.close_ms[0]), rows, values)
        why = Counter(EARLY if fit < 0 else EMPTY for fit in fits[np.isnan(values)].tolist())
        return PredictionColumn(values, np.where(np.isnan(values), -1, fits), dict(why))

    def regimes(self, frame: FeatureFrame) -> RegimeColumn:
        """The states over all bars of a frame; the same bits for a bar whatever comes after it."""
        fits, rows = fits_of(self.model, frame), regime.observed(matrix_of(frame, self.model.features.calls))
        out, states = np.full((len(rows), len(STATES)), np.nan), np.full(len(rows), -1, np.int8)
        warm = min(WARM_BARS, WARM_DAYS_MAX * DAY_MS // frame.timeframe_ms)
        starts = np.union1d(np.flatnonzero(np.diff(fits, prepend=-1)), quarter_rows(frame.close_ms, frame.timeframe_ms))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            if fits[start] < 0:
                continue
            begin, number = max(0, start - warm), int(fits[start])
            place = int(frame.close_ms[begin]), int(frame.close_ms[start]), number
            path = self._paths[place] = self._path(rows[begin:end], number, self._paths.get(place))
            out[start:end], states[start:end] = path.probabilities[start - begin :], path.states[start - begin :]
        return RegimeColumn(out, states, np.where(states < 0, -1, fits))

    def _path(self, rows: Array, number: int, known: _KnownPath | None) -> _KnownPath:
        """Where a filter is after each of these rows; it goes on where the rows that it knows end or differ."""
        model = self.model.fits[number].regime
        assert model is not None, "a fit of a regime"  # noqa: S101 - artifact.py reads no mixture
        count, before = 0, RegimeState()
        if known is not None:
            shared = min(len(rows), len(known.rows))
            same = _same_rows(rows[:shared], known.rows[:shared])
            count = shared if same.all() else int(np.argmin(same))
        if known is not None and count and known.states[count - 1] >= 0:
            at = count - 1
            before = RegimeState(tuple(known.probabilities[at].tolist()), int(known.states[at]), int(known.bars[at]))
        out, states = np.full((len(rows), len(STATES)), np.nan), np.full(len(rows), -1, np.int8)
        bars = np.zeros(len(rows), np.int64)
        if known is not None:
            out[:count], states[:count], bars[:count] = (x[:count] for x in known[1:])
        for t, row in enumerate(rows[count:].tolist(), count):
            before = regime.step(model, before, row)
            if before.posterior is not None:
                out[t], states[t], bars[t] = before
        return _KnownPath(rows.copy(), out, states, bars)


def predictions(model: Artifact, frame: FeatureFrame) -> PredictionColumn:
    """The column of a model of trees over all bars of a frame.

    Raises DataError for a frame of another timeframe, BadInput and StrategyError as its features do.
    """
    return ModelColumn(model).predictions(frame)


def fits_of(model: Artifact, frame: FeatureFrame) -> Rows:
    """The number of the fit that answers for each close, -1 before the first.

    Raises DataError for a frame of another timeframe, and for a fit that was trained on bars that it would answer for.
    """
    wanted = model.about["timeframe"]
    if frame.timeframe_ms != timeframe_ms(wanted):
        raise DataError(
            f"{model.text} predicts {wanted} bars, these are {timeframe_text(frame.timeframe_ms)}", "use its timeframe"
        )
    found = np.searchsorted([fit.from_ms for fit in model.fits], frame.close_ms, side="right") - 1
    ends = np.array([fit.train_end_ms for fit in model.fits])
    seen = (found >= 0) & (ends[found] >= frame.close_ms)
    if seen.any():
        at, fit = int(frame.close_ms[np.argmax(seen)]), model.fits[int(found[np.argmax(seen)])]
        raise DataError(f"{model.text}: a fit that ends at {utc(fit.train_end_ms)} would answer for {utc(at)}", "train it anew")
    return found


def _same_rows(one: Array, other: Array) -> npt.NDArray[np.bool_]:
    """Which rows have the same bits."""
    found: npt.NDArray[np.bool_] = (np.ascontiguousarray(one).view(np.int64) == np.ascontiguousarray(other).view(np.int64)).all(1)
    return found
