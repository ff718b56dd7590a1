"""Pending answers: calls that were answered `started`, to be answered when their jobs end. Called by turns and posting.

A pending answer is a row of `turns` in the state `owed`, written in the transaction that ends the turn that asked. A process
claims it (`owed` to `running`, while no other turn of the thread runs) and posts it; it ends like any turn. The claim of a dead
process is released (threads.close_dead). So it is posted exactly once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, delete, select, update

from agents import threads
from agents.state import AnsweredCall, EarlierTurn
from engine.store import db
from engine.store.tables import Thread, Turn, TurnEvent

CODE = "code"  # the answerer's name, in place of a model's
OWED = "owed"  # the state of such a row, and the key of its body
QUESTION_SHOWN = 200


class PendingAnswer(NamedTuple):
    """One pending answer. `jobs` must end first; `desk_ms` is the desk's time of the question."""

    id: str
    thread: str
    person: str
    question: str  # the turn that asked
    asked: str
    asked_ms: int
    tool: str
    args: Mapping[str, Any]
    jobs: tuple[str, ...]
    desk_ms: int | None
    tries: int = 0


def pending_of(turn: str, calls: Sequence[AnsweredCall], jobs: Sequence[str], desk_ms: int | None) -> list[dict[str, Any]]:
    """Calls of a turn that were answered `started` and not completed later in it, as row bodies.

    `jobs` are the turn's, oldest first. A call starts its jobs together and names the first unfinished one: its own
    jobs are those up to the job that the next call names.
    """
    last = {(c.call.name, json.dumps(dict(c.call.args), sort_keys=True, default=str)): c for c in calls}
    open_calls = [entry for entry in last.values() if entry.result.status == "started" and entry.result.job]
    heads = sorted(jobs.index(str(c.result.job)) for c in open_calls if c.result.job in jobs)
    found = []
    for entry in open_calls:
        waits = [str(entry.result.job)]
        if waits[0] in jobs:
            at = jobs.index(waits[0])
            waits = list(jobs[at : next((head for head in heads if head > at), None)])
        body = {"tool": entry.call.name, "args": dict(entry.call.args), "jobs": waits, "desk_ms": desk_ms, "question": turn}
        found.append(body)
    return found


def rows_of(turn: Turn, bodies: Sequence[Mapping[str, Any]], now_ms: int) -> list[Turn]:
    """The rows to write when `turn` ends."""
    shown = turn.text if len(turn.text) <= QUESTION_SHOWN else turn.text[: QUESTION_SHOWN - 1] + "…"
    return [
        Turn(
            id=f"{turn.id}-p{n}",
            thread=turn.thread,
            role=turn.role,
            state=OWED,
            text=f'Posted by code: {body["tool"]} for "{shown}", job {body["jobs"][0]}',
            model=CODE,
            created_ms=now_ms,
            body=json.dumps({OWED: {**body, "asked": shown, "asked_ms": turn.created_ms, "tries": 0}}, ensure_ascii=False),
        )
        for n, body in enumerate(bodies, 1)
    ]


def all_pending(engine: Engine) -> list[PendingAnswer]:
    """All pending answers, in the order they were asked for."""
    query = select(Turn.id, Turn.thread, Turn.body, Thread.person).join(Thread, col(Thread.id) == col(Turn.thread))
    with db.read(engine) as session:
        found = session.exec(query.where(Turn.state == OWED).order_by(col(Turn.created_ms), col(Turn.id))).all()
    return [
        PendingAnswer(id=identity, thread=thread, person=person, **{**body, "jobs": tuple(body["jobs"])})
        for identity, thread, text, person in found
        for body in [json.loads(text)[OWED]]
    ]


def claim(engine: Engine, owed: PendingAnswer, now_ms: int) -> bool:
    """Claim it for posting: True for one caller only, and for none while a turn of the thread runs."""
    with db.write(engine) as session:
        going = session.exec(select(Turn.body).where(Turn.thread == owed.thread, Turn.state == "running")).all()
        if any(threads.alive(json.loads(body)) for body in going):
            return False
        values = {
            "state": "running",
            "created_ms": threads.after(session, owed.thread, now_ms),
            "body": _body(owed, running=True),
        }
        mine = session.exec(update(Turn).where(col(Turn.id) == owed.id, col(Turn.state) == OWED).values(**values)).rowcount == 1
        if mine:  # events of an interrupted attempt
            session.exec(delete(TurnEvent).where(col(TurnEvent.turn) == owed.id))
        return mine


def put_back(engine: Engine, owed: PendingAnswer) -> None:
    """Return a claimed answer to pending."""
    with db.write(engine) as session:
        claimed = update(Turn).where(col(Turn.id) == owed.id, col(Turn.state) == "running")
        session.exec(claimed.values(state=OWED, body=_body(owed, running=False)))


def drop(engine: Engine, owed: PendingAnswer) -> None:
    """Delete a claimed answer silently: the thread already has it."""
    with db.write(engine) as session:
        session.exec(delete(Turn).where(col(Turn.id) == owed.id, col(Turn.state) == "running"))


def forgive(engine: Engine, turn: str) -> None:
    """Delete the pending answers of a turn that a person cancelled while it was ending."""
    with db.write(engine) as session:
        mine = col(Turn.id).startswith(f"{turn}-p", autoescape=True)
        session.exec(delete(Turn).where(mine, col(Turn.state) == OWED))


def _body(owed: PendingAnswer, *, running: bool) -> str:
    kept = {name: value for name, value in owed._asdict().items() if name not in ("id", "thread", "person")}
    return json.dumps({OWED: kept} | (threads.own_process() if running else {}), ensure_ascii=False)


def answered_since(earlier: Sequence[EarlierTurn], owed: PendingAnswer) -> bool:
    """Whether the same call was answered later in the thread, because a person asked again."""
    ids = [turn.id for turn in earlier]
    later = earlier[ids.index(owed.question) + 1 :] if owed.question in ids else earlier
    calls = (call for turn in later for call in turn.calls)
    return any(call["name"] == owed.tool and call["args"] == owed.args and call["status"] == "ok" for call in calls)


def posting_in(engine: Engine, thread: str) -> bool:
    """Whether the thread's running turn is a posting by code, which ends within a moment."""
    with db.read(engine) as session:
        bodies = session.exec(select(Turn.body).where(Turn.thread == thread, Turn.state == "running")).all()
    return any(OWED in json.loads(body) for body in bodies)
