"""One shape, two ways to run it: LangGraph's for a real model, a plain walk for the offline one; nobody can tell them apart."""

import sys
from typing import Any

import pytest

from agents import graph, turns
from agents.model import Reply
from agents.offline import model
from agents.offline.model import OfflineModel
from agents.offline.understand import understand
from tests.fakes.offices import FakeOffice, ScriptedModel, calls

ROUND = ("list_strategies", {"strategy": "trend"})


def heard(office: FakeOffice, *replies: Any) -> list[dict[str, Any]]:
    """The events of one turn of a scripted model, without what differs from turn to turn."""
    office.model = ScriptedModel(*replies)
    events = list(turns.ask(office, "developer", "what is the default stop?", "mara", "new"))
    return [{k: v for k, v in event.items() if k not in ("turn", "thread", "usage")} for event in events]


@pytest.mark.parametrize(
    "replies",
    [
        (Reply("Nothing to look up."),),
        (calls(ROUND, ROUND), Reply("It is {p1.stop_atr}, not 9.75.")),
        (calls(ROUND),),  # for ever: the budget or the step limit ends it
    ],
)
def test_both_ways_tell_the_same_events_and_the_same_answer(
    office: FakeOffice, monkeypatch: pytest.MonkeyPatch, replies: tuple[Reply, ...]
) -> None:
    """Kinds, order, facts, what is struck and how a turn ends that would not end by itself."""
    through = heard(office, *replies)
    monkeypatch.setattr(graph, "stream", graph.walk)
    assert heard(office, *replies) == through


def test_a_step_that_fails_ends_the_walk_with_its_own_error(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not swallowed by the thread it ran in."""
    monkeypatch.setitem(graph.NODES, "think", lambda _work, _state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(graph.walk(type("W", (), {"question": "q", "system": None, "earlier": ()})(), {"messages": [], "done": []}, 9))


def test_the_offline_model_walks(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer needs no LangGraph: loading that takes longer than answering."""
    office.model = OfflineModel()
    monkeypatch.setitem(sys.modules, "langgraph", None)
    monkeypatch.setitem(sys.modules, "langgraph.graph", None)
    answer = list(turns.ask(office, "developer", "which strategies are there?", "mara", None))[-1]
    assert answer["answer_md"].startswith("Strategies: ")


def test_a_question_is_read_once_a_turn(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is replayed with each result, and what was read of the question stands."""
    office.model, read = OfflineModel(), []

    def spied(question: str, *more: Any) -> Any:
        read.append(question)
        return understand(question, *more)

    monkeypatch.setattr(model, "understand", spied)
    for _ in range(2):
        answer = list(turns.ask(office, "developer", "which strategies are there?", "mara", "new"))[-1]
        assert answer["usage"]["tool_calls"] == 1
    assert read == ["which strategies are there?"] * 2
