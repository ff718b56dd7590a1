"""The loop over messages: each through the book, what became of it, what was wrong, and the book's near end after it.

Compiled by kernel.py, called through replay.py. Deltas that came before their snapshot are applied behind it, as the venues'
pages say, and count as known from the snapshot on.
"""

from typing import NamedTuple

from engine.l2.book import (
    APPLIED,
    NOTHING,
    OLD,
    REFUSED,
    SYNCED,
    TAKEN,
    WAITING,
    Bytes,
    DepthBook,
    DepthDelta,
    DepthSnapshot,
    Ints,
    best_of,
    near_lots,
    place_in_chain,
    take_delta,
    take_snapshot,
)
from engine.l2.tape import ASK, BID, SNAPSHOT

BUFFER = 2_000  # deltas kept for a snapshot that is on its way
BIDS, BIDS_LOTS, ASKS, ASKS_LOTS, BIDS_NEAR, ASKS_NEAR, PART, ORDER, LOST, NEAR_COLUMNS = range(10)  # columns of `near`


class Messages(NamedTuple):
    """A tape's arrays, as the compiled loop takes them."""

    kind: Bytes
    recv_ns: Ints
    first_id: Ints
    last_id: Ints
    prev_id: Ints
    start: Ints
    side: Bytes
    price: Ints
    lots: Ints


class ReplayRows(NamedTuple):
    """What the loop writes, one row a message."""

    became: Bytes  # book.APPLIED ...
    fault: Bytes  # book.NOTHING ..., the first one
    known_ns: Ints  # when the book after it was known; 0 where the message was not applied
    # (messages, NEAR_COLUMNS): best bid, its lots, best ask, its lots, lots of the ten best, part, order of application; where
    # this message cost the book its sync, one more than what had been applied by then
    near: Ints


def write_near(book: DepthBook, row: Ints, part: int) -> None:
    """The near end of a synced book into a row of `near`; what an empty side lacks stays 0."""
    row[PART], row[ORDER] = part, book.chain[TAKEN]
    if book.sizes[BID, 1] > 0:
        row[BIDS], row[BIDS_LOTS] = best_of(book, BID)
    if book.sizes[ASK, 1] > 0:
        row[ASKS], row[ASKS_LOTS] = best_of(book, ASK)
    row[BIDS_NEAR], row[ASKS_NEAR] = near_lots(book, BID), near_lots(book, ASK)


def delta_at(m: Messages, i: int) -> DepthDelta:
    """Message i of the arrays as a delta."""
    a, b = m.start[i], m.start[i + 1]
    return DepthDelta(m.recv_ns[i], m.first_id[i], m.last_id[i], m.prev_id[i], m.side[a:b], m.price[a:b], m.lots[a:b])


def snapshot_at(m: Messages, i: int) -> DepthSnapshot:
    """Message i of the arrays as a snapshot."""
    a, b = m.start[i], m.start[i + 1]
    return DepthSnapshot(m.recv_ns[i], m.last_id[i], m.side[a:b], m.price[a:b], m.lots[a:b])


def replay_messages(
    book: DepthBook, rule: int, m: Messages, out: ReplayRows, begin: int, end: int, waiting: int, part: int
) -> tuple[int, int]:
    """Messages begin to end (excluded) through the book; returns (first one that waits for a snapshot, part).

    A part is an unbroken run between two snapshots; the first is 1. `waiting` and `part` carry over to the next call.
    """
    for i in range(begin, end):
        if m.kind[i] == SNAPSHOT:
            before, taken = book.chain[SYNCED], book.chain[TAKEN]
            fault = take_snapshot(book, snapshot_at(m, i))
            out.fault[i] = fault
            if book.chain[SYNCED] == 0:
                out.became[i], waiting = REFUSED, i + 1
                out.near[i, LOST] = before * (book.chain[TAKEN] + 1)
                continue
            if book.chain[TAKEN] == taken:
                out.became[i], waiting = OLD, i + 1
                continue
            part += 1
            out.became[i], out.known_ns[i] = APPLIED, m.recv_ns[i]
            write_near(book, out.near[i], part)
            back = max(waiting, i - BUFFER)
        elif book.chain[SYNCED] == 0:
            out.became[i] = WAITING
            continue
        else:
            back = i
        waiting = i + 1
        for j in range(back, i + 1):
            if m.kind[j] == SNAPSHOT:
                continue
            if j < i and place_in_chain(book.chain, rule, m.first_id[j], m.last_id[j], m.prev_id[j]) == REFUSED:
                break  # of another numbering, or behind a hole: the next message that comes says which
            became, fault = take_delta(book, rule, delta_at(m, j))
            out.became[j] = became
            if fault != NOTHING and out.fault[j] == NOTHING:
                out.fault[j] = fault
            if became == APPLIED:
                out.known_ns[j] = m.recv_ns[i]
                write_near(book, out.near[j], part)
            if book.chain[SYNCED] == 0:
                out.near[i, LOST] = book.chain[TAKEN] + 1
                waiting = j
                break
    return waiting, part
