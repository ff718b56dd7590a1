"""Laws of a journal by itself: each is broken by a few events, and named."""

from typing import Any

import pytest

from engine.book.order_laws import OrderLaws
from engine.store.chain import Event

ENTRY = {"order": "e1", "reduce_only": False, "sleeve": "a"}
SENT = {"orders": ["e1"]}
REFUSED = {"order": "e1", "state": "rejected", "why": "no", "sleeve": "a"}
ILL = {"what": "clock", "state": "begun", "why": ""}
WELL = {"what": "clock", "state": "over", "why": ""}
OFF_X = {"what": "not traded: x", "state": "begun", "why": ""}
FILL = {"trade": "t1", "order": "e1"}
LAYER = {"sleeve": "a", "key": 1}
ATTACH = ("attach", {"instrument": "x", "how": "with"}, 0)
BUY = ("intent", ENTRY | LAYER | {"slot": "entry", "instrument": "x", "lots": 3}, 0)
PROTECTS = LAYER | {"reduce_only": True, "slot": "protective", "lots": 3}
COVER = ("intent", PROTECTS | {"order": "a1", "attached_to": "e1"}, 0)
STOP = ("intent", PROTECTS | {"order": "s1"}, 2)
BOUGHT = ("fill", FILL | {"lots": 3}, 1)
LEFT = ("sent", {"orders": ["e1", "a1"]}, 0)
BAR = ("bar", {}, 9)


def said(order: str, state: str, filled: int = 0) -> tuple[str, dict[str, Any], int]:
    """The venue's word about an order of that layer."""
    return "order", {"order": order, "state": state, "sleeve": "a", "lots": 3, "filled_lots": filled}, 3


def broken(*events: tuple[str, dict[str, Any], int]) -> list[str]:
    """What the laws say of these events, each (kind, body, ms)."""
    return OrderLaws().read(Event(kind, 0, body, t_recv_ms=ms) for kind, body, ms in events)


@pytest.mark.parametrize(
    ("law", "events"),
    [
        ("I1", [("halt", {"state": "halted"}, 0), ("intent", ENTRY, 1)]),
        ("I3", [("intent", ENTRY, 0), ("intent", ENTRY, 1)]),
        ("I4", [("intent", ENTRY, 0), ("sent", SENT, 0), ("order", {**REFUSED, "why": "never existed: x"}, 20_000)]),
        ("I5", [("intent", ENTRY, 0), ("fill", FILL, 1), ("fill", FILL, 2)]),
        ("I7", [("health", ILL, 0), ("intent", ENTRY, 1)]),
        ("I7", [("reconcile", {"differs": {"t9": "x"}}, 0), ("intent", ENTRY, 1)]),
        ("I7", [("health", OFF_X, 0), ("intent", ENTRY | {"instrument": "x"}, 1)]),
        ("I7", [("health", OFF_X, 0), ("health", ILL, 0), ("intent", ENTRY | {"instrument": "y"}, 1)]),
        ("I9", [*[("order", REFUSED, 0)] * 5, ("intent", ENTRY, 1)]),
        ("I13", [("sent", SENT, 0)]),
        ("I13", [("fill", FILL, 0)]),
        ("I12", [ATTACH, BUY, ("sent", SENT, 0)]),
        ("I12", [ATTACH, BUY, COVER, LEFT, BOUGHT, said("a1", "cancelling")]),
        ("I12", [ATTACH, BUY, COVER, LEFT, BOUGHT, STOP, said("a1", "cancelling"), said("s1", "working")]),
        ("I12", [ATTACH, BUY, COVER, LEFT, said("e1", "done", 3), said("a1", "cancelling")]),
        ("I12", [ATTACH, BUY, COVER, LEFT, BOUGHT, STOP, said("s1", "working"), BAR, BAR, BAR]),
        (
            "I6",
            [
                BUY,
                COVER,
                BOUGHT,
                ("fill", {"trade": "t2", "order": "a1", "lots": 3}, 4),
                ("fill", {"trade": "t3", "order": "a1", "lots": 1}, 4),
            ],
        ),
    ],
)
def test_a_broken_law_is_named(law: str, events: list[tuple[str, dict[str, Any], int]]) -> None:
    """And only that one."""
    assert [what.split(" ")[0] for what in broken(*events)] == [law]


def test_what_is_of_an_instrument_that_is_off_breaks_none_elsewhere() -> None:
    """Its difference, and what its executions have; an entry of another instrument may leave."""
    differs = ("reconcile", {"differs": {"position of x": "3 and 0"}}, 0)
    unread = ("health", {"what": "venue of x", "state": "begun", "why": ""}, 0)
    assert not broken(("health", OFF_X, 0), differs, unread, ("intent", ENTRY | {"instrument": "y"}, 1))


def test_an_attached_stop_that_goes_when_another_works_breaks_none() -> None:
    """Booked, the layer's own stop works, then it ends; one that came with an entry that filled nothing was never there."""
    assert not broken(
        ATTACH,
        BUY,
        COVER,
        LEFT,
        said("a1", "working"),
        BOUGHT,
        STOP,
        said("s1", "working"),
        BAR,
        said("a1", "cancelling"),
        BAR,
        BAR,
    )
    assert not broken(ATTACH, BUY, COVER, ("sent", SENT, 0), said("e1", "done"), BAR, BAR, BAR)


def test_an_attached_stop_may_go_once_its_layer_leaves() -> None:
    """An exit's first execution is the venue's word that it was taken, before its request is answered; sent alone is none."""
    leave = ("intent", LAYER | {"order": "x1", "reduce_only": True, "slot": "exit", "lots": 3}, 2)
    before = (ATTACH, BUY, COVER, LEFT, BOUGHT, leave, ("sent", {"orders": ["x1"]}, 2))
    first = ("fill", {"trade": "t2", "order": "x1", "lots": 1}, 3)
    assert not broken(*before, first, said("a1", "cancelling"))
    assert [what.split(" ")[0] for what in broken(*before, said("a1", "cancelling"))] == ["I12"]
    refused = said("x1", "rejected", 1)
    assert [what.split(" ")[0] for what in broken(*before, first, refused, said("a1", "cancelling"))] == ["I12"]


def test_a_stop_whose_executions_were_listed_is_gone_whatever_its_own_state_says() -> None:
    """The list of executions came first, and no word on the order behind it."""
    fired = ("fill", {"trade": "t2", "order": "a1", "lots": 3}, 4)
    assert not broken(ATTACH, BUY, COVER, LEFT, said("a1", "working"), BOUGHT, fired, BAR, BAR, BAR, BAR)


def test_what_is_allowed_breaks_none() -> None:
    """An entry once all is well; a release; an exit while halted; a refusal after one that was taken; nonexistence in time."""
    leave = {"order": "x1", "reduce_only": True, "sleeve": "a"}
    assert not broken(
        ("health", ILL, 0),
        ("health", WELL, 1),
        ("reconcile", {"differs": {"t9": "x"}}, 1),
        ("reconcile", {"differs": {}, "agrees": ["t9"]}, 2),
        ("intent", ENTRY, 3),
        ("sent", SENT, 3),
        ("order", {**REFUSED, "why": "never existed: x"}, 40_000),
        ("halt", {"state": "halted"}, 41_000),
        ("intent", leave, 41_000),
    )
