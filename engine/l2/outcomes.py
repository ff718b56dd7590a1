"""What became of an order that rests at the best price: filled or not, when, and where the market went after it. Labels.

Called by app/cli/l2.py. An order is laid at the best bid or ask of a row and rests for its life. `through`: it is filled when
a taker trades beyond its price (the queue before it is then gone for certain); `queue`: or when takers have traded at its
price what waited there before it. The truth is between the two. A label that the tape ends too early for, or that a lost book
hides, is null.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.l2.loop import ASKS, BIDS
from engine.l2.moments import Changes, Moments
from engine.l2.tape import BookTape, Floats, Ints, TapeTrades

FILLS = ("through", "queue")
HORIZONS_S = (1, 5, 10, 30)
SPEEDS_S = (0, 1, 5, 15, 60)  # edges of the classes by time to fill
LIFE_S_MAX = 3600
MS_NS = 1_000_000


class RestingOrders(NamedTuple):
    """One element an order; horizons are columns of the tables."""

    placed_ns: Ints
    side: Ints  # 1 buys at the bid, -1 sells at the ask
    price: Ints  # units
    filled: Floats  # 1, 0, NaN unknown
    time_to_fill_ms: Floats  # NaN unless filled
    known_ns: Ints  # when the last of its labels is known
    move_bps: Floats  # (orders, horizons): the middle after the fill, less its price, in favour of the order
    mfe_bps: Floats  # the best of that until the horizon, 0 or more
    mae_bps: Floats  # the worst, 0 or less


def labels_of(
    tape: BookTape,
    changes: Changes,
    moments: Moments,
    trades: TapeTrades,
    *,
    life_s: float = 60.0,
    horizons_s: Sequence[float] = HORIZONS_S,
    fill: str = "through",
) -> RestingOrders:
    """A buy and a sell at each row of `moments` with a usable book. Raises BadInput for a life, horizon or fill that is none."""
    require_terms(life_s, horizons_s, fill)
    rows = np.flatnonzero(moments.part > 0)
    placed = np.repeat(moments.when_ns[rows], 2)
    side = np.tile(np.array([1, -1], np.int64), len(rows))
    bids, asks = (column[rows].astype(np.int64) for column in (moments.bid, moments.ask))
    price = np.stack([bids, asks], axis=1).reshape(-1)
    ahead = np.stack([moments.bid_lots[rows], moments.ask_lots[rows]], axis=1).reshape(-1) if fill == "queue" else None
    life_ns, horizons = int(life_s * 1e9), np.array([int(h * 1e9) for h in horizons_s], np.int64)
    end = min(int(tape.recv_ns[-1]), int(trades.recv_ns[-1]) if len(trades.recv_ns) else 0)
    fills = fill_times(trades, placed, side, price, ahead, life_ns)
    lost = changes.when_ns[~changes.usable]
    unknown = (placed + life_ns > end) | any_within(lost, placed, np.where(fills > 0, fills, placed + life_ns))
    hit = (fills > 0) & ~unknown
    filled = np.where(unknown, np.nan, hit.astype(np.float64))
    took = np.where(hit, (fills - placed) / MS_NS, np.nan)
    shape = (len(placed), len(horizons))
    tables = [np.full(shape, np.nan) for _ in range(3)]
    middle = (changes.near[:, BIDS] + changes.near[:, ASKS]) / 2.0
    for h, length in enumerate(horizons):
        whole = hit & (fills + length <= end) & ~any_within(lost, placed, fills + length)
        for k in np.flatnonzero(whole):
            for table, value in zip(
                tables, excursion(changes.when_ns, middle, int(fills[k]), int(length), int(price[k])), strict=True
            ):
                table[k, h] = value
    favour = side.astype(np.float64)[:, None]
    move, high, low = (table * favour for table in tables)
    best, worst = np.maximum(np.maximum(high, low), 0.0), np.minimum(np.minimum(high, low), 0.0)
    known = np.where(hit, fills + int(horizons.max()), placed + life_ns)
    return RestingOrders(placed, side, price, filled, took, known, move, best, worst)


def require_terms(life_s: float, horizons_s: Sequence[float], fill: str) -> None:
    """Raises BadInput for what is not a life, horizons or a way of filling."""
    if fill not in FILLS:
        raise BadInput(f"fill {fill!r}", f"one of {', '.join(FILLS)}")
    if not 0.1 <= life_s <= LIFE_S_MAX:
        raise BadInput(f"a life of {life_s:g} s", f"0.1 to {LIFE_S_MAX} s")
    if not 1 <= len(horizons_s) <= 20 or not all(0.1 <= h <= LIFE_S_MAX for h in horizons_s):
        raise BadInput(
            f"horizons {', '.join(f'{h:g}' for h in horizons_s) or 'none'}", f"1 to 20 of them, 0.1 to {LIFE_S_MAX} s each"
        )


def fill_times(trades: TapeTrades, placed: Ints, side: Ints, price: Ints, ahead: Floats | None, life_ns: int) -> Ints:
    """When each order is filled (ns), 0 for never in its life. ahead: lots that wait before it; None: only a trade beyond counts.

    A trade at the very time of the order came before it.
    """
    out = np.zeros(len(placed), np.int64)
    for mark in (1, -1):
        takers = np.flatnonzero(trades.taker == -mark)  # a buy is filled by those who sell
        when, at, lots = trades.recv_ns[takers], trades.price[takers] * mark, trades.lots[takers]
        mine = np.flatnonzero(side == mark)
        starts = np.searchsorted(when, placed[mine], side="right")
        ends = np.searchsorted(when, placed[mine] + life_ns, side="right")
        for k, a, b in zip(mine, starts, ends, strict=True):
            own = price[k] * mark
            beyond = at[a:b] < own
            if ahead is not None:
                beyond = beyond | (np.cumsum(np.where(at[a:b] == own, lots[a:b], 0)) > ahead[k])
            if beyond.any():
                out[k] = when[a + int(np.argmax(beyond))]
    return out


def excursion(when_ns: Ints, middle: Floats, fill_ns: int, length_ns: int, price: int) -> tuple[float, float, float]:
    """(move at the horizon, highest, lowest) of the middle from the fill's price, bps, from the book at the fill on."""
    a = max(int(np.searchsorted(when_ns, fill_ns, side="right")) - 1, 0)
    b = int(np.searchsorted(when_ns, fill_ns + length_ns, side="right"))
    path = (middle[a:b] / price - 1.0) * 1e4
    return float(path[-1]), float(path.max()), float(path.min())


def any_within(times: Ints, begin: Ints, end: Ints) -> "np.ndarray":
    """Whether any of `times` (ascending) is in (begin, end], element by element."""
    return np.asarray(np.searchsorted(times, end, side="right") > np.searchsorted(times, begin, side="right"))


def by_speed(orders: RestingOrders, horizons_s: Sequence[float], horizon_s: float) -> list[dict[str, Any]]:
    """Fills in classes of time to fill: how many, mean move, MFE and MAE at that horizon, the share that went against them."""
    h = list(horizons_s).index(horizon_s)
    seconds, found = orders.time_to_fill_ms / 1000.0, []
    for low, high in pairwise(SPEEDS_S):
        chosen = (seconds >= low) & ((seconds < high) | (high == SPEEDS_S[-1])) & np.isfinite(orders.move_bps[:, h])
        values = [float(table[chosen, h].mean()) if chosen.any() else None for table in orders[6:9]]
        adverse = float((orders.move_bps[chosen, h] < 0.0).mean()) if chosen.any() else None
        names = ("move_bps", "mfe_bps", "mae_bps")
        found.append(
            {"from_s": low, "to_s": high, "orders": int(chosen.sum())}
            | dict(zip(names, values, strict=True))
            | {"adverse_frac": adverse}
        )
    return found
