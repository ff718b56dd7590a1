"""A desk's parent entries and their children: which sleeve works one now, and which child order it wants.

Called by order_events.act (what to ask of the venue), executions.py and live/bar_event.py (which bars the sleeve trades on),
and transitions.py (the schedules that the core reads). The schedule is part of the sleeve's `config` event; how much is due
comes from core/slices.py, which a backtest calls too. The parent is the sleeve's own entry order: sized, reviewed, counted once.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from engine.book.book import Book, Spec
from engine.core.memory import Memory
from engine.core.orders import VenueOrder
from engine.core.plan import Want
from engine.core.slices import WIDTH, asked_lots, on_clock
from engine.core.state import ENTRY


def schedules_of(specs: Sequence[Spec], clock_ms: int) -> list[float]:
    """Of each sleeve as core/slices.py reads it, flat; empty where none works its entries."""
    found = [spec.source.get("execution") for spec in specs]
    if not any(found):
        return []
    return [number for execution in found for number in _schedule(execution, clock_ms)]


def _schedule(execution: Any, clock_ms: int) -> list[float]:
    """One sleeve's; zeros for one without."""
    numbers = [] if not execution else [float(execution["slices"]), float(clock_ms), *map(float, execution["shares"])]
    return numbers + [0.0] * (WIDTH - len(numbers))


def works(book: Book, s: int, close_ms: int) -> bool:
    """Whether sleeve s works an entry in the bar of the clock that closes then: it trades the clock's bars there."""
    m = _memory(book, s)
    return m is not None and on_clock(m, 0, book.sleeves[s], book.specs[s].rules, close_ms)


def working(book: Book, s: int) -> bool:
    """The same of the clock's next bar, which everything that is asked of a venue now is for."""
    return works(book, s, book.close_ms + int(book.start["timeframe_ms"]))


def child_lots(book: Book, s: int) -> int:
    """Lots that a child of sleeve s is to fill in the clock's next bar; 0 between slices and for a halted desk."""
    m = _memory(book, s)
    if m is None or book.desk.halted != 0:
        return 0
    return asked_lots(m, 0, book.sleeves[s], book.specs[s].rules, book.close_ms)


def slice_of(book: Book, s: int) -> dict[str, int]:
    """What an intent says of a child: its slice, of how many, and the lots of the parent that are not filled."""
    slices, order = int(book.specs[s].source["execution"]["slices"]), book.sleeves[s].order
    number = (book.close_ms - order.decided_ms) * slices // book.specs[s].rules.bar_ms + 1
    return {"slice": number, "slices": slices, "parent_lots": order.lots}


def as_child(book: Book, s: int, wanted: Iterable[Want], orders: Iterable[VenueOrder], *, opens: bool) -> list[Want]:
    """What sleeve s wants at its venue, the child in the place of its parent: the one that is there, in doubt or not, else, where
    a bar of the clock `opens`, the one that is due. One at a time, so that no answer can make them more than the parent.
    """
    wanted, parent, lots = list(wanted), book.sleeves[s].order, 0
    if parent.side == 0 or parent.limit > 0.0 or not book.specs[s].source.get("execution"):
        return wanted
    if working(book, s) and book.desk.halted == 0:  # not past its own bar, which may have had no last one of the clock
        there = [o for o in orders if (o.slot, o.key) == (ENTRY, parent.key)]
        lots = there[-1].left if there else child_lots(book, s) if opens else 0
    mine = (want._replace(lots=lots) if want.slot == ENTRY else want for want in wanted)
    return [want for want in mine if want.slot != ENTRY or want.lots > 0]


def _memory(book: Book, s: int) -> Memory | None:
    """What core/slices.py reads of sleeve s; None for one without a schedule."""
    schedule = schedules_of([book.specs[s]], int(book.start["timeframe_ms"]))
    if not schedule:
        return None
    nothing: list[Any] = []
    return Memory(*(nothing,) * 11, schedule)
