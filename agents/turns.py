"""The one entry to the agents: `ask` turns a question in a thread into numbered events, the last of them the answer.

Called by app/cli/chat.py (and by the API). Every event is stored before it is yielded. `/halt REASON` is executed before any
model reads anything. A turn that fails is closed with a plain answer; nothing it found is lost.
"""

import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from agents import graph, nodes, owed, prompt, threads
from agents.answer_lines import answer_lines
from agents.budget import STEPS
from agents.caller import TurnCaller
from agents.model import Message, Model
from agents.offline.model import OfflineContext, OfflineModel
from agents.offline.steps import ROWS_KEPT, CallResult, PastTurn
from agents.offline.words import Words
from agents.roster import role as role_of
from agents.spending import SpendLimits
from agents.state import AnsweredCall, EarlierTurn, Work
from engine.clock import utc
from engine.errors import BadInput, DeskError
from engine.redaction import redacted
from memory.shelf import ShelfError
from tools.catalog import TOOLS
from tools.common.contract import Effect, Fact, Table, ToolContext
from tools.common.render import one_line, safe
from tools.handoff import write_handoff

QUESTION_MAX = 4000
FOLLOWED = ("understood", "tool_finished")  # events that no work separates from the next, when code answers
HAND_OFF_S = 1.0
_GUARD, _GOING, _HANDED_OFF = threading.Lock(), Counter[Path](), dict[Path, float]()  # running turns, last update; of a home
Event = dict[str, Any]


class AgentRuntime(Protocol):
    """What a turn needs from the process around it. Implemented by app/wiring.py."""

    engine: Any
    home: Path
    model: Model
    limits: SpendLimits  # of tokens and dollars

    @property
    def source(self) -> str:
        """Of the data that the desk trades on: recorded | pulled | synthetic."""

    @property
    def stamp(self) -> str:
        """PAPER, REPLAYED."""

    def now_ms(self) -> int:
        """The machine's time."""

    def desk_ms(self) -> int | None:
        """The desk's time."""

    def words(self, desk_ms: int | None) -> Words:
        """The vocabulary of questions."""

    def context(self, **of_the_turn: Any) -> ToolContext:
        """A tool context with role, thread, turn, person, desk_ms, now_ms, model, handles and facts of a turn."""

    def record(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append to the people journal."""

    def anchor(self, rows: Connection) -> None:
        """Note in a transaction of the database how far the people journal has come."""

    def halt(self, reason: str, person: str) -> str:
        """Latch the halt; returns the text to show."""


def ask(office: AgentRuntime, role: str, text: str, person: str, thread: str | None = None) -> Generator[Event, None, Event]:
    """Ask `role` in `thread` (None: this person and role's latest recent one; `new`, `last`, or an id).

    Yields events {"n", "kind", ...}: begun, understood, tool_started, tool_progress, tool_finished, answer (last, with
    the keys of `chat --json`); returns that answer. BadInput for a bad role, thread or empty question; Busy while the
    thread answers another question.
    """
    who, question = role_of(role), _question(text)
    now_ms = office.now_ms()
    where = threads.find(office.engine, who.name, person, thread, now_ms)
    privacy = getattr(office.model, "privacy", "")  # what is sent where, for a remote model
    begun = {"model": _model(office.model)} | ({"privacy": privacy} if privacy else {})
    turn = threads.begin(office.engine, where, who.name, question, office.model.name, now_ms, begun)
    log = EventLog(office, turn, 1)
    with _handed_off(office):  # after the answer, so that no reader waits for it
        answer = yield from _turn_events(office, log, where, who.name, question, person, begun)
        yield from log.waiting
        yield {"n": log.n, "kind": "answer", **answer}
    return answer


def _turn_events(
    office: AgentRuntime, log: "EventLog", thread: str, role: str, question: str, person: str, begun: Event
) -> Generator[Event, None, Event]:
    """Every event but the last ones, which are stored when this returns: those that wait in `log`, and the answer."""
    calls: list[AnsweredCall] = []
    answer: Event | None = None
    ctx: ToolContext | None = None
    try:
        yield {"n": 1, "kind": "begun", "thread": thread, "turn": log.turn, "role": role, **begun}
        asked = {"role": role, "person": one_line(person, 80), "thread": thread, "turn": log.turn, "text": question}
        office.record("ask", asked)
        if (reason := halt_reason(question)) is not None:
            said = office.halt(reason, person)
            answer = answer_of(office, thread, log.turn, role, said, own_act="the desk was HALTED, before any model")
        else:
            held = threads.load(office.engine, thread)
            work = _work(office, role, question, person, held, log.turn)
            ctx = work.ctx
            state = yield from _run_graph(work, log, calls)
            struck = [s._asdict() for s in state["struck"]]
            answer = answer_of(office, thread, log.turn, role, state["answer"], work, calls, struck)
            answer |= {
                "unchecked": list(state["unchecked"]),
                "unused": list(state["unused"]),
                "asked_back": state["asked_back"],
                "read_as": state["read_as"],
            }
    except DeskError as error:
        if halt_reason(question) is not None:  # a halt that is not latched is never an answer
            raise
        answer = answer_of(office, thread, log.turn, role, f"That did not work: {safe(str(error))}")
    finally:
        close(office, log, answer, calls, ctx)
    return answer


def halt_reason(text: str) -> str | None:
    """The reason of `/halt REASON`; None for any other text. A halt without a reason still halts."""
    words = text.strip().split(maxsplit=1)
    if not words or words[0].lower() not in ("/halt", "/halt:", "/halt!", "/stop"):
        return None
    return one_line(words[1], 300) if len(words) > 1 else "halted from a chat, no reason given"


def _question(text: str) -> str:
    bare = text.strip()
    if not bare:
        raise BadInput("the question is empty", 'write it in quotes: nightdesk chat --role operator "is anything wrong?"')
    if len(bare) > QUESTION_MAX:
        raise BadInput(f"the question has {len(bare)} characters", f"shorten it to {QUESTION_MAX}")
    return safe_question(bare)


def safe_question(text: str) -> str:
    """The person's question as stored: control characters removed, lines joined, anything like a key masked."""
    return redacted(one_line(text, QUESTION_MAX))


class EventLog:
    """Numbers the events of a turn and stores each before it is reported; progress is reported only.

    What the offline model follows at once by another event or by the answer waits for that, and is stored in one transaction
    with it: of a turn with one call what begins the call, and what ends it.
    """

    def __init__(self, office: AgentRuntime, turn: str, n: int = 0) -> None:
        self.office, self.turn, self.n = office, turn, n
        self.waiting: list[Event] = []

    def event(self, kind: str, body: Mapping[str, Any]) -> list[Event]:
        """The events to report now."""
        if kind == "tool_progress":
            return [{"n": self.n, "kind": kind, **body}]
        self.n += 1
        self.waiting.append({"n": self.n, "kind": kind, **body})
        if kind in FOLLOWED and self.office.model.offline:
            return []
        ready, self.waiting = self.waiting, []
        threads.store_events(self.office.engine, self.turn, ready, self.office.now_ms())
        return ready


def _work(office: AgentRuntime, role: str, question: str, person: str, held: threads.OpenThread, turn: str) -> Work:
    """Everything the nodes work with, made for this turn."""
    desk_ms = office.desk_ms()
    who, words = role_of(role), office.words(desk_ms)
    ctx = office.context(
        role=who.name,
        thread=held.id,
        turn=turn,
        person=person,
        desk_ms=desk_ms,
        now_ms=office.now_ms(),
        model=office.model.name,
        handles=held.handles,
        facts=held.facts,
    )
    past = [_past(earlier) for earlier in held.earlier]
    known = OfflineContext(who.name, words, past, ctx.handles, ctx.facts)
    blocks = [] if office.model.offline else _blocks(office, ctx, words)
    system = Message("system", prompt.system_text(who, blocks), data=known)
    settings = [dict(sleeve.params) for sleeve in words.sleeves]
    names = [sleeve.name for sleeve in words.sleeves] + [*words.strategies, *words.symbols]
    work = Work(question, who, ctx, office.model, system, held.earlier, settings, names, stamp_of(office, desk_ms))
    work.spare, work.caller = OfflineModel(), TurnCaller(office.engine, office.home, turn, office.limits, office.now_ms)
    return work


def _blocks(office: AgentRuntime, ctx: ToolContext, words: Words) -> list[prompt.ContextBlock]:
    """The context of a real model; the handoff page is made anew first, since an older version of it held questions."""
    hand_off(office)
    return prompt.blocks_of(ctx, words)


def _past(earlier: EarlierTurn) -> PastTurn:
    results = tuple(
        CallResult(c["name"], c["args"], c["status"], c["text"], _table(c), c["data"], tuple(c["evidence"]))
        for c in earlier.calls
    )
    return PastTurn("" if earlier.posted else earlier.asked, results, earlier.id)  # "and for ETH?" continues what a person asked


def _table(stored: Mapping[str, Any]) -> Table | None:
    """The first rows of a stored call's table: what "the second one" points at."""
    kept = stored.get("rows")
    return Table(tuple(kept["columns"]), tuple(map(tuple, kept["rows"]))) if kept else None


def stamp_of(office: AgentRuntime, desk_ms: int | None) -> str:
    """The last line of an answer about the desk; the model's name is appended."""
    when = f"desk time {utc(desk_ms)}" if desk_ms is not None else "no bar in the journal"
    source = office.source.upper() if office.source == "synthetic" else office.source
    return f"{when} · {office.stamp} · {source} data"


def _run_graph(work: Work, log: "EventLog", calls: list[AnsweredCall]) -> Generator[Event, None, Mapping[str, Any]]:
    """Run the graph and yield its events as they happen; `calls` grows with it. Returns the last state."""
    state: dict[str, Any] = {"messages": [], "done": [], "draft": "", "by_code": False, "unused": (), "asked_back": False}
    state |= {"read_as": "", "answer": "", "struck": [], "unchecked": []}
    try:
        for mode, part in graph.stream(work, state, STEPS):
            if mode == "values":
                state = part
                calls[:] = part["done"]
            else:
                body = {key: value for key, value in part.items() if key != "kind"}
                yield from log.event(part["kind"], body)
    except graph.StepsUsedUp:
        state["draft"] = nodes.answer_without_model("I stopped here: the step limit per turn is reached.", state["done"])
        state["by_code"] = True
        state |= nodes.ground_draft(work, state)  # type: ignore[arg-type]  # the same keys
        state |= nodes.reply(work, state)  # type: ignore[arg-type]  # the same keys
    return state


def _model(model: Model) -> dict[str, Any]:
    return {"name": model.name, "api_format": model.api_format, "offline": model.offline}


def answer_of(
    office: AgentRuntime,
    thread: str,
    turn: str,
    role: str,
    text: str,
    work: Work | None = None,
    calls: Sequence[AnsweredCall] = (),
    struck: Sequence[Mapping[str, str]] = (),
    own_act: str = "",
) -> Event:
    """The answer with exactly the keys of `chat --json`. `own_act`: what code did before any model was asked."""
    results = [entry.result for entry in calls]
    facts = {fact.ref: fact for result in results for fact in result.facts}
    usage = work.budget.usage if work else None
    lines = answer_lines(office.home, office.engine, stamp_of(office, office.desk_ms()), calls, own_act)
    return {
        "thread": thread,
        "turn": turn,
        "role": role,
        "model": _model(work.model if work else office.model),
        "answer_md": text,
        "state_line": lines.state,
        "acts_line": lines.acts,
        "unused": [],
        "asked_back": False,
        "read_as": "",
        "facts": [_fact_json(fact) for fact in facts.values()],
        "struck": [dict(entry) for entry in struck],
        "unchecked": [],
        "tool_calls": [_call_json(entry) for entry in calls],
        "jobs": threads.jobs_of(office.engine, turn) if any(map(_may_start, calls)) else [],
        "proposals": list(dict.fromkeys(e.id for entry in calls for e in _proposed(entry))),
        "usage": {
            "input_tokens": usage.input_tokens if usage else 0,
            "output_tokens": usage.output_tokens if usage else 0,
            "tool_calls": len(calls),
            **_cost(work, office.model),
        },
    }


def _cost(work: Work | None, model: Model) -> dict[str, Any]:
    """The cost of a real model's calls in this turn; null when no price is configured."""
    if work is None or model.offline or not isinstance(work.caller, TurnCaller):
        return {}
    spend = work.caller.spend
    if not spend.calls:
        return {}
    return {"model_calls": spend.calls, "cost_usd": spend.usd if spend.priced else None}


def _fact_json(fact: Fact) -> dict[str, Any]:
    return {**fact._asdict(), "evidence": fact.evidence._asdict()}


def _call_json(entry: AnsweredCall) -> dict[str, Any]:
    return {"id": entry.call.id, "name": entry.call.name, "args": dict(entry.call.args), "status": entry.result.status}


def _may_start(entry: AnsweredCall) -> bool:
    """Whether a call may have started a job: a READ starts none."""
    line = TOOLS.get(entry.call.name)
    return line is not None and line.effect is not Effect.READ


def _proposed(entry: AnsweredCall) -> list[Any]:
    """Evidence of proposals that this call made (not of those it read)."""
    line = TOOLS.get(entry.call.name)
    made = line is not None and line.effect is Effect.PROPOSE and entry.result.status == "ok"
    return [e for e in entry.result.evidence if e.kind == "proposal"] if made else []


def close(
    office: AgentRuntime, log: "EventLog", answer: Event | None, calls: Sequence[AnsweredCall], ctx: ToolContext | None
) -> None:
    """Journal the answer, then end the turn's row with its last events, also when the reader has disconnected.

    Calls whose jobs still run become pending answers.
    """
    state, turn = "done" if answer is not None else "cancelled", log.turn
    if answer is None and ctx is not None:
        for job in threads.jobs_of(office.engine, turn):
            ctx.jobs.cancel(job)
    stored: Mapping[str, Any] = answer if answer is not None else {"answer_md": "Cancelled before the answer."}
    kept = None if ctx is None else (ctx.handles, ctx.facts)
    now_ms, waits = office.now_ms(), []
    if answer is not None and ctx is not None:
        waits = owed.pending_of(turn, calls, answer["jobs"], ctx.desk_ms)
    log.n += answer is not None
    listed, n = [_kept_call(entry) for entry in calls], log.n if answer is not None else None
    pending = (lambda row: owed.rows_of(row, waits, now_ms)) if waits else None
    model = stored.get("model", {}).get("name", office.model.name)  # the one that answered
    body = {"turn": turn, "state": state, "model": model, "answer": one_line(stored["answer_md"], 500)}
    counts = {key: len(stored.get(key, [])) for key in ("struck", "unchecked")}
    try:
        office.record("answer", body | {"proposals": stored.get("proposals", []), **counts})
    finally:  # a journal that fails leaves no turn running
        threads.end(office.engine, turn, state, stored, listed, now_ms, kept, pending, n, log.waiting, office.anchor)


@contextmanager
def _handed_off(office: AgentRuntime) -> Generator[None, None, None]:
    """A turn whose end updates the handoff page. Of turns that run beside each other in a process the last one does, and each
    that ends HAND_OFF_S after the last update."""
    with _GUARD:
        _GOING[office.home] += 1
    try:
        yield
    finally:
        with _GUARD:
            _GOING[office.home] -= 1
            due = not _GOING[office.home] or time.monotonic() - _HANDED_OFF.get(office.home, 0.0) >= HAND_OFF_S
            if due:
                _HANDED_OFF[office.home] = time.monotonic()
        if due:
            hand_off(office)


def hand_off(office: AgentRuntime) -> None:
    """Update memory's handoff page. A convenience: the answer does not depend on it."""
    with suppress(ShelfError, OSError):
        write_handoff(office.engine, office.home)


def _kept_call(entry: AnsweredCall) -> dict[str, Any]:
    """A call as stored for later turns of the thread."""
    r = nodes.result_of(entry)
    return {
        "name": r.name,
        "args": dict(r.args),
        "status": r.status,
        "text": one_line(r.text, 600),
        "data": dict(r.data),
        "evidence": list(r.evidence),
    } | ({"rows": {"columns": r.table.columns, "rows": r.table.rows[:ROWS_KEPT]}} if r.table else {})
