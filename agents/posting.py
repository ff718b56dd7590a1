"""Posts pending answers: code repeats the call that was `started`, and its result becomes a turn of the thread.

Called by app/api/posting.py when the jobs of a pending call have ended (agents/owed.py). No model is called: the same tool with
the same arguments finds the jobs' results, and the offline model's text reports them. A job without a result is one line.
"""

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select

from agents import owed as rows
from agents import threads
from agents.grounding import Ground, ground
from agents.model import Call, Reply
from agents.nodes import result_of
from agents.offline.drafts import result_text as words_of
from agents.owed import CODE, PendingAnswer
from agents.state import AnsweredCall
from agents.turns import AgentRuntime, EventLog, answer_of, close, hand_off, stamp_of
from engine.errors import DeskError
from engine.store import db
from engine.store.tables import Proposal, ProposalPart
from tools.catalog import TOOLS, call
from tools.common.contract import Effect, ToolContext, ToolResult
from tools.common.render import one_line, safe

TRIES_MAX = 5  # repeats that only started new jobs (the configuration changed, say); then it is reported as failed


class CodeModel:
    """Takes the place of a model: a posting has no other."""

    name, api_format, offline = CODE, "none", True

    def complete(self, *_messages: Any, **_more: Any) -> Reply:
        """Never called."""
        raise AssertionError("a posting calls no model")


def post(office: AgentRuntime, owed: PendingAnswer) -> bool:
    """Post one answer whose jobs have ended; True when it was posted.

    False: the thread is busy, another process posts it, it has been answered meanwhile, or one of its jobs still runs. A
    failure is reported in the thread; a database error leaves it pending.
    """
    if not rows.claim(office.engine, owed, office.now_ms()):
        return False
    try:
        held = threads.load(office.engine, owed.thread)
        if rows.answered_since(held.earlier, owed):
            rows.drop(office.engine, owed)
            return False
        ctx = _context(office, owed, held)
        result = _result(ctx, owed)
        if result.status == "started" and result.job:
            if owed.tries + 1 < TRIES_MAX:
                rows.put_back(office.engine, owed._replace(jobs=(result.job,), tries=owed.tries + 1))
                return False
            result = ToolResult("failed", "its inputs changed each time it was repeated. Ask again")
        _post_answer(office, owed, ctx, result)
    except DeskError:
        rows.put_back(office.engine, owed)  # no-op when it is closed already
        raise
    except Exception as error:  # noqa: BLE001 - our bug is reported in the thread instead of being retried for ever
        _broken(office, owed, error)
    return True


def _broken(office: AgentRuntime, owed: PendingAnswer, error: Exception) -> None:
    """Close an answer that our code failed to produce."""
    text = f"**Posted by code:** {safe(owed.tool)} has ended, but its answer could not be produced: this is our bug"
    answer = answer_of(office, owed.thread, owed.id, "", f"{text} ({type(error).__name__}).")
    threads.end(office.engine, owed.id, "failed", answer, [], office.now_ms())


def _context(office: AgentRuntime, owed: PendingAnswer, held: threads.OpenThread) -> ToolContext:
    """The context of the original call: same role, person and desk time; its jobs count as its own."""
    return office.context(
        role=held.role,
        thread=owed.thread,
        turn=owed.id,
        person=owed.person,
        desk_ms=owed.desk_ms,
        now_ms=office.now_ms(),
        model=CODE,
        handles=held.handles,
        facts=held.facts,
        earlier_jobs=(*(job for turn in (owed.question, owed.id) for job in threads.jobs_of(office.engine, turn)), *owed.jobs),
    )


def _result(ctx: ToolContext, owed: PendingAnswer) -> ToolResult:
    """The result of the call now. A proposal that would replace a newer one is not made."""
    line = TOOLS.get(owed.tool)
    if line is not None and line.effect is Effect.PROPOSE and (newer := _newer(ctx, owed)):
        return ToolResult("refused", f"{newer} has since been proposed for the same sleeve. Ask again to replace it")
    return call(ctx, owed.tool, owed.args)


def _newer(ctx: ToolContext, owed: PendingAnswer) -> str | None:
    """A proposal of the same sleeve made after the question."""
    own = select(ProposalPart.proposal_id).where(ProposalPart.sleeve == str(owed.args.get("sleeve")))
    made = select(Proposal.id).where(col(Proposal.id).in_(own), col(Proposal.created_ms) > owed.asked_ms)
    with db.read(ctx.engine) as session:
        return session.exec(made.order_by(col(Proposal.created_ms).desc())).first()


def _post_answer(office: AgentRuntime, owed: PendingAnswer, ctx: ToolContext, result: ToolResult) -> None:
    """Close the claimed row with its answer, stored and journaled like any other."""
    done = AnsweredCall(Call("p1", owed.tool, owed.args), result)
    log = EventLog(office, owed.id)
    model = {"name": CODE, "api_format": "none", "offline": True}
    log.event("begun", {"thread": owed.thread, "turn": owed.id, "role": ctx.role, "model": model, "posts": owed.question})
    text, struck = _text(office, owed, ctx, done)
    answer = answer_of(office, owed.thread, owed.id, ctx.role, text, None, [done], struck)
    close(office, log, answer, [done], ctx)
    hand_off(office)


def _text(office: AgentRuntime, owed: PendingAnswer, ctx: ToolContext, done: AnsweredCall) -> tuple[str, list[Mapping[str, Any]]]:
    """The answer in markdown, and what was struck from it."""
    result = done.result
    what = f'{safe(owed.tool)} for "{safe(one_line(owed.asked))}"'
    if result.status != "ok":
        reason = safe(one_line(result.text, 600)).rstrip(".") or result.status
        return f"**Posted by code:** {what} ended without a result: {reason}. (job {owed.jobs[0]})", []
    lead = f"**Posted by code** now that its job {owed.jobs[0]} has ended: {what}."
    made = ground(words_of(result_of(done)), Ground(ctx.facts, by_code=True))
    stamp = f"*{stamp_of(office, owed.desk_ms)} · posted by code, no model*"
    return "\n\n".join([lead, made.text, stamp]), [entry._asdict() for entry in made.struck]
