"""What a model of three classes was worth: the same report as of any other, with the likeliest class in place of a number.

Called by training_report.py. Turns the chances of each class at the test rows into classes, and into figures of each class.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.models import judging, scores
from engine.models.out_of_sample import Walked, WalkedFold
from engine.models.recipe import PreparedRows

Array = npt.NDArray[np.float64]


def by_class(walked: Walked, rows: PreparedRows) -> Walked:
    """Predictions are the likeliest class, and `before` is the most frequent one of the training rows."""
    classes = np.array(rows.label.classes)
    said, before, folds = np.full(len(rows.close_ms), np.nan), np.full(len(rows.close_ms), np.nan), []
    for one in walked.folds:
        most = float(classes[np.argmax(shares_of(one, rows))])
        of_training, of_test = (_likeliest(part, classes) for part in (one.chances_of_training, one.chances_of_test))
        folds.append(one._replace(of_training=of_training, of_test=of_test, before=most))
        said[one.fold.test], before[one.fold.test] = of_test, most
    return Walked(said, before, tuple(folds))


def shares_of(one: WalkedFold, rows: PreparedRows) -> Array:
    """(3,) how often each class is among the training rows of a fold."""
    labels = rows.label.values[one.fold.train]
    labels = labels[np.isfinite(labels)]
    return np.array([(labels == own).mean() for own in rows.label.classes])


def classes_of(walked: Walked, rows: PreparedRows) -> dict[str, Any]:
    """`{matthews, brier, brier_of_base_rate, right_side, classes: [...]}` of the test rows; of each class how often it is, its
    mean chance, and precision and recall where it is the likeliest.
    """
    chances, base = (np.full((len(rows.close_ms), len(rows.label.classes)), np.nan) for _ in range(2))
    for one in walked.folds:
        assert one.chances_of_test is not None, "a label of classes"  # noqa: S101 - by_class and this are called for those alone
        chances[one.fold.test], base[one.fold.test] = one.chances_of_test, shares_of(one, rows)
    labels, own = rows.label.values, by_class(walked, rows)
    good = np.isfinite(labels) & np.isfinite(own.predictions)
    correlation = scores.score(scores.matthews_of_classes, labels, own.predictions, own.before, own.tests)
    listed = []
    for at, name in enumerate(rows.label.classes):
        true, said = np.where(good, labels == name, np.nan), own.predictions[good] == name
        bins = judging.reliability(true, chances[:, at])
        listed.append(
            {
                "class": name,
                "share": float(true[good].mean()),
                "chance": float(chances[good, at].mean()),
                "precision": float(true[good][said].mean()) if said.any() else None,
                "recall": float(said[true[good] > 0.5].mean()) if (true[good] > 0.5).any() else None,
                "average_precision": judging.average_precision(true, chances[:, at]),
                "calibration_error": judging.calibration_error(bins),
                "reliability": [found._asdict() for found in bins],
            }
        )
    return {
        "matthews": correlation._asdict(),
        "brier": _brier(labels[good], chances[good], rows.label.classes),
        "brier_of_base_rate": _brier(labels[good], base[good], rows.label.classes),
        "right_side": right_side(labels, walked.predictions),
        "classes": listed,
    }


def right_side(labels: Array, lean: Array) -> float | None:
    """Of the rows that touched a barrier, the share whose barrier was the likelier of the two; None without one."""
    touched = np.isfinite(labels) & np.isfinite(lean) & (labels != 0.0)
    return float(((lean > 0.0) == (labels > 0.0))[touched].mean()) if touched.any() else None


def class_lines(found: Mapping[str, Any]) -> list[str]:
    """A line a class, for a terminal."""

    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    return [
        f"class {one['class']:g}: {shown(one['share'])} of the rows, chance {shown(one['chance'])}, precision "
        f"{shown(one['precision'])}, recall {shown(one['recall'])}, {shown(one['calibration_error'])} from calibrated"
        for one in found.get("classes", ())
    ]


def _likeliest(chances: Array | None, classes: Array) -> Array:
    """(n,) NaN where there are no chances."""
    assert chances is not None, "a label of classes"  # noqa: S101 - as above
    known = np.isfinite(chances).all(axis=1)
    out = np.full(len(chances), np.nan)
    out[known] = classes[np.argmax(chances[known], axis=1)]
    return out


def _brier(labels: Array, chances: Array, classes: tuple[float, ...]) -> float | None:
    """Squared errors of all classes, summed (Brier 1950)."""
    if not len(labels):
        return None
    return float(((chances - (labels[:, None] == np.array(classes))) ** 2).sum(axis=1).mean())
