"""What a sudden move would do to the desk as it stands: one bar that nobody has seen, through the core itself.

Called by tools/exposure.py and app/api/figures.py. The book is folded from the journal; `settle_and_mark` of engine/core/desk.py
takes a constructed bar, so stops, targets, waiting orders, liquidation and the drawdown breaker do what they would do if that bar
came. Nothing is journaled, and no decision is taken at its close.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.book.book import Book
from engine.book.replay import fold
from engine.core.desk import settle_and_mark
from engine.core.ledger import open_lots
from engine.core.memory import Memory
from engine.core.row_fields import FillRow, decode
from engine.core.state import EXIT_REASONS, NONE, Bar, Sleeve
from engine.errors import BadInput
from engine.watch.basket_bars import PlayedBasket
from engine.watch.window import journal_of, mark_at

MOVE_MAX = 0.95
ROWS = 64  # a sleeve has at most a few fills in one bar


class SleeveShock(NamedTuple):
    """One sleeve: equity before and after, what it held and what is left (signed base units), and the reasons of its exits."""

    sleeve: str
    instrument: str
    before: float
    after: float
    held: float
    left: float
    exits: tuple[str, ...]


class Shock(NamedTuple):
    """The desk after the bar; `halts`: the drawdown breaker trips. Money in quote units."""

    move_frac: float
    gap: bool
    symbol: str | None
    before: float
    after: float
    drawdown_frac: float  # from the breaker's reference, after the bar
    halts: bool
    sleeves: tuple[SleeveShock, ...]


def shock(home: Path, move_frac: float, symbol: str | None = None, *, gap: bool = False) -> Shock | None:
    """The desk after prices moved by `move_frac` (-0.1: down a tenth) in one bar; None before the first bar.

    gap: the bar opens at the new price, so stops fill there; else it opens at the last close and trades through every level.
    `symbol` (BTC-USDT): that one alone moves. Raises BadInput for a move out of bounds and for a symbol the desk does not trade.
    """
    if not 0.0 < abs(move_frac) <= MOVE_MAX:
        raise BadInput(f"a move of {move_frac:g} is out of bounds", f"give a fraction up to {MOVE_MAX:g} either way, as in -0.1")
    book = fold(journal_of(home))
    if book is None or book.count == 0:
        return None
    symbols = {name.split("@")[0].split(":")[1] for name in book.columns}
    if symbol is not None and symbol not in symbols:
        raise BadInput(f"the desk does not trade {symbol!r}", f"available: {', '.join(sorted(symbols))}")
    return shocked(book, move_frac, symbol, gap=gap)


def shocks(home: Path, move_frac: float) -> tuple[Shock, ...]:
    """The desk after a fall and after a rise of `move_frac`, each trading through every level and as a gap; once a mark. Empty
    before the first bar. Raises BadInput for a move out of bounds."""
    mark = mark_at(journal_of(home))
    return () if mark is None else _shocks(home, mark.id, move_frac)


@lru_cache(maxsize=8)
def _shocks(home: Path, event: str, move_frac: float) -> tuple[Shock, ...]:  # noqa: ARG001 - the event is what it is of
    """The same, kept for the mark `event`."""
    ways = [(sign * move_frac, gap) for sign in (-1.0, 1.0) for gap in (False, True)]
    found = [shock(home, move, gap=gap) for move, gap in ways]
    return tuple(one for one in found if one is not None)


def shocked(book: Book, move_frac: float, symbol: str | None, *, gap: bool) -> Shock:
    """The same of a book; it is used up."""
    width, count = len(book.columns), len(book.sleeves)
    before = [book.marked(s) for s in range(count)]
    equity, left_bits = sum(sleeve.ledger.equity for sleeve in before), book.desk.tripped
    bars = [
        moved(bar, move_frac if symbol in (None, name.split("@")[0].split(":")[1]) else 0.0, book.bars[0].close_ms, gap=gap)
        for name, bar in zip(book.columns, book.bars, strict=True)
    ]
    if book.basket is not None:
        return _basket_shocked(book, bars, Shock(move_frac, gap, symbol, 0.0, 0.0, 0.0, False, ()))
    scratch = [0.0] * width, [0] * width, [0.0] * width, [0.0] * count
    rows: list[object] = [None] * (ROWS * count)
    m = Memory(bars, book.sleeves, [spec.rules for spec in book.specs], book.recent_r, *scratch, book.correlations, rows)
    desk, n, _ = settle_and_mark(m, book.desk, book.limits, 0, 0, [0] * count, 1)
    exits: dict[int, list[str]] = {}
    for row in rows[:n]:
        s, fields = decode(row)  # type: ignore[arg-type]  # the first n are written
        if isinstance(fields, FillRow) and fields.reason != NONE:
            exits.setdefault(s, []).append(EXIT_REASONS[fields.reason])
    found = tuple(
        SleeveShock(
            book.names[s],
            book.specs[s].source["instrument"],
            before[s].ledger.equity,
            book.sleeves[s].ledger.equity,
            _units(before[s], book.specs[s].rules.lot_size),
            _units(book.sleeves[s], book.specs[s].rules.lot_size),
            tuple(exits.get(s, ())),
        )
        for s in range(count)
    )
    lost = 1.0 - desk.equity / desk.peak if desk.peak > 0 else 0.0
    return Shock(move_frac, gap, symbol, equity, desk.equity, lost, desk.tripped != left_bits, found)


def _basket_shocked(book: Book, bars: Sequence[Bar], about: Shock) -> Shock:
    """The same of a basket, leg by leg: its legs have one margin, and what it loses is that of all pairs."""
    played = PlayedBasket(book)
    before = [(played.equity(s), _units(sleeve, book.specs[s].rules.lot_size)) for s, sleeve in enumerate(played.legs)]
    exits: dict[int, list[str]] = {}
    for leg, reason in played.bar([bars[spec.rules.bars] for spec in book.specs]):
        exits.setdefault(leg, []).append(reason)
    found = tuple(
        SleeveShock(
            book.names[s],
            book.specs[s].source["instrument"],
            equity,
            played.equity(s),
            held,
            _units(played.legs[s], book.specs[s].rules.lot_size),
            tuple(dict.fromkeys(exits.get(s, ()))),
        )
        for s, (equity, held) in enumerate(before)
    )
    desk = played.desk
    lost = 1.0 - desk.equity / desk.peak if desk.peak > 0 else 0.0
    halts = desk.tripped != book.desk.tripped
    return about._replace(
        before=sum(equity for equity, _ in before), after=desk.equity, drawdown_frac=lost, halts=halts, sleeves=found
    )


def moved(bar: Bar, move_frac: float, close_ms: int, *, gap: bool) -> Bar:
    """The bar after one of these prices: it opens at the last close, or beyond it in a gap, and closes at the moved price."""
    price = bar.close * (1.0 + move_frac)
    start = price if gap else bar.close
    return Bar(close_ms + 1, start, max(start, price), min(start, price), price, bar.volume, 0.0, 0.0)


def _units(sleeve: Sleeve, lot_size: float) -> float:
    """Signed base units of a sleeve's position."""
    position = sleeve.position
    return open_lots(position) * position.side * lot_size
