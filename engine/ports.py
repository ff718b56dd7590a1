"""What the desk needs of the world outside, as Protocols: a venue, a feed, a clock.

engine.venues.paper.PaperVenue is the first venue, engine.live.feed.Feed the recorded feed. A report is a value; the desk
journals it before anything follows from it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from engine.core.orders import VenueOrder

Clock = Callable[[], int]  # wall time, UTC ms


class OrderReport(NamedTuple):
    """What a venue says of one order: an answer to a request, or pushed."""

    order: str  # client id
    state: str  # working, done, rejected, UNKNOWN (of engine.core.orders)
    filled_lots: int = 0  # in all, as the venue has it
    why: str = ""
    price: float | None = None  # where it stands now; None: as it was
    lots: int | None = None  # of how many in all; None: as it was


class Execution(NamedTuple):
    """One trade of one order."""

    trade: str  # the venue's id: booked once
    order: str  # client id
    lots: int
    price: float
    fee: float
    maker: bool
    reference_price: float  # without slippage; the price itself where that is not known
    t_ms: int
    liquidation: bool = False  # the venue closed it for want of margin; `order` is the one of ours whose place it took
    delisted: bool = False  # the same because the instrument's bars end


class FundingBill(NamedTuple):
    """One settlement that the venue has paid or taken; booked by its id, once."""

    bill: str
    sleeve: str
    mark: float
    rate: float
    cash: float  # negative: it cost
    t_ms: int


class Crossing(NamedTuple):
    """The price at which pairs of a basket cross inside a leg of which no order fills in this bar; no venue hears of it."""

    sleeve: str  # the leg
    price: float
    t_ms: int
    delisted: bool = False


Report = OrderReport | Execution | FundingBill | Crossing


class Venue(Protocol):
    """Where orders stand. A request returns what became of it; UNKNOWN when nobody can say, and then it is asked, never
    repeated.
    """

    def place(self, order: VenueOrder) -> OrderReport:
        """Take an order; the same client id again places nothing."""

    def amend(self, order: VenueOrder, price: float, lots: int) -> OrderReport:
        """Let a standing order stand at `price` with `lots` in all."""

    def cancel(self, order: VenueOrder) -> OrderReport:
        """End an order; one that is not there has ended."""

    def ask(self, order: VenueOrder) -> OrderReport:
        """How an order stands."""

    def open_orders(self) -> Sequence[str]:
        """Client ids of what stands there."""


class BarFeed(Protocol):
    """Closed bars, in the order of their closes."""

    @property
    def source(self) -> str:
        """recorded, pulled or synthetic."""

    @property
    def bar_count(self) -> int:
        """How many bars are known."""

    def bars(self, t: int) -> Mapping[str, Sequence[Any]]:
        """Bar t: instrument -> open, high, low, close, volume, funding rate and mark; None is missing."""

    def after(self, close_ms: int) -> int:
        """Index of the bar that follows the one closed at `close_ms`."""
