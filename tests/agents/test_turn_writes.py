"""What a turn writes and when: three transactions, the journal before the row's end, a call before its turn's end."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import event as listening

from agents import threads, turns
from engine.errors import JournalBroken
from engine.store.anchors import anchor_claims
from engine.store.journal import HeadClaim
from tests.agents.test_turns import ask
from tests.fakes.offices import FakeOffice
from tools import catalog


def test_a_turn_is_three_transactions_and_its_last_also_anchors_the_journal(office: FakeOffice) -> None:
    """Its beginning, what a call begins with, its end; the end is on the disk and witnesses the record of the answer."""
    thread, commits = ask(office, "list the data")["thread"], list[Any]()
    listening.listen(office.engine, "commit", lambda on: commits.append(on.get_execution_options().get("durable")))
    told = list(turns.ask(office, "developer", "list the data", "mara", thread))
    assert commits == [False, False, True]
    assert [e["n"] for e in told] == [e["n"] for e in threads.events(office.engine, told[0]["turn"])]
    last = office.journal.head
    assert anchor_claims(office.engine, "people") == [HeadClaim(last.seq, last.hash, "the database")]


def test_a_journal_that_fails_at_the_end_leaves_no_turn_running(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer cannot be journaled: the caller hears it, and the thread is free."""
    stream, record = turns.ask(office, "developer", "list the data", "mara"), office.record

    def full(kind: str, body: Mapping[str, Any]) -> str:
        if kind == "answer":
            raise JournalBroken("people.jsonl cannot be written: no space", "free the disk")
        return record(kind, body)

    monkeypatch.setattr(office, "record", full)
    thread = next(stream)["thread"]
    with pytest.raises(JournalBroken):
        list(stream)
    monkeypatch.undo()
    assert ask(office, "list the data", thread=thread)["kind"] == "answer"


def test_a_reader_that_leaves_in_a_call_waits_for_it(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a tool does belongs to its turn: the turn ends behind it, with the call in the journal."""
    entered, ended, outcome = threading.Event(), list[str](), catalog.outcome

    def slowly(*words: Any) -> Any:
        entered.set()
        time.sleep(0.05)
        ended.append("call")
        return outcome(*words)

    monkeypatch.setattr(catalog, "outcome", slowly)
    stream = turns.ask(office, "developer", "list the data", "mara")
    while next(stream)["kind"] != "tool_started":
        pass
    assert entered.wait(5)
    stream.close()
    assert ended == ["call"]
    assert [kind for kind, _ in office.journaled()] == ["ask", "tool", "answer"]
