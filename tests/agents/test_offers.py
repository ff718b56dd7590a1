"""What a model is shown: a small core, groups it opens, never more than the budget; and several READs of one message at once."""

import json
from itertools import product
from typing import Any

import pytest

from agents import turns
from agents.formats.fit import schema_tokens
from agents.model import Call, Reply
from agents.offers import SCHEMA_TOKENS_MAX, offered, opened
from agents.roster import role
from agents.state import AnsweredCall, EarlierTurn
from tests.fakes.offices import FakeOffice, ScriptedModel, calls
from tools.catalog import TOOLS, call, tools_of
from tools.common.contract import ROLES, Evidence, Fact, Table, ToolResult, marked
from tools.groups import CORE, GROUPS
from tools.together import renamed


def opening(*groups: str) -> list[AnsweredCall]:
    """Calls that have opened these groups."""
    return [AnsweredCall(Call("c", "more_tools", {"group": group}), ToolResult("ok", "")) for group in groups]


@pytest.mark.parametrize("name", ROLES)
def test_every_tool_can_be_shown_and_no_request_is_over_the_budget(name: Any) -> None:
    """Core and one group always fit, so does any order of opening; together the groups hold all that the role may call."""
    own, core = role(name), {tool.name for tool in offered(role(name), (), ())}
    assert core == {*CORE[name], "more_tools"}
    seen = set(core)
    for group in GROUPS:
        shown = offered(own, (), opening(group))
        wanted = {tool.name for tool in own.tools} & set(GROUPS[group])
        assert wanted <= {tool.name for tool in shown}, f"{group} does not fit"
        seen |= wanted
    assert seen == {tool.name for tool in tools_of(name)}
    for pair in product(GROUPS, GROUPS):
        assert schema_tokens(offered(own, (), opening(*pair, *GROUPS))) <= SCHEMA_TOKENS_MAX


def test_the_group_opened_last_stays_and_those_of_the_turns_before_too() -> None:
    """Opened again it is the newest; a refused opening opens nothing; what nobody declared is nothing."""
    earlier = EarlierTurn("u", "q", "a", ({"name": "more_tools", "args": {"group": "risk"}},), (), ())
    done = [
        *opening("money", "data", "money"),
        AnsweredCall(Call("c", "more_tools", {"group": "watch"}), ToolResult("refused", "")),
    ]
    assert opened([earlier], done) == ["risk", "data", "money"]
    assert "exposure" in {tool.name for tool in offered(role("developer"), [earlier], ())}
    assert set(GROUPS["money"]) & {t.name for t in offered(role("operator"), (), opening("risk", "money", "nothing"))} >= {"pnl"}


def test_a_model_is_shown_a_group_after_it_has_opened_it(office: FakeOffice) -> None:
    """The first request has the core, the next one the group too; what is not shown may still be called."""
    office.model = ScriptedModel(
        calls(("more_tools", {"group": "risk"})), calls(("define", {"word": "stop_atr"})), Reply("Done.")
    )
    list(turns.ask(office, "developer", "what does stop_atr mean?", "mara", None))
    first, second, _ = office.model.shown
    assert ("define" in first, "define" in second) == (False, True)
    assert len(first) == len(CORE["developer"]) + 1


def test_reads_of_one_message_are_answered_and_journaled_in_their_order(office: FakeOffice) -> None:
    """Begun together, ended in order; handles and journal as one after the other would have them, twice the same."""
    wanted = [("list_strategies", {"strategy": "trend"}), ("list_strategies", {"strategy": "reversion"}), ("nonsense", {}),
              ("list_strategies", {}), ("desk", {"x": 1})]  # fmt: skip
    heard = []
    for _ in range(2):
        office.model = ScriptedModel(calls(*wanted), Reply("Done."))
        heard.append(list(turns.ask(office, "developer", "all of it", "mara", None)))
    told = [(e["kind"], e["tool"]) for e in heard[0] if e["kind"] in ("tool_started", "tool_finished")]
    reads = ["list_strategies", "list_strategies", "list_strategies", "desk"]
    assert told[:4] == [("tool_started", name) for name in reads]
    assert told[4:8] == [("tool_finished", name) for name in reads]
    journal = [body["tool"] for kind, body in office.journaled() if kind == "tool"]
    assert journal == [*reads, "nonsense"] * 2
    kept = [json.dumps(next(e for e in one if e["kind"] == "answer")["facts"]) for one in heard]
    assert kept[0] == kept[1]
    alone = office.context(role="developer", thread="t", turn="u", person="mara", desk_ms=None, now_ms=1)
    for name, args in wanted[:2]:
        call(alone, name, args)
    assert [f.ref for f in alone.facts.values()] == [fact["ref"] for fact in json.loads(kept[0])]


def test_a_result_takes_the_handles_of_the_thread() -> None:
    """In facts, text and table, in one pass: a name that becomes another's old one is not moved twice."""
    fact = Fact("r1.sharpe", "x", "sharpe", 1.0, "ratio", Evidence("run", "r-1"))
    result = ToolResult("ok", "{r1.sharpe} {r2.sharpe} r1.sharpe", (fact,), (), Table(("a",), (("{r2.sharpe}", 1),)))
    moved = renamed(result, {"r1": "r2", "r2": "r3"})
    assert (moved.text, moved.facts[0].ref) == ("{r2.sharpe} {r3.sharpe} r1.sharpe", "r2.sharpe")
    assert moved.table is not None
    assert moved.table.rows == (("{r3.sharpe}", 1),)
    assert renamed(result, {"r1": "r1"}) is result


def test_a_long_table_stands_by_its_references_alone(office: FakeOffice) -> None:
    """Thirteen rows of one metric: a number typed by hand is struck though it is right; of twelve rows it stands."""
    for rows, struck in ((13, True), (12, False)):
        facts = tuple(Fact(f"k{n}.net", f"trip {n}", "net", 100.5 + n, "usd", Evidence("run", "r-1")) for n in range(rows))
        table = Table(("trip", "net"), tuple((f"t{n}", f"{{k{n}.net}}") for n in range(rows)))
        result = marked(ToolResult("ok", "Trips.", facts, (), table))
        assert [fact.listed for fact in result.facts] == [struck] * rows
        kept = marked(ToolResult("ok", "The first made {k0.net}.", facts, (), table))
        assert kept.facts[0].listed is False, "what the text states stands"
    metrics = tuple(Fact(f"r1.m{n}", "run", f"m{n}", float(n), "ratio", Evidence("run", "r-1")) for n in range(20))
    one = Table(("metric", "value"), tuple((f"m{n}", f"{{r1.m{n}}}") for n in range(20)))
    assert not any(fact.listed for fact in marked(ToolResult("ok", "", metrics, (), one)).facts), "one of each metric"


def test_a_typed_number_of_a_long_table_is_marked_in_an_answer(office: FakeOffice) -> None:
    """Also in a later turn of the thread: the mark is kept with the fact."""
    from agents.grounding import Ground, ground

    facts = {
        f"k{n}.net": Fact(f"k{n}.net", f"trip {n}", "net", 100.5 + n, "usd", Evidence("run", "r-1"), listed=True)
        for n in range(13)
    }
    stand = Ground(facts, [], [], [], [], [], None, [], False)
    assert ground("The net of trip 3 is 103.50.", stand).unchecked
    assert not ground("The net of trip 3 is {k3.net}.", stand).unchecked
    assert set(TOOLS) >= {"more_tools"}
