"""One path of a live order: journaled before it is sent, guarded once more, asked about and never sent again while in doubt."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.core.orders import CANCELLING, DONE, REJECTED, SENT, UNKNOWN, WORKING, VenueOrder
from engine.errors import DeskError, JournalBroken
from engine.live import desk
from engine.live.duties import AccountDuties
from engine.live.lost_stops import LIFE_MS
from engine.venues.live_port import LiveAnswer
from engine.venues.outcome import NOT_FOUND, PASSED
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP
from tests.fakes.live_desks import BTC_PERP, PRICE, LiveBench, live_bar, long, on_bench


def test_an_entry_is_filled_and_protected(path: Path) -> None:
    """Intent and sent before the venue is asked; the fill places stop and target; each order went out once."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        kinds = [o.order.id[14] for o in bench.venue.orders.values()]
        assert sorted(kinds) == ["E", "S", "T"]
        assert len(bench.venue.asked_for("place")) == 3

    bench = on_bench(path, play)
    order = {e.body["order"]: e.seq for e in bench.events("intent")}
    assert set(order) == set(bench.venue.orders)
    assert [e.kind for e in bench.events("sent", "fill")] == ["sent", "fill", "sent"]


def test_the_latch_is_looked_at_again_before_the_call(path: Path) -> None:
    """A halt that comes between the journal and the request stops the entry; the journal says why."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        bench.halt("now")
        await bench.after(3)

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("place")
    assert [e.body["why"] for e in bench.events("order")] == ["never sent: the desk is halted: now"]


@pytest.mark.parametrize(("came", "whole"), [("unanswered", 300), ("lost", 0)])
def test_an_order_without_an_answer_is_asked_about_and_not_sent_again(path: Path, came: str, whole: int) -> None:
    """Whichever is true: one request. One that came is found at the first question; one that did not is over once its life is."""
    seen = list[tuple[float, int]]()

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = [came]
        bench.close(adds=long())
        for _ in range(50):
            await bench.after(1)
            entry = [o for o in bench.desk.book.orders.open.values() if o.slot == 0]
            seen.append((len(entry), bench.desk.book.sleeves[0].order.lots))

    bench = on_bench(path, play)
    entries = [id_ for id_ in bench.venue.asked_for("place") if "E" in id_]
    assert len(entries) == 1
    assert bench.lots() == whole
    exposed = sum(1 for open_, lots in seen if open_ and lots)
    assert exposed == pytest.approx(LIFE_MS / 1000 + 3 if not whole else 2, abs=3)  # counted as exposure all the time
    if not whole:
        assert bench.events("order")[-1].body["why"].startswith("never existed")


def test_not_found_does_not_count_while_executions_are_not_read(path: Path) -> None:
    """An order that the venue does not know may have filled: nothing is decided while its executions cannot be read."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = ["lost"]
        bench.venue.script["trades"] = ["silent"] * 40
        bench.close(adds=long())
        await bench.after(60)
        assert [o.state for o in bench.desk.book.orders.open.values()] == [UNKNOWN]
        bench.venue.script["trades"].clear()
        await bench.after(60)
        assert not bench.desk.book.orders.open

    on_bench(path, play)


def test_what_the_venue_turned_away_goes_out_again_under_the_same_id(path: Path) -> None:
    """A stop: the venue has proved that it is not there. An entry is dropped instead."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = ["ok", "not_taken", "ok", "not_taken"]
        bench.close(adds=long())
        await bench.after(10)
        stops = [id_ for id_ in bench.venue.asked_for("place") if "S" in id_]
        assert len(stops) == 3, stops
        assert len(set(stops)) == 1

        bench.venue.calls.clear()
        bench.venue.script["place"] = ["not_taken"]
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(10)
        assert len([id_ for id_ in bench.venue.asked_for("place") if "E" in id_]) == 1

    bench = on_bench(path, play)
    assert bench.events("order")[-1].body["why"].startswith("never taken")


def test_an_entry_that_was_decided_long_ago_is_not_sent(path: Path) -> None:
    """The last of three guards of freshness: a desk that was stopped between close and request."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        await bench.after(890)
        bench.close(bars_ago=1, adds=long())
        await bench.after(5)

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("place")
    assert bench.events("order")[-1].body["why"] == "never sent: it was decided too long ago"


def test_an_entry_waits_for_an_order_in_doubt(path: Path) -> None:
    """Before any new order on an instrument, what is in doubt there is asked about."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = next(o for o in bench.desk.book.orders.open.values() if o.slot == 1)
        await bench.to_close()
        bench.desk.take("order", {"order": stop.id, "state": UNKNOWN, "filled_lots": 0, "why": "lost"})
        bench.venue.script["ask"] = ["silent"] * 2
        bench.close(adds=long())
        await bench.after(3)
        assert [o.state for o in bench.desk.book.orders.open.values() if o.slot == 0] == [SENT]
        assert len([id_ for id_ in bench.venue.asked_for("place") if "E" in id_]) == 1
        await bench.after(30)

    bench = on_bench(path, play)
    places = bench.venue.asked_for("place")
    assert len([id_ for id_ in places if "E" in id_]) == 2


def test_a_cancellation_without_an_answer_is_no_end(path: Path) -> None:
    """The order stays in the book as being cancelled, and the request goes out again until the venue says that it has ended."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        cancel = bench.venue.cancel

        async def lost(order: VenueOrder) -> LiveAnswer:
            bench.venue.cancel = cancel  # type: ignore[method-assign]
            raise TimeoutError(order.id)

        bench.venue.cancel = lost  # type: ignore[method-assign]
        bench.desk.take("lapse", {"order": entry, "why": "a test"})
        await bench.after(0.5)
        assert bench.desk.book.orders.open[entry].state == CANCELLING
        await bench.after(20)
        assert bench.venue.orders[entry].state == DONE
        assert entry not in bench.desk.book.orders.open

    assert not on_bench(path, play).pages


def test_that_a_cancellation_finds_nothing_is_no_proof(path: Path) -> None:
    """An order that has ended cannot be cancelled either: only a question by its id says that it never was."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 300, 59_940.0)
        listed = bench.venue.hide()

        async def gone(order: VenueOrder) -> LiveAnswer:
            return LiveAnswer(order.id, UNKNOWN, 0, "ended", outcome=NOT_FOUND)

        bench.venue.cancel = gone  # type: ignore[method-assign]
        bench.venue.script["ask"] = ["silent"] * 500
        bench.desk.take("lapse", {"order": entry, "why": "a test"})
        await bench.after(60)
        assert entry in bench.desk.book.orders.open
        bench.venue.script["ask"].clear()
        bench.venue.executions += listed
        await bench.after(20)
        assert bench.lots() == 300

    on_bench(path, play)


def test_an_intent_is_on_the_disk_before_anything_leaves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The close returns with its intents synced, and requests begin after it."""
    synced: list[int] = []
    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(fd) or fdatasync(fd))

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        before, asked = len(synced), len(bench.venue.asked_for("place"))
        bench.close(adds=long())
        assert len(bench.venue.asked_for("place")) == asked
        assert len(synced) > before
        await bench.after(3)

    on_bench(path, play)


def test_a_drawdown_at_a_close_latches_for_people(path: Path) -> None:
    """The book trips by itself; the latch is what survives it and what the halt follows."""

    async def play(bench: LiveBench) -> None:
        bench.edited = True
        bench.desk.book.limits = bench.desk.book.limits._replace(drawdown_frac_max=0.001)
        await bench.start()
        await bench.entered()
        await bench.to_close()
        at = bench.clock() // BAR_MS * BAR_MS
        bench.desk.close(live_bar(at, [PRICE, PRICE, PRICE / 2, PRICE / 2, 1e6, 0.0, 0.0], {}), {}, {})
        assert "drawdown" in bench.latch

    on_bench(path, play)


def test_a_stop_that_the_market_has_passed_already_is_an_exit_at_once(path: Path) -> None:
    """The venue will not have it, now or in ten seconds: its layer leaves, and the same level is not tried again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["ok", "passed"]
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(2)
        assert (bench.venue.net, bench.lots()) == (0, 0)

    bench = on_bench(path, play)
    assert [id_[14] for id_ in bench.venue.asked_for("place")].count("S") == 1
    assert [e.body["why"] for e in bench.events("leave")] == ["the market was beyond the stop of layer 1 before it could stand"]


@pytest.mark.parametrize("sockets", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("venue", ADAPTED)
def test_each_venue_says_that_a_stop_has_been_passed(venue: str, sockets: bool) -> None:
    """By its own code, apart from what is refused for another reason."""

    async def script(played: Any, adapter: Any) -> LiveAnswer:
        await adapter.place(ENTER)
        return await adapter.place(STOP._replace(price=62_000.0))

    answer = ADAPTED[venue].run(script, sockets)
    assert (answer.state, answer.outcome) == (REJECTED, PASSED)


@pytest.mark.long
def test_ids_of_old_orders_are_forgotten_and_of_open_ones_never(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process lives for months: what it remembers of its requests is bounded, and a stop that has stood all along is known."""
    monkeypatch.setattr(desk, "KNOWN_MAX", 6)

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        first = {id_ for id_ in bench.desk.book.orders.open if id_[14] in "ST"}
        for _ in range(12):  # orders that rest and lapse, while three layers stand
            await bench.to_close()
            bench.close(adds=long(), rests=long(limit=59_000.0))
            await bench.after(3)
        assert first <= set(bench.desk.children.values())
        assert first <= set(bench.desk.sent_ms)
        most = 6 + 6  # as many as may be kept, and the stops and targets
        assert max(len(bench.desk.children), len(bench.desk.sent_ms)) <= most

    on_bench(path, play)


@pytest.mark.parametrize("ends", [1, 2])
def test_a_restart_sends_nothing_twice_and_protects(path: Path, ends: int) -> None:
    """The process ended between journal and request: entries are asked about, a stop stands within ten seconds. The next one may
    end as soon as it has begun.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["place"] = ["ok", "lost"]
        bench.close(adds=long())
        while not any("S" in id_ for id_ in bench.venue.asked_for("place")):
            await bench.after(0.005)
        bench.venue.script["place"].clear()
        for _ in range(ends):
            await bench.again()
        await bench.after(10)
        stops = [o for o in bench.venue.orders.values() if o.order.slot == 1]
        assert [o.state for o in stops] == [WORKING]
        assert bench.lots() == 300

    bench = on_bench(path, play)
    assert len([id_ for id_ in bench.venue.asked_for("place") if "E" in id_]) == 1


def test_a_disk_that_fails_stops_everything(path: Path) -> None:
    """What is not journaled is not sent, and nothing more is taken."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.journal.close()
        with pytest.raises(JournalBroken):
            bench.close(adds=long())
        await bench.after(3)
        with pytest.raises(DeskError):
            bench.desk.take("health", {"what": "x", "state": "begun", "why": ""})

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("place")
    assert any("has stopped" in page for page in bench.pages)


def test_a_disk_that_fails_under_an_incident_still_pages_and_stops_everything(path: Path) -> None:
    """What a person should know is said though it cannot be journaled, and no duty goes on as if it had been."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.journal.close()
        with pytest.raises(JournalBroken):
            bench.desk.incident("lots have no stop")
        assert bench.desk.failed

    bench = on_bench(path, play)
    assert "lots have no stop" in bench.pages
    assert any("has stopped" in page for page in bench.pages)


def test_an_entry_that_has_rested_its_time_is_cancelled(path: Path) -> None:
    """A venue keeps a limit order until it is asked to end it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(rests=long(limit=59_000.0))
        for _ in range(2):
            await bench.to_close()
            bench.close()
            await bench.after(2)

    bench = on_bench(path, play)
    assert len(bench.venue.asked_for("cancel")) == 1
    assert not bench.desk.book.orders.open


def test_the_duties_need_a_name_for_each_instrument(path: Path) -> None:
    """Each instrument has its own poll."""

    async def play(bench: LiveBench) -> None:
        assert set(AccountDuties(bench.desk, {BTC_PERP: bench.venue}).polls) == {BTC_PERP}

    on_bench(path, play)


def test_an_exit_is_not_sent_for_a_layer_whose_stop_has_fired(path: Path) -> None:
    """Reduce-only knows the account alone: it would close the lots of another sleeve's layer."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long(), rests=long())
        await bench.after(3)
        stop = next(o for o in bench.venue.orders.values() if o.order.slot == 1 and o.order.sleeve == 0)
        bench.venue.execute(stop.order.id, 300, 59_880.0, named=False)
        bench.desk.take("leave", {"sleeve": "adds", "why": "at the same moment"})
        await bench.after(20)
        assert (bench.venue.net, bench.lots()) == (200, 200)
        assert not bench.desk.book.differences

    bench = on_bench(path, play)
    assert bench.events("order")[-1].body["why"] != ""
    assert not [id_ for id_ in bench.venue.asked_for("place") if "X" in id_]
