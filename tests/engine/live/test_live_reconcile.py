"""Book and venue compared: differences stop entries and are shown, never traded away; what is left behind is cancelled."""

from pathlib import Path

import pytest

from engine.live.duties import AccountDuties
from engine.live.reconcile import OLD_MS, START
from engine.venues.live_port import StandingOrder, VenuePosition
from tests.fakes.benches import LOOK_S
from tests.fakes.live_desks import BTC_PERP, CASH, LiveBench, long, on_bench


def test_nothing_enters_before_venue_and_book_were_compared(path: Path) -> None:
    """Twice equal; a position that cannot be read is not flat."""

    async def play(bench: LiveBench) -> None:
        bench.venue.script["position"] = ["silent"] * 1_000
        await bench.duties.start()
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(60)
        assert not bench.venue.asked_for("place")
        bench.venue.script["position"].clear()
        await bench.after(120)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_what_cannot_be_compared_for_half_an_hour_stops_entries_until_it_can(path: Path) -> None:
    """A comparison of long ago says nothing of now; the position is read again, and entries go on."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["position"] = ["silent"] * 1_000
        await bench.after(OLD_MS / 1_000 - 120)
        assert not bench.desk.book.health
        await bench.after(300)
        assert START in bench.desk.book.health
        assert any("could not be compared" in page for page in bench.pages)
        bench.venue.script["position"].clear()
        await bench.after(200)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_a_difference_that_a_person_has_ended_is_no_comparison_that_failed(path: Path) -> None:
    """Venue and book were compared each minute meanwhile: nobody is woken once more as it ends."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.net = 25
        await bench.after(OLD_MS / 1_000 + 600)
        assert bench.desk.book.differences
        bench.venue.net = 0
        (what,) = bench.desk.book.differences
        body = {"request": 0, "difference": what, "by": "ann", "reason": "closed there", "order": "", "lots": 0}
        bench.desk.take("adopt", {**body, "filled_lots": 0})
        await bench.after(200)
        assert not bench.desk.book.health
        assert not [page for page in bench.pages if "could not be compared" in page]

    on_bench(path, play)


@pytest.mark.parametrize(
    ("isolated", "leverage", "said"),
    [(True, 20.0, "is isolated at 20x at the venue, and was isolated at 3x"), (False, 3.0, "is cross at 3x")],
)
def test_what_a_person_changes_at_the_venue_stops_entries_until_it_is_set_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, isolated: bool, leverage: float, said: str
) -> None:
    """Liquidation moves with it: one page, and stops and exits go on."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        as_it_was = bench.venue.position

        async def changed() -> VenuePosition:
            return (await as_it_was())._replace(isolated=isolated, leverage=leverage)

        monkeypatch.setattr(bench.venue, "position", changed)
        await bench.after(130)
        assert list(bench.desk.book.health) == [f"settings of {BTC_PERP}"]
        (page,) = bench.pages
        assert said in page
        monkeypatch.setattr(bench.venue, "position", as_it_was)
        await bench.after(130)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_a_position_that_differs_is_shown_and_ends_when_both_agree_again(path: Path) -> None:
    """The card says what both hold and what a person can do; no order is sent for it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.net = 25
        await bench.after(90)
        assert bench.desk.book.differences == {
            f"position of {BTC_PERP}": f"the venue holds 25 lots (0.0025 BTC) of {BTC_PERP}, the desk 0 lots"
        }
        bench.close(adds=long())
        await bench.after(60)
        bench.venue.net = 0
        await bench.after(130)
        assert not bench.desk.book.entries_blocked

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("place")
    card = bench.events("reconcile")[0].body["card"]
    assert card == {"instrument": BTC_PERP, "venue_lots": 25, "desk_lots": 0, "choices": ["adopt", "close", "wait"]}
    assert bench.pages


def test_a_position_closed_by_hand_is_seen_while_its_exits_are_refused(path: Path) -> None:
    """An exit that waits to be tried again has not left: it explains nothing."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.net = 0
        bench.venue.script["place"] = ["rejected"] * 40
        bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(20)
        for _ in range(2):
            await bench.duties.reconcile.once()
        assert f"position of {BTC_PERP}" in bench.desk.book.differences

    on_bench(path, play)


def test_nothing_enters_while_a_stop_waits_to_be_tried_again(path: Path) -> None:
    """It has not left, and all the same the layer that it is of has none."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = next(o for o in bench.venue.orders.values() if o.order.slot == 1)
        stop.state = "done"
        bench.venue.script["place"] = ["rejected"] * 40
        await bench.duties.reconcile.once()
        await bench.after(5)  # the fourth attempt waits four seconds
        bench.close(rests=long())
        await bench.after(2)
        assert [id_[14] for id_ in bench.venue.asked_for("place")].count("E") == 1

    on_bench(path, play)


def test_a_position_of_the_other_side_halts(path: Path) -> None:
    """Nothing that the desk did can have made it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.net = -300
        await bench.after(130)
        assert bench.latch.startswith("position flipped")
        assert bench.desk.book.desk.halted

    on_bench(path, play)


def test_a_position_that_moves_while_it_is_read_is_no_difference(path: Path) -> None:
    """A resting order fills between the question and the look behind it, in two readings in a row: neither counts."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        position = bench.venue.position

        async def moves() -> VenuePosition:
            found = await position()
            bench.venue.execute(entry, 50, 59_940.0)
            return found

        bench.venue.position = moves  # type: ignore[method-assign]
        for _ in range(2):
            await bench.duties.reconcile.once()
        bench.venue.position = position  # type: ignore[method-assign]
        assert not bench.desk.book.differences
        await bench.after(5)
        assert bench.lots() == 100

    assert not on_bench(path, play).pages


def test_one_reading_is_no_difference(path: Path) -> None:
    """A list that is late by a moment wakes nobody."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.net = 25
        await bench.duties.reconcile.once()
        bench.venue.net = 0
        await bench.after(60)

    bench = on_bench(path, play)
    assert not bench.pages
    assert not bench.events("reconcile")


def test_an_order_of_a_stranger_is_left_alone(path: Path) -> None:
    """It is a difference until it is gone."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.strange = [StandingOrder("", "v77", 1, 10, 0, 50_000.0, False, False)]
        await bench.after(90)
        assert list(bench.desk.book.differences) == [f"{BTC_PERP} order v77"]
        bench.venue.strange.clear()
        await bench.after(90)
        assert not bench.desk.book.differences

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("cancel")


def test_an_order_of_a_stranger_that_a_person_lets_be_is_no_difference_again(path: Path) -> None:
    """Entries go on, over a restart too; one that it executes is a difference of its own."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.strange = [StandingOrder("", "v99", 1, 5, 0, 40_000.0, False, False)]
        await bench.after(70)
        (what,) = bench.desk.book.differences
        told = {"request": 1, "difference": what, "by": "mara", "reason": "mine", "order": "v99", "lots": 0, "filled_lots": 0}
        assert bench.desk.take("adopt", told)["adopted"]
        await bench.after(200)
        assert not bench.desk.book.differences
        assert not bench.desk.book.entries_blocked
        bench.venue.net = 5
        bench.venue.trade("", "v99", 1, 5, 40_000.0)
        await bench.after(70)
        assert bench.desk.book.differences

    on_bench(path, play)


def test_an_order_that_the_venue_has_ended_is_placed_anew(path: Path) -> None:
    """A stop that the venue cancelled: found within a minute, replaced under the next attempt."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = next(o for o in bench.venue.orders.values() if o.order.slot == 1)
        stop.state = "done"
        await bench.after(75)
        stops = [o.state for o in bench.venue.orders.values() if o.order.slot == 1]
        assert stops == ["done", "working"]

    on_bench(path, play)


def test_an_order_that_the_book_has_ended_and_the_venue_holds_is_cancelled(path: Path) -> None:
    """It came after all: cancelled, which adds no risk, and a person is told."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        target = next(o for o in bench.venue.orders.values() if o.order.slot == 2)
        bench.desk.take("order", {"order": target.order.id, "state": "done", "filled_lots": 0, "why": "cancelled"})
        await bench.after(75)
        assert target.state == "done"

    bench = on_bench(path, play)
    assert any("stands at the venue and not in the book" in page for page in bench.pages)


def test_a_stop_that_the_book_believed_gone_stays_while_nothing_else_covers_its_layer(path: Path) -> None:
    """The venue listed nothing for a minute and then refused each new stop: the old one came back, and was cancelled."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = next(o for o in bench.venue.orders.values() if o.order.slot == 1)
        bench.venue.script["place"] = ["rejected"] * 60
        bench.desk.take("order", {"order": stop.order.id, "state": "done", "filled_lots": 0, "why": "canceled"})
        await bench.after(75)
        assert (bench.lots(), stop.state) == (300, "working")
        bench.venue.script["place"].clear()
        await bench.to_close()
        bench.close()
        await bench.after(75)
        assert (bench.lots(), bench.venue.net, stop.state) == (0, 0, "done")

    bench = on_bench(path, play)
    assert any("it stays, its layer has no other" in page for page in bench.pages)


def test_an_order_left_behind_that_has_filled_in_part_is_cancelled(path: Path) -> None:
    """What it has filled is booked; its rest would go on to fill, and nothing would want it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 100, 59_940.0)
        bench.desk.take("order", {"order": entry, "state": "done", "filled_lots": 0, "why": "cancelled"})
        await bench.after(75)
        assert bench.venue.orders[entry].state == "done"
        assert bench.lots() == bench.venue.net

    bench = on_bench(path, play)
    assert any("stands at the venue and not in the book" in page for page in bench.pages)


def test_a_settlement_whose_bill_is_listed_late_is_no_difference(path: Path) -> None:
    """Cash moves on the hour, its bill came twenty seconds later, and a desk that had just left its position was paged."""

    async def play(bench: LiveBench) -> None:
        async def cash() -> float:
            return bench.cash

        bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, cash=cash, latch_look_s=LOOK_S)
        await bench.start()
        await bench.after(120)
        await bench.after(3_600 - bench.clock() / 1000 % 3_600)
        bench.cash -= 0.21
        bench.duties.reconcile.soon()
        await bench.after(40)
        assert not bench.desk.book.differences
        bench.cash += 0.21
        await bench.after(120)
        assert not bench.desk.book.differences
        assert not bench.pages

    on_bench(path, play)


def test_cash_that_moves_beside_the_desk_is_a_difference(path: Path) -> None:
    """A withdrawal, say. It counts from where a person adopts it."""

    async def play(bench: LiveBench) -> None:
        async def cash() -> float:
            return bench.cash

        bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, cash=cash, latch_look_s=LOOK_S)
        await bench.start()
        bench.cash = CASH - 500.0
        await bench.after(90)
        assert bench.desk.book.differences == {"cash": "the venue's cash has moved by -500.00 beside the desk's"}
        body = {"request": 0, "difference": "cash", "by": "ann", "reason": "withdrawn", "order": "", "lots": 0, "filled_lots": 0}
        assert bench.desk.take("adopt", body)["adopted"]
        await bench.after(200)
        assert not bench.desk.book.differences

    on_bench(path, play)
