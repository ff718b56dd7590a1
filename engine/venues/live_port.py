"""What the live desk asks of a venue, and what comes back: the port that okx.py, binance.py and bybit.py implement alike.

The same requests as engine.ports.Venue, asynchronous, and what a real account has beside them: the venue's own ids, fills behind
a cursor, positions, bills. Sizes are lots of the desk's instrument, sides 1 (buy) and -1, prices quote units, times UTC ms.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from engine.core.orders import VenueOrder
from engine.venues.outcome import UNKNOWN, Outcome

CHILDREN = ","


class LiveAnswer(NamedTuple):
    """What is known of one order after a request or a question."""

    order: str  # client id
    state: str  # working, partial, done, rejected, UNKNOWN (of engine.core.orders)
    filled_lots: int = 0
    why: str = ""
    price: float | None = None  # where it stands now; None: as it was, or not said
    lots: int | None = None
    venue_id: str = ""
    child_id: str = ""  # of a conditional order that has fired: what it placed, several of one split by CHILDREN
    outcome: Outcome = UNKNOWN  # of a request that was not taken down: what the answer proves
    fired: bool = False  # a conditional order that no longer waits, and of which nothing is placed yet: it covers nothing


class StandingOrder(NamedTuple):
    """One order that the venue holds."""

    order: str  # client id; empty where it has none of ours
    venue_id: str
    side: int
    lots: int  # in all
    filled_lots: int
    price: float  # limit, or trigger of a conditional one
    conditional: bool
    reduce_only: bool


class VenueTrade(NamedTuple):
    """One execution as the venue bills it."""

    trade: str  # booked once
    venue_id: str  # of its order
    order: str  # client id; empty for the child of a conditional order, and for orders that are not ours
    side: int
    lots: int
    price: float
    fee: float  # quote units; negative: a rebate
    maker: bool
    t_ms: int
    forced: str = ""  # why the venue has closed these lots by itself, in its word: adl, liquidation, delivery; empty: it has not
    other_fee: str = ""  # what it cost in an asset that is not the instrument's cash: "0.0002 BNB"; `fee` is 0 then


class VenueBill(NamedTuple):
    """One funding settlement on the account."""

    bill: str
    cash: float  # quote units; negative: it cost
    t_ms: int


class VenueTransfer(NamedTuple):
    """One change of the account's cash that neither an execution nor a settlement made."""

    bill: str  # booked once
    kind: str  # of engine.venues.transfer_bills
    word: str  # the venue's own type
    cash: float  # quote units; negative: it left
    t_ms: int


class VenuePosition(NamedTuple):
    """The net position of the instrument."""

    lots: int  # negative: short
    entry: float | None
    isolated: bool
    leverage: float | None
    liquidation: float | None


class LiveVenue(Protocol):
    """One instrument of one account. A request never raises for what venue or network do: its answer says what is known."""

    @property
    def attaches(self) -> str:
        """How an entry brings its stop along (engine.book.attached): `with` it in one request, `beside` it; empty: not at all."""

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """Hand an order over; the same client id again places nothing. `attached`: the stop that an entry has with it."""

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """Let a standing order stand at `price` with `lots` in all."""

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """End an order."""

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """How an order stands, by its client id."""

    async def standing(self) -> Sequence[StandingOrder]:
        """Every order that the venue holds, ours or not. Raises DataError."""

    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """Executions behind the cursor, oldest first, and the new cursor. Raises DataError."""

    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """Funding settlements from a time on, oldest first. Raises DataError."""

    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """What moved the cash of the whole account from a time on, beside executions and settlements, oldest first; in the
        instrument's quote currency alone. Raises DataError."""

    async def position(self) -> VenuePosition:
        """The net position. Raises DataError."""
