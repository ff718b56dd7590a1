"""A basket on a desk: what the book knows of it beside its legs, which are the desk's sleeves, and how the core sees both.

Values and lists; engine/book/basket_moves.py moves them, snapshot.py writes them down and back. A leg's sleeve has no cash of its
own: what it shows is its part of the basket's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.core.basket import NO_LEG_ORDER, Basket, BasketMemory, LegOrder, PairBook, SpreadTerms, no_pair
from engine.core.state import TRIPS_KEPT, Bar, Rules, Signal, Sleeve, start

ROWS_A_PAIR = 8  # room for the rows that one event makes of a pair; running out is a programmer's error
FIT = 3  # numbers of one: hedge, intercept, deviation


@dataclass
class BasketBook:
    """Everything of a basket that is not a leg's sleeve."""

    source: Mapping[str, Any]  # as the config event has it: name, version, cash, terms, pairs
    whole: Basket
    pairs: list[PairBook]
    orders: list[LegOrder]  # one a leg
    recent_r: list[float]
    marks: list[float]  # last price of each leg
    fits: list[list[float]] = field(default_factory=list)  # of each pair at the last bar: hedge, intercept, deviation
    logs: list[list[float]] = field(default_factory=list)  # log closes of the legs, as many bars as momentum looks back
    parts: dict[str, list[int]] = field(default_factory=dict)  # at an account: order -> lots that each pair may still get of it

    @property
    def name(self) -> str:
        """The basket's, which is that of its configuration."""
        return str(self.source["name"])

    @property
    def terms(self) -> SpreadTerms:
        """What new pairs are traded by."""
        return SpreadTerms(**self.source["terms"])

    @property
    def part(self) -> float:
        """The part of the basket's cash that a leg is shown with."""
        return float(self.source["cash"]) / len(self.orders)

    @property
    def at_rest(self) -> bool:
        """No pair has, wants or orders anything."""
        return not any(pair.lots_a or pair.lots_b or pair.want_a or pair.want_b for pair in self.pairs)

    def looks_back(self) -> int:
        """How many bars of log closes are needed: those of momentum, and the last."""
        return max([self.terms.momentum_bars, *(pair.momentum_bars for pair in self.pairs if pair.side != 0)]) + 1


class At(Sequence[Any]):
    """A column of the core of which only the values from `first` on are at hand."""

    def __init__(self, values: Sequence[Any], first: int) -> None:
        self.values, self.first = values, first

    def __getitem__(self, i: Any) -> Any:
        return self.values[i - self.first]

    def __len__(self) -> int:
        return self.first + len(self.values)


def begun(source: Mapping[str, Any], legs: int) -> BasketBook:
    """A basket that has not traded."""
    cash, pairs = float(source["cash"]), [no_pair(a, b) for a, b in source["pairs"]]
    new = start(cash)
    whole = Basket(cash, new.ledger, new.guard, 0)
    return BasketBook(source, whole, pairs, [NO_LEG_ORDER] * legs, [0.0] * TRIPS_KEPT, [0.0] * legs)


def adopt_terms(basket: BasketBook, body: Mapping[str, Any]) -> None:
    """A configuration governs the next entry of each pair; what is in keeps the levels that it was entered with, unless a person
    approved the change for what is open (`to_open`).
    """
    basket.source, terms = dict(body["basket"]), SpreadTerms(**body["basket"]["terms"])
    if basket.name in body.get("to_open", ()):
        moved = (pair._replace(momentum_bars=terms.momentum_bars, leave=terms.leave, stop=terms.stop) for pair in basket.pairs)
        basket.pairs = [new if new.side != 0 else pair for new, pair in zip(moved, basket.pairs, strict=True)]


def memory_of(
    basket: BasketBook,
    legs: list[Sleeve],
    rules: Sequence[Rules],
    bars: Sequence[Bar],
    costs: Sequence[Signal] = (),
    ended: Sequence[int] = (),
) -> tuple[BasketMemory, int]:
    """(the core's arrays of a basket at its last bar, which bar that is by the log closes at hand).

    bars, costs: one a leg; ended: legs whose bars end here.
    """
    t, k, count = max(len(basket.logs) - 1, 0), len(legs), len(basket.pairs)
    fits, costs = basket.fits or [[math.nan] * FIT] * count, costs or [Signal(0, *(math.nan,) * 5, 0.0, 0, 1)] * k

    def of_costs(name: str) -> At:
        return At([getattr(cost, name) for cost in costs], t * k)

    m = BasketMemory(
        bars=At(bars, t * k),
        legs=legs,
        rules=rules,
        pairs=basket.pairs,
        orders=basket.orders,
        hedge=At([fit[0] for fit in fits], t * count),
        intercept=At([fit[1] for fit in fits], t * count),
        deviation=At([fit[2] for fit in fits], t * count),
        logs=[log for row in basket.logs for log in row],
        slip=of_costs("slip_frac"),
        impact=of_costs("impact"),
        range_times=of_costs("range_times"),
        volume_times=of_costs("volume_times"),
        ends=[t if leg in ended else -1 for leg in range(k)],
        recent_r=basket.recent_r,
        marks=basket.marks,
        taken=[0.0] * k,
        ordered=[0.0] * k,
        wants=[0] * count,
        parts=[0] * count,
        rows=[None] * (ROWS_A_PAIR * count + 8),
    )
    return m, t
