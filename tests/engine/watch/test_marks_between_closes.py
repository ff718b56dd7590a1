"""Between two closes a sleeve of an account is worth what it holds now, at the last close: an execution leaves no gap."""

from pathlib import Path
from typing import Any

import pytest

from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.attribution import parts_between, pnl_of_window
from engine.watch.identity import identity
from engine.watch.window import first_mark, journal_of, mark_at

T, BAR = 1_741_046_400_000, 900_000  # a midnight: the fills behind its close are of the next day's position
PLACE = "okx:BTC-USDT:perp"
WINDOW = {"window": "w1", "cause": "executions", "by": "detector", "sleeves": ["btc"], "instruments": [PLACE], "taken": True}


def marked(cash: float, equity: float, lots: int = 0, notional: float = 0.0, **more: Any) -> Event:
    """A mark as the core journals it at an account: cash and lots of now, equity and notional of the last close."""
    sleeve: dict[str, Any] = {"cash": cash, "equity": equity} | more
    if lots:
        layers = [{"key": 1, "lots": lots, "entry": 100.0}]
        sleeve["position"] = {"side": "long", "lots": lots, "quantity": lots * 0.1, "notional": notional, "layers": layers}
    return Event("mark", 0, {"equity": equity, "sleeves": {"btc": sleeve}})


def bar(price: float | None) -> Event:
    """A close; None: the instrument had no bar."""
    return Event("bar", 0, {"bars": {PLACE: [price, price, price, price, 1.0, 0.0, 0.0]}})


def fill(side: str, lots: int, price: float) -> Event:
    """One execution that cost 1."""
    about = {"sleeve": "btc", "side": side, "quantity": lots * 0.1, "price": price, "reference_price": price}
    return Event("fill", 0, about | {"fee": 1.0, "lots": lots})


def journaled(home: Path, *groups: tuple[int, list[Event]]) -> Path:
    """A desk journal of groups, each at a time; the events of a group follow from its first."""
    path = journal_of(home)
    path.parent.mkdir(parents=True)
    journal = Journal(path, "test")
    begun = Event(
        "config", T - BAR, {"start": {"mode": "live"}, "sleeves": [{"name": "btc", "instrument": PLACE, "cash": 1_000.0}]}
    )
    for t_ms, events in [(T - BAR, [begun]), *groups]:
        cause = journal.id_ahead(0)
        journal.append([e._replace(t_event_ms=t_ms, cause_id=cause if n else "") for n, e in enumerate(events)])
    journal.close()
    return path


BOUGHT: list[tuple[int, list[Event]]] = [
    (T - BAR, [bar(101.0), marked(1_000.0, 1_000.0)]),
    (T, [bar(102.0), marked(1_000.0, 1_000.0)]),
    (T, [fill("buy", 10, 100.0), marked(999.0, 1_000.0, 10)]),
]


def test_after_an_execution_the_sleeve_is_worth_what_it_holds(tmp_path: Path) -> None:
    """One bought at 100 and a fee of 1, at the close of 102; the equity of the desk has it too."""
    mark = mark_at(journaled(tmp_path, *BOUGHT))
    assert mark is not None
    sleeve = mark.body["sleeves"]["btc"]
    assert (sleeve["equity"], sleeve["position"]["notional"], mark.body["equity"]) == (1_001.0, 102.0, 1_001.0)


def test_the_money_adds_up_between_closes(tmp_path: Path) -> None:
    """Bought and partly sold since the close: what it cost and what it is worth are both in the sum."""
    sold = (T, [fill("sell", 4, 103.0), marked(999.2, 1_000.0, 6)])
    for name, groups, equity in (("bought", BOUGHT, 1_001.0), ("sold", [*BOUGHT, sold], 1_000.4)):
        journaled(tmp_path / name, *groups)
        found = identity(tmp_path / name)
        assert found is not None
        assert (found.gap, found.apart, found.equity, found.fees) == (0.0, 0.0, equity, -1.0 * (len(groups) - 2))


@pytest.mark.parametrize(("more", "gross"), [({}, 0.0), ({"order": {"side": "long", "lots": 1}}, 102.0)])
def test_a_desk_that_is_flat_has_no_exposure_while_bars_are_missing(tmp_path: Path, more: dict[str, Any], gross: float) -> None:
    """What was sold since the last close counts on in the mark of a close without a bar; an order that works still counts."""
    sold = (T, [fill("sell", 10, 103.0), marked(1_001.0, 1_001.0)])
    left = marked(1_001.0, 1_001.0, **more)
    left.body.update(gross=102.0, correlated=102.0)
    mark = mark_at(journaled(tmp_path, *BOUGHT, sold, (T + BAR, [bar(None), left])))
    assert mark is not None
    assert (mark.body["gross"], mark.body["correlated"]) == (gross, gross)


def test_a_day_that_ends_in_the_middle_of_an_order_has_nothing_unexplained(tmp_path: Path) -> None:
    """What was bought at midnight's close is of neither day's remainder."""
    sold = [fill("sell", 10, 104.0), marked(1_002.0, 1_002.0)]
    journaled(tmp_path, *BOUGHT, (T + BAR, [bar(103.0), marked(999.0, 1_002.0, 10, 103.0)]), (T + BAR, sold))
    for after, until, change in ((T - BAR, T, 100), (T, T + BAR, 100), (T - BAR, T + BAR, 200)):
        found = pnl_of_window(tmp_path, after, until)
        assert found is not None
        assert (found.attribution.desk.unexplained, found.attribution.desk.change) == (0, change)


def test_a_window_that_opens_behind_an_execution_has_its_own_money_alone(tmp_path: Path) -> None:
    """What it cost to buy was before the window: the strategy's. What the price did in it is the window's, to the cent."""
    opened = [Event("window", 0, {"what": "open", **WINDOW}), marked(999.0, 1_000.0, 10, incident=-1.0)]
    later = [bar(105.0), marked(999.0, 1_004.0, 10, 105.0, incident=3.0)]
    later[-1].body.update(incident=3.0, windows=["w1"])
    opened[-1].body.update(incident=-1.0, windows=["w1"])
    path = journaled(tmp_path, *BOUGHT, (T, opened), (T + BAR, later))
    found, first, last = identity(tmp_path), first_mark(path), mark_at(path)
    assert found is not None
    assert first is not None
    assert last is not None
    assert (found.gap, found.apart, found.incident, found.strategy) == (0.0, 0.0, 3.0, 2.0)
    parts = parts_between(tmp_path, first, last)
    assert (parts["price"], parts["fees"], parts["incident"]) == (pytest.approx(2.0), -1.0, pytest.approx(3.0))


def test_what_is_bought_in_a_window_is_the_windows_before_the_next_close(tmp_path: Path) -> None:
    """Its fee is the incident's at once, not at the close."""
    opened = [Event("window", 0, {"what": "open", **WINDOW}), marked(1_000.0, 1_000.0, incident=0.0)]
    bought = [fill("buy", 10, 102.0), marked(999.0, 1_000.0, 10, incident=0.0)]
    bought[-1].body["sleeves"]["btc"]["position"]["layers"][0]["entry"] = 102.0
    for group in (opened, bought):
        group[-1].body.update(incident=0.0, windows=["w1"])
    journaled(tmp_path, *BOUGHT[:2], (T, opened), (T, bought))
    found = identity(tmp_path)
    assert found is not None
    assert (found.gap, found.apart, found.incident, found.strategy, found.fees) == (0.0, 0.0, -1.0, 0.0, 0.0)


def test_a_window_over_a_close_without_bars_has_its_own_money_alone(tmp_path: Path) -> None:
    """The venue is away: what was bought before it went is not what the incident made."""
    opened = [Event("window", 0, {"what": "open", **WINDOW}), marked(999.0, 1_000.0, 10, incident=-1.0)]
    null = [bar(None), marked(999.0, 1_000.0, 10, incident=-1.0)]
    for group in (opened, null):
        group[-1].body.update(incident=-1.0, windows=["w1"])
    journaled(tmp_path, *BOUGHT, (T, opened), (T + BAR, null))
    found = identity(tmp_path)
    assert found is not None
    assert (found.gap, found.apart, found.incident, found.strategy, found.fees) == (0.0, 0.0, 0.0, 2.0, -1.0)


def test_an_instrument_without_a_bar_keeps_its_last_price(tmp_path: Path) -> None:
    """A null close is a close that values nothing anew: what was bought before it is read at the price before that."""
    null = (T + BAR, [bar(None), marked(999.0, 1_000.0, 10)])
    path = journaled(tmp_path / "null", *BOUGHT, null)
    at_null, found = mark_at(path), identity(tmp_path / "null")
    assert at_null is not None
    assert found is not None
    assert (at_null.body["sleeves"]["btc"]["equity"], found.gap, found.equity) == (1_001.0, 0.0, 1_001.0)
    mark = mark_at(journaled(tmp_path, *BOUGHT, null, (T + BAR, [fill("buy", 10, 100.0), marked(998.0, 1_001.0, 20, 102.0)])))
    assert mark is not None
    sleeve = mark.body["sleeves"]["btc"]
    assert (sleeve["equity"], sleeve["position"]["notional"]) == (1_002.0, 204.0)


def test_what_is_not_a_number_stays_so(tmp_path: Path) -> None:
    """An equity that could not be computed is not made up from the layers."""
    unknown = marked(999.0, 1_000.0, 10)
    unknown.body["equity"] = unknown.body["sleeves"]["btc"]["equity"] = None
    mark = mark_at(journaled(tmp_path, *BOUGHT, (T, [fill("buy", 1, 100.0), unknown])))
    assert mark is not None
    assert (mark.body["equity"], mark.body["sleeves"]["btc"]["equity"]) == (None, None)
