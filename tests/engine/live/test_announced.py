"""REST that is behind the account's stream: the stream's word about an order counts for a minute; nothing is booked from it."""

from pathlib import Path

import pytest

from engine.core.orders import VenueOrder
from engine.core.state import PROTECTIVE
from engine.live.announced import KEPT, LATE_MS, Announced
from tests.fakes.live_desks import LiveBench, long, on_bench


def own_stop(bench: LiveBench) -> VenueOrder:
    """The protective order of the one layer."""
    (found,) = [o for o in bench.desk.book.orders.open.values() if o.slot == PROTECTIVE and not o.attached]
    return found


@pytest.mark.parametrize("says", [True, False])
def test_a_stop_that_only_the_stream_shows_is_believed_for_a_minute(path: Path, says: bool) -> None:
    """No question finds it. Without the stream's word its layer leaves after fifteen seconds; with it, once a minute is over."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["ask"], bench.venue.script["standing"] = ["not_found"] * 2_000, ["silent"] * 2_000
        bench.close(adds=long())
        await bench.after(0.3)
        if says:
            bench.desk.announced.note(own_stop(bench).id, "", has_ended=False)
        await bench.after(40)
        assert (bench.lots(), bool(bench.pages)) == ((300, False) if says else (0, True))
        await bench.after(60)
        assert bench.lots() == 0

    on_bench(path, play)


def test_an_exit_waits_for_rest_to_know_of_a_stop_that_has_fired(path: Path) -> None:
    """It would be refused, or close what another sleeve holds. What the stop has filled is booked, and the exit never leaves."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = own_stop(bench)
        bench.desk.announced.note(stop.id, "", has_ended=True)
        bench.desk.take("leave", {"sleeve": "adds", "why": "a test"})
        placed = len(bench.venue.asked_for("place"))
        await bench.after(10)
        assert len(bench.venue.asked_for("place")) == placed
        bench.venue.execute(stop.id, 300)
        bench.poll.wake()
        await bench.after(30)
        assert (len(bench.venue.asked_for("place")), bench.lots(), bench.venue.net) == (placed, 0, 0)

    on_bench(path, play)


def test_an_exit_does_not_wait_for_ever(path: Path) -> None:
    """The stop was cancelled there, and REST never says so: after half a minute the layer leaves."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.desk.announced.note(own_stop(bench).id, "", has_ended=True)
        bench.desk.take("leave", {"sleeve": "adds", "why": "a test"})
        await bench.after(45)
        assert bench.lots() == 0

    on_bench(path, play)


def test_an_older_version_that_ends_says_nothing_of_the_newer_one() -> None:
    """At Binance a stop is replaced; and what is remembered of orders is bounded."""
    now = 1_000_000
    said = Announced(lambda: now)
    said.note("ndS1", "ndS1-1", has_ended=False)
    said.note("ndS1", "ndS1", has_ended=True)
    assert (said.stands("ndS1"), said.is_over("ndS1")) == (True, False)
    said.note("ndS1", "ndS1-1", has_ended=True)
    assert (said.stands("ndS1"), said.is_over("ndS1"), said.is_named("ndS1")) == (False, True, True)
    now += LATE_MS + 1
    assert not said.is_named("ndS1")
    for n in range(2 * KEPT):
        said.note(f"ndE{n}", "", has_ended=False)
    assert (said.stands("ndE0"), said.stands(f"ndE{2 * KEPT - 1}")) == (False, True)
