"""Events in words: every kind that the loop writes reads like a sentence, and no shape breaks the reading."""

from typing import Any

import pytest

from engine.store.chain import Event
from tools.common.event_text import event_line

ADOPTS = {"by": "ann", "difference": "t9", "reason": "seen there"}
MOVES = {"sleeve": "btc", "key": 3, "lots_before": 1200, "lots_after": 800}
WORDS: list[tuple[str, dict[str, Any], str]] = [
    (
        "bar",
        {"bars": {"a": [1.0, 1.0, 1.0, 1.0], "b": [None] * 4}, "close_ms": 900_000},
        "2 instruments that closed at 1970-01-01 00:15Z; no price of b",
    ),
    (
        "intent",
        {"side": "buy", "quantity": 0.5, "instrument": "okx:BTC-USDT:perp", "type": "market", "notional": 40_000.0},
        "about 40,000.00 USDT",
    ),
    ("order", {"state": "partly filled, rest cancelled", "filled_lots": 9, "lots": 1200}, "rest cancelled: 9 of 1,200 lots"),
    (
        "order",
        {"state": "rejected", "reason": "margin is insufficient", "filled_lots": 0, "lots": 3},
        "rejected (margin is insufficient): 0 of 3 lots",
    ),
    (
        "mark",
        {"equity": 29_999.5, "sleeves": {"a": {"position": {}}, "b": {}}, "state": "running"},
        "equity 29,999.50, 1 open positions",
    ),
    (
        "decision",
        {"action": "cancel", "signal": "long", "cancelled_by": "no_entry window"},
        "cancel on signal long by no_entry window",
    ),
    ("snapshot", {"close_ms": 900_000, "bars": []}, "whole state after the bar of 1970-01-01 00:15Z"),
    ("breaker", {"sleeve": "", "breaker": "drawdown"}, "the desk: breaker drawdown tripped, latched until a person releases it"),
    ("halt", {"by": {"name": "ann"}, "reason": "odd", "state": "halting"}, "desk halting by ann: odd"),
    ("fill", {"trade": "t9", "order": "x1", "booked": False}, "not booked: trade t9 of order x1"),
    ("order", {"order": "x1", "state": "working", "booked": False}, "not booked: order x1"),
    ("adopt", ADOPTS | {"adopted": True}, "ann adopted the difference t9: position kept (seen there)"),
    ("adopt", ADOPTS | MOVES | {"adopted": True}, "position btc layer 3 from 1,200 to 800 lots (seen there)"),
    ("adopt", ADOPTS | {"adopted": False, "why": "there is none"}, "ann could not adopt (there is none) the difference t9"),
    ("incident", {"what": "the strategy says nothing", "sleeve": "a"}, "what the strategy says nothing, sleeve a"),
]


@pytest.mark.parametrize(("kind", "body", "said"), WORDS, ids=[said for *_, said in WORDS])
def test_an_event_reads_like_a_sentence(kind: str, body: dict[str, Any], said: str) -> None:
    """What a person at night needs of it, with times as times and lots as lots."""
    assert said in event_line(Event(kind, 1, body))


@pytest.mark.parametrize("kind", [*(kind for kind, *_ in WORDS), "fill", "decision", "funding", "config"])
@pytest.mark.parametrize("body", [{}, {"bars": 3, "lots": "x", "side": None, "sleeves": [], "quantity": {}, "close_ms": "then"}])
def test_a_body_of_another_shape_is_told_plainly(kind: str, body: dict[str, Any]) -> None:
    """A journal of an older or newer desk can be read."""
    assert isinstance(event_line(Event(kind, 1, body)), str)
