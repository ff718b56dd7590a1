"""A tape replayed into its book: compiled, or the same functions as plain Python. Called by checks.py and app/cli/l2.py."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engine.l2.book import NEAR, NEXT, PAGE, PAGE_BITS, PREVIOUS, DepthBook, empty_book
from engine.l2.loop import NEAR_COLUMNS, Messages, ReplayRows, replay_messages
from engine.l2.tape import DELTA, SNAPSHOT, BookTape


class BookReplay(NamedTuple):
    """A replay: its rows, the book at its first applied message, and at its end."""

    written: ReplayRows
    first: DepthBook | None
    last: DepthBook


def blank_rows(count: int) -> ReplayRows:
    """Room for what becomes of so many messages."""
    codes = np.zeros(count, np.int8), np.zeros(count, np.int8)
    return ReplayRows(*codes, np.zeros(count, np.int64), np.zeros((count, NEAR_COLUMNS), np.int64))


def rule_of(tape: BookTape) -> int:
    """PREVIOUS where any delta names the one before it, else NEXT."""
    return PREVIOUS if bool((tape.prev_id[tape.kind == DELTA] >= 0).any()) else NEXT


def replayer(*, compiled: bool) -> Callable[..., tuple[int, int]]:
    """loop.replay_messages, compiled or as plain Python."""
    if not compiled:
        return replay_messages
    from engine.l2.kernel import compiled_replay

    return compiled_replay


def replay(tape: BookTape, *, compiled: bool = True) -> BookReplay:
    """The whole tape. `compiled=False` runs the same functions as plain Python, some hundred times slower."""
    book, count = empty_book(), len(tape.kind)
    m = Messages(*(getattr(tape, name) for name in Messages._fields))
    out = blank_rows(count)
    run = replayer(compiled=compiled)
    rule, first, waiting, part, at = rule_of(tape), None, 0, 0, 0
    snapshots = np.flatnonzero(tape.kind == SNAPSHOT)
    for stop in (*(snapshots[:1] + 1), count):  # the book of the first snapshot, then everything else
        waiting, part = run(book, rule, m, out, at, int(stop), waiting, part)
        at = int(stop)
        if first is None and part:
            first = DepthBook(*(array.copy() for array in book))
    return BookReplay(out, first, book)


def levels_of(book: DepthBook, side: int, count: int = NEAR) -> list[tuple[int, int]]:
    """The best `count` levels of a side, best first, as (price units, lots)."""
    found: list[tuple[int, int]] = []
    for at in range(int(book.sizes[side, 0]) - 1, -1, -1):
        lots = book.lots[side, book.slot[side, at]]
        keys = (int(book.pages[side, at]) << PAGE_BITS) + np.flatnonzero(lots)[::-1]
        found += [(abs(int(key)), int(lots[key & (PAGE - 1)])) for key in keys]
        if len(found) >= count:
            break
    return found[:count]
