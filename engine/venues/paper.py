"""The paper venue: it receives entry orders once they are journaled, and remembers every request it was sent.

Called by engine.live.loop. Matching itself is engine.core.fills, inside the bar (law 1); what stands here is what a venue
would know: which orders it holds, by client id, and in which order it was asked. A fill of an order that never arrived
here is a programmer's error and halts.
"""

from typing import NamedTuple


class VenueRequest(NamedTuple):
    """One thing the venue was asked: `place` (increases a position) or `cancel`."""

    what: str
    order: str  # client id
    sleeve: str
    side: str  # buy, sell
    lots: int
    desk_ms: int


class PaperVenue:
    """Orders by client id; asking twice for the same one places it once."""

    def __init__(self) -> None:
        self.working: dict[str, VenueRequest] = {}
        self.requests: list[VenueRequest] = []

    def place(self, request: VenueRequest) -> None:
        """Take an entry order; the same client id again changes nothing."""
        if request.order not in self.working:
            self.requests.append(request)
            self.working[request.order] = request

    def cancel(self, order: str, desk_ms: int) -> None:
        """Forget an order; one that is not here was never taken or is done."""
        held = self.working.pop(order, None)
        if held is not None:
            self.requests.append(held._replace(what="cancel", desk_ms=desk_ms))

    def filled(self, order: str, filled_lots: int, *, ended: bool) -> None:
        """What the bar made of an order. Asserts that a filled one was placed."""
        held = self.working.pop(order, None)
        if filled_lots > 0:
            assert held is not None, f"{order} filled and was never placed"  # noqa: S101 - a phantom fill must halt
            assert filled_lots <= held.lots, f"{order} filled more than was placed"  # noqa: S101 - the same
        if held is not None and not ended:
            self.working[order] = held._replace(lots=held.lots - filled_lots)
        del self.requests[:-1000]
