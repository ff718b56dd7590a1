"""`nightdesk backtest pairs` as it is typed: what each pair made, what is refused, and that no desk trades a basket."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from app.cli.backtest import register
from engine.control.config import DeskConfig, SleeveConfig, validated
from engine.control.direction import direction
from engine.control.limits import HardLimits
from engine.errors import BadInput, DataError
from engine.store.runs import Runs
from engine.strategies.base import load_strategy
from engine.strategies.pairs import Params, fits_of, pairs_of, terms_of
from tests.app.cli.test_cli_pairs import write

BARS = 2_400
COINS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
SHORT = ("--timeframe", "1h", "--funding", "none", "--set", "window_days=10", "--set", "step_days=2", "--cash", "100000")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three coins: ETH returns to BTC within half a day, SOL goes its own way."""
    dice = np.random.default_rng(4)
    btc, sol, spread = np.cumsum(dice.normal(0, 0.004, BARS)), np.cumsum(dice.normal(0, 0.006, BARS)), np.zeros(BARS)
    for t in range(1, BARS):
        spread[t] = 0.95 * spread[t - 1] + dice.normal(0.0, 0.006)
    for name, path in zip(COINS, (8.0 + btc, 7.0 + 0.9 * btc + spread, 4.0 + sol), strict=True):
        write(tmp_path / "bars", name, path)
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "bars"))
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
    return tmp_path / "bars"


def typed(*words: str, strategy: str = "pairs", as_json: bool = True) -> Any:
    """The backtest, as JSON or text. Raises what the command raises."""
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["backtest", strategy, *(["--json"] if as_json else []), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout) if as_json else done.stdout


def trips_in(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Its stored round trips."""
    found: list[dict[str, Any]] = Runs(Path(run["folder"]).parent).frame(run["run_id"], "trips").to_dicts()
    return found


@pytest.mark.usefixtures("folder")
def test_each_pair_has_its_trips_and_they_sum_to_the_basket() -> None:
    """And the planted pair made the money."""
    found = typed("--symbol", ",".join(COINS), *SHORT)
    assert [(row["a"], row["b"]) for row in found["pairs"]] == [COINS[:2], (COINS[0], COINS[2]), COINS[1:]]
    nets = {(row["a"], row["b"]): row["net"] for row in found["pairs"]}
    assert max(nets, key=lambda pair: nets[pair]) == COINS[:2]
    assert nets[COINS[:2]] > 0.0
    assert sum(nets.values()) == pytest.approx(found["metrics"]["net_profit"], abs=0.01)
    for row in found["pairs"]:
        own = [trip for trip in trips_in(found) if (trip["a"], trip["b"]) == (row["a"], row["b"])]
        assert sum(trip["net"] for trip in own) == pytest.approx(row["net"], abs=0.001)
        assert len(own) == row["trips"] + row["open"]
        assert row["net"] == pytest.approx(row["gross"] - row["slippage"] - row["fees"] + row["funding"], abs=1e-6)
        for name in ("gross", "slippage", "fees", "funding", "net"):
            assert sum(leg[name] for leg in row["legs"]) == pytest.approx(row[name], abs=1e-6)
    for leg in found["legs"]:
        parts = [part["net"] for row in found["pairs"] for part in row["legs"] if part["symbol"] == leg["symbol"]]
        assert len(parts) == 2
        assert sum(parts) == pytest.approx(leg["net"], abs=1e-6)
    assert found["scenarios"].keys() == {"pessimistic", "optimistic", "ambiguous_bars"}
    assert found["journal_hash"] == typed("--symbol", ",".join(COINS), *SHORT, "--fresh")["journal_hash"]


@pytest.mark.usefixtures("folder")
def test_the_text_has_verdict_pairs_and_notes() -> None:
    """What a person reads in a terminal."""
    text = typed("--symbol", ",".join(COINS), *SHORT, as_json=False)
    assert "after costs" in text
    assert "BTC-USDT ETH-USDT" in text
    assert "max drawdown" in text


@pytest.mark.usefixtures("folder")
def test_a_basket_of_a_leg_whose_bars_end_closes_its_pairs(folder: Path) -> None:
    """The leg at its last close, its mates at the next open."""
    dice = np.random.default_rng(9)
    write(folder, "SOL-USDT", 4.0 + np.cumsum(dice.normal(0, 0.006, BARS // 2)))
    found = typed("--symbol", ",".join(COINS), *SHORT)
    last = max(trip["exit_ms"] for trip in trips_in(found) if "SOL-USDT" in (trip["a"], trip["b"]))
    end = found["data"]["first_ms"] + (BARS // 2 + 1) * 3_600_000
    assert last <= end, "at the latest one bar after its last"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbol", "BTC-USDT"], "a basket of 1 leg"),
        (["--symbol", "BTC-USDT,BTC-USDT"], "a leg named twice"),
        (["--symbol", "BTC-USDT,ETHUSDT"], "did you mean ETH-USDT"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--side", "long"], "side = long is of one instrument"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--limits", "wide"], "limits = wide is of one instrument"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--delay-bars", "2"], "delay_bars = 2 is of one instrument"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--fills", "vwap"], "fills = vwap is of one instrument"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--set", "trail_atr=2"], "a basket does not use it"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--set", "enter=5"], "must be in ascending order"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--set", "windows=5"], "no parameter 'windows'"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--set", "mode=trend"], "is not one of mean, momentum"),
        (["--symbol", "BTC-USDT,ETH-USDT", "--to", "2025-02", "--set", "window_days=60"], "no pair has 60 days"),
        (["--symbol", ",".join(f"A{n}-USDT" for n in range(13))], "a basket of 13 legs"),
    ],
)
def test_what_no_basket_can_do_is_refused_in_one_line(words: list[str], said: str) -> None:
    """What, and what to do."""
    with pytest.raises((BadInput, DataError), match=said) as refused:
        typed(*words, "--timeframe", "1h", "--funding", "none")
    assert "\n" not in str(refused.value)


def test_a_sleeve_of_a_basket_without_legs_is_refused() -> None:
    """At its configuration, in one line that says what to write."""
    sleeve = SleeveConfig(name="book", strategy="pairs", venue="binance", symbol="BTC-USDT")
    with pytest.raises(BadInput, match="sleeve book: pairs trades a basket and has no legs") as refused:
        validated(DeskConfig(sleeves=(sleeve,)))
    assert "write legs = " in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_other_ways_to_a_run_say_where_a_basket_trades() -> None:
    """A sweep, a judgement, a run of several sleeves: one sentence."""
    from engine.sim import backtest

    with pytest.raises(BadInput, match="pairs trades a basket of instruments: it is the only sleeve of one"):
        backtest("pairs", "BTC-USDT", "1h")


@pytest.mark.parametrize(
    "change", [{"window_days": 30.0}, {"step_days": 1.0}, {"mode": "momentum"}, {"enter": 3.0}, {"leave": 0.5}]
)
def test_what_moves_the_hedge_never_tightens(change: dict[str, Any]) -> None:
    """The hedge ratio comes of the window and its step: with another one, legs are other risk."""
    old = SleeveConfig(name="book", strategy="pairs", venue="binance", symbol="BTC-USDT", params=Params().model_dump())
    new = old.model_copy(update={"params": old.params | change})
    assert direction(old, new, Params, HardLimits()).label == "unknown", "which is treated as loosening"
    other = old.model_copy(update={"symbol": "ETH-USDT"})
    assert direction(old, other, Params, HardLimits()).label == "unknown"


def test_fits_look_at_bars_before_them_alone() -> None:
    """A bar changed from t on changes no fit that decides up to t; and a run that begins later has the same fits."""
    dice, params = np.random.default_rng(2), Params(window_days=10.0, step_days=1.0)
    close_ms = 1_735_689_600_000 + 3_600_000 * np.arange(1, 801, dtype=np.int64)
    logs = np.cumsum(dice.normal(0.0, 0.01, (800, 3)), axis=0)
    whole = fits_of(logs, close_ms, 3_600_000, params)
    changed = logs.copy()
    changed[503:] += 1.0  # a close at midnight, where a new fit begins to decide
    for column, other in zip(whole, fits_of(changed, close_ms, 3_600_000, params), strict=True):
        np.testing.assert_array_equal(column[:504], other[:504])
    for column, later in zip(whole, fits_of(logs[100:], close_ms[100:], 3_600_000, params), strict=True):
        np.testing.assert_array_equal(column[400:], later[300:])
    assert np.isfinite(whole.hedge[300:]).all()
    assert not np.isfinite(whole.hedge[:240]).any()
    assert pairs_of(3) == [(0, 1), (0, 2), (1, 2)]


def test_the_strategy_says_what_the_core_trades_by() -> None:
    """Its parameters, as the core reads them."""
    assert load_strategy("pairs").BASKET
    assert terms_of(Params()) == (2.0, 0.0, 4.0, 0, 0.5)
    assert terms_of(Params(mode="momentum", momentum_bars=7)).momentum_bars == 7


@pytest.mark.long
def test_recorded_coins_have_no_edge(market_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pairs of 2025, hours at Binance: the basket loses after costs, and before them."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path))
    coins = ",".join(f"{coin}-USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "BNB"))
    for mode in ("mean", "momentum"):
        found = typed(
            "--symbol", coins, "--timeframe", "1h", "--from", "2025", "--to", "2026", "--cash", "100000", "--set", f"mode={mode}"
        )
        assert found["verdict"].startswith("No edge after costs")
        assert sum(row["gross"] for row in found["pairs"]) < 0.0
