"""Outside series and trained models as lines of the page: fresh or not and why, from small files alone, bounded."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.views import inputs
from engine.clock import HOUR_MS
from engine.models import artifact
from engine.store.db import migrate, open_db
from engine.watch.drift_status import keep_drift
from engine.watch.outside_status import FILE
from tests.engine.models.test_artifact import draft

NOW = 1_740_000_000_000 // HOUR_MS * HOUR_MS


def status(home: Path, feeds: dict[str, Any]) -> None:
    """What the last questions left."""
    (home / "data").mkdir(exist_ok=True)
    (home / FILE).write_text(json.dumps({"feeds": feeds}))


def test_series_that_count_no_longer_are_first_with_the_reason(tmp_path: Path) -> None:
    """Age counts from the publication: an hour, its five minutes, and what has passed since."""
    young = {
        "scheduled": True,
        "last_ms": NOW - 2 * HOUR_MS,
        "too_old_ms": NOW + HOUR_MS,
        "error": None,
        "warnings": ["level: 9"],
    }
    old = young | {"too_old_ms": NOW - 1, "error": "okx sent a page of HTML", "warnings": []}
    never = {"scheduled": True, "last_ms": None, "too_old_ms": None, "error": "asks for 120 s of rest"}
    status(tmp_path, {"oi/okx/BTC-USDT": young, "lsr/okx/BTC-USDT": old, "vix/fred": never, "gone/who": young})
    lines = {line["name"]: line for line in inputs.outside_lines(tmp_path, NOW)}
    assert list(lines) == ["gone/who", "lsr/okx/BTC-USDT", "vix/fred", "oi/okx/BTC-USDT"]
    good, bad = lines["oi/okx/BTC-USDT"], lines["lsr/okx/BTC-USDT"]
    assert (good["fresh"], good["why"], good["unit"], good["max_age_hours"]) == (True, "", "base units", 3)
    assert good["age_hours"] == pytest.approx(1.0 - 5 / 60)
    assert good["warnings"] == ["level: 9"]
    assert (bad["fresh"], bad["why"]) == (False, "okx sent a page of HTML")
    assert (lines["vix/fred"]["age_hours"], lines["vix/fred"]["why"]) == (None, "asks for 120 s of rest")
    assert not lines["gone/who"]["fresh"]  # a program that does not know a series says nothing good of it


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Of a home whose sleeves read no model."""
    found = open_db(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate(found)
    return found


def test_a_home_without_either_has_no_lines(tmp_path: Path, engine: Engine) -> None:
    """Nor has one whose status cannot be read."""
    assert inputs.outside_lines(tmp_path, NOW) == inputs.model_lines(engine, tmp_path) == []
    status(tmp_path, {})
    (tmp_path / FILE).write_text("[")
    assert inputs.outside_lines(tmp_path, NOW) == []


def test_a_model_has_its_figure_gates_and_drift(tmp_path: Path, engine: Engine) -> None:
    """The newest version first; what the daily look found; a changed file is named, and stops no other line."""
    metrics = {"figure": "R2", "test": {"value": 0.43, "low": 0.4, "high": 0.46}, "promotable": False}
    metrics |= {"gates": [{"name": "gap", "passed": False, "text": ""}, {"name": "rows", "passed": True, "text": ""}]}
    for version in ("1.0.0", "1.1.0"):
        artifact.write(tmp_path / "models", "vol", version, draft()._replace(metrics=metrics))
    row = {"name": "a", "text": "a (PSI 0.40)", "state": "moved", "psi": 0.4, "missing_now": 0.0, "missing_then": 0.0}
    look = {"verdict": "1 of 1 features has moved", "days": 30, "features": [row], "predictions": row | {"state": "steady"}}
    keep_drift(tmp_path, {"vol@1.1.0": look}, NOW)
    new, old = inputs.model_lines(engine, tmp_path)
    assert (new["version"], new["value"], new["state"], new["promotable"]) == ("1.1.0", 0.43, "refused", False)
    assert new["gates"].startswith("failed: ")
    assert "gap" in new["gates"]
    assert (new["drift"], new["moved"], old["drift"], old["moved"]) == ("1 of 1 features has moved", 1, "", 0)
    changed = tmp_path / "models" / "vol" / "1.1.0" / "metrics.json"
    changed.chmod(0o644)
    changed.write_text(changed.read_text().replace("0.43", "0.93"))
    new, old = inputs.model_lines(engine, tmp_path)
    assert "metrics.json was changed since it was trained" in new["error"]
    assert (new["value"], old["value"]) == (None, 0.43)


def test_lists_are_bounded(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is every text in them."""
    feed = {"last_ms": NOW, "too_old_ms": NOW, "error": "x" * 400, "warnings": ["y" * 310] * 7}
    status(tmp_path, {f"oi/okx/C{n}-USDT": feed for n in range(300)})
    lines = inputs.outside_lines(tmp_path, NOW)
    assert len(lines) == inputs.SERIES_MAX
    assert len(lines[0]["why"]) == len(lines[0]["warnings"][0]) == 300
    assert len(lines[0]["warnings"]) == 5
    monkeypatch.setattr(inputs, "MODELS_MAX", 1)
    for version in ("1.0.0", "1.1.0"):
        artifact.write(tmp_path / "models", "vol", version, draft())
    assert len(inputs.model_lines(engine, tmp_path)) == 1
