"""A desk that went on from a snapshot forgets what a desk that never stopped forgets."""

import json

import pytest

from engine.book import order_events
from engine.book.snapshot import from_json, to_json
from engine.core.orders import DONE, WORKING
from engine.core.state import ENTRY, PROTECTIVE, TARGET_SLOT
from engine.store.chain import encode_body
from tests.engine.book.test_late_reports import Desk


def trip(desk: Desk, key: int) -> None:
    """In, and out at the target. Trade ids fall in the alphabet as they rise in time, as `z9`, `y8` would."""
    desk.bar(1)
    desk.order(ENTRY, WORKING, key=key)
    desk.fill(ENTRY, 10, key=key, trade=f"{chr(122 - key)}1")
    desk.order(PROTECTIVE, WORKING, key=key)
    desk.order(TARGET_SLOT, WORKING, key=key)
    desk.fill(TARGET_SLOT, 10, key=key, price=108.0, trade=f"{chr(122 - key)}0")
    desk.order(PROTECTIVE, DONE, key=key)


def test_a_restart_changes_no_trade_that_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot is written with sorted keys, so the desk that resumes has its trades in another order than the one that made it.
    Once they are more than are kept the two forget different ones: the next snapshot is not what the journal folds to.
    """
    monkeypatch.setattr(order_events, "TRADES_KEPT", 3)
    whole = Desk()
    for key in range(1, 4):
        trip(whole, key)
    resumed = Desk()
    resumed.book = from_json(json.loads(encode_body(to_json(whole.book))))
    assert dict(resumed.book.orders.trades) == dict(whole.book.orders.trades)
    for desk in (whole, resumed):
        for _ in range(100):
            desk.bar(0)
    assert dict(resumed.book.orders.trades) == dict(whole.book.orders.trades)
