"""`nightdesk sweep` as it is typed: what it stores is what it compared, and values that cannot be are one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import main
from app.cli.sweep import register
from app.home.home import open_home
from app.jobs import kinds
from engine.errors import BadInput
from engine.research.ledger import place_of_run
from engine.store.runs import Runs
from tests.fakes import recordings


@pytest.fixture(autouse=True)
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BTC from the first of January, ETH ten days later."""
    folder = recordings.record(tmp_path / "bars", 2_000)
    late = recordings.bars(2_000, seed=2, price=3_000.0, tick=0.01)[960:]
    recordings.write(folder, "binance_ETH-USDT_perp_15m", late)
    monkeypatch.setenv("NIGHTDESK_DATA", str(folder))


def invoke(*words: str) -> Any:
    """A sweep of two stops, as JSON."""
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["sweep", "trend", "--json", "--vary", "stop_atr=1,3", *words])


def test_the_best_is_stored_on_the_days_that_all_symbols_have() -> None:
    """Once a symbol, also when it is named twice; each run knows its trial."""
    found = json.loads(invoke("--symbol", "BTC-USDT,ETH-USDT,BTC-USDT").stdout)
    home = open_home()
    runs = [Runs(home.runs, home.engine).load(one["run_id"]) for one in found["runs"]]
    assert [one["symbol"] for one in found["runs"]] == ["BTC-USDT", "ETH-USDT"]
    assert "of 3 symbols named 2 are different: each runs once" in found["notes"]
    for run in runs:
        assert (run["data"]["first_ms"], run["data"]["last_ms"]) == (found["first_ms"], found["last_ms"])
        assert place_of_run(home.engine, run["run_id"]) is not None
    total = sum(run["metrics"]["total_return_frac"] for run in runs) / 2
    assert total == pytest.approx(found["best"]["total_return_frac"], rel=1e-12)


@pytest.mark.parametrize(
    "words", [["--vary", "fast_bars=1e999999,5"], ["--seed", str(2**32)], ["--vary", "fast_bars=1:1e999999:1"]]
)
def test_a_value_that_cannot_be_is_refused_at_once(words: list[str]) -> None:
    """Without a traceback."""
    result = invoke("--symbol", "BTC-USDT", *words)
    assert result.exit_code == 2 or isinstance(result.exception, BadInput), result.exception


@pytest.mark.slow
def test_a_setting_that_only_the_varied_values_complete_is_swept(own_home: Path) -> None:
    """No stop in ATRs with stops as fractions: as many variations as were asked for, each with a stop; in folds too."""
    app = typer.Typer()
    register(app)
    words = ["trend", "--json", "--symbol", "BTC-USDT", "--set", "stop_atr=0", "--vary", "stop_frac=0.03,0.05"]
    found = json.loads(CliRunner().invoke(app, ["sweep", *words]).stdout)
    assert (found["variations"], found["refused"], found["failed_count"]) == (2, 0, 0)
    run = Runs(own_home / "runs", open_home().engine).load(found["runs"][0]["run_id"])
    assert (run["params"]["stop_atr"], run["params"]["stop_frac"]) == (0.0, found["best"]["params"]["stop_frac"])
    forward = CliRunner().invoke(app, ["walkforward", *words, "--train", "10d", "--test", "3d"])
    assert json.loads(forward.stdout)["variations"] == 2


def test_a_parameter_that_is_set_and_varied_is_refused() -> None:
    """Neither of the two is guessed to be meant."""
    result = invoke("--symbol", "BTC-USDT", "--set", "stop_atr=2")
    assert isinstance(result.exception, BadInput)
    assert str(result.exception) == "stop_atr is set to 2 and varied - do one of the two"


ENDLESS = """
import signal
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob
NAME, FEATURES = "{name}", ("sma",)
class Params(StrategyParams):
    n: int = knob(20, 2, 200, "bars", None, "window")
def signals(f, p):
    while p.n == 30:
        signal.raise_signal(signal.SIGALRM)  # the time limit's own, without the wait for it
    return SignalFrame(np.where(f.close > f.sma(p.n), 1, -1).astype(np.int8), np.ones(len(f)))
"""


def test_a_variation_that_never_ends_is_named(own_home: Path) -> None:
    """With what to do; what it is not about keeps running when its value is left out."""
    recordings.strategy(own_home / "strategies", "endless", ENDLESS)
    app = typer.Typer()
    register(app)
    words = ["sweep", "endless", "--json", "--symbol", "BTC-USDT", "--no-full", "--time-limit", "600"]
    result = CliRunner().invoke(app, [*words, "--vary", "n=10,20,30"])
    said = str(result.exception)
    assert said.startswith("the sweep of endless did not end within 600 s and was stopped, in the variation n=30, else the base")
    assert said.endswith("leave its values out, or raise --time-limit")
    assert json.loads(CliRunner().invoke(app, [*words, "--vary", "n=10,20"]).stdout)["variations"] == 2


def test_stopped_by_hand_it_says_so_and_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C, through the entry point: exit code 130, no traceback, and what to do."""

    def interrupted(*_args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(kinds, "sweep", interrupted)
    monkeypatch.setattr("sys.argv", ["nightdesk", "sweep", "trend", "--symbol", "BTC-USDT", "--vary", "stop_atr=1,2"])
    with pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code == 130
    said = capsys.readouterr().err.splitlines()
    assert said == ["what has run is in the ledger; the same command goes on from there", "nightdesk: stopped"]
