"""Messages as they come, with little room: what the loop has taken is given up, and the run is that of the whole tape."""

from collections import deque
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.l2.replay import rule_of
from engine.l2.tape import ASK, SNAPSHOT
from engine.making import live_tape
from engine.making.fold import NOTHING_YET
from engine.making.live_tape import LiveTape
from engine.making.loop import UNTIL
from engine.making.simulation import finished, loop_of
from engine.venues.book_pushes import BookPush, TradePush
from tests.engine.making.test_simulation import busy_market
from tests.fakes.paper_makers import simulated, terms_for

BUSY: dict[str, Any] = {"inventory": 0.02, "toxic_flow": 3.0, "pace_ms": 0}


def pushes_of(opened: Any) -> list[tuple[int, Any]]:
    """(receive time, push) of a tape's messages and trades in the order of its clock; a trade comes behind a message."""
    tape, trades, found = opened.tape, opened.trades, []
    for i in range(len(tape.kind)):
        part = slice(tape.start[i], tape.start[i + 1])
        levels = [
            (int(s == ASK), float(p), float(q))
            for s, p, q in zip(
                tape.side[part], tape.scale.price(tape.price[part]), tape.scale.quantity(tape.lots[part]), strict=True
            )
        ]
        ids = (int(tape.first_id[i]), int(tape.last_id[i]), int(tape.prev_id[i]))
        found.append((int(tape.recv_ns[i]), BookPush("x", bool(tape.kind[i] == SNAPSHOT), 0, *ids, levels)))
    for at, price, lots, taker in zip(*trades, strict=True):
        amounts = float(opened.tape.scale.price(price)), float(opened.tape.scale.quantity(lots))
        found.append((int(at), TradePush("x", 0, *amounts, bool(taker < 0))))
    return sorted(found, key=lambda one: one[0])


@pytest.mark.parametrize("room", [(64, 4_000, 64), (300, 20_000, 300)])
def test_with_little_room_it_is_the_whole_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: tuple[int, int, int]
) -> None:
    """Given up and moved many times: every fill, order and count of the simulation."""
    monkeypatch.setattr(live_tape, "BUFFER", 16)
    for name, value in zip(("MESSAGES_ROOM", "LEVELS_ROOM", "TRADES_ROOM"), room, strict=True):
        monkeypatch.setattr(live_tape, name, value)
    opened = busy_market(tmp_path)
    live, loop = (
        LiveTape(opened.tape.scale, rule_of(opened.tape), terms_for(opened, **BUSY), NOTHING_YET),
        loop_of(compiled=False),
    )
    for recv_ns, push in pushes_of(opened):
        live.work.at[UNTIL] = recv_ns - 1
        loop(*live.work)
        live.add(recv_ns, push)
    live.work.at[UNTIL] = recv_ns
    loop(*live.work)
    run, whole = finished(live.work), simulated(opened, **BUSY)
    last = int(opened.tape.recv_ns[-1])
    assert len(whole.fills) > 5
    assert run.fills.tolist() == whole.fills.tolist()
    assert run.orders[run.orders[:, 3] < last, :5].tolist() == whole.orders[whole.orders[:, 3] < last, :5].tolist()


def test_a_price_off_the_grid_ends_it(tmp_path: Path) -> None:
    """Nothing is rounded to a price that the venue did not send."""
    opened = busy_market(tmp_path, count=20)
    live = LiveTape(opened.tape.scale, rule_of(opened.tape), terms_for(opened, **BUSY), NOTHING_YET)
    with pytest.raises(DataError, match="more than 1 decimals"):
        live.add(1, BookPush("x", True, 0, 1, 1, -1, [(0, 3000.05, 1.0)]))


def test_a_flood_that_the_loop_does_not_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: one line instead."""
    monkeypatch.setattr(live_tape, "MESSAGES_ROOM", 8)
    monkeypatch.setattr(live_tape, "TRADES_ROOM", 8)
    opened = busy_market(tmp_path, count=40)
    for kind in (BookPush, TradePush):
        live = LiveTape(opened.tape.scale, rule_of(opened.tape), terms_for(opened, **BUSY), NOTHING_YET)
        live.add(1, BookPush("x", True, 0, 1, 1, -1, [(0, 3000.0, 1.0)]))
        flood = [one for one in pushes_of(opened) if isinstance(one[1], kind)]
        with pytest.raises(DataError, match="has room for"):
            deque(starmap(live.add, flood))
