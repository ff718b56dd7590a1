"""`nightdesk parity` as a person or a program types it, its job, and the daily comparison with what the watch makes of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.cli import main
from app.home.home import open_home
from app.jobs import daily_parity, kinds
from app.jobs.daily_parity import compare
from app.jobs.queue import JobQueue
from app.processes.children import parity_command
from app.processes.scheduler import Schedules
from engine.core.state import DAY_MS
from engine.errors import BadInput, Refused
from engine.parity.comparison import CLASSES
from engine.parity.tape import NEVER_RAN
from engine.store.db import read
from engine.store.tables import Job
from engine.watch.parity_result import FILE, last_result
from tests.fakes.papers import WALL_MS
from tests.fakes.parity_desks import FIRST_MS, FORK_MS, LATER_MS, copied

SLEEVES = ["btc-trend", "eth-trend", "sol-reversion"]
CONTRACT = {"pairs", "classes", "difference_usd", "unexplained_frac", "sleeves", "trips", "from_ms", "to_ms"}


@pytest.fixture
def desk(own_home: Path) -> Path:
    """A desk that has lived ten days."""
    return copied(own_home)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Type a command: (exit code, stdout, stderr). Only this part of the command line is loaded."""

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "GROUPS", ("parity", "data"))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return typed


def dearer(home: Path) -> None:
    """desk.toml with a higher fee for BTC."""
    with (home / "desk.toml").open("a") as file:
        file.write('\n[instruments."synthetic:BTC-USDT:perp"]\ntaker_frac = 0.001\n')


def test_json_has_the_contract_names(desk: Path, cli: Any) -> None:
    """One object: every class with trips and dollars, zero on paper; the watch finds what was kept."""
    code, said, err = cli("parity", "--json")
    assert (code, err) == (0, "")
    found = json.loads(said)
    assert set(found) >= CONTRACT
    assert found["classes"] == {name: {"count": 0, "usd": 0.0} for name in CLASSES}
    assert (found["from_ms"], found["to_ms"], found["difference_usd"], found["trips"]) == (FIRST_MS, FORK_MS, 0.0, [])
    assert [s["sleeve"] for s in found["sleeves"]] == SLEEVES
    assert found["desk_usd"] == found["replay_usd"] == pytest.approx(sum(s["desk_usd"] for s in found["sleeves"]))
    assert last_result(desk)["unexplained_frac"] == 0.0


def test_the_table_says_what_differs(desk: Path, cli: Any) -> None:
    """Verdict first, a column for each class that holds anything, the round trips; one sleeve alone where it is named."""
    dearer(desk)
    code, said, _ = cli("parity", "--since", "2025-02-11")
    assert code == 0
    assert said.startswith("The desk differs from its backtest by ")
    assert "fee +" in said
    assert all(f"\n{name} " in said for name in (*SLEEVES, "desk"))
    assert "round trips that differ" in said
    one = json.loads(cli("parity", "--since", "2025-02-11", "--sleeve", "btc-trend", "--json")[1])
    assert [s["sleeve"] for s in one["sleeves"]] == ["btc-trend"]
    assert one["classes"]["fee"]["usd"] == one["difference_usd"] > 0.0
    assert one["classes"]["fee"]["count"] == one["differing"] == len(one["trips"])
    assert {trip["sleeve"] for trip in one["trips"]} == {"btc-trend"}
    assert one["from_ms"] == LATER_MS
    assert last_result(desk)["difference_usd"] == pytest.approx(one["difference_usd"]), "the other sleeves pay no other fee"


def test_what_cannot_be_compared_is_one_line(desk: Path, cli: Any) -> None:
    """A sleeve that is unknown, a day that has not come, bars that are gone."""
    for words, reason in ((("--sleeve", "x"), "available: btc-trend"), (("--since", "2026"), "choose an earlier --since")):
        code, said, err = cli("parity", *words)
        assert (code, said, len(err.splitlines())) == (1, "", 1)
        assert reason in err
    for path in desk.rglob("*ETH-USDT_perp_15m.parquet"):
        path.unlink()
    code, _, err = cli("parity")
    assert code == 1
    assert "ETH-USDT" in err


def test_without_a_home_none_is_made(own_home: Path, cli: Any) -> None:
    """One line that says what to set."""
    code, _, err = cli("parity")
    assert (code, own_home.exists()) == (1, False)
    assert "NIGHTDESK_HOME" in err


def test_more_than_one_percent_unexplained_exits_with_one(desk: Path, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are printed all the same."""
    sound = kinds.parity(open_home(WALL_MS), {})
    monkeypatch.setattr(kinds, "parity", lambda *_: sound | {"unexplained_usd": 0.02 * sound["gross_usd"]})
    code, said, _ = cli("parity")
    assert code == 1
    assert "unexplained" in said


@pytest.mark.usefixtures("jobs_here")
def test_the_daily_comparison_is_a_job_over_the_last_days(desk: Path) -> None:
    """A row like any other; what it found is kept for the watch."""
    home = open_home(WALL_MS)
    compare(home)
    kept = last_result(desk)
    assert (kept["from_ms"], kept["to_ms"], kept["unexplained_usd"]) == (FORK_MS - 7 * DAY_MS, FORK_MS, 0.0)
    with read(home.engine) as session:
        (job,) = session.exec(select(Job)).all()
    assert (job.kind, job.state, json.loads(job.body)["result"]["difference_usd"]) == ("parity", "done", 0.0)


def test_a_daily_comparison_that_fails_is_kept(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is kept for the watch; a desk that never ran has nothing to compare; a damaged file claims nothing."""
    home = open_home(WALL_MS)

    def full(*_: Any) -> str:
        raise Refused("the queue is full", "wait")

    monkeypatch.setattr(JobQueue, "submit", full)
    compare(home)
    assert last_result(desk)["failed"].startswith("the queue is full")
    (desk / FILE).write_text("{")
    assert last_result(desk) == {}
    (desk / "journal" / "desk.jsonl").unlink()
    compare(home)
    assert last_result(desk) == {}


def test_a_desk_in_its_first_minute_is_no_alert(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that finds no bar is no failure of a desk that began this week; of an older one it is."""
    home, first = open_home(WALL_MS), daily_parity.first_mark(desk / "journal" / "desk.jsonl")
    assert first is not None

    def none(*_: Any) -> str:
        raise BadInput(f"{NEVER_RAN} since 2025-01-01", "choose an earlier --since")

    monkeypatch.setattr(JobQueue, "submit", none)
    monkeypatch.setattr(daily_parity, "first_mark", lambda _: first._replace(t_event_ms=FORK_MS - DAY_MS))
    compare(home)
    assert last_result(desk) == {}
    monkeypatch.setattr(daily_parity, "first_mark", lambda _: first._replace(t_event_ms=FORK_MS - 8 * DAY_MS))
    compare(home)
    assert NEVER_RAN in last_result(desk)["failed"]


def test_the_handover_is_followed_by_the_comparison(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a day, in a process of its own; not when the handover was made before."""
    schedules, begun = Schedules(open_home(WALL_MS), [], clock=lambda: WALL_MS), list[int]()
    monkeypatch.setattr(schedules, "compare", lambda: begun.append(1))
    morning = schedules.compared_after(schedules.hand_over)
    morning()
    morning()
    assert begun == [1]
    assert daily_parity.__name__ in parity_command()
