"""Layers that nothing at the venue covers, and since when. Called by health.py, which pages and leaves.

A stop covers while the venue has it by its own word. An exit at the market covers for a moment: one that has not filled by then
may be gone, and its layer's stop has been taken away for it (decision 0159).
"""

from collections import Counter

from engine.book.attached import attached_id
from engine.core.orders import CANCELLING, PARTIAL, REJECTED, SENT, STANDING, UNKNOWN, WORKING, VenueOrder, find
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.live.desk import LiveDesk

ALL_LOTS = 1 << 40  # more than any layer has
EXIT_COVERS_MS = 5_000  # what it takes to read an execution where no stream says it

Layer = tuple[int, int]  # (sleeve, key of the layer)


class NakedLayers:
    """Of one account. `since`: layer -> desk time in ms since when nothing covers it."""

    def __init__(self, desk: LiveDesk) -> None:
        self.desk = desk
        self.since: dict[Layer, int] = {}
        self.exits: dict[str, int] = {}  # exit that stands at the venue -> since when

    def note(self) -> None:
        """Layers of which protective orders, exits and attached stops at the venue do not cover all lots; and entries that have
        filled, or will at once, and that nothing covers: until they are booked their attached stop does, or what flattens them.
        """
        now, orders, basket = self.desk.now_ms(), self.desk.book.orders.open, self.desk.book.basket is not None
        self.exits = {o.id: self.exits.get(o.id, now) for o in orders.values() if o.slot == EXIT_SLOT and o.state in STANDING}
        lots, unlisted = Counter[Layer](), set[Layer]()
        for order in orders.values():
            if order.slot in (PROTECTIVE, EXIT_SLOT) and self._covers(order):
                lots[order.sleeve, 0 if basket else order.key] += ALL_LOTS if order.flattens else order.left
                if order.attached or order.flattens:
                    unlisted.add((order.sleeve, order.key))
        held, unread = self.layers()
        # where the venue does not list the instrument, nothing can be placed: its page says so
        listed = ((of, has) for of, has in held.items() if not self.desk.book.is_gone(self._instrument(of[0])))
        thin = {(s, key) for (s, key), has in listed if lots[s, 0 if basket else key] < has}  # a leg has one layer
        self.since = {layer: self.since.get(layer, now) for layer in thin | (unread - unlisted)}

    def layers(self) -> tuple[Counter[Layer], set[Layer]]:
        """Lots of the layers that are held by the book, and layers of entries whose executions are not read."""
        held = Counter[Layer]()
        for s, sleeve in enumerate(self.desk.book.sleeves):
            for layer in sleeve.position.layers[: sleeve.position.open_layers]:
                held[s, layer.key] += layer.lots
        return held, {(o.sleeve, o.key) for o in self.desk.book.orders.open.values() if self.is_unread(o)}

    def is_unread(self, order: VenueOrder) -> bool:
        """Whether an entry has filled by the venue's word; or stands at the market, and the stop beside it was never taken."""
        if order.slot != ENTRY or order.reported > order.filled:
            return order.slot == ENTRY
        stop = find(self.desk.book.orders, attached_id(order.id))
        at_once = order.state in (*STANDING, CANCELLING) and order.price == 0.0 and order.filled == 0
        return at_once and stop is not None and stop.state in (SENT, UNKNOWN, REJECTED)

    def exit_of(self, s: int, key: int) -> bool:
        """Whether an exit of a layer stands at the venue."""
        found = (self.desk.book.orders.open.get(id_) for id_ in self.exits)
        return any(order is not None and (order.sleeve, order.key) == (s, key) for order in found)

    def _covers(self, order: VenueOrder) -> bool:
        """Whether a stop or exit is at the venue: one that is being cancelled is not, nor an exit that should have filled by now
        and of which the stream says nothing, nor one that was acknowledged in vain and then once more, until it was shown.
        """
        desk = self.desk
        shown = order.id not in desk.lost or order.id in desk.seen or desk.announced.stands(order.id)
        soon = desk.now_ms() - self.exits.get(order.id, desk.now_ms()) < EXIT_COVERS_MS or desk.announced.is_over(order.id)
        return (order.state in (WORKING, PARTIAL) and shown and soon) or order.reported > order.filled

    def _instrument(self, s: int) -> str:
        return str(self.desk.book.specs[s].source["instrument"])
