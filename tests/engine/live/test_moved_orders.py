"""Somebody moves or ends the desk's orders at the venue, or changes leverage and margin there: seen, and answered for."""

from pathlib import Path

import pytest

from engine.book.bodies import SETTINGS
from engine.core.orders import DONE
from engine.core.state import PROTECTIVE
from engine.live.reconcile import STOPS_EVERY_S
from engine.venues.live_port import StandingOrder, VenuePosition
from tests.fakes.live_desks import BTC_PERP, PRICE, LiveBench, PortOrder, long, on_bench

WHAT = f"{SETTINGS}{BTC_PERP}"
LET_BE = {"request": 1, "by": "ann", "reason": "meant", "order": "", "lots": 0, "filled_lots": 0, "difference": WHAT}


def stop_of(bench: LiveBench) -> PortOrder:
    """The stop that stands at the venue."""
    (found,) = [o for o in bench.venue.orders.values() if o.order.slot == PROTECTIVE and o.state == "working"]
    return found


@pytest.mark.parametrize("how", ["away", "cut"])
def test_a_stop_is_put_back_where_it_belongs(path: Path, how: str) -> None:
    """A trigger far below, or a size of five lots: before, nobody saw it until the next close moved the stop, or longer."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = stop_of(bench)
        price, lots = stop.price, stop.lots
        await bench.after(30)
        await bench.after(30)  # what was placed in the last minute may be listed as it was before
        if how == "away":
            stop.price = price - 20_000
        else:
            stop.lots = 5
        await bench.after(2 * STOPS_EVERY_S + 2)
        assert (stop_of(bench).price, stop_of(bench).lots) == (price, lots)
        (page,) = bench.pages
        assert "was moved at the venue, by nobody here" in page
        assert bench.lots() == 300
        assert not bench.desk.book.entries_blocked

    on_bench(path, play)


def test_a_stop_that_ended_without_a_word_is_missed_within_fifteen_seconds(path: Path) -> None:
    """A stream may leave conditional orders out, and the comparison of each minute left lots bare for 41.9 s."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.after(70)  # a comparison has just been
        stop_of(bench).state = DONE
        await bench.after(STOPS_EVERY_S + 2)
        assert stop_of(bench).lots == 300, "another one stands"
        assert not bench.desk.book.entries_blocked

    on_bench(path, play)


def test_a_position_that_a_person_closed_there_is_one_page_and_not_one_a_layer_each_ten_minutes(path: Path) -> None:
    """Its stop went with it, and none is missing where nothing is held: 42 pages in one night."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.after(70)
        bench.venue.fills = False
        bench.venue.net = 0
        bench.venue.script["place"] = ["rejected"] * 100
        stop_of(bench).state = DONE
        await bench.after(180)
        pages = len(bench.pages)
        await bench.after(3_600)
        assert not [page for page in bench.pages[pages:] if "no protective order" in page]
        assert [page for page in bench.pages if "the venue holds 0 lots" in page]

    on_bench(path, play)


def test_nothing_is_read_for_stops_while_nothing_is_held(path: Path) -> None:
    """Lists cost weight at a venue, fifty instruments at once."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.after(10)
        lists = len(bench.venue.asked_for("standing"))
        await bench.after(40)
        assert len(bench.venue.asked_for("standing")) == lists

    on_bench(path, play)


def test_a_stop_that_stands_twice_is_asked_about(path: Path) -> None:
    """A version that arrived late beside the next one: the adapter ends it when it is asked, and nothing else would ask."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.after(70)
        stop, asked = stop_of(bench), len(bench.venue.asked_for("ask"))
        await bench.after(70)
        assert len(bench.venue.asked_for("ask")) == asked
        held = StandingOrder(stop.order.id, "v9", stop.order.side, stop.lots, 0, stop.price, True, True)
        bench.venue.strange.append(held)
        await bench.after(70)
        assert bench.venue.asked_for("ask")[asked:] == [stop.order.id]
        assert not bench.pages

    on_bench(path, play)


def test_a_list_that_is_older_than_an_amendment_moves_nothing(path: Path) -> None:
    """One reading is none: the stop has moved on by the next."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.after(30)
        stop, asked = stop_of(bench), len(bench.venue.asked_for("amend"))
        price, stop.price = stop.price, stop.price - 50
        await bench.duties.reconcile.once()
        stop.price = price
        await bench.after(200)
        assert len(bench.venue.asked_for("amend")) == asked
        assert not bench.pages

    on_bench(path, play)


def test_an_entry_that_was_made_larger_is_withdrawn(path: Path) -> None:
    """It would buy what nobody has sized."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        await bench.after(30)
        bench.venue.orders[entry].lots = 3_000
        await bench.after(75)
        assert bench.venue.orders[entry].state == "done"
        assert bench.venue.asked_for("cancel") == [entry]

    on_bench(path, play)


def test_changed_leverage_withholds_entries_until_it_is_as_before(path: Path) -> None:
    """Fifty times instead of three, while a position is open; its stop stays. One page, and it ends by itself."""

    async def play(bench: LiveBench) -> None:
        leverage = 3.0

        async def position() -> VenuePosition:
            return VenuePosition(bench.venue.net, PRICE, True, leverage, 58_900.0)

        bench.venue.position = position  # type: ignore[method-assign]
        await bench.start()
        await bench.entered()
        await bench.after(90)
        leverage = 50.0
        await bench.after(130)
        assert bench.desk.book.health[WHAT].startswith(f"{BTC_PERP} is isolated at 50x at the venue, and was isolated at 3x")
        assert len(bench.pages) == 1
        assert "58900" in bench.pages[0]
        assert bench.pages[0].startswith("no entries until it is set back there, or a person lets the desk go on: ")
        assert bench.pages[0].endswith(f"its stops stay; nightdesk adopt '{WHAT}' --keep --as NAME --reason WHY")
        placed = len(bench.venue.asked_for("place"))
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(30)
        assert len(bench.venue.asked_for("place")) == placed
        assert stop_of(bench).lots == 300
        leverage = 3.0
        await bench.after(130)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_a_person_may_let_other_leverage_be(path: Path) -> None:
    """It counts from then on: the same is no news, and cross margin is."""

    async def play(bench: LiveBench) -> None:
        now = (True, 3.0)

        async def position() -> VenuePosition:
            return VenuePosition(bench.venue.net, PRICE, now[0], now[1], None)

        bench.venue.position = position  # type: ignore[method-assign]
        await bench.start()
        await bench.entered()
        await bench.after(90)
        now = (True, 5.0)
        await bench.after(130)
        assert bench.desk.take("adopt", LET_BE)["adopted"]
        await bench.after(200)
        assert not bench.desk.book.health
        assert len(bench.pages) == 1
        now = (False, 5.0)
        await bench.after(130)
        assert "cross at 5x" in bench.desk.book.health[WHAT]
        assert bench.desk.take("adopt", LET_BE)["adopted"]
        await bench.after(70)
        await bench.again()
        await bench.after(130)
        assert not bench.desk.book.health, "a restart does not ask again"
        now = (True, 5.0)
        await bench.again()
        await bench.after(70)
        now = (False, 5.0)
        await bench.again()
        await bench.after(130)
        assert "cross at 5x" in bench.desk.book.health[WHAT], "what was let be before something else was"

    on_bench(path, play)


def test_leverage_that_is_not_said_while_flat_is_not_set_back(path: Path) -> None:
    """Some venues say none without a position: entries stay withheld as it ends, and one page is enough."""

    async def play(bench: LiveBench) -> None:
        leverage = 3.0

        async def position() -> VenuePosition:
            net = bench.venue.net
            return VenuePosition(net, PRICE if net else None, True, leverage if net else None, None)

        bench.venue.position = position  # type: ignore[method-assign]
        await bench.start()
        await bench.entered()
        await bench.after(90)
        leverage = 50.0
        await bench.after(130)
        bench.venue.execute(stop_of(bench).order.id, 300)
        await bench.after(200)
        assert bench.lots() == 0
        assert "at 50x" in bench.desk.book.health[WHAT]
        placed = len(bench.venue.asked_for("place"))
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(30)
        assert len(bench.venue.asked_for("place")) == placed
        assert len(bench.pages) == 1

    on_bench(path, play)
