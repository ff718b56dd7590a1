"""The operator's tools `incidents` and `orders`: figures with the event that has them; text from outside is data."""

from pathlib import Path
from typing import Any

import pytest

from engine.store.journal import Event, Journal
from engine.watch.order_lives import lives_of
from tests.tools.desk_journal import END, write_desk
from tools.catalog import call
from tools.incidents import next_check

CID = "ndmpj600000002E00"
ORDER = {"order": CID, "sleeve": "btc-trend", "version": 1, "leg": 0, "pair": 0, "key": 2, "slot": "entry"}
INTENT = ORDER | {"instrument": "okx:BTC-USDT:perp", "side": "buy", "lots": 10, "quantity": 0.1, "type": "market", "price": None}
MONEY = {"pnl": 113.0, "realised": 100.0, "fees": 1.0, "funding": 0.0, "orphans": 3.0}
OPENED = {"what": "open", "window": "w1", "cause": "odd \x1b[31mfills", "by": "detector", "taken": True}
SCOPE = {"sleeves": ["btc-trend"], "instruments": ["okx:BTC-USDT:perp"]}


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """A desk that had one window, closed, and one order, filled."""
    made = make_ctx("operator")
    write_desk(made.home)
    journal = Journal(Path(made.home) / "journal" / "desk.jsonl", "test")
    t = END
    fill = ORDER | {"trade": "t1", "lots": 10, "price": 100.0, "fee": 0.5, "liquidity": "taker", "t_ms": t}
    journal.append(
        [
            Event("window", t, OPENED | SCOPE),
            Event("intent", t, INTENT | {"decided_ms": t}),
            Event("sent", t, {"orders": [CID]}),
            Event("order", t, ORDER | {"state": "working", "lots": 10, "filled_lots": 0, "venue_id": "v77", "why": "taken"}),
            Event("fill", t, fill),
            Event("window", t, {"what": "close", "window": "w1", "cause": "a crash", "by": "ann", "money": MONEY, "taken": True}),
            Event("window", t, OPENED | SCOPE | {"window": "w2", "taken": False, "why": "x"}),
        ]
    )
    journal.close()
    return made


def test_a_window_has_its_figures_and_their_receipt(ctx: Any) -> None:
    """Money and times are facts of the event that closed it; its orders are named; a refused one is none."""
    found = call(ctx, "incidents", {"window": "w1"})
    assert found.status == "ok", found.text
    facts = {fact.ref.partition(".")[2]: fact for fact in found.facts if fact.subject == "incident window w1"}
    assert {name: facts[name].value for name in MONEY} == MONEY
    assert facts["pnl"].evidence.id.startswith("d-")
    assert facts["pnl"].unit == "usd"
    assert (found.data["orders"], found.data["windows"]) == ([CID], ["w1"])
    assert "closed at" in found.text
    assert "\x1b" not in found.text
    assert call(ctx, "incidents", {"window": None}).data["windows"] == ["w1"]
    assert call(ctx, "incidents", {"window": "w9"}).status == "no_data"


def test_an_orders_life_is_told_with_events(ctx: Any) -> None:
    """States in their order, the venue's own name, the fill; an unknown name is no data, never an order."""
    found = call(ctx, "orders", {"cid": CID, "sleeve": None, "only_open": False})
    assert found.status == "ok", found.text
    assert [row[0] for row in found.table.rows] == ["intended", "sent", "working", "done"]  # type: ignore[union-attr]
    assert all(str(row[3]).startswith("d-") for row in found.table.rows)  # type: ignore[union-attr]
    assert "v77" in found.text
    assert found.data == {"order": CID, "state": "done", "open": False}
    assert call(ctx, "orders", {"cid": "ndxxxx00000001E00", "sleeve": None, "only_open": False}).status == "no_data"
    assert call(ctx, "orders", {"cid": None, "sleeve": None, "only_open": True}).status == "no_data"


def test_orders_are_listed_by_state_and_kind(ctx: Any) -> None:
    """A filled entry is a filled one, no rejected one and no stop; what is not there names how many were looked at."""
    for args, there in (({"state": "filled"}, True), ({"state": "rejected"}, False), ({"state": "doubt"}, False)):
        assert (call(ctx, "orders", args).status == "ok") is there, args
    assert call(ctx, "orders", {"kind": "entry"}).data == {"orders": [CID], "newest": [CID]}
    none = call(ctx, "orders", {"kind": "protective"})
    assert (none.status, "which had 1 orders" in none.text, "on paper" in none.text) == ("no_data", True, True)


def test_others_are_sent_to_the_operator(ctx: Any) -> None:
    """The catalog is the authority."""
    ctx.role = "developer"
    assert "belongs to the operator" in call(ctx, "incidents", {"window": None}).text


def test_an_orders_event_is_explained_by_the_orders_whole_life(ctx: Any) -> None:
    """What the venue said of it alone says little: the life follows, with what to look at next."""
    found = call(ctx, "orders", {"cid": CID, "sleeve": None, "only_open": False})
    event = found.table.rows[2][3]  # type: ignore[union-attr]
    told = call(ctx, "explain_event", {"event_id": event, "sleeve": None, "at": None})
    assert told.status == "ok", told.text
    assert told.text.endswith(found.text)
    assert [row[0] for row in told.table.rows] == ["intended", "sent", "working", "done"]  # type: ignore[union-attr]
    assert told.data["order"] == CID


@pytest.mark.parametrize(
    ("slot", "state", "says"),
    [
        ("entry", "rejected", "Runbook: orders-rejected."),
        ("protective", "sent", "Runbook: protective-missing."),
        ("entry", "UNKNOWN", "sending nothing twice"),
        ("protective", "working", "Nothing is wrong with it."),
        ("protective", "cancelling", "the venue owes an answer"),
        ("exit", "done", "It has ended."),
    ],
)
def test_the_next_check_fits_the_order(slot: str, state: str, says: str) -> None:
    """A page is named where something is wrong, and where nothing is it says so."""
    events = [Event("intent", END, INTENT | {"slot": slot}), Event("order", END, ORDER | {"state": state, "filled_lots": 0})]
    assert says in next_check(lives_of(events)[CID])
