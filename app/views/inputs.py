"""What the desk reads from outside, and the models trained on bars, as lines of the page. Called by app/api/inputs.py.

From what the last questions, looks and trainings left in the home: no series and no tree is read, so that a page costs little.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.clock import HOUR_MS
from engine.control import model_registry
from engine.control.model_registry import RegisteredModel
from engine.data.outside.declared import BY_NAME
from engine.errors import DeskError
from engine.watch.drift_status import last_drift
from engine.watch.outside_status import read_status
from engine.watch.shadow_journal import running

SERIES_MAX, MODELS_MAX = 200, 50
WORDS_MAX = 300


def outside_lines(home: Path, now_ms: int) -> list[dict[str, Any]]:
    """Every outside series that was ever asked for, those that count no longer first: `age_hours` since its last row should have
    been published (null: it has none), and why it does not count."""
    found = [_outside(key, status, now_ms) for key, status in sorted(read_status(home).items())[:SERIES_MAX]]
    return sorted(found, key=lambda line: line["fresh"])


def _outside(key: str, status: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    name, source, symbol = (*key.split("/"), "", "")[:3]
    series, last, until = BY_NAME.get(name), status.get("last_ms"), status.get("too_old_ms")
    there = series is not None and isinstance(last, int) and isinstance(until, int)
    fresh = there and now_ms <= until  # type: ignore[operator]  # looked at above
    error = str(status.get("error") or "")
    return {
        "name": key[:120],
        "what": series.what if series else "",
        "unit": series.fields[0].unit if series else "",
        "source": source[:40],
        "symbol": symbol[:40],
        "last_ms": last if there else None,
        "age_hours": (now_ms - series.published_ms(last)) / HOUR_MS if series and isinstance(last, int) else None,
        "max_age_hours": series.max_age_hours if series else None,
        "fresh": fresh,
        "scheduled": bool(status.get("scheduled")),
        "why": error[:WORDS_MAX] or ("" if fresh else "its last row is too old" if there else "it has no row"),
        "warnings": [str(text)[:WORDS_MAX] for text in (*status.get("warnings", ()), *status.get("compared", ()))][:5],
    }


def model_lines(engine: Engine, home: Path) -> list[dict[str, Any]]:
    """The registry's versions, newest of each model first, with the last daily look at the drift of those in use."""
    looked, shadows = last_drift(home).get("models", {}), _shadows(home)
    listed = model_registry.registered(engine, home)[:MODELS_MAX]
    return [_model(found, looked.get(found.text, {}), shadows.get(found.text)) for found in listed]


def _shadows(home: Path) -> Mapping[str, tuple[str, float]]:
    """Shadows that run; none where their journal cannot be read, which the chain check says."""
    try:
        return running(home)
    except DeskError:
        return {}


def _model(found: RegisteredModel, drift: Mapping[str, Any], shadow: tuple[str, float] | None) -> dict[str, Any]:
    line = {key: getattr(found, key) for key in ("name", "version", "state", "sleeves", "instrument", "timeframe", "gates")}
    line |= {"target": found.target[:60], "promotable": found.promotable, "error": found.error[:WORDS_MAX]}
    line |= {key: getattr(found, key) for key in ("figure", "value", "low", "high", "baseline", "baseline_value")}
    line |= {"folds": list(found.folds), "baselines": list(found.baselines)}
    line |= {"shadow_of": shadow[0] if shadow else "", "shadow_days": shadow[1] if shadow else None}
    return line | {
        "drift": str(drift.get("verdict") or drift.get("failed") or "")[:WORDS_MAX],
        "moved": len(drift.get("moved", ())),
    }
