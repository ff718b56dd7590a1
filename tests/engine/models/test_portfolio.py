"""A label of several instruments: the volatility of their weights, missing wherever one of their bars is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError
from engine.features.frame import FeatureFrame
from engine.models import artifact, train_config
from engine.models import recipe as training
from engine.models import train as trainer
from engine.models.labels import label_of
from engine.models.leak_check import LeakCheck
from engine.models.model_bars import model_bars
from engine.models.portfolio import OWN, missing_of, portfolio_bars
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.engine.models.test_train import trained
from tests.fakes import recordings

STEP = 900_000
HALVES = 'portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = 0.5 }'


def frame(own: np.ndarray, other: np.ndarray) -> FeatureFrame:
    """Two instruments by their closes."""
    close_ms = STEP * np.arange(1, len(own) + 1, dtype=np.int64)
    made = [(close, close, close, close, np.ones(len(close))) for close in (own, other)]
    beside = {"ETH-USDT": FeatureFrame(close_ms, *made[1], timeframe_ms=STEP)}
    return FeatureFrame(close_ms, *made[0], timeframe_ms=STEP, others=beside)


def changed(portfolio: str) -> tuple[tuple[str, str], ...]:
    """The training file with a portfolio's label."""
    return ('"log_vol_4"', '"portfolio_vol_4"'), ('name = "vol-btc"', f'name = "desk"\n{portfolio}')


def test_the_label_is_the_volatility_of_the_weighed_returns() -> None:
    """By hand; a short leg takes its moves away, and two that cancel have none."""
    dice = np.random.default_rng(1)
    own, other = (100.0 * np.exp(np.cumsum(dice.normal(0.0, 0.01, 60))) for _ in range(2))
    both = frame(own, other)
    found = label_of("portfolio_vol_4", portfolio_bars(both, {OWN: 0.7, "ETH-USDT": -0.2}))
    moves = np.log1p(0.7 * (own[1:] / own[:-1] - 1.0) - 0.2 * (other[1:] / other[:-1] - 1.0))
    for t in (0, 20, 55):
        assert found.values[t] == pytest.approx(np.log(np.sqrt((moves[t : t + 4] ** 2).mean())))
        assert found.known_ms[t] == both.close_ms[t] + 4 * STEP
    assert np.isnan(label_of("portfolio_vol_4", portfolio_bars(frame(own, own), {OWN: 0.5, "ETH-USDT": -0.5})).values).all()
    alone, single = portfolio_bars(both, {OWN: 1.0, "ETH-USDT": 1e-12}), label_of("log_vol_4", both)
    assert label_of("portfolio_vol_4", alone).values[:50] == pytest.approx(single.values[:50])


def test_a_bar_that_one_instrument_lacks_is_missing_and_not_filled() -> None:
    """Every label that looks at a move into it or out of it; none before and after. A loss of everything has no logarithm."""
    dice = np.random.default_rng(2)
    own, other = (100.0 * np.exp(np.cumsum(dice.normal(0.0, 0.01, 60))) for _ in range(2))
    other[30] = np.nan
    holed = frame(own, other)
    found = label_of("portfolio_vol_4", portfolio_bars(holed, {OWN: 0.5, "ETH-USDT": 0.5}))
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [*range(26, 31), *range(56, 60)]
    assert missing_of(holed, {OWN: 0.5, "ETH-USDT": 0.5}) == {OWN: 0, "ETH-USDT": 1}
    assert missing_of(holed, {OWN: 0.5, "ETH-USDT": 0.5}, int(holed.close_ms[30]))["ETH-USDT"] == 0
    other[30], other[40] = other[29], 4.0 * other[39]
    ruined = label_of("portfolio_vol_4", portfolio_bars(frame(own, other), {OWN: 0.5, "ETH-USDT": -0.5}))
    assert np.flatnonzero(np.isnan(ruined.values)).tolist() == [*range(36, 41), *range(56, 60)]


@pytest.mark.parametrize(
    ("portfolio", "what"),
    [
        ('portfolio = "btc"', "not a table of 2 to 20 weights"),
        ('portfolio = { "BTC-USDT" = 1.0 }', "not a table of 2 to 20 weights"),
        ('portfolio = { "BTC-USDT" = 0.5, "ETH" = 0.5 }', "'ETH' is not an instrument"),
        ('portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = 0 }', "the weight of ETH-USDT is '0'"),
        ('portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = nan }', "the weight of ETH-USDT is 'nan'"),
        ('portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = true }', "the weight of ETH-USDT is 'True'"),
        ('portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = 11 }', "the weight of ETH-USDT is '11'"),
        ('portfolio = { "ETH-USDT" = 0.5, "binance:ETH-USDT:perp" = 0.5 }', "names binance:ETH-USDT:perp twice"),
        ('portfolio = "sleeves"', "the sleeves of this desk trade 0 instruments"),
        ("", "needs its weights"),
    ],
)
def test_what_is_wrong_with_weights_is_one_line(write: Write, portfolio: str, what: str) -> None:
    """Before any bar is read."""
    with pytest.raises(BadInput, match=what) as raised:
        train_config.read_config(write(*changed(portfolio)), moment)
    assert "\n" not in str(raised.value)


def test_weights_without_a_target_are_refused_and_the_desks_are_taken(write: Write) -> None:
    """By full name; what is loaded beside is of the label alone."""
    with pytest.raises(BadInput, match="portfolio is given, and no target is portfolio_vol_N"):
        train_config.read_config(write(('name = "vol-btc"', f'name = "desk"\n{HALVES}')), moment)
    desk = {"binance:BTC-USDT:perp": 0.25, "binance:SOL-USDT:perp": 0.75}
    (unit,) = train_config.read_config(write(*changed('portfolio = "sleeves"')), moment, lambda: desk)
    assert (unit.weights, unit.recipe.portfolio) == (desk, {OWN: 0.25, "binance:SOL-USDT:perp": 0.75})
    assert unit.reads.instruments == ()
    assert unit.loads.instruments == (("binance:SOL-USDT:perp", "binance:SOL-USDT:perp"),)


@pytest.mark.slow
def test_a_portfolio_is_trained_beside_a_coin(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are of its own label against a HAR of its own; missing bars are said, and a reader needs one instrument."""
    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    folder = recordings.record(tmp_path / "bars", 3_456)
    recordings.write(
        folder,
        "binance_ETH-USDT_perp_15m",
        recordings.bars(3_456, 2, 3_000.0, 0.01)[:2_000].vstack(recordings.bars(3_456, 2, 3_000.0, 0.01)[2_003:]),
    )
    place = TrainingPlace(Catalog([(folder, "test")]), {}, tmp_path / "models", tmp_path / "work")
    path = write(('"log_vol_4"', '"log_vol_4", "portfolio_vol_4"'), ('name = "vol-btc"', f'name = "desk"\n{HALVES}'))
    units = train_config.read_config(path, moment)
    assert [unit.name for unit in units] == ["desk-log-vol-4", "desk-portfolio-vol-4"]
    loaded = [model_bars(place.catalog, u.instrument, u.timeframe, u.loads, u.from_ms, u.to_ms) for u in units]
    rows = [training.prepare(u.recipe, one.frame) for u, one in zip(units, loaded, strict=True)]
    assert [int(np.isnan(one.label.values).sum()) for one in rows] == [4, 4 + 4 + 3]
    coin, desk = trained(path, place)["items"]
    found: dict[str, Any] = desk
    assert (found["figure"], sorted(found["baselines"])) == ("R2", ["HAR", "base rate", "last known"])
    assert coin["baselines"]["HAR"]["value"] != found["baselines"]["HAR"]["value"]
    assert 0.4 < found["up_or_down"]["value"] < 0.9
    assert found["notes"][-1] == (
        "portfolio: 0.5 binance:BTC-USDT:perp (0 bars missing), 0.5 binance:ETH-USDT:perp (3 bars missing); "
        "a label that needs a missing bar is missing"
    )
    model = artifact.load(place.models, "desk-portfolio-vol-4", "1.0.0")
    assert model.about["label"]["portfolio"] == {"binance:BTC-USDT:perp": 0.5, "binance:ETH-USDT:perp": 0.5}
    assert (model.about["config"]["instruments"], len(model.about["data"])) == ([], 2)


def test_an_instrument_without_bars_in_a_fold_is_named(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ETH begins after the first fold's training: the line says which instrument lacks how many bars."""
    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    folder = recordings.record(tmp_path / "bars", 3_456)
    recordings.write(folder, "binance_ETH-USDT_perp_15m", recordings.bars(3_456, 2, 3_000.0, 0.01)[2_500:])
    place = TrainingPlace(Catalog([(folder, "test")]), {}, tmp_path / "models", tmp_path / "work")
    lacks = r"fold 1 has 0 labelled training rows.* binance:ETH-USDT:perp \(2,500 bars missing\)"
    with pytest.raises(DataError, match=lacks):
        trained(write(*changed(HALVES)), place)
