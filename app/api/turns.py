"""Routes of roles, threads and turns. A turn is a row: started here, run by app.api.running, followed by its stored events.
Registered by app.api.factory."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlmodel import Session, and_, col, func, select

from agents import threads
from agents.owed import CODE, OWED
from agents.roster import role as role_of
from agents.turns import halt_reason
from app.api import models_people as m
from app.api.context import ApiContext, At, Channel, NotFound, Who, now_ms, permitted
from app.api.jobs import job_status
from app.people.approvals import record
from app.people.identity import Actor, os_user
from app.wiring import halt_first
from engine.errors import Busy, DataError, DeskError
from engine.store import db
from engine.store.tables import Job, Thread, Turn, TurnEvent
from tools.common.contract import ROLES

router = APIRouter(prefix="/api", tags=["turns"])
TurnId = Path(max_length=60, pattern=r"^[\w-]+$", examples=["u-20261120-0a1b2c3d"])
ThreadId = Path(max_length=60, pattern=r"^[\w-]+$", examples=["t-20261120-0a1b2c3d"])
POLL_S = 0.5  # how often a turn of another process (of the API, or nightdesk chat) is polled
NEAR_S = 0.02  # the same while it is new
ALIVE_S = 15.0  # keep-alive comments, so that no proxy closes a silent stream
GRACE_S = 2.0  # from the end of a turn's row to its answer event
READERS_MAX = 60  # of all event streams; each holds a connection (app.processes.connections)
LAST = ("answer", "interrupted")
COLUMNS = (Thread.id, Thread.role, Thread.person, Thread.created_ms)


@router.get("/roles")
def roles(_: Who) -> m.Roles:
    """The three roles, their tools, and example questions that need no model."""
    from agents.offline.entries import entries

    items = []
    for name in ROLES:
        one = role_of(name)
        own = {tool.name for tool in one.tools}
        examples = [e.asked.examples[0] for e in entries() if e.asked.examples and e.tool.name in own]
        items.append(m.RoleView(name=name, about=one.about, tools=sorted(own), examples=examples[:12]))
    return m.Roles(items=items)


@router.get("/threads")
def thread_list(
    at: At,
    _: Who,
    role: m.Role | None = None,
    text: Annotated[str, Query(max_length=80)] = "",
    limit: int = Query(50, ge=1, le=200),
) -> m.ThreadLines:
    """Threads, last used first, without those taken off the list. `text`: only those whose name or a question of which has it."""
    touched = func.max(Turn.created_ms)
    mine = and_(col(Turn.thread) == col(Thread.id), col(Turn.state) != OWED)
    columns: Any = (*COLUMNS, threads.label_head(), touched, func.count(col(Turn.id)))
    query = select(*columns).outerjoin(Turn, mine)
    query = query.where(Thread.role == role) if role else query
    query = query.group_by(col(Thread.id)).order_by(func.coalesce(touched, Thread.created_ms).desc(), col(Thread.id).desc())
    wanted, items = text.strip().lower(), []
    with db.read(at.engine) as session:
        asked = _threads_with(session, wanted)
        for *columns, head, last, turns in session.exec(query):
            label = threads.label_of(head)
            if label.hidden or (wanted and columns[0] not in asked and wanted not in label.name.lower()):
                continue
            items.append(_line(session, columns, label.name, last, turns))
            if len(items) >= limit:
                break
    return m.ThreadLines(items=items)


def _threads_with(session: Session, wanted: str) -> set[str]:
    """Threads of which a question has these words, in any case; beyond ASCII the databases do not agree on what lower case is."""
    if not wanted or "\0" in wanted:  # PostgreSQL takes no NUL, and no question has one
        return set()
    if wanted.isascii():
        return set(session.exec(select(Turn.thread).where(func.lower(Turn.text).contains(wanted, autoescape=True)).distinct()))
    return {thread for thread, text in session.exec(select(Turn.thread, Turn.text)) if wanted in text.lower()}


def _line(session: Session, columns: Sequence[Any], name: str, touched: int | None, turns: int) -> m.ThreadLine:
    ident, role, person, created_ms = columns
    mine = select(Turn.text).where(Turn.thread == ident).order_by(col(Turn.created_ms)).limit(1)
    running = session.exec(select(Turn.id).where(Turn.thread == ident, Turn.state == "running").limit(1)).first()
    title = (session.exec(mine).first() or "")[:120]
    found = {"touched_ms": touched or created_ms, "turns": turns, "title": title, "running": running, "name": name}
    return m.ThreadLine(id=ident, role=role, person=person, created_ms=created_ms, **found)


@router.post("/threads/{thread_id}/name")
def name_thread(at: At, who: Who, channel: Channel, body: m.ThreadName, thread_id: str = ThreadId) -> m.ThreadNamed:
    """Give a thread a name, or take it away with an empty one; journaled with who did."""
    return _labelled(at, who.name, channel, thread_id, name=" ".join(body.name.split()))


@router.delete("/threads/{thread_id}")
def hide_thread(at: At, who: Who, channel: Channel, thread_id: str = ThreadId) -> m.ThreadNamed:
    """Take a thread off the list; its questions and answers stay. Journaled with who did."""
    return _labelled(at, who.name, channel, thread_id, hidden=True)


def _labelled(at: ApiContext, person: str, channel: str, thread_id: str, **changed: Any) -> m.ThreadNamed:
    """Journal first, then label."""
    _known_thread(at, thread_id)
    actor = Actor(person or os_user(), "claimed", os_user(), channel)
    record(at.home, "thread", {"thread": thread_id, **changed, "actor": actor.as_json()}, now_ms())
    label = threads.set_label(at.engine, thread_id, **changed)
    return m.ThreadNamed(id=thread_id, name=label.name, hidden=label.hidden)


def _known_thread(at: ApiContext, thread_id: str) -> None:
    """Raises NotFound for an unknown id."""
    with db.read(at.engine) as session:
        if session.get(Thread, thread_id) is None:
            raise NotFound(f"unknown thread {thread_id!r}", "see /api/threads")


@router.post("/threads", status_code=201)
def begin_thread(at: At, who: Who, body: m.ThreadBody) -> m.ThreadLine:
    """Start an empty thread."""
    identity = threads.find(at.engine, body.role, who.name, "new", now_ms())
    with db.read(at.engine) as session:
        row = session.get(Thread, identity)
        assert row is not None  # noqa: S101 - it was created a line above, and rows are never deleted
        return _line(session, (row.id, row.role, row.person, row.created_ms), "", None, 0)


@router.get("/threads/{thread_id}")
def one_thread(at: At, _: Who, thread_id: str = ThreadId) -> m.ThreadView:
    """A whole thread, to restore the page after a reload."""
    with db.read(at.engine) as session:
        row = session.get(Thread, thread_id)
        if row is None:
            raise NotFound(f"unknown thread {thread_id!r}", "see /api/threads")
        mine = select(Turn).where(Turn.thread == thread_id).order_by(col(Turn.created_ms))
        rows = session.exec(mine).all()
        turns = [_turn_view(at, session, turn) for turn in rows if turn.state != OWED]
        owed = [_pending_answer(turn) for turn in rows if turn.state == OWED]
        jobs = list(session.exec(select(Job.id).where(Job.thread == thread_id).order_by(col(Job.created_ms))))
    columns = {k: getattr(row, k) for k in ("id", "role", "person", "created_ms")}
    return m.ThreadView(**columns, turns=turns, jobs=[job_status(at, job) for job in jobs], owed=owed)


@router.post("/turns", status_code=202)
async def ask(at: At, who: Who, channel: Channel, body: m.TurnBody, request: Request) -> m.TurnBegun:
    """Ask a role; the turn runs whether anyone follows it or not. `/halt REASON` is latched before anything else, by anyone."""
    if (reason := halt_reason(body.text)) is not None:
        halt_first(at.path, reason, who.name, channel)
    else:
        await run_in_threadpool(permitted, request, "work")
    begin = partial(at.running.begin, body.role, body.text, who.name)
    try:
        begun = await run_in_threadpool(begin, body.thread, channel)
    except DeskError as error:
        if reason is None:
            raise
        try:
            begun = await run_in_threadpool(begin, "new", channel)
        except DeskError:
            raise DataError(f"the desk is HALTED by file; the turn itself failed: {error.what}", error.hint) from None
    return m.TurnBegun(turn=begun["turn"], thread=begun["thread"], role=begun["role"])


@router.get("/turns/{turn_id}")
def one(at: At, _: Who, turn_id: str = TurnId) -> m.TurnView:
    """One turn's current state."""
    return turn_view(at, turn_id)


@router.post("/turns/{turn_id}/cancel")
def cancel(at: At, _: Who, body: m.EmptyBody, turn_id: str = TurnId) -> m.TurnView:  # noqa: ARG001 - an empty body is checked too
    """Cancel a turn and its jobs; an ended turn is unchanged."""
    if turn_view(at, turn_id).state == "running":
        at.running.cancel(turn_id)
    return turn_view(at, turn_id)


@router.get("/turns/{turn_id}/events.json")
def stored(at: At, _: Who, turn_id: str = TurnId, after: int = Query(0, ge=0, le=1 << 31)) -> m.TurnEvents:
    """The stored events after number `after`."""
    state = turn_view(at, turn_id).state
    return m.TurnEvents(items=list(threads.events(at.engine, turn_id, after)), state=state)


@router.get("/turns/{turn_id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def followed(
    at: At,
    _: Who,
    turn_id: str = TurnId,
    after: int = Query(0, ge=0, le=1 << 31),
    last_event_id: str | None = Header(None, max_length=20),
) -> StreamingResponse:
    """Each stored event once, in order, from the reader's position; progress in between; `end` when the turn is over."""
    if turn_id not in at.running.live:
        await run_in_threadpool(turn_view, at, turn_id)
    if at.running.readers >= READERS_MAX:
        raise Busy(f"{READERS_MAX} readers follow turns already", "close a page, or read events.json")
    last = last_event_id or ""
    begin = int(last) if last.isascii() and last.isdigit() else after
    return StreamingResponse(_stream(at, turn_id, begin), media_type="text/event-stream")


async def _stream(at: ApiContext, turn: str, after: int) -> AsyncIterator[str]:
    """The lines of the stream, while its reader is counted."""
    at.running.readers += 1
    try:
        async with aclosing(_lines(at, turn, after)) as lines:
            async for line in lines:
                yield line
    finally:
        at.running.readers -= 1


async def _lines(at: ApiContext, turn: str, after: int) -> AsyncGenerator[str, None]:
    live, began = at.running.live.get(turn), time.monotonic()
    ended_at, silent_since, progress = None, began, None
    with live.followed() if live is not None else nullcontext(asyncio.Event()) as news:
        while True:
            news.clear()
            if live is not None and not live.left:
                state, rows = "running", [event for event in live.events if event["n"] > after]
            else:
                state, rows = await run_in_threadpool(_rows, at, turn, after)
            if rows:  # what is there goes out in one piece: each costs server and reader a wakeup
                after, silent_since = rows[-1]["n"], time.monotonic()
                framed, last = "".join(map(_framed, rows)), rows[-1]["kind"]
                if last == "answer" and live is not None and not live.stop.is_set():
                    yield framed + _framed_end("done")  # stored in the transaction that made the row so
                    return
                yield framed
                if last in LAST:
                    break
            if state == "cancelled" and not rows:
                break  # its thread may still wait for a model; readers need not
            if state != "running" and not rows and turn not in at.running.live:
                ended_at = ended_at or time.monotonic()
                if live is not None or time.monotonic() - ended_at > GRACE_S:
                    break
            if live is not None and live.progress is not None and live.progress is not progress:
                progress, silent_since = live.progress, time.monotonic()
                shown = {k: v for k, v in progress.items() if k not in ("n", "kind")}
                yield f"event: tool_progress\ndata: {json.dumps(shown)}\n\n"
            if time.monotonic() - silent_since > ALIVE_S:
                silent_since = time.monotonic()
                yield ": the turn is running\n\n"
            try:
                # of a turn of another process nobody tells: it is looked for often at first, then less and less
                age_s = time.monotonic() - began
                async with asyncio.timeout(POLL_S if live is not None else min(POLL_S, max(NEAR_S, age_s / 10))):
                    await news.wait()
            except TimeoutError:
                continue
    yield _framed_end(await run_in_threadpool(_state, at, turn))


def _framed(event: Mapping[str, Any]) -> str:
    """A stored event as a stream has it."""
    return f"id: {event['n']}\nevent: {event['kind']}\ndata: {json.dumps(event, ensure_ascii=False, default=str)}\n\n"


def _framed_end(state: str) -> str:
    return f"event: end\ndata: {json.dumps({'state': state})}\n\n"


def _rows(at: ApiContext, turn: str, after: int) -> tuple[str, list[dict[str, Any]]]:
    """State first, then rows: if the turn ends in between, its rows are read once more."""
    state = _state(at, turn)
    return state, list(threads.events(at.engine, turn, after))


def _state(at: ApiContext, turn: str) -> str:
    with db.read_rows(at.engine) as rows:
        state = str(rows.execute(select(Turn.state).where(Turn.id == turn)).scalar_one())
    return "failed" if turn in at.running.unstored else state


def turn_view(at: ApiContext, turn_id: str) -> m.TurnView:
    """The API's view of a turn; one whose process died is closed here. Raises NotFound."""
    with db.read(at.engine) as session:
        row = session.get(Turn, turn_id)
        if row is None:
            raise NotFound(f"unknown turn {turn_id!r}", "see /api/threads")
        if row.state != "running" or threads.alive(json.loads(row.body)):
            return _turn_view(at, session, row)
    threads.close_dead(at.engine, now_ms())
    with db.read(at.engine) as session:
        return _turn_view(at, session, session.get(Turn, turn_id) or row)


def _turn_view(at: ApiContext, session: Session, row: Turn) -> m.TurnView:
    live = at.running.live.get(row.id)
    last = session.exec(select(func.max(TurnEvent.n)).where(TurnEvent.turn == row.id)).one() or 0
    answer = json.loads(row.answer) or None
    progress = live.progress if live is not None and row.state == "running" else None
    share = {k: progress[k] for k in ("id", "tool", "share") if k in progress} if progress else None
    columns = {k: getattr(row, k) for k in ("id", "thread", "role", "state", "text", "model", "created_ms", "ended_ms")}
    posts = _pending_answer(row) if row.model == CODE and f'"{OWED}"' in row.body else None
    if (text := at.running.unstored.get(row.id)) is not None:  # its row still says `running`
        columns["state"], answer = "failed", {"answer_md": text}
    return m.TurnView(**columns, answer=answer, last_n=last, progress=share, posts=posts)


def _pending_answer(row: Turn) -> m.PendingAnswerView:
    """What a turn posted by code posts, or will post."""
    body = json.loads(row.body)[OWED]
    return m.PendingAnswerView(id=row.id, turn=body["question"], tool=body["tool"], jobs=body["jobs"])
