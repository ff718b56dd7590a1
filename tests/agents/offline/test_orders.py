"""Orders, incidents and documents by sentences: the tool, its state and kind, its window and sleeve; siblings no code names."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

CIDS = ("ndmpj600000002E00", "ndmpj600000003S00", "ndmpj600000004T01")
LISTED = Table(("order", "sleeve", "state"), tuple((cid, "btc-trend", "done") for cid in CIDS))
WINDOWS = Table(("window", "opened", "closed"), (("w2", "a", "open"), ("w1", "b", "c")))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("any order of eth that only filled in part", {"sleeve": "eth-trend", "state": "partly"}),
        ("partials on btc this week", {"sleeve": "btc-trend", "state": "partly", "since": "2025-12-01"}),
        ("is one of our orders in doubt", {"state": "doubt"}),
        (
            "which btc orders got cancelled today",
            {"sleeve": "btc-trend", "state": "cancelled", "since": "2025-12-02", "until": "2025-12-03"},
        ),
        ("what is still resting in terms of orders", {"only_open": True}),
        ("open eth orders", {"sleeve": "eth-trend", "only_open": True}),
        ("did the exchange bounce an order of ours", {"state": "rejected"}),
        ("take profit orders of eth pls", {"sleeve": "eth-trend", "kind": "target"}),
        ("list of orders since yesterday", {"since": "2025-12-01"}),
        ("show order ndmpj600000002E00", {"cid": "ndmpj600000002E00"}),
    ],
)
def test_orders_are_asked_for_by_state_kind_and_window(words: Words, text: str, wanted: dict[str, object]) -> None:
    """The arguments that the sentence names, and no other."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert desk.called == [("orders", wanted)]


def test_orders_belong_to_the_operator(words: Words) -> None:
    """Another role says where to ask, and calls nothing."""
    desk = Desk("advisor", words)
    assert "belongs to the operator" in desk.ask("which orders are still open?")
    assert desk.called == []


def test_a_list_of_orders_is_narrowed_and_one_of_it_opened(words: Words) -> None:
    """The sleeve stays; a place is an order by its client id."""
    desk = Desk("operator", words, orders=ok("orders")._replace(table=LISTED))
    desk.ask("orders of btc please")
    desk.ask("only the cancelled ones")
    assert desk.called == [("orders", {"sleeve": "btc-trend", "state": "cancelled"})]
    desk.ask("the second one")
    assert desk.called == [("orders", {"cid": CIDS[1]})]


def test_the_last_few_orders_are_no_more_than_these(words: Words) -> None:
    """The tool takes no number: the list is cut, and says so."""
    desk = Desk("operator", words, orders=ok("orders")._replace(table=LISTED))
    said = desk.ask("the last 2 orders")
    assert "the first 2" in said
    assert CIDS[2] not in said


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("are there any incidents this week?", {}),
        ("any incident windows", {}),
        ("since when is the incident open", {}),
        ("what did the incidents cost us", {}),
        ("what happened in incident w3", {"window": "w3"}),
    ],
)
def test_incident_windows_are_asked_for(words: Words, text: str, wanted: dict[str, object]) -> None:
    """All of them, or the one that is named."""
    desk = Desk("operator", words, incidents=ok("incidents")._replace(table=WINDOWS))
    desk.ask(text)
    assert desk.called == [("incidents", wanted)]


@pytest.mark.parametrize(
    "text",
    ["what do I do when fills are late", "where is the runbook for a lost stop", "the worker got killed, what are the steps"],
)
def test_what_to_do_is_a_runbook(words: Words, text: str) -> None:
    """Whatever the trouble is called."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["runbook"]


@pytest.mark.parametrize(
    "text", ["where are the docs", "is there a manual for this thing", "which document has all the commands"]
)
def test_where_the_documents_are(words: Words, text: str) -> None:
    """A fixed text, with what a chat shows of them."""
    desk = Desk("advisor", words)
    assert "commands.md" in desk.ask(text)
    assert desk.called == []
