"""A client's calls pass the one door: what it sees, what it is refused, what it may use, and what is journaled of it."""

import asyncio
import errno
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from mcp import MCPError
from sqlmodel import select

from app.mcp import calls
from app.mcp.calls import ALL_EFFECTS, CONVERSATIONS_MAX, McpCaller, McpDesk
from app.mcp.results import data_of, text_of
from engine.control.config import active
from engine.errors import JournalBroken, Refused
from engine.store.db import read
from engine.store.journal import verify
from engine.store.tables import Job, Proposal
from memory.shelf import Shelf
from tests.app.mcp.conftest import READ_ONLY, McpBench
from tests.fakes.waiting import WAIT_S
from tools.catalog import ENTRIES, TOOLS, roles_of
from tools.common.contract import Effect, ToolContext, ToolResult

PAUSE = {"sleeve": "btc-trend", "rationale": "storm", "also": []}
NOTE = {"topic": "desk", "text": "seen", "evidence": ["v1"]}
KEY = "sk-abcdefghijklmnop123456"


def proposals(bench: McpBench) -> list[Proposal]:
    """Every proposal of the desk."""
    with read(bench.home.engine) as session:
        return list(session.exec(select(Proposal)))


def limited(bench: McpBench, **limits: int) -> McpDesk:
    """A desk with other limits for clients."""
    desk = McpDesk(bench.home, "operator", ALL_EFFECTS)
    desk._limits = bench.home.desk.mcp.model_copy(update=limits)
    return desk


def called(desk: McpDesk, name: str, args: Mapping[str, Any], client: str = "stock") -> calls.McpAnswer:
    """One call without a transport."""
    caller = McpCaller("stdio", "mara", client, ALL_EFFECTS)
    return desk.call(caller, desk.conversation(caller), name, args)


@pytest.mark.parametrize("role", ["developer", "operator", "advisor"])
@pytest.mark.parametrize("effects", [READ_ONLY, (Effect.READ, Effect.PROPOSE), ALL_EFFECTS], ids=len)
def test_a_client_sees_what_role_and_flags_allow(bench: McpBench, role: str, effects: tuple[Effect, ...]) -> None:
    """READ alone unless more is given; whether a tool only reads is said by its effect, and none destroys or reaches out."""
    listed = bench.ask(lambda client: client.list_tools(), role, effects).tools
    assert [tool.name for tool in listed] == [
        e.tool.name for e in ENTRIES if role in e.roles and e.effect in effects and e.tool.name != "more_tools"
    ]
    for tool in listed:
        effect, hints = TOOLS[tool.name].effect, tool.annotations
        assert hints.read_only_hint is (effect is Effect.READ)
        assert hints.idempotent_hint is (effect is not Effect.PROPOSE)
        assert (hints.destructive_hint, hints.open_world_hint) == (False, False)
        assert tool.input_schema["additionalProperties"] is False


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_number_comes_with_its_receipt(bench: McpBench, mode: str) -> None:
    """The data has ref, value, unit and evidence; the text has the value in place of the reference; both say which desk it is.
    A reference stays valid for the client's next call, and for no other client."""
    desk = McpDesk(bench.home, "operator", READ_ONLY)

    async def two_calls(client: Any) -> Any:
        first = await client.call_tool("list_strategies", {"strategy": "trend"})
        fact = next(f for f in first.structured_content["facts"] if f["metric"] == "stop_atr")
        return fact, await client.call_tool("calc", {"expression": f"2 * {{{fact['ref']}}}"})

    fact, answer = bench.ask(two_calls, desk=desk, mode=mode)
    assert (fact["value"], fact["unit"], set(fact["evidence"])) == (2.0, "ratio", {"kind", "id"})
    data, text = answer.structured_content, answer.content[0].text
    assert (data["facts"][0]["value"], data["facts"][0]["evidence"]["kind"]) == (4.0, "calc")
    assert "4.00" in text
    assert "{" not in text
    assert (data["desk"]["mode"], data["desk"]["source"]) == ("paper", "synthetic")
    assert "synthetic bars" in text
    other = bench.ask(
        lambda client: client.call_tool("calc", {"expression": f"2 * {{{fact['ref']}}}"}), desk=desk, client="other", mode=mode
    )
    assert other.is_error


def test_what_was_not_given_is_refused_and_journaled(bench: McpBench) -> None:
    """A proposal without --propose, another role's tool, a tool that is not there: an error result, a record, and no row."""
    before, seen = len(proposals(bench)), len(bench.calls())
    for name, args, words in (
        ("propose_pause", PAUSE, "propose_pause is a PROPOSE tool, and this connection may only READ"),
        ("backtest", {"strategy": "trend", "symbol": "BTC-USDT"}, "belongs to the developer"),
        ("approve", {"proposal": "prop-1"}, "unknown tool 'approve'"),
    ):
        answer = bench.ask(lambda client, name=name, args=args: client.call_tool(name, args))
        assert answer.is_error
        assert answer.structured_content["status"] == "refused"
        assert words in answer.content[0].text
    assert not {"probe", "note", "propose_pause"} & set(answer.content[0].text.replace(",", " ").split())
    entries = bench.calls()[seen:]
    assert [(e["tool"], e["status"]) for e in entries] == [(n, "refused") for n in ("propose_pause", "backtest", "approve")]
    assert {(e["model"], e["person"], e["role"]) for e in entries} == {("mcp:stock-client-1", "mara", "operator")}
    assert len(proposals(bench)) == before


def test_a_proposal_waits_for_a_person(bench: McpBench) -> None:
    """With --propose it is a pending row in the client's name; nothing that a client may call decides on it."""
    version = active(bench.home.engine, bench.home.path).version
    answer = bench.ask(lambda client: client.call_tool("propose_pause", PAUSE), effects=ALL_EFFECTS)
    assert not answer.is_error, answer.content
    row = proposals(bench)[-1]
    requester = json.loads(row.requester)
    assert (row.state, requester["model"], requester["person"]) == ("pending", "mcp:stock-client-1", "mara")
    assert requester["thread"].startswith("mcp-stock-client-1-")
    listed = bench.ask(lambda client: client.list_tools(), effects=ALL_EFFECTS).tools
    assert not [t.name for t in listed if any(w in t.name for w in ("approve", "reject", "halt", "release", "rollback", "adopt"))]
    assert active(bench.home.engine, bench.home.path).version == version


HOSTILE: tuple[dict[str, Any], ...] = (
    {"sleeve": {"a": [[[[[[[]]]]]]]}},
    {"sleeve": ["x"] * 3_000},
    {"sleeve": "\u202e\x1b[2J" + "x" * 9_000},
    {"sleeve": 10**400},
    {"nobody": None, "": "", "__class__": "x"},
    {"sleeve": "{d1.equity} ![x](http://x.example/?q=1) <img src=x>"},
)


@pytest.mark.parametrize("args", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_arguments_are_an_outcome(bench: McpBench, args: dict[str, Any]) -> None:
    """Any JSON object as arguments is answered in bounded, clean words, and the journal's record of it is bounded too."""
    answer = bench.ask(lambda client: client.call_tool("sleeves", args), client="\x1b]0;evil\x07 <b>" + "n" * 500)
    text = answer.content[0].text
    assert answer.is_error
    assert len(text) < 2_000
    assert not [c for c in ("\x1b", "\u202e", "![", "<img", "Traceback") if c in text]
    record = bench.calls()[-1]
    assert record["model"].startswith("mcp:0-evil-b-nnn")
    assert len(json.dumps(record)) < 5_000


def test_what_is_no_call_is_an_error_of_the_protocol(bench: McpBench) -> None:
    """Prompts and resources are not offered; the connection goes on."""

    async def other_methods(client: Any) -> Any:
        with pytest.raises(MCPError):
            await client.list_prompts()
        with pytest.raises(MCPError):
            await client.read_resource("file:///etc/passwd")
        return await client.call_tool("health", {})

    assert bench.ask(other_methods).structured_content["status"] in ("ok", "no_data")


def test_a_key_never_leaves(bench: McpBench) -> None:
    """What looks like a key in a page of the memory is masked in text and data."""
    page = Shelf(bench.home.memory).root / "strategies" / "leaky.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"# leaky\n\nuse {KEY}\n")
    answer = bench.ask(lambda client: client.call_tool("memory", {"topic": "strategies/leaky"}))
    assert "[secret]" in answer.content[0].text
    assert KEY not in answer.model_dump_json()


def test_calls_a_minute_are_bounded_and_the_journal_with_them(bench: McpBench) -> None:
    """The call beyond is refused; of the refusals of one minute the first is journaled, whatever name the client takes."""
    desk, seen = limited(bench, calls_minute=2), len(bench.calls())
    states = [called(desk, "desk", {}, f"client-{n}").data["status"] for n in range(5)]
    assert "refused" not in states[:2]
    assert states[2:] == ["refused"] * 3
    entries = bench.calls()[seen:]
    assert len(entries) == 3
    assert "more than 2 calls within a minute" in entries[-1]["outcome"]


def test_proposals_and_jobs_a_day_are_bounded_beyond_a_connection(bench: McpBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new server counts what earlier ones did; reading goes on."""
    called(limited(bench), "note", NOTE)
    answer = called(limited(bench, proposals_day=1), "note", NOTE)
    assert answer.failed
    assert "1 proposals and notes today" in answer.text
    assert not called(limited(bench, proposals_day=0), "sleeves", {}).failed
    monkeypatch.setattr(calls, "call", lambda ctx, _name, _args: ToolResult("ok", ctx.over_budget(Effect.COMPUTE)))
    assert "0 jobs today" in called(limited(bench, jobs_day=0), "probe", {}).text


def test_the_days_last_call_starts_no_job_beyond_the_limit(bench: McpBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One job is left and the call wants three: refused, what it had started is cancelled; a call of one job goes through."""
    monkeypatch.setattr("app.jobs.queue.JobQueue.spawn", lambda *_: None)

    def door(ctx: ToolContext, _name: str, args: Mapping[str, Any]) -> ToolResult:
        asked = {"strategy": "trend", "symbol": "BTC-USDT"}
        try:
            ids = [ctx.jobs.submit("leaks", asked, thread=ctx.thread, turn=ctx.turn) for _ in range(args["jobs"])]
        except Refused as error:
            return ToolResult("refused", str(error))
        return ToolResult("ok", f"{len(ids)} started")

    monkeypatch.setattr(calls, "call", door)
    with read(bench.home.engine) as session:
        before = len(session.exec(select(Job).where(Job.thread.like("mcp-%"))).all())  # type: ignore[union-attr]  # a column
    desk = limited(bench, jobs_day=before + 1)
    refused = called(desk, "compare", {"jobs": 3})
    assert refused.failed
    assert f"{before + 1} jobs today" in refused.text
    with read(bench.home.engine) as session:
        made = session.exec(select(Job.state).where(Job.kind == "leaks", Job.person == "mara")).all()
    assert made == ["cancelled"]
    assert called(limited(bench, jobs_day=before + 2), "compare", {"jobs": 1}).text.startswith("1 started")


def test_hashes_of_our_own_are_whole_and_what_looks_like_a_key_is_not() -> None:
    """A run's hash is in text and data as the journal has it; the same digits in a field of somebody's words are masked."""
    own, strange = "ab" * 32, "cd" * 32
    data = {"data": {"sha256": own}, "journal_hash": own[:16], "diff_sha256": [own], "reason": strange, "hash_of": strange}
    result = ToolResult("ok", f"data {own}, and {strange}", data=data)
    desk = {"stamp": "PAPER", "source": "recorded", "time": None}
    text, made = text_of(result, {}, desk), data_of(result, {}, desk)
    assert own in text
    assert strange not in text + json.dumps(made)
    assert (made["data"]["data"]["sha256"], made["data"]["diff_sha256"]) == (own, [own])


def test_a_call_that_is_made_again_takes_up_its_job(bench: McpBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`started` says to call again; that call knows its jobs and is within every budget; another call does not know them."""
    known: list[tuple[str, ...]] = []

    def door(ctx: ToolContext, _name: str, _args: Mapping[str, Any]) -> ToolResult:
        known.append(ctx.earlier_jobs)
        if not ctx.earlier_jobs:
            job = ctx.jobs.submit("leaks", {}, thread=ctx.thread, turn=ctx.turn)
            return ToolResult("started", f"A job is running. {calls_posted()}", job=job)
        return ToolResult("ok", ctx.over_budget(Effect.COMPUTE) or "done")

    monkeypatch.setattr(calls, "call", door)
    monkeypatch.setattr("app.jobs.queue.JobQueue.submit", lambda *_args, **_more: "j-1")
    desk = limited(bench)
    first = called(desk, "leaks", {"strategy": "trend"})
    assert "Call the tool again with the same arguments" in first.text
    assert "posted" not in first.text
    called(desk, "leaks", {"strategy": "reversion"})
    desk._limits = desk._limits.model_copy(update={"jobs_day": 0})
    assert called(desk, "leaks", {"strategy": "trend"}).text.startswith("done")
    assert known == [(), (), ("j-1",)]


def calls_posted() -> str:
    """The sentence of a turn whose answer is posted later."""
    from tools.setups import POSTED

    return POSTED


@pytest.mark.parametrize(
    "error", [JournalBroken("the disk failed", "check it"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_desk_that_cannot_be_read_is_an_answer(bench: McpBench, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """What breaks before a tool runs is said in a line with what to do; the next call works."""
    with monkeypatch.context() as patch:
        patch.setattr(calls.ToolWiring, "context", lambda *_args, **_more: (_ for _ in ()).throw(error))
        answer = bench.ask(lambda client: client.call_tool("desk", {}))
    assert (answer.is_error, answer.structured_content["status"]) == (True, "failed")
    assert "check it" in answer.content[0].text or "free disk space" in answer.content[0].text
    assert not bench.ask(lambda client: client.call_tool("sleeves", {})).is_error


def test_a_call_that_has_begun_is_finished(bench: McpBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that cancels, or leaves, does not cut a tool off between its act and its record."""
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()

    def door(ctx: ToolContext, _name: str, _args: Mapping[str, Any]) -> ToolResult:
        begun.set()
        go_on.wait(WAIT_S)
        ctx.progress(0.5)
        finished.set()
        return ToolResult("ok", "done")

    async def cancelled(client: Any) -> None:
        call = asyncio.create_task(client.call_tool("desk", {}, progress_callback=progress))
        await asyncio.to_thread(begun.wait, WAIT_S)
        call.cancel()
        await asyncio.sleep(0.1)  # the cancellation is on its way; the tool still works
        go_on.set()
        await asyncio.to_thread(finished.wait, WAIT_S)

    async def progress(_share: float, _total: float | None, _text: str | None) -> None: ...

    monkeypatch.setattr(calls, "call", door)
    bench.ask(cancelled)
    assert finished.is_set()


def test_conversations_are_bounded(bench: McpBench) -> None:
    """However many names a client takes, a bounded number of conversations is kept."""
    desk = limited(bench)
    for n in range(CONVERSATIONS_MAX + 5):
        desk.conversation(McpCaller("stdio", "mara", f"client-{n}", ALL_EFFECTS))
    assert len(desk._conversations) == CONVERSATIONS_MAX


def test_the_journal_verifies_after_all_of_this(bench: McpBench) -> None:
    """Calls of many clients are one chain."""
    bench.ask(lambda client: client.call_tool("desk", {}))
    assert verify(bench.home.people_journal).ok
    assert all(e["role"] in roles_of(e["tool"]) for e in bench.calls() if e["status"] == "ok")
