"""A live desk opens incident windows by itself, in the batch of what opened them; a start from its journal finds them open."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.views import incidents
from app.views.incidents import reconciliation
from engine.book.incident_money import incidents_of, parted
from engine.store.chain import Event
from engine.venues.live_port import StandingOrder
from engine.watch import halt_left
from engine.watch.desk_trips import desk_trips
from engine.watch.halt_left import halt_state
from engine.watch.incidents import orders_in, windows_of
from tests.fakes.live_desks import BTC_PERP, LiveBench, on_bench


def test_a_strangers_execution_opens_one_over_its_instrument(path: Path) -> None:
    """Opened behind the trade, joined by the position that differs with it; another process finds it open, and no second one."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("stranger", "v9", 1, 50)
        await bench.after(90)
        (window,) = incidents_of(bench.desk.book)["open"].values()
        assert window["instruments"] == [BTC_PERP]
        assert any(cause.startswith("position of") for cause in window["causes"])
        await bench.again()
        await bench.after(90)
        assert list(incidents_of(bench.desk.book)["open"]) == ["w1"]

    bench = on_bench(path, play)
    (window,) = windows_of(path)
    assert (window.opened_by, window.closed_ms) == ("detector", None)
    opened = next(e for e in bench.events("window") if e.body["what"] == "open")
    batch = [e for e in bench.events("fill", "reconcile", "window") if e.seq <= opened.seq]
    assert [e.kind for e in batch][-3:] == ["fill", "reconcile", "window"]


def test_what_can_be_done_about_a_difference_works_as_it_is_typed(path: Path) -> None:
    """A trade says how much, at what and when; a position is booked in the venue's units, unless it is on the other side;
    an order that rests is cancelled there, or let be.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("stranger", "v9", -1, 100)
        bench.venue.strange = [StandingOrder("", "v77", 1, 10, 0, 50_000.0, False, False)]
        await bench.after(90)

    on_bench(path, play)
    found = {one["what"]: one for one in reconciliation(path)["differences"]}
    does = {what: {one["choice"]: one["does"] for one in found[what]["choices"]} for what in found}
    trade, position, order = "t1", f"position of {BTC_PERP}", f"{BTC_PERP} order v77"
    assert set(found) == {trade, position, order}
    assert "of an order that this desk does not know: sold 0.01 at 60,000.00, " in found[trade]["text"]
    assert found[trade]["text"].endswith("Z, of order stranger")
    assert f"nightdesk adopt {trade} --sleeve S --units U --as NAME" in does[trade]["adopt"]
    assert f"nightdesk adopt {BTC_PERP} --keep" in does[trade]["close"]
    assert f"nightdesk adopt '{position}' --sleeve S --units U --price P --fee F --as NAME" in does[position]["adopt"]
    assert f"let it be: nightdesk adopt '{order}' --keep --as NAME" in does[order]["adopt"]
    assert "cancel it by hand at the venue's own page" in does[order]["close"]


@pytest.mark.parametrize(
    ("lots", "sleeves", "said"),
    [
        (0, 1, "holds, nothing: nightdesk adopt 'position of X' --sleeve adds --units 0 --price P"),
        (-120, 1, "holds, -0.12: nightdesk adopt 'position of X' --sleeve adds --units -0.12 --price P"),
        (120, 1, "keep the desk's position"),
        (0, 2, "holds, U: nightdesk adopt 'position of X' --sleeve S --units U --price P"),
    ],
)
def test_the_units_of_one_sleeve_are_filled_in(lots: int, sleeves: int, said: str) -> None:
    """What the venue holds is of the one sleeve that trades there; of the other side it is flattened first, not adopted."""
    spec = SimpleNamespace(source={"instrument": "X"}, rules=SimpleNamespace(lot_size=0.001))
    sleeve = SimpleNamespace(position=SimpleNamespace(open_layers=1))
    book: Any = SimpleNamespace(specs=[spec] * sleeves, sleeves=[sleeve] * sleeves, names=["adds", "rests"], basket=None)
    book.is_gone = lambda _: False
    card = {"venue_lots": lots, "desk_lots": -200}
    does = incidents.choices_of(book, "position of X", "X", card, None)
    assert said in next(one["does"] for one in does if one["choice"] == "adopt")


def test_a_position_that_the_venue_does_not_list_is_booked_by_its_settlement() -> None:
    """There is no page of it to close it at; of the one sleeve that trades it nothing is left."""
    spec = SimpleNamespace(source={"instrument": "okx:X"}, rules=SimpleNamespace(lot_size=0.001))
    one_layer = SimpleNamespace(position=SimpleNamespace(open_layers=1))
    book: Any = SimpleNamespace(
        specs=[spec], sleeves=[one_layer], names=["adds"], basket=None, is_gone=lambda name: name == "okx:X"
    )
    does = incidents.choices_of(book, "position of okx:X", "okx:X", {}, None)
    assert [one["choice"] for one in does] == ["adopt", "wait"]
    assert "nightdesk adopt 'position of okx:X' --sleeve adds --units 0 --price P --fee F --as NAME" in does[0]["does"]
    assert "its own sleeves enter nothing" in does[1]["does"]


def test_cash_is_of_no_sleeve_and_is_not_closed() -> None:
    """It is adopted once its bill is known; units and an order to cancel are no part of it."""
    book: Any = SimpleNamespace(specs=[], sleeves=[], names=[], basket=None)
    does = incidents.choices_of(book, "cash", "None", {"choices": ["adopt", "close", "wait"]}, None)
    assert [one["choice"] for one in does] == ["adopt", "wait"]
    assert "nightdesk adopt cash --keep --as NAME --reason WHY" in does[0]["does"]
    assert "--units" not in does[0]["does"]


def test_an_entry_that_fills_in_parts_is_one_layer(tmp_path: Path) -> None:
    """A venue fills one order in many; a layer is an entry, of which the settings allow so many."""
    (tmp_path / "journal").mkdir()

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 120)
        await bench.after(20)
        bench.venue.execute(entry, 180)
        await bench.after(20)
        assert bench.lots() == 300

    bench = on_bench(tmp_path / "journal" / "desk.jsonl", play)
    assert len([e for e in bench.events("fill") if e.body["slot"] == "entry"]) == 2
    assert desk_trips(tmp_path)["layers"].to_list() == [1]


def test_an_orphan_s_money_is_the_windows(path: Path) -> None:
    """Found, closed at a loss of its fees: no sleeve has it, the window does; a person closes it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        name = bench.desk.book.names[0]
        from engine.book.order_events import order_id

        bench.venue.trade(order_id(name, 77), "v7", 1, 100)
        await bench.after(60)
        assert bench.desk.book.orphans[BTC_PERP]["lots"] == 0
        shut = bench.desk.take("window", {"what": "close", "window": "w1", "cause": "a crash", "by": "ann"})
        assert shut["taken"]
        assert shut["money"]["orphans"] == pytest.approx(bench.desk.book.orphans[BTC_PERP]["cash"])
        assert parted(bench.desk.book).strategy == pytest.approx(0.0)

    on_bench(path, play)
    (window,) = windows_of(path)
    assert (window.closed_by, window.cause) == ("ann", "a crash")
    assert window.money is not None
    assert window.money["pnl"] < 0.0
    assert len(orders_in(path, window)) == 2  # the orphan, and the order that closed it


def test_a_flat_book_is_no_end_of_a_halt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the worker has found the venue flat and without orders nobody is told KILLED."""
    monkeypatch.setattr(halt_left, "mode_of", lambda _: "testnet")

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.after(2)
        bench.halt("drill")
        early = halt_state(path, 0)
        assert (early.state, early.tried) == ("KILL_INCOMPLETE", False)
        assert "no worker has found the venue without position and orders" in early.left[0]
        await bench.after(30)
        assert halt_state(path, 0)[:2] == ("KILLED", [])

    on_bench(path, play)


def test_a_halt_says_of_what_the_venue_does_not_list_that_it_cannot_be_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the minute that its tries take; of what is listed it says that it is being closed."""
    monkeypatch.setattr(halt_left, "mode_of", lambda _: "testnet")
    monkeypatch.setattr(halt_left, "instruments_of", lambda _: {"gone": "okx:X", "here": "okx:Y"})
    sleeves = {name: {"position": {"side": "long", "quantity": 0.02}} for name in ("gone", "here")}
    off = {"okx:X": "the venue does not list it", "okx:Y": "the venue lists it as suspend"}
    monkeypatch.setattr(halt_left, "mark_at", lambda _: Event("mark", 900_000, {"sleeves": sleeves, "off": off}))
    assert halt_state(path, 0).left == [
        "gone: long 0.02, cannot be closed: the venue does not list it; docs/runbooks/delisted.md",
        "here: long 0.02, is being closed at the venue",
    ]


def test_a_halt_that_leaves_something_opens_one(path: Path) -> None:
    """The venue takes no exit: KILL_INCOMPLETE, a window over the desk, and the command's answer."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 100
        bench.halt("drill")
        await bench.after(200)
        (window,) = incidents_of(bench.desk.book)["open"].values()
        assert "halt incomplete" in window["causes"]

    on_bench(path, play)
    state = halt_state(path, 0)
    assert (state.state, len(state.left)) == ("KILL_INCOMPLETE", 1)
