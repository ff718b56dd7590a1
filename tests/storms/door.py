"""What leaves a storm's desk: each order on its way to the adapter, and what came back, seen by the storm and not by the desk."""

from collections.abc import Callable
from typing import Any

from engine.core.orders import VenueOrder
from engine.venues.live_port import LiveAnswer, VenuePosition


class Door:
    """An adapter (engine.venues.live_port.LiveVenue) that is watched. Everything that is not named here is the adapter's own."""

    def __init__(
        self, venue: Any, leaves: Callable[[VenueOrder], None], answered: Callable[[VenueOrder, LiveAnswer], None]
    ) -> None:
        self._venue, self._leaves, self._answered = venue, leaves, answered
        self.positions = 0  # how often the venue has said what is held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """As LiveVenue."""
        self._leaves(order)
        answer: LiveAnswer = await self._venue.place(order, attached)
        self._answered(order, answer)
        return answer

    async def position(self) -> VenuePosition:
        """As LiveVenue."""
        found: VenuePosition = await self._venue.position()
        self.positions += 1
        return found
