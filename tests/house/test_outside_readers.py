"""What other programs read of Nightdesk stays: file names, columns and JSON keys that scripts outside this repository rely on.

A name may be added. One that goes, or means something else, breaks somebody's script: it needs a line in
the changelog and a way over.
"""

import json
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.cli import main
from app.home.home import open_home
from app.people.approvals import approve
from app.people.identity import Actor
from engine.control import halt, proposals
from engine.control.config import active
from engine.data.catalog import Catalog
from engine.store.journal import read
from tests.fakes import recordings
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

Typed = Callable[..., dict[str, Any]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command with --json: the one object it prints."""

    def command(group: str, *words: str) -> dict[str, Any]:
        monkeypatch.setattr(main, "GROUPS", (group,))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words, "--json"])
        with pytest.raises(SystemExit) as left:
            main.run()
        said = capsys.readouterr()
        assert left.value.code == 0, said.err
        return dict(json.loads(said.out))

    return command


def filed(folder: Path) -> Path:
    """A fresh home with a month of made-up bars, filed as recordings."""
    return recordings.record(folder / "data")


def test_data_list_names_each_series_and_where_it_lies(own_home: Path, typed: Typed) -> None:
    """`data list --json`: one item a series, and its path is a file that can be read."""
    filed(own_home)
    items = typed("data", "data", "list")["items"]
    names = {"venue", "symbol", "market", "series", "rows", "first_ms", "last_ms", "source", "path"}
    assert items
    assert all(names <= set(item) for item in items)
    bars = next(item for item in items if (item["symbol"], item["series"]) == ("BTC-USDT", "15m"))
    assert (bars["venue"], bars["market"], bars["rows"]) == ("binance", "perp", 3_000)
    assert bars["last_ms"] - bars["first_ms"] == 2_999 * recordings.BAR_MS
    assert len(pl.read_parquet(bars["path"])) == bars["rows"]


def test_a_backtest_leaves_its_trips_in_a_folder(own_home: Path, typed: Typed) -> None:
    """`backtest --json` names the run's folder; trips.parquet has a row a round trip, times in ms."""
    filed(own_home)
    run = typed("backtest", "backtest", "trend", "--symbol", "BTC-USDT", "--timeframe", "15m")
    trips = pl.read_parquet(Path(run["folder"]) / "trips.parquet")
    assert {"side", "entry_ms", "exit_ms", "units", "fees", "funding", "net", "reason"} <= set(trips.columns)
    assert len(trips) > 0
    assert (trips["exit_ms"] >= trips["entry_ms"]).all()
    assert trips["entry_ms"].min() >= recordings.FIRST_MS


def test_proposals_show_tells_what_changes_and_what_became_of_it(own_home: Path, typed: Typed) -> None:
    """`proposals show --json` before and after the decision."""
    home, now_ms = open_home(), time.time_ns() // 1_000_000
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    given = {"sleeve": "btc-trend", "changes": {"paused": True}, "evidence": [], "rationale": "because", "requester": who}
    row = proposals.create(home.engine, home.path, now_ms=now_ms, **given)
    item = typed("proposals", "proposals", "show", row.id)
    assert {"sleeve", "state", "base_version", "applied_version", "direction", "diff"} <= set(item)
    assert (item["sleeve"], item["base_version"], item["applied_version"]) == ("btc-trend", 1, None)
    assert [(change["key"], change["value"]) for change in item["diff"]["changes"]] == [("paused", True)]
    approve(home, row.id, row.diff_sha256, Actor("ann", "claimed", "ann", "test"), now_ms + 1)
    item = typed("proposals", "proposals", "show", row.id)
    assert (item["state"], item["applied_version"]) == ("applied", active(home.engine, home.path)[0])


def test_the_files_of_a_home_have_their_names_and_a_halt_event_its_words(own_home: Path) -> None:
    """desk.db, HALT, journal/desk.jsonl, desk.toml with its tables; a halt event says state, reason and by."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 2)
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    assert (own_home / "HALT").is_file()
    advanced(loop, 1)
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "looked", WALL_MS + 1)
    assert not (own_home / "HALT").exists()
    advanced(loop, 1)
    loop.journal.close()
    assert (own_home / "desk.db").is_file()
    journal = own_home / "journal" / "desk.jsonl"
    assert all({"seq", "id", "kind", "t_event_ms", "body", "hash"} <= set(json.loads(line)) for line in journal.open())
    halts = [{key: e.body[key] for key in ("state", "reason", "by")} for e in read(journal, {"halt"})]
    assert halts == [
        {"state": "halted", "reason": "a test", "by": "ann"},
        {"state": "released", "reason": "looked", "by": "bob"},
    ]
    tables = tomllib.loads((own_home / "desk.toml").read_text())
    assert {"sleeves", "limits", "worker", "schedules", "alerts"} <= set(tables)
    assert {"name", "strategy", "venue", "symbol", "timeframe", "cash"} <= set(tables["sleeves"][0])


def test_the_notebook_entry_point_is_imported_from_engine_sim(own_home: Path) -> None:
    """`from engine.sim import backtest`, called with a strategy and a symbol: a report with its metrics."""
    from engine.sim import backtest

    folder = recordings.record(own_home / "data")
    done = backtest("trend", "BTC-USDT", catalog=Catalog([(folder, "recorded")]))  # type: ignore[operator]  # a module that is called
    assert done.metrics["trades"] > 0
