"""An answer that waits for its job: claimed once, posted once, with its numbers checked, whatever dies or changes meanwhile."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from agents import owed, posting, threads
from agents.model import Call
from agents.owed import PendingAnswer, pending_of
from agents.state import AnsweredCall, EarlierTurn
from engine.errors import DataError
from engine.store.db import read, write
from engine.store.tables import Job, Thread, Turn, TurnEvent
from tests.fakes.offices import DESK_MS, NOW_MS, FakeOffice
from tools import catalog
from tools.catalog import CatalogEntry
from tools.common.contract import ROLES, Args, Effect, Evidence, ToolContext, ToolResult, make_facts, tool

Ends = Callable[[ToolContext], ToolResult]


class SlowArgs(Args):
    """What the slow tool is asked."""

    what: str = ""


class Slow:
    """A tool that answers as the test says; it counts how often it was called."""

    def __init__(self) -> None:
        self.ends: Ends = lambda _ctx: ToolResult("ok", "done")
        self.seen: list[ToolContext] = []


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """The slow tool in the catalog, for every role."""
    made = Slow()

    @tool("slow", Effect.COMPUTE)
    def run(ctx: ToolContext, args: SlowArgs) -> ToolResult:
        """Takes its time."""
        made.seen.append(ctx)
        return made.ends(ctx)

    monkeypatch.setitem(catalog.TOOLS, "slow", CatalogEntry(run, Effect.COMPUTE, ROLES))
    return made


def asked(office: FakeOffice, *calls: tuple[str, str, str], jobs: tuple[str, ...] = ()) -> list[PendingAnswer]:
    """A turn that ended with calls (what, status, job) to the slow tool; the answers it still owes."""
    with write(office.engine) as session:
        if session.get(Thread, "t-1") is None:
            session.add(Thread(id="t-1", role="operator", person="ann", created_ms=NOW_MS))
    turn = threads.begin(office.engine, "t-1", "operator", "How slow?", "test", NOW_MS)
    with write(office.engine) as session:
        for n, job in enumerate(jobs or [job for _, _, job in calls]):
            if session.get(Job, job) is None:
                session.add(Job(id=job, kind="backtest", state="done", turn=turn, thread="t-1", created_ms=n))
    done = [AnsweredCall(Call(f"c{n}", "slow", {"what": w}), ToolResult(s, "", job=j)) for n, (w, s, j) in enumerate(calls)]  # type: ignore[arg-type]
    bodies = pending_of(turn, done, list(jobs) or threads.jobs_of(office.engine, turn), DESK_MS)
    threads.end(
        office.engine, turn, "done", {"answer_md": "later"}, [], NOW_MS, None, lambda row: owed.rows_of(row, bodies, NOW_MS)
    )
    return owed.all_pending(office.engine)


def row(office: FakeOffice, turn: str) -> Turn | None:
    """A turn's row."""
    with read(office.engine) as session:
        return session.get(Turn, turn)


def answer_of(office: FakeOffice, turn: str) -> dict[str, Any]:
    """A turn's stored answer."""
    found = row(office, turn)
    assert found is not None
    return dict(json.loads(found.answer))


# ---------------------------------------------------------------------- which jobs an answer waits for


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=6))
def test_each_open_call_waits_for_its_own_jobs(groups: list[tuple[int, bool]]) -> None:
    """Calls that started several jobs each, some of them answered since: every open call owns exactly the jobs it started."""
    jobs, calls, expected, n = [], [], [], 0
    for size, still_open in groups:
        own = [f"j-{n + k}" for k in range(size)]
        n += size
        if still_open:  # what an answered call started has ended and is not waited for: only open ones name a job
            calls.append(AnsweredCall(Call("c", "slow", {"n": n}), ToolResult("started", "", job=own[0])))
            expected.append(own)
            jobs += own
        else:
            calls.append(AnsweredCall(Call("c", "slow", {"n": n}), ToolResult("ok", "")))
    assert [body["jobs"] for body in pending_of("u-1", calls, jobs, None)] == expected


def test_a_call_that_was_answered_later_in_the_turn_is_not_owed() -> None:
    """The same call with the same arguments, first started and then ok, is settled; with other arguments it is another call."""
    started = AnsweredCall(Call("a", "slow", {"x": 1, "y": 2}), ToolResult("started", "", job="j-1"))
    settled = AnsweredCall(Call("b", "slow", {"y": 2, "x": 1}), ToolResult("ok", "done"))
    other = AnsweredCall(Call("c", "slow", {"x": 2}), ToolResult("ok", "done"))
    assert pending_of("u-1", [started, settled], ["j-1"], None) == []
    assert [body["args"] for body in pending_of("u-1", [started, other], ["j-1"], None)] == [{"x": 1, "y": 2}]


def test_what_is_owed_is_kept_with_the_question_that_asked(office: FakeOffice) -> None:
    """Tool, arguments, jobs, desk time and the question's first words, read back as they were."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    assert (pending.thread, pending.person, pending.tool, pending.args) == ("t-1", "ann", "slow", {"what": "a"})
    assert (pending.jobs, pending.desk_ms, pending.asked, pending.tries) == (("j-1",), DESK_MS, "How slow?", 0)


# ---------------------------------------------------------------------- claimed once


def test_of_many_that_would_post_one_may(office: FakeOffice) -> None:
    """Eight at once: one claim; after it is put back, one more; after it is posted, none."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    gate, won = threading.Barrier(8), []

    def take() -> None:
        gate.wait()
        won.append(owed.claim(office.engine, pending, NOW_MS))

    for _ in range(2):
        crowd = [threading.Thread(target=take) for _ in range(8)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        assert won.count(True) == 1
        assert owed.all_pending(office.engine) == []
        owed.put_back(office.engine, pending)
        won.clear()
    assert owed.all_pending(office.engine) == [pending]


def test_nothing_is_posted_into_a_running_turn(office: FakeOffice, slow: Slow) -> None:
    """While a live process answers in the thread the claim fails; a dead one's turn does not hold it up."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    going = threads.begin(office.engine, "t-1", "operator", "And now?", "test", NOW_MS)
    assert not posting.post(office, pending)
    assert slow.seen == []
    with write(office.engine) as session:
        found = session.get(Turn, going)
        assert found is not None
        found.body = json.dumps({"pid": 2**22 + 1, "born": "0"})
        session.add(found)
    assert posting.post(office, pending)


def test_a_claim_of_a_dead_process_is_owed_again(office: FakeOffice) -> None:
    """Killed between claim and post: the answer waits again, and is not shown as a failed turn."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    assert owed.claim(office.engine, pending, NOW_MS)
    assert owed.posting_in(office.engine, "t-1")
    with write(office.engine) as session:
        found = session.get(Turn, pending.id)
        assert found is not None
        found.body = json.dumps(json.loads(found.body) | {"pid": 2**22 + 1})
        session.add(found)
    assert threads.close_dead(office.engine, NOW_MS) == [pending.id]
    assert owed.all_pending(office.engine) == [pending]
    assert not owed.posting_in(office.engine, "t-1")


def test_a_cancelled_turn_owes_nothing_and_others_keep_theirs(office: FakeOffice) -> None:
    """Only the answers of that very turn are forgiven, whatever its id has in common with others."""
    first = asked(office, ("a", "started", "j-1"))
    both = asked(office, ("b", "started", "j-2"))
    owed.forgive(office.engine, first[0].question.replace("u-", "u_"))
    assert len(owed.all_pending(office.engine)) == 2
    owed.forgive(office.engine, first[0].question)
    assert owed.all_pending(office.engine) == [p for p in both if p.question != first[0].question]


@pytest.mark.parametrize(
    ("later", "settled"),
    [
        ({"name": "slow", "args": {"what": "a"}, "status": "ok"}, True),
        ({"name": "slow", "args": {"what": "b"}, "status": "ok"}, False),
        ({"name": "slow", "args": {"what": "a"}, "status": "failed"}, False),
        ({"name": "other", "args": {"what": "a"}, "status": "ok"}, False),
    ],
)
def test_what_a_person_asked_again_is_not_posted_twice(office: FakeOffice, later: Any, settled: bool) -> None:
    """Only the same call, answered after the question, settles it; the same answer before it does not."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    turns = [EarlierTurn(id_, "", "", calls, (), ()) for id_, calls in ((pending.question, ()), ("u-9", (later,)))]
    assert owed.answered_since(turns, pending) is settled
    assert owed.answered_since(list(reversed(turns)), pending) is False


# ---------------------------------------------------------------------- posted once


def test_a_posting_is_a_turn_with_checked_numbers(office: FakeOffice, slow: Slow) -> None:
    """Code's name, the question, the fact rendered with its link, the stamp; events, journal and thread have it."""
    office.model = posting.CodeModel()
    (pending,) = asked(office, ("a", "started", "j-1"))

    def ends(ctx: ToolContext) -> ToolResult:
        facts = make_facts(ctx.handle("r", "r-1"), "the run", Evidence("run", "r-1"), {"sharpe": (1.25, "ratio")})
        return ToolResult("ok", "Sharpe {r1.sharpe}.", facts)

    slow.ends = ends
    assert posting.post(office, pending)
    answer = answer_of(office, pending.id)
    assert answer["answer_md"].startswith('**Posted by code** now that its job j-1 has ended: slow for "How slow?".')
    assert "[1.25](run:r-1)" in answer["answer_md"]
    assert answer["answer_md"].endswith("posted by code, no model*")
    assert answer["model"] == {"name": "code", "api_format": "none", "offline": True}
    assert threads.load(office.engine, "t-1").facts["r1.sharpe"].value == 1.25
    assert [e["kind"] for e in threads.events(office.engine, pending.id)] == ["begun", "answer"]
    assert owed.all_pending(office.engine) == []
    assert not posting.post(office, pending), "it is posted once"
    assert len(slow.seen) == 1
    assert [body["turn"] for kind, body in office.journaled() if kind == "answer"] == [pending.id]


def test_the_call_is_repeated_as_it_was_asked(office: FakeOffice, slow: Slow) -> None:
    """Role, person and desk time of the question, and its jobs as its own: a changed desk does not change the answer."""
    (pending,) = asked(office, ("a", "started", "j-2"), jobs=("j-1", "j-2", "j-3"))
    assert pending.jobs == ("j-2", "j-3")
    assert posting.post(office, pending)
    (ctx,) = slow.seen
    assert (ctx.role, ctx.person, ctx.desk_ms, ctx.model) == ("operator", "ann", DESK_MS, "code")
    assert set(ctx.earlier_jobs) == {"j-1", "j-2", "j-3"}


@pytest.mark.parametrize("status", ["failed", "refused", "no_data"])
def test_a_call_without_a_result_is_one_line(office: FakeOffice, slow: Slow, status: Any) -> None:
    """The reason on one line, cleaned, with the job to look at; no table and no stamp."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    slow.ends = lambda _ctx: ToolResult(status, "no bars\nof \x1b[31mthat ![](http://evil/x) day.")
    assert posting.post(office, pending)
    text = answer_of(office, pending.id)["answer_md"]
    assert "ended without a result: no bars of" in text
    assert text.endswith("(job j-1)")
    assert "\n" not in text
    assert "http://evil" not in text.replace("\\", "") or "](http://evil" not in text
    assert "\x1b" not in text


def test_a_call_that_only_starts_new_jobs_is_given_up(office: FakeOffice, slow: Slow) -> None:
    """Its inputs changed each time: it waits for each new job, and after a few tries the thread is told."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    slow.ends = lambda _ctx: ToolResult("started", "", job=f"j-{len(slow.seen) + 1}")
    for n in range(1, posting.TRIES_MAX):
        assert not posting.post(office, pending)
        (pending,) = owed.all_pending(office.engine)
        assert (pending.tries, pending.jobs) == (n, (f"j-{n + 1}",))
    assert posting.post(office, pending)
    assert "its inputs changed each time" in answer_of(office, pending.id)["answer_md"]
    assert owed.all_pending(office.engine) == []


def test_a_broken_journal_leaves_the_answer_owed(office: FakeOffice, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded now is posted later, not lost and not posted twice."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    working = office.record
    broken = iter([True])

    def record(kind: str, body: Any) -> str:
        if kind == "answer" and next(broken, False):
            raise DataError("disk full", "free it")
        return working(kind, body)

    monkeypatch.setattr(office, "record", record)
    slow.ends = lambda _ctx: ToolResult("ok", "done")
    with pytest.raises(DataError):
        posting.post(office, pending)
    left = owed.all_pending(office.engine)
    ended = row(office, pending.id)
    assert ended is not None
    assert (ended.state == "done") != bool(left), "either it stands in the thread or it is still owed"


def test_our_own_bug_ends_in_the_thread(office: FakeOffice, monkeypatch: pytest.MonkeyPatch, slow: Slow) -> None:
    """An exception in the posting is told once, by its type alone, instead of being tried for ever."""
    (pending,) = asked(office, ("a", "started", "j-1"))

    def burst(*_: Any) -> Any:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(posting, "_text", burst)
    assert posting.post(office, pending)
    found = row(office, pending.id)
    assert found is not None
    assert found.state == "failed"
    text = json.loads(found.answer)["answer_md"]
    assert "this is our bug" in text
    assert "RuntimeError" in text
    assert "hunter2" not in text
    assert owed.all_pending(office.engine) == []


def test_events_of_an_interrupted_posting_are_not_shown_twice(office: FakeOffice, slow: Slow) -> None:
    """A second attempt numbers its events from the start; the thread shows one begun and one answer."""
    (pending,) = asked(office, ("a", "started", "j-1"))
    assert owed.claim(office.engine, pending, NOW_MS)
    with write(office.engine) as session:
        session.add(TurnEvent(turn=pending.id, n=1, kind="begun", created_ms=NOW_MS))
    owed.put_back(office.engine, pending)
    assert posting.post(office, pending)
    with read(office.engine) as session:
        kinds = session.exec(select(TurnEvent.kind).where(TurnEvent.turn == pending.id).order_by(TurnEvent.n)).all()  # type: ignore[arg-type]
    assert list(kinds) == ["begun", "answer"]
