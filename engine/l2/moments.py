"""A replayed tape -> rows in time, after each message or every 100 ms, as of what had been received by then.

Called by features.py, outcomes.py and feasibility.py. The recorder's clock is the only one: a row holds what was received up
to it, so no exchange time, however wrong, can make a row know more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.l2.book import APPLIED
from engine.l2.loop import ASKS, ASKS_LOTS, ASKS_NEAR, BIDS, BIDS_LOTS, BIDS_NEAR, LOST, ORDER, PART, ReplayRows
from engine.l2.replay import BookReplay
from engine.l2.tape import BookTape, Floats, Ints, Scale, TapeTrades

STALE_NS = 5_000_000_000  # a book that heard nothing for so long is not the venue's
EVENTS = 0  # instead of a length of time: a row after each message
EVERY_MS_MIN = 10
ROWS_MAX = 50_000_000


class Moments(NamedTuple):
    """Columns of one length. A row without a usable book has NaN in all but `when_ns`, `part` 0. Sums run over the whole tape."""

    when_ns: Ints
    part: Ints  # unbroken runs between resyncs count from 1
    bid: Floats  # price units
    ask: Floats
    bid_lots: Floats
    ask_lots: Floats
    bid_near: Floats  # lots of the ten best levels; NaN with fewer levels
    ask_near: Floats
    pressure: Floats  # sum of order flow at the best quotes so far, lots (Cont, Kukanov, Stoikov 2014)
    messages: Floats  # messages so far
    bought: Floats  # lots that takers bought so far; NaN without recorded trades
    sold: Floats
    trades: Floats
    lots_a_unit: Floats  # lots in one unit of the base currency
    ticks_a_unit: Floats  # price units in one tick


class Changes(NamedTuple):
    """The book after each change, in order, and where it was lost."""

    when_ns: Ints
    row: Ints  # of ReplayRows; -1 where the book was lost
    near: Ints  # (changes, NEAR_COLUMNS)
    usable: "np.ndarray"  # both sides have levels, and the book was not lost


def changes_of(replayed: BookReplay, tape: BookTape) -> Changes:
    """Applied messages in the order applied, and a row for each loss, at the time of the message that showed it."""
    return changes_in(replayed.written, tape.recv_ns)


def changes_in(w: ReplayRows, recv_ns: Ints) -> Changes:
    """The same of any run of messages. Of one time, a loss comes behind what was applied before it."""
    applied, lost = np.flatnonzero(w.became == APPLIED), np.flatnonzero(w.near[:, LOST])
    when = np.concatenate([w.known_ns[applied], recv_ns[lost]])
    place = np.concatenate([2 * w.near[applied, ORDER], 2 * w.near[lost, LOST] - 1])
    order = np.lexsort((place, when))
    row = np.concatenate([applied, np.full(len(lost), -1)])[order].astype(np.int64)
    near = w.near[np.maximum(row, 0)]
    usable = (row >= 0) & (near[:, BIDS_LOTS] > 0) & (near[:, ASKS_LOTS] > 0)
    return Changes(when[order], row, near, usable)


def moments_of(tape: BookTape, replayed: BookReplay, trades: TapeTrades | None, every_ms: int) -> Moments:
    """Rows every `every_ms` on the clock's own grid (a prefix of the tape gives a prefix of the rows), or EVENTS: one a change.

    Raises BadInput for a step below 10 ms and for more than ROWS_MAX rows.
    """
    changes = changes_of(replayed, tape)
    return moments_at(changes, *clock_of(changes.when_ns, every_ms), trades, tape.scale)


def moments_at(changes: Changes, when: Ints, last: Ints, trades: TapeTrades | None, scale: Scale) -> Moments:
    """Rows at times `when`, for each the last change by then; -1: none yet, and no book."""
    before, last = last < 0, np.maximum(last, 0)
    near, usable = changes.near[last], changes.usable[last] & (when - changes.when_ns[last] <= STALE_NS) & ~before
    counted = sums_of(changes)
    found = [np.where(usable, near[:, k], np.nan) for k in (BIDS, ASKS, BIDS_LOTS, ASKS_LOTS)]
    deep = [np.where(usable & (near[:, k] >= 0), near[:, k], np.nan) for k in (BIDS_NEAR, ASKS_NEAR)]
    units = [np.full(len(when), x) for x in (10.0**scale.lot_digits, float(scale.tick))]
    return Moments(
        when, np.where(usable, near[:, PART], 0), *found, *deep, *(x[last] for x in counted), *traded(trades, when), *units
    )


def clock_of(when_ns: Ints, every_ms: int) -> tuple[Ints, Ints]:
    """(times of the rows, for each the last change by then). Rows begin at the first change."""
    if every_ms == EVENTS:
        return when_ns, np.arange(len(when_ns))
    if every_ms < EVERY_MS_MIN:
        raise BadInput(f"a row every {every_ms} ms", f"at least {EVERY_MS_MIN} ms, or a row after each message")
    if not len(when_ns):
        return when_ns, np.arange(0)
    step = every_ms * 1_000_000
    begin, end = -(-int(when_ns[0]) // step), int(when_ns[-1]) // step
    if end - begin >= ROWS_MAX:
        raise BadInput(f"{end - begin:,} rows", f"at most {ROWS_MAX:,}: take a longer step or a shorter tape")
    when = np.arange(begin, end + 1, dtype=np.int64) * step
    return when, np.searchsorted(when_ns, when, side="right") - 1


def sums_of(changes: Changes) -> tuple[Floats, Floats]:
    """(pressure, messages) so far, at each change. Whole numbers: a sum is exact, whatever it began with.

    Pressure of one change: lots that a bid gained less those an ask gained, a better price counting all of its lots.
    """
    flow = np.zeros(len(changes.when_ns))
    before, after = changes.near[:-1], changes.near[1:]
    both = changes.usable[:-1] & changes.usable[1:] & (before[:, PART] == after[:, PART])
    bids = np.where(after[:, BIDS] >= before[:, BIDS], after[:, BIDS_LOTS], 0) - np.where(
        after[:, BIDS] <= before[:, BIDS], before[:, BIDS_LOTS], 0
    )
    asks = np.where(after[:, ASKS] <= before[:, ASKS], after[:, ASKS_LOTS], 0) - np.where(
        after[:, ASKS] >= before[:, ASKS], before[:, ASKS_LOTS], 0
    )
    flow[1:] = np.where(both, bids - asks, 0)
    return np.cumsum(flow), np.cumsum(changes.row >= 0).astype(np.float64)


def traded(trades: TapeTrades | None, when_ns: Ints) -> list[Floats]:
    """Lots bought and sold by takers, and trades, received up to each row; NaN where none were recorded."""
    if trades is None:
        return [np.full(len(when_ns), np.nan) for _ in range(3)]
    at = np.searchsorted(trades.recv_ns, when_ns, side="right")
    sums = [np.where(trades.taker == side, trades.lots, 0) for side in (1, -1)]
    found = [np.concatenate([[0], np.cumsum(x)]).astype(np.float64)[at] for x in sums]
    return [*found, at.astype(np.float64)]


def joined(tapes: Sequence[tuple[Moments, Scale]]) -> Moments:
    """Rows of tapes that follow each other as one, best quotes in quote currency. Raises BadInput for tapes that overlap."""
    columns: list[Moments] = []
    parts = 0
    for m, scale in tapes:
        if columns and len(m.when_ns) and m.when_ns[0] <= columns[-1].when_ns[-1]:
            raise BadInput("two tapes of the same time", "name a folder whose tapes follow each other")
        if len(m.when_ns):
            part = np.where(m.part > 0, m.part + parts, 0)
            columns.append(m._replace(bid=scale.price(m.bid), ask=scale.price(m.ask), part=part))
            parts = max(parts, int(part.max()))
    if not columns:
        raise BadInput("no row in any tape", "record for longer")
    return Moments(*(np.concatenate(values) for values in zip(*columns, strict=True)))
