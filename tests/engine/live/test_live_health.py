"""What must be well: layers have stops, clocks agree, streams live, the venue answers. Else no entries, and at the end a page."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.views.incidents import reconciliation
from engine.core.orders import CANCELLING, VenueOrder
from engine.core.state import PROTECTIVE
from engine.errors import DataError
from engine.live.duties import AccountDuties
from engine.live.health import StreamHandle
from engine.venues.live_port import LiveAnswer
from tests.fakes import live_desks
from tests.fakes.benches import LOOK_S
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench


def test_a_stop_that_nobody_can_see_is_a_page(path: Path) -> None:
    """It was acknowledged, and the venue says nothing of it for a quarter of a minute; once it does, it is no page again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["ask"] = ["silent"] * 15
        bench.venue.script["standing"] = ["silent"] * 12
        bench.close(adds=long())
        await bench.after(14)
        assert not bench.pages
        await bench.after(4)
        assert bench.pages == ["adds: the venue has acknowledged the stop of layer 1, and does not show it; look there"]
        await bench.after(900)
        assert len(bench.pages) == 1
        assert bench.lots() == 300

    on_bench(path, play)


def test_a_stop_that_is_being_cancelled_covers_nothing(path: Path) -> None:
    """The exit that it makes way for was acknowledged and lost, and the venue does not say that the stop has gone."""

    async def never(order: VenueOrder) -> LiveAnswer:
        await asyncio.sleep(3_600)
        raise AssertionError(order)

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.fills, bench.venue.cancel = False, never  # type: ignore[method-assign]
        bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(2)
        (stop,) = [o for o in bench.desk.book.orders.open.values() if o.slot == PROTECTIVE]
        assert stop.state == CANCELLING
        bench.venue.orders.clear()
        await bench.after(15)

    assert any("no protective order" in page for page in on_bench(path, play).pages)


@pytest.mark.parametrize(("ahead_ms", "what", "ends"), [(2_000, "clock offset", True), (40_000, "clock", False)])
def test_a_clock_that_differs_stops_entries(path: Path, ahead_ms: int, what: str, ends: bool) -> None:
    """Above a second until it agrees again; above five until a person lets the desk go on. Exits are sent all the while."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue_time_ms = ahead_ms
        await bench.after(400)
        assert what in bench.desk.book.health
        bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(3)
        assert bench.lots() == 0
        bench.venue_time_ms = 0
        await bench.after(400)
        assert (what not in bench.desk.book.health) is ends

    bench = on_bench(path, play)
    assert any("clock" in page for page in bench.pages)


def test_a_clock_that_leaps_is_seen_within_a_minute_and_seconds_and_so_is_its_end(path: Path) -> None:
    """Samples of a minute each would be three minutes, and what was said of it an old number."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.after(200)
        bench.venue_time_ms = 2_000
        await bench.after(65)
        assert bench.desk.book.health["clock offset"] == "the venue's clock differs by 2.0 s"
        bench.venue_time_ms = 0
        await bench.after(65)
        assert "clock offset" not in bench.desk.book.health

    on_bench(path, play)


def test_one_slow_answer_is_no_wrong_clock(path: Path) -> None:
    """The median of five counts."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue_time_ms = 9_000
        await bench.duties.health.look_at_clock(bench._time)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_a_venue_that_does_not_say_its_time_stops_entries_until_it_does(path: Path) -> None:
    """Three questions in a row; an answer ends it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        clock = bench.duties.health.look_at_clock

        async def nothing() -> int:
            raise DataError("no answer")

        for n in range(3):
            assert "clock offset" not in bench.desk.book.health, n
            await clock(nothing)
        assert bench.desk.book.health["clock offset"] == "the venue does not say its time"
        await clock(bench._time)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_a_stream_without_life_is_built_anew(path: Path) -> None:
    """After ten seconds; entries wait; executions are read by REST at once."""
    alive, rebuilt = [0], list[int]()

    async def play(bench: LiveBench) -> None:
        alive[0] = bench.clock()

        async def rebuild() -> None:
            rebuilt.append(bench.clock())

        bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, latch_look_s=LOOK_S)
        bench.duties.health.streams = (StreamHandle("orders", lambda: alive[0], rebuild),)
        await bench.duties.start()
        await bench.after(9)
        assert not rebuilt
        await bench.after(10)
        assert rebuilt
        assert "stream orders" in bench.desk.book.health
        assert rebuilt[0] - alive[0] <= 15_000
        alive[0] = bench.clock() + 60_000
        await bench.after(10)
        assert "stream orders" not in bench.desk.book.health

    on_bench(path, play)


def test_a_venue_that_does_not_answer_stops_entries_until_it_does(path: Path) -> None:
    """A failed question is not an empty list."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["trades"] = ["silent"] * 20
        bench.poll.wake()
        await bench.after(30)
        assert f"venue of {BTC_PERP}" in bench.desk.book.health
        bench.venue.script["trades"].clear()
        await bench.after(60)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_five_refusals_in_a_row_pause_and_a_person_ends_it(path: Path) -> None:
    """Also over several closes: a refusal each; what was never sent or never taken does not count."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["rejected"] * 5
        for _ in range(7):
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(3)
        assert len(bench.venue.asked_for("place")) == 5
        bench.duties.health.let_go_on("refusals of adds")
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)
        assert bench.lots() == 300

    on_bench(path, play)


def test_a_restart_does_not_forgive_refusals(path: Path) -> None:
    """Three before it and two behind it are five; what a person has let go on counts no more."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["rejected"] * 6
        for n in range(7):
            if n == 3:
                await bench.again()
                await bench.after(10)
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(3)
        assert len(bench.venue.asked_for("place")) == 5
        assert "refusals of adds" in bench.desk.book.health
        bench.duties.health.let_go_on("refusals of adds")
        await bench.again()
        await bench.after(10)
        for _ in range(2):
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(3)
        assert bench.lots() == 300

    on_bench(path, play)


def test_a_cancellation_between_them_does_not_forgive_refusals(path: Path) -> None:
    """Only an order that the venue takes does: five refusals are five, whatever was cancelled meanwhile."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for state in ["rejected"] * 4 + ["cancelling", "done", "rejected"]:
            for watch in bench.desk.watches:
                watch("order", {"order": "x", "sleeve": "adds", "state": state, "why": "no"})
        await bench.after(1)
        assert "refusals of adds" in bench.desk.book.health

    on_bench(path, play)


@pytest.mark.parametrize("exit_works", [False, True])
def test_dust_is_tried_once_and_named_once(exit_works: bool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """120 of 200 lots of an entry at a venue that takes no order below 150: stop, target and exit are tried once each, since some
    venues take what only reduces; then one page in two hours, each mark and `nightdesk reconcile` say so. A venue that takes the
    exit leaves nothing."""
    plain = live_desks.config_body

    def with_least(first_ms: int = live_desks.FIRST_MS, *limits: Any) -> dict[str, Any]:
        body = plain(first_ms, *limits)
        body["start"] |= {"mode": "testnet", "account": "main"}
        body["sleeves"][1]["rules"]["least_lots"] = 150
        return body

    monkeypatch.setattr(live_desks, "config_body", with_least)

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(rests=long(limit=59_900.0))
        await bench.after(2)
        bench.venue.script["place"] = ["rejected"] if exit_works else ["rejected"] * 50
        bench.venue.execute(next(iter(bench.venue.orders)), 120)
        for _ in range(8):
            await bench.to_close()
            bench.close()
        await bench.after(60)
        sleeves = bench.events("mark")[-1].body["sleeves"].values()
        layers = [layer for sleeve in sleeves for layer in sleeve.get("position", {}).get("layers", ())]
        assert [layer.get("dust") for layer in layers] == ([] if exit_works else [150])
        assert bench.venue.net == (0 if exit_works else 120)

    bench = on_bench(path, play)
    assert sorted(id_[-3] for id_ in bench.venue.asked_for("place")) == ["E", "S", "T", "X"]
    shown = reconciliation(path)["dust"]
    assert shown == ([] if exit_works else [{"sleeve": "rests", "layer": 1, "lots": 120, "least_lots": 150}])
    named = [page for page in bench.pages if "dust" in page]
    assert len(named) == 1
    assert "120 lots of layer 1 are dust: the venue takes no order below 150" in named[0]
    assert not [page for page in bench.pages if "no protective order" in page]


@pytest.mark.parametrize(("slot", "pauses"), [("protective", True), ("entry", False), ("exit", False)])
def test_a_stop_that_moves_between_them_does_not_forgive_refusals(slot: str, pauses: bool, path: Path) -> None:
    """A layer's stop is amended at each close while another layer's entries are refused; an entry that is taken ends the row."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for state in ["rejected"] * 4 + ["working", "rejected"]:
            body = {"order": "x", "sleeve": "adds", "state": state, "why": "no"}
            for watch in bench.desk.watches:
                watch("order", body | {"slot": slot if state == "working" else "entry"})
        await bench.after(1)
        assert ("refusals of adds" in bench.desk.book.health) is pauses

    on_bench(path, play)


def test_a_person_ends_refusals_by_a_decision(path: Path) -> None:
    """The page says how; what was counted begins anew, and a decision about what is well moves nothing."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["rejected"] * 5
        for _ in range(5):
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(5)
        assert "refusals of adds" in bench.desk.book.health
        assert any("nightdesk adopt 'refusals of adds' --keep" in page for page in bench.pages)
        body = {"request": 1, "by": "ann", "reason": "margin is back", "order": "", "lots": 0, "filled_lots": 0}
        refused = bench.desk.take("adopt", {**body, "difference": "reconciled"})
        assert not refused["adopted"]
        assert bench.desk.take("adopt", {**body, "difference": "refusals of adds"})["adopted"]
        assert not bench.desk.book.health
        bench.venue.script["place"] = ["rejected"] * 4
        for _ in range(4):
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(5)
        assert not bench.desk.book.health
        await bench.entered()

    on_bench(path, play)


def test_an_own_clock_that_was_set_is_measured_anew(path: Path) -> None:
    """A person lets the desk go on: the samples of before say nothing of now."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue_time_ms = 40_000
        await bench.after(300)
        assert "clock" in bench.desk.book.health
        bench.venue_time_ms = 0
        body = {"request": 1, "by": "ann", "reason": "chrony", "order": "", "lots": 0, "filled_lots": 0}
        assert bench.desk.take("adopt", {**body, "difference": "clock"})["adopted"]
        await bench.after(130)
        assert not bench.desk.book.health

    on_bench(path, play)
