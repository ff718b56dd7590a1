"""The five steps of a turn: recall, think, act, ground, reply. Wired by agents/graph.py; each takes the state and returns
what it adds. Whatever a model does wrong becomes an answer here, never an exception.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

from agents.grounding import WHOLLY, Ground, ground
from agents.model import Call, Message, ModelDown, OverBudget, Reply
from agents.offers import offered
from agents.offline.steps import CallResult
from agents.prompt import ContextBlock, label_block
from agents.records import Receipts
from agents.state import AnsweredCall, EarlierTurn, TurnState, Work
from agents.support import CountedRows
from agents.written_calls import SET_FORMAT, with_written_calls
from engine.control import halt
from engine.errors import DeskError
from tools.catalog import TOOLS, call
from tools.common.contract import Effect, Table, ToolResult, clean, refused
from tools.common.render import markdown_table, safe
from tools.together import read_together

RESULT_CHARACTERS = 12_000  # of one tool result in front of a model
EARLIER_TOKENS = 3_000  # of the older turns of a thread, a line each
UNSEEN = "no tool was called: nothing was looked up for this answer"  # under an answer without any tool result
# tools whose results are records of what was done; pages, notes and lists are not
RECORDING = frozenset(
    [
        "desk",
        "sleeves",
        "health",
        "alerts",
        "journal_search",
        "explain_event",
        "proposals",
        "run",
        "round_trip",
        "attribution",
        "backtest",
        "compare",
        "probe",
        "propose_config",
        "propose_tightening",
        "propose_pause",
    ]
)
ACCEPTED = ("ok", "no_data", "started")  # how a call ends that was carried out
BARREN_MAX = 3  # rounds of calls of which none was carried out, before the offline model answers
UNREADABLE = "unreadable_arguments"  # the one argument of a call whose arguments could not be read (agents/formats/text.py)
LAST_WHOLE = 2  # earlier turns shown with their answers; older ones become one line each
Emit = Callable[[str, Mapping[str, Any]], None]
WRITER: ContextVar[Callable[[Any], None]] = ContextVar("writer")  # of a turn that LangGraph does not run; set by agents/graph.py
_ORDER = {Effect.READ: 0, Effect.COMPUTE: 1, Effect.PROPOSE: 2}


def emitter() -> Emit:
    """How a node reports what it is doing: an event in the stream of the turn."""
    write = WRITER.get(None)
    if write is None:
        from langgraph.config import get_stream_writer

        write = get_stream_writer()

    def emit(kind: str, body: Mapping[str, Any]) -> None:
        write({"kind": kind, **body})

    return emit


def recall(work: Work, _state: TurnState) -> dict[str, Any]:
    """The conversation so far: the system message with its context blocks, earlier turns, the question."""
    return {"messages": [work.system, *folded_turns(work.earlier), Message("user", work.question)]}


def folded_turns(earlier: Sequence[EarlierTurn]) -> list[Message]:
    """Earlier turns: the last ones with their answers, the older ones one line each."""
    older, last = earlier[:-LAST_WHOLE], earlier[-LAST_WHOLE:]
    messages = []
    if older:
        lines = [
            f'- asked: "{clean(" ".join(turn.asked.split()), 160)}"'
            + (f"; ran {', '.join(turn.runs)}" if turn.runs else "")
            + (f"; proposed {', '.join(turn.proposals)}" if turn.proposals else "")
            for turn in older
        ]
        messages.append(
            Message("system", label_block(ContextBlock("earlier in this thread", False, "\n".join(lines), EARLIER_TOKENS)))
        )
    for turn in last:
        messages += [Message("user", turn.asked), Message("assistant", turn.answered)]
    return messages


def think(work: Work, state: TurnState) -> dict[str, Any]:
    """Ask the model for the next calls or a draft; a spent budget or a model failure ends the turn in plain words."""
    reason = work.budget.spent()
    if reason:
        said = answer_without_model(f"I stopped here: the budget of {reason} per turn is used up.", state["done"])
        return {"draft": said, "by_code": True}
    try:
        reply = model_reply(work, state)
    except DeskError as error:
        said = answer_without_model(f"The model {work.model.name} did not answer: {error}", state["done"])
        return {"draft": said, "by_code": True}
    work.budget.usage = work.budget.usage.plus(reply.usage)
    if not reply.calls:
        said = with_earlier_findings(work, reply.text, state["done"])
        own = {"unused": reply.unused, "asked_back": reply.asked_back, "read_as": reply.read_as}
        return {"draft": said, "by_code": work.model.offline, **own, "messages": [Message("assistant", reply.text)]}
    if reply.text:
        shown = ground(clean(reply.text, 500), ground_of(work, state["done"], by_code=work.model.offline))
        emitter()("understood", {"text": shown.text})
    return {"messages": [Message("assistant", reply.text, own_ids(reply.calls, len(state["done"])), raw=reply.raw)]}


def model_reply(work: Work, state: TurnState) -> Reply:
    """The model's reply; from the offline model, with a notice, when a real one fails."""
    if not work.model.offline:
        emit, stand = emitter(), cache(lambda: ground_of(work, state["done"]))
        shown = tuple(tool for tool in offered(work.role, work.earlier, state["done"]) if tool.effect in work.ctx.effects)
        work.caller.begin_call(emit, lambda text: ground(text, stand()).text)
        try:
            return readable_reply(work, state, work.model.complete(state["messages"], shown, work.caller))
        except DeskError as error:
            name, why = clean(work.model.name, 80), safe(str(error)).rstrip(". ")
            did = "was not called" if isinstance(error, OverBudget) else "did not answer"
            notice = f"The model {name} {did}: {why}. The offline model answers instead; in this turn it only reads."
            if not work.fall(notice, len(state["messages"]), len(state["done"])):
                raise
            emit("notice", {"text": notice, "fallback": True})
        finally:
            work.caller.flush()
    return work.model.complete(messages_for_model(work, state["messages"]), work.role.tools)


def readable_reply(work: Work, state: TurnState, reply: Reply) -> Reply:
    """The reply, calls written as text read as calls. Raises ModelDown where asking again leads nowhere: calls that cannot be
    read twice in a row, or BARREN_MAX rounds of calls of which none was carried out.
    """
    if not reply.calls:
        reply = with_written_calls(reply, {tool.name for tool in work.role.tools})
    if not reply.calls:
        return reply
    rounds = [message.calls for message in state["messages"] if message.calls]
    if all(UNREADABLE in call.args for call in reply.calls) and rounds and all(UNREADABLE in call.args for call in rounds[-1]):
        raise ModelDown(f"its tool calls cannot be read: {SET_FORMAT}")
    ended = {entry.call.id: entry.result.status for entry in state["done"]}
    barren = [calls for calls in rounds[-BARREN_MAX:] if not any(ended.get(call.id) in ACCEPTED for call in calls)]
    if len(barren) == BARREN_MAX:
        raise ModelDown(f"none of its tool calls was carried out in {BARREN_MAX} rounds; if it should be able to: {SET_FORMAT}")
    return reply


def messages_for_model(work: Work, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages for the model that answers now: after a fallback they start at the question."""
    if not work.notice:
        return messages
    question = max(n for n, message in enumerate(messages[: work.fell_at[0]]) if message.role == "user")
    return [*messages[: question + 1], *messages[work.fell_at[0] :]]


def with_earlier_findings(work: Work, text: str, done: Sequence[AnsweredCall]) -> str:
    """An answer; after a fallback, with what had been found before it."""
    before = [entry for entry in done[: work.fell_at[1]] if entry.result.text not in text]
    return answer_without_model(f"{text}\n\nFound before that:", before) if any(e.result.status == "ok" for e in before) else text


def own_ids(calls: Sequence[Call], before: int) -> tuple[Call, ...]:
    """The calls with unique ids: a missing or repeated one is replaced."""
    seen: set[str] = set()
    kept = []
    for n, asked in enumerate(calls):
        identity = asked.id if asked.id and asked.id not in seen else f"call-{before + n + 1}"
        seen.add(identity)
        kept.append(asked._replace(id=identity))
    return tuple(kept)


def answer_without_model(sentence: str, done: Sequence[AnsweredCall]) -> str:
    """An answer without a model: a sentence, then the tool results so far."""
    said = [
        text for entry in done if entry.result.status == "ok" for text in (entry.result.text, shown_table(entry.result)) if text
    ]
    return "\n\n".join([sentence, *said])


def shown_table(result: ToolResult) -> str:
    """A result's table as markdown; empty when there is none."""
    return markdown_table(result.table) if result.table and result.table.rows else ""


def next_step(state: TurnState) -> str:
    """What follows think: act while calls are open, else ground."""
    return "act" if not state.get("draft") and state["messages"][-1].calls else "ground"


def act(work: Work, state: TurnState) -> dict[str, Any]:
    """Answer every call of the last message exactly once: READs first, several of them at a time, then COMPUTE, the one
    PROPOSE last. Handles, results and journal are in the order of the calls.
    """
    emit = emitter()
    calls = state["messages"][-1].calls
    work.budget.rounds += 1
    reads = [asked for asked in calls if asked.name in TOOLS and TOOLS[asked.name].effect is Effect.READ]
    results = _read(work, reads, emit) if len(reads) > 1 else {}
    for asked in sorted(calls, key=_rank):
        if asked.id not in results:
            results[asked.id] = _result_of(work, asked, emit)
    done = [AnsweredCall(asked, results[asked.id]) for asked in calls]
    return {"done": done, "messages": [_message(entry) for entry in done]}


def _rank(asked: Call) -> int:
    line = TOOLS.get(asked.name)
    return _ORDER[line.effect] if line else 0


def _read(work: Work, reads: Sequence[Call], emit: Emit) -> dict[str, ToolResult]:
    """The results of several READs by call id; reported as begun together and as ended in their order."""
    results: dict[str, ToolResult] = {}
    for asked in reads:
        emit("tool_started", {**_shown(asked), "args": _jsonable(asked.args)})
        if reason := _reason_against(work, asked):
            results[asked.id] = refused(reason)
    allowed = [asked for asked in reads if asked.id not in results]
    found = read_together(work.ctx, [(asked.name, asked.args) for asked in allowed])
    results |= {asked.id: result for asked, result in zip(allowed, found, strict=True)}
    for asked in reads:
        emit("tool_finished", {**_shown(asked), "status": results[asked.id].status, "job": results[asked.id].job})
    return results


def _result_of(work: Work, asked: Call, emit: Emit) -> ToolResult:
    """Run one call and report its start, progress and end."""
    shown = _shown(asked)
    emit("tool_started", {**shown, "args": _jsonable(asked.args)})
    if reason := _reason_against(work, asked):
        result = refused(reason)
    else:
        work.ctx.progress = lambda share: emit("tool_progress", {**shown, "share": round(share, 3)})
        result = call(work.ctx, asked.name, asked.args)
    emit("tool_finished", {**shown, "status": result.status, "job": result.job})
    return result


def _shown(asked: Call) -> dict[str, Any]:
    """A call as events name it."""
    return {"id": asked.id, "tool": clean(asked.name, 60)}


def _reason_against(work: Work, asked: Call) -> str:
    """Why a call is not made in this turn; empty when it is. Counts it."""
    if not work.budget.may_call():
        return f"the budget of {work.budget.calls_max} tool calls per turn is used up: answer with what you have"
    if work.notice and asked.name in TOOLS and TOOLS[asked.name].effect is not Effect.READ:
        return "the model failed in this turn, so the offline model only reads. Ask again to run this"
    if asked.name in TOOLS and asked.name not in {tool.name for tool in work.role.tools}:
        return f"{asked.name} belongs to the {' or '.join(TOOLS[asked.name].roles)}, not to the {work.role.name}"
    return ""


def _jsonable(args: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(args), allow_nan=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return {"unreadable": clean(repr(args), 200)}


def _message(entry: AnsweredCall) -> Message:
    """A tool result as JSON for the model, and whole in `data` for code."""
    result = entry.result
    text = json.dumps(result.as_json(), ensure_ascii=False, default=str)
    return Message("tool", clean(text, RESULT_CHARACTERS), call_id=entry.call.id, data=result_of(entry))


def result_of(entry: AnsweredCall) -> CallResult:
    """A call's result in the offline model's terms."""
    r = entry.result
    ids = tuple(dict.fromkeys(e.id for e in r.evidence))
    return CallResult(entry.call.name, entry.call.args, r.status, r.text, r.table, r.data, ids)


def ground_draft(work: Work, state: TurnState) -> dict[str, Any]:
    """Render the draft's references; of a model's draft, strike what is contradicted and mark what nothing proves."""
    made = ground(state["draft"], ground_of(work, state["done"], by_code=state.get("by_code", False)))
    text = f"{WHOLLY}\n\n{made.text}" if made.wholly else made.text
    return {"answer": text, "struck": list(made.struck), "unchecked": list(made.unchecked)}


def ground_of(work: Work, done: Sequence[AnsweredCall], *, by_code: bool = False) -> Ground:
    """What can support the numbers, ids, times and acts of this turn. `by_code`: the text to check is code's own."""
    names = [*work.names, *(proposal for turn in work.earlier for proposal in turn.proposals)]
    if by_code:
        return Ground(work.facts, names=names, by_code=True)
    asked = [turn.asked for turn in work.earlier] + [work.question]
    earlier = [call for turn in work.earlier for call in turn.calls]
    accepted = [c["args"] for c in earlier if c.get("status", "ok") in ACCEPTED]
    arguments = accepted + accepted_args(done) + list(work.settings)
    quotes = [text for d in done for text in _quotable(d)]
    seen = [work.stamp, *(c["text"] for c in earlier), *(str(i) for c in earlier for i in c.get("evidence", ()))]
    seen += [evidence.id for d in done for evidence in d.result.evidence] + [d.result.job or "" for d in done]
    tables = [d.result.table for d in done]
    rows = [CountedRows(t.columns[0].removesuffix("s").lower(), len(t.rows)) for t in tables if t is not None and _named(t)]
    return Ground(work.facts, asked, arguments, names, quotes, seen, receipts_of(work, done), rows)


def _named(table: Table) -> bool:
    """Whether the first column says what the rows are."""
    return bool(table.columns) and len(table.columns[0]) > 2


def receipts_of(work: Work, done: Sequence[AnsweredCall]) -> Receipts:
    """What can support a claimed act: what this turn did, what its tools recorded, and the latch."""
    own = set()
    for entry in done:
        line = TOOLS.get(entry.call.name)
        if line is not None and entry.result.status in ("ok", "started"):
            own |= {"run"} if line.effect is Effect.COMPUTE or entry.call.name == "run" else set()
        if line is not None and line.effect is Effect.PROPOSE and entry.result.status == "ok":
            own |= {"note" if entry.call.name == "note" else "propose"}
    records = [text for entry in done if entry.call.name in RECORDING for text in _quotable(entry)]
    proposals = [proposal for turn in work.earlier for proposal in turn.proposals]
    refused = any(entry.result.status in ("refused", "failed") for entry in done)
    made = [e.id for entry in done if _proposed(entry) for e in entry.result.evidence if e.kind == "proposal"]
    halted = halt.read(work.ctx.home, work.ctx.engine).halted
    return Receipts(frozenset(own), records, halted, proposals, made, refused)


def _proposed(entry: AnsweredCall) -> bool:
    """Did the call make a proposal?"""
    line = TOOLS.get(entry.call.name)
    return line is not None and line.effect is Effect.PROPOSE and entry.result.status == "ok"


def accepted_args(done: Sequence[AnsweredCall]) -> list[Mapping[str, Any]]:
    """Arguments of the calls that were carried out; what a refused one said supports nothing."""
    return [entry.call.args for entry in done if entry.result.status in ACCEPTED]


def _quotable(entry: AnsweredCall) -> list[str]:
    """What an answer may repeat verbatim: a tool's text and table; memory only as a quotation, line by line."""
    text, shown = entry.result.text, shown_table(entry.result)
    if entry.call.name == "memory" and not entry.result.table:
        return ["\n".join(f"> {line}" for line in text.splitlines())]
    return [text, shown] if shown else [text]


def reply(work: Work, state: TurnState) -> dict[str, Any]:
    """The final answer: with the desk's stamp when a tool was used, else with a line that nothing was looked up."""
    speaks = any(entry.result.status in ("ok", "no_data", "started") for entry in state["done"])
    answer = state["answer"].strip() or "I have no answer to that."
    if work.notice:
        answer = f"> {work.notice}\n\n{answer}"
    model = "OFFLINE model" if work.model.offline else f"model {clean(work.model.name, 80)}"
    if speaks and work.stamp:
        return {"answer": f"{answer}\n\n*{work.stamp} · {model}*"}
    if not work.model.offline and not speaks:
        return {"answer": f"{answer}\n\n*{UNSEEN} · {model}*"}
    return {"answer": answer}
