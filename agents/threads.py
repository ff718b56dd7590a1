"""Threads and turns in the database: created, started, stored event by event, ended, read back. Called by agents/turns.py.

A turn is a row, not a connection: its events can be read later, and a thread continues after a restart. One turn of a thread
runs at a time; a running turn whose process has died is closed as interrupted by the next caller.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, bindparam
from sqlmodel import Session, col, func, insert, select, update

from agents.grounding import WHOLLY
from agents.state import EarlierTurn
from engine.clock import HOUR_MS
from engine.errors import BadInput, Busy
from engine.store import db
from engine.store.tables import Job, Thread, Turn, TurnEvent
from tools.common.contract import Evidence, Fact

FRESH_MS = 12 * HOUR_MS  # wall time after which a thread is continued only when it is named
NOTHING: Mapping[str, Any] = {}
LABEL_HEAD, LABEL_CHARS = '{"label": ', 600
FACTS_KEPT = 4000  # per thread; the oldest are dropped first
EARLIER_KEPT = 40


_OF_THREAD = Turn.thread == bindparam("thread")  # statements of every turn, built once
_ROLE = select(Thread.role).where(Thread.id == bindparam("thread"))
_THREAD = select(Thread.role, Thread.body).where(Thread.id == bindparam("thread"))
_RUNNING = select(Turn.id, Turn.body).where(_OF_THREAD, Turn.state == "running")
_LAST_MS = select(func.max(Turn.created_ms)).where(_OF_THREAD)
_DONE = select(Turn.id, Turn.text, Turn.answer, Turn.body).where(_OF_THREAD, Turn.state == "done")
_DONE = _DONE.order_by(col(Turn.created_ms).desc()).limit(bindparam("most"))
_EVENT, _TURN, _THREAD_ROW = insert(TurnEvent), insert(Turn), insert(Thread)
_ENDED = update(Turn).where(col(Turn.id) == bindparam("turn"))
_ENDED = _ENDED.values({name: bindparam(f"new_{name}") for name in ("state", "ended_ms", "answer", "body")})
_REMEMBERED = update(Thread).where(col(Thread.id) == bindparam("thread")).values(body=bindparam("new_body"))
_JOBS = select(Job.id).where(Job.turn == bindparam("turn")).order_by(col(Job.created_ms), col(Job.id))


class OpenThread(NamedTuple):
    """A thread as a turn finds it: its handles and facts so far, and its ended turns, oldest first."""

    id: str
    role: str
    handles: dict[str, str]
    facts: dict[str, Fact]
    earlier: tuple[EarlierTurn, ...]


def find(engine: Engine, role: str, person: str, wanted: str | None, now_ms: int) -> str:
    """The id of the thread to use: `wanted` (`new`, `last` or an id), else the role's latest recent one.

    BadInput for an unknown id, or one of another role.
    """
    if wanted and wanted not in ("new", "last"):
        with db.read_rows(engine) as rows:
            owner = rows.execute(_ROLE, {"thread": wanted}).scalar()
        if owner is None:
            raise BadInput(f"unknown thread {wanted[:60]!r}", "omit --thread for the latest one, or use --thread new")
        if owner != role:
            raise BadInput(f"thread {wanted} belongs to the {owner}", f"use --role {owner}, or --thread new")
        return wanted
    latest = None if wanted == "new" else _latest(engine, role, person)
    if latest is not None and (
        wanted == "last" or (_touched(engine, latest) > now_ms - FRESH_MS and not running(engine, latest))
    ):
        return latest
    if wanted == "last":
        raise BadInput(f"the {role} has no thread yet", "omit --thread to start one")
    return _new(engine, role, person, now_ms)


def _latest(engine: Engine, role: str, person: str) -> str | None:
    with db.read(engine) as session:
        mine = select(Thread.id, label_head()).where(Thread.role == role, Thread.person == person)
        rows = session.exec(mine.order_by(col(Thread.created_ms).desc(), col(Thread.id).desc()))
        return next((identity for identity, head in rows if not label_of(head).hidden), None)


class Label(NamedTuple):
    """What a person calls a thread, and whether a person took it off the list; its turns stay, and so does the journal."""

    name: str = ""
    hidden: bool = False


def label_head() -> Any:
    """The column to select for label_of."""
    return func.substr(col(Thread.body), 1, LABEL_CHARS)


def label_of(head: str) -> Label:
    """The label at the head of a thread's body (LABEL_CHARS of it suffice): a list does not read all the facts of a thread."""
    if not head.startswith(LABEL_HEAD):
        return Label()
    return Label(**json.JSONDecoder().raw_decode(head[len(LABEL_HEAD) :])[0])


def set_label(engine: Engine, thread: str, *, name: str | None = None, hidden: bool | None = None) -> Label:
    """Name a thread (empty: no name), or take it off the list. BadInput for an unknown id."""
    with db.write(engine) as session:
        row = session.get(Thread, thread)
        if row is None:
            raise BadInput(f"unknown thread {thread[:60]!r}", "see /api/threads")
        body, old = json.loads(row.body), label_of(row.body)
        made = Label(old.name if name is None else name, old.hidden if hidden is None else hidden)
        body.pop("label", None)
        row.body = _json({"label": made._asdict(), **body})  # first: label_of reads it there
        session.add(row)
    return made


# a turn's thread and body, and the thread's label
_OPEN = select(Turn.thread, Turn.body, label_head()).outerjoin(Thread, col(Thread.id) == col(Turn.thread))
_OPEN = _OPEN.where(Turn.id == bindparam("turn"), Turn.state == "running")


def _touched(engine: Engine, thread: str) -> int:
    """When the thread's last turn began."""
    with db.read(engine) as session:
        return session.exec(select(func.max(Turn.created_ms)).where(Turn.thread == thread)).one() or 0


def _new(engine: Engine, role: str, person: str, now_ms: int) -> str:
    identity = _identity("t", now_ms)
    with db.write_rows(engine, durable=False) as rows:
        rows.execute(_THREAD_ROW, {"id": identity, "role": role, "person": person, "created_ms": now_ms})
    return identity


def _identity(letter: str, now_ms: int) -> str:
    return f"{letter}-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%d}-{secrets.token_hex(4)}"


def running(engine: Engine, thread: str) -> bool:
    """Whether a live process is running a turn of the thread."""
    with db.read(engine) as session:
        rows = session.exec(select(Turn.body).where(Turn.thread == thread, Turn.state == "running")).all()
    return any(alive(json.loads(body)) for body in rows)


def load(engine: Engine, thread: str) -> OpenThread:
    """A thread with its handles, facts and ended turns."""
    with db.read_rows(engine) as rows:
        row = rows.execute(_THREAD, {"thread": thread}).one()
        turns = rows.execute(_DONE, {"thread": thread, "most": EARLIER_KEPT}).all()
        body = orjson.loads(row.body)
    facts = {f.ref: f for f in map(_fact, body.get("facts", []))}
    return OpenThread(thread, row.role, dict(body.get("handles", {})), facts, tuple(_earlier(turn) for turn in reversed(turns)))


def _fact(stored: Sequence[Any]) -> Fact:
    ref, subject, metric, value, unit, evidence, *more = stored  # `more`: window and listed, of threads from this version on
    return Fact(ref, subject, metric, value, unit, Evidence(*evidence), *more)


def _earlier(columns: Sequence[str]) -> EarlierTurn:
    """An ended turn of its id, question, answer and body."""
    identity, text, *texts = columns
    answer, body = map(orjson.loads, texts)
    calls = tuple(body.get("calls", ()))
    runs = dict.fromkeys(i for c in calls for i in c.get("evidence", ()) if str(i).startswith("r-"))
    made = tuple(answer.get("proposals", ()))
    return EarlierTurn(
        identity, text, answer.get("answer_md", "").removeprefix(f"{WHOLLY}\n\n"), calls, tuple(runs), made, "owed" in body
    )


# --------------------------------------------------------------------------- a turn


def begin(engine: Engine, thread: str, role: str, text: str, model: str, now_ms: int, begun: Mapping[str, Any] = NOTHING) -> str:
    """Store a running turn and its first event, `begun` (with the extra keys `begun`); returns the turn's id.

    Busy while another turn of the thread runs; one of a dead process is closed as interrupted.
    """
    identity = _identity("u", now_ms)
    row = {"id": identity, "thread": thread, "role": role, "text": text, "model": model, "body": json.dumps(own_process())}
    with db.write_rows(engine, durable=False) as rows:
        for other, body in rows.execute(_RUNNING, {"thread": thread}).all():
            if alive(json.loads(body)):
                raise Busy(f"thread {thread} is answering another question", "wait, or use --thread new")
            with Session(rows) as session:
                _interrupt(session, session.get_one(Turn, other), now_ms)
                session.commit()  # what it changed is in this transaction now
        rows.execute(_TURN, {**row, "state": "running", "created_ms": after(rows, thread, now_ms)})
        said = {"thread": thread, "turn": identity, "role": role, **begun}
        rows.execute(_EVENT, _event_row(identity, 1, "begun", _json(said), now_ms))
    return identity


def after(session: Session | Connection, thread: str, now_ms: int) -> int:
    """`now_ms`, or just after the thread's last turn, so that turns keep their order if the clock is set back."""
    last = session.execute(_LAST_MS, {"thread": thread}).scalar()
    return max(now_ms, (last or 0) + 1)


def close_dead(engine: Engine, now_ms: int) -> list[str]:
    """Close every running turn whose process has died and answer its open calls; returns the closed ids."""
    with db.read(engine) as session:  # usually empty, and a read takes no lock
        running = session.exec(select(Turn.id, Turn.body).where(Turn.state == "running")).all()
    dead = [identity for identity, body in running if not alive(json.loads(body))]
    if not dead:
        return []
    with db.write(engine) as session:
        rows = session.exec(select(Turn).where(col(Turn.id).in_(dead), Turn.state == "running")).all()
        for row in rows:
            _interrupt(session, row, now_ms)
        return [row.id for row in rows]


def _interrupt(session: Session, row: Turn, now_ms: int) -> None:
    """End a turn whose process has died. Its open calls are answered as interrupted; a pending answer stays pending."""
    if "owed" in json.loads(row.body):
        row.state = "owed"
        session.add(row)
        return
    row.state, row.ended_ms = "failed", now_ms
    row.answer = json.dumps({"answer_md": "Interrupted: the answering process died. Ask again."})
    told = session.exec(select(TurnEvent).where(TurnEvent.turn == row.id).order_by(col(TurnEvent.n))).all()
    last = told[-1].n if told else 0
    bodies = [(event.kind, json.loads(event.body)) for event in told]
    ended = {body.get("id") for kind, body in bodies if kind == "tool_finished"}
    for kind, body in bodies:
        if kind == "tool_started" and body.get("id") not in ended:
            last += 1
            said = json.dumps({"id": body.get("id"), "tool": body.get("tool"), "status": "interrupted", "job": None})
            session.add(TurnEvent(turn=row.id, n=last, kind="tool_finished", created_ms=now_ms, body=said))
    session.add(TurnEvent(turn=row.id, n=last + 1, kind="interrupted", created_ms=now_ms))
    session.add(row)


def store_events(engine: Engine, turn: str, made: Sequence[Mapping[str, Any]], now_ms: int) -> None:
    """Store events of a turn, each with its `n` and `kind`; on the disk with the turn's end."""
    with db.write_rows(engine, durable=False) as rows:
        rows.execute(_EVENT, _event_rows(turn, made, now_ms))


def _event_rows(turn: str, made: Sequence[Mapping[str, Any]], now_ms: int) -> list[dict[str, Any]]:
    """Events as rows: number and kind have columns of their own."""
    return [
        _event_row(turn, event["n"], event["kind"], _json({k: v for k, v in event.items() if k not in ("n", "kind")}), now_ms)
        for event in made
    ]


def _event_row(turn: str, n: int, kind: str, body: str, now_ms: int) -> dict[str, Any]:
    return {"turn": turn, "n": n, "kind": kind, "created_ms": now_ms, "body": body}


def events(engine: Engine, turn: str, after: int = 0) -> Iterator[dict[str, Any]]:
    """The stored events of a turn after number `after`, in order: how a reader reattaches."""
    with db.read(engine) as session:
        rows = session.exec(
            select(TurnEvent).where(TurnEvent.turn == turn, col(TurnEvent.n) > after).order_by(col(TurnEvent.n))
        ).all()
    for row in rows:
        yield {"n": row.n, "kind": row.kind, **json.loads(row.body)}


def end(
    engine: Engine,
    turn: str,
    state: str,
    answer: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    now_ms: int,
    kept: tuple[Mapping[str, str], Mapping[str, Fact]] | None = None,
    owed: Callable[[Turn], Sequence[Turn]] | None = None,
    n: int | None = None,
    waiting: Sequence[Mapping[str, Any]] = (),
    anchor: Callable[[Connection], None] | None = None,
) -> None:
    """Close a turn with its answer and store, in the same transaction, its thread's handles and facts (`kept`), the pending
    answers (`owed`), the events that are not stored yet (`waiting`) and the answer as event `n` (None: no event); `anchor` joins
    it. A turn that has already ended is left alone."""
    text, memory = _json(answer), "" if kept is None else _memory_of(*kept)
    with db.write_rows(engine) as rows:
        found = rows.execute(_OPEN, {"turn": turn}).first()
        if found is None:
            return
        thread, body, head = found
        values = {"state": state, "ended_ms": now_ms, "answer": text, "body": _json({**json.loads(body), "calls": list(calls)})}
        rows.execute(_ENDED, {"turn": turn, **{f"new_{name}": value for name, value in values.items()}})
        last = _event_rows(turn, waiting, now_ms) + ([] if n is None else [_event_row(turn, n, "answer", text, now_ms)])
        if last:
            rows.execute(_EVENT, last)
        if anchor is not None:
            anchor(rows)
        if owed is not None:
            with Session(rows) as session:
                session.add_all(owed(session.get_one(Turn, turn)))
                session.commit()  # they are in this transaction now
        if memory:
            label = label_of(head or "")
            labelled = f"{LABEL_HEAD}{_json(label._asdict())}, " if label != Label() else "{"
            rows.execute(_REMEMBERED, {"thread": thread, "new_body": labelled + memory})


def _memory_of(handles: Mapping[str, str], facts: Mapping[str, Fact]) -> str:
    """Handles and the latest facts as they stand in a thread's body, behind its label."""
    latest = [[*fact[:5], list(fact.evidence), *fact[6:]] for fact in list(facts.values())[-FACTS_KEPT:]]
    return _json({"handles": dict(handles), "facts": latest})[1:]


def _json(body: Mapping[str, Any]) -> str:
    """A body as it is stored."""
    return json.dumps(dict(body), ensure_ascii=False, default=str)


def jobs_of(engine: Engine, turn: str) -> list[str]:
    """Ids of the jobs that a turn started, oldest first."""
    with db.read_rows(engine) as rows:
        return list(rows.execute(_JOBS, {"turn": turn}).scalars())


# --------------------------------------------------------------------------- which process runs a turn


def own_process() -> dict[str, Any]:
    """This process, distinguishable from a later one with the same pid."""
    return {"pid": os.getpid(), "born": _own_born(os.getpid())}


@lru_cache(maxsize=1)
def _own_born(pid: int) -> str | None:
    """This process's start time, which does not change; after a fork it is another process's."""
    return _born(pid)


def alive(body: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a running turn is still alive."""
    pid = body.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return body.get("born") in (None, _born(pid))


def _born(pid: int) -> str | None:
    """The process's start time from the kernel; None where it is not available."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None
