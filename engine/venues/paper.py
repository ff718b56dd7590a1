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
from engine.core.guardrails import is_turning
from engine.core.ledger import funding_cash
from engine.core.liquidation import closing_price, comes_first, first_level, liquidation_fill, liquidation_level
from engine.core.orders import CANCELLING, DONE, PARTIAL, REJECTED, WORKING, VenueOrder
from engine.core.slices import takes
from engine.core.state import (
    DELISTED,
    ENTRY,
    EXIT_SLOT,
    LIQUIDATION,
    NO_FILL,
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
    Sleeve,
)
from engine.ports import Execution, FundingBill, OrderReport, Report

HELD_STATES = (WORKING, PARTIAL, CANCELLING)  # states of an order that the venue holds
KEPT = 1_000  # requests remembered, for whoever looks
LEAST = "below the venue's least order"

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
    now: Callable[[], Sleeve]  # what it holds at this moment, its margin included: a fill of this bar changes it
    clock_ms: int = 0  # of an entry worked in slices: close of the clock's bar that is traded, dated by the sleeve's own; 0: none


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
        target orders, those included that the desk places once its entry is reported; and liquidation, which goes before the
        orders behind its level.
        """
        if account.position.open_layers > 0:
            self.settlement(account, bar, deliver)
        for found in self._leaving(account.sleeve):
            self._leave(account, found, bar, deliver)
        inside = self._entry(account, bar, deliver)
        return self._resting(account, bar, inside, deliver)

    def settlement(self, account: Account, bar: Bar, deliver: Deliver) -> None:
        """The bill of the settlement at this bar's open, if there is one."""
        if bar.funding_mark > 0.0:
            cash = funding_cash(account.position, account.rules, bar.funding_mark, bar.funding_rate)
            bill = f"{account.name}@{account.clock_ms or bar.close_ms}"
            deliver(FundingBill(bill, account.name, bar.funding_mark, bar.funding_rate, cash, bar.close_ms))

    def open_leg(self, account: Account, bar: Bar, deliver: Deliver) -> None:
        """The open of a basket's leg: its net order alone. A protective order that filled in part rests on: what is due is asked
        for by the net order."""
        for found in self._leaving(account.sleeve):
            if found.slot == EXIT_SLOT:
                self._leave(account, found, bar, deliver)
        self._entry(account, bar, deliver)

    def stop_leg(self, account: Account, bar: Bar, deliver: Deliver) -> None:
        """The wide stop of a basket's leg inside the bar. Its margin is the whole basket's: `close_leg`."""
        for stop in [o for o in self._of(account.sleeve).values() if o.slot == PROTECTIVE]:
            which, price = reached(-stop.side, stop.price, 0.0, bar, account.rules.tick, account.rules.mode, 0)
            market = (account.rules, account.cost, bar, self._taken_of(account))
            fill = resting_exit(which, price, stop.key, 0, stop.left, -stop.side, *market)
            self._fill(account, fill, stop, bar, deliver)

    def close_leg(self, account: Account, fill: Fill, bar: Bar, deliver: Deliver) -> None:
        """The venue closes all of a basket's leg, for want of margin or because its bars end, in the place of its stop."""
        for stop in [o for o in self._of(account.sleeve).values() if o.slot == PROTECTIVE]:
            self._fill(account, fill, stop, bar, deliver)

    def _leave(self, account: Account, found: VenueOrder, bar: Bar, deliver: Deliver) -> None:
        """An order that leaves at the market, unless an earlier report has ended it."""
        order = self._of(account.sleeve).get(found.id)
        if order is not None:
            given = (order.slot, NONE, order.key, 0, order.left, -order.side, account.rules, account.cost, bar)
            self._fill(account, market_exit(*given, self._taken_of(account)), order, bar, deliver)

    def lapse(self, sleeve: int, deliver: Deliver) -> None:
        """A child of an entry worked in slices ends with its bar of the clock, also with one that is missing."""
        for order in [o for o in self._of(sleeve).values() if o.slot == ENTRY]:
            del self._of(sleeve)[order.id]
            deliver(OrderReport(order.id, DONE, order.filled, "there was no bar to fill on"))

    def _entry(self, account: Account, bar: Bar, deliver: Deliver) -> int:
        """The entry order at this bar. Returns the key of the layer that a resting one opened inside the bar; -1 for none."""
        order = next((o for o in self._of(account.sleeve).values() if o.slot == ENTRY), None)
        if order is None:
            return -1
        entry = as_entry(order)
        fill, why = NO_FILL, "not filled in time"  # none of a reversal, while its exit has filled only in part
        if account.clock_ms and not takes(account.rules, entry.lots, bar.open):
            why = LEAST
        elif not is_turning(account.now()):
            fill = match_entry(entry, 0, account.rules, account.cost, bar, self._taken_of(account))
        self._fill(account, fill, order, bar, deliver)
        held = self._of(account.sleeve).get(order.id)
        if held is not None and ends(entry, bar, account.rules):
            del self._of(account.sleeve)[order.id]
            deliver(OrderReport(order.id, DONE, held.filled, why))
        return order.key if fill.lots > 0 and fill.maker != 0 else -1

    def _resting(self, account: Account, bar: Bar, inside: int, deliver: Deliver) -> bool:
        """Protective and target orders inside the bar, newest layer first; those behind the liquidation level wait for it."""
        unclear, waiting = self._inside(account, bar, inside, deliver, cleared=False)
        if not self._liquidate(account, bar, inside, deliver) and waiting:
            self._inside(account, bar, inside, deliver, cleared=True)
        return unclear

    def _inside(self, account: Account, bar: Bar, inside: int, deliver: Deliver, *, cleared: bool) -> tuple[bool, bool]:
        """One round of them; `cleared`: no liquidation any more. Returns whether the bar was ambiguous, whether one waits."""
        unclear, waiting, rules = False, False, account.rules
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
            margin = account.now()
            if not cleared and margin.position.open_layers > 0:
                liquidation = liquidation_level(margin, rules)
                first = first_level(side, liquidation, stop.price)
                unclear = unclear or ambiguous(side, first, level, bar, rules.tick, within)
                if comes_first(side, liquidation, stop.price, level, bar, rules, within):
                    waiting = True
                    continue
            which, price = reached(side, stop.price, level, bar, rules.tick, rules.mode, within)
            order = stop if which == STOP else target
            if which != NONE and order is not None:
                market = (rules, account.cost, bar, self._taken_of(account))
                self._fill(account, resting_exit(which, price, key, 0, order.left, side, *market), order, bar, deliver)
        return unclear, waiting

    def _liquidate(self, account: Account, bar: Bar, inside: int, deliver: Deliver) -> bool:
        """Close the whole position, newest layer first, if its margin does not last through the bar. True if it was closed.

        Each part is reported under the order of ours that it takes the place of; a layer without one shows as a difference.
        """
        margin, rules = account.now(), account.rules
        layers = margin.position.layers[: margin.position.open_layers]
        price = closing_price(margin, rules, bar, 1 if layers[0].key == inside else 0) if layers else 0.0
        if not price > 0.0:
            return False
        for k, layer in reversed(list(enumerate(layers))):
            fill = liquidation_fill(layer, k, rules, price, bar.close_ms)
            order = self._order(account.sleeve, fill.slot, layer.key)
            if order is None:
                unknown = f"liquidation of {account.name} layer {layer.key}"
                trade, taker, t_ms = f"{unknown}@{account.clock_ms or bar.close_ms}", False, bar.close_ms
                deliver(Execution(trade, unknown, fill.lots, price, fill.fee, taker, price, t_ms, liquidation=True))
            else:
                self._fill(account, fill, order, bar, deliver)
        return True

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
        liquidated, ended = fill.reason == LIQUIDATION, fill.reason == DELISTED
        apart = "L" if liquidated else "D" if ended else ""  # beside a part of this bar
        trade, maker = f"{order.id}@{account.clock_ms or bar.close_ms}{apart}", fill.maker != 0
        money = fill.price, fill.fee, maker, fill.reference_price, fill.t_ms
        deliver(Execution(trade, order.id, fill.lots, *money, liquidated, ended))

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
