"""The shipped strategies that read stored models: volscaled, regime and mlsignal, on bars and models made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.features.frame import FeatureFrame
from engine.features.predicted import FrameModel
from engine.models.column import ModelColumn
from engine.sim import leaks
from engine.strategies.base import ON_MODELS, SHIPPED, code_sha256, load_strategy, parse_params
from engine.strategies.signals import Evaluation, any_missing, evaluate
from tests.engine.models.test_baselines import bars
from tests.fakes.stored_models import store

READ = {"volscaled": "vol-{symbol}", "regime": "regime-{symbol}", "mlsignal": "dir-{symbol}"}
Said = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def frame() -> FeatureFrame:
    """40 days of 15m bars."""
    return bars(3_840)


@pytest.fixture
def said(frame: FeatureFrame, tmp_path: Path) -> Said:
    """What a strategy says with a model of one fit from day 10 on; `leaf`: what its trees say of a fall and a rise."""

    def answered(name: str, bars: FeatureFrame = frame, leaf: tuple[float, float] | None = None, **params: Any) -> Evaluation:
        strategy = load_strategy(name)
        return evaluate(strategy, parse_params(strategy, params), modelled(bars, name, tmp_path, leaf))

    return answered


def modelled(frame: FeatureFrame, name: str, root: Path, leaf: tuple[float, float] | None = None) -> FeatureFrame:
    """The same bars with the model that a strategy reads; its trees say `leaf`."""
    model = store(root / f"{len(list(root.iterdir()))}", instrument="x:A-B:perp", of_regimes=name == "regime", days=(-10_000,))
    first = int(frame.close_ms[0]) + 10 * 86_400_000
    fit = model.fits[0]._replace(from_ms=first, train_end_ms=first - 1)
    if leaf is not None and fit.trees is not None:
        value = fit.trees.value.copy()
        value[-2:] = leaf
        fit = fit._replace(trees=fit.trees._replace(value=value))
    columns = {column: getattr(frame, column) for column in ("open", "high", "low", "close", "volume")}
    models = {READ[name]: FrameModel(ModelColumn(model._replace(fits=(fit,))))}
    return FeatureFrame(frame.close_ms, **columns, timeframe_ms=frame.timeframe_ms, models=models)


WARM = 10 * 96


@pytest.mark.parametrize("name", ON_MODELS)
def test_it_says_nothing_before_its_model_and_looks_nowhere_ahead(
    frame: FeatureFrame, said: Said, tmp_path: Path, name: str
) -> None:
    """At its own numbers, on 60 prefixes."""
    leaf = {"volscaled": (-7.0, -5.0), "mlsignal": (0.2, 0.8)}.get(name)
    found = said(name, leaf=leaf)
    assert not found.direction[: WARM - 1].any()
    assert found.direction[WARM:].any()
    strategy = load_strategy(name)
    report = leaks.check(strategy, strategy.Params(), modelled(frame, name, tmp_path, leaf), bars=60)
    assert report.clean, report.text


def test_their_code_is_hashed_with_the_rules_that_they_use() -> None:
    """And none of them is counted among those that need no model."""
    assert not set(ON_MODELS) & set(SHIPPED)
    assert len({code_sha256(load_strategy(name)) for name in (*SHIPPED, *ON_MODELS)}) == 6


@pytest.mark.parametrize("rule", ["trend", "reversion"])
def test_volscaled_takes_the_rules_own_signals_and_sizes_them(frame: FeatureFrame, said: Said, rule: str) -> None:
    """Half the predicted volatility, twice the size; `flat` is the rule itself."""
    plain = load_strategy(rule)
    own = evaluate(plain, plain.Params(), frame)
    flat = said("volscaled", rule=rule, sizing="flat")
    assert flat.direction.tolist() == own.direction.tolist()
    assert flat.strength.tobytes() == own.strength.tobytes()
    assert flat.hints.size_frac is None
    calm, wild = (said("volscaled", rule=rule, leaf=(log, log)) for log in (np.log(0.002), np.log(0.004)))
    assert calm.direction[WARM:].tolist() == own.direction[WARM:].tolist()
    sized = calm.direction != 0
    assert sized.any()
    year = np.sqrt(365 * 96)
    assert np.allclose(calm.hints.size_frac[sized], 0.2 / (0.002 * year))
    assert np.allclose(calm.hints.size_frac[sized], 2.0 * wild.hints.size_frac[sized])
    past = said("volscaled", rule=rule, sizing="past")
    at = np.flatnonzero(past.direction)[-1]
    assert np.isclose(past.hints.size_frac[at], 0.2 / frame.realised_vol(96)[at])


def test_regime_lets_a_side_through_in_its_regime_alone(frame: FeatureFrame, said: Said) -> None:
    """Each entry is the rule's own, in a state that is named; `any` lets all of them through, `leave` says where one ends."""
    trend = load_strategy("trend")
    own = evaluate(trend, trend.Params(), frame).direction
    found = said("regime", leave="yes")
    (label,) = [name for name in found.used if name.startswith("regime(")]
    state = found.used[label]
    assert (
        found.direction[WARM:].tolist()
        == np.where(((own > 0) & (state == 1.0)) | ((own < 0) & (state == -1.0)), own, 0)[WARM:].tolist()
    )
    known = ~any_missing(list(found.used.values()))
    assert np.array_equal(found.hints.exit_long[known], (state != 1.0)[known])
    assert not found.hints.exit_long[: WARM - 1].any()
    every = said("regime", long_in="any", short_in="any")
    assert every.direction[WARM:].tolist() == own[WARM:].tolist()


def test_mlsignal_takes_the_likelier_side_where_it_is_sure_and_paid(frame: FeatureFrame, said: Said) -> None:
    """Nothing within `edge_min`, nothing that is expected to move less than the costs."""
    sure = said("mlsignal", leaf=(0.2, 0.8))
    (label,) = [name for name in sure.used if name.startswith("model(")]
    known = ~any_missing(list(sure.used.values()))
    assert known[WARM:].mean() > 0.9
    assert sure.direction[known].tolist() == np.where(sure.used[label] > 0.5, 1, -1)[known].tolist()
    assert not said("mlsignal", leaf=(0.45, 0.55)).direction.any()
    vol = frame.realised_vol(96)
    move = 2e4 * 0.3 * vol * np.sqrt(4 / (365 * 96))
    cost = float(np.nanmedian(move[WARM:]))
    dear = said("mlsignal", leaf=(0.2, 0.8), cost_bps=cost)
    assert (dear.direction[known] != 0).tolist() == (move > cost)[known].tolist()
    assert sure.hints.hold_bars == 4
