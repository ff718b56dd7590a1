"""Routes of what decisions rest on: outside series with their age, and trained models. Registered by app.api.factory."""

from fastapi import APIRouter

from app.api.context import At, Who, now_ms
from app.api.models import ApiModel, Number, Texts
from app.views import inputs

router = APIRouter(prefix="/api", tags=["data"])


class OutsideLine(ApiModel):
    """An outside series from one source, as its last question left it. `age_hours` counts from when its row should have been
    published; `fresh`: it counts now, else `why` says what is wrong."""

    name: str
    what: str
    unit: str
    source: str
    symbol: str
    last_ms: int | None
    age_hours: Number
    max_age_hours: Number
    fresh: bool
    scheduled: bool
    why: str
    warnings: Texts


class OutsideLines(ApiModel):
    """Those that count no longer first."""

    items: list[OutsideLine]


class TrainedModelLine(ApiModel):
    """A stored version: its state and the sleeves that read it, its figure out of sample with its interval beside the hardest
    baseline, `folds` (worst, median, best), every baseline, the sleeve that it is a shadow of and for how many days of desk time,
    its gates in a line, what has moved since its training.
    """

    name: str
    version: str
    state: str
    sleeves: Texts
    target: str
    instrument: str
    timeframe: str
    figure: str
    value: Number
    low: Number
    high: Number
    baseline: str
    baseline_value: Number
    folds: list[Number]
    baselines: Texts
    shadow_of: str
    shadow_days: Number
    promotable: bool
    gates: str
    error: str
    drift: str
    moved: int


class TrainedModelLines(ApiModel):
    """The newest version of each model first."""

    items: list[TrainedModelLine]


@router.get("/outside")
def outside(at: At, _: Who) -> OutsideLines:
    """Outside series that were ever asked for, with freshness and age."""
    return OutsideLines(items=[OutsideLine(**line) for line in inputs.outside_lines(at.path, now_ms())])


@router.get("/trained-models")
def trained_models(at: At, _: Who) -> TrainedModelLines:
    """Models trained on bars: figure, gates, drift. Language models: /api/model."""
    return TrainedModelLines(items=[TrainedModelLine(**line) for line in inputs.model_lines(at.engine, at.path)])
