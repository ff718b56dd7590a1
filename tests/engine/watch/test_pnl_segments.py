"""Whose P&L a stretch is: cut at windows and around adoptions; what is adopted outside of a window is a person's."""

from pathlib import Path

from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.attribution import parts_between, pnl_of_window
from engine.watch.pnl_segments import segments
from engine.watch.window import first_mark, journal_of, mark_at
from tests.tools.desk_journal import BAR, START, mark

NAME = "trend-btc"


def journaled(home: Path, *events: Event) -> Path:
    """A desk journal of these events."""
    path = journal_of(home)
    path.parent.mkdir(parents=True)
    journal = Journal(path, "test")
    for event in events:
        journal.append([event])
    journal.close()
    return path


def fill(t_ms: int, side: str, price: float) -> Event:
    """One unit, without costs."""
    body = {"sleeve": NAME, "side": side, "quantity": 1.0, "price": price, "reference_price": price, "fee": 0.0}
    return Event("fill", t_ms, body)


ADOPTED = {"adopted": True, "sleeve": NAME, "lots_before": 0, "lots_after": 10, "by": "ann"}


def test_an_adoption_is_by_hand_at_its_moment_alone(tmp_path: Path) -> None:
    """Bought by a person at 105.2 while the price is 100.2: 5 lost by hand; what the price does afterwards is the strategy's."""
    t = START + BAR
    journaled(
        tmp_path,
        Event("mark", t, mark(1_000.0, 0.0, 100.2)),
        Event("adopt", t, ADOPTED),
        fill(t, "buy", 105.2),
        Event("mark", t, mark(995.0, 1.0, 100.2)),
        Event("mark", t + BAR, mark(995.0, 1.0, 103.2)),
    )
    found = pnl_of_window(tmp_path, 0, t + BAR)
    assert found is not None
    desk = found.attribution.desk
    assert (desk.manual, desk.price, desk.incident, desk.unexplained, desk.change) == (-500, 300, 0, 0, -200)


def test_inside_a_window_it_is_the_window_s(tmp_path: Path) -> None:
    """The same adoption while a window is open: 5 lost in the incident, and 1 more before it ends."""
    t = START + BAR
    opened = {
        "what": "open",
        "window": "w1",
        "cause": "odd",
        "by": "detector",
        "sleeves": [NAME],
        "instruments": [],
        "taken": True,
    }
    money = {"pnl": -4.0, "realised": 0.0, "fees": 0.0, "funding": 0.0, "orphans": 0.0}
    closed = {"what": "close", "window": "w1", "cause": "by hand", "by": "ann", "taken": True, "money": money}
    path = journaled(
        tmp_path,
        Event("mark", t, mark(1_000.0, 0.0, 100.2)),
        Event("window", t, opened),
        Event("mark", t, mark(1_000.0, 0.0, 100.2)),
        Event("adopt", t, ADOPTED),
        fill(t, "buy", 105.2),
        Event("mark", t, mark(995.0, 1.0, 100.2)),
        Event("mark", t + BAR, mark(995.0, 1.0, 101.2)),
        Event("window", t + BAR, closed),
        Event("mark", t + BAR, mark(995.0, 1.0, 101.2, incident=-4.0)),
        Event("mark", t + 2 * BAR, mark(995.0, 1.0, 103.2, incident=-4.0) | {"incident": -4.0}),
    )
    start, end = first_mark(path), mark_at(path)
    assert start is not None
    assert end is not None
    assert [dict(s.whose) for s in segments(path, start, end)][-1] == {}
    parts = parts_between(tmp_path, start, end)
    assert {name: round(value, 9) for name, value in parts.items() if round(value, 9)} == {"incident": -4.0, "price": 2.0}
