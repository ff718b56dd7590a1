"""The version of a stored model is configuration: a proposal changes it, a person applies it, the door looks at the artifact."""

import pytest

from app.home.home import Home
from engine.control.config import SleeveConfig, active, validated
from engine.control.desk_models import models_in_force
from engine.control.direction import direction
from engine.control.draft import draft
from engine.control.limits import HardLimits
from engine.control.model_pins import newest_named, require_models
from engine.control.proposals import evidence_fault
from engine.control.rollbacks import create_rollback
from engine.errors import BadInput, Refused
from engine.strategies.base import load_strategy
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS
from tests.fakes.stored_models import store
from tests.fakes.versions import put_in_force

READS = 'direction = np.where(f.model("vol-btc") > 0, 1, -1)'


@pytest.fixture
def modelled(home: Home) -> Home:
    """A sleeve that reads vol-btc 1.0.0; 1.0.1 is stored after it was put in force."""
    store(home.path / "models")
    with_own(home, READS, 'MODELS = ("vol-btc",)')
    store(home.path / "models", version="1.0.1")
    return home


def test_another_version_is_proposed_and_is_no_tightening(modelled: Home) -> None:
    """Its direction is unknown, which a person approves as a loosening; nothing else of the sleeve moves."""
    found = draft(modelled.engine, modelled.path, SLEEVE, {"models": "vol-btc=1.0.1"})
    assert found.changes == [
        {"key": "models", "old": "vol-btc=1.0.0", "value": "vol-btc=1.0.1", "low": None, "high": None, "unit": ""}
    ]
    assert (found.direction.label, found.direction.keys) == ("unknown", {"models": "unknown"})
    with pytest.raises(Refused, match="only a change that tightens may apply to open positions"):
        draft(modelled.engine, modelled.path, SLEEVE, {"models": "vol-btc=1.0.1"}, apply_to_open=True)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("vol-btc=7.0.0", r"sleeve btc-trend: the model vol-btc 7\.0\.0 is not stored - versions of vol-btc: 1\.0\.0, 1\.0\.1"),
        ("calm=1.0.0", "own on BTC-USDT does not read the model calm"),
        ("1.0.1", "is not a model with its version"),
        (3, "names no version"),
    ],
)
def test_what_is_no_version_is_refused(modelled: Home, value: object, what: str) -> None:
    """When it is proposed."""
    with pytest.raises(BadInput, match=what):
        draft(modelled.engine, modelled.path, SLEEVE, {"models": value})


def test_a_damaged_version_is_refused_when_it_is_proposed(modelled: Home) -> None:
    """Every byte is compared then, not at the first bar."""
    path = modelled.path / "models" / "vol-btc" / "1.0.1" / "fits" / "0001.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("-0.5", "-0.6"))
    with pytest.raises(BadInput, match=r"sleeve btc-trend: the model vol-btc 1\.0\.1: fits/0001\.json was changed"):
        draft(modelled.engine, modelled.path, SLEEVE, {"models": "vol-btc=1.0.1"})


def test_a_model_of_another_symbol_is_refused_for_the_sleeve(modelled: Home) -> None:
    """By name, when the configuration is looked at."""
    store(modelled.path / "models", version="2.0.0", instrument="synthetic:ETH-USDT:perp")
    sleeve = active(modelled.engine, modelled.path).config.sleeve(SLEEVE)
    with pytest.raises(
        BadInput, match=r"sleeve btc-trend: .* is of synthetic:ETH-USDT:perp, the sleeve of synthetic:BTC-USDT:perp"
    ):
        require_models([sleeve.model_copy(update={"models": "vol-btc=2.0.0"})], modelled.strategies)


def test_a_rollback_to_a_model_that_is_gone_is_refused(modelled: Home) -> None:
    """The version before is not restored on paper alone."""
    config = active(modelled.engine, modelled.path).config
    moved = config.with_sleeve(config.sleeve(SLEEVE).model_copy(update={"models": "vol-btc=1.0.1"}))
    before = active(modelled.engine, modelled.path).version
    put_in_force(modelled.engine, modelled.path, validated(moved, modelled.strategies), WALL_MS)
    (modelled.path / "models" / "vol-btc" / "1.0.0").rename(modelled.path / "elsewhere")
    with pytest.raises(BadInput, match=r"the model vol-btc 1\.0\.0 is not stored"):
        create_rollback(modelled.engine, modelled.path, before, requester={"name": "kim"}, now_ms=WALL_MS)


def test_evidence_read_the_proposed_version(modelled: Home) -> None:
    """A run with another version shows nothing of it."""
    sleeve = active(modelled.engine, modelled.path).config.sleeve(SLEEVE)
    run = {"sleeves": [{"strategy": "own", "symbol": "BTC-USDT", "params": dict(sleeve.params), "models": "vol-btc=1.0.1"}]}
    assert evidence_fault(run, sleeve) == "it read vol-btc=1.0.1, not vol-btc=1.0.0"
    run["sleeves"][0]["models"] = "vol-btc=1.0.0"
    assert evidence_fault(run, sleeve) == ""


def test_what_the_desk_reads_is_what_a_backtest_reads(modelled: Home) -> None:
    """The version in force though a later one is stored; of two sleeves with two the newest."""
    assert models_in_force(modelled.engine, modelled.path) == {"vol-btc": "1.0.0"}
    own = active(modelled.engine, modelled.path).config.sleeve(SLEEVE)
    several = [own.model_copy(update={"models": f"vol-btc={version}"}) for version in ("1.9.0", "1.10.0", "1.2.0")]
    assert newest_named(several) == {"vol-btc": "1.10.0"}


def test_a_sleeve_without_models_is_stored_as_it_always_was() -> None:
    """And its direction is not touched."""
    sleeve = SleeveConfig(name="a", strategy="trend", venue="binance", symbol="BTC-USDT")
    assert "models" not in sleeve.model_dump(exclude_none=True)
    same = direction(sleeve, sleeve, load_strategy("trend").Params, HardLimits.model_validate({}))
    assert same.label == "neutral"
