"""`nightdesk journal` on the journal of a paper desk: what it did is explained, and it is what the backtest does."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.home.home import open_home
from app.processes.worker import Worker
from engine.data.catalog import Catalog
from engine.sim.backtest import simulate
from engine.sim.request import Request, SleeveRequest, plan
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.watch.window import mark_at
from tests.fakes import recordings

BARS = 1_200  # a third warms up, two are walked
LAST_MS = recordings.FIRST_MS + BARS * recordings.BAR_MS


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The home of a paper desk that has walked to the end of its bars and was stopped."""
    home = tmp_path_factory.mktemp("walked")
    recordings.record(home / "data", BARS, ("BTC-USDT", "ETH-USDT", "SOL-USDT"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(home))
        worker = Worker(open_home(), 100_000, SimpleNamespace())  # its pause would take this process's signals
        worker.open()
        while worker.loop.ready():
            worker.loop.step()
        worker.stop()
    assert at_end(home) == LAST_MS
    return home


def at_end(home):
    """Desk time of the journal."""
    mark = mark_at(home / "journal" / "desk.jsonl")
    return None if mark is None else mark.t_event_ms


@pytest.fixture
def home(walked, own_home):
    """A copy of the walked home."""
    return Path(shutil.copytree(walked, own_home))


@pytest.fixture
def cli(home, monkeypatch, capsys):
    """Type a command: (exit code, stdout, stderr)."""

    def typed(*words):
        monkeypatch.setattr(main, "GROUPS", ("journal",))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", "journal", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return typed


def events(home, *kinds):
    """Events of the desk journal."""
    return list(read(home / "journal" / "desk.jsonl", kinds))


@pytest.mark.long  # tests/laws/test_one_decision_path.py has it by functions
def test_paper_desk_and_backtest_fill_alike_to_the_bit(walked):
    """Law 1: the same bars and configuration give the same fills, cash and equity on either way of running."""
    config = events(walked, "config")[0].body
    first_ms = config["start"]["first_ms"]
    specs = tuple(
        SleeveRequest(s, f"{c}-USDT", name=n)
        for n, s, c in (("btc-trend", "trend", "BTC"), ("eth-trend", "trend", "ETH"), ("sol-reversion", "reversion", "SOL"))
    )
    run = simulate(plan(Request(specs, from_ms=first_ms), Catalog([(walked / "data", "recorded")])))
    there = [tuple(e.body[k] for k in ("sleeve", "lots", "price", "fee", "cash")) for e in events(walked, "fill")]
    here = run.fills.select("sleeve", "lots", "price", "fee", "cash_after").rows()
    assert len(here) > 20
    assert here == there
    assert run.equity["equity"][-1] == mark_at(walked / "journal" / "desk.jsonl").body["equity"]


def test_verify_walks_both_chains(cli, home):
    """Whole: exit 0. One changed byte: the line is named, exit 1."""
    assert cli("verify")[0] == 0
    path = home / "journal" / "desk.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"signal":"long"', b'"signal":"lone"', 1))
    code, said, _ = cli("verify")
    assert code == 1
    assert "desk: BROKEN at line" in said
    code, said, _ = cli("verify", "--json")
    assert (code, json.loads(said)["desk"]["ok"]) == (1, False)


def test_replay_works_the_journal_out_again(cli, home):
    """The journal folds to its own rows, and to the equity of its last mark."""
    code, said, _ = cli("replay", "--json")
    found = json.loads(said)
    assert code == 0
    assert found["equity"] == mark_at(home / "journal" / "desk.jsonl").body["equity"]
    assert found["desk_ms"] == LAST_MS
    assert len(found["journal_hash"]) == 64
    assert "row by row" in cli("replay")[1]


def test_tail_leaves_out_what_only_ticks(cli, home):
    """Bars and marks are shown when asked for."""
    items = json.loads(cli("tail", "--count", "30", "--json")[1])["items"]
    assert len(items) == 30
    assert {e["kind"] for e in items}.isdisjoint({"bar", "mark", "snapshot"})
    assert {e["kind"] for e in json.loads(cli("tail", "--bars", "--count", "30", "--json")[1])["items"]} & {"bar", "mark"}
    assert items[-1]["id"] in cli("tail", "--count", "1")[1]


def test_explain_a_fill_names_its_decision_and_order(cli, home):
    """An entry fill goes back to the decision that sized it and the intent that was journaled before it."""
    fill = next(e for e in events(home, "fill") if e.body["slot"] == "entry")
    code, said, _ = cli("explain", fill.id, "--json")
    found = json.loads(said)
    assert code == 0
    assert found["event"]["body"] == fill.body
    kinds = [e["kind"] for e in found["before"]]
    assert kinds[:2] == ["decision", "intent"]
    assert "order" in kinds, "the venue has confirmed it"
    decision = found["before"][0]["body"]
    assert decision["sleeve"] == fill.body["sleeve"]
    assert decision["caps"]
    assert decision["features"]
    out_fill = next(e for e in events(home, "fill") if e.body["slot"] != "entry")
    text = cli("explain", out_fill.id)[1]
    assert f"reason: {out_fill.body['reason']}" in text
    assert "protective" in text


def test_what_was_around_an_event_is_shown_when_asked_for(cli, home):
    """The close that the desk saw and the last settlement, each with its time; of a close, too; not of a configuration."""
    fill = next(e for e in events(home, "fill") if e.body["slot"] == "entry")
    assert "around" not in json.loads(cli("explain", fill.id, "--json")[1])
    found = {one["name"]: one for one in json.loads(cli("explain", fill.id, "--around", "--json")[1])["around"]}
    assert found["close"]["value"] > 0
    assert found["close"]["known_ms"] == fill.t_event_ms
    assert found["settled rate"]["known_ms"] <= fill.t_event_ms
    text = cli("explain", "--sleeve", fill.body["sleeve"], "--at", str(fill.t_event_ms), "--around")[1]
    assert "around  market: close " in text
    assert "around  macro not known: nothing of it is stored: nightdesk data fetch macro" in text
    config = events(home, "config")[0]
    assert "is of no instrument" in cli("explain", config.id, "--around")[2]


def test_explain_a_close_with_and_without_a_row(cli, home):
    """A refused close names the rule; a silent one says that nothing was asked, with the signal that the bar carries."""
    refused = next(e for e in events(home, "decision") if e.body.get("refused_by"))
    code, said, _ = cli("explain", "--sleeve", refused.body["sleeve"], "--at", str(refused.t_event_ms), "--json")
    assert code == 0
    assert refused.body["refused_by"] in json.loads(said)["text"]
    told = {(e.t_event_ms, e.body["sleeve"]) for e in events(home, "decision")}
    bar = next(e for e in events(home, "bar") if (e.t_event_ms, "sol-reversion") not in told)
    found = json.loads(cli("explain", "--sleeve", "sol-reversion", "--at", str(bar.t_event_ms), "--json")[1])
    assert found["signal"]["side"] == 0
    assert "no trade: " in found["text"]


def test_explain_a_close_without_a_signal(cli, home):
    """Its strategy was late: the signal is unknown, not "no signal", and the reason is said."""
    bar, mark = events(home, "bar")[-1], events(home, "mark")[-1]
    t = bar.t_event_ms + 900_000
    late = {
        **bar.body,
        "close_ms": t,
        "signals": {**bar.body["signals"], "sol-reversion": None},
        "silent": {"sol-reversion": "late: 2 s"},
    }
    journal = Journal(home / "journal" / "desk.jsonl", "worker")
    journal.append([Event("bar", t, late), Event("mark", t, mark.body)])
    journal.close()
    code, said, _ = cli("explain", "--sleeve", "sol-reversion", "--at", str(t))
    assert code == 0
    assert "signal unknown" in said
    assert "its strategy gave no signal: late: 2 s" in said
    assert json.loads(cli("explain", "--sleeve", "sol-reversion", "--at", str(t), "--json")[1])["signal"]["side"] is None


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("explain", "d-99999999"), "journal tail"),
        (("explain", "--sleeve", "nobody", "--at", "2025-01-10"), "btc-trend"),
        (("explain", "--sleeve", "btc-trend", "--at", "2029"), "no bar at or after"),
        (("explain",), "--sleeve btc-trend --at"),
        (("explain", "what"), "is not a valid id"),
    ],
)
def test_what_is_not_there_is_one_line(cli, words, hint):
    """An unknown event, sleeve or time: what, and where to look."""
    code, said, err = cli(*words)
    assert (code, said) == (1, "")
    assert err.count("\n") == 1
    assert hint in err


def test_an_empty_journal_says_how_to_begin(cli, home):
    """Nothing has happened yet: no error, and what to type."""
    shutil.rmtree(home / "journal")
    for words in (("tail",), ("replay",)):
        code, said, _ = cli(*words)
        assert code == 0
        assert "nightdesk up" in said


def test_what_sleeves_risk_together(home):
    """`nightdesk risk` on a desk that traded: every stop that the last mark has, and each pair of sleeves."""
    main.load_groups()
    found = CliRunner().invoke(main.app, ["risk", "--json"])
    assert found.exit_code == 0, found.output
    value = json.loads(found.stdout)
    mark = events(home, "mark")[-1]
    layers = [layer for body in mark.body["sleeves"].values() for layer in (body.get("position") or {}).get("layers", [])]
    assert (value["event"], len(value["stops"])) == (mark.id, len(layers))
    assert len(value["pairs"]) == 3
    text = CliRunner().invoke(main.app, ["risk"]).stdout
    assert text.count("days     ") == 3
    assert "whole days, 20 are needed" in text
