"""`nightdesk backtest | leaks | rerun | runs` as a person or a program types them."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from app.cli import main
from app.cli.backtest import figures
from tests.fakes import recordings
from tests.fakes.own_strategies import own_strategy
from tests.fakes.stored_models import store

REPOSITORY = Path(__file__).resolve().parents[3]
CONTRACT = {
    "run_id",
    "strategy",
    "params",
    "config_hash",
    "data",
    "metrics",
    "scenarios",
    "breakers",
    "journal_hash",
    "elapsed_s",
    "bars_per_s",
}
ASK = ("backtest", "trend", "--symbol", "BTC-USDT", "--timeframe", "15m")


@pytest.fixture
def bars(own_home):
    """A home with a month of made-up bars."""
    return recordings.record(own_home / "data")


@pytest.fixture
def cli(bars, monkeypatch, capsys):
    """Type a command: (exit code, stdout, stderr). Only this part of the command line is loaded."""

    def typed(*words):
        monkeypatch.setattr(main, "GROUPS", ("backtest", "runs", "journal"))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return typed


def test_json_is_one_object_with_the_contract_names(cli, own_home):
    """One JSON object on stdout, nothing else; the folder it names holds the report and the frames."""
    code, said, err = cli(*ASK, "--json")
    assert (code, err) == (0, "")
    run = json.loads(said)
    assert set(run) >= CONTRACT
    assert run["cached"] is False
    folder = Path(run["folder"])
    assert folder.parent == own_home / "runs"
    names = {"run.json", "rows.parquet", "equity.parquet", "trips.parquet", "decisions.parquet", "report.html"}
    assert {p.name for p in folder.iterdir()} == names
    assert run["run_id"] in Path(run["report"]).read_text()
    assert len(pl.read_parquet(folder / "equity.parquet")) == run["data"]["bars"]


def test_the_same_question_again_comes_from_the_store(cli):
    """A hit says so and is the same run; --fresh simulates again with the same journal; another word is another run."""
    first = json.loads(cli(*ASK, "--json")[1])
    again = json.loads(cli(*ASK, "--set", "stop_atr=2.0", "--json")[1])
    assert (again["cached"], again["run_id"]) == (True, first["run_id"])
    fresh = json.loads(cli(*ASK, "--fresh", "--json")[1])
    assert fresh["run_id"] == f"{first['run_id']}-2"
    assert fresh["journal_hash"] == first["journal_hash"]
    other = json.loads(cli(*ASK, "--set", "stop_atr=3", "--json")[1])
    assert (other["cached"], other["params"]["stop_atr"]) == (False, 3.0)
    assert other["config_hash"] != first["config_hash"]
    for words in (ASK, ("runs", "show", first["run_id"])):  # its place among the two that were tried by now
        later = json.loads(cli(*words, "--json")[1])
        assert (first["trial"]["trials"], later["trial"]["trials"]) == (1, 2)
        assert any(note.startswith("now variant 1 of 2") for note in later["notes"])
    assert "as of this run the only variant so far" in Path(first["report"]).read_text()


def test_text_says_what_a_person_needs(cli):
    """Stamp, both scenarios, figures, where the report lies and what to type next."""
    code, said, _ = cli(*ASK, "--from", "2025-01-05", "--to", "2025-01-25")
    assert code == 0
    for text in ("RECORDED data", "2025-01-05 00:00Z to 2025-01-24 23:45Z", "two scenarios", "Sharpe", "fills pessimistic"):
        assert text in said
    assert "undefined: cagr_frac: fewer than 30 days" in said
    assert "nightdesk rerun r-" in said
    assert "report.html" in said


def test_text_has_the_adjusted_ratio_where_it_is_defined_and_no_negative_zero(cli):
    """Beside the Sharpe ratio; a run without it has no empty line for it."""
    run = json.loads(cli(*ASK, "--json")[1])

    def shown(**metrics):
        printed = Console(width=120, file=io.StringIO())
        printed.print(figures({**run, "metrics": {**run["metrics"], **metrics}}))
        return printed.file.getvalue()

    assert "adjusted" not in shown(sharpe_adjusted=None)
    text = shown(sharpe_adjusted=1.234, autocorrelation=0.31, var_95_frac=-1e-9, es_95_frac=0.0, funding=-0.001)
    assert re.search(r"Sharpe, adjusted +1\.23 +autocorrelation +0\.31", text)
    assert re.search(r"VaR, ES a day 95 % +0\.00 %, 0\.00 % ", text)
    assert "-0.00" not in text


def test_a_leaking_strategy_is_told_before_the_first_number(cli, own_home):
    """The verdict stands above the figures, in text and in the JSON; `leaks` exits with 1."""
    recordings.strategy(own_home / "strategies", "seer")
    code, said, _ = cli("backtest", "seer", "--symbol", "BTC-USDT")
    assert code == 0
    assert "LOOKS AHEAD" in said
    assert said.index("leaks at bar") < said.index("total return")
    code, said, _ = cli("leaks", "seer", "--json")
    assert code == 1
    assert json.loads(said)["clean"] is False
    assert cli("leaks", "trend")[0] == 0


def test_a_strategy_that_reads_a_file_is_told_before_the_first_number(cli, own_home):
    """`CANNOT BE VOUCHED FOR: reads FILE` above the figures and once; `leaks` exits with 1 and names it too."""
    (own_home / "later.txt").write_text("1")
    text = recordings.LEAKING.replace("    later =", f"    open({str(own_home / 'later.txt')!r}).close()\n    later =")
    recordings.strategy(own_home / "strategies", "reader", text.replace("np.sign(later - f.close)", "np.sign(f.close)"))
    code, said, _ = cli("backtest", "reader", "--symbol", "BTC-USDT")
    said = " ".join(said.split())
    assert code == 0
    assert said.count("CANNOT BE VOUCHED FOR") == said.count("cannot be vouched for") == 1
    assert said.index("CANNOT BE VOUCHED FOR: reads ") < said.index("total return")
    code, said, _ = cli("leaks", "reader", "--json")
    found = json.loads(said)
    assert (code, found["clean"], found["looks_ahead"]) == (1, False, False)
    assert found["opened"] == [f"reads {own_home / 'later.txt'}"]


def test_rerun_says_what_is_equal(cli, own_home):
    """Same data and code: equal, exit 0. Other data: the file is named, exit 1. The stored run stays as it was."""
    run_id = json.loads(cli(*ASK, "--json")[1])["run_id"]
    code, said, _ = cli("rerun", run_id, "--json")
    found = json.loads(said)
    assert (code, found["equal"]) == (0, True)
    assert all(found[name]["equal"] for name in ("journal_hash", "data_sha256", "code_hash", "config_hash"))
    recordings.write(own_home / "data", "binance_BTC-USDT_perp_15m", recordings.bars(3_000, seed=77))
    code, said, _ = cli("rerun", run_id)
    assert code == 1
    assert "NOT equal" in said
    assert "files that differ: binance_BTC-USDT_perp_15m.parquet" in said
    shown = json.loads(cli("runs", "show", run_id, "--json")[1])
    assert shown["journal_hash"] == found["journal_hash"]["then"]


def test_runs_are_listed(cli):
    """Lists are {"items": [...]}; an empty store says what to type."""
    code, said, _ = cli("runs", "list")
    assert code == 0
    assert "nightdesk backtest" in said
    run_id = json.loads(cli(*ASK, "--json")[1])["run_id"]
    (item,) = json.loads(cli("runs", "list", "--json")[1])["items"]
    assert item["id"] == run_id
    assert run_id in cli("runs", "list")[1]
    assert run_id in cli("runs", "show", run_id)[1]


BAD = {
    "strategy": (("backtest", "tremd", "--symbol", "BTC-USDT"), "did you mean trend?"),
    "symbol": (("backtest", "trend", "--symbol", "DOGE-USDT"), "DOGE-USDT"),
    "spelling": (("backtest", "trend", "--symbol", "BTCUSDT"), "did you mean BTC-USDT?"),
    "half a symbol": (("backtest", "trend", "--symbol", "btc"), "did you mean BTC-USDT?"),
    "timeframe": ((*ASK[:-1], "7m"), "use 1m, 5m, 15m, 1h"),
    "parameter": ((*ASK, "--set", "stop_atrs=2"), "did you mean stop_atr?"),
    "bounds": ((*ASK, "--set", "leverage_max=50"), "allowed is 0.1 to 10"),
    "no value": ((*ASK, "--set", "stop_atr"), "example: --set stop_atr=3"),
    "choice": ((*ASK, "--set", "entry=limt"), "entry = 'limt' is not one of market, limit - did you mean limit?"),
    "twice": ((*ASK, "--set", "stop_atr=1", "--set", "stop_atr=2"), "twice"),
    "dates": ((*ASK, "--from", "2025-02-01", "--to", "2025-01-01"), "reversed dates"),
    "no bars": ((*ASK, "--from", "2027"), "available: 2025-01-01"),
    "fills": ((*ASK, "--fills", "best"), "use pessimistic, optimistic, reference"),
    "funding": ((*ASK, "--funding", "free"), "use recorded, none, or assume=BPS"),
    "run": (("rerun", "r-20250101-00000000"), "see nightdesk runs list"),
    "run id": (("runs", "show", "../../etc"), "not a valid run id"),
    "trip": (("journal", "explain", "r-20250101-00000000/t1"), "no run r-20250101-00000000"),
    "time": (("journal", "explain", "--sleeve", "x", "--at", "soon"), "not a valid date"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_exit_1(cli, own_home, case):
    """What, where, what to do; the same in the JSON; no traceback, nothing stored."""
    words, hint = BAD[case]
    code, said, err = cli(*words)
    assert (code, said) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("nightdesk: ")
    assert hint in err
    code, said, _ = cli(*words, "--json")
    assert code == 1
    assert json.loads(said)["error"]["what"]
    assert list(own_home.glob("runs/*")) == []


def test_usage_errors_exit_2(cli):
    """An unknown option and a missing argument are usage, not bad values."""
    assert cli("backtest", "trend", "--frobnicate")[0] == 2
    assert cli("backtest")[0] == 2


def test_a_strategy_that_never_ends_is_stopped(cli, own_home):
    """One line after the time limit; nothing is stored."""
    recordings.strategy(own_home / "strategies", "loop", recordings.ENDLESS.replace("{body}", "pass"))
    code, _, err = cli("backtest", "loop", "--symbol", "BTC-USDT", "--time-limit", "0.5")
    assert code == 1
    assert "did not end within 0.5 s" in err
    assert err.count("\n") == 1
    assert list(own_home.glob("runs/*")) == []


def test_a_venue_that_is_not_named_is_the_one_with_the_bars(cli, own_home):
    """Only okx has SOL here: it is taken, and said."""
    recordings.write(own_home / "data", "okx_SOL-USDT_perp_15m", recordings.bars(1_000, price=150.0, tick=0.01))
    code, said, err = cli("backtest", "trend", "--symbol", "SOL-USDT", "--funding", "none", "--json")
    assert (code, err) == (0, "")
    assert json.loads(said)["venue"] == "okx"


def test_without_any_data_the_market_is_synthetic_and_says_so(cli, bars):
    """A fresh home has no recording: the seeded market is made, and every output is stamped."""
    for path in bars.glob("*.parquet"):
        path.unlink()
    code, said, err = cli(*ASK, "--from", "2025-03", "--to", "2025-04", "--json")
    assert (code, err) == (0, "")
    run = json.loads(said)
    assert (run["venue"], run["data"]["source"]) == ("synthetic", "synthetic")
    assert "SYNTHETIC data" in cli("runs", "show", run["run_id"])[1]
    assert "SYNTHETIC data" in Path(run["report"]).read_text()


def test_explain_a_round_trip_and_a_close(cli):
    """Features, position before, order, assumption, each cost and the closing rule; and a bar with no trade."""
    run_id = json.loads(cli(*ASK, "--json")[1])["run_id"]
    code, said, _ = cli("journal", "explain", f"{run_id}/t1", "--json")
    found = json.loads(said)
    assert code == 0
    entry = found["entries"][0]
    assert entry["decision"]["features"]["sma(40)"] > 0
    assert entry["decision"]["position_before"]["lots"] == 0
    assert entry["decision"]["caps"]["leverage"] > 0
    assert "next open" in entry["fill"]["assumption"]
    assert found["closing_rule"]["reason"] == found["trip"]["reason"]
    costs = found["costs"]
    net = costs["gross"] - costs["slippage"] - costs["fees"] + costs["funding"]
    assert net == pytest.approx(costs["net"], abs=1e-9)
    text = cli("journal", "explain", f"{run_id}/t1")[1]
    for word in ("signal", "features", "caps", "assumption", "costs", "closed by", "result", "RECORDED"):
        assert word in text
    code, _, err = cli("journal", "explain", f"{run_id}/t9999")
    assert code == 1
    assert "available: t1 to t" in err


def test_explain_a_close_without_a_trade(cli, own_home):
    """Flat and no signal: features are computed again - and refused when the data is no longer the same."""
    run_id = json.loads(cli(*ASK, "--json")[1])["run_id"]
    code, said, _ = cli("journal", "explain", run_id, "--at", "2025-01-01T12:00", "--json")
    found = json.loads(said)["decision"]
    assert code == 0
    assert (found["signal"]["side"], found["features"]["sma(200)"]) == (0, None)
    assert json.loads(said)["text"].startswith("no entry during warm-up: ")
    assert "sma(200)" in json.loads(said)["text"]
    recordings.write(own_home / "data", "binance_BTC-USDT_perp_15m", recordings.bars(3_000, seed=9))
    code, _, err = cli("journal", "explain", run_id, "--at", "2025-01-01T12:00")
    assert code == 1
    assert "the data changed since run" in err


def test_explain_a_refused_close(cli, own_home):
    """The rule that refused is named, with the size and the caps it was looked at with."""
    run = json.loads(cli(*ASK, "--json")[1])
    decisions = pl.read_parquet(Path(run["folder"]) / "decisions.parquet")
    when = decisions.filter(pl.col("action") == "refused")["close_ms"][0]
    found = json.loads(cli("journal", "explain", run["run_id"], "--at", str(when), "--json")[1])
    assert found["decision"]["refused_by"]
    assert "refused" in found["text"]


def test_a_settlement_is_told_at_its_own_time(cli):
    """Funding of 08:00 is of 08:00, in text and JSON, though the bar that charges it closes at 08:15."""
    run = json.loads(cli(*ASK, "--json")[1])
    trips = pl.read_parquet(Path(run["folder"]) / "trips.parquet").filter(pl.col("funding") != 0)
    name = f"{run['run_id']}/{trips['trip'][0]}"
    paid = json.loads(cli("journal", "explain", name, "--json")[1])["funding"]
    assert paid
    assert all(f["settled_ms"] % recordings.SETTLED_MS == 0 for f in paid)
    lines = [line for line in cli("journal", "explain", name)[1].splitlines() if line.startswith("funding     2")]
    assert len(lines) == len(paid)
    assert all(line.split()[2] in ("00:00Z", "08:00Z", "16:00Z") for line in lines)


def test_an_unwritable_home_is_one_line(cli, tmp_path, monkeypatch):
    """No home to write to: what and what to do."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "file" / "home"))
    code, said, err = cli(*ASK)
    assert (code, said) == (1, "")
    assert err.count("\n") == 1
    assert "is a file, and a folder has to be there - set NIGHTDESK_HOME" in err


def test_a_year_of_recorded_bars_in_a_new_process(market_data, tmp_path):
    """All 35,040 bars of a year, with everything stored, the database in one file; `make bench` tells what it costs."""
    script = "from app.cli import main; main.GROUPS = ('backtest',); main.run()"
    words = ("backtest", "trend", "--symbol", "BTC-USDT", "--from", "2025", "--to", "2026", "--json")
    env = os.environ | {"NIGHTDESK_HOME": str(tmp_path / "h"), "NIGHTDESK_DATA": str(market_data)}
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env=env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["data"]["bars"] == 35_040
    assert (tmp_path / "h" / "runs" / said["run_id"] / "report.html").exists()
    assert not (tmp_path / "h" / "desk.db-wal").exists()


def test_runs_are_compared_named_and_saved(cli, tmp_path, monkeypatch):
    """Two runs side by side, a name that both commands show, and files that are never overwritten."""
    monkeypatch.chdir(tmp_path)
    ids = [json.loads(cli(*ASK, "--set", f"stop_atr={stop}", "--json")[1])["run_id"] for stop in (2, 3)]
    code, shown, _ = cli("runs", "name", ids[1], "wide stop", "--as", "ann")
    assert (code, shown.strip()) == (0, f"{ids[1]} is named wide stop")
    found = json.loads(cli("runs", "compare", *ids, "--json")[1])
    assert found["differs"] == [["stop_atr", "2", "3"]]
    assert [run["name"] for run in found["runs"]] == ["", "wide stop"]
    assert "wide stop" in cli("runs", "compare", *ids)[1]
    saved = json.loads(cli("runs", "export", ids[0], "--json")[1])
    trips = pl.read_csv(tmp_path / saved["path"])
    assert trips.height == pl.read_parquet(Path(os.environ["NIGHTDESK_HOME"]) / "runs" / ids[0] / "trips.parquet").height
    code, _, why = cli("runs", "export", ids[0])
    assert code != 0
    assert "exists" in why
    assert cli("runs", "export", ids[0], "--format", "pdf")[0] != 0


@pytest.mark.slow
def test_the_version_of_a_model_is_an_option(cli, own_home):
    """What answered is in the output with its digest; one that is not stored is one line."""
    (own_home / "strategies").mkdir(parents=True)
    own_strategy(own_home / "strategies", 'direction = np.where(f.model("vol-btc") > 0, 1, -1)', 'MODELS = ("vol-btc",)')
    for version in ("1.0.0", "1.0.1"):
        store(own_home / "models", version=version, instrument="binance:BTC-USDT:perp", days=(-9_000,))
    ask = ("backtest", "own", *ASK[2:], "--json")
    for asked, version in ((("--model", "vol-btc=1.0.0"), "1.0.0"), ((), "1.0.1")):
        code, said, _ = cli(*ask, *asked)
        run = json.loads(said)
        assert (code, run["sleeves"][0]["models"]) == (0, f"vol-btc={version}")
        assert any(note.startswith(f"reads the model vol-btc@{version} (") for note in run["notes"])
    code, said, _ = cli(*ask, "--model", "vol-btc=9.0.0")
    found = json.loads(said)["error"]
    assert (code, found["what"], found["hint"]) == (
        1,
        "the model vol-btc 9.0.0 is not stored",
        "versions of vol-btc: 1.0.0, 1.0.1",
    )
