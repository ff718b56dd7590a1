"""A basket at an account: legs are orders, what is late or refused cuts its mate, what the venue closes takes its mate along."""

from collections import Counter
from pathlib import Path

import pytest

from engine.book.bodies import REDUCED
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.venues.live_port import VenueBill, VenueTrade
from tests.fakes.desks import BAR_MS
from tests.fakes.live_basket_desks import NAMES, PERPS, PRICE, BasketBench, on_basket_bench

LOTS = 1096  # of a leg of one pair


def closes(bench: BasketBench, leg: int, lots: int, number: str = "-7", word: str = "adl") -> None:
    """The venue closes lots of a leg; nobody has ordered it."""
    venue = bench.venue(leg)
    side = -1 if venue.net > 0 else 1
    venue.net += side * lots
    venue.executions.append(VenueTrade(number, f"x{number}", "", side, lots, PRICE, 0.2, False, bench.clock(), word))


@pytest.mark.parametrize("attaches", ["", "with", "beside"])
def test_pairs_that_share_a_leg_hold_one_net_position(path: Path, attaches: str) -> None:
    """Two pairs short BTC: one order and one stop a leg; what they have sums to it; they leave, and nothing is left there."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0, 2.0)
        assert bench.lots() == bench.there() == [-2 * LOTS, LOTS, LOTS]
        assert [bench.stops(leg) for leg in range(3)] == [[2 * LOTS], [LOTS], [LOTS]]
        assert len([id_ for id_ in bench.venue(0).asked_for("place") if id_[-3] == "E"]) == 1
        assert not bench.book.health
        await bench.close(back=(0, 1))
        assert bench.lots() == bench.there() == [0, 0, 0]
        assert [bench.stops(leg) for leg in range(3)] == [[], [], []]
        await bench.close()
        assert bench.book.basket is not None
        assert bench.book.basket.whole.ledger.trips == 2
        assert not bench.pages

    on_basket_bench(path, play, attaches)


def test_pairs_on_two_sides_of_a_leg_cross_inside(path: Path) -> None:
    """Short BTC in one pair and long in the other: no order of BTC; the crossing is booked at the open of the bar that closes."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0, -2.0)
        assert bench.there() == [0, LOTS, -LOTS]
        assert not bench.venue(0).asked_for("place")
        await bench.close()
        assert bench.lots() == [0, LOTS, -LOTS]
        assert [(pair.lots_a, pair.lots_b) for pair in bench.pairs[:2]] == [(-LOTS, LOTS), (LOTS, -LOTS)]
        assert not bench.alone()

    bench = on_basket_bench(path, play)
    (cross,) = bench.events("cross")
    assert {part["side"] for part in cross.body["parts"]} == {"buy", "sell"}


def test_an_order_that_turns_a_leg_over_brings_no_stop_of_the_wrong_side(path: Path) -> None:
    """BTC goes from short to long by one order; its one stop is on the new side."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        await bench.close(0.0, -2.0, back=(0,))
        assert bench.lots() == bench.there() == [LOTS, 0, -LOTS]
        stops = [o.order for o in bench.venue(0).orders.values() if o.order.slot == PROTECTIVE and o.state == "working"]
        assert [(order.side, order.price < PRICE) for order in stops] == [(-1, True)]
        assert not bench.pages

    on_basket_bench(path, play, "beside")


def test_the_laws_of_stops_count_what_the_venue_has_closed(path: Path) -> None:
    """Its ADL takes a short leg whole; later one order turns that leg from long to short: no law calls for a stop with it."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        closes(bench, 0, LOTS)
        await bench.after(90)
        await bench.close()
        assert bench.lots() == bench.there() == [0, 0, 0]
        person = {"by": "ann", "reason": "seen", "request": 0, "order": "", "lots": 0, "filled_lots": 0}
        bench.desk.take("adopt", {"difference": f"{REDUCED}{PERPS[0]}", **person})
        await bench.close(0.0, -2.0)
        await bench.close(2.0, 0.0, back=(1,))
        assert bench.lots() == bench.there() == [-LOTS, LOTS, 0]

    on_basket_bench(path, play, "with")


def test_a_refused_leg_cuts_its_mate_at_the_next_open(path: Path) -> None:
    """ETH is refused: BTC has filled, and is bought back at the next close; the reason is that its mate was not let in."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        bench.venue(1).script["place"] = ["rejected"]
        await bench.close(2.0)
        assert bench.there() == [-LOTS, 0, 0]
        assert bench.stops(0) == [LOTS]
        await bench.close()
        assert bench.there() == bench.lots() == [0, 0, 0]

    bench = on_basket_bench(path, play)
    last = bench.events("fill")[-1].body
    assert {part["reason"] for part in last["parts"]} == {"pair"}


def test_a_leg_that_fills_in_part_cuts_the_other_to_its_share(path: Path) -> None:
    """A quarter of ETH: three quarters of BTC leave at the next open, and the rest of ETH's order is withdrawn."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        bench.venue(1).fills = False
        await bench.close(2.0)
        (id_,) = [id_ for id_ in bench.venue(1).orders if id_[-3] == "E"]
        bench.venue(1).execute(id_, LOTS // 4)
        await bench.after(5)
        bench.venue(1).fills = True
        await bench.close()
        assert bench.there() == bench.lots() == [-LOTS // 4, LOTS // 4, 0]
        assert bench.venue(1).orders[id_].state == "done"
        assert [bench.stops(leg) for leg in range(2)] == [[LOTS // 4], [LOTS // 4]]

    on_basket_bench(path, play)


def test_what_is_listed_after_its_pair_has_left_leaves_again(path: Path) -> None:
    """ETH's execution is listed a bar late: its mate was cut by then, so it is cut at the next close; pairs sum all along."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.now(2.0)
        hidden = await bench.hidden(1, 3.0)
        await bench.close()
        assert bench.there() == [0, LOTS, 0]
        bench.venue(1).executions += hidden
        await bench.after(20)
        assert bench.lots() == [0, LOTS, 0]
        assert bench.alone() == [0]
        assert bench.stops(1) == [LOTS]
        await bench.close()
        assert bench.there() == bench.lots() == [0, 0, 0]
        assert not bench.book.differences

    on_basket_bench(path, play, "beside")


def test_what_nobody_lists_and_nothing_covers_is_flattened(path: Path) -> None:
    """ETH has filled, is not listed and has no stop: after fifteen seconds both legs leave; all of it is booked."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.now(2.0)
        hidden = await bench.hidden(1, 30.0)
        assert bench.there() == [0, 0, 0]
        bench.venue(1).executions += hidden
        await bench.after(20)
        assert bench.lots() == [0, 0, 0]
        await bench.close()
        assert bench.there() == bench.lots() == [0, 0, 0]
        assert not bench.book.differences

    on_basket_bench(path, play)


def test_an_order_without_an_answer_is_not_ordered_twice(path: Path) -> None:
    """BTC's exit came to the venue and its answer did not, nor is it listed: the next close orders nothing beside it."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        bench.venue(0).script["place"] = ["unanswered"]
        bench.venue(0).script["ask"] = ["silent"] * 10_000
        await bench.to_close()
        bench.now(back=(0,))
        hidden = await bench.hidden(0, 10.0)
        await bench.close()
        assert bench.there() == [0, 0, 0]
        assert len([id_ for id_ in bench.venue(0).asked_for("place") if id_[-3] == "X"]) == 1
        bench.venue(0).script["ask"].clear()
        bench.venue(0).executions += hidden
        await bench.after(60)
        assert bench.lots() == bench.there() == [0, 0, 0]

    on_basket_bench(path, play)


@pytest.mark.parametrize("word", ["adl", "liquidation"])
def test_what_the_venue_closes_of_a_leg_takes_its_mate_along(path: Path, word: str) -> None:
    """All of ETH by ADL: at the next close BTC leaves, and nothing enters until a person lets the desk go on."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        closes(bench, 1, LOTS, word=word)
        await bench.after(20)
        assert bench.lots() == bench.there() == [-LOTS, 0, 0]
        assert bench.stops(1) == []
        await bench.close(0.0, 2.0)
        assert bench.lots() == bench.there() == [0, 0, 0]
        assert set(bench.book.health) == {f"{REDUCED}{PERPS[1]}"}

    bench = on_basket_bench(path, play)
    fill = next(event.body for event in bench.events("fill") if event.body["order"] == "x-7")
    assert {part["reason"] for part in fill["parts"]} == {"liquidation"}


def test_a_part_that_the_venue_closes_is_shared_by_the_pairs_that_have_it(path: Path) -> None:
    """Two pairs short BTC, half of it is taken: both lose, both leave; the stop follows at once."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0, 2.0)
        closes(bench, 0, LOTS)
        await bench.after(20)
        assert bench.lots() == bench.there() == [-LOTS, LOTS, LOTS]
        assert bench.stops(0) == [LOTS]
        assert [pair.lots_a for pair in bench.pairs[:2]] == [-LOTS // 2, -LOTS // 2]
        await bench.close()
        await bench.close()
        assert bench.lots() == bench.there() == [0, 0, 0]

    on_basket_bench(path, play)


def test_a_stop_that_fires_takes_the_mate_along(path: Path) -> None:
    """The wide stop of ETH at the venue: BTC leaves at the next close."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        (id_,) = [id_ for id_, o in bench.venue(1).orders.items() if o.order.slot == PROTECTIVE and o.state == "working"]
        bench.venue(1).execute(id_, LOTS, 70.0, named=False)
        await bench.after(20)
        assert bench.lots() == [-LOTS, 0, 0]
        await bench.close()
        assert bench.lots() == bench.there() == [0, 0, 0]

    on_basket_bench(path, play)


def test_a_leg_without_a_stop_leaves_with_its_mate(path: Path) -> None:
    """The venue refuses the stop of ETH: after fifteen seconds both legs of its pair leave, and a person is woken."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        bench.venue(1).script["place"] = ["ok", *["rejected"] * 30]
        await bench.to_close()
        bench.now(2.0)
        await bench.after(12)
        assert bench.lots() == [-LOTS, LOTS, 0]
        assert any("no protective order at the venue" in page for page in bench.pages)
        bench.venue(1).script["place"].clear()
        bench.venue(1).script["place"] = ["rejected"]
        await bench.after(30)
        assert bench.lots() == bench.there() == [0, 0, 0]

    on_basket_bench(path, play)


def test_a_halt_takes_both_legs_out_at_once(path: Path) -> None:
    """Latched: exits leave, stops are withdrawn, the halt ends as killed."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0, 2.0)
        bench.latch = "a drill"
        await bench.after(30)
        assert bench.there() == bench.lots() == [0, 0, 0]
        assert [bench.stops(leg) for leg in range(3)] == [[], [], []]
        assert bench.book.state == "halted"
        assert any("KILLED" in page for page in bench.pages), bench.pages
        await bench.close(2.0)
        assert bench.there() == [0, 0, 0]

    on_basket_bench(path, play)


def test_a_halt_before_an_entry_is_listed_closes_what_it_has_filled(path: Path) -> None:
    """ETH has filled and nobody knows: the halt closes it, and the execution that is listed later is no difference."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.now(2.0)
        bench.latch = ""
        hidden = await bench.hidden(1, 0.5)
        bench.latch = "a drill"
        hidden += await bench.hidden(1, 3.0)
        bench.venue(1).executions += hidden
        await bench.after(60)
        assert bench.there() == bench.lots() == [0, 0, 0]
        assert not bench.book.differences

    on_basket_bench(path, play)


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.015, 0.05, 0.4])
def test_killed_while_an_entry_leaves(path: Path, delay_s: float) -> None:
    """Wherever the process dies, the next one ends with both legs or none at the close after."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.now(2.0, 2.0)
        await bench.after(delay_s)
        await bench.again()
        await bench.after(60)
        await bench.close()
        await bench.after(60)
        await bench.close()
        assert bench.lots() == bench.there()
        assert not bench.alone()
        assert not bench.book.differences
        for leg, lots in enumerate(bench.lots()):
            assert sum(bench.stops(leg)) == abs(lots)

    on_basket_bench(path, play)


def test_nothing_is_entered_while_the_desk_is_not_well(path: Path) -> None:
    """Pairs that were ordered and have not filled are withdrawn; a pair that is in stays with both legs and stops."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        for venue in bench.venues.values():
            venue.fills = False
        await bench.close(0.0, 2.0, settle=1.0)
        assert (
            len([o for v in bench.venues.values() for o in v.orders.values() if o.state == "working" and o.order.slot == ENTRY])
            == 2
        )
        bench.desk.take("health", {"what": "stream", "state": "begun", "why": "silent"})
        await bench.after(10)
        assert not [o for v in bench.venues.values() for o in v.orders.values() if o.state == "working" and o.order.slot == ENTRY]
        assert bench.lots() == bench.there() == [-LOTS, LOTS, 0]
        assert not bench.pairs[1].side

    on_basket_bench(path, play)


def test_a_bill_that_comes_after_the_position_has_left_is_borne_by_a_pair(path: Path) -> None:
    """Pairs sum to legs, which bear what the venue has billed."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        billed_ms = bench.clock()
        await bench.close(back=(0,))
        bench.venue(0).billed.append(VenueBill("b1", -1.25, billed_ms))
        await bench.poll(0).bills()
        assert bench.book.sleeves[0].ledger.funding == -1.25

    bench = on_basket_bench(path, play)
    (bill,) = bench.events("funding")
    assert sum(part["cash_flow"] for part in bill.body["parts"]) == pytest.approx(-1.25)


def test_executions_of_two_legs_with_one_number_are_two(path: Path) -> None:
    """Some venues number executions by instrument: neither is lost as a copy of the other."""

    async def play(bench: BasketBench) -> None:
        for venue in bench.venues.values():
            venue.numbers = 0
        await bench.start()
        await bench.close(2.0)
        assert bench.lots() == bench.there() == [-LOTS, LOTS, 0]

    bench = on_basket_bench(path, play)
    assert Counter(event.body["sleeve"] for event in bench.events("fill")) == {NAMES[0]: 1, NAMES[1]: 1}
    assert BAR_MS
    assert EXIT_SLOT
