"""Snapshots of a tape held against one another: is there one, and are they books, or deltas that were read as snapshots?

Called by checks.py.
"""

import numpy as np

from engine.amounts import percent_text
from engine.data.issues import DataIssue
from engine.l2.tape import BID, SNAPSHOT, BookTape, Ints

MANY = 20  # messages from which shares are looked at
PART_MIN = 0.05  # a snapshot's levels over the largest one's
NEXT_NS = 1_000_000_000  # two snapshots that are no farther apart show one book
PAIRS_MAX = 500  # of them are looked at
COMMON_MIN = 0.5  # of the prices where both have levels, in the median; 0.1 and 0.2 between deltas of the recorded tapes
INSIDE_MIN = 4  # prices there: of a venue's few best nothing may be left


def whole_tape(rule: str, text: str) -> list[DataIssue]:
    """An error of no single message."""
    return [DataIssue(rule, "error", (), text)]


def sides_of(tape: BookTape, i: int) -> tuple[Ints, Ints]:
    """Prices of message i's bids and asks, in the order sent, levels that are removed left out."""
    levels = slice(tape.start[i], tape.start[i + 1])
    price, side, lots = tape.price[levels], tape.side[levels], tape.lots[levels]
    return price[(side == BID) & (lots > 0)], price[(side != BID) & (lots > 0)]


def snapshots_read(tape: BookTape) -> list[DataIssue]:
    """No snapshot at all; snapshots most of which have hardly any levels, or hardly any that the next one has, too: deltas that
    were read as snapshots.
    """
    shots = np.flatnonzero(tape.kind == SNAPSHOT)
    sizes = np.diff(tape.start)[shots]
    if not len(sizes):
        return whole_tape("no_snapshot", "not one snapshot: a book cannot be built from deltas alone")
    text = ""
    if len(sizes) >= MANY and np.median(sizes) < PART_MIN * sizes.max():
        text = f"{np.median(sizes):.0f} levels in the median, the largest has {sizes.max():,}"
    elif len(shots) > len(tape.kind) / 2:
        shares = common_of(tape, shots)
        if len(shares) >= MANY and np.median(shares) < COMMON_MIN:
            text = f"{percent_text(float(np.median(shares)), 0)} of the prices, in the median, that the next one has where both have levels"
    return whole_tape("deltas_as_snapshots", f"deltas read as snapshots: {len(sizes):,} snapshots with {text}") if text else []


def common_of(tape: BookTape, shots: Ints) -> list[float]:
    """Of snapshots that follow one another, the share of prices that both have, where the levels of both reach."""
    near = np.flatnonzero(np.diff(tape.recv_ns[shots]) <= NEXT_NS)
    found = []
    for n in near[:: max(1, len(near) // PAIRS_MAX)].tolist():
        one, other = sides_of(tape, int(shots[n])), sides_of(tape, int(shots[n + 1]))
        both = inside = 0
        for a, b in zip(one, other, strict=True):
            if len(a) and len(b):
                low, high = max(a.min(), b.min()), min(a.max(), b.max())
                both += len(np.intersect1d(a, b))
                inside += max(int(((x >= low) & (x <= high)).sum()) for x in (a, b))
        if inside >= INSIDE_MIN:
            found.append(both / inside)
    return found
