"""Market regimes: a Gaussian hidden Markov model of three states, fitted on the past of a fold and filtered forward.

Called by the trainer and by column.py, for a backtest as for a live close: one path, in plain floats and a fixed order of
operations, so that a bar alone, a batch, a prefix and a restart from JSON give the same bits. hmmlearn is for the fit alone
(regime_fit.py): its own predictions read the whole sample (forward and backward), and its densities depend on the batch. States
are ordered by the mean of their first column, the return of a day: bear, sideways, bull.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, HOUR_MS
from engine.errors import DataError
from engine.features.calls import calls_of, matrix_of
from engine.features.frame import FeatureFrame

STATES = ("bear", "sideways", "bull")
K = len(STATES)
COLUMNS_MAX = 8
ENTER = 0.6  # filtered probability above which another state is taken up
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
TINY = 1e-300

Array = npt.NDArray[np.float64]
Row = Sequence[float]


class RegimeModel(NamedTuple):
    """Parameters of the states in the order of STATES, on rows scaled by `mean` and `scale`.

    `lower`: inverse of the Cholesky factor of each covariance (lower triangular), `log_det`: the sum of the logs of its diagonal.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    start: tuple[float, ...]
    moves: tuple[tuple[float, ...], ...]
    means: tuple[tuple[float, ...], ...]
    lower: tuple[tuple[tuple[float, ...], ...], ...]
    log_det: tuple[float, ...]
    stay_bars: int
    converged: bool


class RegimeState(NamedTuple):
    """After a bar: P(state | all bars so far), the state that holds with hysteresis (-1: none yet), bars since it began."""

    posterior: tuple[float, ...] | None = None
    state: int = -1
    bars: int = 0


class SmoothedForDrawing(NamedTuple):
    """P(state | all bars, later ones too), (n, 3). It has seen the future: for a chart, and for nothing that decides."""

    probabilities: Array


def observations(frame: FeatureFrame) -> Array:
    """What the states are seen in, (n, 3): return of a day, log volatility of 4 hours, return of 4 hours; NaN where missing."""
    return observed(matrix_of(frame, calls_of(observed_features(frame.timeframe_ms))))


def observed_features(bar_ms: int) -> tuple[str, str, str]:
    """The features that observations are made of, as a manifest lists them."""
    day, four_hours = max(DAY_MS // bar_ms, 1), max(2, 4 * HOUR_MS // bar_ms)
    return f"returns({day})", f"realised_vol({four_hours})", f"returns({four_hours})"


def observed(rows: Array) -> Array:
    """Those features, (n, 3), as observations: of the volatility the logarithm."""
    out = rows.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:, 1] = np.log(rows[:, 1])
    return out


def step(model: RegimeModel, before: RegimeState, row: Row) -> RegimeState:
    """The state after one more bar. A row with a hole moves the probabilities by the transitions alone; before the first row
    without one nothing is known."""
    prior = before.posterior
    if any(not math.isfinite(x) for x in row):
        if prior is None:
            return before
        return _with_hysteresis(model, before, _moved(model, prior))
    chances = model.start if prior is None else _moved(model, prior)
    densities = _log_densities(model, row)
    top = max(densities)
    weights = [chances[k] * math.exp(densities[k] - top) for k in range(K)]
    total = weights[0] + weights[1] + weights[2]
    if total < TINY:  # the only likely state was thought impossible: the transitions decide less than the row
        weights = [(chances[k] + TINY) * math.exp(densities[k] - top) for k in range(K)]
        total = weights[0] + weights[1] + weights[2]
    return _with_hysteresis(model, before, (weights[0] / total, weights[1] / total, weights[2] / total))


def _moved(model: RegimeModel, prior: Sequence[float]) -> tuple[float, ...]:
    a = model.moves
    return tuple(prior[0] * a[0][j] + prior[1] * a[1][j] + prior[2] * a[2][j] for j in range(K))


def _log_densities(model: RegimeModel, row: Row) -> list[float]:
    """Log density of a row under each state: loops, since the bits of a dot product depend on the batch."""
    d = len(model.mean)
    x = [(row[i] - model.mean[i]) / model.scale[i] for i in range(d)]
    out = []
    for k in range(K):
        off, factor, square = [x[i] - model.means[k][i] for i in range(d)], model.lower[k], 0.0
        for i in range(d):
            line, y = factor[i], 0.0
            for j in range(i + 1):
                y += line[j] * off[j]
            square += y * y
        out.append(model.log_det[k] - 0.5 * square - d * HALF_LOG_2PI)
    return out


def _with_hysteresis(model: RegimeModel, before: RegimeState, posterior: tuple[float, ...]) -> RegimeState:
    """Another state is taken up when its probability passes ENTER, and not within `stay_bars` of the last change."""
    likely = max(range(K), key=posterior.__getitem__)
    if before.state < 0:
        return RegimeState(posterior, likely, 1)
    changes = likely != before.state and posterior[likely] > ENTER and before.bars >= model.stay_bars
    return RegimeState(posterior, likely, 1) if changes else RegimeState(posterior, before.state, before.bars + 1)


def filtered(
    model: RegimeModel, rows: Array, before: RegimeState = RegimeState()
) -> tuple[Array, npt.NDArray[np.int8], RegimeState]:
    """(P(state | bars so far) (n, 3), state with hysteresis (n,), where it ends) of many bars: `step` one after the other.

    NaN and -1 before the first row without a hole.
    """
    out, states = np.full((len(rows), K), np.nan), np.full(len(rows), -1, dtype=np.int8)
    for t, row in enumerate(rows.tolist()):
        before = step(model, before, row)
        if before.posterior is not None:
            out[t], states[t] = before.posterior, before.state
    return out, states, before


def smoothed_for_drawing(model: RegimeModel, rows: Array) -> SmoothedForDrawing:
    """The path as it looks from the end, to be drawn for people and marked so: every value has seen later bars."""
    forward = filtered(model, rows)[0]
    out = forward.copy()
    moves = np.asarray(model.moves)
    for t in range(len(rows) - 2, -1, -1):
        if np.isfinite(forward[t]).all():
            expected = forward[t] @ moves
            out[t] = forward[t] * (moves @ (out[t + 1] / np.maximum(expected, TINY)))
    return SmoothedForDrawing(out)


def changes_a_day(states: npt.NDArray[np.int8], timeframe_ms: int) -> float:
    """Mean number of changes of state in a day of bars."""
    kept = states[states >= 0]
    return float((np.diff(kept) != 0).sum()) / max(len(kept) * timeframe_ms / DAY_MS, 1e-9)


def as_json(model: RegimeModel) -> dict[str, Any]:
    """The model as JSON values; `model_of` gives it back bit for bit."""
    return {"states": list(STATES), "order": "by the mean of the first column, ascending", **model._asdict()}


def model_of(value: Any, where: str = "regime.json") -> RegimeModel:
    """The model of a file. Raises DataError, with what and where, for anything that is not one."""
    if not isinstance(value, Mapping) or list(value.get("states") or ()) != list(STATES):
        raise DataError(f"{where} holds no regime model of {', '.join(STATES)}")
    mean = _line(value.get("mean"), None, f"{where}: mean")
    d = len(mean)
    stay = value.get("stay_bars")
    if isinstance(stay, bool) or not isinstance(stay, int) or not 1 <= stay <= 100_000:
        raise DataError(f"{where}: stay_bars = {str(stay)[:20]!r} is out of bounds", "1 to 100,000")
    found = RegimeModel(
        mean,
        _line(value.get("scale"), d, f"{where}: scale"),
        _line(value.get("start"), K, f"{where}: start"),
        tuple(_line(row, K, f"{where}: moves") for row in _table(value.get("moves"), K, f"{where}: moves")),
        tuple(_line(row, d, f"{where}: means") for row in _table(value.get("means"), K, f"{where}: means")),
        tuple(
            tuple(_line(row, d, f"{where}: lower") for row in _table(one, d, f"{where}: lower"))
            for one in _table(value.get("lower"), K, f"{where}: lower")
        ),
        _line(value.get("log_det"), K, f"{where}: log_det"),
        stay,
        value.get("converged") is True,
    )
    chances = (found.start, *found.moves)
    if any(min(row) < 0.0 or abs(sum(row) - 1.0) > 1e-6 for row in chances):
        raise DataError(f"{where}: probabilities do not add up to 1")
    if min(found.scale) <= 0.0 or any(one[i][i] <= 0.0 for one in found.lower for i in range(d)):
        raise DataError(f"{where}: a scale is not above 0")
    return found


def _table(value: Any, rows: int, what: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) != rows:
        raise DataError(f"{what} is not a list of {rows}")
    return value


def _line(value: Any, count: int | None, what: str) -> tuple[float, ...]:
    """Finite numbers, `count` of them (None: 1 to COLUMNS_MAX)."""
    if not isinstance(value, list | tuple) or not (len(value) == count if count is not None else 1 <= len(value) <= COLUMNS_MAX):
        raise DataError(f"{what} is not a list of {count or f'1 to {COLUMNS_MAX}'} numbers")
    if any(isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x) for x in value):
        raise DataError(f"{what} holds something that is not a finite number")
    return tuple(float(x) for x in value)


def state_json(state: RegimeState) -> dict[str, Any]:
    """What a restart needs."""
    return state._asdict()


def state_of(value: Any, where: str = "state") -> RegimeState:
    """The state of a file or an event. Raises DataError for anything that is not one."""
    if not isinstance(value, Mapping) or set(value) != set(RegimeState._fields):
        raise DataError(f"{where} holds no state of a regime model")
    state, bars = value["state"], value["bars"]
    if any(isinstance(x, bool) or not isinstance(x, int) for x in (state, bars)) or not -1 <= state < K or not 0 <= bars < 2**53:
        raise DataError(f"{where}: state or bars is out of bounds")
    posterior = value["posterior"]
    return RegimeState(None if posterior is None else _line(posterior, K, f"{where}: posterior"), state, bars)
