"""The order book out of snapshots and deltas: two types that cannot be taken for each other, whole numbers, no allocation.

Called by replay.py, which kernel.py compiles; both run these very functions. The chain of update ids is kept by the venues'
published rules; what breaks it leaves the book unsynced until the next snapshot.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]

PAGE_BITS = 9
PAGE = 1 << PAGE_BITS  # neighbouring prices
PAGES_MAX = 2_048  # of a side; of more the farthest gives way
NEAR = 10  # levels of a side that depth counts

# what became of a message
APPLIED, OLD, DUPLICATE, LATE, WAITING, REFUSED = range(6)
DISPOSITIONS = ("applied", "old", "duplicate", "late", "waiting", "refused")
# what was wrong when it arrived
NOTHING, GAP, CROSSED, ONE_SIDED, FOREIGN, DEPTH_CHANGED = range(6)
# how a delta names the one before it
PREVIOUS, NEXT = 0, 1  # by its id (Binance perp, OKX); its first id is one after it (Binance spot, Bybit)

# fields of DepthBook.chain
SYNCED, SNAPSHOT_ID, LAST_ID, FRESH, DEPTH, MIDDLE2, SEEN_NS, TAKEN = range(8)
NONE = -1
FAR_PART = 20  # a snapshot whose middle is a 20th (5 %) away from a book ...
FAR_NS = 60_000_000_000  # ... of the last minute is another instrument's


class DepthSnapshot(NamedTuple):
    """All levels of both sides at once. It has no first or previous id: it continues nothing."""

    recv_ns: int
    snapshot_id: int
    side: Bytes  # 0 bid, 1 ask
    price: Ints
    lots: Ints


class DepthDelta(NamedTuple):
    """The levels that changed, with their new lots; 0 removes one."""

    recv_ns: int
    first_id: int
    last_id: int
    prev_id: int  # -1 where the venue sends none
    side: Bytes
    price: Ints
    lots: Ints


class DepthBook(NamedTuple):
    """Both sides in pages of PAGE neighbouring prices. Mutable arrays: a replay of millions of messages makes no new one.

    A key is a price for bids and -price for asks, so that the best of a side is its greatest. The first `sizes[s, 0]` elements of
    `pages` rise; `slot` is a permutation whose first elements say where those pages' lots are, and whose rest is free.
    """

    pages: Ints  # (2, PAGES_MAX): key // PAGE
    slot: Ints  # (2, PAGES_MAX)
    live: Ints  # (2, PAGES_MAX), by slot: levels with lots
    lots: Ints  # (2, PAGES_MAX, PAGE), by slot
    sizes: Ints  # (2, 4): pages, levels, where the last page was found, the best level's key
    chain: Ints  # (8,): synced, ids, fresh, depth of the snapshot, twice the middle, its time, messages taken


def empty_book() -> DepthBook:
    """A book without levels that waits for its first snapshot."""
    shape = (2, PAGES_MAX)
    slot = np.ascontiguousarray(np.broadcast_to(np.arange(PAGES_MAX, dtype=np.int64), shape))
    chain = np.zeros(8, np.int64)
    chain[SNAPSHOT_ID] = chain[LAST_ID] = NONE
    pages, live, lots = (np.zeros(size, np.int64) for size in (shape, shape, (*shape, PAGE)))
    return DepthBook(pages, slot, live, lots, np.zeros((2, 4), np.int64), chain)


def place_of(book: DepthBook, s: int, page: int) -> int:
    """Where a page is, or would be, among those of side `s`: the first one that is not below it.

    Venues send levels in order of price: most are on the page of the one before.
    """
    n, last = book.sizes[s, 0], book.sizes[s, 2]
    if last < n and book.pages[s, last] == page:
        return int(last)
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if book.pages[s, middle] < page:
            low = middle + 1
        else:
            high = middle
    book.sizes[s, 2] = low
    return int(low)


def compact(book: DepthBook, s: int) -> None:
    """Leave out the pages without lots; their slots become free."""
    n = 0
    for k in range(book.sizes[s, 0]):
        slot = book.slot[s, k]
        if book.live[s, slot] > 0:
            book.pages[s, n] = book.pages[s, k]
            book.slot[s, k] = book.slot[s, n]
            book.slot[s, n] = slot
            n += 1
    book.sizes[s, 0] = n


def forget_farthest(book: DepthBook, s: int) -> None:
    """Give up the farthest page with its levels; its slot becomes free."""
    slot, n = book.slot[s, 0], book.sizes[s, 0]
    book.lots[s, slot, :] = 0
    book.sizes[s, 1] -= book.live[s, slot]
    book.live[s, slot] = 0
    for k in range(n - 1):
        book.pages[s, k] = book.pages[s, k + 1]
        book.slot[s, k] = book.slot[s, k + 1]
    book.slot[s, n - 1] = slot
    book.sizes[s, 0] = n - 1


def insert_page(book: DepthBook, s: int, page: int) -> int:
    """A page that is not there; returns its slot, or -1 where the side is full and this page is the farthest."""
    if book.sizes[s, 0] == PAGES_MAX:
        compact(book, s)
        if book.sizes[s, 0] == PAGES_MAX:
            if page < book.pages[s, 0]:
                return NONE
            forget_farthest(book, s)
    at, n = place_of(book, s, page), book.sizes[s, 0]
    slot = book.slot[s, n]
    for k in range(n, at, -1):
        book.pages[s, k] = book.pages[s, k - 1]
        book.slot[s, k] = book.slot[s, k - 1]
    book.pages[s, at], book.slot[s, at], book.sizes[s, 0] = page, slot, n + 1
    return int(slot)


def set_level(book: DepthBook, s: int, price: int, lots: int) -> None:
    """One level: its new lots, 0 removes it. The last page always has a level, the best one."""
    key = price if s == 0 else -price
    page, within = key >> PAGE_BITS, key & (PAGE - 1)
    at, n = place_of(book, s, page), book.sizes[s, 0]
    if at < n and book.pages[s, at] == page:
        slot = int(book.slot[s, at])
    elif lots == 0:
        return
    else:
        slot = insert_page(book, s, page)
        if slot == NONE:
            return
    before = book.lots[s, slot, within]
    book.lots[s, slot, within] = lots
    if before > 0 and lots > 0:
        return
    change = (1 if lots > 0 else 0) - (1 if before > 0 else 0)
    book.live[s, slot] += change
    book.sizes[s, 1] += change
    if change > 0 and (book.sizes[s, 1] == 1 or key > book.sizes[s, 3]):
        book.sizes[s, 3] = key
    elif change < 0 and key == book.sizes[s, 3]:
        find_best(book, s)


def find_best(book: DepthBook, s: int) -> None:
    """The best was removed: the next one, from there on. Pages beyond it become free."""
    n, within = book.sizes[s, 0], book.sizes[s, 3] & (PAGE - 1)
    while n > 0 and book.live[s, book.slot[s, n - 1]] == 0:
        n -= 1
        within = PAGE - 1
    book.sizes[s, 0] = n
    if n > 0:
        slot = book.slot[s, n - 1]
        while book.lots[s, slot, within] == 0:
            within -= 1
        book.sizes[s, 3] = (book.pages[s, n - 1] << PAGE_BITS) + within


def clear(book: DepthBook, s: int) -> None:
    """A side without levels."""
    for k in range(book.sizes[s, 0]):
        slot = book.slot[s, k]
        book.live[s, slot] = 0
        book.lots[s, slot, :] = 0
    book.sizes[s, :] = 0


def best_of(book: DepthBook, s: int) -> tuple[int, int]:
    """(price, lots) of the best level of a side that has one."""
    key = int(book.sizes[s, 3])
    return key if s == 0 else -key, int(book.lots[s, book.slot[s, book.sizes[s, 0] - 1], key & (PAGE - 1)])


def near_lots(book: DepthBook, s: int) -> int:
    """Lots of the NEAR best levels of a side; -1 for a side with fewer levels: another depth is another figure."""
    if book.sizes[s, 1] < NEAR:
        return NONE
    total, missing, begin = 0, NEAR, book.sizes[s, 3] & (PAGE - 1)
    for k in range(book.sizes[s, 0] - 1, -1, -1):
        slot = book.slot[s, k]
        if book.live[s, slot] > 0:
            for within in range(begin, -1, -1):
                lots = book.lots[s, slot, within]
                if lots > 0:
                    total += lots
                    missing -= 1
                    if missing == 0:
                        return int(total)
        begin = PAGE - 1
    return NONE


def fault_of(book: DepthBook) -> int:
    """ONE_SIDED, CROSSED (best bid at or above best ask) or NOTHING."""
    if book.sizes[0, 1] == 0 or book.sizes[1, 1] == 0:
        return ONE_SIDED
    return CROSSED if best_of(book, 0)[0] >= best_of(book, 1)[0] else NOTHING


def unsync(book: DepthBook) -> None:
    """Trust the book no more: it waits for a snapshot."""
    book.chain[SYNCED] = 0


def remember(book: DepthBook, recv_ns: int) -> None:
    """Remember twice the middle and when: what a later snapshot is held against."""
    book.chain[MIDDLE2] = best_of(book, 0)[0] + best_of(book, 1)[0]
    book.chain[SEEN_NS] = recv_ns


def in_reach(chain: Ints, snapshot_id: int) -> bool:
    """Whether the chain went from its snapshot on through this id. A 1 is where a venue begins to count anew."""
    return bool(max(chain[SNAPSHOT_ID], 2) <= snapshot_id < chain[LAST_ID])


def is_older(book: DepthBook, snapshot: DepthSnapshot) -> bool:
    """Whether a synced book went on from this snapshot's id already: a REST answer that took longer than the deltas behind it.

    One of other prices is not: what is wrong with it is found when it is taken.
    """
    chain, bid, ask = book.chain, 0, 0
    if chain[SYNCED] == 0 or not in_reach(chain, snapshot.snapshot_id):
        return False
    for k in range(len(snapshot.price)):
        price = int(snapshot.price[k])
        if snapshot.lots[k] > 0 and snapshot.side[k] == 0:
            bid = max(bid, price)
        elif snapshot.lots[k] > 0 and (ask == 0 or price < ask):
            ask = price
    return bool(0 < bid < ask and abs(bid + ask - chain[MIDDLE2]) * FAR_PART <= chain[MIDDLE2])


def take_snapshot(book: DepthBook, snapshot: DepthSnapshot) -> int:
    """Replace the book; returns NOTHING or DEPTH_CHANGED, else what was wrong: then the book stays unsynced.

    An older one changes nothing, TAKEN neither.
    """
    if is_older(book, snapshot):
        return NOTHING
    before2, seen_ns = int(book.chain[MIDDLE2]), int(book.chain[SEEN_NS])
    book.chain[MIDDLE2] = book.chain[SYNCED] = 0
    clear(book, 0)
    clear(book, 1)
    for k in range(len(snapshot.price)):
        set_level(book, int(snapshot.side[k]), int(snapshot.price[k]), int(snapshot.lots[k]))
    fault = fault_of(book)
    if fault != NOTHING:
        return fault
    middle2 = best_of(book, 0)[0] + best_of(book, 1)[0]
    young = before2 > 0 and snapshot.recv_ns - seen_ns <= FAR_NS
    if young and abs(middle2 - before2) * FAR_PART > before2:
        return FOREIGN
    depth, before = min(int(book.sizes[0, 1]), int(book.sizes[1, 1])), int(book.chain[DEPTH])
    book.chain[SYNCED] = book.chain[FRESH] = 1
    book.chain[SNAPSHOT_ID] = book.chain[LAST_ID] = snapshot.snapshot_id
    book.chain[DEPTH] = depth
    book.chain[TAKEN] += 1
    remember(book, snapshot.recv_ns)
    return DEPTH_CHANGED if before > 0 and (depth * 2 <= before or before * 2 <= depth) else NOTHING


def place_in_chain(chain: Ints, rule: int, first_id: int, last_id: int, prev_id: int) -> int:
    """APPLIED: a delta is the next one; OLD, DUPLICATE, LATE: the book has it; REFUSED: one between them is missing.

    chain: DepthBook's. After a snapshot by the venues' pages: Binance (perp) drops what ends before it and continues with the one
    that spans it, Binance (spot) with the one that contains the id after it, OKX and Bybit with the one that follows it.
    """
    last = int(chain[LAST_ID])
    if rule == PREVIOUS and prev_id == last:
        return APPLIED
    if chain[FRESH] == 1:
        if last_id < last or (rule == NEXT and last_id == last):
            return OLD
        return APPLIED if first_id <= last + 1 else REFUSED
    if last_id <= last:
        return DUPLICATE if last_id == last else LATE
    return APPLIED if rule == NEXT and first_id <= last + 1 else REFUSED


def take_delta(book: DepthBook, rule: int, delta: DepthDelta) -> tuple[int, int]:
    """(what became of it, what was wrong). A gap and a crossed book leave the book unsynced; a side without levels does not."""
    if book.chain[SYNCED] == 0:
        return WAITING, NOTHING
    became = place_in_chain(book.chain, rule, delta.first_id, delta.last_id, delta.prev_id)
    if became == REFUSED:
        unsync(book)
        return WAITING, GAP
    if became != APPLIED:
        return became, NOTHING
    for k in range(len(delta.price)):
        set_level(book, int(delta.side[k]), int(delta.price[k]), int(delta.lots[k]))
    book.chain[LAST_ID], book.chain[FRESH] = delta.last_id, 0
    book.chain[TAKEN] += 1
    fault = fault_of(book)
    if fault == CROSSED:
        unsync(book)
        return REFUSED, CROSSED
    if fault == NOTHING:
        remember(book, delta.recv_ns)
    return APPLIED, fault
