"""The five steps of a turn: recall, think, act, ground, reply. Wired by agents/graph.py; each takes the state and returns
what it adds. Anything a model can do wrong is an answer here, never an exception.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from agents.grounding import Ground, ground
from agents.model import Call, Message, OverBudget, Reply
from agents.offline.steps import CallResult
from agents.render import markdown_table, safe
from agents.state import AnsweredCall, EarlierTurn, TurnState, Work
from engine.errors import DeskError
from tools.catalog import TOOLS, call
from tools.common.contract import Effect, ToolResult, clean, refused

RESULT_CHARACTERS = 12_000  # of one tool result in front of a model
UNSEEN = "no tool answered: nothing was looked up for this"  # under a model's words that stand on nothing of this turn
LAST_WHOLE = 2  # turns before this one that a model sees with their answers; older ones are folded to a line
Emit = Callable[[str, Mapping[str, Any]], None]
_ORDER = {Effect.READ: 0, Effect.COMPUTE: 1, Effect.PROPOSE: 2}


def emitter() -> Emit:
    """How a node tells what it is doing: an event of the graph's stream."""
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
        messages.append(Message("system", "Earlier in this thread:\n" + "\n".join(lines)))
    for turn in last:
        messages += [Message("user", turn.asked), Message("assistant", turn.answered)]
    return messages


def think(work: Work, state: TurnState) -> dict[str, Any]:
    """Ask the model for the next calls or the draft; a spent budget or a silent model ends in plain words."""
    reason = work.budget.spent()
    if reason:
        return {"draft": answer_without_model(f"I stopped here: the budget of {reason} a turn is used up.", state["done"])}
    try:
        reply = model_reply(work, state)
    except DeskError as error:
        return {"draft": answer_without_model(f"The model {work.model.name} did not answer: {error}", state["done"])}
    work.budget.usage = work.budget.usage.plus(reply.usage)
    if not reply.calls:
        return {"draft": with_earlier_findings(work, reply.text, state["done"]), "messages": [Message("assistant", reply.text)]}
    if reply.text:
        emitter()("understood", {"text": clean(reply.text, 500)})
    return {"messages": [Message("assistant", reply.text, own_ids(reply.calls, len(state["done"])), raw=reply.raw)]}


def model_reply(work: Work, state: TurnState) -> Reply:
    """The model's reply; from the offline model, with a notice, when a real one gives none."""
    if not work.model.offline:
        emit, stand = emitter(), cache(lambda: ground_of(work, state["done"]))
        work.caller.begin_call(emit, lambda text: ground(text, stand()).text)
        try:
            return work.model.complete(state["messages"], work.role.tools, work.caller)
        except DeskError as error:
            name, why = clean(work.model.name, 80), safe(str(error)).rstrip(". ")
            did = "is not asked" if isinstance(error, OverBudget) else "did not answer"
            notice = (
                f"The model {name} {did}: {why}. The offline model answers instead; it starts and proposes nothing in this turn."
            )
            if not work.fall(notice, len(state["messages"]), len(state["done"])):
                raise
            emit("notice", {"text": notice, "fallback": True})
        finally:
            work.caller.flush()
    return work.model.complete(messages_for_model(work, state["messages"]), work.role.tools)


def messages_for_model(work: Work, messages: Sequence[Message]) -> Sequence[Message]:
    """What the model that answers now has said and heard: a spare one begins at the question."""
    if not work.notice:
        return messages
    question = max(n for n, message in enumerate(messages[: work.fell_at[0]]) if message.role == "user")
    return [*messages[: question + 1], *messages[work.fell_at[0] :]]


def with_earlier_findings(work: Work, text: str, done: Sequence[AnsweredCall]) -> str:
    """An answer; after a fall, with what had been found until then."""
    before = [entry for entry in done[: work.fell_at[1]] if entry.result.text not in text]
    return answer_without_model(f"{text}\n\nFound before that:", before) if any(e.result.status == "ok" for e in before) else text


def own_ids(calls: Sequence[Call], before: int) -> tuple[Call, ...]:
    """The calls, each with an id of its own: a missing or repeated one is replaced."""
    seen: set[str] = set()
    kept = []
    for n, asked in enumerate(calls):
        identity = asked.id if asked.id and asked.id not in seen else f"call-{before + n + 1}"
        seen.add(identity)
        kept.append(asked._replace(id=identity))
    return tuple(kept)


def answer_without_model(sentence: str, done: Sequence[AnsweredCall]) -> str:
    """An answer without a model: a sentence, and what the tools said until then."""
    said = [
        text for entry in done if entry.result.status == "ok" for text in (entry.result.text, shown_table(entry.result)) if text
    ]
    return "\n\n".join([sentence, *said])


def shown_table(result: ToolResult) -> str:
    """A result's table as markdown; empty when there is none."""
    return markdown_table(result.table) if result.table and result.table.rows else ""


def next_step(state: TurnState) -> str:
    """Where think leads: to act while there are calls to answer, else to ground."""
    return "act" if not state.get("draft") and state["messages"][-1].calls else "ground"


def act(work: Work, state: TurnState) -> dict[str, Any]:
    """Answer every call of the last message exactly once: READs first, then COMPUTE, the one PROPOSE last.

    One after the other on purpose: handles (r1, r2) are given out in the order of the calls, and a read takes milliseconds.
    """
    emit = emitter()
    calls = state["messages"][-1].calls
    work.budget.rounds += 1
    results: dict[str, ToolResult] = {}
    for asked in sorted(calls, key=_rank):
        results[asked.id] = _result_of(work, asked, emit)
    done = [AnsweredCall(asked, results[asked.id]) for asked in calls]
    return {"done": done, "messages": [_message(entry) for entry in done]}


def _rank(asked: Call) -> int:
    line = TOOLS.get(asked.name)
    return _ORDER[line.effect] if line else 0


def _result_of(work: Work, asked: Call, emit: Emit) -> ToolResult:
    """Run one call, its start, progress and end told."""
    shown = {"id": asked.id, "tool": clean(asked.name, 60)}
    emit("tool_started", {**shown, "args": _jsonable(asked.args)})
    if not work.budget.may_call():
        result = refused(f"the budget of {work.budget.calls_max} tool calls a turn is used up: answer with what there is")
    elif work.notice and asked.name in TOOLS and TOOLS[asked.name].effect is not Effect.READ:
        result = refused("the model failed in this turn: the offline model only reads in it. Ask again for that")
    elif asked.name in TOOLS and asked.name not in {tool.name for tool in work.role.tools}:
        allowed = TOOLS[asked.name].roles
        result = refused(f"{asked.name} belongs to the {' or '.join(allowed)}, not to the {work.role.name}")
    else:
        work.ctx.progress = lambda share: emit("tool_progress", {**shown, "share": round(share, 3)})
        result = call(work.ctx, asked.name, asked.args)
    emit("tool_finished", {**shown, "status": result.status, "job": result.job})
    return result


def _jsonable(args: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(args), allow_nan=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return {"unreadable": clean(repr(args), 200)}


def _message(entry: AnsweredCall) -> Message:
    """A tool's answer as a model reads it, and whole, as code knows it."""
    result = entry.result
    text = json.dumps(result.as_json(), ensure_ascii=False, default=str)
    return Message("tool", clean(text, RESULT_CHARACTERS), call_id=entry.call.id, data=result_of(entry))


def result_of(entry: AnsweredCall) -> CallResult:
    """A call's answer as the offline model knows it."""
    r = entry.result
    ids = tuple(dict.fromkeys(e.id for e in r.evidence))
    return CallResult(entry.call.name, entry.call.args, r.status, r.text, r.table, r.data, ids)


def ground_draft(work: Work, state: TurnState) -> dict[str, Any]:
    """Render the draft's references and strike what stands on no fact."""
    done = ground_of(work, state["done"])
    made = ground(state["draft"], done)
    return {"answer": made.text, "struck": list(made.struck)}


def ground_of(work: Work, done: Sequence[AnsweredCall]) -> Ground:
    """What this turn's numbers may stand on."""
    asked = [turn.asked for turn in work.earlier] + [work.question]
    arguments = [c["args"] for turn in work.earlier for c in turn.calls] + [d.call.args for d in done] + list(work.settings)
    quotes = [text for d in done for text in _quotable(d)]
    return Ground(work.facts, asked, arguments, work.names, quotes)


def _quotable(entry: AnsweredCall) -> list[str]:
    """What an answer may repeat whole: a tool's words and table; memory only as a quotation, line by line."""
    text, shown = entry.result.text, shown_table(entry.result)
    if entry.call.name == "memory" and not entry.result.table:
        return ["\n".join(f"> {line}" for line in text.splitlines())]
    return [text, shown] if shown else [text]


def reply(work: Work, state: TurnState) -> dict[str, Any]:
    """The answer as it leaves: with the desk's stamp under it where it speaks of the desk, else that nothing was looked up."""
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
