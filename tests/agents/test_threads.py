"""Threads and turns as rows: which thread goes on, what a restart finds, and what becomes of a turn whose process died."""

import json
import os
import threading
from typing import Any

import pytest
from sqlalchemy import Engine

from agents import threads
from engine.errors import BadInput, Busy
from engine.store.db import migrate, open_db, read, write
from engine.store.tables import Job, Thread, Turn
from tests.fakes.offices import NOW_MS
from tools.common.contract import Evidence, Fact

HOUR_MS = 3_600_000
DEAD = {"pid": 2**22 + 1, "born": "1"}


@pytest.fixture
def db(tmp_path: Any) -> Engine:
    """A migrated database."""
    engine = open_db(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate(engine)
    return engine


def turn(db: Engine, thread: str, at_ms: int = NOW_MS, answer: dict[str, Any] | None = None, **more: Any) -> str:
    """A turn of a thread; ended unless `answer` is None."""
    made = threads.begin(db, thread, "operator", "How is it?", "test", at_ms)
    if answer is not None:
        threads.end(db, made, "done", answer, more.pop("calls", ()), at_ms, **more)
    return made


def changed(db: Engine, identity: str, **values: Any) -> None:
    """A turn's row, changed by hand."""
    with write(db) as session:
        row = session.get(Turn, identity)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def state(db: Engine, identity: str) -> str:
    """A turn's state."""
    with read(db) as session:
        row = session.get(Turn, identity)
    assert row is not None
    return row.state


# ---------------------------------------------------------------------- which thread


def test_the_latest_thread_of_role_and_person_goes_on_for_twelve_hours(db: Engine) -> None:
    """Another person, another role, or half a day later: a new one. `last` finds it however old it is."""
    first = threads.find(db, "operator", "ann", None, NOW_MS)
    turn(db, first, NOW_MS, {"answer_md": "fine"})
    assert threads.find(db, "operator", "ann", None, NOW_MS + 12 * HOUR_MS - 1) == first
    assert threads.find(db, "operator", "bob", None, NOW_MS + 1) != first
    assert threads.find(db, "advisor", "ann", None, NOW_MS + 1) != first
    late = NOW_MS + 12 * HOUR_MS
    assert threads.find(db, "operator", "ann", "last", late) == first
    assert threads.find(db, "operator", "ann", None, late) != first


def test_a_thread_that_is_answering_is_not_picked_by_itself(db: Engine) -> None:
    """A second window gets a thread of its own; naming the busy one is the person's choice and refused with its name."""
    first = threads.find(db, "operator", "ann", None, NOW_MS)
    turn(db, first, NOW_MS)
    assert threads.find(db, "operator", "ann", None, NOW_MS + 1) != first
    assert threads.find(db, "operator", "ann", first, NOW_MS + 1) == first
    with pytest.raises(Busy, match=f"thread {first} is answering another question"):
        turn(db, first, NOW_MS + 1)


@pytest.mark.parametrize("wanted", ["t-20250101-00000000", "'; drop table threads; --", "\x00", "t-" + "x" * 5_000])
def test_a_thread_that_is_not_there_is_one_line(db: Engine, wanted: str) -> None:
    """Unknown, hostile, endless: refused in words, and none is made."""
    with pytest.raises(BadInput, match="unknown thread") as told:
        threads.find(db, "operator", "ann", wanted, NOW_MS)
    assert len(str(told.value)) < 250
    with read(db) as session:
        assert session.get(Thread, wanted) is None


def test_a_thread_belongs_to_its_role(db: Engine) -> None:
    """The developer's facts and proposals are not continued by an operator."""
    own = threads.find(db, "developer", "ann", "new", NOW_MS)
    with pytest.raises(BadInput, match=f"thread {own} belongs to the developer"):
        threads.find(db, "operator", "ann", own, NOW_MS)


# ---------------------------------------------------------------------- what a restart finds


def test_facts_and_handles_of_a_thread_come_back_as_they_were(db: Engine) -> None:
    """Every kind of value, null and text of any script among them; the order of the turns is that of asking."""
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    values = (1.25, 7, True, None, "läuft\u202e", 1e-300, -0.0)
    facts = {f"r1.m{n}": Fact(f"r1.m{n}", "x", f"m{n}", value, "text", Evidence("run", "r-1")) for n, value in enumerate(values)}
    calls = ({"name": "run", "args": {}, "status": "ok", "evidence": ["r-1", "d-2", "r-1", "r-3"]},)
    kept = ({"r:r-1": "r1"}, facts)
    first = turn(db, where, NOW_MS, {"answer_md": "one", "proposals": ["prop-1"]}, calls=calls, kept=kept)
    second = turn(db, where, NOW_MS + 5, {"answer_md": "two"})
    found = threads.load(db, where)
    assert (found.facts, found.handles, found.role) == (facts, {"r:r-1": "r1"}, "operator")
    assert [t.id for t in found.earlier] == [first, second]
    assert (found.earlier[0].runs, found.earlier[0].proposals) == (("r-1", "r-3"), ("prop-1",))


def test_only_so_many_facts_and_turns_are_kept(db: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of both: a thread of months does not grow without end."""
    monkeypatch.setattr(threads, "FACTS_KEPT", 3)
    monkeypatch.setattr(threads, "EARLIER_KEPT", 2)
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    facts = {f"r{n}.x": Fact(f"r{n}.x", "x", "x", n, "count", Evidence("run", "r")) for n in range(9)}
    turns = [turn(db, where, NOW_MS + n, {"answer_md": "a"}, kept=({}, facts)) for n in range(4)]
    found = threads.load(db, where)
    assert list(found.facts) == ["r6.x", "r7.x", "r8.x"]
    assert [t.id for t in found.earlier] == turns[-2:]


def test_turns_keep_their_order_when_the_clock_is_set_back(db: Engine) -> None:
    """An hour earlier on the machine is still later in the thread."""
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    made = [turn(db, where, NOW_MS - n * HOUR_MS, {"answer_md": str(n)}) for n in range(4)]
    assert [t.id for t in threads.load(db, where).earlier] == made


def test_a_turn_that_has_ended_is_not_ended_again(db: Engine) -> None:
    """The first answer stands, whoever comes late; an unknown turn is nobody's."""
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    made = turn(db, where, NOW_MS, {"answer_md": "first"})
    threads.end(db, made, "failed", {"answer_md": "second"}, [], NOW_MS + 1, n=9)
    threads.end(db, "u-none", "done", {}, [], NOW_MS)
    assert state(db, made) == "done"
    assert threads.load(db, where).earlier[0].answered == "first"
    assert [e["kind"] for e in threads.events(db, made)] == ["begun"]


def test_a_reader_goes_on_where_it_left_off(db: Engine) -> None:
    """Every event once, in order, from any number on."""
    made = turn(db, threads.find(db, "operator", "ann", "new", NOW_MS))
    for n in range(2, 8):
        threads.store_events(db, made, [{"n": n, "kind": "sentence", "text": f"s{n}"}], NOW_MS)
    assert [e["n"] for e in threads.events(db, made)] == list(range(1, 8))
    assert [e["text"] for e in threads.events(db, made, after=5)] == ["s6", "s7"]
    assert list(threads.events(db, made, after=7)) == []
    assert list(threads.events(db, "u-none")) == []


# ---------------------------------------------------------------------- processes that die


def test_a_dead_turn_is_closed_with_each_open_call_answered(db: Engine) -> None:
    """The reader sees an end of every call that began, then that it was interrupted; the person is told to ask again."""
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    made = turn(db, where)
    for n, (kind, call) in enumerate(
        (("tool_started", "a"), ("tool_finished", "a"), ("tool_started", "b"), ("tool_started", "c")), 2
    ):
        threads.store_events(db, made, [{"n": n, "kind": kind, "id": call, "tool": "run"}], NOW_MS)
    assert threads.close_dead(db, NOW_MS) == [], "a living process is left alone"
    changed(db, made, body=json.dumps(DEAD))
    assert threads.close_dead(db, NOW_MS) == [made]
    assert threads.close_dead(db, NOW_MS) == []
    events = list(threads.events(db, made))
    assert [(e["kind"], e.get("id")) for e in events[5:]] == [
        ("tool_finished", "b"),
        ("tool_finished", "c"),
        ("interrupted", None),
    ]
    assert [e["n"] for e in events] == list(range(1, len(events) + 1))
    assert state(db, made) == "failed"
    turn(db, where, NOW_MS + 1, {"answer_md": "again"})


def test_a_recycled_process_number_is_a_dead_turn(db: Engine) -> None:
    """This process has the number but was born at another time; without a birth the number alone decides."""
    own = threads.own_process()
    assert threads.alive(own)
    assert not threads.alive(own | {"born": "12345"})
    assert threads.alive({"pid": os.getpid()})
    for nobody in ({}, {"pid": None}, {"pid": "x"}, {"pid": 0}, {"pid": -1}, DEAD):
        assert not threads.alive(nobody)


def test_a_forked_process_is_not_taken_for_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a process is kept by its number: the child's turn does not end with the parent."""
    own = threads.own_process()
    monkeypatch.setattr(threads.os, "getpid", os.getppid)
    assert threads.own_process() == {"pid": os.getppid(), "born": threads._born(os.getppid())} != own


def test_a_process_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not be signalled, but it is there: its turn is not taken from it."""

    def forbidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(threads.os, "kill", forbidden)
    assert threads.alive({"pid": 4_242})


def test_of_two_questions_at_once_one_runs(db: Engine) -> None:
    """Six windows ask in the same thread: one turn begins, five are told that it is busy."""
    where = threads.find(db, "operator", "ann", "new", NOW_MS)
    gate, made, busy = threading.Barrier(6), [], []

    def ask() -> None:
        gate.wait()
        try:
            made.append(turn(db, where))
        except Busy as error:
            busy.append(error)

    crowd = [threading.Thread(target=ask) for _ in range(6)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert (len(made), len(busy)) == (1, 5)


def test_the_jobs_of_a_turn_are_its_own_oldest_first(db: Engine) -> None:
    """Not another turn's, whatever the order of the rows."""
    with write(db) as session:
        for name, owner, at in (("j-3", "u-1", 5), ("j-1", "u-1", 9), ("j-2", "u-2", 1), ("j-4", None, 1)):
            session.add(Job(id=name, kind="backtest", turn=owner, created_ms=at))
    assert threads.jobs_of(db, "u-1") == ["j-3", "j-1"]
    assert threads.jobs_of(db, "u-9") == []
