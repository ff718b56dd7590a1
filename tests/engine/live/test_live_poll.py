"""Executions by REST: each booked once, children of stops found by asking, orphans closed, strangers left alone, funding once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.state import PROTECTIVE
from engine.live.poll import is_own
from engine.venues.live_port import VenueBill
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench


def stop_of(bench: LiveBench) -> str:
    """Id of the stop that stands."""
    return next(o.id for o in bench.desk.book.orders.open.values() if o.slot == PROTECTIVE)


def test_a_stop_that_fired_is_found_by_asking(path: Path) -> None:
    """Its child's execution comes without our id: the stop names the child, the round trip is closed, the target cancelled."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.execute(stop_of(bench), 300, 59_700.0, named=False)
        await bench.after(20)
        assert bench.lots() == 0
        assert not bench.desk.book.orders.open

    bench = on_bench(path, play)
    assert bench.events("fill")[-1].body["reason"] == "stop"
    assert not bench.pages


def test_an_execution_is_nobodys_only_once_every_parent_has_answered(path: Path) -> None:
    """While a stop cannot be asked its fill waits, however long; nothing enters meanwhile."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["ask"] = ["silent"] * 60
        bench.venue.execute(stop_of(bench), 300, 59_700.0, named=False)
        await bench.after(45)
        assert (bench.lots(), bench.desk.book.differences) == (300, {})
        assert f"unexplained in {BTC_PERP}" in bench.desk.book.health
        bench.venue.script["ask"].clear()
        await bench.after(30)
        assert (bench.lots(), bench.desk.book.health) == (0, {})

    on_bench(path, play)


def test_an_order_that_never_existed_does_not_keep_an_execution_unexplained(path: Path) -> None:
    """A stop that the venue never had might have made a stranger's execution, and cannot be called nonexistent while one is
    unexplained: neither waits for the other beyond the life of the stop's request, and a person is woken.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["ok", "lost"]
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(1)
        bench.venue.trade("", "v99", -1, 5)
        await bench.after(90)
        assert not bench.desk.doubts(BTC_PERP)
        assert f"unexplained in {BTC_PERP}" not in bench.desk.book.health
        assert [page for page in bench.pages if "not ours" in page]

    on_bench(path, play)


def test_an_execution_is_booked_once_however_often_it_is_listed(path: Path) -> None:
    """After a restart, and when the cursor of before is read again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.again()
        bench.edited = True
        bench.desk.book.cursors[BTC_PERP] = "0"
        await bench.after(40)
        assert bench.lots() == 300
        bench.desk.book.cursors[BTC_PERP] = "1"

    bench = on_bench(path, play)
    assert len(bench.events("fill")) == 1


def test_an_orphan_is_closed_and_a_person_is_woken(path: Path) -> None:
    """An execution under our name that the journal does not know: reduce-only, apart from every sleeve's money."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        own = bench.desk.book.names[0]
        from engine.book.order_events import order_id

        bench.venue.trade(order_id(own, 99), "v9", 1, 40)
        await bench.after(70)
        assert (bench.venue.net, bench.desk.book.orphans[BTC_PERP]["lots"]) == (0, 0)
        assert bench.desk.book.orphans[BTC_PERP]["cash"] == pytest.approx(-0.2)
        assert sum(s.ledger.cash for s in bench.desk.book.sleeves) == 100_000.0
        assert not bench.desk.book.entries_blocked

    bench = on_bench(path, play)
    (closing,) = [o.order for o in bench.venue.orders.values()]
    assert (closing.side, closing.lots, closing.slot) == (-1, 40, 3)
    assert [e.body["what"] for e in bench.events("orphan")] == ["found", "close", "fill"]
    assert any("under our name" in page for page in bench.pages)


def test_an_orphan_that_cannot_be_closed_is_tried_ten_times(path: Path) -> None:
    """Then a person has to; nothing enters."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["place"] = ["rejected"] * 100
        from engine.book.order_events import order_id

        bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
        await bench.after(400)
        assert bench.desk.book.entries_blocked

    bench = on_bench(path, play)
    assert len(bench.venue.asked_for("place")) == 10
    assert any("could not be closed in 10 tries" in page for page in bench.pages)


@pytest.mark.parametrize("order", ["", "stranger", "ndzzzz00000001E00"])
def test_a_strangers_execution_is_never_traded_against(path: Path, order: str) -> None:
    """A foreign id, none, or one of another desk: entries stop, a person is woken, nothing is sent."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.trade(order, "v9", 1, 40)
        await bench.after(90)
        bench.close(adds=long())
        await bench.after(90)
        assert len(bench.desk.book.differences) == 2  # the trade, and the position

    bench = on_bench(path, play)
    assert not bench.venue.asked_for("place")
    assert any("not ours" in page for page in bench.pages)
    assert [event.body["side"] for event in bench.events("fill") if not event.body.get("sleeve")] == ["buy"]


def test_an_order_that_fills_more_than_it_can_is_said_to_do_so_and_the_position_is_compared(path: Path) -> None:
    """A cancellation that was confirmed and filled all the same, beside another exit: what is listed is not missing, and the
    venue's position is not explained by it.
    """

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = stop_of(bench)
        bench.venue.execute(stop, 300, 59_700.0)
        bench.venue.execute(stop, 100, 59_700.0)
        await bench.after(200)
        await bench.again()
        await bench.after(700)
        assert (
            bench.desk.book.differences[f"position of {BTC_PERP}"]
            == f"the venue holds -100 lots (-0.01 BTC) of {BTC_PERP}, the desk 0 lots"
        )
        assert "executions" not in bench.desk.book.health

    bench = on_bench(path, play)
    assert any("-100 lots (-0.01 BTC) at 59700.0 of our own" in page and "fit no layer any more" in page for page in bench.pages)
    assert not any("than the venue lists" in page for page in bench.pages)


def test_lots_that_the_venue_itself_has_closed_are_said_to_be_that(path: Path) -> None:
    """Liquidation and ADL of what the book does not hold: who is woken is not sent to look for a thief of keys."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.trade("", "v9", 1, 40)
        bench.venue.executions[-1] = bench.venue.executions[-1]._replace(forced="adl")
        await bench.after(90)
        assert len(bench.desk.book.differences) == 2
        assert not bench.duties.failures

    bench = on_bench(path, play)
    assert any("the venue itself has closed lots of the account by auto-deleveraging: " in page for page in bench.pages)
    assert not any("not ours" in page for page in bench.pages)
    assert bench.events("fill")[-1].body["forced"] == "adl"


def test_a_moment_in_the_venues_words_makes_no_other_page(path: Path) -> None:
    """A ban is said anew at each question, with the moment of its end; ten minutes later it is said again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for n in range(5):
            bench.desk.incident(f"no answer: banned until {bench.clock() + 120_000}, order {8_000_000_000 + n // 4}")
            await bench.after(20)
        await bench.after(600)
        bench.desk.incident(f"no answer: banned until {bench.clock() + 120_000}, order 8000000000")

    bench = on_bench(path, play)
    assert [page[-11:] for page in bench.pages] == [" 8000000000", " 8000000001", " 8000000000"]


def test_a_strangers_order_wakes_once_however_many_parts_it_executes_in(path: Path) -> None:
    """Each part is a difference of its own; another order is another page."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for n, venue_id in enumerate(("v9", "v9", "v9", "v10")):
            bench.venue.trade("", venue_id, 1, 40 + n, 60_000.0 + n)
        await bench.after(90)
        assert len([what for what in bench.desk.book.differences if what.startswith("t")]) == 4

    bench = on_bench(path, play)
    woken = [page for page in bench.pages if "not ours" in page]
    assert len(woken) == 2
    assert ("40 lots (0.004 BTC) at 60000.0" in woken[0], "43 lots (0.0043 BTC) at 60003.0" in woken[1]) == (True, True)


def test_names_of_this_desk(path: Path) -> None:
    """Four letters of a sleeve, a number, a kind, an attempt; an orphan's closing order too."""

    async def play(bench: LiveBench) -> None:
        own = [is_own(bench.desk, id_) for id_ in ("nd8w8000000001E00", "nd0rph00000001F01", "ndzzzz00000001E00", "x", "")]
        assert own == [True, True, False, False, False]

    on_bench(path, play)


def test_executions_that_a_list_left_out_are_read_from_further_back(path: Path) -> None:
    """The cursor has moved past them; the order says that more has filled than was listed. Asked at five seconds."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.fills = False
        bench.close(adds=long())
        await bench.after(2)
        (entry,) = bench.venue.orders
        hidden = bench.venue.executions
        bench.venue.execute(entry, 100)
        bench.venue.execute(entry, 200)
        first = hidden.pop(0)
        await bench.after(3)
        hidden.insert(0, first)
        bench.venue.script["trades"] = []
        await bench.after(20)
        assert bench.lots() == 300

    bench = on_bench(path, play)
    assert [e.body["lots"] for e in bench.events("fill")] == [200, 100]


def test_said_filled_and_nothing_listed_wakes_a_person_in_a_minute(path: Path) -> None:
    """The published incident: the order says filled, its executions do not come. Entries stop."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.fills = False
        bench.close(adds=long())
        await bench.after(2)
        (entry,) = bench.venue.orders
        bench.venue.execute(entry, 300)
        hidden = bench.venue.executions.copy()
        bench.venue.executions.clear()
        await bench.after(75)
        assert "executions" in bench.desk.book.health
        bench.venue.executions.extend(hidden)
        await bench.after(20)
        assert (bench.lots(), bench.desk.book.health) == (300, {})

    bench = on_bench(path, play)
    assert any("for a minute" in page for page in bench.pages)
    assert len([id_ for id_ in bench.venue.asked_for("place") if "E" in id_]) == 1


@pytest.mark.parametrize(("holds", "pages"), [(True, 3), (False, 1)])
def test_a_venue_that_lists_nothing_wakes_again_while_something_is_there(holds: bool, pages: int, path: Path) -> None:
    """Each ten minutes; a flat desk without orders says it once."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        if holds:
            await bench.entered()
        bench.venue.script["trades"] = ["silent"] * 1_000
        await bench.after(27 * 60)

    bench = on_bench(path, play)
    found = [page for page in bench.pages if "does not say what was executed" in page]
    assert (len(found), len(set(found))) == (pages, 1)


@pytest.mark.parametrize("sleeves", [1, 2])
def test_funding_is_booked_once_by_the_venues_bill(path: Path, sleeves: int) -> None:
    """Listed again and again, shared by who holds what; it comes to the bill exactly."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        both: dict[str, Callable[[], object]] = {}
        del both
        bench.close(adds=long(), **({"rests": long()} if sleeves == 2 else {}))
        await bench.after(3)
        bench.venue.billed.append(VenueBill("b1", -0.37, bench.clock()))
        await bench.after(3_600)

    bench = on_bench(path, play)
    shares = [e.body["cash_flow"] for e in bench.events("funding")]
    assert sum(shares) == pytest.approx(-0.37, abs=1e-12)
    assert len(shares) == sleeves


def test_a_settlement_that_is_listed_behind_newer_ones_is_booked_once(path: Path) -> None:
    """Ten hours late, while others came in time; and none of them twice, two days on."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.duties.stop()
        await bench.after(1_000)
        late = VenueBill("b1", -0.37, bench.clock())
        for hour in range(48):
            await bench.after(3_600)
            if hour < 3:
                bench.venue.billed.append(VenueBill(f"b{hour + 2}", 0.5, bench.clock()))
            if hour == 9:
                bench.venue.billed.append(late)
            bench.close()
            await bench.poll.bills()

    bench = on_bench(path, play)
    assert [e.body["cash_flow"] for e in bench.events("funding")] == [0.5, 0.5, 0.5, -0.37]


@pytest.mark.parametrize(("later_h", "booked"), [(26, True), (0, False)])
def test_an_id_that_the_venue_uses_again_a_day_later_is_another_execution(path: Path, later_h: int, booked: bool) -> None:
    """Else its lots were held at the venue and never booked. The same id at the same time is the same execution, listed again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        first = bench.venue.executions[0]
        (target,) = [id_ for id_, held in bench.venue.orders.items() if held.order.slot == 2]
        await bench.duties.stop()
        await bench.after(later_h * 3_600 + 1)
        bench.venue.execute(target, 300, 61_000.0)
        last = bench.venue.executions[-1]
        bench.venue.executions[-1] = last._replace(trade=first.trade)
        await bench.poll.look()
        assert bench.lots() == (0 if booked else 300)
        await bench.poll.look()

    bench = on_bench(path, play)
    fills = [event.body["trade"] for event in bench.events("fill") if event.body.get("booked", True)]
    assert len(fills) == len(set(fills)) == (2 if booked else 1)


@pytest.mark.slow
def test_a_bill_that_is_listed_behind_a_later_one_is_booked(path: Path) -> None:
    """Eight hours late, after the next settlement's: before, no question reached so far back. Each once, whatever comes again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        await bench.after(1_000)
        late = VenueBill("b1", -0.25, bench.clock())
        await bench.after(8 * 3_600)
        bench.venue.billed += [VenueBill("b2", -0.5, bench.clock())]
        await bench.after(3_600)
        bench.venue.billed = [late, *bench.venue.billed, late]
        await bench.after(4 * 3_600)

    bench = on_bench(path, play)
    assert sorted(e.body["cash_flow"] for e in bench.events("funding")) == [-0.5, -0.25]


def test_a_bill_from_before_the_desk_could_hold_anything_is_not_its_own(path: Path) -> None:
    """A person has closed a position of theirs, and begun a desk."""

    async def play(bench: LiveBench) -> None:
        bench.venue.billed += [VenueBill("b0", -7.0, bench.clock() - 3_600_000)]
        await bench.start()
        await bench.entered()
        await bench.after(3_600)
        bench.venue.billed += [VenueBill("b1", -0.25, bench.clock())]
        await bench.after(3_600)

    bench = on_bench(path, play)
    assert [e.body["cash_flow"] for e in bench.events("funding")] == [-0.25]
