"""Strategy A on recorded bars: how many round trips each peer has in common with ours, and where they part.

Called by `python -m bench agreement`; NIGHTDESK_DATA names the recorded bars. On synthetic bars all engines agree; real ones
have single bars wide enough to reach a target or a trail on the bar of the entry itself, and there the peers differ by design.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from bench import work
from engine.errors import BadInput

SERIES = tuple(
    f"binance_{symbol}-USDT_perp_{timeframe}"
    for symbol, timeframe in (
        ("BTC", "1m"), ("BTC", "5m"), ("BTC", "15m"), ("BTC", "1h"), ("ETH", "15m"), ("ETH", "1h"), ("SOL", "15m"), ("SOL", "1h"),
        ("XRP", "15m"), ("BNB", "1h"),
    )
)  # fmt: skip
PRICES = ("open", "high", "low", "close", "volume")


class Agreement(NamedTuple):
    """Round trips of a peer against ours."""

    ours: int
    theirs: int
    same: int  # bars equal, prices to 1e-9 relative
    entry_bar: int  # ours that entered alike and left otherwise, ours or theirs on the bar of the entry
    later: int  # ours that entered alike and left otherwise, later
    only_ours: int  # entered by us alone: a trip that ends otherwise frees or blocks the next entry


def recorded(name: str) -> np.ndarray:
    """(n, 5) bars of a recorded file. Raises BadInput where NIGHTDESK_DATA has none."""
    folder = os.environ.get("NIGHTDESK_DATA", "")
    found = sorted(Path(folder).rglob(f"{name}.parquet")) if folder else []
    if not found:
        raise BadInput(f"no recorded bars {name}", "set NIGHTDESK_DATA to a folder that has them")
    return pl.read_parquet(found[0], columns=list(PRICES)).drop_nulls().to_numpy().astype(np.float64)


def saved(name: str) -> tuple[Path, np.ndarray]:
    """The bars as the file that a peer reads, and the bars."""
    columns = np.ascontiguousarray(recorded(name))
    path = work.OUT / f"real_{name}.npy"
    work.OUT.mkdir(exist_ok=True)
    np.save(path, columns)
    return path, columns


def agreement(ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    """Both are rows of (entry bar, exit bar, entry price, exit price); a trip is found again by its entry bar."""
    there = {int(row[0]): row for row in theirs}
    same = entry_bar = later = 0
    for row in ours:
        other = there.get(int(row[0]))
        if other is None:
            continue
        if alike(row, other):
            same += 1
        elif row[0] in (row[1], other[1]):
            entry_bar += 1
        else:
            later += 1
    return Agreement(len(ours), len(theirs), same, entry_bar, later, len(ours) - same - entry_bar - later)


def named(ours: np.ndarray, theirs: np.ndarray, columns: np.ndarray) -> dict[str, int]:
    """Why trips that both entered on the same bar ended otherwise at nautilus_trader: name -> how many.

    high first: the bar reached our stop or trail and the target; it walks open, high, low, close, and a long's target is at the
    high. trail refused: the close had passed the new trail already; it takes no such order, ours fills at the next open.
    """
    there, found = {int(row[0]): row for row in theirs}, {"high first": 0, "trail refused": 0, "not explained": 0}
    for row in ours:
        other = there.get(int(row[0]))
        if other is not None and not alike(row, other):
            found[reason(row, other, columns)] += 1
    return found


def reason(row: np.ndarray, other: np.ndarray, columns: np.ndarray) -> str:
    """The same of one trip."""
    entered, left, before = int(row[0]), int(row[1]), columns[: int(row[0]), 3]
    window = before[-work.SLOW - 2 :]
    side = int(work.crosses(work.average(window, work.FAST), work.average(window, work.SLOW))[-1])
    seen = columns[entered:left]
    if side > 0 and row[1] == other[1] and row[3] < other[3] and columns[left, 1] >= other[3] >= row[2]:
        return "high first"
    if len(seen):
        best = max(row[2], seen[:, 1].max()) if side > 0 else min(row[2], seen[:, 2].min())
        trail = best * (1.0 - side * work.TRAIL)
        if (trail - row[2] * (1.0 - side * work.STOP)) * side > 0.0 and (seen[-1, 3] - trail) * side <= 0.0:
            return "trail refused"
    return "not explained"


def alike(row: np.ndarray, other: np.ndarray) -> bool:
    """Whether two trips end on the same bar and have equal prices."""
    return bool(row[1] == other[1] and np.allclose(row[2:], other[2:], rtol=1e-9, atol=0.0))
