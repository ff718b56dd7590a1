"""The tools `models` and `propose_model`: what is stored, who reads it, and a version that its gates stop."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from tests.fakes.stored_models import metrics_of, store
from tools.catalog import call

BTC = "binance:BTC-USDT:perp"
NAME = "vol-btc-usdt"


@pytest.fixture
def desk(make_ctx: Any, db: Any) -> Callable[..., Any]:
    """A sleeve that reads 1.0.0 of its model; 1.0.1 failed two gates."""
    home = make_ctx().home
    store(home / "models", NAME, instrument=BTC)
    sleeve = SleeveConfig(name="vol-btc", strategy="volscaled", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,)), home / "strategies"), 0, "test")
    store(home / "models", NAME, "1.0.1", instrument=BTC, metrics=metrics_of("gap", "baseline", value=0.47))
    return make_ctx  # type: ignore[no-any-return]


def test_models_are_listed_with_who_reads_them(desk: Any) -> None:
    """Any role may ask; figures are facts."""
    ctx = desk("advisor")
    result = call(ctx, "models", {"model": None, "sleeve": None})
    assert result.status == "ok", result.text
    assert "vol-btc reads vol-btc-usdt@1.0.0 since 1970-01-01 00:00Z, by desk.toml (every gate passed)" in result.text
    assert [row[:3] for row in result.table.rows] == [
        ("vol-btc-usdt@1.0.1", "refused", "-"),
        ("vol-btc-usdt@1.0.0", "champion since 1970-01-01 00:00Z", "vol-btc"),
    ]
    assert result.table.rows[0][-1] == "failed: gap, baseline"
    assert {f.metric: f.value for f in result.facts if f.subject == "model vol-btc-usdt@1.0.1"}["value"] == 0.47
    of_sleeve = call(ctx, "models", {"model": None, "sleeve": "vol-btc"})
    assert of_sleeve.data["models"] == ["vol-btc-usdt@1.0.0"]


def test_one_version_is_set_beside_the_champion(desk: Any) -> None:
    """Its gates with their figures, and both columns."""
    result = call(desk("operator"), "models", {"model": f"{NAME}@1.0.1", "sleeve": None})
    assert "refused; failed: gap, baseline" in result.text
    assert "gap: gap by hand" in result.text
    assert "R2 {m1.value} on {m1.rows} rows" in result.text
    assert result.table.columns == ("", "1.0.0 (now)", "1.0.1")
    assert ("R2", "0.450 (0.420 to 0.480)", "0.470 (0.440 to 0.500)") in result.table.rows


def test_gates_are_listed_those_that_stop_it_first(desk: Any) -> None:
    """Of the version that a sleeve reads where none is named."""
    result = call(desk("advisor"), "models", {"model": f"{NAME}@1.0.1", "sleeve": None, "gates": True})
    assert [row[:2] for row in result.table.rows[:3]] == [("gap", "FAILED"), ("baseline", "FAILED"), ("too_good", "passed")]
    assert "failed: gap, baseline" in result.text
    read = call(desk("advisor"), "models", {"model": NAME, "sleeve": None, "gates": True})
    assert read.text.startswith(f"{NAME}@1.0.0: champion; every gate passed.")
    assert {row[1] for row in read.table.rows} == {"passed"}


def test_any_two_versions_are_set_beside_each_other(desk: Any) -> None:
    """The one that is read now is named so; a version that is not stored is refused by name."""
    result = call(desk("advisor"), "models", {"model": f"{NAME}@1.0.0", "sleeve": None, "beside": "1.0.1"})
    assert result.table.columns == ("", "1.0.1", "1.0.0")
    gone = call(desk("advisor"), "models", {"model": f"{NAME}@1.0.0", "sleeve": None, "beside": "9.0.0"})
    assert (gone.status, "is not stored" in gone.text) == ("failed", True)


@pytest.mark.parametrize(
    ("args", "status", "what"),
    [
        ({"model": "calm", "sleeve": None}, "no_data", "calm: no stored model; stored: vol-btc-usdt"),
        ({"model": f"{NAME}@9.0.0", "sleeve": None}, "failed", "is not stored - versions of vol-btc-usdt: 1.0.0, 1.0.1"),
        ({"model": None, "sleeve": "eth"}, "failed", "no sleeve 'eth'"),
    ],
)
def test_what_is_not_there_is_named(desk: Any, args: Any, status: str, what: str) -> None:
    """In one line."""
    result = call(desk(), "models", args)
    assert (result.status, what in result.text) == (status, True), result.text


def test_a_version_with_red_gates_is_not_proposed(desk: Any) -> None:
    """Before a job is started; and by the developer alone."""
    ctx, args = desk(), {"sleeve": "vol-btc", "model": f"{NAME}@1.0.1", "rationale": "it is newer"}
    result = call(ctx, "propose_model", args)
    assert (result.status, ctx.jobs.asked) == ("refused", [])
    assert "vol-btc-usdt@1.0.1 is stopped by its gates: gap: gap by hand; baseline: baseline by hand" in result.text
    change = {"sleeve": "vol-btc", "changes": [{"key": "models", "value": f"{NAME}=1.0.1"}], "rationale": "it is newer"}
    other = call(ctx, "propose_config", change)
    assert (other.status, "is stopped by its gates" in other.text) == ("refused", True)
    assert "belongs to the developer" in call(desk("advisor"), "propose_model", args).text
