"""What a venue closes by itself (auto-deleveraging, a liquidation, a settlement) leaves the book; nothing is traded for it."""

from pathlib import Path

import pytest

from engine.book.bodies import REDUCED
from engine.book.order_laws import OrderLaws
from engine.core.state import PROTECTIVE, TARGET_SLOT
from engine.live.reduced import parted
from engine.store.journal import read
from engine.venues.live_port import VenueTrade
from engine.watch.health import NONE_THERE
from tests.fakes.live_desks import BTC_PERP, PRICE, LiveBench, long, on_bench

WELL = f"{REDUCED}{BTC_PERP}"


def closes(bench: LiveBench, lots: int, number: str = "-7", word: str = "adl", at: float = PRICE) -> None:
    """The venue closes lots of a long position; nobody has ordered it."""
    bench.venue.net -= lots
    trade = VenueTrade(number, f"x{number}", "", -1, lots, at, 0.2, False, bench.clock(), word)
    bench.venue.executions.append(trade)


def stops(bench: LiveBench) -> list[int]:
    """Lots of the stops that stand at the venue."""
    return [o.lots - o.filled for o in bench.venue.orders.values() if o.order.slot == PROTECTIVE and o.state == "working"]


@pytest.mark.parametrize("word", ["adl", "liquidation", "delivery"])
def test_a_part_leaves_the_book_and_the_stop_follows(path: Path, word: str) -> None:
    """300 lots, 120 are taken: within two looks the book and its stop have 180; one page, no order, no further exit."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        placed = len(bench.venue.asked_for("place"))
        closes(bench, 120, word=word, at=PRICE - 30)
        await bench.after(20)
        assert (bench.lots(), stops(bench)) == (180, [180])
        assert len(bench.venue.asked_for("place")) == placed
        assert len(bench.pages) == 1
        assert "closed 120 lots" in bench.pages[0]
        assert "180 are left" in bench.pages[0]
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(90)
        assert bench.lots() == 180, "nothing enters until a person has looked, and nothing leaves for it"
        assert not bench.desk.book.differences
        assert set(bench.desk.book.health) == {WELL}

    bench = on_bench(path, play)
    (reduced,) = bench.events("reduced")
    assert reduced.body["shares"] == [{"sleeve": "adds", "key": 1, "lots": 120}]
    fill = bench.events("fill")[-1].body
    assert (fill["lots"], fill["price"], fill["fee"], fill["reason"]) == (120, PRICE - 30, 0.2, "liquidation")


def test_all_of_it_leaves_the_book_flat(path: Path) -> None:
    """The stop is withdrawn; before, exits were ordered and refused ten times and at each close."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        placed = len(bench.venue.asked_for("place"))
        closes(bench, 300)
        await bench.after(30)
        assert (bench.lots(), stops(bench)) == (0, [])
        assert len(bench.venue.asked_for("place")) == placed

    on_bench(path, play)


def test_it_counts_once_also_after_a_restart(path: Path) -> None:
    """Killed between the event and the cursor, and listed twice."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        closes(bench, 100)
        while WELL not in bench.desk.book.health:
            await bench.after(0.01)
        bench.venue.executions.append(bench.venue.executions[-1])
        await bench.again()
        await bench.after(30)
        assert bench.lots() == 200

    bench = on_bench(path, play)
    assert len([e for e in bench.events("reduced") if e.body["booked"]]) == 1


def test_more_than_the_book_holds_is_nobodys(path: Path) -> None:
    """The account has lots of somebody else: whose were taken is not known, so a person decides."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        closes(bench, 301)
        await bench.after(30)
        assert bench.lots() == 300
        assert "-7" in bench.desk.book.differences

    on_bench(path, play)


def test_while_the_position_differs_a_person_decides(path: Path) -> None:
    """A stranger holds lots beside ours: those that were taken may be theirs."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("person", "x1", 1, 50)
        await bench.after(90)
        closes(bench, 60)
        await bench.after(30)
        assert bench.lots() == 300
        assert "-7" in bench.desk.book.differences

    on_bench(path, play)


@pytest.mark.parametrize("parts", [(120,), (50, 70)])
def test_what_is_listed_long_after_ends_the_difference_that_it_made(path: Path, parts: tuple[int, ...]) -> None:
    """Position first, executions four minutes later."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        before = len(bench.venue.executions)
        for n, lots in enumerate(parts):
            closes(bench, lots, f"-{n}")
        late = bench.venue.executions[before:]
        del bench.venue.executions[before:]
        await bench.after(240)
        assert bench.desk.book.differences
        bench.venue.executions += late
        await bench.after(150)
        assert (bench.lots(), stops(bench)) == (180, [180])
        assert not bench.desk.book.differences
        assert set(bench.desk.book.health) == {WELL}

    on_bench(path, play)


def test_it_waits_for_an_exit_of_ours_that_is_in_doubt(path: Path) -> None:
    """The exit has sold 180 lots, listed minutes later; the venue took the other 120 before. Each is booked as what it was."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        before = len(bench.venue.executions)
        bench.venue.script["ask"] = ["silent"] * 1_000
        bench.venue.fills = False
        bench.desk.take("leave", {"sleeve": "adds", "why": "a test"})
        await bench.after(2)
        (exit_,) = [id_ for id_ in bench.venue.orders if id_[-3] == "X"]
        bench.venue.execute(exit_, 180)
        late = bench.venue.executions[before:]
        del bench.venue.executions[before:]
        bench.venue.orders[exit_].state = "done"
        closes(bench, 120)
        bench.venue.script["ask"].clear()
        await bench.desk.ask(exit_)
        await bench.after(60)
        assert "-7" not in bench.desk.book.differences
        assert bench.lots() == 300
        bench.venue.executions += late
        await bench.after(30)
        assert bench.lots() == 0
        assert not bench.desk.book.differences

    on_bench(path, play)


def test_a_person_lets_the_desk_go_on(path: Path) -> None:
    """By the same decision that adopts a difference; then it enters again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        closes(bench, 300)
        await bench.after(30)
        led = bench.desk.take("adopt", {"difference": WELL, "by": "ann", "reason": "seen", **NOTHING})
        assert led["adopted"]
        await bench.entered()

    on_bench(path, play)


NOTHING = {"request": 0, "order": "", "lots": 0, "filled_lots": 0}


def test_parts_come_to_the_whole() -> None:
    """By largest remainder; none where more was taken than is held."""
    held = [{"sleeve": "a", "key": 1, "lots": 3}, {"sleeve": "a", "key": 2, "lots": 3}, {"sleeve": "b", "key": 1, "lots": 1}]
    assert [share["lots"] for share in parted(held, 5)] == [2, 2, 1]
    assert [share["lots"] for share in parted(held, 1)] == [1]
    assert parted(held, 8) == []
    assert parted(held, 0) == []
    assert all(sum(share["lots"] for share in parted(held, n)) == n for n in range(1, 8))


def test_laws_are_read_of_a_journal_with_an_adopted_position(path: Path) -> None:
    """The fill that follows an adoption has no trade of its own: `journal verify --orders` used to end in a KeyError."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("person", "x1", -1, 100)
        await bench.after(90)
        (what,) = [what for what in bench.desk.book.differences if what.startswith("t")]
        moves = {
            "sleeve": "adds",
            "key": 1,
            "side": 1,
            "lots_before": 300,
            "lots_after": 200,
            "price": PRICE,
            "fee": 0.1,
            "atr": 60.0,
        }
        body = {"difference": what, "by": "ann", "reason": "seen", **NOTHING, "order": "person", "lots": 100, **moves}
        assert bench.desk.take("adopt", body)["adopted"]
        await bench.after(5)
        assert bench.lots() == 200

    on_bench(path, play)
    assert not OrderLaws().read(read(path))


def test_a_target_that_fills_while_it_is_cancelled_is_named_and_the_position_is_compared(path: Path) -> None:
    """Its stop has fired, its layer is gone. Before, the page said that the venue lists less than has filled, each ten minutes,
    and book and venue were not compared while that lasted: the card that a person needs never came.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long(), rests=long())
        await bench.after(3)
        assert bench.lots() == 500
        orders = bench.venue.orders
        (target,) = [id_ for id_, o in orders.items() if o.order.slot == TARGET_SLOT and o.order.lots == 300]
        (stop,) = [id_ for id_, o in orders.items() if o.order.slot == PROTECTIVE and o.state == "working" and o.lots == 300]
        bench.venue.execute(stop, 300, PRICE - 120)
        bench.venue.execute(target, 200, PRICE)
        await bench.after(150)
        assert any(f"of our own {target} fit no layer any more" in page for page in bench.pages)
        assert not any("than the venue lists" in page for page in bench.pages)
        assert "executions" not in bench.desk.book.health
        assert bench.desk.book.differences[f"position of {BTC_PERP}"] == f"{NONE_THERE}{BTC_PERP}, the desk 200 lots (0.02 BTC)"

    on_bench(path, play)


def test_stops_that_were_rejected_are_asked_about_once_for_what_waits(path: Path) -> None:
    """Each second, all of them: forty questions are turned away by the venue, and then nothing is ever sure."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        (stop,) = [id_ for id_, o in bench.venue.orders.items() if o.order.slot == PROTECTIVE]
        bench.venue.orders[stop].state = "rejected"
        bench.venue.script["place"] = ["rejected"] * 8
        await bench.desk.ask(stop)
        await bench.after(14)
        rejected = {o.id for o in bench.desk.book.orders.ended if o.slot == PROTECTIVE and o.state == "rejected"}
        assert len(rejected) >= 5
        bench.venue.script["place"].clear()
        bench.venue.calls.clear()
        bench.venue.trade("", "x9", -1, 10)
        await bench.after(9)
        asked = bench.venue.asked_for("ask")
        assert all(asked.count(id_) <= 1 for id_ in rejected)

    on_bench(path, play)
