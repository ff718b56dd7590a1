"""Whether what a model reads now is distributed as what it was trained on: PSI and KS of each feature and of the predictions.

Called by app/jobs/model_drift.py. Turns the artifact's stored distributions and today's columns into a state for each. Bars that
follow each other are nearly one observation, so both figures are judged by effective rows: a month of a slow feature may be too
little to tell, and is called that.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.amounts import percent_text
from engine.models.distribution import ColumnDistribution, shares_of

PSI_WARN, PSI_ACT = 0.1, 0.25  # convention of credit scoring (Siddiqi 2006)
SHARE_MIN = 1e-4  # an empty bin counts as this share
ROWS_MIN = 200  # with a value, on either side: below it a PSI is noise
FALSE_RATE = 0.05  # of what is called moved (Benjamini & Hochberg 1995)
CHANCE = 0.95  # a PSI that equal distributions stay below
MISSING_MORE = 0.05  # of the rows; our own limit: a live feature that is null is the commonest of silent faults
NAMED_MAX = 5  # in the verdict
THRESHOLDS = (
    f"moved: PSI {PSI_ACT:g} or more, drifting: {PSI_WARN:g} or more (convention, Siddiqi 2006), where KS is significant at "
    f"{percent_text(FALSE_RATE, 0)} over all features together (Benjamini-Hochberg, rows corrected for autocorrelation); "
    f"or missing in {percent_text(MISSING_MORE, 0)} more of the bars"
)
DriftState = Literal["moved", "drifting", "steady", "too_little"]
Array = npt.NDArray[np.float64]


class ColumnDrift(NamedTuple):
    """One column then and now. Without ROWS_MIN values on either side psi, ks and p are None.

    `q`: the least false rate at which it is called different, over all columns compared together. `by_chance`: a PSI that equal
    distributions stay below in 95 of 100 cases at these effective rows.
    """

    name: str
    state: DriftState
    psi: float | None
    ks: float | None
    p: float | None
    q: float | None
    by_chance: float | None
    rows_then: int
    rows_now: int
    effective_then: float
    effective_now: float
    missing_then: float  # share of the rows
    missing_now: float

    @property
    def text(self) -> str:
        """In a few words: funding_z (PSI 0.31)."""
        if self.missing_now > self.missing_then + MISSING_MORE:
            now, then = percent_text(self.missing_now, 0), percent_text(self.missing_then, 0)
            return f"{self.name} (missing in {now} of the bars, {then} in training)"
        return f"{self.name} (PSI {self.psi:.2f})" if self.psi is not None else self.name


def psi(expected: Array | Sequence[float], observed: Array | Sequence[float]) -> float:
    """Population stability index of two lists of shares over the same bins: the sum of (o - e) ln(o / e)."""
    then, now = (np.maximum(np.asarray(one, float), SHARE_MIN) for one in (expected, observed))
    return float(((now - then) * np.log(now / then)).sum())


def drifts(names: Sequence[str], then: Sequence[ColumnDistribution], now: Array) -> list[ColumnDrift]:
    """The drift of each column of `now`, (bars, columns), NaN where missing."""
    rows = [compare(name, one, now[:, at]) for at, (name, one) in enumerate(zip(names, then, strict=True))]
    return judged(rows)


def compare(name: str, then: ColumnDistribution, values: Array) -> ColumnDrift:
    """The figures of one column, not judged yet.

    Effective rows of today are counted by the training's correlation time: were they the same process, it would be theirs, and a
    column that froze has none of its own.
    """
    from scipy.stats import chi2, ks_2samp, kstwobign

    kept = values[np.isfinite(values)]
    had = then.rows - then.missing
    effective = len(kept) * then.effective / had if had else 0.0
    share = 1.0 - len(kept) / len(values) if len(values) else 1.0
    sizes = (had, len(kept), then.effective, effective)
    missing = (then.missing / then.rows if then.rows else 1.0, share)
    if min(had, len(kept)) < ROWS_MIN:
        return ColumnDrift(name, "too_little", None, None, None, None, None, *sizes, *missing)
    room = 1.0 / then.effective + 1.0 / effective
    statistic = float(ks_2samp(np.asarray(then.points), kept).statistic)
    p = float(kstwobign.sf(statistic / math.sqrt(room)))
    by_chance = float(chi2.ppf(CHANCE, len(then.edges))) * room  # Yurdakul & Naranjo 2020
    index = psi(then.shares, shares_of(kept, then.edges))
    return ColumnDrift(name, "steady", index, statistic, p, None, by_chance, *sizes, *missing)


def judged(rows: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """The same with their states, all of them judged together."""
    from scipy.stats import false_discovery_control

    values = [row.p for row in rows if row.p is not None]
    adjusted = iter(false_discovery_control(values).tolist() if values else [])
    found = [row if row.p is None else row._replace(q=next(adjusted)) for row in rows]
    return [row._replace(state=_state(row)) for row in found]


def _state(row: ColumnDrift) -> DriftState:
    if row.missing_now > row.missing_then + MISSING_MORE:
        return "moved"
    if row.psi is None or row.q is None or row.by_chance is None:
        return "too_little"
    if row.q < FALSE_RATE:
        return "moved" if row.psi >= PSI_ACT else "drifting" if row.psi >= PSI_WARN else "steady"
    return "too_little" if row.psi >= PSI_WARN or row.by_chance > PSI_ACT else "steady"


def verdict(features: Sequence[ColumnDrift], predictions: ColumnDrift) -> str:
    """What a person wants to know first."""
    states = {state: [one for one in features if one.state == state] for state in ("moved", "drifting", "too_little")}
    moved, drifting, little = states["moved"], states["drifting"], states["too_little"]
    of = f"of {len(features)} features"
    text = f"{len(moved)} {of} {'has' if len(moved) == 1 else 'have'} moved: {_named(moved)}" if moved else ""
    if not moved:
        text = (
            f"No feature has moved that can be judged ({len(features) - len(little)} {of})" if little else f"None {of} has moved"
        )
    if len(little) == len(features):
        text = f"Too little to judge: none {of} has enough independent bars"
    elif little:
        text += f"; too little to judge of {len(little)}: {_named(little, bare=True)}"
    if drifting:
        text += f"; {len(drifting)} drifting: {_named(drifting)}"
    return f"{text}. {PREDICTIONS[predictions.state]}{_psi(predictions)}."


PREDICTIONS: Mapping[DriftState, str] = {
    "moved": "Predictions have moved",
    "drifting": "Predictions are drifting",
    "steady": "Predictions have not moved",
    "too_little": "Of predictions there is too little to judge",
}


def _psi(one: ColumnDrift) -> str:
    return "" if one.psi is None else f" (PSI {one.psi:.2f})"


def _named(rows: Sequence[ColumnDrift], *, bare: bool = False) -> str:
    ordered = sorted(rows, key=lambda one: -(one.psi or 0.0))
    more = f" and {len(rows) - NAMED_MAX} more" if len(rows) > NAMED_MAX else ""
    return ", ".join(one.name if bare else one.text for one in ordered[:NAMED_MAX]) + more


def as_json(row: ColumnDrift) -> dict[str, Any]:
    """With its sentence."""
    return {**row._asdict(), "text": row.text}
