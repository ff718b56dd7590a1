"""Authority is code: each role calls exactly its tools, every call is journaled, nothing a model does raises."""

import ast
import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from tools import catalog
from tools.catalog import ENTRIES, CatalogEntry, call, roles_of, tools_of
from tools.common.contract import ROLES, Effect, NoArgs, ToolContext, ToolResult, tool

READ = {
    "desk",
    "sleeves",
    "health",
    "alerts",
    "runbook",
    "list_data",
    "list_strategies",
    "run",
    "round_trip",
    "journal_search",
    "explain_event",
    "proposals",
    "memory",
    "calc",
    "trials",
    "trips",
    "performance",
    "pnl",
    "excursions",
    "what_if",
    "worst_days",
    "define",
    "more_tools",
    "version_effect",
    "counts",
    "exposure",
    "watches",
    "pauses",
    "models",
    "predictions",
    "weights",
    "audit",
    "silences",
    "making",
    "phase",
    "upkeep",
    "market_context",
    "joint_risk",
}
# the whole table of DESIGN 8, for the rooms that exist; written out a second time on purpose
AUTHORITY = {
    "developer": READ
    | {
        "backtest",
        "compare",
        "leaks",
        "parity",
        "drift",
        "model_drift",
        "train_model",
        "sweep",
        "walkforward",
        "judge",
        "pair_scan",
    }
    | {"strategy_code", "draft_strategy", "propose_config", "propose_model", "propose_watch", "note"},
    "operator": READ
    | {"incidents", "orders", "checklist", "runbook_steps", "attribution"}
    | {"probe", "drill", "model_drift", "propose_tightening", "propose_pause", "propose_watch", "note"},
    "advisor": READ | {"report", "attribution", "propose_watch", "note"},
}
NAMES = sorted({line.tool.name for line in ENTRIES} | {"approve", "apply", "release", "halt", "order", "write_file", ""})


def journal_of(ctx: ToolContext) -> list[dict[str, Any]]:
    """The people journal's events."""
    path = ctx.home / "journal" / "people.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("role", "name"), list(product(ROLES, NAMES)))
def test_each_role_calls_exactly_its_tools(make_ctx: Any, role: str, name: str) -> None:
    """Every pair of role and name: listed ones get past the door, all others are refused there and journaled."""
    ctx = make_ctx(role)
    result = call(ctx, name, {"nonsense": 1})
    stopped_at_door = "belongs to" in result.text or "unknown tool" in result.text
    assert stopped_at_door == (name not in AUTHORITY[role])
    assert result.status == "refused"
    (event,) = journal_of(ctx)
    assert event["body"]["tool"] == name
    assert event["body"]["status"] == "refused"


def test_the_list_is_the_authority() -> None:
    """The catalog gives each role its tools and nothing else; effects are those of the tools."""
    for role in ROLES:
        assert {t.name for t in tools_of(role)} == AUTHORITY[role]
    assert roles_of("backtest") == ("developer",)
    assert roles_of("approve") == ()
    for line in ENTRIES:
        assert line.effect is line.tool.effect


def test_a_refusal_says_whose_it_is(make_ctx: Any) -> None:
    """A request of another role is told where to take it."""
    assert "belongs to the developer, not to the advisor" in call(make_ctx("advisor"), "propose_config", {}).text


def test_every_call_is_journaled_with_who_and_what(make_ctx: Any) -> None:
    """Role, person, thread, turn, model, arguments and outcome; a key in an argument is masked."""
    ctx = make_ctx("advisor", model="gpt-x", person="mara\x1b[31m")
    call(ctx, "memory", {"query": "sk-" + "a" * 40})
    (event,) = journal_of(ctx)
    body = event["body"]
    assert (event["kind"], body["role"], body["thread"], body["turn"], body["model"]) == ("tool", "advisor", "t1", "u1", "gpt-x")
    assert body["person"] == "mara[31m"
    assert body["args"] == {"query": "[secret]"}
    assert "aaaa" not in json.dumps(event)
    assert body["status"] == "no_data"


@tool("fragile", Effect.READ)
def fragile(ctx: ToolContext, args: NoArgs) -> ToolResult:
    """Breaks in the way its context says."""
    if ctx.person == "known":
        raise DataError("the file is gone", "pull it again")
    raise RuntimeError("password=hunter2")


@pytest.fixture
def with_fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog with a tool that breaks."""
    monkeypatch.setitem(catalog.TOOLS, "fragile", CatalogEntry(fragile, Effect.READ, ROLES))


@pytest.mark.usefixtures("with_fragile")
def test_an_error_is_an_outcome(make_ctx: Any) -> None:
    """What a person can act on is told; anything else names its type and nothing more."""
    known = call(make_ctx(person="known"), "fragile", {})
    assert (known.status, known.text) == ("failed", "fragile: the file is gone - pull it again")
    unknown = call(make_ctx(), "fragile", {})
    assert unknown.status == "failed"
    assert "RuntimeError" in unknown.text
    assert "hunter2" not in unknown.text


@pytest.mark.parametrize(
    "args", [None, [], "text", 3, {"expression": 3}, {"expression": "x" * 9999}, {1: 2}, {"expression": None}]
)
def test_arguments_that_do_not_fit_are_refused(make_ctx: Any, args: Any) -> None:
    """Whatever a model sends as arguments is an outcome, and journaled."""
    ctx = make_ctx()
    result = call(ctx, "calc", args)
    assert result.status == "refused"
    assert len(journal_of(ctx)) == 1


def test_one_proposal_a_turn_and_last(make_ctx: Any) -> None:
    """After a note nothing more can be called in the turn, not even read; the next turn may."""
    ctx = make_ctx("operator")
    call(ctx, "memory", {})
    assert call(ctx, "note", {"topic": "a", "text": "b", "evidence": ["p-1"]}).status == "ok"
    for name, args in (("note", {"topic": "a", "text": "b", "evidence": ["p-1"]}), ("memory", {}), ("propose_pause", {})):
        assert call(ctx, name, args).status == "refused"
    assert call(make_ctx("operator", turn="u2"), "memory", {}).status == "ok"


def test_a_refused_proposal_may_be_corrected(make_ctx: Any) -> None:
    """What did not go through does not use up the turn."""
    ctx = make_ctx("operator")
    call(ctx, "memory", {})
    assert call(ctx, "note", {"topic": "a", "text": "b", "evidence": ["nothing"]}).status == "refused"
    assert call(ctx, "note", {"topic": "a", "text": "b", "evidence": ["p-1"]}).status == "ok"


def test_what_cannot_be_journaled_is_not_proposed(make_ctx: Any) -> None:
    """A full disk under the people journal: no note, no facts, one clear line."""
    ctx = make_ctx("operator")
    call(ctx, "memory", {})

    def broken(_kind: str, _body: Any) -> str:
        raise DataError("the people journal cannot be written", "free the disk")

    ctx.record = broken
    result = call(ctx, "note", {"topic": "a", "text": "b", "evidence": ["p-1"]})
    assert result.status == "failed"
    assert "cannot be written" in result.text
    assert not list((ctx.home / "memory" / "inbox").glob("*"))


def test_a_proposal_is_journaled_before_and_after(make_ctx: Any) -> None:
    """The people journal holds that it was asked, then what came of it."""
    ctx = make_ctx("operator")
    call(ctx, "memory", {})
    call(ctx, "note", {"topic": "a", "text": "b", "evidence": ["p-1"]})
    assert [e["body"]["status"] for e in journal_of(ctx)] == ["ok", "started", "ok"]


def test_no_tool_reaches_for_what_is_a_persons() -> None:
    """No source below tools/ or memory/recall names an approval, a release, a promotion or the setting of a halt."""
    root = Path(catalog.__file__).parent
    for path in sorted(root.glob("*.py")):
        code = ast.unparse(without_docs(ast.parse(path.read_text())))
        found = re.search(
            r"halt\.(set|release|set_row)|approvals|control\.apply|promote|write_first|add_first|ensure_first|leave_pending|subprocess|unlink|rmtree",
            code,
        )
        assert found is None, f"{path.name}: {found}"


def without_docs(tree: ast.Module) -> ast.Module:
    """The code alone: docstrings may say what a person does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
