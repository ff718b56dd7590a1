"""The fit of a regime model: EM by hmmlearn on the past of a fold, from a start that draws nothing.

Called by the trainer alone; whatever reads a fitted one (regime.py) loads neither hmmlearn nor scikit-learn. Turns rows of
observations into a RegimeModel.
"""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS
from engine.errors import DataError
from engine.models.regime import STATES, RegimeModel, as_json, model_of

K = len(STATES)
ROWS_MIN = 500  # 27 parameters and more are fitted
ROUNDS, TOLERANCE, COVARIANCE_MIN = 40, 1e-3, 1e-4
STAYS = 4  # a day is parted in this many: no change sooner after the last one, hence at most four a day
Array = npt.NDArray[np.float64]


def fit(rows: Array, timeframe_ms: int) -> RegimeModel:
    """Fit by EM (hmmlearn) on `rows` (n, d), each without a hole or skipped; the start is terciles of the first column, no draw.

    Mean and scale are of these rows alone. Raises DataError for too few rows, or rows that three states cannot be fitted to.
    """
    kept, lengths = _unbroken(rows)
    if len(kept) < ROWS_MIN:
        raise DataError(f"a regime model needs {ROWS_MIN} bars with all its columns, these are {len(kept)}")
    mean, scale = kept.mean(axis=0), kept.std(axis=0)
    if not (scale > 0.0).all():
        raise DataError("a column of the regime model does not move: its states cannot be fitted")
    scaled = (kept - mean) / scale
    hmm = _fitted(scaled, lengths)
    order = np.argsort(hmm.means_[:, 0], kind="stable")
    covariances = hmm.covars_[order]
    try:
        lower = [np.linalg.inv(np.linalg.cholesky(one)) for one in covariances]
    except np.linalg.LinAlgError as error:
        raise DataError("the covariance of a regime is singular: its columns move as one") from error
    made = RegimeModel(
        _floats(mean),
        _floats(scale),
        _floats(hmm.startprob_[order]),
        tuple(_floats(row) for row in hmm.transmat_[order][:, order]),
        tuple(_floats(row) for row in hmm.means_[order]),
        tuple(tuple(_floats(row) for row in np.tril(one)) for one in lower),
        tuple(float(np.log(np.diag(one)).sum()) for one in lower),
        max(1, DAY_MS // STAYS // timeframe_ms),
        bool(hmm.monitor_.converged),
    )
    return model_of(as_json(made))


def _fitted(scaled: Array, lengths: list[int]) -> Any:
    """EM from a start that draws nothing, on one thread of the linear algebra: the same bits in every process."""
    from hmmlearn.hmm import GaussianHMM
    from threadpoolctl import threadpool_limits

    logging.getLogger("hmmlearn.base").setLevel(logging.ERROR)  # not converged is said in the report
    edges = np.quantile(scaled[:, 0], [1 / 3, 2 / 3])
    third = np.digitize(scaled[:, 0], edges)
    hmm = GaussianHMM(
        K, covariance_type="full", n_iter=ROUNDS, tol=TOLERANCE, min_covar=COVARIANCE_MIN, init_params="", random_state=0
    )
    hmm.startprob_ = np.full(K, 1.0 / K)
    hmm.transmat_ = np.full((K, K), 0.02) + np.eye(K) * (1.0 - 0.02 * K)
    parts = [scaled[third == k] for k in range(K)]
    if min(len(part) for part in parts) <= 2 * scaled.shape[1]:
        raise DataError("the returns of the regime model take too few values: three states cannot be fitted")
    hmm.means_ = np.array([part.mean(axis=0) for part in parts])
    ridge = COVARIANCE_MIN * np.eye(scaled.shape[1])
    hmm.covars_ = np.array([np.cov(part, rowvar=False, bias=True) + ridge for part in parts])
    with threadpool_limits(1):
        try:
            return hmm.fit(scaled, lengths)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise DataError(f"the regime model cannot be fitted: {str(error)[:200]}") from error


def _unbroken(rows: Array) -> tuple[Array, list[int]]:
    """(rows without a hole, lengths of the runs that they form)."""
    good: Any = np.isfinite(rows).all(axis=1)
    begins = good & ~np.concatenate([[False], good[:-1]])
    run = np.cumsum(begins)[good]
    return rows[good], np.bincount(run)[1:].tolist() if len(run) else []


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(x) for x in values)
