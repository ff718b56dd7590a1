"""What a trained model was worth out of sample, as plain numbers: figures, baselines, folds, gates, and one line that judges.

Called by train.py. Every figure is of test rows alone, each predicted by a model that was fitted before it; what is said of
training rows is named so. The same figures are stored with the model (metrics.json), printed and shown.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.features.frame import FeatureFrame
from engine.models import baselines, gates, judging, out_of_sample, scores
from engine.models.class_report import by_class, classes_of
from engine.models.folds import audit_rows
from engine.models.labels import SIDED, outcome_of, parts_of
from engine.models.leak_check import LeakCheck
from engine.models.out_of_sample import Walked
from engine.models.recipe import PreparedRows, TrainRecipe, labelled_bars
from engine.models.scores import Figure
from engine.models.side_trades import THRESHOLD, SideTrades, side_trades
from engine.venues.instruments import Costs

FIGURES: Mapping[str, tuple[str, Figure]] = {
    "return": ("R2", scores.r_squared),
    "log_vol": ("R2", scores.r_squared),
    "portfolio_vol": ("R2", scores.r_squared),
    "direction": ("accuracy", scores.accuracy),
    "triple_barrier": ("accuracy", scores.same_class),
}
VOLATILITIES = ("log_vol", "portfolio_vol")
COLUMNS = ("fold", "test_from", "test_to", "train_rows", "test_rows", "training", "test", "baseline")
Array = npt.NDArray[np.float64]


class JudgedTraining(NamedTuple):
    """What the figures are of."""

    recipe: TrainRecipe
    rows: PreparedRows
    walked: Walked
    frame: FeatureFrame
    leaks: LeakCheck | None
    costs: Costs | None  # None: the desk knows none of this instrument
    threshold: float = THRESHOLD  # from which a side is traded


def report_of(one: JudgedTraining) -> dict[str, Any]:
    """All of it. NaN is None in it."""
    kind, _ = parts_of(one.recipe.target)
    name, figure = FIGURES[kind]
    own = one._replace(walked=by_class(one.walked, one.rows)) if one.rows.label.classes else one
    labels, walked = own.rows.label.values, own.walked
    rivals = baselines_of(own, kind)
    test = scores.score(figure, labels, walked.predictions, walked.before, walked.tests)
    alone = {key: scores.score(figure, labels, other, walked.before, walked.tests) for key, other in rivals.items()}
    better = {
        key: scores.better_by(figure, labels, walked.predictions, other, walked.before, walked.tests)
        for key, other in rivals.items()
    }
    training = training_figure(own, figure)
    good_for = {
        **calibration_of(one),
        **(classes_of(one.walked, one.rows) if one.rows.label.classes else {}),
        **(chances_of(one) if kind == "direction" else {}),
        **(level_of(one) if kind in VOLATILITIES else {}),
    }
    trades = trades_of(one, kind) if kind in SIDED else None
    right = good_for["right_side"] if kind == "triple_barrier" else test.value if kind == "direction" else None
    found = gates.gates_of(name, test, training, better, one.leaks, right=right, trades=trades)
    hardest = max(alone, key=lambda key: alone[key].value if math.isfinite(alone[key].value) else -math.inf)
    report = {
        "figure": name,
        "test": test._asdict(),
        "training": training,
        "gap_points": 100.0 * (training - test.value),
        "baselines": {key: {**alone[key]._asdict(), "better_by": better[key]._asdict()} for key in rivals},
        "hardest_baseline": hardest,
        "audit": audit_rows(one.rows.folds, one.rows.close_ms, one.rows.label.known_ms),
        "leak_check": None if one.leaks is None else one.leaks.as_json(),
        "folds": {"columns": list(COLUMNS), "rows": fold_rows(own, figure, rivals[hardest])},
        "importance": judging.importance(one.recipe.features, [fold.model.gain for fold in walked.folds]),
        "settings": [dict(fold.settings) for fold in walked.folds] if one.recipe.search else dict(one.recipe.settings),
        **good_for,
        **(sides_of(one, kind) if kind in SIDED else {}),
        **({} if trades is None else {"trades": trades.as_json()}),
        **gates.as_json(found),
    }
    return _ready(report)


def baselines_of(one: JudgedTraining, kind: str) -> dict[str, Array]:
    """Name -> its prediction of every test row, fitted on the training rows of the fold where it is fitted at all."""
    label, walked, close_ms = one.rows.label, one.walked, one.rows.close_ms
    last = baselines.last_known(label.values, close_ms, label.known_ms)
    found = {"base rate": walked.before}
    if kind == "return":
        found["zero"] = baselines.zero(label.values, len(close_ms))
    if kind in ("direction", "triple_barrier"):
        found["last known"] = last
    if kind in VOLATILITIES:
        found["last known"] = last
        bars = labelled_bars(one.recipe, one.frame)
        found["HAR"] = out_of_sample.har(bars, label, [fold.fold for fold in walked.folds])
    return found


def training_figure(one: JudgedTraining, figure: Figure) -> float:
    """The figure over the training rows of all folds, of models that were fitted to them."""
    parts = [(one.rows.label.values[fold.fold.train], fold.of_training, fold.before) for fold in one.walked.folds]
    labels, said = (np.concatenate([part[n] for part in parts]) for n in (0, 1))
    before = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    good = np.isfinite(labels) & np.isfinite(said)
    return figure(labels[good], said[good], before[good])


def fold_rows(one: JudgedTraining, figure: Figure, baseline: Array) -> list[list[Any]]:
    """A row a fold, by COLUMNS; the baseline is the hardest one."""
    found = []
    for number, fold in enumerate(one.walked.folds, 1):
        train, test = fold.fold.train, fold.fold.test
        figures = [
            _figure(figure, one.rows.label.values[train], fold.of_training, fold.before),
            _figure(figure, one.rows.label.values[test], fold.of_test, fold.before),
            _figure(figure, one.rows.label.values[test], baseline[test], fold.before),
        ]
        ends = [utc(int(one.rows.close_ms[row])) for row in (test[0], test[-1])]
        found.append([number, *ends, len(train), len(test), *figures])
    return found


def _figure(figure: Figure, labels: Array, predictions: Array, before: float) -> float:
    good = np.isfinite(labels) & np.isfinite(predictions)
    return figure(labels[good], predictions[good], np.full(int(good.sum()), before)) if good.any() else math.nan


def calibration_of(one: JudgedTraining) -> dict[str, Any]:
    """Reliability in ten bins, and how far observed and predicted are apart."""
    bins = judging.reliability(one.rows.label.values, one.walked.predictions)
    return {"reliability": [found._asdict() for found in bins], "calibration_error": judging.calibration_error(bins)}


def chances_of(one: JudgedTraining) -> dict[str, Any]:
    """Of a direction: correlation and probabilities."""
    labels, walked = one.rows.label.values, one.walked
    return {
        "matthews": scores.score(scores.matthews, labels, walked.predictions, walked.before, walked.tests)._asdict(),
        "brier": judging.brier(labels, walked.predictions),
        "brier_of_base_rate": judging.brier(labels, walked.before),
        "average_precision": judging.average_precision(labels, walked.predictions),
    }


def sides_of(one: JudgedTraining, kind: str) -> dict[str, Any]:
    """What each row's side earns against the desk's costs, from several confidences on."""
    cost = None if one.costs is None else judging.round_trip_bps(one.costs)
    if kind == "return" or cost is None:
        return {"round_trip_bps": cost, "sides": []}
    sides = judging.paid_sides(lean_of(one, kind), outcome_of(one.recipe.target, one.frame), cost)
    return {"round_trip_bps": cost, "sides": [side._asdict() for side in sides]}


def trades_of(one: JudgedTraining, kind: str) -> SideTrades:
    """The trades of a model's sides: from the stated threshold on; of a return where more than the costs is predicted."""
    cost = None if one.costs is None else judging.round_trip_bps(one.costs)
    lean, threshold = lean_of(one, kind), one.threshold
    rule = f"where P(up) and P(down) are at least {threshold:g} apart"
    if kind == "return":
        threshold = 1e-4 * (cost or 0.0)
        rule = f"where at least the costs of {cost or 0.0:.1f} bps are predicted"
    times = one.rows.close_ms, one.rows.label.known_ms
    return side_trades(lean, threshold, rule, outcome_of(one.recipe.target, one.frame), times, one.walked.tests, cost)


def lean_of(one: JudgedTraining, kind: str) -> Array:
    """P(up) - P(down) at each row; of a return the return."""
    said = one.walked.predictions
    return 2.0 * said - 1.0 if kind == "direction" else said


def level_of(one: JudgedTraining) -> dict[str, Any]:
    """Of a volatility: how often it is above or below the last known one, as predicted."""
    label, walked = one.rows.label, one.walked
    last = baselines.last_known(label.values, one.rows.close_ms, label.known_ms)
    found = scores.score(scores.side_of_level, label.values, walked.predictions, last, walked.tests)
    return {"up_or_down": found._asdict()}


def line_of(report: Mapping[str, Any]) -> str:
    """The figure with its interval, the hardest baseline beside it, and the verdict of the gates."""
    test, hardest = report["test"], report["hardest_baseline"]
    other = report["baselines"][hardest]
    own = f"{report['figure']} {_number(test['value'])} ({_number(test['low'])} to {_number(test['high'])})"
    return f"{own} on {test['rows']:,} rows, {hardest} {_number(other['value'])}. {report['text']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _ready(value: Any) -> Any:
    """JSON values: what is undefined is None."""
    if isinstance(value, Mapping):
        return {str(key): _ready(own) for key, own in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_ready(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
