"""What a shadow is worth so far: its loss against the outcomes that are known by now, beside the champion and the baselines.

Called by the command line. Turns the predictions that were recorded, and the labels of the bars since, into mean losses and the
interval of their difference by draws of whole days. Baselines are fitted on the bars before the shadow began.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, utc
from engine.data.catalog import Catalog
from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.models import baselines, scores
from engine.models.folds import PurgedFold
from engine.models.labels import BarLabel, label_of, parts_of
from engine.models.out_of_sample import har
from engine.models.scores import Score
from engine.watch.model_shadows import ModelShadow, frame_between, rows_of
from engine.watch.window import journal_of, mark_at

PAST_DAYS = 60  # before a shadow began, which baselines are fitted to
DAYS_MIN = 20  # UTC days with outcomes
LOSSES = {"direction": "Brier score"}
LOSS = "mean squared error"
Array = npt.NDArray[np.float64]


def report_of(home: Path, catalog: Catalog, one: ModelShadow) -> dict[str, Any]:
    """`{model, sleeve, champion, label, loss, closes, known, days, rows: [{name, loss, better_by, verdict}], text, notes}`."""
    found = list(rows_of(home, one))
    champions = list(dict.fromkeys(version for *_, version in found))
    kind, _ = parts_of(one.label)
    report: dict[str, Any] = {
        "model": one.text,
        "sleeve": one.sleeve,
        "label": one.label,
        "loss": LOSSES.get(kind, LOSS),
        "begun": utc(one.begun_ms),
        "last": utc(one.last_ms),
        "stopped": one.stopped,
        "closes": len(found),
        "champions": [f"{one.name}@{version}" for version in champions],
        "known": 0,
        "days": 0,
        "rows": [],
        "notes": [],
    }
    mark = mark_at(journal_of(home))
    frame = (
        None if mark is None or not found else frame_between(catalog, one, (), one.begun_ms - PAST_DAYS * DAY_MS, mark.t_event_ms)
    )
    if frame is None or mark is None:
        return report | {"text": "no close is recorded yet"}
    label = label_of(one.label, frame)
    columns = {"challenger": _column(frame, found, 1), "champion": _column(frame, found, 2)}
    good = np.isfinite(label.values) & (label.known_ms <= mark.t_event_ms)
    good &= np.isfinite(columns["challenger"]) & np.isfinite(columns["champion"])
    rows = np.flatnonzero(good)
    if not len(rows):
        return report | {"text": f"{len(found)} closes are recorded, of none the outcome is known yet"}
    columns |= _baselines(frame, label, one.begun_ms, kind, report["notes"])
    days = np.split(rows, np.flatnonzero(np.diff(frame.close_ms[rows] // DAY_MS)) + 1)
    report |= {"known": len(rows), "days": len(days)}
    report["rows"] = [_row(name, columns, label, days) for name in columns]
    if len(champions) > 1:
        report["notes"].append(f"the champion changed meanwhile: {', '.join(champions)}")
    beside = next(row for row in report["rows"] if row["name"] == "champion")
    return report | {"text": f"{one.text} against the champion: {beside['verdict']}"}


def _column(frame: FeatureFrame, found: list[tuple[int, float, float, str]], at: int) -> Array:
    """A recorded prediction at each row of the frame, NaN where there is none."""
    out = np.full(len(frame), np.nan)
    closes = np.array([row[0] for row in found], np.int64)
    where = np.searchsorted(frame.close_ms, closes)
    inside = where < len(frame)
    same = inside.copy()
    same[inside] = frame.close_ms[where[inside]] == closes[inside]
    out[where[same]] = np.array([row[at] for row in found])[same]
    return out


def _baselines(frame: FeatureFrame, label: BarLabel, begun_ms: int, kind: str, notes: list[str]) -> dict[str, Array]:
    """Name -> what it says of each row; fitted on rows whose label was known when the shadow began."""
    first_ms = begun_ms - PAST_DAYS * DAY_MS
    train = np.flatnonzero((frame.close_ms > first_ms) & (label.known_ms <= begun_ms) & np.isfinite(label.values))
    after = np.flatnonzero(frame.close_ms > begun_ms)
    if not len(train):
        notes.append("no baseline: no label was known when the shadow began")
        return {}
    found = {"base rate": baselines.base_rate(label.values[train], len(frame))}
    if kind == "return":
        found["zero"] = baselines.zero(label.values, len(frame))
    else:
        found["last known"] = baselines.last_known(label.values, frame.close_ms, label.known_ms)
    if kind == "log_vol":
        try:
            found["HAR"] = har(frame, label, [PurgedFold(train, after, begun_ms)])
        except DataError as error:
            notes.append(f"no HAR: {error.what}")
    return found


def _minus_loss(labels: Array, predictions: Array, before: Array) -> float:
    """Higher is better, as of any figure: minus the mean squared error; of a probability that is the Brier score."""
    del before
    return -float(((labels - predictions) ** 2).mean()) if len(labels) else math.nan


def _row(name: str, columns: dict[str, Array], label: BarLabel, days: list[npt.NDArray[np.int64]]) -> dict[str, Any]:
    """Mean loss, and how much lower the challenger's is, with its interval."""
    other, own = columns[name], columns["challenger"]
    nothing = np.zeros(len(own))
    found = scores.score(_minus_loss, label.values, other, nothing, days)
    row: dict[str, Any] = {"name": name, "loss": _number(-found.value), "known": found.rows}
    if name == "challenger":
        return row | {"better_by": None, "verdict": ""}
    gap = scores.better_by(_minus_loss, label.values, own, other, nothing, days)
    interval = {key: _number(getattr(gap, key)) for key in ("value", "low", "high")}
    return row | {"better_by": interval, "verdict": verdict_of(gap, len(days))}


def verdict_of(gap: Score, days: int) -> str:
    """In words; of a few days nothing is said."""
    if days < DAYS_MIN:
        return f"too little to judge: outcomes of {days} days, {DAYS_MIN} are asked for"
    if not (math.isfinite(gap.low) and math.isfinite(gap.high)):
        return "not comparable"
    return "better" if gap.low > 0.0 else "worse" if gap.high < 0.0 else "cannot be told apart"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
