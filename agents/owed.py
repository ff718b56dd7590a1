"""What code owes a thread: calls that were answered `started`, to be answered when their jobs end. Called by turns and posting.

An owed answer is a row of `turns` in the state `owed`, written in the transaction that ends the turn that asked. Whoever posts it
claims it (`owed` to `running`, while no other turn of the thread runs); it ends like any turn. A claim whose process is gone is
owed again (threads.close_dead). So it is posted once, by whichever process is there.
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

CODE = "code"  # who answers, where a model would be named
OWED = "owed"  # the state of such a row, and what its body keeps it under
QUESTION_SHOWN = 200


class PendingAnswer(NamedTuple):
    """One answer that is owed. `jobs`: those that have to end first; `desk_ms`: the desk's time when it was asked."""

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
    """Calls of a turn that were answered `started` and not answered later in it, as the bodies of rows.

    `jobs` are the turn's, oldest first. A call starts its jobs together and names the first that has not ended: the ones up to
    the job that the next call names are its own.
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
    """The rows to be written when `turn` ends."""
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
    """What is owed now, in the order it was asked for."""
    query = select(Turn.id, Turn.thread, Turn.body, Thread.person).join(Thread, col(Thread.id) == col(Turn.thread))
    with db.read(engine) as session:
        found = session.exec(query.where(Turn.state == OWED).order_by(col(Turn.created_ms), col(Turn.id))).all()
    return [
        PendingAnswer(id=identity, thread=thread, person=person, **{**body, "jobs": tuple(body["jobs"])})
        for identity, thread, text, person in found
        for body in [json.loads(text)[OWED]]
    ]


def claim(engine: Engine, owed: PendingAnswer, now_ms: int) -> bool:
    """Begin to post it: True for one caller only, and for none while a turn of the thread runs."""
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
        if mine:  # what an interrupted try has told
            session.exec(delete(TurnEvent).where(col(TurnEvent.turn) == owed.id))
        return mine


def put_back(engine: Engine, owed: PendingAnswer) -> None:
    """Owe it further; it was claimed, and is not answered yet."""
    with db.write(engine) as session:
        claimed = update(Turn).where(col(Turn.id) == owed.id, col(Turn.state) == "running")
        session.exec(claimed.values(state=OWED, body=_body(owed, running=False)))


def drop(engine: Engine, owed: PendingAnswer) -> None:
    """Owe it no longer, without a word: it was claimed, and the thread has its answer."""
    with db.write(engine) as session:
        session.exec(delete(Turn).where(col(Turn.id) == owed.id, col(Turn.state) == "running"))


def forgive(engine: Engine, turn: str) -> None:
    """Owe nothing of a turn that a person cancelled while it was ending."""
    with db.write(engine) as session:
        mine = col(Turn.id).startswith(f"{turn}-p", autoescape=True)
        session.exec(delete(Turn).where(mine, col(Turn.state) == OWED))


def _body(owed: PendingAnswer, *, running: bool) -> str:
    kept = {name: value for name, value in owed._asdict().items() if name not in ("id", "thread", "person")}
    return json.dumps({OWED: kept} | (threads.own_process() if running else {}), ensure_ascii=False)


def answered_since(earlier: Sequence[EarlierTurn], owed: PendingAnswer) -> bool:
    """Whether the same call was answered in the thread after it was asked: somebody asked again."""
    ids = [turn.id for turn in earlier]
    later = earlier[ids.index(owed.question) + 1 :] if owed.question in ids else earlier
    calls = (call for turn in later for call in turn.calls)
    return any(call["name"] == owed.tool and call["args"] == owed.args and call["status"] == "ok" for call in calls)


def posting_in(engine: Engine, thread: str) -> bool:
    """Whether the turn that runs in the thread is code's: it ends by itself within a moment."""
    with db.read(engine) as session:
        bodies = session.exec(select(Turn.body).where(Turn.thread == thread, Turn.state == "running")).all()
    return any(OWED in json.loads(body) for body in bodies)
