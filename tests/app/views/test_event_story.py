"""An event with its causes and consequences: on a real desk's journal each fill tells the decision and the order it is of."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.views.event_story import story
from engine.store.journal import read
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of
from tools.common.event_text import is_routine


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk that has traded for some days; only read here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(tmp_path_factory.mktemp("story") / "home")))
        made = open_home(WALL_MS)
        loop = advanced(loop_of(made, feed_of(made)), 500)
        loop.journal.close()
    return made


@pytest.mark.slow
def test_a_fill_tells_its_order_and_the_decision_behind_it(home: Home) -> None:
    """Held against the whole journal read in order: the intent of the same order id, and the sleeve's decision at its close."""
    events = list(read(home.desk_journal))
    intents = {e.body["order"]: e for e in events if e.kind == "intent"}
    entries = exits = 0
    for fill in (e for e in events if e.kind == "fill"):
        found = story(home.desk_journal, fill)["before"]
        assert [e["seq"] for e in found] == sorted(e["seq"] for e in found if e["seq"] < fill.seq), "oldest first, none later"
        told = {e["id"]: e for e in found}
        if fill.body["slot"] != "entry":
            exits += 1
            decided = [e for e in found if e["kind"] == "decision"]
            assert {e["body"]["sleeve"] for e in decided} == {fill.body["sleeve"]}
            continue
        entries += 1
        intent = intents[fill.body["order"]]
        decision = [e for e in events if e.kind == "decision" and e.body["sleeve"] == fill.body["sleeve"] and e.seq < fill.seq]
        wanted = next(e for e in reversed(decision) if e.body["action"] in ("enter", "add"))
        assert {intent.id, wanted.id} <= set(told)
        assert wanted.t_event_ms == intent.t_event_ms
    assert entries > 3
    assert exits > 3


def test_consequences_are_exactly_what_names_the_event_as_its_cause(home: Home) -> None:
    """And each of them names it among its own causes."""
    events = list(read(home.desk_journal))
    by_cause: dict[str, list[str]] = {}
    for event in events:
        by_cause.setdefault(event.cause_id, []).append(event.id)
    checked = 0
    for event in events[:: max(1, len(events) // 60)]:
        followed = [e["id"] for e in story(home.desk_journal, event)["followed"]]
        assert followed == by_cause.get(event.id, [])[: len(followed)]
        assert bool(followed) == bool(by_cause.get(event.id))
        for id_ in followed[:2]:
            later = next(e for e in events if e.id == id_)
            assert event.id in {e["id"] for e in story(home.desk_journal, later)["before"]}
            checked += 1
    assert checked > 3


def test_a_story_shows_nothing_of_the_hash_chain(home: Home) -> None:
    """What people read is the event, not its proofs."""
    event = next(read(home.desk_journal, {"fill"}))
    assert not {"hash", "prev", "left"} & set(story(home.desk_journal, event)["event"])


def test_what_only_says_that_things_go_on_is_routine(home: Home) -> None:
    """Bars, marks and working orders are; decisions, fills, halts and rejected orders are not."""
    kinds = {e.kind for e in read(home.desk_journal) if not is_routine(e)}
    assert {"decision", "fill", "intent", "config"} <= kinds
    assert not kinds & {"bar", "mark", "snapshot"}
    order = next(read(home.desk_journal, {"order"}))
    for state, routine in (("working", True), ("cancelling", True), ("rejected", False), ("UNKNOWN", False)):
        assert is_routine(order._replace(body={**order.body, "state": state})) is routine


def test_an_event_that_is_alone_has_an_empty_story(tmp_path: Path) -> None:
    """The first event of a journal: nothing before it, nothing after."""
    from engine.store.journal import Event, Journal

    journal = Journal(tmp_path / "desk.jsonl", "worker")
    journal.append([Event("config", 1, {})])
    journal.close()
    (event,) = read(tmp_path / "desk.jsonl")
    assert story(tmp_path / "desk.jsonl", event)["before"] == story(tmp_path / "desk.jsonl", event)["followed"] == []
