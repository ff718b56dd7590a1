"""A basket on paper against its backtest: the same bits at every close, over markets with everything that a feed can do wrong."""

import math
from collections import Counter

import numpy as np
import pytest

from engine.book.basket_book import memory_of
from engine.book.basket_events import pair_name
from engine.book.book import Book
from engine.book.order_events import is_entry
from engine.core.basket import BasketMemory, pair_value
from engine.core.ledger import open_lots
from engine.core.orders import CANCELLING, ENDED, SENT
from engine.core.state import PROTECTIVE
from engine.live.requests import entries_of
from tests.engine.core.test_basket import COARSE, FAIR, FAR, legs, without_margin
from tests.engine.core.test_basket_storm import sums_hold
from tests.fakes.basket_desks import PaperBasket
from tests.fakes.baskets import LEG, BasketCase, hostile, inputs

BARS = 60


def core_of(book: Book) -> BasketMemory:
    """The core's arrays of a desk."""
    assert book.basket is not None
    return memory_of(book.basket, book.sleeves, [spec.rules for spec in book.specs], book.bars)[0]


def check(book: Book) -> None:
    """After every event: pairs sum to legs and to the basket; one protective order a leg, for all that it has."""
    assert book.basket is not None
    sums_hold(core_of(book), book.basket.whole)
    assert not book.differences


def same_as_its_backtest(case: BasketCase, *, restarts: int = 0) -> Counter[str]:
    """Equity and what each pair has made at every close, and all of the state at the end, bit by bit; events by kind."""
    desk, found = PaperBasket(case, check), case.run()
    for t in range(len(found.equity)):
        desk.bar(t)
        m = core_of(desk.book)
        assert desk.book.desk.equity == found.equity[t], f"equity at bar {t}"
        assert [pair_value(m, p) for p in range(len(case.pairs))] == found.values[t].tolist(), f"pairs at bar {t}"
        if restarts and t % restarts == 0:
            desk.restarted()
    book, basket = desk.book, desk.book.basket
    assert basket is not None
    assert (basket.whole, basket.pairs, book.sleeves, book.desk) == (found.book, found.pairs, found.legs, found.desk)
    kinds = Counter(kind for kind, *_ in desk.events)
    kinds["liquidation"] = sum(bool(body.get("liquidation")) for kind, body, _ in desk.events if kind == "fill")
    kinds["delisted"] = sum(bool(body.get("delisted")) for kind, body, _ in desk.events)
    kinds["stop"] = sum(body.get("slot") == "protective" for kind, body, _ in desk.events if kind == "fill")
    return kinds


def test_paper_is_the_backtest_bit_by_bit() -> None:
    """Partial fills, holes, gaps that stop a leg, legs that end, crossing inside, a halt by the desk's breaker."""
    kinds = Counter[str]()
    for seed, bars in ((252, 60), (192, 60), (72, 100), (1, 60), (2, 60)):  # the last two in the other fill modes
        kinds += same_as_its_backtest(hostile(seed, bars))
    assert all(kinds[kind] for kind in ("fill", "cross", "funding", "order", "stop", "delisted")), kinds


@pytest.mark.long
def test_paper_is_the_backtest_over_300_markets() -> None:
    """The same over as many as an hour has time for."""
    fills = sum(same_as_its_backtest(hostile(seed))["fill"] for seed in range(100, 400))
    assert fills > 10_000


def test_margin_that_is_gone_closes_every_leg_on_paper_too() -> None:
    """At the worst prices of the bar, in the place of each leg's stop."""
    kinds = same_as_its_backtest(without_margin())
    assert kinds["liquidation"] == 2


def test_a_leg_that_ends_while_its_pairs_cancel_out_crosses_inside() -> None:
    """Nothing of it is at the venue: no order, no execution, and both pairs are out of it."""
    up, down = FAIR * math.exp(0.025), FAIR * math.exp(-0.025)
    opens, closes = legs([FAIR, *[up] * 5], [FAIR, *[down] * 5], [FAIR] * 6)
    opens[4:, 2] = closes[4:, 2] = math.nan
    rules = [LEG._replace(lot_size=size) for size in (1e-6, 1e-6, 0.001)]
    case = BasketCase(inputs(opens, closes, pairs=2, ends=np.array([-1, -1, 3])), rules, [(0, 2), (1, 2)])
    kinds = same_as_its_backtest(case)
    assert (kinds["cross"], kinds["delisted"]) == (2, 1), "at the entry, and at the end"


@pytest.mark.parametrize("seed", [252, 72])
def test_a_start_from_a_snapshot_goes_on_to_the_same_bits(seed: int) -> None:
    """Every third bar the desk is what its snapshot says, and its venue what the journal's orders say."""
    assert same_as_its_backtest(hostile(seed, 60), restarts=3)["fill"] > 20


def orders_are_covered(book: Book) -> None:
    """A leg with lots has one stop at its venue, of exactly these lots and at its level; one without has none."""
    for s, sleeve in enumerate(book.sleeves):
        lots = open_lots(sleeve.position)
        stops = [o for o in book.orders.open.values() if o.sleeve == s and o.slot == PROTECTIVE and o.state not in ENDED]
        standing = [(o.left, o.price) for o in stops if o.state not in (CANCELLING, SENT) and not o.amending]
        assert [left for left, _ in standing] == ([lots] if lots else []), f"leg {s}"


def test_each_leg_has_one_stop_for_all_that_it_has() -> None:
    """At every close, whatever was entered, cut, crossed or turned over."""
    case = hostile(192, BARS)
    desk, covered = PaperBasket(case), 0
    for t in range(BARS):
        desk.bar(t)
        orders_are_covered(desk.book)
        covered += any(open_lots(sleeve.position) for sleeve in desk.book.sleeves)
    assert covered > BARS // 4


def test_an_order_says_what_each_pair_wants_of_it() -> None:
    """Net of a leg: the parts of its intent sum to its lots but for what the venue's least order keeps back."""
    desk, seen = PaperBasket(hostile(192, BARS)), 0
    for t in range(BARS):
        desk.bar(t)
    for _, _, following in desk.events:
        for kind, body in following:
            if kind == "intent" and body["slot"] in ("entry", "exit"):
                side = 1 if body["side"] == "buy" else -1
                assert 0 < body["lots"] <= side * sum(body["parts"].values())
                seen += 1
    assert seen > 60


def test_parts_of_an_execution_sum_to_it() -> None:
    """With what crosses inside on both sides."""
    desk, crossed = PaperBasket(hostile(192, BARS)), 0
    for t in range(BARS):
        desk.bar(t)
    for kind, body, _ in desk.events:
        if kind not in ("fill", "cross"):
            continue
        signed = sum(part["lots"] * (1 if part["side"] == "buy" else -1) for part in body["parts"])
        outside = body["lots"] * (1 if body["side"] == "buy" else -1) if kind == "fill" else 0
        assert signed == outside
        assert sum(part["fee"] for part in body["parts"]) == pytest.approx(body.get("fee", 0.0))
        crossed += {part["side"] for part in body["parts"]} == {"buy", "sell"}
    assert crossed


def test_a_stop_that_filled_in_part_follows_what_its_leg_has_left() -> None:
    """Ten of b's 25 units leave by the stop, ten at the next open; the last five by the stop, which has no more than these."""
    volume = np.full((7, 2), 1e6)
    volume[3, 1] = 100.0
    opens, closes = legs([FAIR, *[FAR] * 6], [FAIR, FAIR, FAIR, *[50.0] * 4])
    case = BasketCase(inputs(opens, closes, volume=volume), [COARSE] * 2, [(0, 1)])
    assert same_as_its_backtest(case)["stop"] == 2


def test_an_order_that_ends_pairs_alone_lets_nothing_in() -> None:
    """Also where it adds to what its leg has net: a halt or an unverified journal keeps back what enters, and nothing else."""
    seen = Counter[tuple[str, bool]]()
    desk = PaperBasket(hostile(192, BARS))
    for t in range(BARS):
        desk.bar(t)
        _, _, following = next(event for event in reversed(desk.events) if event[0] == "bar")
        pairs = {pair_name(desk.book, p): pair for p, pair in enumerate(desk.book.basket.pairs)}
        intents = [body for kind, body in following if kind == "intent" and body["slot"] in ("entry", "exit")]
        for body in intents:
            entering = body["slot"] == "entry" and any(pairs[name].entering for name in body["parts"])
            seen[body["slot"], entering] += 1
            assert is_entry(desk.book, desk.book.orders.open[body["order"]]) == entering
            assert (body["order"] in entries_of(following)) == entering
    assert all(seen[key] for key in (("entry", True), ("entry", False), ("exit", False))), seen
