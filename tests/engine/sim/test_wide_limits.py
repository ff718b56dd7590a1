"""The raw signal: limits too wide to bind, what the desk's own would have refused, and that it is never evidence."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.cli.backtest import text_of
from app.home.home import Home, open_home
from app.jobs import kinds
from engine.control.limits import HardLimits
from engine.control.proposals import evidence_fault
from engine.errors import BadInput
from engine.sim import backtest
from engine.sim.report_parts import verdicts
from engine.sim.request import request_of
from engine.sim.wide import FAR, MANY, counted, widened
from tests.fakes import recordings

TIGHT = """
[[sleeves]]
name = "btc-trend"
strategy = "trend"
venue = "binance"
symbol = "BTC-USDT"

[limits]
streak_max = 1
day_entries_max = 2
gross_frac_max = 0.9
"""
ASK = {"strategy": "trend", "symbol": "BTC-USDT"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A desk with tight limits, and a month of made-up bars."""
    folder = tmp_path_factory.mktemp("desk")
    recordings.record(folder / "data", symbols=("BTC-USDT",))
    (folder / "desk.toml").write_text(TIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        return open_home()


@pytest.fixture(scope="module")
def wide(home: Home) -> dict[str, Any]:
    """The raw run as the command stores it."""
    return kinds.backtest(home, ASK | {"limits": "wide"})


def test_every_limit_is_wide() -> None:
    """No field of a desk's or a sleeve's limits is left as it was: a new one must be widened too, or named here."""
    hard = HardLimits.model_validate({})
    for real in (hard.desk(), hard.sleeve()):
        for name, value in widened(real)._asdict().items():
            none = {"pause_hours": 0.0, "volume_times_min": 0.0, "funding_quiet_ms": 0, "no_entry": (0,) * 7}
            assert value == none.get(name, MANY if isinstance(value, int) else FAR), name


def test_the_raw_signal_is_counted_against_the_desk_s_limits(home: Home, wide: dict[str, Any]) -> None:
    """More entries than under the limits; the entries that it counts as allowed are those of the run under them at the same
    closes; the rules are those that refuse there; what it says of the return is that run's."""
    narrow = kinds.backtest(home, ASK)
    raw = wide["raw_signal"]
    assert narrow["raw_signal"] is None
    assert wide["metrics"]["trades"] > narrow["metrics"]["trades"]
    assert raw["total_return_frac"] == narrow["metrics"]["total_return_frac"]
    entered = [
        pl.read_parquet(Path(run["folder"]) / "decisions.parquet").filter(pl.col("action").is_in(["enter", "add"]))
        for run in (wide, narrow)
    ]
    both = entered[0].join(entered[1], on=["sleeve", "close_ms"])
    assert raw["entries"] == len(entered[0])
    assert raw["allowed"] == len(both)
    assert raw["allowed"] + raw["elsewhere"] + sum(raw["refused"].values()) == raw["entries"]
    assert "entries paused" in raw["refused"]
    assert set(raw["refused"]) <= set(narrow["refused"])
    assert set(wide["refused"]).isdisjoint({"entries paused", "gross_frac_max", "daily loss breaker"})


def test_a_limit_refuses_where_it_is_the_only_one(home: Home) -> None:
    """A gross limit that no entry passes refuses each of them by its name, and nothing is allowed."""
    decisions = {"action": "enter", "refused_by": None, "sleeve": "a"}
    raw = pl.DataFrame([{**decisions, "close_ms": t} for t in (10, 20, 30, 40)], schema_overrides={"refused_by": pl.String})
    limited = pl.DataFrame(
        [
            {**decisions, "close_ms": 10},
            {**decisions, "close_ms": 20, "action": "refused", "refused_by": "entries paused"},
            {**decisions, "close_ms": 35},
        ]
    )
    found = counted(raw, limited, -0.1)
    assert (found["entries"], found["allowed"], found["refused"], found["elsewhere"]) == (4, 1, {"entries paused": 2}, 1)
    assert found["text"] == (
        "LIMITS WIDE: the raw signal, never evidence. Of 4 entries the desk's limits would have refused 2 (entries paused 2);"
        " at 1 the run under them was in another position. Under the limits: return -10.00 %"
    )


def test_it_is_stamped_on_every_output(home: Home, wide: dict[str, Any]) -> None:
    """Command, note, page; another hash than the run under the limits; rerun and notebook give the same one."""
    from rich.console import Console

    text = wide["raw_signal"]["text"]
    console = Console(width=4_000, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - nothing is written to it
    console.print(text_of(wide | {"report": "-"}))
    shown = console.export_text()
    assert shown.count(text) == 1
    assert shown.index(text) < shown.index("total return")
    assert wide["notes"][0] == text
    assert any(v["kind"] == "warn" and v["text"] == text for v in verdicts(wide))
    assert text.replace("'", "&#39;") in (Path(wide["folder"]) / "report.html").read_text()
    assert wide["config_hash"] != kinds.backtest(home, ASK)["config_hash"]
    assert kinds.rerun(home, wide["run_id"])["equal"]
    assert request_of(wide["config"])[0].counted == (home.desk.limits.desk(), home.desk.limits.sleeve())
    notebook = backtest("trend", "BTC-USDT", limits="wide", home=home.path)
    assert (notebook.report["config_hash"], notebook.report["raw_signal"]) == (wide["config_hash"], wide["raw_signal"])
    with pytest.raises(BadInput, match="unknown limits 'none'"):
        kinds.backtest(home, ASK | {"limits": "none"})


def test_it_is_never_evidence(home: Home, wide: dict[str, Any]) -> None:
    """A proposal refuses it, whatever else of the run fits."""
    sleeve = home.desk.sleeves[0].model_copy(update={"params": wide["sleeves"][0]["params"]})
    assert evidence_fault(wide, sleeve) == "it ran with limits too wide to bind"
    assert evidence_fault(wide | {"raw_signal": None}, sleeve) == ""
