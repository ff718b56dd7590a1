"""The life of an order in a long journal: the same as from all of it, and read from a few days alone."""

from pathlib import Path
from typing import Any

import pytest

from engine.clock import DAY_MS
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.watch import order_lives
from engine.watch.order_lives import life_of, lives_of

DAYS = 400
INTENT = {
    "sleeve": "a",
    "instrument": "i",
    "leg": 0,
    "key": 1,
    "slot": "entry",
    "side": 1,
    "type": "market",
    "price": None,
    "lots": 2,
}


def order(cid: str, state: str, filled: int) -> dict[str, Any]:
    """What the venue says of an order."""
    return {"order": cid, "state": state, "filled_lots": filled}


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """An order a day, done within it; the one of day 50 is filled in parts for 30 days, and that of day 60 is open at the end."""
    journal = Journal(tmp_path / "desk.jsonl", "worker")
    for day in range(DAYS):
        t, cid = day * DAY_MS, f"o{day}"
        said = [order(cid, "working", 0), *([] if day in (50, 60) else [order(cid, "done", 2)])]
        said += [order("o50", "partial", 1)] if day == 65 else [order("o50", "done", 2)] if day == 80 else []
        events = [Event("bar", t, {}), Event("intent", t, INTENT | {"order": cid}), *(Event("order", t, body) for body in said)]
        journal.append([*events, Event("mark", t, {"sleeves": {}})], sync=False)
    journal.close()
    return tmp_path / "desk.jsonl"


@pytest.mark.parametrize("day", [0, 7, 50, 60, DAYS - 1])
@pytest.mark.parametrize("near", [False, True])
def test_a_life_is_that_of_the_whole_journal(long: Path, day: int, near: bool) -> None:
    """Also of an order that lived for a month or still lives; found from its end or from something said of it."""
    whole = lives_of(read(long))[f"o{day}"]
    assert life_of(long, f"o{day}", day * DAY_MS if near else None) == whole
    assert whole.open == (day == 60)


def test_an_ended_order_is_read_for_days_and_not_to_the_end(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked for from the end of the journal, and nothing is read behind the days after it ended."""
    read_to: list[int] = []
    real = order_lives.raw_lines

    def noted(path: Path, after: int, up_to: int, *more: Any) -> Any:
        read_to.append(up_to)
        return real(path, after, up_to, *more)

    monkeypatch.setattr(order_lives, "raw_lines", noted)
    monkeypatch.setattr(order_lives, "last", lambda *_: pytest.fail("looked for from the end"))
    assert life_of(long, "o7", 7 * DAY_MS) is not None
    assert max(read_to) <= 9 * DAY_MS
    read_to.clear()
    assert life_of(long, "o50", 65 * DAY_MS - 10 * DAY_MS) is not None
    assert 80 * DAY_MS < max(read_to) < DAYS * DAY_MS


def test_a_stop_that_never_left_ends_with_its_entry() -> None:
    """The journal says no more of the stop that would have left with an entry: then it is no open order."""
    about = {"sleeve": "btc", "instrument": "x", "leg": 0, "key": 1, "side": "buy", "type": "market", "price": None, "lots": 5}
    entry, stop = "ndbtc100000001E00", "ndbtc100000001A00"
    intents = [
        Event("intent", 1, about | {"order": entry, "slot": "entry"}),
        Event("intent", 1, about | {"order": stop, "slot": "s"}),
    ]

    def after(filled: int, booked: int) -> tuple[str, bool]:
        ended = Event("order", 2, {"order": entry, "filled_lots": filled, "state": "done", "why": "canceled"})
        fills = [Event("fill", 2, {"order": entry, "lots": booked, "price": 1.0})] if booked else []
        life = lives_of([*intents, ended, *fills])[stop]
        return life.states[-1]["why"], life.open

    assert lives_of(intents)[stop].open, "its entry may fill yet"
    assert after(3, 2) == ("", True), "an execution is still to come"
    for filled in (0, 3):
        assert after(filled, filled) == (f"never left: its entry {entry} ended without it", False)
    left = [Event("sent", 2, {"orders": [stop]}), Event("order", 3, order(entry, "done", 0))]
    sent = lives_of([*intents, *left])[stop]
    assert (sent.state, sent.open) == ("sent", True)
