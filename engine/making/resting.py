"""One resting order a side at the simulated venue: it arrives, waits behind what is there, is filled by trades, is cancelled.

Called by loop.py and outside.py, compiled by kernel.py. All that waits at the price on arrival is ahead. Trades at the price
take from it, then from us; a trade beyond the price, or a book that has crossed it, fills what is left. What leaves the level
without a trade was behind us (LAST), or ahead and behind alike (EVEN); what is ahead is never more than the level. OUTSIDE: none
of it is simulated.
"""

from typing import NamedTuple

from engine.l2.book import PAGE, PAGE_BITS, SYNCED, DepthBook, best_of, place_of
from engine.l2.tape import Bytes, Floats, Ints
from engine.making.quotes import EVEN, OUTSIDE, MakingTerms

BUY, SELL = 0, 1
UNKNOWN_AHEAD = 1e15  # lots: an order that arrives at a book nobody knows waits behind everything

# columns of MakerState.orders
NUMBER, PRICE, LEFT, ARRIVES, CANCELS, ENDS, SINCE, CHECKED, LEVEL, TRADED, ASKED, KNOWN = range(12)
# columns of MakerState.fills
F_WHEN, F_SIDE, F_PRICE, F_LOTS, F_NUMBER, F_WAITED, F_MIDDLE2, F_HOW = range(8)
# how an order was filled
BY_QUEUE, BY_THROUGH, BY_BOOK, BY_VENUE = range(4)
HOW = ("queue", "through", "book", "venue")
# columns of MakerState.log, one row an order
L_SIDE, L_PRICE, L_LOTS, L_SENT, L_CANCEL_SENT, L_FILLED, L_OUTCOME, L_END = range(8)
OPEN, FILLED, CANCELLED, REJECTED = range(4)
OUTCOMES = ("open", "filled", "cancelled", "rejected")
# elements of MakerState.tally
(
    NOW, HEARD, APPLIED_COUNT, MIDDLE2, WAITING, PART, ENTRIES, CANCELS_SENT, SENDS, DECISIONS, FILLS, SEEN,
    INVENTORY, CASH, HALT, HALTED_NS, BID_NS, ASK_NS, BOTH_NS, TAIL, STALE_PULLS, TOXIC_PULLS, LAST_NS, CHANGES,
) = range(24)  # fmt: skip
# elements of MakerState.rates
VARIANCE, WEIGHT, FEES, LAST_MIDDLE = range(4)


class MakerTrades(NamedTuple):
    """Recorded trades, with what takers bought less what they sold before each of them, lots."""

    recv_ns: Ints
    price: Ints
    lots: Ints
    taker: Bytes
    net: Ints  # one element more than there are trades


class MakerState(NamedTuple):
    """What the simulated maker and its venue know. Mutable arrays, allocated once."""

    orders: Ints  # (2, 12): the order of each side; NUMBER 0: none
    ahead: Floats  # (2,): lots before it
    tally: Ints
    rates: Floats
    sends: Ints  # (sends_max,): when the last requests were sent, in turns
    fills: Ints  # (fills, 8)
    log: Ints  # (orders, 8)


def usable(book: DepthBook) -> bool:
    """Whether the book is the venue's and has both sides."""
    return bool(book.chain[SYNCED] == 1 and book.sizes[BUY, 1] > 0 and book.sizes[SELL, 1] > 0)


def lots_at(book: DepthBook, s: int, price: int) -> int:
    """What waits at a price of side `s`, 0 where nothing does."""
    key = price if s == BUY else -price
    page = key >> PAGE_BITS
    at = place_of(book, s, page)
    if at < book.sizes[s, 0] and book.pages[s, at] == page:
        return int(book.lots[s, book.slot[s, at], key & (PAGE - 1)])
    return 0


def crosses(book: DepthBook, s: int, price: int) -> bool:
    """Whether an order at this price would take from the other side's best."""
    other = best_of(book, 1 - s)[0]
    return price >= other if s == BUY else price <= other


def cancelling(maker: MakerState, s: int) -> bool:
    """Whether the maker has asked for the side's order to be cancelled."""
    return bool(maker.log[maker.orders[s, NUMBER] - 1, L_CANCEL_SENT] > 0)


def end(maker: MakerState, terms: MakingTerms, s: int, outcome: int, now: int) -> None:
    """The order is gone at the venue; the maker learns of it a response later."""
    row = maker.orders[s, NUMBER] - 1
    maker.tally[CHANGES] += 1
    maker.orders[s, LEFT], maker.orders[s, ENDS] = 0, now + terms.response_ns
    maker.log[row, L_OUTCOME], maker.log[row, L_END] = outcome, now


def stand(maker: MakerState, terms: MakingTerms, s: int, level: int, now: int) -> None:
    """The order rests at the venue from now on, its level having these lots."""
    maker.orders[s, LEFT], maker.orders[s, SINCE] = terms.lots, now
    maker.orders[s, LEVEL], maker.orders[s, TRADED] = level, 0


def arrive(maker: MakerState, terms: MakingTerms, book: DepthBook, s: int, now: int) -> None:
    """The order reaches the venue: rejected if it would take, else it rests behind all that is at its price."""
    price = maker.orders[s, PRICE]
    maker.orders[s, ARRIVES] = 0
    maker.tally[CHANGES] += 1
    known = usable(book)
    if known and crosses(book, s, price):
        end(maker, terms, s, REJECTED, now)
        return
    level = lots_at(book, s, price) if known else 0
    stand(maker, terms, s, level, now)
    maker.ahead[s] = float(level) if known else UNKNOWN_AHEAD


def fill(maker: MakerState, terms: MakingTerms, s: int, lots: int, how: int, now: int) -> None:
    """So many lots of the order are filled at its price."""
    at, number = maker.tally[FILLS], maker.orders[s, NUMBER]
    row = maker.fills[at]
    row[F_WHEN], row[F_SIDE], row[F_PRICE], row[F_LOTS] = now, 1 - 2 * s, maker.orders[s, PRICE], lots
    row[F_NUMBER], row[F_WAITED] = number, now - maker.orders[s, SINCE]
    row[F_MIDDLE2], row[F_HOW] = maker.tally[MIDDLE2], how
    maker.tally[FILLS] = at + 1
    maker.tally[CHANGES] += 1
    maker.log[number - 1, L_FILLED] += lots
    maker.orders[s, LEFT] -= lots
    if maker.orders[s, LEFT] == 0:
        end(maker, terms, s, FILLED, now)


def on_trade(maker: MakerState, terms: MakingTerms, price: int, lots: int, taker: int, now: int) -> None:
    """A recorded trade against the order that rests on the side which the taker hit."""
    s = BUY if taker < 0 else SELL
    if maker.orders[s, LEFT] == 0 or terms.queue == OUTSIDE:
        return
    own = maker.orders[s, PRICE]
    if price == own:
        maker.orders[s, TRADED] += lots
        over = lots - maker.ahead[s]
        maker.ahead[s] = max(maker.ahead[s] - lots, 0.0)
        if over >= 1.0:
            fill(maker, terms, s, min(int(over), maker.orders[s, LEFT]), BY_QUEUE, now)
    elif (price < own) == (s == BUY):
        fill(maker, terms, s, maker.orders[s, LEFT], BY_THROUGH, now)


def on_level(maker: MakerState, terms: MakingTerms, s: int, level: int) -> None:
    """The order's level has these lots now: what left it without a trade may have been ahead."""
    before = maker.orders[s, LEVEL] - maker.orders[s, TRADED]
    gone = before - level
    if terms.queue == EVEN and gone > 0 and before > 0:
        maker.ahead[s] = max(maker.ahead[s] * (1.0 - gone / before), 0.0)
    maker.ahead[s] = min(maker.ahead[s], float(level))
    maker.orders[s, LEVEL], maker.orders[s, TRADED] = level, 0


def on_book(maker: MakerState, terms: MakingTerms, book: DepthBook, now: int) -> None:
    """A changed book against both orders: one that it has crossed is filled, the other's queue follows its level."""
    if terms.queue == OUTSIDE:
        return
    for s in range(2):
        if maker.orders[s, LEFT] > 0:
            price = maker.orders[s, PRICE]
            if crosses(book, s, price):
                fill(maker, terms, s, maker.orders[s, LEFT], BY_BOOK, now)
            else:
                on_level(maker, terms, s, lots_at(book, s, price))


def cancel_arrives(maker: MakerState, terms: MakingTerms, s: int, now: int) -> None:
    """A cancel reaches the venue; it finds nothing where the order is gone already."""
    maker.orders[s, CANCELS] = 0
    if maker.orders[s, LEFT] > 0:
        end(maker, terms, s, CANCELLED, now)
