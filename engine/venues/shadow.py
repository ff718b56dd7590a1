"""The venue of a desk in shadow: the paper venue, which also refuses the entries that the account's venue would have refused.

Called by engine.live.shadow. Nothing here knows a network: an order that would have left is handed to `leaves`, once, and fills
as on paper.
"""

from collections.abc import Callable, Iterable

from engine.core.orders import REJECTED, VenueOrder
from engine.core.state import ENTRY
from engine.ports import OrderReport
from engine.venues.paper import PaperVenue


class ShadowVenue(PaperVenue):
    """`refuses`: why the account's venue would not take an entry, or ""; `leaves`: hears of each order and of that reason."""

    def __init__(
        self, held: Iterable[VenueOrder], refuses: Callable[[VenueOrder], str], leaves: Callable[[VenueOrder, str], None]
    ) -> None:
        super().__init__(held)
        self._refuses, self._leaves = refuses, leaves

    def place(self, order: VenueOrder) -> OrderReport:
        """As on paper, and noted: the same client id again changes and notes nothing."""
        if order.id in self.orders:
            return super().place(order)
        why = self._refuses(order) if order.slot == ENTRY else ""
        self._leaves(order, why)
        return OrderReport(order.id, REJECTED, 0, why) if why else super().place(order)
