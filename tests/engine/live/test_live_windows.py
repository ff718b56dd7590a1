"""A live desk opens incident windows by itself, in the batch of what opened them; a start from its journal finds them open."""

from pathlib import Path

import pytest

from engine.book.incident_money import incidents_of, parted
from engine.watch import halt_left
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
