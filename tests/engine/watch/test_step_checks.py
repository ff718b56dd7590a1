"""Checks of a runbook's steps: yes only where it was seen, no where it is not so, cannot say for everything else."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control import halt
from engine.control.checklists import ChecklistStep
from engine.store import db
from engine.store.db import open_db
from engine.store.journal import Event, Journal
from engine.store.tables import Delivery
from engine.watch import alert_rows, folded_book, health, heartbeat, step_asks, step_checks
from engine.watch.alert_rows import AlertPolicy
from engine.watch.audit_status import keep_audit
from engine.watch.drill_status import keep_drill
from engine.watch.observation import Finding
from engine.watch.parity_result import keep_result
from engine.watch.step_checks import CHECKS, CheckContext, StepCheck, kept_readings, reading, readings_of
from engine.watch.watch_beat import LATE_MS, note_look
from tests.tools.desk_journal import BEGIN, END, mark, write_desk

NOW = END + 1_000
OF_MARK = (
    "gate-open",
    "entries-open",
    "stops-work",
    "flat",
    "bars-come",
    "strategies-answer",
    "sleeve-paused",
    "reconcile-clean",
)


@pytest.fixture
def engine(sqlite: Engine) -> Engine:
    """A database of its own."""
    return sqlite


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A home whose worker this process is: it holds the journal, and its heartbeat is young. `last`: the last mark."""
    held: list[Journal] = []

    def made(last: dict[str, Any] | None = None, mode: str = "paper", beat_ms: int = NOW - 500) -> Path:
        home = tmp_path / "home"
        begin = dict(BEGIN["start"])
        BEGIN["start"]["mode"] = mode
        try:
            write_desk(home, last)
        finally:
            BEGIN["start"].clear()
            BEGIN["start"].update(begin)
        held.append(Journal(home / "journal" / "desk.jsonl", "worker"))
        note_look(home, NOW)
        (home / "worker.json").write_text(json.dumps({"wall_ms": beat_ms, "phase": "running", "pid": os.getpid()}))
        return home

    made.journal = lambda: held[-1]  # type: ignore[attr-defined]
    yield made
    for journal in held:
        journal.close()


def heard(kind: str, body: dict[str, Any]) -> Event:
    """An event of the running worker: received now."""
    return Event(kind, END, body, t_recv_ms=time.time_ns() // 1_000_000)


def says(name: str, home: Path, engine: Engine, **more: Any) -> str:
    """What a check says now."""
    return reading(name, CheckContext(home, engine, NOW, **more)).says


@pytest.mark.parametrize("name", OF_MARK)
def test_without_a_worker_nothing_of_its_last_mark_is_taken_for_now(running: Any, engine: Engine, name: str) -> None:
    """No worker, one that hangs, and a desk that never began: cannot say, however well the mark looks."""
    assert says(name, Path(engine.url.database or "").parent / "nothing", engine) == "cannot say"
    home = running(beat_ms=NOW - health.SILENT_MS - 1)
    assert says(name, home, engine, about="trend-btc") == "cannot say"
    running.journal().close()
    assert says(name, home, engine, about="trend-btc") == "cannot say"
    assert says("worker-runs", home, engine) == "no"


@pytest.mark.parametrize("name", OF_MARK)
def test_a_worker_that_has_just_begun_says_nothing_yet(
    running: Any, engine: Engine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It folds its journal: the heartbeat and the last mark are those of the one before it."""
    home = running()
    (home / "worker.json").write_text(json.dumps({"wall_ms": NOW - 500, "phase": "running", "pid": os.getpid() + 1}))
    for place in (heartbeat, step_asks):
        monkeypatch.setattr(place, "began_ms", lambda _pid: NOW - 200)
    found = reading(name, CheckContext(home, engine, NOW, "trend-btc"))
    assert (found.says, "has just begun" in found.text) == ("cannot say", True), found


def test_what_the_gate_said_to_the_worker_before_counts_no_longer(
    running: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start closes it: until this worker says so it is not open, whatever the journal ends with."""
    home = running(mode="live")
    running.journal().append([heard("gate", {"open": True, "rows": []})])
    assert says("gate-open", home, engine) == "yes"
    for began in (int(time.time() * 1000) + 60_000, None):
        monkeypatch.setattr(step_asks, "began_ms", lambda _pid, at=began: at)
        assert says("gate-open", home, engine) == "cannot say"


def test_a_flat_paper_desk_that_runs(running: Any, engine: Engine) -> None:
    """What is so says yes; a sleeve that is not paused says no, and one that is not named cannot be said."""
    home = running()
    found = {name: says(name, home, engine, about="trend-btc") for name in (*OF_MARK, "worker-runs", "no-halt", "disk-free")}
    # this hand-made journal has too few bars for the check of bars, and no fold: both are honest about it
    wanted = dict.fromkeys(found, "yes") | {"sleeve-paused": "no", "bars-come": found["bars-come"]}
    assert found == wanted
    assert says("sleeve-paused", home, engine) == "cannot say"
    assert reading("worker-runs", CheckContext(home, engine, NOW)).text.startswith("the worker runs")


def test_what_is_open_bare_or_kept_from_entering_says_no(running: Any, engine: Engine) -> None:
    """A position, its missing stop, a pause: each with what was read and the event that shows it."""
    bare = {"layer": {"protective_state": "missing"}}
    last = mark(999.9, 1.0, 101.0, paused=True, **bare)
    home = running(last)
    found = {
        name: reading(name, CheckContext(home, engine, NOW, "trend-btc"))
        for name in ("flat", "stops-work", "entries-open", "sleeve-paused")
    }
    assert {name: one.says for name, one in found.items()} == {
        "flat": "no",
        "stops-work": "no",
        "entries-open": "no",
        "sleeve-paused": "yes",
    }
    assert "trend-btc" in found["flat"].text
    assert found["flat"].event.startswith("d-")


def test_the_gate_is_read_as_the_journal_last_said_it(running: Any, engine: Engine) -> None:
    """Not asked; closed by a row; open; closed again by a halt, before any row was asked anew."""
    home = running(mode="live")
    journal = running.journal()
    rows = [{"name": "fold", "ok": True, "why": ""}, {"name": "probe", "ok": False, "why": "the far order was not seen"}]
    assert says("gate-open", home, engine) == "cannot say"
    journal.append([heard("gate", {"open": False, "rows": rows})])
    found = reading("gate-open", CheckContext(home, engine, NOW))
    assert (found.says, found.text) == ("no", "the gate is closed: probe: the far order was not seen")
    journal.append([heard("gate", {"open": True, "rows": rows[:1]})])
    assert says("gate-open", home, engine) == "yes"
    journal.append([heard("health", {"what": "clock", "state": "begun", "why": "x"})])  # another thing that is not well
    assert says("gate-open", home, engine) == "yes"
    journal.append([heard("health", {"what": "gate", "state": "begun", "why": "the desk was halted"})])
    assert says("gate-open", home, engine) == "no"
    journal.append([heard("health", {"what": "gate", "state": "over", "why": ""})])
    assert says("gate-open", home, engine) == "yes"


@pytest.mark.parametrize(
    ("book", "wanted"),
    [
        ({}, "yes"),
        ({"differences": {"t9": "trade t9 is of an order that this desk does not know"}}, "no"),
        ({"orphans": {"okx:BTC-USDT:perp": {"lots": 3}}}, "no"),
        ({"orphans": {"okx:BTC-USDT:perp": {"lots": 0}}}, "yes"),
        ({"health": {"reduced by the venue: okx:BTC-USDT:perp": "it has closed lots by adl"}}, "no"),
        ({"health": {"compare": "the venue does not answer"}}, "cannot say"),
        ({"health": {"executions": "order x says that more has filled than is listed"}}, "cannot say"),
        ({"health": {"unexplained in okx:BTC-USDT:perp": "executions that no order explains yet"}}, "cannot say"),
        ({"health": {"venue of okx:BTC-USDT:perp": "it does not say what was executed"}}, "cannot say"),
        ({"health": {"not traded: okx:BTC-USDT:perp": "the venue lists it as suspend"}}, "yes"),
        (None, "cannot say"),
    ],
)
def test_desk_and_venue_agree_by_the_whole_book(
    running: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch, book: dict[str, Any] | None, wanted: str
) -> None:
    """A difference, lots without an order, what waits for a person's word, executions that are missing; paper has no venue."""
    home = running(mode="live")
    made = None if book is None else SimpleNamespace(**({"differences": {}, "orphans": {}, "health": {}} | book))
    monkeypatch.setattr(folded_book, "book_at", lambda _path: made)
    assert says("reconcile-clean", home, engine) == wanted


def test_the_halt_is_read_from_file_and_database(running: Any, engine: Engine) -> None:
    """Either is the halt."""
    home = running()
    assert (says("no-halt", home, engine), says("halted", home, engine)) == ("yes", "no")
    halt.set(home, "a test", {"name": "ann"}, NOW)
    assert (says("no-halt", home, engine), says("halted", home, engine)) == ("no", "yes")


def test_a_desk_that_its_breaker_halted_is_healthy_once_the_rest_is(running: Any, engine: Engine) -> None:
    """Halt and breaker end with the release, which comes after this step; a missing stop does not."""
    home = running(mark(994.59, 0.0, 95.0, tripped=["desk drawdown"]))
    halt.set(home, "drawdown", {"name": "guardrail"}, NOW, engine)
    assert says("healthy", home, engine) == "yes"
    assert {one.name for one in health.checks(home, engine, NOW) if one.state == "bad"} == {"halt", "breakers"}
    running.journal().append([Event("mark", END, mark(999.9, 1.0, 101.0, layer={"protective_state": "missing"}))])
    assert says("healthy", home, engine) == "no"


def opened(engine: Engine, kind: str = "bars", now_ms: int = NOW) -> str:
    """An alert of that kind; its id."""
    finding = Finding(kind, kind, "page", "No bar for 3 minutes", "trend-btc", now_ms, "look", {}, "d-3")
    return alert_rows.apply_findings(engine, [finding], ("worker",), now_ms, AlertPolicy(), ["slack"])[0].alert


def test_a_window_is_closed_once_the_journal_says_so(running: Any, engine: Engine) -> None:
    """Its own, or every one; one that the last bar knows and the journal does not show cannot be said."""
    home = running(mark(994.59, 0.0, 95.0) | {"windows": ["w1"]})
    assert says("window-closed", home, engine) == "cannot say"
    body = {"what": "open", "window": "w1", "cause": "odd", "by": "detector", "taken": True, "sleeves": [], "instruments": []}
    journal = running.journal()
    journal.append([Event("window", END, body)])
    assert (says("window-closed", home, engine), says("window-closed", home, engine, about="w1")) == ("no", "no")
    money = dict.fromkeys(("pnl", "realised", "fees", "funding", "orphans"), 0.0)
    journal.append(
        [Event("window", END, {"what": "close", "window": "w1", "cause": "x", "by": "ann", "money": money, "taken": True})]
    )
    assert (says("window-closed", home, engine), says("window-closed", home, engine, about="w1")) == ("yes", "yes")
    assert says("window-closed", home, engine, about="w9") == "cannot say"


def test_an_alert_says_no_until_it_is_over(running: Any, engine: Engine) -> None:
    """Its own, or any of its runbook; acknowledged is a thing of its own."""
    home = running()
    ctx = CheckContext(home, engine, NOW, "", ("bars",))
    assert [reading(name, ctx).says for name in ("alert-over", "no-alert bars", "acknowledged")] == ["yes"] * 3
    ident = opened(engine)
    mine = ctx._replace(about=ident, kinds=())
    for context in (ctx, mine):
        assert [reading(name, context).says for name in ("alert-over", "no-alert bars", "acknowledged")] == ["no"] * 3
    assert reading("alert-over", mine).event == "d-3"
    assert says("no-alert worker", home, engine) == "yes"
    assert says("bars-come", home, engine) != "yes"
    alert_rows.acknowledge(engine, ident, {"name": "ann"}, NOW)
    assert (reading("acknowledged", mine).says, reading("alert-over", mine).says) == ("yes", "no")
    alert_rows.apply_findings(engine, [], (), NOW + 60_000, AlertPolicy(), [])
    assert reading("alert-over", mine).says == "yes"
    assert says("alert-over", home, engine) == "cannot say"  # of no alert and no runbook
    assert says("sleeve-paused", home, engine, about=ident) == "no"  # the sleeve is the alert's place


def test_alerts_and_deliveries_are_read_the_same_way_on_postgresql(running: Any, postgres: Engine) -> None:
    """What asks the database asks it in words that both understand."""
    home = running()
    assert says("delivered", home, postgres) == "cannot say"
    ident = opened(postgres)
    found = {
        name: says(name, home, postgres, about=ident)
        for name in ("alert-over", "no-alert bars", "acknowledged", "database-answers")
    }
    assert found == {"alert-over": "no", "no-alert bars": "no", "acknowledged": "no", "database-answers": "yes"}
    with db.write(postgres) as session:
        session.add(Delivery(subject=ident, step="x", sink="slack", state="failed", created_ms=1, due_ms=1))
    assert says("delivered", home, postgres) == "no"


@pytest.mark.parametrize("name", ["no-alert bars", "alert-over", "acknowledged"])
def test_no_alert_proves_nothing_while_the_watch_does_not_look(running: Any, engine: Engine, name: str) -> None:
    """It is the watch that opens alerts: never looked, stopped long ago, a torn file, a clock that went back."""
    home = running()
    assert says(name, home, engine, kinds=("bars",)) == "yes"
    for at in (NOW - LATE_MS - 1, NOW + LATE_MS + 1):
        note_look(home, at)
        assert says(name, home, engine, kinds=("bars",)) == "cannot say"
    for torn in ("", "{", '{"wall_ms": null}', "[1]"):
        (home / "cache" / "watch.json").write_text(torn)
        assert says(name, home, engine, kinds=("bars",)) == "cannot say"


def test_messages_arrive_again_once_one_came_after_the_last_loss(running: Any, engine: Engine) -> None:
    """However long ago the loss was: nothing since proves nothing."""
    home = running()
    assert says("delivered", home, engine) == "cannot say"

    def add(state: str, ms: int) -> None:
        with db.write(engine) as session:
            row = Delivery(subject=f"t{ms}", step="opened", sink="slack", state=state, created_ms=ms, due_ms=ms)
            row.sent_ms = ms if state == "sent" else None
            session.add(row)

    add("failed", 1_000)
    assert says("delivered", home, engine) == "no"
    add("sent", 2_000)
    assert says("delivered", home, engine) == "yes"
    add("failed", 3_000)
    assert says("delivered", home, engine) == "no"


def test_a_kept_look_counts_if_it_was_taken_after_the_checklist_began(running: Any, engine: Engine) -> None:
    """What was found before a repair says nothing of it."""
    home = running()
    report = {"wall_ms": NOW, "points": [], "counts": {"fails": 0, "cannot_say": 0}}
    drill = {"version": 1, "never_fired": [], "fired": [], "out_of_reach": [], "off": []}
    even = {"unexplained_usd": 0.0, "gross_usd": 10.0}
    looks: tuple[tuple[str, Callable[[], None]], ...] = (
        ("audit-passes", lambda: keep_audit(home, report)),
        ("guards-fire", lambda: keep_drill(home, drill, "", NOW)),
        ("parity-explained", lambda: keep_result(home, even, NOW)),
    )
    for name, look in looks:
        assert says(name, home, engine) == "cannot say"
        look()
        assert says(name, home, engine) == "yes"
        assert says(name, home, engine, since_ms=NOW + 1) == "cannot say"
    dead = {"kind": "exit", "name": "trail", "where": "trend-btc", "by": "x"}
    keep_drill(home, drill | {"never_fired": [dead]}, "", NOW)
    keep_result(home, {"unexplained_usd": 5.0, "gross_usd": 10.0}, NOW)
    assert (says("guards-fire", home, engine), says("parity-explained", home, engine)) == ("no", "no")
    keep_result(home, {"failed": "bars are gone"}, NOW)
    assert says("parity-explained", home, engine) == "cannot say"


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_home_with_nothing_in_it_gives_no_yes_that_was_not_seen(tmp_path: Path, engine: Engine, name: str) -> None:
    """No desk, no worker: only what is really there may say yes (room on the disk, no halt, a database)."""
    word = f"{name} bars" if CHECKS[name].takes else name
    (tmp_path / "home" / "journal").mkdir(parents=True)
    found = reading(word, CheckContext(tmp_path / "home", engine, NOW))
    really = {"disk-free", "no-halt", "database-answers", "journal-verified"}
    assert (found.says == "yes") == (name in really), found


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_database_that_is_gone_and_a_damaged_journal_say_nothing(tmp_path: Path, name: str) -> None:
    """A check never raises, and what it could not read is no yes."""
    home = tmp_path / "home"
    (home / "journal").mkdir(parents=True)
    for journal in ("desk", "people"):
        (home / "journal" / f"{journal}.jsonl").write_bytes(
            b'{"seq":1,"id":"d-1","kind":"window","schema":1,"t_event_ms":1,\xff\n' * 3
        )
    broken = open_db(f"sqlite:///{tmp_path / 'gone' / 'desk.db'}")
    word = f"{name} bars" if CHECKS[name].takes else name
    found = reading(word, CheckContext(home, broken, NOW, "al-1"))
    assert found.says != "yes" or name in ("disk-free", "no-halt"), found
    assert "\n" not in found.text


@pytest.mark.parametrize("name", ["", "nothing", "no-alert", "no-alert nonsense", "worker-runs bars", "__class__"])
def test_a_check_that_the_desk_has_not_cannot_say(tmp_path: Path, engine: Engine, name: str) -> None:
    """Of an older or newer version, or misspelt."""
    assert says(name, tmp_path, engine) == "cannot say"


def test_what_is_shown_is_kept_for_a_moment_and_what_is_slow_for_longer(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that asks each five seconds verifies no journal each time; a clock that goes back keeps nothing."""
    asked: list[str] = []
    answers = {"quick": "yes", "slow": "yes"}

    def ask(name: str) -> Any:
        return lambda _ctx: (asked.append(name), (answers[name], "as it is", ""))[1]

    checks = {"quick": StepCheck("quick", "", ask("quick")), "slow": StepCheck("slow", "", ask("slow"), slow=True)}
    monkeypatch.setattr(step_checks, "CHECKS", checks)
    step = ChecklistStep(1, "x", ("quick", "slow"))
    for ms in (0, 1, 5_000, 30_000, 60_001):
        assert [found.says for found in kept_readings(step, CheckContext(tmp_path, engine, NOW + ms))] == ["yes", "yes"]
    assert (asked.count("quick"), asked.count("slow")) == (4, 2)
    kept_readings(step, CheckContext(tmp_path, engine, NOW))
    assert (asked.count("quick"), asked.count("slow")) == (5, 3)
    answers["slow"] = "no"
    assert readings_of(step, CheckContext(tmp_path, engine, NOW + 10))[1].says == "no"  # a person checks now
    assert kept_readings(step, CheckContext(tmp_path, engine, NOW + 20))[1].says == "no"  # and that is what is shown
    monkeypatch.setattr(step_checks, "KEPT_MAX", 10)
    for n in range(50):
        kept_readings(step, CheckContext(tmp_path, engine, NOW, f"al-{n}"))
    assert len(step_checks._KEPT) <= 10
