"""A halt to its end: nothing increases after the latch, everything is closed, or a page says what is left."""

from pathlib import Path

import pytest

from engine.core.orders import SENT, UNKNOWN
from engine.core.state import ENTRY, PROTECTIVE
from engine.live.duties import AccountDuties
from engine.live.halt import INCOMPLETE, KILLED, RELEASED
from engine.live.poll import ORPHAN_CODE
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench


async def halted(bench: LiveBench, seconds: float) -> None:
    """Latch, and wait."""
    bench.halt("a person halts")
    await bench.after(seconds)


def test_a_halt_ends_flat_with_nothing_standing(path: Path) -> None:
    """Entries cancelled, the position left, stop and target gone; venue and book agree twice."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long(), rests=long(limit=59_000.0))
        await bench.after(3)
        await halted(bench, 15)

    bench = on_bench(path, play)
    assert bench.duties.halt.result == (KILLED, ())
    assert bench.venue.net == 0
    assert all(o.state == "done" for o in bench.venue.orders.values())
    assert bench.events("incident")[-1].body["state"] == KILLED


def test_a_halt_that_a_person_releases_tries_nothing_more(path: Path) -> None:
    """Its tries went on beside a desk that traded again, and could have closed what that had entered."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 60
        await halted(bench, 12)
        bench.latch = ""
        calls = len(bench.venue.asked_for("place"))
        bench.venue.script["place"].clear()
        await bench.after(3)
        assert not [id_ for id_ in bench.venue.asked_for("place")[calls:] if ORPHAN_CODE in id_]

    bench = on_bench(path, play)
    assert any(f"left: {BTC_PERP}: {RELEASED}" in page for page in bench.pages)


def test_a_second_halt_within_ten_minutes_is_seen_to_its_end_as_well(path: Path) -> None:
    """Its end is in the journal and is paged, though it says the same as the one before: a person waits for each."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await halted(bench, 15)
        bench.latch = ""
        await bench.after(30)
        await halted(bench, 15)

    bench = on_bench(path, play)
    ends = [event for event in bench.events("incident") if event.body["what"] == f"halt: {KILLED}"]
    assert len(ends) == 2
    assert bench.pages.count(f"halt: {KILLED}") == 2


def test_what_keeps_a_halt_from_its_end_is_named_and_the_end_is_said_when_it_comes(path: Path) -> None:
    """Flat, but the venue gives no list of executions: which orders wait; KILLED once both agree, and nothing traded for it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        looks = bench.poll.look

        async def silent() -> bool:
            return False

        bench.poll.look = silent  # type: ignore[method-assign]
        await halted(bench, 60)
        first = bench.duties.halt.result
        assert first is not None
        assert (first.state, bench.venue.net) == (INCOMPLETE, 0)
        assert f"of {BTC_PERP} is working in the book" in first.left[0]
        sent = len(bench.venue.asked_for("place"))
        bench.poll.look = looks  # type: ignore[method-assign]
        await bench.after(120)
        assert len(bench.venue.asked_for("place")) == sent

    bench = on_bench(path, play)
    assert bench.duties.halt.result == (KILLED, ())
    ends = [event.body["state"] for event in bench.events("incident") if event.body["what"].startswith("halt: ")]
    assert ends == [INCOMPLETE, KILLED]
    assert f"halt: {KILLED}" in bench.pages


def test_an_incomplete_halt_is_looked_at_and_not_tried_again(path: Path) -> None:
    """All tries were refused: no further exit leaves, and nothing says KILLED over what is there."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 5_000
        await halted(bench, 200)
        assert bench.duties.halt.result is not None
        assert bench.duties.halt.result.state == INCOMPLETE
        sent = len([o for o in bench.venue.asked_for("place") if "F" in o])
        await bench.after(600)
        assert len([o for o in bench.venue.asked_for("place") if "F" in o]) == sent
        assert bench.duties.halt.result.state == INCOMPLETE

    bench = on_bench(path, play)
    assert [e.body["state"] for e in bench.events("incident") if e.body["what"].startswith("halt: ")] == [INCOMPLETE]


def test_exits_that_are_refused_end_in_a_page(path: Path) -> None:
    """Ten tries of the book's own and ten at the venue, then KILL_INCOMPLETE with what is left. The process lives."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 500
        await halted(bench, 200)

    bench = on_bench(path, play)
    result = bench.duties.halt.result
    assert result is not None
    assert result.state == INCOMPLETE
    assert "300 lots" in result.left[0]
    assert any("KILL_INCOMPLETE" in page for page in bench.pages)
    closing = [o for o in bench.venue.asked_for("place") if "F" in o]
    assert len(closing) <= 10


def test_cancellations_that_are_refused_do_not_keep_the_position(path: Path) -> None:
    """The position is left first; what stands is tried ten times."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["cancel"] = ["refused"] * 500
        await halted(bench, 120)
        assert bench.venue.net == 0

    bench = on_bench(path, play)
    assert bench.duties.halt.result is not None
    assert bench.duties.halt.result.state == INCOMPLETE


def test_a_difference_that_keeps_a_halt_from_its_end_is_named(path: Path) -> None:
    """Flat and without orders, and the venue's cash is another one: the page said that both could not be compared."""

    async def play(bench: LiveBench) -> None:
        async def cash() -> float:
            return bench.cash

        bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, cash=cash, latch_look_s=1.0)
        await bench.start()
        await bench.after(5)
        bench.cash -= 500.0
        await halted(bench, 60)

    bench = on_bench(path, play)
    assert bench.duties.halt.result == (INCOMPLETE, ("the venue's cash has moved by -500.00 beside the desk's",))


def test_at_the_venue_a_halt_tries_again_whatever_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a book: two refused exits are followed by a third, and cancellations that are refused do not keep the position."""

    def raises(*_: object) -> None:
        raise ZeroDivisionError("profit")

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        monkeypatch.setattr("engine.live.desk.step", raises)
        bench.venue.script["place"], bench.venue.script["cancel"] = ["rejected"] * 2, ["refused"] * 500
        await halted(bench, 60)
        assert bench.venue.net == 0

    bench = on_bench(path, play)
    assert bench.duties.halt.result is not None
    assert bench.duties.halt.result.state == INCOMPLETE


def test_a_book_that_cannot_be_used_does_not_stop_a_halt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum of profits that raises, a disk that fails: the position is closed at the venue by what the venue says."""

    def raises(*_: object) -> None:
        raise ZeroDivisionError("profit")

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        monkeypatch.setattr("engine.live.desk.step", raises)
        await halted(bench, 20)
        assert bench.venue.net == 0

    bench = on_bench(path, play)
    assert bench.duties.halt.result == (KILLED, ())
    assert not [o for o in bench.venue.orders.values() if o.state == "working"]


def test_a_strangers_part_of_the_position_is_not_traded(path: Path) -> None:
    """A halt closes what is ours."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("stranger", "v9", 1, 50)
        await halted(bench, 20)
        assert bench.venue.net == 50

    on_bench(path, play)


def test_an_entry_that_waits_as_the_latch_is_set_does_not_leave(path: Path) -> None:
    """It was decided before, and waits for a stop in doubt, which is found four seconds later."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = next(o for o in bench.desk.book.orders.open.values() if o.slot == PROTECTIVE)
        await bench.to_close()
        bench.desk.take("order", {"order": stop.id, "state": UNKNOWN, "filled_lots": 0, "why": "lost"})
        bench.venue.script["ask"] = ["silent"] * 2
        bench.close(adds=long())
        await bench.after(0.5)
        assert [o.state for o in bench.desk.book.orders.open.values() if o.slot == ENTRY] == [SENT]
        await halted(bench, 30)
        assert len([id_ for id_ in bench.venue.asked_for("place") if id_[-3] == "E"]) == 1

    assert on_bench(path, play).duties.halt.result == (KILLED, ())


def test_no_entry_leaves_after_the_latch(path: Path) -> None:
    """At the next closes."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await halted(bench, 1)
        at = len(bench.venue.asked_for("place"))
        for _ in range(3):
            await bench.to_close()
            bench.close(adds=long(), rests=long(limit=59_000.0))
            await bench.after(3)
        later = bench.venue.asked_for("place")[at:]
        assert not [id_ for id_ in later if bench.venue.orders[id_].order.slot == ENTRY]

    bench = on_bench(path, play)
    assert bench.duties.halt.result == (KILLED, ())
    assert BTC_PERP not in bench.desk.book.differences


@pytest.mark.parametrize("after_s", [0.005, 4.0])
def test_an_entry_that_was_on_its_way_leaves_as_soon_as_it_is_filled(path: Path, after_s: float) -> None:
    """Halted between the request and its fill: the layer stayed until the next close, and the page named its stop and target."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.fills = after_s < 1.0
        bench.venue.script["cancel"] = ["too late"] * 50
        bench.close(adds=long())
        await bench.after(0.005)
        bench.halt("a person")
        bench.duties.halt.soon()
        await bench.after(after_s)
        if not bench.venue.fills:
            bench.venue.fills = True
            bench.venue.execute(next(iter(bench.venue.orders)), 300)
        bench.venue.script["cancel"].clear()
        await bench.after(20)
        assert (bench.lots(), bench.venue.net) == (0, 0)
        assert not bench.desk.book.orders.open
        assert any("halt: KILLED" in page for page in bench.pages)

    on_bench(path, play)


def test_what_a_halt_closes_at_the_venue_leaves_the_layer_that_held_it(path: Path) -> None:
    """Its own exits are refused for ten seconds. It used to stay in the book beside its close: an orphan of the other sign,
    a page each ten minutes, an exit refused at each close, and nothing that a person could adopt.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 5
        bench.halt("a person")
        bench.duties.halt.soon()
        await bench.after(60)
        assert bench.venue.net == 0
        assert bench.lots() == 0
        assert not any(orphan["lots"] for orphan in bench.desk.book.orphans.values())

    bench = on_bench(path, play)
    assert bench.events("fill")[-1].body["reason"] == "halt"
