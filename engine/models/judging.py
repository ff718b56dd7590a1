"""What a model is good for beyond one figure: calibration, what its sides earn against costs, whether it keeps its reasons.

Called by the trainer. Turns labels and predictions of test rows, and the importance of each column fold by fold, into plain
numbers. Costs are the desk's own (venues/instruments.costs_of): taker fee and half-spread, twice a round trip.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.models.labels import SideOutcome
from engine.venues.instruments import Costs

BINS = 10
CONFIDENT = (0.5, 0.52, 0.55, 0.6, 0.65)  # of the side that is predicted
Array = npt.NDArray[np.float64]


class ReliabilityBin(NamedTuple):
    """Rows of similar predictions, and what came of them; both means in the label's unit."""

    rows: int
    predicted: float
    observed: float


class PaidSide(NamedTuple):
    """Rows whose side is predicted with at least `confidence`."""

    confidence: float
    rows: int
    recall: float  # share of all rows
    precision: float | None  # share of them on the right side
    needed: float | None  # the precision that pays the costs at their mean move; above 1: none does
    gross_bps: float | None  # a row earns, before costs
    net_bps: float | None


def reliability(labels: Array, predictions: Array) -> list[ReliabilityBin]:
    """The rows with both, in BINS of equally many by their prediction: a calibrated model observes what it predicts."""
    good = np.isfinite(labels) & np.isfinite(predictions)
    order = np.argsort(predictions[good], kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    own, said = labels[good], predictions[good]
    return [ReliabilityBin(len(part), float(said[part].mean()), float(own[part].mean())) for part in parts]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """The mean distance of observed and predicted, by rows; None without any."""
    rows = sum(one.rows for one in bins)
    return sum(one.rows * abs(one.observed - one.predicted) for one in bins) / rows if rows else None


def brier(labels: Array, predictions: Array) -> float | None:
    """The mean squared error of probabilities (Brier 1950); None without a row."""
    good = np.isfinite(labels) & np.isfinite(predictions)
    return float(((labels - predictions)[good] ** 2).mean()) if good.any() else None


def average_precision(labels: Array, predictions: Array) -> float | None:
    """Area under precision over recall of the label 1; None where there is none. Its chance level is the share of 1."""
    good = np.isfinite(labels) & np.isfinite(predictions)
    own = labels[good][np.argsort(-predictions[good], kind="stable")] > 0.5
    if not own.any():
        return None
    precision = np.cumsum(own) / np.arange(1, len(own) + 1)
    return float(precision[own].mean())


def round_trip_bps(costs: Costs) -> float:
    """What entering and leaving at the market costs, in bps of the notional, without impact."""
    return 2.0 * 1e4 * (costs.taker_frac + costs.half_spread_frac)


def paid_sides(lean: Array, outcome: SideOutcome, cost_bps: float) -> list[PaidSide]:
    """What the predicted side earns a row at each confidence. `lean`: P(up) - P(down); the confidence is how far it is above 0,
    halved and added to one half: of a direction the probability of the side.
    """
    good = np.isfinite(lean) & np.isfinite(outcome.buyer) & np.isfinite(outcome.seller)
    up = lean[good] > 0.0
    sure = 0.5 + 0.5 * np.abs(lean[good])
    earned = 1e4 * np.where(up, outcome.buyer[good], -outcome.seller[good])
    return [_paid(level, earned[sure >= level], len(up), cost_bps) for level in CONFIDENT]


def _paid(level: float, earned: Array, rows: int, cost_bps: float) -> PaidSide:
    if not len(earned):
        return PaidSide(level, 0, 0.0, None, None, None, None)
    size, gross = float(np.abs(earned).mean()), float(earned.mean())
    needed = 0.5 * (1.0 + cost_bps / size) if size > 0.0 else None
    return PaidSide(level, len(earned), len(earned) / rows, float((earned > 0.0).mean()), needed, gross, gross - cost_bps)


def importance(names: Sequence[str], gains: Sequence[Array]) -> dict[str, Any]:
    """Share of the gain of each column over all folds, highest first, and `drift`: the share that moves to other columns from a
    fold to the next, 0 to 1 (median and most). A model that splits on something else each time has no reasons.
    """
    shares = [gain / gain.sum() if gain.sum() > 0.0 else np.full(len(gain), math.nan) for gain in gains]
    moved = [0.5 * float(np.abs(after - one).sum()) for one, after in pairwise(shares)]
    moved = [share for share in moved if math.isfinite(share)]
    usable = [share for share in shares if np.isfinite(share).all()]
    mean = np.mean(usable, axis=0) if usable else np.zeros(len(names))
    order = np.argsort(-mean, kind="stable")
    listed = [{"feature": names[n], "share": float(mean[n])} for n in order.tolist()]
    median, most = (float(np.median(moved)), max(moved)) if moved else (None, None)
    return {"features": listed, "drift": {"median": median, "most": most}}
