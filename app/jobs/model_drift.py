"""Drift of a stored model's inputs: what it reads on the desk's last days beside what it was trained on.

Called by app/cli/trained_models.py and as a job (kinds.py), and each day for the models that the desk uses (daily_parity.py),
whose result is kept for the watch. Turns an artifact and the catalog into JSON values.
"""

import time
from typing import Any

import numpy as np

from app.home.home import Home
from app.jobs import training
from app.jobs.kinds import Progress, silent
from engine.clock import DAY_MS, timeframe_ms, utc
from engine.control.config import active
from engine.errors import BadInput, DataError, DeskError
from engine.features.calls import matrix_of
from engine.models import input_drift
from engine.models.artifact import Artifact
from engine.models.distribution import distribution_of
from engine.models.model_bars import model_bars
from engine.models.trees import predict
from engine.watch.drift_status import MODELS_MAX, keep_drift
from engine.watch.window import journal_of, mark_at

DAYS, DAYS_MAX = 30, 365
PREDICTIONS = "predictions"


def drift(home: Home, named: str, days: int = DAYS, progress: Progress = silent) -> dict[str, Any]:
    """The drift of NAME or NAME@VERSION over the last `days` of the desk's time; of the bars, where the desk has seen none.

    Raises BadInput for a model that is not stored or whose bars are not there, DataError for one without stored distributions.
    """
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(f"{days} days", f"1 to {DAYS_MAX}")
    name, _, version = named.partition("@")
    model = training.stored_model(home, name, version or None)
    if model.is_regime:
        raise BadInput(f"{model.name}@{model.version} is a regime: its states are not compared", "name a model that predicts")
    if model.distribution is None:
        what = f"{model.name}@{model.version} was trained before distributions were stored: its inputs cannot be compared"
        raise DataError(what, "train it anew: nightdesk models train CONFIG.toml")
    progress(0.1)
    return _compared(home, model, days) | {"days": days}


def _compared(home: Home, model: Artifact, days: int) -> dict[str, Any]:
    about, where = model.about, f"the model {model.name} {model.version}"
    trained = distribution_of(model.distribution or {}, len(model.features.features), where)
    instrument, timeframe = str(about["instrument"]), str(about["timeframe"])
    end_ms = _end_ms(home, instrument, timeframe)
    from_ms = end_ms - days * DAY_MS
    bars = model_bars(home.catalog, instrument, timeframe, trained.reads, from_ms, end_ms)
    recent = bars.frame.close_ms > from_ms
    calls = model.features.calls
    columns = matrix_of(bars.frame, calls)[recent]
    said = np.full(len(columns), np.nan)
    known = ~np.isnan(columns).all(axis=1)
    last = model.fits[-1].trees
    assert last is not None, "a regime is refused before"  # noqa: S101 - a programmer's error
    said[known] = predict(last, columns[known])  # older fits say other things of the same bars
    names = [*(call.text for call in calls), PREDICTIONS]
    rows = input_drift.drifts(names, [*trained.features, trained.predictions], np.column_stack([columns, said]))
    features, predictions = rows[:-1], rows[-1]
    closes = bars.frame.close_ms[recent]
    notes = [*bars.notes]
    if seen := int((closes <= trained.last_ms).sum()):
        notes.append(f"{seen:,} of these {len(closes):,} bars are among those that the model was trained on")
    return {
        "name": model.name,
        "version": model.version,
        "instrument": instrument,
        "timeframe": timeframe,
        "from_ms": from_ms,
        "to_ms": end_ms,
        "bars": len(closes),
        "trained": [trained.first_ms, trained.last_ms],
        "verdict": input_drift.verdict(features, predictions),
        "span": f"{utc(from_ms)} to {utc(end_ms)} beside training rows of {utc(trained.first_ms)} to {utc(trained.last_ms)}",
        "thresholds": input_drift.THRESHOLDS,
        "moved": [one.name for one in rows if one.state == "moved"],
        "features": [input_drift.as_json(one) for one in features],
        "predictions": input_drift.as_json(predictions),
        "notes": notes,
    }


def _end_ms(home: Home, instrument: str, timeframe: str) -> int:
    """UTC ms: the desk's time, or the close of the last bar where the desk has none or is past it."""
    venue, symbol, market = instrument.split(":")
    last = home.catalog.find(venue, symbol, timeframe, market).last_ms + timeframe_ms(timeframe)
    mark = mark_at(journal_of(home.path))
    return last if mark is None else min(last, mark.t_event_ms)


def models_in_use(home: Home) -> list[str]:
    """NAME@VERSION of each model that a sleeve's configuration names (`models = "vol-btc=1.2.0"`); empty where none does."""
    texts = [str(getattr(sleeve, "models", None) or "") for sleeve in active(home.engine, home.path).config.sleeves]
    pairs = [part.strip().partition("=") for text in texts for part in text.split(",")]
    return sorted({f"{name}@{version}" for name, _, version in pairs if name and version})[:MODELS_MAX]


def watch_drift(home: Home) -> None:
    """Look at the drift of every model in use that predicts and keep it for the watch; why one cannot be looked at, too."""
    found: dict[str, dict[str, Any]] = {}
    for named in models_in_use(home):
        try:
            if training.stored_model(home, *named.split("@")).is_regime:
                continue
            found[named] = drift(home, named)
        except DeskError as error:
            found[named] = {"failed": str(error)}
    keep_drift(home.path, found, time.time_ns() // 1_000_000)
