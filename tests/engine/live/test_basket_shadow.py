"""A basket whose account would refuse legs: no pair has one leg for longer than a bar, and margin is asked for what opens."""

import random
from collections import Counter
from types import SimpleNamespace as Stub
from typing import Any

from engine.book.basket_moves import leg_enters
from engine.core.orders import VenueOrder
from engine.core.state import ENTRY, EXIT_REASONS, PAIR
from engine.live.shadow import opened_part
from engine.venues.shadow import ShadowVenue
from tests.engine.book.test_basket_desk import check
from tests.fakes.basket_desks import PaperBasket
from tests.fakes.baskets import swinging

BARS = 120


def with_refusals(seed: int, chance: float) -> tuple[PaperBasket, Counter[str]]:
    """A basket in shadow of an account that would refuse so many entries of legs; what was seen at its closes."""
    dice, seen = random.Random(seed), Counter[str]()

    def refuses(order: VenueOrder) -> str:
        return "no margin" if leg_enters(desk.book, order.sleeve) and dice.random() < chance else ""

    desk = PaperBasket(swinging(seed, BARS), check, ShadowVenue((), refuses, lambda _order, why: seen.update([why or "left"])))
    alone: Counter[int] = Counter()
    for t in range(BARS):
        desk.bar(t)
        assert desk.book.basket is not None
        for p, pair in enumerate(desk.book.basket.pairs):
            is_alone = (pair.lots_a == 0) != (pair.lots_b == 0)
            alone[p] = alone[p] + 1 if is_alone else 0
            seen["alone"] += is_alone
            assert alone[p] <= 1, f"pair {p} is alone at bar {t}, for {alone[p]} closes"
    return desk, seen


def test_a_leg_that_would_be_refused_cuts_its_mate_at_the_next_open() -> None:
    """A third of all entries of legs, over three markets: what has filled beside one leaves for that reason."""
    for seed in (1, 2, 3):
        desk, seen = with_refusals(seed, 0.3)
        assert seen["alone"] > 5
        assert seen["no margin"] > 10
        fills = [body for kind, body, _ in desk.events if kind == "fill"]
        cut = [part for body in fills for part in body["parts"] if part.get("reason") == EXIT_REASONS[PAIR]]
        assert len(cut) >= 5


def test_without_a_refusal_no_leg_is_ever_alone() -> None:
    """So what was cut was cut for the refusal."""
    assert with_refusals(1, 0.0)[1]["alone"] == 0


def test_margin_is_asked_for_what_opens() -> None:
    """A leg that turns over closes what it has first: that needs none."""

    def part(side: int, held: int, lots: int) -> float:
        layers = [Stub(lots=held)] + [Stub(lots=0)] * 4
        book: Any = Stub(basket=Stub(), sleeves=[Stub(position=Stub(side=side, layers=layers))])
        return opened_part(book, VenueOrder("nd", 0, ENTRY, 1, -1, lots, 0.0, 0, 1, 0.0, 0.0, 0))

    assert part(1, 30, 40) == 0.25
    assert part(1, 50, 40) == 0.0
    assert part(-1, 30, 40) == part(0, 0, 40) == 1.0
