"""One client's call -> tools.catalog.call -> what the client reads. Called by app/mcp/server.py, in a thread.

A call is a turn of its own, in the thread of its conversation: references (`r1.sharpe`) stay valid for later calls, and a call
whose job was still running takes up that job when it is made again.
"""

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import anyio

from app.home.current import CurrentHome
from app.home.home import Home
from app.mcp.budget import THREAD, CallRate, day_limits
from app.mcp.results import data_of, text_of
from app.processes.room import failure_text
from app.tool_wiring import ToolWiring
from engine.clock import utc
from engine.errors import DeskError, Refused
from tools.catalog import ENTRIES, CatalogEntry, call
from tools.common.contract import Effect, Fact, Jobs, JobView, Role, ToolContext, ToolResult, refused
from tools.groups import more_tools

WAIT_S = 15.0  # for a job; many clients give up on a call after 60 s, and another call may be waiting
CONVERSATIONS_MAX = 64  # kept; the one that was quiet for longest makes room
FACTS_MAX = 5_000  # that a conversation keeps for calculations; the oldest leave first
HANDLES_MAX = 20_000  # a name that was given once is never given to another thing
WAITING_MAX = 20  # calls whose jobs are taken up when they are made again
ALL_EFFECTS = tuple(Effect)
UNREAD = {"mode": "paper", "stamp": "unknown", "source": "unknown", "desk_ms": None, "time": "unknown"}


class McpCaller(NamedTuple):
    """Who calls: `key` is the token or the pipe that it comes by, `session` tells conversations of one client apart."""

    key: str
    person: str
    client: str  # as app/mcp/bounds.client_name gives it
    effects: tuple[Effect, ...]
    session: str = ""


class McpAnswer(NamedTuple):
    """What a client reads: text for its model, the same as data, and whether the tool refused or failed."""

    text: str
    data: dict[str, Any]
    failed: bool


@dataclass
class Conversation:
    """What the calls of one client have in common. `gate`: whoever makes them makes one after the other."""

    thread: str
    handles: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    waiting: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)  # call -> its jobs
    gate: anyio.Lock = field(default_factory=anyio.Lock)
    calls: int = 0


class NotedJobs:
    """A job queue that notes which jobs went through it. `over`: why one more is beyond the day's limit."""

    def __init__(self, jobs: Jobs, over: Callable[[], str], gate: Lock) -> None:
        self._jobs, self._over, self._gate, self.ids = jobs, over, gate, list[str]()

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None, turn: str | None) -> str:
        """Queue a job; returns its id. A call may start several: Refused at the first that is beyond the day's limit, and those
        before it are cancelled, since the call has no answer without it.
        """
        with self._gate:  # of all clients of this process: counted and started without another in between
            if why := self._over():
                for job in self.ids:
                    self._jobs.cancel(job)
                raise Refused(why)
            self.ids.append(self._jobs.submit(kind, args, thread=thread, turn=turn))
        return self.ids[-1]

    def wait(self, job_id: str, timeout_s: float | None, progress: Callable[[float], None]) -> JobView:
        """Wait for a job."""
        return self._jobs.wait(job_id, timeout_s, progress)

    def cancel(self, job_id: str) -> None:
        """End a job."""
        self._jobs.cancel(job_id)


class McpDesk:
    """One home behind one MCP server. `effects`: what this server was started with; a client's token may narrow it."""

    def __init__(self, home: Home, role: Role, effects: tuple[Effect, ...]) -> None:
        self.role, self.effects = role, effects
        self._current, self._limits = CurrentHome(home), home.desk.mcp
        self._lock, self._starting = Lock(), Lock()
        self._rates: dict[str, CallRate] = {}
        self._conversations: OrderedDict[tuple[str, str, str], Conversation] = OrderedDict()

    def tools(self, effects: tuple[Effect, ...]) -> list[CatalogEntry]:
        """What the role may call with these effects."""
        lines = (line for line in ENTRIES if line.tool is not more_tools)  # a client is shown all of them at once
        return [line for line in lines if self.role in line.roles and line.effect in effects and line.effect in self.effects]

    def call(
        self,
        caller: McpCaller,
        conversation: Conversation,
        name: str,
        args: Mapping[str, Any],
        progress: Callable[[float], None] = lambda _share: None,
    ) -> McpAnswer:
        """Call a tool for a client, in its conversation. Every outcome is an answer."""
        wiring = ToolWiring(self._current.home, caller.person, "mcp", WAIT_S)
        try:
            result = self._result(wiring, caller, conversation, name, args, progress)
            return _answer(result, conversation.facts, _desk_of(wiring))
        except DeskError as error:
            return _answer(ToolResult("failed", str(error)), {}, UNREAD)
        except OSError as error:
            return _answer(ToolResult("failed", failure_text(error)), {}, UNREAD)
        finally:
            wiring.close()

    def _result(
        self,
        wiring: ToolWiring,
        caller: McpCaller,
        conversation: Conversation,
        name: str,
        args: Mapping[str, Any],
        progress: Callable[[float], None],
    ) -> ToolResult:
        """The call within the client's limits. A refusal beyond the first of a minute is not journaled."""
        now_ms, rate = wiring.now_ms(), self._rate(caller)
        over = rate.refusal(now_ms)
        if over and not rate.is_first(now_ms):
            return refused(over)
        if not over and len(conversation.handles) > HANDLES_MAX:
            over = f"this connection has named {HANDLES_MAX} things: connect again, their short names begin anew"
        key = hashlib.sha256(json.dumps([name, args], sort_keys=True, default=str).encode()).hexdigest()
        earlier = conversation.waiting.pop(key, ())
        conversation.calls += 1
        ctx = self._context(wiring, caller, conversation, now_ms, progress)
        ctx.earlier_jobs = earlier
        limits = day_limits(wiring.engine, self._limits, now_ms)
        jobs = NotedJobs(ctx.jobs, lambda: limits(Effect.COMPUTE), self._starting)
        ctx.jobs = jobs
        if over:
            ctx.over_budget = lambda _effect: over
        elif not earlier:
            ctx.over_budget = limits
        result = call(ctx, name, args)
        if result.status == "started":
            conversation.waiting[key] = (*earlier, *jobs.ids)
            while len(conversation.waiting) > WAITING_MAX:
                conversation.waiting.popitem(last=False)
        while len(conversation.facts) > FACTS_MAX:
            del conversation.facts[next(iter(conversation.facts))]
        return result

    def _context(
        self,
        wiring: ToolWiring,
        caller: McpCaller,
        conversation: Conversation,
        now_ms: int,
        progress: Callable[[float], None],
    ) -> ToolContext:
        """The context of one call: a turn of its own in the conversation's thread."""
        return wiring.context(
            role=self.role,
            thread=conversation.thread,
            turn=f"{conversation.thread}-{conversation.calls}",
            person=caller.person,
            desk_ms=wiring.desk_ms(),
            now_ms=now_ms,
            model=f"mcp:{caller.client}",
            progress=progress,
            handles=conversation.handles,
            facts=conversation.facts,
            effects=tuple(effect for effect in self.effects if effect in caller.effects),
        )

    def conversation(self, caller: McpCaller) -> Conversation:
        """The caller's conversation; a new one when it has none (any more)."""
        key = (caller.key, caller.client, caller.session)
        with self._lock:
            if key not in self._conversations:
                self._conversations[key] = Conversation(f"{THREAD}{caller.client}-{secrets.token_hex(4)}")
            self._conversations.move_to_end(key)
            while len(self._conversations) > CONVERSATIONS_MAX:
                self._conversations.popitem(last=False)
            return self._conversations[key]

    def _rate(self, caller: McpCaller) -> CallRate:
        """How often this token, or this pipe, has called; its clients share it."""
        with self._lock:
            return self._rates.setdefault(caller.key, CallRate(self._limits.calls_minute))


def _desk_of(wiring: ToolWiring) -> dict[str, Any]:
    """Which desk a result is of: every answer says it."""
    desk_ms = wiring.desk_ms()
    time = None if desk_ms is None else utc(desk_ms)
    return {"mode": "paper", "stamp": wiring.stamp, "source": wiring.source, "desk_ms": desk_ms, "time": time}


def _answer(result: ToolResult, facts: Mapping[str, Fact], desk: Mapping[str, Any]) -> McpAnswer:
    """The result as text and as data."""
    shown = {**facts, **{fact.ref: fact for fact in result.facts}}
    return McpAnswer(text_of(result, shown, desk), data_of(result, shown, desk), result.status in ("refused", "failed"))
