"""Trades beside a tape, held against its book: of the same time, and each by the side of the taker that its price says.

Called by checks.py. Labels and fills read trades, so that a wrong file of them is a wrong answer without a gap anywhere.
"""

import numpy as np

from engine.data.issues import DataIssue
from engine.l2.book import APPLIED
from engine.l2.loop import ASKS, ASKS_LOTS, BIDS, BIDS_LOTS
from engine.l2.replay import BookReplay
from engine.l2.tape import BookTape, TapeTrades

AROUND_NS = 60_000_000_000  # a tape's trades may begin and end so much beside it
TRADES_MIN = 20  # at or beyond the best prices, from which shares are looked at
WRONG_MAX = 0.8  # of them by takers of the other side; 0.03 and 0.07 on the recorded tapes, whose books are up to 100 ms old


def trade_issues(tape: BookTape, replayed: BookReplay, trades: TapeTrades | None) -> list[DataIssue]:
    """Trades of another time, or with takers swapped."""
    if trades is None or not len(trades.price):
        return []
    when = trades.recv_ns
    inside = (when >= tape.recv_ns[0] - AROUND_NS) & (when <= tape.recv_ns[-1] + AROUND_NS)
    if not inside.any():
        return [
            DataIssue(
                "trades_elsewhere", "error", (), "not one trade is of the tape's time: another day's, or another unit of time"
            )
        ]
    wrong, count = wrong_takers(replayed, trades)
    if count >= TRADES_MIN and wrong > WRONG_MAX * count:
        text = (
            f"{wrong:,} of {count:,} trades at or beyond the best prices are by takers of the other side: buyer_maker is inverted"
        )
        return [DataIssue("takers_inverted", "error", (), text)]
    return []


def wrong_takers(replayed: BookReplay, trades: TapeTrades) -> tuple[int, int]:
    """(trades whose taker is of the other side than their price, trades at or beyond the best prices known by then)."""
    w = replayed.written
    good = np.flatnonzero((w.became == APPLIED) & (w.near[:, BIDS_LOTS] > 0) & (w.near[:, ASKS_LOTS] > 0))
    good = good[np.argsort(w.known_ns[good], kind="stable")]
    at = np.searchsorted(w.known_ns[good], trades.recv_ns, side="right") - 1
    price, taker, near = trades.price[at >= 0], trades.taker[at >= 0], w.near[good[at[at >= 0]]]
    bought, sold = price >= near[:, ASKS], price <= near[:, BIDS]
    wrong = (bought & (taker < 0)) | (sold & (taker > 0))
    return int(wrong.sum()), int((bought | sold).sum())
