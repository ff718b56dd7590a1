"""Why a pair traded nothing, from what a mark says of it: what the core asked last is what is named."""

from typing import Any

import pytest

from engine.watch.pair_reasons import reason_of, reasons_of
from tests.fakes.basket_desks import PaperBasket
from tests.fakes.baskets import swinging

TERMS = {"enter": 2.0, "stop": 4.0}
FLAT: dict[str, Any] = {"pair": "A-USDT B-USDT", "side": "flat", "z": 3.0, "hedge": 1.0, "pnl": 0.0}


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"hedge": None, "z": None}, "no fit of the spread", "no hedge ratio above 0"),
        ({"z": None}, "a leg has no bar", "its spread is not known"),
        ({"z": -1.99}, "spread below entry", "spread -1.99 deviations, below the entry at 2"),
        ({"z": 4.0}, "spread beyond its stop", "beyond the stop at 4"),
        ({"refused_by": "orders a minute"}, "orders a minute", "refused by orders a minute"),
        ({}, "cooling after a stop", "waits after a stop until its spread has been inside 2"),
        ({"side": "long", "entering": True}, "entered", "long, entry ordered"),
        ({"side": "short", "leaving": "pair"}, "leaving a pair", "short, leaves by pair"),
        ({"side": "short"}, "in a pair", "short, spread +3.00"),
    ],
)
def test_each_reason_is_told_apart(more: dict[str, Any], kind: str, words: str) -> None:
    """By what the mark has, in the order in which the core asks."""
    found = reason_of(FLAT | more, TERMS)
    assert found.kind == kind
    assert words in found.text
    assert found.rule == ("refused_by" in more)


def test_a_desk_gives_the_reason_that_its_core_had() -> None:
    """Every close of a basket with a near stop: a pair that is out beyond its entry was refused, or cools down."""
    case = swinging(2, 100)
    case = case._replace(terms=case.terms._replace(enter=1.0, stop=1.6))
    desk, seen = PaperBasket(case), set[str]()
    terms = case.terms._asdict()
    for t in range(100):
        desk.bar(t)
        _, _, following = next(event for event in reversed(desk.events) if event[0] == "bar")
        mark = next(body for kind, body in reversed(following) if kind == "mark")
        for pair, one in zip(desk.book.basket.pairs, reasons_of(mark, terms), strict=True):
            seen.add(one.kind)
            assert (one.kind == "cooling after a stop") <= (pair.armed == 0 and pair.side == 0), t
            assert (one.kind == "entered") == bool(pair.entering)
            assert (one.kind in ("entered", "in a pair", "leaving a pair")) == bool(pair.side)
    assert {"cooling after a stop", "spread below entry", "spread beyond its stop", "in a pair", "entered"} <= seen
