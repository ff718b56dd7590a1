"""One resolver of configuration: the same request gives the same figures through every door, and reading makes no home."""

import json
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.jobs import kinds
from engine.book.snapshot import restored
from engine.control.config import active
from engine.control.desk_setup import desk_setup
from engine.core.state import Limits, Rules
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.live import config_event
from engine.sim import backtest
from engine.sim.backtest import load, rules_in, simulate
from tests.fakes import recordings
from tools.setups import named_setup

DEAR = """
[[sleeves]]
name = "btc-trend"
strategy = "trend"
venue = "binance"
symbol = "BTC-USDT"

[limits]
streak_max = 2
risk_frac_max = 0.001

[instruments."binance:BTC-USDT:perp"]
taker_frac = 0.001
maker_frac = 0.001
"""
ASK = {"strategy": "trend", "symbol": "BTC-USDT", "end": "2025-01-20"}


@pytest.fixture
def home(own_home: Path) -> Home:
    """A home whose desk.toml has fees of 10 bps and limits of its own, and a month of made-up bars."""
    recordings.record(own_home / "data", symbols=("BTC-USDT",))
    (own_home / "desk.toml").write_text(DEAR)
    return open_home()


def test_every_door_gives_the_same_figures(home: Home) -> None:
    """Command, job, tool and notebook: one configuration hash and one journal; the fees of desk.toml are in it."""
    command = kinds.backtest(home, ASK)
    notebook = backtest("trend", "BTC-USDT", to="2025-01-20", cash=10_000)
    for name in ("config_hash", "journal_hash", "cache_key"):
        assert notebook.report[name] == command[name], name
    assert notebook.metrics == command["metrics"]
    assert notebook.report["config"]["instruments"]["binance:BTC-USDT:perp"]["taker_frac"] == 0.001
    assert notebook.report["config"]["limits"] == home.desk.limits.desk()._asdict()
    setup = named_setup("trend", "btc-usdt", "15m", None)
    asked = {"sleeves": [dict(setup.sleeve)], "timeframe": setup.timeframe, "start": None, "end": "2025-01-20"}
    assert kinds.planned(home, json.loads(json.dumps(asked))).config_hash == command["config_hash"]
    elsewhere = backtest("trend", "BTC-USDT", to="2025-01-20", catalog=home.catalog, home=home.path / "none")
    dear, usual = (run.metrics["fees"] / run.metrics["traded"] for run in (notebook, elsewhere))
    assert dear > 1.9 * usual


def test_the_worker_trades_by_the_rules_of_the_backtest(home: Home) -> None:
    """The rules that its journal spells out are those of the plan: fees, caps and limits of desk.toml."""
    desk, found = active(home.engine, home.path), kinds.planned(home, ASK)
    body = config_event.body_of(desk, home.desk.limits, home.desk.overrides(), home.strategies)
    (rules,) = rules_in(found, load(found).span, config_event.FILLS)
    assert restored(Rules, body["sleeves"][0]["rules"]) == rules
    assert restored(Limits, body["limits"]) == found.request.limits
    assert (rules.taker_frac, rules.streak_max, rules.risk_max_frac) == (0.001, 2, 0.001)


def test_a_notebook_makes_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NIGHTDESK_HOME it has the defaults, the data of NIGHTDESK_DATA, and leaves the folder it runs in as it was."""
    monkeypatch.delenv("NIGHTDESK_HOME")
    monkeypatch.setenv("NIGHTDESK_DATA", str(recordings.record(tmp_path / "bars", symbols=("BTC-USDT",))))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    found = backtest("trend", "BTC-USDT", to="2025-01-20")
    assert found.report["config"]["instruments"]["binance:BTC-USDT:perp"]["taker_frac"] == 0.0005
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[instruments."binance:BTC-USDT:perp"]\ntaker = 0.001', "taker"),
        ('[instruments."binance:BTC-USDT:perp"]\ntaker_frac = 0.5', "taker_frac"),
        ("[limits]\nstreak_max = 0", "streak_max"),
        ("[limits]\ndrawdown_frac_max = nan", "drawdown_frac_max"),
        ("[limits", "cannot be read"),
    ],
)
def test_a_faulty_desk_toml_is_one_line_in_a_notebook_too(own_home: Path, text: str, key: str) -> None:
    """What the command refuses, the notebook refuses: it never goes on with the defaults."""
    own_home.mkdir()
    (own_home / "desk.toml").write_text(text)
    with pytest.raises(BadInput, match=key) as caught:
        backtest("trend", "BTC-USDT")
    assert "\n" not in str(caught.value)


def test_a_data_folder_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A typing error in NIGHTDESK_DATA does not become another data set."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="is not a folder"):
        desk_setup()


def test_a_home_named_in_the_call_is_the_one_that_holds(home: Home, tmp_path: Path) -> None:
    """`home=` replaces the environment: its costs, its data."""
    other = tmp_path / "other"
    recordings.record(other / "data", symbols=("BTC-USDT",))
    found = backtest("trend", "BTC-USDT", home=other)
    assert found.report["config"]["instruments"]["binance:BTC-USDT:perp"]["taker_frac"] == 0.0005
    assert Path(simulate(found.plan).plan.series["binance:BTC-USDT:perp"].path).parent == other / "data"
    assert isinstance(found.plan.catalog, Catalog)
