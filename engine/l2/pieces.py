"""Pieces of a tape: joined, cut, and put into finer units, so that a book can go on where the piece before it ended.

Called by bars.py. All numbers are whole, so none of this changes a value's bits.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engine.errors import DataError
from engine.l2.book import MIDDLE2, DepthBook, empty_book, set_level
from engine.l2.loop import ASKS, ASKS_LOTS, ASKS_NEAR, BIDS, BIDS_LOTS, BIDS_NEAR
from engine.l2.moments import Changes
from engine.l2.replay import levels_of
from engine.l2.tape import ASK, BID, EXACT, BookTape, Scale, TapeTrades

BY_MESSAGE = ("row", "seq", "kind", "recv_ns", "exch_ms", "first_id", "last_id", "prev_id")
BY_LEVEL = ("side", "price", "lots")


def joined(first: Any, then: Any) -> Any:
    """Two arrays as one."""
    return np.concatenate([first, then])


def following(first: BookTape, then: BookTape) -> BookTape:
    """Two pieces as one."""
    columns = {name: joined(getattr(first, name), getattr(then, name)) for name in (*BY_MESSAGE, *BY_LEVEL)}
    return then._replace(**columns, start=joined(first.start[:-1], then.start + len(first.price)))


def from_message(piece: BookTape, n: int) -> BookTape:
    """The piece from its message `n` on."""
    begin = int(piece.start[n])
    columns = {name: getattr(piece, name)[n:].copy() for name in BY_MESSAGE}
    columns |= {name: getattr(piece, name)[begin:].copy() for name in BY_LEVEL}
    return piece._replace(**columns, start=piece.start[n:] - begin)


def until_message(piece: BookTape, n: int) -> BookTape:
    """The piece up to its message `n`, without it."""
    end = int(piece.start[n])
    columns = {name: getattr(piece, name)[:n] for name in BY_MESSAGE}
    columns |= {name: getattr(piece, name)[:end] for name in BY_LEVEL}
    return piece._replace(**columns, start=piece.start[: n + 1])


def finer(piece: BookTape, prices: int, lots: int) -> BookTape:
    """A piece in units so many times finer. Raises DataError where they are no exact numbers any more."""
    if prices == lots == 1:
        return piece
    for values, factor in ((piece.price, prices), (piece.lots, lots)):
        if float(values.max(initial=0)) * factor > EXACT:
            raise DataError(f"{piece.path}: no common grid holds its numbers and those before", "record it again")
    return piece._replace(price=piece.price * prices, lots=piece.lots * lots)


def finer_changes(changes: Changes, prices: int, lots: int) -> Changes:
    """Changes in units so many times finer; the lots of a side with too few levels stay -1."""
    near = changes.near.copy()
    near[:, [BIDS, ASKS]] *= prices
    near[:, [BIDS_LOTS, ASKS_LOTS]] *= lots
    for k in (BIDS_NEAR, ASKS_NEAR):
        near[:, k] = np.where(near[:, k] >= 0, near[:, k] * lots, near[:, k])
    return changes._replace(near=near)


def regrained(book: DepthBook, prices: int, lots: int) -> DepthBook:
    """The same book in units so many times finer."""
    fine = empty_book()
    for side in (BID, ASK):
        for price, amount in levels_of(book, side, int(book.sizes[side, 1])):
            set_level(fine, side, price * prices, amount * lots)
    fine.chain[:] = book.chain
    fine.chain[MIDDLE2] *= prices
    return fine


def factors(coarse: Scale, fine: Scale) -> tuple[int, int]:
    """How many units and lots of `fine` are one of `coarse`."""
    return 10 ** (fine.price_digits - coarse.price_digits), 10 ** (fine.lot_digits - coarse.lot_digits)


def finest(scales: Iterable[Scale]) -> Scale:
    """The units that hold the numbers of all of them."""
    some = list(scales)
    return Scale(max(one.price_digits for one in some), max(one.lot_digits for one in some), 1)


def on_one_grid(piece: BookTape, parts: Sequence[tuple[TapeTrades, Scale]]) -> tuple[BookTape, TapeTrades | None]:
    """A piece and the trades beside it in the same units."""
    scale = finest([piece.scale, *(own for _, own in parts)])
    piece = finer(piece, *factors(piece.scale, scale))._replace(scale=scale)
    if not parts:
        return piece, None
    same = [finer_trades(trades, *factors(own, scale)) for trades, own in parts]
    return piece, TapeTrades(*(np.concatenate(columns) for columns in zip(*same, strict=True)))


def finer_trades(trades: TapeTrades, prices: int, lots: int) -> TapeTrades:
    """Trades in units so many times finer."""
    return trades._replace(price=trades.price * prices, lots=trades.lots * lots)
