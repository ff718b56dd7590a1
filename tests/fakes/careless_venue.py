"""A venue that does everything a venue may do wrong, and knows what is true: for the storms over orders.

It is not PaperVenue and shares nothing with it. A request may be taken, refused, lost on the way, taken without an answer, or
acknowledged and then lost. Any standing order may fill at any time, also one that is being cancelled or amended. What it has to
say lies in a mailbox, from which the storm takes it in any order, late or twice. It is honest when it is asked.
"""

import random
from dataclasses import dataclass
from typing import Any

from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY
from engine.ports import Execution, OrderReport, Report


@dataclass
class Standing:
    """An order as the venue knows it."""

    id: str
    slot: int
    layer: tuple[int, int]  # sleeve and key
    side: int
    lots: int
    price: float
    filled: int = 0
    ended: str = ""  # done or rejected
    fixed: bool = False  # it refuses every amendment, as long as there are faults

    @property
    def report(self) -> OrderReport:
        """How it stands, in full."""
        state = self.ended or (PARTIAL if self.filled else WORKING)
        if self.ended:
            return OrderReport(self.id, state, self.filled)
        return OrderReport(self.id, state, self.filled, "", self.price, self.lots)


class CarelessVenue:
    """`calm` ends the faults: from then on every request is taken and answered."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.calm = dice, False
        self.orders: dict[str, Standing] = {}
        self.held: dict[tuple[int, int], int] = {}  # lots of each layer, without the side: the truth
        self.mail: list[Report] = []
        self.trades: list[Execution] = []
        self.last = 100.0

    def _one_of(self, **chances: float) -> str:
        """What happens; the rest of the chances is `taken`."""
        at = self.dice.random()
        for what, chance in chances.items():
            at -= chance
            if at < 0.0 and not self.calm:
                return what
        return "taken"

    def place(self, order: VenueOrder) -> None:
        """A new order comes, or does not."""
        assert order.id not in self.orders, f"{order.id} is used twice"
        what = self._one_of(rejected=0.06, lost=0.06, unanswered=0.08, silent=0.05, dropped=0.04)
        new = Standing(order.id, order.slot, (order.sleeve, order.key), order.side, order.lots, order.price)
        new.fixed = self._one_of(fixed=0.4) == "fixed"
        self.orders[order.id] = new
        if what in ("rejected", "lost"):
            new.ended = REJECTED
        if what == "dropped":
            new.ended = DONE
        if what in ("lost", "unanswered"):
            self.mail.append(OrderReport(order.id, UNKNOWN, 0, "no answer"))
        elif what == "dropped":
            self.mail.append(OrderReport(order.id, WORKING))
        elif what != "silent":
            self.mail.append(new.report)

    def amend(self, order: VenueOrder, price: float, lots: int) -> None:
        """A standing order is to stand elsewhere."""
        held = self.orders[order.id]
        what = self._one_of(refused=0.15, lost=0.1, silent=0.1)
        if held.ended:
            self.mail.append(held.report)
            return
        if what not in ("refused", "lost") and (not held.fixed or self.calm):
            held.price, held.lots = price, lots
            if lots <= held.filled:
                held.ended = DONE
        if what not in ("lost", "silent"):
            self.mail.append(held.report)

    def cancel(self, order: VenueOrder) -> None:
        """An order is to end; it may fill before."""
        held = self.orders[order.id]
        what = self._one_of(lost=0.1, silent=0.1, filled=0.15)
        if what == "filled":
            self.fill(held)
        if what != "lost" and not held.ended:
            held.ended = DONE
        if what not in ("lost", "silent"):
            self.mail.append(held.report)

    def ask(self, id_: str) -> OrderReport:
        """How an order stands; one that never came is rejected."""
        return self.orders[id_].report

    def room(self, order: Standing) -> int:
        """Lots that it can fill: exits are reduce-only."""
        left = order.lots - order.filled
        return left if order.slot == ENTRY else min(left, self.held.get(order.layer, 0))

    def fill(self, order: Standing) -> None:
        """An execution, whole or in part, with its order's report before it, after it, or not at all."""
        lots = self.room(order)
        if order.ended or lots <= 0:
            return
        if self.dice.random() < 0.5:
            lots = self.dice.randint(1, lots)
        order.filled += lots
        step = lots if order.slot == ENTRY else -lots
        self.held[order.layer] = self.held.get(order.layer, 0) + step
        if order.filled >= order.lots:
            order.ended = DONE
        price = order.price or self.last
        maker = self.dice.random() < 0.5
        trade = Execution(f"t{len(self.trades)}", order.id, lots, price, price * lots * 1e-6, maker, price, 0)
        self.trades.append(trade)
        self.mail.append(trade)
        if self.dice.random() < 0.5:
            self.mail.append(order.report)

    def standing(self) -> list[Standing]:
        """What is not over."""
        return [order for order in self.orders.values() if not order.ended]

    def sweep(self) -> None:
        """Exits with nothing left to reduce are ended by the venue, as reduce-only orders are."""
        for order in self.standing():
            if order.slot != ENTRY and self.held.get(order.layer, 0) == 0:
                order.ended = DONE
                self.mail.append(order.report)

    def trade(self) -> None:
        """Some standing order fills."""
        found = [order for order in self.standing() if self.room(order) > 0]
        if found:
            self.fill(self.dice.choice(found))

    def next_mail(self, again: float) -> tuple[str, Any] | None:
        """One thing that it has to say, in any order; with chance `again` it will be said once more."""
        if not self.mail:
            return None
        at = 0 if self.calm else self.dice.randrange(len(self.mail))
        found = self.mail[at] if self.dice.random() < again else self.mail.pop(at)
        return ("fill" if isinstance(found, Execution) else "order"), found
