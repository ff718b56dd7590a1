"""Heads of a learner on what became of resting orders: the chance of a fill, adverse selection, and the edge after a fill.

Called by app/cli/l2_train.py, after feasibility. Rows, folds, fits, figures and gates are those of the models of bars
(engine/models): one row an order, buys and sells alike, features signed so that more is in the order's favour. Beside each head
are a constant, the one feature that says most on the training rows, the outcome itself as a column, which has to be found, and
labels of another time, which must not be.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.clock import utc
from engine.errors import BadInput, DataError
from engine.l2.features import FeatureColumn
from engine.l2.outcomes import RestingOrders
from engine.l2.tape import Floats, Ints
from engine.models import gates, judging, lgbm, scores
from engine.models.folds import PurgedFold, audit_rows, walk_forward
from engine.models.labels import BarLabel
from engine.models.leak_check import Leak, LeakCheck
from engine.models.out_of_sample import TRAIN_ROWS_MIN, Walked, walk
from engine.models.scores import Score

HEADS: Mapping[str, tuple[str, str]] = {  # name -> objective, unit
    "filled": ("binary", "1 or 0"),
    "adverse": ("binary", "1 or 0, of filled orders"),
    "edge": ("regression", "bps, of filled orders"),
}
SIDED = ("imbalance", "depth_imbalance", "microprice", "order_flow", "flow", "flow_ratio", "momentum")  # a sell sees minus them
FOLDS, ABOVE_MIN = 5, 4
TRAIN_PART = 0.5  # of the recorded time; the rest are the tests of five folds
ROWS_MAX = 4_000_000  # orders: 600 MB
FIGURE = "R2"  # of a chance the Brier skill: what of the constant's squared error is gone
FOUND_MIN = 0.5  # of the outcome itself among the columns
DAY_MS = 86_400_000
SETTINGS = lgbm.settings_of({"min_data_in_leaf": 40}, "heads")


class OrderRows(NamedTuple):
    """A row an order, in the order laid: the buy and the sell of one moment beside each other."""

    names: tuple[str, ...]
    columns: Floats  # (orders, features), NaN where missing
    placed_ms: Ints
    known_ms: Ints  # when the last of its labels is known, rounded up
    labels: Mapping[str, Floats]


class JudgedHead(NamedTuple):
    """One head out of sample."""

    name: str
    test: Score
    training: float
    baselines: dict[str, Score]
    better: dict[str, Score]
    oracle: Score
    shuffled: Score  # over the constant, by labels of another time
    folds: list[dict[str, Any]]
    importance: dict[str, Any]
    calibration_error: float | None
    ablation: list[dict[str, Any]]
    found: tuple[gates.Gate, ...]
    walked: Walked


class PrefixCheck(LeakCheck):
    """Rows and fits again from a tape that was cut at one time."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The verdict, then its power."""
        verdict = f"LOOK-AHEAD: {', '.join(leak.what for leak in self.leaks[:3])}" if self.leaks else "no leak found"
        return f"{verdict} (the tape cut at {utc(self.cuts_ms[0])}: {self.columns} columns, {self.models} models compared)"


def order_rows(
    columns: Sequence[FeatureColumn], usable: "np.ndarray", orders: RestingOrders, horizon: int, known_after_ms: int
) -> OrderRows:
    """Rows of a tape: features at each moment with a usable book, beside labels_of of the same moments; `horizon`: its column.

    Each label counts as known `known_after_ms` after the order was laid, life and horizon, also where it was filled at once: else
    the last training rows would be those alone that were filled early.
    """
    values = np.stack([column.values[usable] for column in columns], axis=1)
    names = tuple(column.name for column in columns)
    signs = np.array([-1.0 if name.partition("(")[0] in SIDED else 1.0 for name in names])
    sides = np.stack([values, values * signs], axis=1).reshape(-1, len(names))
    move = orders.move_bps[:, horizon]
    labels = {"filled": orders.filled, "adverse": np.where(np.isnan(move), np.nan, (move < 0.0).astype(np.float64)), "edge": move}
    placed_ms = orders.placed_ns // 1_000_000
    return OrderRows(names, sides, placed_ms, placed_ms + known_after_ms, labels)


def joined_rows(tapes: Sequence[OrderRows]) -> OrderRows:
    """Tapes that follow each other as one. Raises BadInput for more rows than memory takes, and for tapes that overlap."""
    count = sum(len(one.placed_ms) for one in tapes)
    if not 0 < count <= ROWS_MAX:
        raise BadInput(f"{count:,} orders", f"1 to {ROWS_MAX:,}: take a longer --every, or fewer days")
    placed = np.concatenate([one.placed_ms for one in tapes])
    if (np.diff(placed) < 0).any():
        raise BadInput("two tapes of the same time", "name a folder whose tapes follow each other")
    labels = {name: np.concatenate([one.labels[name] for one in tapes]) for name in HEADS}
    columns = np.concatenate([one.columns for one in tapes])
    return OrderRows(tapes[0].names, columns, placed, np.concatenate([one.known_ms for one in tapes]), labels)


def folds_of(rows: OrderRows, every_ms: int, embargo_ms: int) -> tuple[list[PurgedFold], str]:
    """(five folds of orders, their audit), by recorded time: hours between two tapes take none.

    Raises BadInput for a tape that is too short.
    """
    placed, known = rows.placed_ms[::2], np.maximum(rows.known_ms[::2], rows.known_ms[1::2])
    away = np.minimum(np.diff(placed, prepend=placed[:1]), int((known - placed).max()) + embargo_ms + every_ms)
    close = np.cumsum(away)
    known = close + (known - placed)
    span = int(close[-1]) + every_ms
    test_ms = int(span * (1.0 - TRAIN_PART)) // FOLDS
    train_ms = span - FOLDS * test_ms - embargo_ms
    if train_ms < test_ms or train_ms < 2 * int((known - close).max()):
        what = f"{span / 1000:,.0f} s of orders are too short for their labels"
        raise BadInput(what, "record for longer, or take a shorter --life")
    days = {"train_days": train_ms / DAY_MS, "test_days": test_ms / DAY_MS, "step_days": test_ms / DAY_MS}
    found = [fold for fold in walk_forward(close, known, **days, embargo_ms=embargo_ms) if not fold.short][:FOLDS]
    audit = audit_rows(found, close, known)
    return [fold._replace(train=_both(fold.train), test=_both(fold.test)) for fold in found], audit


def _both(moments: Ints) -> Ints:
    """The rows of the buy and the sell of each moment."""
    return np.stack([2 * moments, 2 * moments + 1], axis=1).reshape(-1)


def judge(name: str, rows: OrderRows, folds: Sequence[PurgedFold], leaks: LeakCheck | None, *, ablate: bool = True) -> JudgedHead:
    """One head through the folds, its controls beside. Raises DataError where a fold has too few labelled rows."""
    objective, unit = HEADS[name]
    label = BarLabel(rows.labels[name], rows.known_ms, unit)

    def walked(columns: Floats, own: BarLabel = label) -> Walked:
        return walk(columns, own, folds, objective, SETTINGS)

    def scored(said: Walked, own: BarLabel = label) -> Score:
        return scores.score(scores.r_squared, own.values, said.predictions, said.before, said.tests)

    main = walked(rows.columns)
    rivals = {"constant": main.before, "one feature": one_feature(rows, label, folds, chance=objective == "binary")}
    compared = {
        key: scores.better_by(scores.r_squared, label.values, main.predictions, other, main.before, main.tests)
        for key, other in rivals.items()
    }
    alone = {key: scores.score(scores.r_squared, label.values, v, main.before, main.tests) for key, v in rivals.items()}
    test = scored(main)
    training = training_figure(label, main)
    elsewhere = label._replace(values=np.roll(label.values, len(label.values) // 4 * 2))
    without = []
    for k, column in enumerate(rows.names if ablate and len(rows.names) > 1 else ()):
        left = scored(walked(np.delete(rows.columns, k, axis=1))).value
        without.append({"without": column, "test": left, "adds": test.value - left})
    return JudgedHead(
        name, test, training, alone, compared,
        oracle=scored(walked(np.column_stack([rows.columns, label.values]))),
        shuffled=scored(walked(rows.columns, elsewhere), elsewhere),
        folds=fold_rows(label, main, rivals["one feature"]),
        importance=judging.importance(rows.names, [fold.model.gain for fold in main.folds]),
        calibration_error=judging.calibration_error(judging.reliability(label.values, main.predictions)),
        ablation=without,
        found=gates.gates_of(FIGURE, test, training, compared, leaks),
        walked=main,
    )  # fmt: skip


def one_feature(rows: OrderRows, label: BarLabel, folds: Sequence[PurgedFold], *, chance: bool) -> Floats:
    """What a straight line through one feature says of each test row: the feature whose line errs least on the training rows."""
    out = np.full(len(label.values), np.nan)
    for fold in folds:
        train = fold.train[np.isfinite(label.values[fold.train])]
        y = label.values[train]
        lines = [line_of(rows.columns[train, k], y) for k in range(len(rows.names))]
        best = int(np.argmin([error for error, *_ in lines]))
        _, mean, slope, level = lines[best]
        x = rows.columns[fold.test, best]
        said = level + slope * np.where(np.isfinite(x), x - mean, 0.0)
        out[fold.test] = np.clip(said, 0.0, 1.0) if chance else said
    return out


def line_of(x: Floats, y: Floats) -> tuple[float, float, float, float]:
    """(squared error, mean of x, slope, mean of y) of the line of least squares; a missing x is the mean."""
    good = np.isfinite(x)
    level = float(y.mean())
    if good.sum() < TRAIN_ROWS_MIN or x[good].min() == x[good].max():
        return float(((y - level) ** 2).sum()), 0.0, 0.0, level
    mean = float(x[good].mean())
    away = np.where(good, x - mean, 0.0)
    slope = float((away * (y - level)).sum() / (away * away).sum())
    return float(((y - level - slope * away) ** 2).sum()), mean, slope, level


def training_figure(label: BarLabel, walked: Walked) -> float:
    """The figure over the training rows of all folds."""
    labels = np.concatenate([label.values[one.fold.train] for one in walked.folds])
    said = np.concatenate([one.of_training for one in walked.folds])
    before = np.concatenate([np.full(len(f.fold.train), f.before) for f in walked.folds])
    good = np.isfinite(labels) & np.isfinite(said)
    return scores.r_squared(labels[good], said[good], before[good])


def fold_rows(label: BarLabel, walked: Walked, plain: Floats) -> list[dict[str, Any]]:
    """A row a fold."""
    found = []
    for number, one in enumerate(walked.folds, 1):
        test = one.fold.test
        figures = {"test": one.of_test, "one_feature": plain[test]}
        good = np.isfinite(label.values[test])
        row: dict[str, Any] = {"fold": number, "train_rows": len(one.fold.train), "test_rows": int(good.sum())}
        for key, said in figures.items():
            row[key] = scores.r_squared(label.values[test][good], said[good], np.full(int(good.sum()), one.before))
        found.append(row)
    return found


def taken(rows: OrderRows, edge: JudgedHead, floor_bps: float) -> list[dict[str, Any]]:
    """What each fold's orders earn after fees where more than the fees is predicted: orders that were filled, and bps of one."""
    found = []
    for number, fold in enumerate(edge.walked.folds, 1):
        test = fold.fold.test
        earned = rows.labels["edge"][test][fold.of_test > floor_bps] - floor_bps
        earned = earned[np.isfinite(earned)]
        found.append({"fold": number, "orders": len(earned), "net_bps": float(earned.mean()) if len(earned) else None})
    return found


def verdict_of(heads: Sequence[JudgedHead], paid: Sequence[Mapping[str, Any]], feasible: tuple[str, str]) -> tuple[str, str]:
    """(yes | no | not enough tape, one sentence): whether the method finds the outcome, feasibility, then gates and fees."""
    deaf = [head.name for head in heads if not head.oracle.value >= FOUND_MIN]
    if deaf:
        return "not enough tape", f"the outcome itself among the columns is not found by {', '.join(deaf)}"
    fooled = [head.name for head in heads if head.shuffled.low > 0.0]
    if fooled:
        return "no", f"labels of another time are predicted, too, by {', '.join(fooled)}: the figures are of the method"
    above = sum(one["net_bps"] is not None and one["net_bps"] > 0.0 for one in paid)
    stopped = [
        f"{head.name} ({', '.join(g.name for g in gates.failed(head.found))})" for head in heads if gates.failed(head.found)
    ]
    money = f"orders that the edge head takes earn after fees in {above} of {len(paid)} folds"
    if feasible[0] != "yes":
        return feasible[0], f"feasibility: {feasible[1]}; {money}"
    if stopped or above < ABOVE_MIN:
        return "no", "; ".join([f"gates failed: {', '.join(stopped)}"] * bool(stopped) + [money])
    return "yes", f"every gate passed; {money}"


def prefix_check(whole: OrderRows, prefix: OrderRows, folds: Sequence[PurgedFold], cut_ms: int) -> LeakCheck:
    """Rows and a fit again from a tape that ends at `cut_ms`: each column, and the model of the last fold that was over by then.

    Raises DataError where the cut leaves no fold.
    """
    count = len(prefix.placed_ms)
    names = ["what was laid"] * (not np.array_equal(whole.placed_ms[:count], prefix.placed_ms))
    for k, name in enumerate(whole.names):
        if not np.array_equal(whole.columns[:count, k], prefix.columns[:, k], equal_nan=True):
            names.append(f"column {name}")
    over = [fold for fold in folds if int(whole.placed_ms[fold.test[0]]) <= cut_ms and fold.test[0] < count]
    if not over:
        raise DataError("no fold is over at the cut", "record for longer")
    quick = {**SETTINGS, "rounds": 10}
    for name, (objective, unit) in HEADS.items():
        texts = []
        for rows in (whole, prefix):
            label, fold = BarLabel(rows.labels[name], rows.known_ms, unit), over[-1]
            texts.append(walk(rows.columns, label, [fold._replace(test=fold.test[:1])], objective, quick).folds[0].model.text)
        names += [f"model {name}"] * (texts[0] != texts[1])
    leaks = tuple(Leak(name, cut_ms, cut_ms) for name in names)
    return PrefixCheck(leaks, (cut_ms,), len(whole.names), len(HEADS))
