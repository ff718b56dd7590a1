"""How the desk's exposure adds up: by instrument, by strategy, and weighted by the correlations of the day.

Called by tools/exposure.py and app/api/figures.py. The book is folded from the journal, and everything in it is counted by the
functions that the guardrails use (guardrails.exposure, held_side, desk.squared_exposure): orders that may still fill count, an
unknown correlation counts as the worst.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.book.book import Book
from engine.book.events import correlated_exposure
from engine.book.replay import fold
from engine.core.guardrails import exposure, held_side
from engine.core.state import SIDES, TURNING
from engine.watch.window import journal_of, mark_at

ALIKE = 0.7  # a correlation from which two positions read as one bet


class ExposureShare(NamedTuple):
    """One instrument, strategy or sleeve: notional of its position and of orders that may still fill, in quote units."""

    name: str
    side: str  # long, short, flat; mixed: both
    exposure: float
    equity_frac: float | None  # multiples of desk equity; None without equity


class ExposurePair(NamedTuple):
    """Two instruments of the desk. `reads`: same bet, hedge, apart, not known, not held (one of them is flat)."""

    one: str
    other: str
    correlation: float | None
    exposure: float  # of both, quote units
    reads: str


class DeskExposure(NamedTuple):
    """The desk's exposure at desk time. `alike_frac`: correlated over gross; 1 is one single bet, None without exposure."""

    desk_ms: int
    event: str
    equity: float
    gross: float
    correlated: float
    alike_frac: float | None
    sleeves: tuple[ExposureShare, ...]
    instruments: tuple[ExposureShare, ...]
    strategies: tuple[ExposureShare, ...]
    pairs: tuple[ExposurePair, ...]


def desk_exposure(home: Path) -> DeskExposure | None:
    """The desk's exposure as of its last mark; None before the first bar."""
    mark = mark_at(journal_of(home))
    return None if mark is None else _at(home, mark.id, mark.t_event_ms)


@lru_cache(maxsize=4)
def _at(home: Path, event: str, desk_ms: int) -> DeskExposure | None:
    """The same, once a mark."""
    book = fold(journal_of(home))
    return None if book is None or book.count == 0 else exposure_of(book, event, desk_ms)


def exposure_of(book: Book, event: str, desk_ms: int) -> DeskExposure:
    """The exposure of a book."""
    sleeves, equity = [book.marked(s) for s in range(len(book.sleeves))], book.desk.equity
    held = [(s, exposure(sleeve), held_side(sleeve)) for s, sleeve in enumerate(sleeves)]
    gross, correlated = sum(amount for _, amount, _ in held), correlated_exposure(book)

    def grouped(name: Callable[[int], str]) -> tuple[ExposureShare, ...]:
        found: dict[str, list[tuple[float, int]]] = {}
        for s, amount, side in held:
            found.setdefault(name(s), []).append((amount, side))
        return tuple(_share(key, parts, equity) for key, parts in found.items())

    instruments = grouped(lambda s: str(book.specs[s].source["instrument"]))
    return DeskExposure(
        desk_ms,
        event,
        equity,
        gross,
        correlated,
        correlated / gross if gross > 0.0 else None,
        grouped(lambda s: book.names[s]),
        instruments,
        grouped(lambda s: str(book.specs[s].source["strategy"])),
        _pairs(book, {share.name: share for share in instruments}),
    )


def _share(name: str, parts: list[tuple[float, int]], equity: float) -> ExposureShare:
    amount, sides = sum(part for part, _ in parts), {side for _, side in parts if side != 0}
    side = "mixed" if len(sides) > 1 or TURNING in sides else SIDES[sides.pop()] if sides else SIDES[0]
    return ExposureShare(name, side, amount, amount / equity if equity > 0.0 else None)


def _pairs(book: Book, shares: Mapping[str, ExposureShare]) -> tuple[ExposurePair, ...]:
    """Every pair of instruments, the largest exposure first."""
    width, names = len(book.columns), book.instruments
    found = []
    for a, one in enumerate(names):
        for b in range(a + 1, len(names)):
            r = book.correlations[a * width + b]
            pair = (shares[one], shares[names[b]])
            found.append(
                ExposurePair(one, names[b], None if math.isnan(r) else r, sum(p.exposure for p in pair), _reads(pair, r))
            )
    return tuple(sorted(found, key=lambda pair: -pair.exposure))


def _reads(pair: tuple[ExposureShare, ExposureShare], correlation: float) -> str:
    """Whether two positions are one bet: the same side of what moves together, or opposite sides of what moves apart."""
    one, other = pair
    if not (one.exposure > 0.0 and other.exposure > 0.0):
        return "not held"
    if math.isnan(correlation) or "mixed" in (one.side, other.side):
        return "not known"
    together = correlation if one.side == other.side else -correlation
    return "same bet" if together >= ALIKE else "hedge" if together <= -ALIKE else "apart"
