"""A filled entry is never without a stop: one leaves with it (or beside it), stays until the layer's own works, and what it
executes is its layer's. What nothing covers is paged for and flattened.
"""

from pathlib import Path
from typing import Any

import pytest

from engine.book.attached import attached_id
from engine.core.orders import DONE, UNKNOWN, WORKING, VenueOrder
from engine.core.state import PROTECTIVE
from engine.venues.live_port import LiveAnswer, VenueTrade
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench

LEVEL = 59_880.0  # two ATR below the close at which the entry was decided


async def begun(bench: LiveBench, way: str) -> None:
    """At the next close, on a venue whose entries bring their stop along."""
    bench.venue.attaches = way
    await bench.start()
    await bench.to_close()


async def filled_unlisted(bench: LiveBench, way: str) -> tuple[str, list[VenueTrade]]:
    """An entry of 300 lots that the venue says is filled, and of which it lists no execution; (its id, what is hidden)."""
    await begun(bench, way)
    bench.venue.fills = False
    bench.close(adds=long())
    await bench.after(2)
    entry = next(id_ for id_ in bench.venue.orders if id_[-3] == "E")
    bench.venue.execute(entry, 300)
    hidden = bench.venue.hide()
    await bench.after(1)
    return entry, hidden


def letters(bench: LiveBench, call: str) -> str:
    """The kinds of the orders that a call was made for, in their order."""
    return "".join(id_[-3] for id_ in bench.venue.asked_for(call))


@pytest.mark.parametrize(("way", "placed"), [("with", "ES"), ("beside", "EAS")])
def test_the_stop_of_an_entry_stays_until_the_layers_own_works(way: str, placed: str, path: Path) -> None:
    """In the journal before the entry leaves, at the level of the decision; cancelled once the own one is there, never before."""

    async def play(bench: LiveBench) -> None:
        await begun(bench, way)
        bench.close(adds=long())
        await bench.after(5)
        calls = [f"{call} {id_[-3]}" for call, id_ in bench.venue.calls if id_[-3:-2] in "EASTX" and call in ("place", "cancel")]
        assert calls.index("cancel A") > calls.index("place S")
        assert [(o.order.id[-3], o.lots) for o in bench.venue.orders.values() if o.state == WORKING] == [("S", 300), ("T", 300)]

    bench = on_bench(path, play)
    assert letters(bench, "place").replace("T", "") == placed
    entry, stop = bench.events("intent")[:2]
    assert (stop.body["attached_to"], stop.body["price"]) == (entry.body["order"], entry.body["attached_level"])
    assert stop.seq < bench.events("sent")[0].seq
    assert not bench.pages


@pytest.mark.parametrize("way", ["with", "beside"])
@pytest.mark.parametrize("word", ["rejected", "not_taken"])
def test_an_entry_that_never_was_leaves_no_stop(way: str, word: str, path: Path) -> None:
    """Whatever the venue said of the entry, nothing is left in the book or at the venue."""

    async def play(bench: LiveBench) -> None:
        await begun(bench, way)
        bench.venue.script["place"] = [word]
        bench.close(adds=long())
        await bench.after(5)
        assert not bench.desk.book.orders.open
        assert not bench.venue.orders

    bench = on_bench(path, play)
    assert letters(bench, "place") == "E"


@pytest.mark.parametrize("way", ["with", "beside"])
def test_filled_and_not_listed_it_is_covered_by_its_stop(way: str, path: Path) -> None:
    """Asked for each five seconds; nobody is woken for a naked layer, nothing leaves; then the layer's own takes its place."""

    async def play(bench: LiveBench) -> None:
        entry, hidden = await filled_unlisted(bench, way)
        await bench.after(40)
        assert bench.venue.asked_for("ask").count(attached_id(entry)) >= 6
        assert not bench.pages
        bench.venue.executions.extend(hidden)
        await bench.after(10)
        assert (bench.lots(), bench.desk.book.health) == (300, {})
        assert {o.order.id[-3] for o in bench.venue.orders.values() if o.state == WORKING} == {"S", "T"}

    on_bench(path, play)


@pytest.mark.parametrize("way", ["with", "beside"])
def test_an_attached_stop_that_has_shrunk_covers_no_more_than_its_lots(way: str, path: Path) -> None:
    """The layer's own stop was acknowledged, the attached one left it all but what is unbooked, and the own one never was."""

    async def play(bench: LiveBench) -> None:
        entry, hidden = await filled_unlisted(bench, way)
        bench.venue.executions.append(hidden[0]._replace(lots=200))
        await bench.after(4)
        attached = attached_id(entry)
        assert (bench.lots(), bench.venue.orders[attached].lots) == (200, 100)
        own = next(id_ for id_ in bench.venue.orders if id_[-3] == "S")
        bench.venue.orders.pop(own)
        await bench.desk.ask(own)
        await bench.after(8)
        assert any("200 lots (0.02 BTC) of layer 1 have no protective order" in page for page in bench.pages)
        await bench.after(12)
        assert any(id_[-3] == "X" for id_ in bench.venue.asked_for("place"))

    on_bench(path, play)


@pytest.mark.parametrize("way", ["with", "beside"])
def test_a_stop_that_is_not_there_goes_out_once_by_itself(way: str, path: Path) -> None:
    """The venue has lost it; the entry says filled. The same id, once."""

    async def play(bench: LiveBench) -> None:
        entry, _ = await filled_unlisted(bench, way)
        bench.venue.orders.pop(attached_id(entry))
        await bench.after(14)
        assert bench.venue.orders[attached_id(entry)].state == WORKING
        assert not bench.pages

    bench = on_bench(path, play)
    assert letters(bench, "place").count("A") == (1 if way == "with" else 2)


@pytest.mark.parametrize("left", [True, False])
def test_a_process_that_died_before_the_stop_was_sent(left: bool, path: Path) -> None:
    """REST knows of nothing for 20 s, so the next process cannot ask whether the entry has filled: it sends the stop at once.
    Beside an entry that never left it ends with it.
    """

    async def play(bench: LiveBench) -> None:
        await begun(bench, "beside")
        bench.close(adds=long())
        entry = next(iter(bench.desk.book.orders.open))
        while left and not bench.venue.orders:
            await bench.after(0.001)
        hidden = bench.venue.hide()
        bench.venue.script["ask"] = ["not_found"] * 3
        await bench.again()
        assert letters(bench, "place") == "E" * left
        await bench.after(2)
        assert bench.venue.orders[attached_id(entry)].state == WORKING
        bench.venue.executions.extend(hidden)
        await bench.after(90)
        assert bench.lots() == bench.venue.net == 300 * left
        assert sorted(o.order.id[-3] for o in bench.venue.orders.values() if o.state == WORKING) == ["S", "T"] * left
        assert not bench.desk.book.orders.open.keys() - bench.venue.orders.keys()

    bench = on_bench(path, play)
    assert not [page for page in bench.pages if "protective" in page]


@pytest.mark.parametrize("first", ["entry", "exit"])
def test_what_nothing_covers_is_flattened_and_sums_exactly(first: str, path: Path) -> None:
    """A page at five seconds, at fifteen an exit of what the position shows; executions come later, in whatever order."""

    async def play(bench: LiveBench) -> None:
        _, hidden = await filled_unlisted(bench, "")
        await bench.after(8)
        assert bench.venue.net == 300
        bench.venue.fills = True
        await bench.after(12)
        assert bench.venue.net == 0
        exits = bench.venue.hide()
        one, other = (hidden, exits) if first == "entry" else (exits, hidden)
        bench.venue.executions.extend(one)
        await bench.after(10)
        bench.venue.executions.extend(other)
        await bench.after(20)
        assert (bench.lots(), bench.desk.book.orders.open, bench.desk.book.differences) == (0, {}, {})
        assert bench.desk.book.sleeves[0].ledger.cash == pytest.approx(50_000 - 0.2)

    bench = on_bench(path, play)
    assert "no protective order" in bench.pages[0]
    assert (letters(bench, "place"), len(bench.events("fill"))) == ("EF", 2)
    (leave,) = bench.events("leave")
    assert (leave.body["key"], leave.body["lots"]) == (1, 300)


def test_the_stop_of_what_was_flattened_does_not_outlive_it(path: Path) -> None:
    """Nobody can see the attached stop, so its lots leave; it is there all the same, and would open a position where a venue
    lets it do more than reduce.
    """

    async def play(bench: LiveBench) -> None:
        answers, blind = bench.venue.ask, True

        async def ask(order: VenueOrder) -> LiveAnswer:
            return LiveAnswer(order.id, UNKNOWN, 0, "no answer") if blind and order.attached else await answers(order)

        bench.venue.ask = ask  # type: ignore[method-assign]
        entry, hidden = await filled_unlisted(bench, "with")
        stop = attached_id(entry)
        await bench.after(10)
        assert bench.venue.orders[stop].state == WORKING
        bench.venue.fills = True
        await bench.after(20)
        assert (bench.venue.net, bench.venue.orders[stop].state) == (0, DONE)
        blind, exits = False, bench.venue.hide()
        bench.venue.executions.extend([*hidden, *exits])
        await bench.after(20)
        assert (bench.lots(), bench.desk.book.orders.open, bench.desk.book.differences) == (0, {}, {})

    bench = on_bench(path, play)
    assert letters(bench, "place") == "EF"
    (lapse,) = bench.events("lapse")
    assert lapse.body["order"][-3] == "A"


def test_a_position_that_is_not_there_is_not_flattened(path: Path) -> None:
    """The venue says filled, its position says flat: a page, no order."""

    async def play(bench: LiveBench) -> None:
        await filled_unlisted(bench, "")
        bench.venue.net = 0
        await bench.after(30)

    bench = on_bench(path, play)
    assert letters(bench, "place") == "E"


def test_flattening_is_tried_ten_times(path: Path) -> None:
    """An exit that the venue refuses again and again; then a person has to look."""

    async def play(bench: LiveBench) -> None:
        bench.venue.script["place"] = ["ok", *["rejected"] * 30]
        await filled_unlisted(bench, "")
        await bench.after(400)

    bench = on_bench(path, play)
    assert letters(bench, "place") == "E" + "F" * 10


@pytest.mark.parametrize("way", ["with", "beside"])
@pytest.mark.parametrize("first", ["entry", "exit"])
def test_it_fires_before_anything_is_booked(way: str, first: str, path: Path) -> None:
    """Its execution, without our id, is the layer's: booked once, behind the entry's, whichever is listed first."""

    async def play(bench: LiveBench) -> None:
        entry, hidden = await filled_unlisted(bench, way)
        bench.venue.execute(attached_id(entry), 300, LEVEL, named=False)
        fired = bench.venue.hide()
        one, other = (hidden, fired) if first == "entry" else (fired, hidden)
        bench.venue.executions.extend(one)
        await bench.after(20)
        bench.venue.executions.extend(other)
        await bench.after(30)
        assert (bench.lots(), bench.desk.book.orders.open, bench.desk.book.differences) == (0, {}, {})
        assert bench.venue.net == 0

    bench = on_bench(path, play)
    assert [(e.body["slot"], e.body["lots"]) for e in bench.events("fill")] == [("entry", 300), ("protective", 300)]
    assert not bench.desk.book.orphans


@pytest.mark.parametrize("way", ["with", "beside"])
def test_a_restart_while_it_is_the_cover(way: str, path: Path) -> None:
    """The next process knows it from the journal, asks for it, and lets it stay; a foreign order it is not."""

    async def play(bench: LiveBench) -> None:
        _, hidden = await filled_unlisted(bench, way)
        await bench.again()
        await bench.after(130)
        assert not any("stands at the venue" in page or "not of this desk" in page for page in bench.pages)
        bench.venue.executions.extend(hidden)
        await bench.after(60)
        assert (bench.lots(), bench.desk.book.differences) == (300, {})

    bench = on_bench(path, play)
    assert "F" not in letters(bench, "place")


def test_an_entry_that_ends_in_part_has_a_stop_of_that_part(path: Path) -> None:
    """A limit that filled 120 of 200 lots and lapsed; what the venue arms is what has filled."""

    async def play(bench: LiveBench) -> None:
        await begun(bench, "with")
        bench.close(rests=long(limit=59_900.0))
        await bench.after(2)
        (entry,) = bench.venue.orders
        stop = bench.desk.book.orders.open[attached_id(entry)]
        assert (stop.sleeps, stop.in_doubt, bench.desk.doubts(BTC_PERP)) == (True, False, [])
        bench.venue.execute(entry, 120)
        hidden = bench.venue.hide()
        for _ in range(2):
            await bench.to_close()
            bench.close()
        await bench.after(5)
        stop = bench.desk.book.orders.open[attached_id(entry)]
        assert (stop.state, stop.lots) == (WORKING, 120)
        bench.venue.executions.extend(hidden)
        await bench.after(10)
        assert bench.venue.orders[attached_id(entry)].state == DONE
        assert bench.lots() == 120

    on_bench(path, play)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("later_s", [2.0, 7.0, 11.0])
def test_a_part_of_a_resting_entry_has_a_stop_within_five_seconds(later_s: float, listed: bool, path: Path) -> None:
    """Its own stop sleeps until it has ended; no stream says that 120 of 200 lots have filled, and the list may not either."""

    async def play(bench: LiveBench) -> None:
        await begun(bench, "with")
        bench.close(rests=long(limit=59_900.0))
        await bench.after(later_s)
        (entry,) = bench.venue.orders
        bench.venue.execute(entry, 120)
        if not listed:
            bench.venue.hide()
        await bench.after(5)
        stops = [o for o in bench.venue.orders.values() if o.order.slot == PROTECTIVE and o.state == WORKING]
        assert sum(stop.lots for stop in stops) == 120

    on_bench(path, play)


@pytest.mark.parametrize("twice", [False, True])
def test_it_fires_in_parts_and_each_counts_once(twice: bool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 lots, then 200; a desk that counted a part under a second name would be seen: the book no longer agrees."""

    async def play(bench: LiveBench) -> None:
        if twice:
            take = bench.desk.take

            def taken(kind: str, body: Any) -> Any:
                if kind == "fill" and body["order"][-3] == "A":
                    take(kind, body | {"trade": body["trade"] + "again"})
                return take(kind, body)

            monkeypatch.setattr(bench.desk, "take", taken)
        entry, hidden = await filled_unlisted(bench, "with")
        bench.venue.execute(attached_id(entry), 100, LEVEL, named=False)
        bench.venue.execute(attached_id(entry), 200, LEVEL, named=False)
        bench.venue.executions[:0] = hidden
        await bench.after(60)
        assert (bench.lots(), bool(bench.desk.book.differences)) == ((100, True) if twice else (0, False))

    on_bench(path, play)
