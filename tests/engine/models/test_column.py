"""A prediction column: history, one bar at a time and a restart give the same bits, and no bar is answered by a later fit."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.features import manifest
from engine.features.calls import matrix_of
from engine.features.frame import FeatureFrame
from engine.models import artifact, column, lgbm, out_of_sample
from engine.models.artifact import Artifact, ModelDraft, ModelFit
from engine.models.labels import label_of
from engine.models.trees import pruned
from tests.engine.models.test_baselines import bars

TEXTS = ("returns(1)", "returns(4)", "realised_vol(16)", "hour_sin()")
DAYS = {"train_days": 20, "test_days": 5, "step_days": 5}


@pytest.fixture(scope="module")
def frame() -> FeatureFrame:
    """40 days of 15m bars."""
    return bars(3_840)


def trained(frame: FeatureFrame, root: Path, texts: tuple[str, ...] = TEXTS) -> tuple[Artifact, out_of_sample.Walked]:
    """A stored model of all folds, and the walk that made it."""
    label = label_of("log_vol_4", frame)
    features = manifest.manifest_of(list(texts), "15m", int(frame.close_ms[0]) - frame.timeframe_ms)
    folds = out_of_sample.folds_of(frame, label, **DAYS)
    walked = out_of_sample.walk(
        matrix_of(frame, features.calls), label, folds, "regression", lgbm.settings_of({"rounds": 20}, "test")
    )
    fits = [
        ModelFit(one.fold.train_end_ms, int(frame.close_ms[one.fold.test[0]]), pruned(one.model.dump)) for one in walked.folds
    ]
    about = {"name": "log_vol_4", "unit": label.unit}
    draft = ModelDraft(about, "15m", "binance:BTC-USDT:perp", {}, features, fits, {}, {}, {}, walked.folds[-1].model.text)
    return artifact.write(root, "vol-btc", "1.0.0", draft), walked


@pytest.fixture(scope="module")
def made(frame: FeatureFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, out_of_sample.Walked]:
    """One for all tests."""
    return trained(frame, tmp_path_factory.mktemp("models"))


def test_it_is_what_the_walk_predicted_out_of_sample(frame: FeatureFrame, made: tuple[Artifact, out_of_sample.Walked]) -> None:
    """To the bit, so that every published figure can be computed again from the column; nothing before the first fold."""
    model, walked = made
    found = column.predictions(model, frame)
    tested = np.concatenate(walked.tests)
    assert found.values[tested].tobytes() == walked.predictions[tested].tobytes()
    assert np.isnan(found.values[: tested[0]]).all()
    assert found.missing == {column.EARLY: int(tested[0])}
    assert sorted(set(found.fits.tolist())) == list(range(-1, len(model.fits)))


def test_a_bar_is_the_same_whatever_comes_after_it(frame: FeatureFrame, made: tuple[Artifact, out_of_sample.Walked]) -> None:
    """The live path over a prefix, at bars of every fold and around each change of fits."""
    model, walked = made
    whole = column.predictions(model, frame).values
    edges = [at + step for one in walked.tests for at in (int(one[0]), int(one[-1])) for step in (-1, 0, 1)]
    for at in sorted({min(at, len(frame) - 1) for at in (*edges, *range(1_900, 3_840, 211))}):
        live = column.predictions(model, frame.prefix(at + 1)).values
        assert live.tobytes() == whole[: at + 1].tobytes(), at


def test_no_bar_is_answered_by_a_fit_that_has_seen_it(frame: FeatureFrame, made: tuple[Artifact, out_of_sample.Walked]) -> None:
    """Of each bar: the fit's last training label was known before its close."""
    model, _ = made
    fits = column.predictions(model, frame).fits
    ends = np.array([fit.train_end_ms for fit in model.fits])
    answered = fits >= 0
    assert (ends[fits[answered]] < frame.close_ms[answered]).all()


def test_bars_without_any_feature_have_no_prediction(frame: FeatureFrame, tmp_path: Path) -> None:
    """A hole is a hole, counted by its reason, and not what the trees say of nothing."""
    model, _ = trained(frame, tmp_path, ("returns(1)", "realised_vol(16)"))
    columns = {name: getattr(frame, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for values in columns.values():
        values[3_000:3_010] = np.nan
    torn = FeatureFrame(frame.close_ms, **columns, timeframe_ms=frame.timeframe_ms)
    found = column.predictions(model, torn)
    assert np.isnan(found.values[3_000:3_011]).all()
    assert found.missing[column.EMPTY] >= 11
    assert np.isnan(column.predictions(model, torn.prefix(3_005)).values[-1])


def test_another_timeframe_is_refused(made: tuple[Artifact, out_of_sample.Walked], frame: FeatureFrame) -> None:
    """In one line, with both."""
    hourly = FeatureFrame(
        frame.close_ms[3::4],
        *(getattr(frame, n)[3::4] for n in ("open", "high", "low", "close", "volume")),
        timeframe_ms=3_600_000,
    )
    with pytest.raises(DataError, match=r"vol-btc@1\.0\.0 \(\w{12}\) predicts 15m bars, these are 1h"):
        column.predictions(made[0], hourly)
