"""A backtest of a strategy that reads a stored model: which version answers, what the run's record says, what is refused."""

import numpy as np
import pytest

from app.home.home import Home
from engine.errors import BadInput, DeskError
from engine.sim.backtest import simulate
from engine.sim.request import Plan, Request, SleeveRequest, plan, request_of
from engine.strategies.base import import_file
from engine.strategies.isolated.described import read_strategy
from tests.fakes.own_strategies import own_strategy
from tests.fakes.stored_models import FEATURES, store

SIDES = 'direction = np.where(f.model("vol-btc") > 0, 1, -1)'


def planned(home: Home, models: str = "", declared: str = 'MODELS = ("vol-btc",)', code: str = SIDES, **in_force: str) -> Plan:
    """A backtest of a person's own strategy that reads vol-btc."""
    own_strategy(home.strategies, code, declared)
    sleeve = SleeveRequest("own", "BTC-USDT", "synthetic", models=models)
    return plan(Request((sleeve,)), home.catalog, home.strategies, in_force=in_force)


def test_which_version_a_backtest_reads(home: Home) -> None:
    """The one that is asked for, else the desk's, else the latest; it is part of what the run is of, and comes back from it."""
    for version in ("1.0.0", "1.0.1", "1.1.0"):
        store(home.path / "models", version=version)
    asked = planned(home, "vol-btc=1.0.0", **{"vol-btc": "1.0.1"})
    desk, latest = planned(home, **{"vol-btc": "1.0.1"}), planned(home)
    assert [p.sleeves[0].spec.models for p in (asked, desk, latest)] == ["vol-btc=1.0.0", "vol-btc=1.0.1", "vol-btc=1.1.0"]
    assert len({p.cache_key for p in (asked, desk, latest)}) == 3
    again = plan(request_of(asked.config)[0], home.catalog, home.strategies)
    assert again.config == asked.config
    run = simulate(asked)
    ((name, sha256),) = run.report["sleeves"][0]["model_sha256"].items()
    answers = int(np.isfinite(run.used[0]["model(vol-btc@1.0.0)"]).sum())
    assert 0 < answers < len(run.close_ms)
    note = f"reads the model {name} ({sha256[:12]}): an answer at {answers:,} of {len(run.close_ms):,} closes"
    assert note in run.report["notes"]
    with pytest.raises(BadInput, match="own on BTC-USDT does not read the model calm - it reads: vol-btc"):
        planned(home, "calm=1.0.0")
    with pytest.raises(
        BadInput, match=r"the model vol-btc 7\.0\.0 is not stored - versions of vol-btc: 1\.0\.0, 1\.0\.1, 1\.1\.0"
    ):
        planned(home, "vol-btc=7.0.0")


def test_equal_numbers_of_other_bytes_are_another_run(home: Home) -> None:
    """The digest is part of the configuration, not the version alone."""
    store(home.path / "models")
    one = planned(home)
    (home.path / "models" / "vol-btc").rename(home.path / "kept")
    store(home.path / "models", days=(20, 31))
    other = planned(home)
    assert one.cache_key != other.cache_key
    assert one.config["sleeves"][0]["models"] == other.config["sleeves"][0]["models"] == "vol-btc=1.0.0"


def test_a_run_without_models_is_what_it_was(home: Home) -> None:
    """No word of models in its configuration: hashes of earlier runs hold."""
    found = planned(home, declared="", code="direction = np.sign(f.close - f.sma(8))").config["sleeves"][0]
    assert not {"models", "model_sha256"} & set(found)


def test_what_is_not_declared_is_not_read(home: Home) -> None:
    """Named with what to do; nor over another timeframe, which the model was not trained on."""
    store(home.path / "models")
    for code, what in (
        (SIDES, "it reads the model vol-btc, which MODELS does not list"),
        ('direction = np.sign(f.at("4h").model("vol-btc"))', "no feature 'model'"),
    ):
        with pytest.raises(DeskError, match=what):
            simulate(planned(home, declared="", code=code))


@pytest.mark.slow
def test_a_model_reads_what_it_was_trained_with(home: Home) -> None:
    """Another instrument and nothing of the strategy's own: the strategy still cannot read it."""
    features = ("ETH-USDT.returns(4)", "realised_vol(16)")
    store(home.path / "models", features=features, reads=["x"], instruments=[["ETH-USDT", "synthetic:ETH-USDT:perp"]], series=[])
    run = simulate(planned(home))
    assert run.report["leaks"]["clean"], run.report["leaks"]
    (label,) = [name for name in run.used[0] if name.startswith("model(")]
    with_btc = store(home.path / "other", features=FEATURES)
    assert label == "model(vol-btc@1.0.0)"
    assert "synthetic_ETH-USDT_perp_15m.parquet" in run.report["data"]["files"]
    assert len(set(run.used[0][label].tolist())) > 3
    assert with_btc.features.calls != run.plan.sleeves[0].models[0].columns.model.features.calls
    with pytest.raises(DeskError, match="it reads ETH-USDT, which INSTRUMENTS does not list"):
        simulate(planned(home, code=f'{SIDES} * np.sign(f.of("ETH-USDT").close)'))


def test_a_strategy_that_uses_tomorrows_prediction_is_found(home: Home) -> None:
    """The look-ahead check sees the column as any feature."""
    store(home.path / "models")
    code = 'said = f.model("vol-btc"); direction = np.where(np.append(said[1:], 0.0) > 0, 1, -1)'
    run = simulate(planned(home, code=code))
    assert run.report["leaks"]["looks_ahead"]


def test_a_file_that_declares_models_is_described_without_running_it(home: Home) -> None:
    """As the worker reads it."""
    path = own_strategy(home.strategies, SIDES, 'MODELS = ("vol-btc",)')
    assert tuple(read_strategy("own", home.strategies).MODELS) == ("vol-btc",) == tuple(import_file(path).MODELS)


@pytest.mark.slow
def test_a_feature_over_other_instruments_is_the_models_own(home: Home) -> None:
    """The first of INSTRUMENTS is another for the model than for the strategy, whichever is read first."""
    features = ("relative_return(48)", "realised_vol(16)")
    beside = {"reads": ["x"], "instruments": [["ETH-USDT", "synthetic:ETH-USDT:perp"]], "series": []}
    store(home.path / "models", features=features, **beside)
    alone = simulate(planned(home)).used[0]["model(vol-btc@1.0.0)"]
    own = 'INSTRUMENTS = ("SOL-USDT",)\nMODELS = ("vol-btc",)'
    for code in (f"f.relative_return(48); {SIDES}", f"{SIDES}; f.relative_return(48)"):
        own_strategy(home.strategies, code, own)
        path = home.strategies / "own.py"
        path.write_text(path.read_text().replace('("sma", "ema")', '("relative_return",)'))
        sleeve = SleeveRequest("own", "BTC-USDT", "synthetic")
        run = simulate(plan(Request((sleeve,)), home.catalog, home.strategies))
        assert run.used[0]["model(vol-btc@1.0.0)"].tobytes() == alone.tobytes()
        assert len({values.tobytes() for values in run.used[0].values()}) == len(run.used[0])
