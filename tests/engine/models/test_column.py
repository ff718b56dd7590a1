"""A prediction column: history, one bar at a time and a restart give the same bits, and no bar is answered by a later fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.clock import DAY_MS
from engine.errors import DataError, StrategyError
from engine.features import manifest
from engine.features.calls import matrix_of
from engine.features.frame import FeatureFrame
from engine.models import artifact, column, lgbm, out_of_sample, regime
from engine.models.artifact import Artifact, ModelDraft, ModelFit
from engine.models.labels import label_of
from engine.models.packed import pack_model, unpack_model
from engine.models.trees import pruned
from tests.engine.models.test_baselines import bars
from tests.fakes.papers import FROM_MS
from tests.fakes.stored_models import states, store

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


def test_a_fit_that_has_seen_a_bar_does_not_answer_for_it(
    made: tuple[Artifact, out_of_sample.Walked], frame: FeatureFrame
) -> None:
    """Planted past the reader's own check: one whose training ended after closes that it would answer for is refused."""
    model, _ = made
    late = model.fits[1]._replace(train_end_ms=model.fits[1].from_ms + 3_600_000)
    planted = model._replace(fits=(model.fits[0], late, *model.fits[2:]))
    with pytest.raises(DataError, match=r"vol-btc@1.0.0 .*: a fit that ends at .* would answer for"):
        column.predictions(planted, frame)


def other_bars(frame: FeatureFrame, first: int) -> FeatureFrame:
    """The frame with higher prices from a bar on."""
    columns = {name: getattr(frame, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name in ("open", "high", "low", "close"):
        columns[name][first:] *= 1.01 + 0.01 * np.sin(np.arange(len(frame) - first))
    return FeatureFrame(frame.close_ms, **columns, timeframe_ms=frame.timeframe_ms)


@pytest.mark.parametrize("of_regimes", [False, True])
def test_what_was_computed_before_is_used_where_every_bit_is_the_same(
    frame: FeatureFrame, tmp_path: Path, of_regimes: bool
) -> None:
    """Bars that grow, bars that were corrected, bars that begin elsewhere: as by a model that has computed nothing yet."""
    model = by_hand(frame, tmp_path, of_regimes=of_regimes)
    kept, part = column.ModelColumn(model), "state" if of_regimes else ""
    for seen in (
        frame.prefix(2_500),
        frame.prefix(2_501),
        frame,
        other_bars(frame, 2_000),
        frame.since(96),
        frame,
        frame.prefix(3),
    ):
        fresh = column.ModelColumn(model).values(seen, part)
        assert kept.values(seen, part).tobytes() == fresh.tobytes()


def by_hand(frame: FeatureFrame, root: Path, *, of_regimes: bool) -> Artifact:
    """Four fits over these bars."""
    moved = int(frame.close_ms[0]) - frame.timeframe_ms - FROM_MS
    days = tuple(moved / DAY_MS + day for day in (6, 12, 20, 31))
    return store(root, of_regimes=of_regimes, instrument="binance:BTC-USDT:perp", days=days)


def test_a_regime_is_the_same_whatever_comes_after_it_and_wherever_the_bars_begin(frame: FeatureFrame, tmp_path: Path) -> None:
    """Prefixes over changes of fits; the probabilities add up, the state is the one that holds."""
    model = by_hand(frame, tmp_path, of_regimes=True)
    whole = column.ModelColumn(model).regimes(frame)
    for count in (*range(500, 3_840, 333), *(int(np.searchsorted(frame.close_ms, fit.from_ms)) + 1 for fit in model.fits)):
        part = column.ModelColumn(model).regimes(frame.prefix(count))
        assert part.states.tobytes() == whole.states[:count].tobytes()
        assert part.probabilities.tobytes() == whole.probabilities[:count].tobytes()
    known = whole.states >= 0
    assert {0, 2} <= set(whole.states[known].tolist()) <= {0, 1, 2}
    assert np.allclose(whole.probabilities[known].sum(axis=1), 1.0)
    first = int(np.searchsorted(frame.close_ms, model.fits[0].from_ms))
    assert not known[:first].any()
    assert known[first:].all()


def test_a_regime_is_one_filter_from_the_start_of_its_warm_up(frame: FeatureFrame, tmp_path: Path) -> None:
    """Between two changes of fits: `regime.filtered` over the bars since WARM_BARS before the first of them."""
    model = by_hand(frame, tmp_path, of_regimes=True)
    found = column.ModelColumn(model).regimes(frame)
    start, end = (int(np.searchsorted(frame.close_ms, model.fits[n].from_ms)) for n in (1, 2))
    begin = start - column.WARM_BARS
    out, states, _ = regime.filtered(model.fits[1].regime, regime.observations(frame)[begin:end])
    assert found.probabilities[start:end].tobytes() == out[start - begin :].tobytes()
    assert found.states[start:end].tolist() == states[start - begin :].tolist()


def test_columns_are_named_and_the_other_kind_is_refused(frame: FeatureFrame, tmp_path: Path) -> None:
    """By version, and by state."""
    trees, states = (column.ModelColumn(by_hand(frame, tmp_path / str(k), of_regimes=k)) for k in (False, True))
    assert (trees.label(""), states.label("state"), states.label("bull")) == (
        "model(vol-btc@1.0.0)",
        "regime(vol-btc@1.0.0)",
        "regime(vol-btc@1.0.0,bull)",
    )
    for model, part, what in (
        (trees, "state", "that is a prediction"),
        (states, "", "that is a regime"),
        (states, "up", "no 'up'"),
    ):
        with pytest.raises(StrategyError, match=what):
            model.label(part)
    bull, state = states.values(frame, "bull"), states.values(frame, "state")
    assert {-1.0, 1.0} <= set(state[np.isfinite(state)].tolist()) <= {-1.0, 0.0, 1.0}
    assert bull[state == 1.0].mean() > bull[state == -1.0].mean()


@pytest.mark.parametrize("of_regimes", [False, True])
def test_a_model_is_sent_to_the_bit(frame: FeatureFrame, tmp_path: Path, of_regimes: bool) -> None:
    """Packed, through JSON, and unpacked: the same columns and the same name."""
    model = by_hand(frame, tmp_path, of_regimes=of_regimes)
    about, arrays = pack_model(model)
    received = unpack_model(json.loads(json.dumps(about)), arrays)
    part = "state" if of_regimes else ""
    assert column.ModelColumn(received).values(frame, part).tobytes() == column.ModelColumn(model).values(frame, part).tobytes()
    assert (received.text, received.sha256) == (model.text, model.sha256)


def test_where_a_filter_begins_is_given_by_the_bar_alone(frame: FeatureFrame, tmp_path: Path) -> None:
    """States that no row tells apart and that hardly change: what is left is how long ago the filter began."""
    slow = ((0.999, 0.001, 0.0), (0.0, 0.999, 0.001), (0.001, 0.0, 0.999))
    blind = states()._replace(start=(1.0, 0.0, 0.0), moves=slow, means=((0.0, 0.0, 0.0),) * 3)
    model = by_hand(frame, tmp_path, of_regimes=True)
    model = model._replace(fits=tuple(fit._replace(regime=blind) for fit in model.fits))
    found = column.ModelColumn(model).regimes(frame)
    for number, fit in enumerate(model.fits):
        at = int(np.searchsorted(frame.close_ms, fit.from_ms))
        begin = at - column.WARM_BARS
        out, _, _ = regime.filtered(blind, regime.observations(frame)[begin : at + 1])
        assert found.probabilities[at].tobytes() == out[-1].tobytes(), number
    later = frame.since(100)
    first = int(np.searchsorted(later.close_ms, model.fits[1].from_ms))
    assert (
        column.ModelColumn(model).regimes(later).probabilities[first:].tobytes() == found.probabilities[first + 100 :].tobytes()
    )
