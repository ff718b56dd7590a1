"""Readers of a turn that has ended already: of twenty clients most come when its answer is there."""

from typing import Any

import httpx
import pytest

from app.api import running
from app.api import turns as turns_api
from tests.app.api.test_turns_api import ASKED, events
from tests.fakes.waiting import until


def test_a_reader_that_comes_late_gets_the_same_whole_turn(
    served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a turn that has just ended from memory, without a look at its rows; of an older one from them; to a byte the same."""
    turn = api.post("/api/turns", json=ASKED).json()["turn"]
    followed = api.get(f"/api/turns/{turn}/events").text
    until(lambda: turn not in served.desk.running.live, "the turn never let go")
    rows = turns_api._rows
    monkeypatch.setattr(turns_api, "_rows", lambda *_: 1 / 0)
    assert api.get(f"/api/turns/{turn}/events").text == followed
    assert events(api, turn, {"last-event-id": "1000"}) == [{"event": "end", "data": {"state": "done"}}]
    monkeypatch.setattr(turns_api, "_rows", rows)
    monkeypatch.setattr(running, "OVER_MAX", 1)
    other = api.post("/api/turns", json={**ASKED, "thread": "new"}).json()["turn"]
    until(lambda: list(served.desk.running.over) == [other], "the older turn is kept beyond its time")
    assert api.get(f"/api/turns/{turn}/events").text == followed
