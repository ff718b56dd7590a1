"""The order book out of snapshots and deltas: two types that cannot be taken for each other, whole numbers, no allocation.

Called by replay.py, which kernel.py compiles; both run these very functions. A side is an array of keys that rise to the best (a
bid's key is its price, an ask's is -price) with the lots beside, so that what changes near the best moves few elements.
The chain of update ids is kept by the venues' published rules; what breaks it leaves the book unsynced until the next snapshot.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]

LEVELS_MAX = 20_000  # a side; of more the farthest give way
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
    """Both sides, best last. Mutable arrays: a replay of millions of messages makes no new one."""

    keys: Ints  # (2, LEVELS_MAX)
    lots: Ints  # (2, LEVELS_MAX)
    count: Ints  # (2,)
    chain: Ints  # (8,): synced, ids, fresh, depth of the snapshot, twice the middle, its time, messages taken


def empty_book() -> DepthBook:
    """A book without levels that waits for its first snapshot."""
    sides = np.zeros((2, LEVELS_MAX), np.int64), np.zeros((2, LEVELS_MAX), np.int64)
    chain = np.zeros(8, np.int64)
    chain[SNAPSHOT_ID] = chain[LAST_ID] = NONE
    return DepthBook(*sides, np.zeros(2, np.int64), chain)


def place_of(book: DepthBook, s: int, key: int) -> int:
    """Where a key is, or would be, among those of side `s`: the first element that is not below it."""
    low, high = 0, int(book.count[s])
    while low < high:
        middle = (low + high) >> 1
        if book.keys[s, middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


def set_level(book: DepthBook, s: int, price: int, lots: int) -> None:
    """One level: its new lots, 0 removes it. A full side loses its farthest level."""
    key = price if s == 0 else -price
    at, n = place_of(book, s, key), int(book.count[s])
    there = at < n and book.keys[s, at] == key
    if lots == 0:
        if there:
            for k in range(at, n - 1):
                book.keys[s, k] = book.keys[s, k + 1]
                book.lots[s, k] = book.lots[s, k + 1]
            book.count[s] = n - 1
    elif there:
        book.lots[s, at] = lots
    elif n < book.keys.shape[1]:
        for k in range(n, at, -1):
            book.keys[s, k] = book.keys[s, k - 1]
            book.lots[s, k] = book.lots[s, k - 1]
        book.keys[s, at] = key
        book.lots[s, at] = lots
        book.count[s] = n + 1
    elif at > 0:
        for k in range(at - 1):
            book.keys[s, k] = book.keys[s, k + 1]
            book.lots[s, k] = book.lots[s, k + 1]
        book.keys[s, at - 1] = key
        book.lots[s, at - 1] = lots


def best_price(book: DepthBook, s: int) -> int:
    """The best price of a side that has levels."""
    key = book.keys[s, book.count[s] - 1]
    return int(key if s == 0 else -key)


def near_lots(book: DepthBook, s: int) -> int:
    """Lots of the NEAR best levels of a side; -1 for a side with fewer levels: another depth is another figure."""
    n, total = int(book.count[s]), 0
    if n < NEAR:
        return -1
    for k in range(n - NEAR, n):
        total += book.lots[s, k]
    return total


def fault_of(book: DepthBook) -> int:
    """ONE_SIDED, CROSSED (best bid at or above best ask) or NOTHING."""
    if book.count[0] == 0 or book.count[1] == 0:
        return ONE_SIDED
    return CROSSED if book.keys[0, book.count[0] - 1] >= -book.keys[1, book.count[1] - 1] else NOTHING


def unsync(book: DepthBook) -> None:
    """Trust the book no more: it waits for a snapshot."""
    book.chain[SYNCED] = 0


def remember(book: DepthBook, recv_ns: int) -> None:
    """Remember twice the middle and when: what a later snapshot is held against."""
    book.chain[MIDDLE2] = best_price(book, 0) + best_price(book, 1)
    book.chain[SEEN_NS] = recv_ns


def take_snapshot(book: DepthBook, snapshot: DepthSnapshot) -> int:
    """Replace the book; returns NOTHING or DEPTH_CHANGED, else what was wrong: then the book stays unsynced."""
    before2, seen_ns = int(book.chain[MIDDLE2]), int(book.chain[SEEN_NS])
    book.count[0] = book.count[1] = book.chain[MIDDLE2] = book.chain[SYNCED] = 0
    for k in range(len(snapshot.price)):
        set_level(book, int(snapshot.side[k]), int(snapshot.price[k]), int(snapshot.lots[k]))
    fault = fault_of(book)
    if fault != NOTHING:
        return fault
    middle2 = best_price(book, 0) + best_price(book, 1)
    young = before2 > 0 and snapshot.recv_ns - seen_ns <= FAR_NS
    if young and abs(middle2 - before2) * FAR_PART > before2:
        return FOREIGN
    depth, before = min(int(book.count[0]), int(book.count[1])), int(book.chain[DEPTH])
    book.chain[SYNCED] = book.chain[FRESH] = 1
    book.chain[SNAPSHOT_ID] = book.chain[LAST_ID] = snapshot.snapshot_id
    book.chain[DEPTH] = depth
    book.chain[TAKEN] += 1
    remember(book, snapshot.recv_ns)
    return DEPTH_CHANGED if before > 0 and (depth * 2 <= before or before * 2 <= depth) else NOTHING


def place_in_chain(book: DepthBook, rule: int, delta: DepthDelta) -> int:
    """APPLIED: the delta is the next one; OLD, DUPLICATE, LATE: the book has it; REFUSED: one between them is missing.

    After a snapshot by the venues' pages: Binance (perp) drops what ends before it and continues with the one that spans it, Binance
    (spot) with the one that contains the id after it, OKX and Bybit with the one that follows it.
    """
    last = int(book.chain[LAST_ID])
    if rule == PREVIOUS and delta.prev_id == last:
        return APPLIED
    if book.chain[FRESH] == 1:
        if delta.last_id < last or (rule == NEXT and delta.last_id == last):
            return OLD
        return APPLIED if delta.first_id <= last + 1 else REFUSED
    if delta.last_id <= last:
        return DUPLICATE if delta.last_id == last else LATE
    return APPLIED if rule == NEXT and delta.first_id <= last + 1 else REFUSED


def take_delta(book: DepthBook, rule: int, delta: DepthDelta) -> tuple[int, int]:
    """(what became of it, what was wrong). A gap and a crossed book leave the book unsynced; a side without levels does not."""
    if book.chain[SYNCED] == 0:
        return WAITING, NOTHING
    became = place_in_chain(book, rule, delta)
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
