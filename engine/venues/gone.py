"""An instrument of an account that its venue does not list as the process begins: a LiveVenue (live_port.py) without a venue.

Called by app.processes.account_start in the place of an adapter, which needs the venue's word for lots and ticks. It answers no
question and takes no order, so that nothing is assumed of what was open there; the desk's other instruments go on.
"""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from engine.core.orders import REJECTED, UNKNOWN, VenueOrder
from engine.errors import DataError
from engine.venues.live_port import LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from engine.venues.outcome import REJECTED as REFUSED


class GoneVenue(NamedTuple):
    """`name`: the instrument, as the desk has it. `attaches`: as the desk last heard; nothing enters here."""

    name: str
    attaches: str = ""

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:  # noqa: ARG002 - no order leaves
        """As LiveVenue: refused here."""
        return LiveAnswer(order.id, REJECTED, order.filled, "never sent: the venue does not list it", outcome=REFUSED)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:  # noqa: ARG002 - no request leaves
        """As LiveVenue: nothing is known."""
        return LiveAnswer(order.id, UNKNOWN, order.filled, "the venue does not list it")

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue: nothing is known."""
        return await self.ask(order)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue: nothing is known."""
        return LiveAnswer(order.id, UNKNOWN, order.filled, "the venue does not list it")

    async def standing(self) -> Sequence[StandingOrder]:
        """As LiveVenue. Raises DataError."""
        self._silent()

    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:  # noqa: ARG002 - none is listed
        """As LiveVenue. Raises DataError."""
        self._silent()

    async def bills(self, since_ms: int) -> Sequence[VenueBill]:  # noqa: ARG002 - none is listed
        """As LiveVenue. Raises DataError."""
        self._silent()

    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:  # noqa: ARG002 - none is listed
        """As LiveVenue. Raises DataError."""
        self._silent()

    async def position(self) -> VenuePosition:
        """As LiveVenue. Raises DataError."""
        self._silent()

    def _silent(self) -> NoReturn:
        raise DataError(f"the venue does not list {self.name}", "look at its page of the instrument")
