"""The life of an order at a venue: which states it passes, and what the desk holds of all of its orders.

Pure values, folded by book/executions.py from intent, sent, order, amend and fill events; plan.py compares them with what should
stand. No order is forgotten while the venue may still say something of it, and a state that has ended is never opened again.
Compiled code does not know orders: a backtest's venue is sim_venue.py.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .state import ENTRY, EXIT_SLOT, PROTECTIVE, SLOTS

INTENDED, SENT, UNKNOWN = "intended", "sent", "UNKNOWN"
WORKING, PARTIAL, CANCELLING = "working", "partial", "cancelling"
DONE, REJECTED = "done", "rejected"
STATES = (INTENDED, SENT, UNKNOWN, WORKING, PARTIAL, CANCELLING, DONE, REJECTED)
STANDING = (WORKING, PARTIAL)  # the venue has confirmed it, and nobody has asked to cancel it
ENDED = (DONE, REJECTED)
ATTACHED, FLATTENS = (
    "A",
    "F",
)  # kinds of an id beside those of core.state.SLOTS: a stop of its entry, an exit of what is not booked
ENDED_KEPT = 40  # a late report must still find its order
FILLED_KEPT = 1_000  # of older ones that had executions, how many lots: a report that comes again must not look like a new one

# (state, what is heard) -> state. What is not here changes nothing: a report that comes late, or twice.
TRANSITIONS: Mapping[tuple[str, str], str] = {
    (INTENDED, SENT): SENT,
    (INTENDED, CANCELLING): CANCELLING,
    (SENT, WORKING): WORKING,
    (SENT, UNKNOWN): UNKNOWN,
    (SENT, CANCELLING): CANCELLING,
    (UNKNOWN, WORKING): WORKING,
    (UNKNOWN, CANCELLING): CANCELLING,
    (WORKING, PARTIAL): PARTIAL,
    (WORKING, CANCELLING): CANCELLING,
    (WORKING, UNKNOWN): UNKNOWN,  # acknowledged, and then lost by the venue
    (PARTIAL, CANCELLING): CANCELLING,
    (PARTIAL, UNKNOWN): UNKNOWN,
    **{(state, PARTIAL): PARTIAL for state in (INTENDED, SENT, UNKNOWN)},
    **{(state, end): end for state in STATES if state not in ENDED for end in ENDED},
}


class VenueOrder(NamedTuple):
    """One order as the desk knows it."""

    id: str  # client id: 17 letters and digits, the same after every restart
    sleeve: int  # index in the book
    slot: int  # ENTRY, PROTECTIVE, TARGET_SLOT, EXIT_SLOT
    key: int  # of the layer that it opens, protects or ends
    side: int  # of the trade
    lots: int  # ordered
    price: float  # limit of an entry or target, trigger of a protective order; 0: market
    post_only: int
    good_for: int  # bars that an entry may rest
    notional: float  # of an entry, as reviewed
    atr: float  # of an entry, at its decision: a fill that comes late still opens its layer
    decided_ms: int
    state: str = INTENDED
    filled: int = 0  # lots of the executions that were booked
    reported: int = 0  # lots that the venue says are filled; more than `filled`: executions are missing
    amending: int = 0  # 1: an amendment was sent and not confirmed
    why: str = ""  # of its end
    stop: float = 0.0  # of an entry: the strategy's own levels, and how long its position is held (Order)
    target: float = 0.0
    hold: int = 0

    @property
    def left(self) -> int:
        """Lots that may still fill; of an order that has ended, those that are filled and not booked."""
        return max((self.reported if self.state in ENDED else self.lots) - self.filled, 0)

    @property
    def kind(self) -> str:
        """The letter of its id that says what it is for."""
        return self.id[-3:-2]

    @property
    def attached(self) -> bool:
        """True for the stop that covers an entry until the layer has a protective order of its own."""
        return self.slot == PROTECTIVE and self.kind == ATTACHED

    @property
    def flattens(self) -> bool:
        """True for an exit of lots that the venue holds and nobody could book yet."""
        return self.slot == EXIT_SLOT and self.kind == FLATTENS

    @property
    def sleeps(self) -> bool:
        """True for an attached stop that its venue keeps with the entry, and does not have as an order before that has ended."""
        return self.state == INTENDED and self.attached

    @property
    def unanswered(self) -> bool:
        """True while the venue owes an answer: to a request to place, amend or cancel it, or to a question."""
        return (self.state not in (*STANDING, *ENDED) and not self.sleeps) or self.amending != 0

    @property
    def in_doubt(self) -> bool:
        """True while the venue has not said how it stands, or has said more than was booked: nothing is planned against it."""
        return (self.state not in STANDING and not self.sleeps) or self.amending != 0 or self.reported > self.filled


class Refusals(NamedTuple):
    """Amendments of one order that the venue did not take, one after the other."""

    in_a_row: int
    close_ms: int  # desk time of the last one


class OrderBook(NamedTuple):
    """The desk's orders at its venue, never the market's."""

    open: Mapping[str, VenueOrder]  # id -> order, oldest first; also one that has ended while executions of it are missing
    ended: tuple[VenueOrder, ...]  # the last ENDED_KEPT, oldest first
    trades: Mapping[str, int]  # executions and bills booked since the cursor: id -> UTC ms, of the desk at the earliest
    attempts: Mapping[str, int]  # id without its attempt -> orders so far, while its layer or order lives
    refusals: Mapping[str, Refusals]  # open orders of which the last amendment was not taken
    filled: Mapping[str, int]  # lots of the last FILLED_KEPT orders that had executions and left `ended`: id -> lots


NO_ORDERS = OrderBook({}, (), {}, {}, {}, {})


def moved(state: str, heard: str) -> str:
    """The state after `heard`; the same when that is late, doubled or makes no sense here."""
    return TRANSITIONS.get((state, heard), state)


def find(book: OrderBook, id_: str) -> VenueOrder | None:
    """An open order, or one of the last ended."""
    if id_ in book.open:
        return book.open[id_]
    return next((order for order in reversed(book.ended) if order.id == id_), None)


def put(book: OrderBook, order: VenueOrder) -> OrderBook:
    """The orders with this one as it is now; one that has ended leaves the open ones once its executions are booked."""
    if order.state in ENDED:
        book = taken(book, order.id)
    if order.state not in ENDED or order.reported > order.filled:
        return book._replace(open={**book.open, order.id: order})
    rest = {id_: other for id_, other in book.open.items() if id_ != order.id}
    ended = (*(other for other in book.ended if other.id != order.id), order)
    return book._replace(open=rest, ended=ended[-ENDED_KEPT:], filled=_with_filled(book.filled, ended[:-ENDED_KEPT]))


def _with_filled(filled: Mapping[str, int], orders: Sequence[VenueOrder]) -> Mapping[str, int]:
    """The lots of older orders, with those of some more."""
    more = {order.id: order.filled for order in orders if order.filled > 0}
    if not more:
        return filled
    return dict([*filled.items(), *more.items()][-FILLED_KEPT:])


def intended(book: OrderBook, order: VenueOrder) -> OrderBook:
    """The orders with one that is decided and not sent."""
    stem = order.id[:-2]
    return put(book, order)._replace(attempts={**book.attempts, stem: book.attempts.get(stem, 0) + 1})


def heard(book: OrderBook, id_: str, state: str, reported: int = 0, why: str = "") -> OrderBook:
    """The orders after a venue's word about one: its state, and how many lots it says are filled."""
    order = find(book, id_)
    if order is None:
        return book
    reported = max(order.reported, min(reported, order.lots))
    if state == WORKING and order.filled > 0:
        state = PARTIAL
    now = order._replace(state=moved(order.state, state), reported=reported)
    if now.state != order.state and now.state in ENDED:
        now = now._replace(why=why, amending=0)
    return put(book, now)


def amended(book: OrderBook, id_: str, price: float, lots: int, *, confirmed: bool, close_ms: int = 0) -> OrderBook:
    """The orders after one was asked to stand at `price` with `lots` in all, or (`confirmed`) does.

    One that stands as before was refused its amendment at desk time `close_ms`, or the request was lost: that is counted. The
    word may have been older than the request, so more lots that are reported later are believed: an order that is thought done
    while it stands would be left at the venue. A level that is reported unasked is old news; the plan moves it again.
    """
    order = find(book, id_)
    if order is None or order.state in ENDED:
        return book
    if confirmed and order.amending == 0:
        return put(book, order._replace(lots=lots)) if lots > order.lots and order.slot != ENTRY else book
    if not confirmed:
        return put(book, order._replace(amending=1))
    if (price, lots) == (order.price, order.lots):
        before = book.refusals.get(id_, Refusals(0, 0))
        book = book._replace(refusals={**book.refusals, id_: Refusals(before.in_a_row + 1, close_ms)})
    else:
        book = taken(book, id_)
    now = order._replace(price=price, lots=max(lots, order.filled), amending=0)
    return put(book, now._replace(state=moved(now.state, DONE)) if now.filled >= now.lots else now)


def taken(book: OrderBook, id_: str) -> OrderBook:
    """The orders with no refusal counted of this one."""
    if id_ not in book.refusals:
        return book
    return book._replace(refusals={other: count for other, count in book.refusals.items() if other != id_})


def executed(book: OrderBook, id_: str, lots: int) -> OrderBook:
    """The orders after an execution was booked: whole it is done, in part it rests on; one that has ended stays so.

    One that is being amended may be larger at the venue than it is here: it is done when the venue says what became of that.
    """
    order = find(book, id_)
    if order is None:
        return book
    filled = order.filled + lots
    now = order._replace(filled=filled, reported=max(order.reported, filled))
    whole = filled >= now.lots and now.amending == 0
    return put(book, now._replace(state=moved(now.state, DONE if whole else PARTIAL)))


def doubtful_notional(book: OrderBook, sleeve: int, key: int) -> float:
    """Quote units that entry orders of a sleeve may still fill, other than the one that its state counts (`key`)."""
    doubtful = (
        order.notional * order.left / order.lots
        for order in book.open.values()
        if order.sleeve == sleeve and order.slot == ENTRY and order.key != key
    )
    return sum(doubtful, 0.0)  # a float also of nothing: a snapshot that was read again must be the same to the letter


def described(order: VenueOrder) -> str:
    """`protective order nd..., working`: for messages."""
    return f"{SLOTS[order.slot]} order {order.id}, {order.state}"
