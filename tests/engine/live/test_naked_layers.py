"""Layers that nothing at the venue covers: a page after five seconds, out after fifteen. An exit covers for a moment only."""

from pathlib import Path

import pytest

from engine.core.state import PROTECTIVE
from engine.live.health import StreamHandle
from tests.fakes.live_desks import LiveBench, long, on_bench


async def leaving(bench: LiveBench) -> None:
    """A layer of 300 lots leaves by an exit that the venue acknowledges and does not fill."""
    await bench.start()
    await bench.entered()
    bench.venue.fills = False
    await bench.to_close()
    bench.close(adds=long(strength=0.05))


def exit_of(bench: LiveBench) -> str:
    """The id of the one exit that was sent."""
    (id_,) = (id_ for id_ in bench.venue.asked_for("place") if id_[-3] == "X")
    return id_


def test_a_layer_without_a_stop_is_left(path: Path) -> None:
    """Five seconds: a page. Fifteen: it leaves at the market, reduce-only."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = ["ok", "lost"]
        bench.close(adds=long())
        await bench.after(4)
        assert not bench.pages
        await bench.after(5)
        assert len(bench.pages) == 1
        assert bench.lots() == 300
        await bench.after(12)
        assert bench.lots() == 0

    bench = on_bench(path, play)
    assert "no protective order" in bench.pages[0]
    (leave,) = bench.events("leave")
    assert leave.body["sleeve"] == "adds"
    assert bench.events("fill")[-1].body["slot"] == "exit"


def test_a_second_layer_that_is_left_for_want_of_a_stop_withholds_entries(path: Path) -> None:
    """A venue that takes entries and no stops: without it each bar entered, and was left again after 15 s."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for blocked in (False, True):
            await bench.to_close()
            bench.venue.script["place"] = ["ok", "lost"]
            bench.close(adds=long())
            await bench.after(25)
            assert bench.lots() == 0
            assert ("refusals of adds" in bench.desk.book.health) == blocked

    bench = on_bench(path, play)
    assert any("for the second time within an hour" in page and "adopt 'refusals of adds' --keep" in page for page in bench.pages)


def test_a_process_that_begins_sees_what_has_no_stop(path: Path) -> None:
    """The one before has ended as soon as it began: nothing is journaled by this one. It pages and leaves."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = ["ok", "lost"]
        bench.close(adds=long())
        while not any("S" in id_ for id_ in bench.venue.asked_for("place")):
            await bench.after(0.005)
        for _ in range(2):
            await bench.again()
        bench.venue.script["ask"] = ["silent"] * 20
        await bench.after(8)
        assert (len(bench.pages), len(bench.events("leave"))) == (1, 0)
        await bench.after(12)
        assert len(bench.events("leave")) == 1

    bench = on_bench(path, play)
    assert "no protective order" in bench.pages[0]


def test_an_exit_that_does_not_fill_covers_its_layer_for_a_moment(path: Path) -> None:
    """The venue has acknowledged it and the stop is gone for it: five seconds, five more, and a person is woken."""

    async def play(bench: LiveBench) -> None:
        await leaving(bench)
        await bench.after(8)
        assert not bench.pages
        await bench.after(6)
        assert len(bench.pages) == 1
        bench.venue.execute(exit_of(bench), 300)
        await bench.after(20)
        assert (bench.lots(), len(bench.pages), bench.events("leave")) == (0, 1, [])

    bench = on_bench(path, play)
    assert "have no protective order at the venue; their exit has not filled" in bench.pages[0]


def test_an_exit_that_the_stream_says_is_over_goes_on_covering(path: Path) -> None:
    """REST is behind: its execution is read later, and nobody is woken for it."""

    async def play(bench: LiveBench) -> None:
        await leaving(bench)
        await bench.after(2)
        bench.desk.announced.note(exit_of(bench), "", has_ended=True)
        await bench.after(30)
        assert not bench.pages

    on_bench(path, play)


@pytest.mark.parametrize("answers", [["ok", *["not_taken"] * 30], ["ok", "lost"]])
def test_an_entry_that_is_in_by_the_venues_word_alone_needs_its_stop(path: Path, answers: list[str]) -> None:
    """At the market it fills at once, whether or not anything can be read; the stop beside it was not taken: a page, then out."""

    async def play(bench: LiveBench) -> None:
        bench.venue.attaches = "beside"
        await bench.start()
        await bench.to_close()
        bench.venue.script |= {"place": answers, "ask": ["silent"] * 60, "trades": ["silent"] * 60}
        bench.close(adds=long())
        await bench.after(4)
        assert not bench.pages
        await bench.after(4)
        assert len(bench.pages) == 1
        bench.venue.script["place"].clear()
        await bench.after(60)
        assert bench.venue.net == 0 or any(
            o.order.slot == PROTECTIVE and o.state == "working" for o in bench.venue.orders.values()
        )

    bench = on_bench(path, play)
    assert "unread lots" in bench.pages[0]
    assert "no protective order" in bench.pages[0]


def test_a_resting_entry_is_asked_where_no_stream_would_say_what_it_fills(path: Path) -> None:
    """Its execution is not listed: the venue's word on the order begins the five seconds, long before the minute's comparison."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 300)
        hidden = bench.venue.hide()
        await bench.after(10)
        assert bench.desk.book.orders.open[entry].reported == 300
        await bench.after(9)
        assert len(bench.pages) == 1
        bench.venue.executions += hidden
        await bench.after(20)
        assert bench.lots() == 300 or bench.venue.net == 0

    bench = on_bench(path, play)
    assert "have no protective order at the venue" in bench.pages[0]


def test_a_resting_entry_is_not_asked_while_a_stream_lives(path: Path) -> None:
    """Streams say it within a moment; each question is weight of the venue's."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.duties.health.streams = (StreamHandle("orders", bench.clock, nothing),)
        await bench.rested()
        asked = len(bench.venue.asked_for("ask"))
        await bench.after(30)
        assert len(bench.venue.asked_for("ask")) == asked

    async def nothing() -> None:
        """A stream that is never rebuilt."""

    on_bench(path, play)
