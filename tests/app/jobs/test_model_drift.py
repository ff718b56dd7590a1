"""Drift of a stored model on the desk's bars: trained features beside the last days, older artifacts, what the watch keeps."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.home.home import Home, open_home
from app.jobs import model_drift, training
from engine.clock import DAY_MS
from engine.errors import BadInput, DataError
from engine.models import artifact
from engine.models.artifact import ModelDraft, ModelFit
from engine.watch.detectors import evaluate
from engine.watch.drift_status import FILE, input_drift, keep_drift, last_drift
from engine.watch.observation import Finding
from tests.engine.watch.test_detectors import NOW, desk
from tests.fakes import recordings

CONFIG = """
name = "vol"
symbols = ["BTC-USDT"]
timeframes = ["15m"]
targets = ["log_vol_4"]
features = ["returns(1)", "realised_vol(16)", "hour_sin()", "funding_rate"]
to = 2025-02-05
[folds]
train_days = 20
[series.funding]
series = "funding"
column = "rate"
max_age_hours = 9
[learners.small]
rounds = 5
"""
BARS, CALM = 5_400, 3_600  # 56 days; the market is another one in the last 18


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home with a model that was trained before prices began to move three times as much, and its bars. Take a copy."""
    tmp_path = tmp_path_factory.mktemp("trained")
    folder = tmp_path / "bars"
    recordings.record(folder, BARS, ("BTC-USDT",))
    rows = recordings.bars(BARS)
    step = np.diff(np.log(rows["close"].to_numpy()), prepend=np.log(rows["open"][0]))
    step[CALM:] *= 3.0
    close = np.round(rows["open"][0] * np.exp(np.cumsum(step)), 1)
    opened = np.concatenate(([rows["open"][0]], close[:-1]))
    own = {"open": opened, "high": np.maximum(opened, close) + 1.0, "low": np.minimum(opened, close) - 1.0, "close": close}
    recordings.write(folder, "binance_BTC-USDT_perp_15m", rows.with_columns(**{k: pl.Series(v) for k, v in own.items()}))
    path = tmp_path / "train.toml"
    path.write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_DATA", str(folder))
        patched.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
        made = open_home()
        training.train(made, path, 1)
        made.engine.dispose()
    return made.path, folder


@pytest.fixture
def home(trained: tuple[Path, Path], own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of it."""
    made, bars = trained
    shutil.copytree(made, own_home)
    monkeypatch.setenv("NIGHTDESK_DATA", str(bars))
    return open_home()


def states(found: Mapping[str, Any]) -> dict[str, str]:
    """Feature -> state."""
    return {one["name"]: one["state"] for one in (*found["features"], found["predictions"])}


def test_what_has_moved_since_the_training_is_named(home: Home) -> None:
    """The volatility and what is predicted from it, not the hour; funding is one value, then and now."""
    found = model_drift.drift(home, "vol@1.0.0", 14)
    moved = states(found)
    assert (moved["realised_vol(16)"], moved["returns(1)"], moved["predictions"]) == ("moved", "moved", "moved")
    assert (moved["funding_rate"], found["bars"]) == ("steady", 14 * 96)
    assert moved["hour_sin"] in ("steady", "too_little")
    assert found["verdict"].startswith("2 of 4 features have moved: ")
    assert found["to_ms"] == recordings.FIRST_MS + BARS * recordings.BAR_MS
    calm = model_drift.drift(home, "vol", 30)
    assert any("are among those that the model was trained on" in note for note in calm["notes"])


def test_the_days_end_at_the_desks_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that has come to the end of January compares January: later bars are not seen."""
    then = recordings.FIRST_MS + 30 * DAY_MS
    monkeypatch.setattr(model_drift, "mark_at", lambda _path: type("Mark", (), {"t_event_ms": then})())
    found = model_drift.drift(home, "vol", 14)
    assert (found["to_ms"], found["bars"], found["moved"]) == (then, 14 * 96, [])


def test_an_artifact_from_before_there_were_distributions_says_so(home: Home) -> None:
    """One clear line; it is read and predicts as before."""
    model = training.stored_model(home, "vol", None)
    assert model.distribution is not None
    about = model.about
    raw = json.loads((home.path / "models/vol/1.0.0/fits/0001.json").read_text())["trees"]
    fits = [ModelFit(model.fits[0].train_end_ms, model.fits[0].from_ms, raw)]
    own = {key: about[key] for key in ("label", "timeframe", "instrument", "learner", "config", "data")}
    artifact.write(
        training.models_of(home), "vol", "0.9.0", ModelDraft(**own, features=model.features, fits=fits, metrics={}, text="")
    )
    with pytest.raises(DataError, match=r"vol@0\.9\.0 was trained before distributions were stored") as raised:
        model_drift.drift(home, "vol@0.9.0")
    assert "\n" not in str(raised.value)
    for named, days in (("other", 30), ("vol@7.0.0", 30), ("../vol", 30), ("vol", 0), ("vol", 9_999)):
        with pytest.raises(BadInput):
            model_drift.drift(home, named, days)


def test_models_in_use_are_those_that_sleeves_name(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, as a sleeve's configuration writes them."""
    sleeves = [SimpleNamespace(models=text) for text in ("vol=1.0.0, up=2.0.0", None, "vol=1.0.0")]
    assert model_drift.models_in_use(home) == []
    config = SimpleNamespace(config=SimpleNamespace(sleeves=sleeves))
    monkeypatch.setattr(model_drift, "active", lambda _engine, _home: config)
    assert model_drift.models_in_use(home) == ["up@2.0.0", "vol@1.0.0"]


def test_a_regime_is_not_compared(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It predicts nothing: refused in one line, and no alert of the daily look."""
    model = training.stored_model(home, "vol", None)
    states = model._replace(fits=tuple(fit._replace(trees=None) for fit in model.fits))
    monkeypatch.setattr(training, "stored_model", lambda *_: states)
    monkeypatch.setattr(model_drift, "models_in_use", lambda _home: ["vol@1.0.0"])
    with pytest.raises(BadInput, match="is a regime: its states are not compared"):
        model_drift.drift(home, "vol")
    model_drift.watch_drift(home)
    assert findings(home) == []


def findings(home: Home) -> list[Finding]:
    """What the watch yields of the file in the home."""
    return list(input_drift(desk(drift=last_drift(home.path))))


def test_the_watch_names_the_feature_of_a_model_in_use(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is quiet where the desk uses none; a model that cannot be compared is a note with the reason."""
    model_drift.watch_drift(home)
    assert findings(home) == []
    assert last_drift(home.path)["models"] == {}
    monkeypatch.setattr(model_drift, "models_in_use", lambda _home: ["vol@1.0.0", "vol@7.0.0"])
    monkeypatch.setattr(model_drift, "DAYS", 14)
    monkeypatch.setattr(model_drift.drift, "__defaults__", (14, model_drift.silent))
    model_drift.watch_drift(home)
    found = {one.fingerprint: one for one in findings(home)}
    assert set(found) == {
        "drift:vol@1.0.0:realised_vol(16)",
        "drift:vol@1.0.0:returns(1)",
        "drift:vol@1.0.0:predictions",
        "drift:vol@7.0.0",
    }
    assert "realised_vol(16) (PSI" in found["drift:vol@1.0.0:realised_vol(16)"].what
    assert "is not stored" in found["drift:vol@7.0.0"].what
    assert {one.severity for one in found.values()} == {"warn", "note"}


def test_many_moved_features_are_a_bounded_list(home: Home) -> None:
    """Ten alerts a model; each says how many others there are. A file that cannot be read claims nothing."""
    row = {"state": "moved", "psi": 1.0, "missing_now": 0.0, "missing_then": 0.0}
    rows = [{**row, "name": f"f{n}", "text": f"f{n} (PSI 1.00)"} for n in range(40)]
    look = {"verdict": "", "days": 30, "features": rows, "predictions": rows[0]}
    keep_drift(home.path, {"vol@1.0.0": look}, NOW)
    found, unchecked = evaluate(desk(drift=last_drift(home.path)))
    drifted = [one for one in found if one.kind == "drift"]
    assert len(drifted) == 10
    assert drifted[0].what.endswith("with 40 others")
    assert "drift" not in unchecked
    for text in ("", "[]", "[" * 100_000, '{"schema": 9}'):
        (home.path / FILE).write_text(text)
        assert last_drift(home.path) == {}
