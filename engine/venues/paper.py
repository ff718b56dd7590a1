"""The paper venue: it takes orders, fills them on closed bars, and returns executions like any venue (engine.ports.Venue).

Called by engine.live.loop: requests as they are decided, `trade` once a bar and sleeve. It decides what fills with
engine.core.fills and engine.core.exits, in the order of core/sim_venue.py, so a backtest and the desk get the same fills; it
keeps no ledger. What it holds is what the journal says was placed: a start builds it from the open orders. Trade ids follow
from order and bar alone.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.core.exits import ambiguous, reached
from engine.core.fills import ends, market_exit, match_entry, resting_exit
from engine.core.ledger import funding_cash
from engine.core.orders import CANCELLING, DONE, PARTIAL, REJECTED, WORKING, VenueOrder
from engine.core.state import (
    ENTRY,
    EXIT_SLOT,
    NO_ORDER,
    NONE,
    PROTECTIVE,
    STOP,
    TARGET_SLOT,
    Bar,
    Cost,
    Fill,
    Order,
    Position,
    Rules,
)
from engine.ports import Execution, FundingBill, OrderReport, Report

HELD_STATES = (WORKING, PARTIAL, CANCELLING)  # states of an order that the venue holds
KEPT = 1_000  # requests remembered, for whoever looks

Deliver = Callable[[Report], None]  # the desk books the report and acts, which may place, amend or cancel orders here


class PaperRequest(NamedTuple):
    """One thing the venue was asked."""

    what: str  # place, amend, cancel
    order: str
    slot: int


class Account(NamedTuple):
    """What fills of one sleeve are simulated with: its position, rules and slippage as the bar opens."""

    name: str  # of the sleeve
    sleeve: int  # index in the book
    position: Position
    rules: Rules
    cost: Cost


class PaperVenue:
    """Orders by client id; asking twice for the same one places it once."""

    def __init__(self, held: Iterable[VenueOrder] = ()) -> None:
        """`held`: the open orders of the journal; those that it says were confirmed stand here."""
        self._orders: dict[int, dict[str, VenueOrder]] = {}  # sleeve -> id -> order
        for order in held:
            if order.state in HELD_STATES:
                self._of(order.sleeve)[order.id] = order
        self.requests: list[PaperRequest] = []
        self._taken: dict[int, float] = {}  # base units filled in the bar, a column of bars

    @property
    def orders(self) -> dict[str, VenueOrder]:
        """What stands here, by client id."""
        return {id_: order for mine in self._orders.values() for id_, order in mine.items()}

    def place(self, order: VenueOrder) -> OrderReport:
        """Take an order; the same client id again changes nothing."""
        mine = self._of(order.sleeve)
        if order.id not in mine:
            self._remember("place", order)
            mine[order.id] = order
        return OrderReport(order.id, WORKING, mine[order.id].filled)

    def amend(self, order: VenueOrder, price: float, lots: int) -> OrderReport:
        """Let a standing order stand elsewhere."""
        held = self._of(order.sleeve).get(order.id)
        if held is None:
            return self.ask(order)
        self._remember("amend", order)
        self._of(order.sleeve)[order.id] = held._replace(price=price, lots=lots)
        return OrderReport(order.id, WORKING, held.filled, "", price, lots)

    def cancel(self, order: VenueOrder) -> OrderReport:
        """End an order; one that never came has ended too."""
        held = self._of(order.sleeve).pop(order.id, None)
        if held is not None:
            self._remember("cancel", order)
        return OrderReport(order.id, DONE, (held or order).filled, "cancelled")

    def ask(self, order: VenueOrder) -> OrderReport:
        """How an order stands; one that is not here has ended, or never came."""
        held = self._of(order.sleeve).get(order.id)
        if held is not None:
            return OrderReport(order.id, WORKING, held.filled, "", held.price, held.lots)
        return OrderReport(order.id, DONE if order.filled else REJECTED, order.filled, "the venue does not know it")

    def open_orders(self) -> list[str]:
        """Client ids of what stands here."""
        return list(self.orders)

    def _of(self, sleeve: int) -> dict[str, VenueOrder]:
        """The orders of one sleeve."""
        return self._orders.setdefault(sleeve, {})

    def begin_bar(self) -> None:
        """A new bar: nothing of its volume is taken yet."""
        self._taken.clear()

    def trade(self, account: Account, bar: Bar, deliver: Deliver) -> bool:
        """Fill one sleeve's orders on a usable bar, reporting each thing as it happens. True when the bar was ambiguous.

        At the open: funding, orders that leave at the market (newest layer first), the entry. Inside the bar: protective and
        target orders, those included that the desk places once its entry is reported.
        """
        if bar.funding_mark > 0.0 and account.position.open_layers > 0:
            cash = funding_cash(account.position, account.rules, bar.funding_mark, bar.funding_rate)
            bill = f"{account.name}@{bar.close_ms}"
            deliver(FundingBill(bill, account.name, bar.funding_mark, bar.funding_rate, cash, bar.close_ms))
        for found in self._leaving(account.sleeve):
            order = self._of(account.sleeve).get(found.id)
            if order is not None:
                given = (order.slot, NONE, order.key, 0, order.left, -order.side, account.rules, account.cost, bar)
                self._fill(account, market_exit(*given, self._taken_of(account)), order, bar, deliver)
        inside = self._entry(account, bar, deliver)
        return self._resting(account, bar, inside, deliver)

    def _entry(self, account: Account, bar: Bar, deliver: Deliver) -> int:
        """The entry order at this bar. Returns the key of the layer that a resting one opened inside the bar; -1 for none."""
        order = next((o for o in self._of(account.sleeve).values() if o.slot == ENTRY), None)
        if order is None:
            return -1
        entry = as_entry(order)
        fill = match_entry(entry, 0, account.rules, account.cost, bar, self._taken_of(account))
        self._fill(account, fill, order, bar, deliver)
        held = self._of(account.sleeve).get(order.id)
        if held is not None and ends(entry, bar, account.rules):
            del self._of(account.sleeve)[order.id]
            deliver(OrderReport(order.id, DONE, held.filled, "not filled in time"))
        return order.key if fill.lots > 0 and fill.maker != 0 else -1

    def _resting(self, account: Account, bar: Bar, inside: int, deliver: Deliver) -> bool:
        """Protective and target orders inside the bar, newest layer first."""
        unclear = False
        for key in sorted(self._keys(account.sleeve), reverse=True):
            stop, target = self._order(account.sleeve, PROTECTIVE, key), self._order(account.sleeve, TARGET_SLOT, key)
            if (
                stop is None
                or stop.state == PARTIAL
                or stop.filled > 0
                or self._order(account.sleeve, EXIT_SLOT, key) is not None
            ):
                continue
            side, level, within = -stop.side, target.price if target is not None else 0.0, 1 if key == inside else 0
            given = (side, stop.price, level, bar, account.rules.tick)
            unclear = unclear or ambiguous(*given, within)
            which, price = reached(*given, account.rules.mode, within)
            order = stop if which == STOP else target
            if which != NONE and order is not None:
                market = (account.rules, account.cost, bar, self._taken_of(account))
                self._fill(account, resting_exit(which, price, key, 0, order.left, side, *market), order, bar, deliver)
        return unclear

    def _fill(self, account: Account, fill: Fill, order: VenueOrder, bar: Bar, deliver: Deliver) -> None:
        """Report a fill; its units are taken from the bar, and a filled order is gone."""
        if fill.lots <= 0:
            return
        self._taken[account.rules.bars] = self._taken_of(account) + fill.lots * account.rules.lot_size
        filled = order.filled + fill.lots
        if filled >= order.lots:
            del self._of(order.sleeve)[order.id]
        else:
            self._of(order.sleeve)[order.id] = order._replace(filled=filled, state=PARTIAL)
        trade = f"{order.id}@{bar.close_ms}"
        price, fee, maker = fill.price, fill.fee, fill.maker != 0
        deliver(Execution(trade, order.id, fill.lots, price, fee, maker, fill.reference_price, fill.t_ms))

    def _leaving(self, index: int) -> list[VenueOrder]:
        """Orders that leave at this open: exits at the market, and what is left of protective orders that filled in part."""
        found = [o for o in self._of(index).values() if o.slot == EXIT_SLOT or (o.slot == PROTECTIVE and o.filled > 0)]
        return sorted(found, key=lambda o: -o.key)

    def _keys(self, index: int) -> set[int]:
        return {o.key for o in self._of(index).values() if o.slot == PROTECTIVE}

    def _order(self, index: int, slot: int, key: int) -> VenueOrder | None:
        return next((o for o in self._of(index).values() if (o.slot, o.key) == (slot, key)), None)

    def _taken_of(self, account: Account) -> float:
        return self._taken.get(account.rules.bars, 0.0)

    def _remember(self, what: str, order: VenueOrder) -> None:
        self.requests.append(PaperRequest(what, order.id, order.slot))
        del self.requests[:-KEPT]


def as_entry(order: VenueOrder) -> Order:
    """An entry order as the core matches it."""
    return NO_ORDER._replace(
        key=order.key,
        side=order.side,
        lots=order.left,
        decided_ms=order.decided_ms,
        limit=order.price,
        post_only=order.post_only,
        good_for=order.good_for,
    )
