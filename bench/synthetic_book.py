"""A SYNTHETIC day of an order book with trades, for speed alone: no edge, no regime and no venue is in it.

Called by making.py. The middle is a random walk of ticks; each message moves it by one or changes six levels, trades hit the best
prices, and a level that a move takes away was traded first. Made at once as arrays, so that a day takes seconds.
"""

from pathlib import Path

import numpy as np

from engine.l2.tape import ASK, BID, DELTA, SNAPSHOT, BookTape, Scale, TapeTrades

SEED = 20261129
BEGIN_NS = 1_800_000_000_000_000_000  # 2027-01-15T08:00Z
MESSAGE_NS = 100_000_000
LEVELS = 6  # of a message
DEPTH = 40  # levels a side
MIDDLE = 600_000  # ticks
MOVES = 0.04  # share of messages that move the middle up, and as many down
TRADES = 0.6  # a message


def synthetic_day(hours: float = 24.0, seed: int = SEED) -> tuple[BookTape, TapeTrades]:
    """(tape, trades) of so many hours: a snapshot, then a message each 100 ms; prices in ticks of 0.1, quantities in 0.001."""
    rng, count = np.random.default_rng(seed), int(hours * 36_000)
    draw = rng.random(count)
    moves = np.where(draw < MOVES, 1, np.where(draw > 1.0 - MOVES, -1, 0))
    moves[0] = 0
    bid = MIDDLE + np.cumsum(moves)  # the best one after each message; the best ask is a tick above
    side, price, lots = _levels(rng, moves, bid)
    first_side, first_price, first_lots = _snapshot(rng, int(bid[0]))
    recv = BEGIN_NS + MESSAGE_NS * np.arange(count, dtype=np.int64)
    ids = np.arange(1, count + 1, dtype=np.int64)
    kind = np.full(count, DELTA, np.int8)
    kind[0] = SNAPSHOT
    start = np.concatenate([[0], len(first_price) + LEVELS * np.arange(count, dtype=np.int64)])
    tape = BookTape(
        Path("synthetic_BTC-USDT_perp_day_l2.parquet"), "synthetic", "BTC-USDT", "perp", Scale(1, 3, 1), ids - 1, ids, kind, recv,
        recv // 1_000_000, ids, ids, ids - 1, start, np.concatenate([first_side, side[LEVELS:]]),
        np.concatenate([first_price, price[LEVELS:]]), np.concatenate([first_lots, lots[LEVELS:]]),
    )  # fmt: skip
    return tape, _trades(rng, moves, bid, recv)


def _snapshot(rng: np.random.Generator, bid: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first message: DEPTH levels a side, best first."""
    offsets = np.arange(DEPTH)
    side = np.concatenate([np.full(DEPTH, BID, np.int8), np.full(DEPTH, ASK, np.int8)])
    return side, np.concatenate([bid - offsets, bid + 1 + offsets]).astype(np.int64), rng.integers(500, 20_000, 2 * DEPTH)


def _levels(rng: np.random.Generator, moves: np.ndarray, bid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six levels a message: a move takes the best level it goes through away, then makes its own best and the two far ends."""
    count = len(moves)
    side = np.tile(np.array([BID, BID, BID, ASK, ASK, ASK], np.int8), (count, 1))
    steps = rng.geometric(0.3, (count, LEVELS))  # one after the other, so that no price comes twice in a message
    offset = np.concatenate([np.cumsum(steps[:, :3], axis=1), np.cumsum(steps[:, 3:], axis=1)], axis=1) - 1
    offset = np.minimum(offset, np.array([DEPTH - 4, DEPTH - 3, DEPTH - 2] * 2))
    lots = rng.integers(500, 20_000, (count, LEVELS))
    price = np.where(side == BID, bid[:, None] - offset, bid[:, None] + 1 + offset)
    for move, gone, best in ((1, ASK, BID), (-1, BID, ASK)):
        at = np.flatnonzero(moves == move)
        own = bid[at] if move > 0 else bid[at] + 1  # the new best of the side that follows, the price that was taken
        far = bid[at] + 1 + DEPTH - 1 if move > 0 else bid[at] - DEPTH + 1
        lost = bid[at] - DEPTH if move > 0 else bid[at] + 1 + DEPTH
        ends = ((gone, own, 0), (best, own, None), (gone, far, None), (best, lost, 0))
        for slot, (one, where, size) in enumerate(ends):
            side[at, slot], price[at, slot] = one, where
            if size is not None:
                lots[at, slot] = size
        side[at, 4], price[at, 4] = BID, bid[at] - 1 - offset[at, 0]
        side[at, 5], price[at, 5] = ASK, bid[at] + 2 + offset[at, 3]
    return side.ravel(), price.ravel().astype(np.int64), lots.ravel().astype(np.int64)


def _trades(rng: np.random.Generator, moves: np.ndarray, bid: np.ndarray, recv: np.ndarray) -> TapeTrades:
    """Trades at the best prices after a message; before a move some that take its level."""
    message = np.repeat(np.arange(len(moves)), rng.poisson(TRADES, len(moves)))
    taker = np.where(rng.random(len(message)) < 0.5, 1, -1)
    hit = np.minimum(message + 1, len(moves) - 1)
    taker = np.where(moves[hit] != 0, moves[hit], taker)  # what comes before a move is what made it
    when = recv[message] + rng.integers(1, MESSAGE_NS, len(message))
    order = np.argsort(when, kind="stable")
    price = np.where(taker > 0, bid[message] + 1, bid[message])
    lots = rng.integers(1, 3_000, len(message))
    return TapeTrades(when[order], price[order].astype(np.int64), lots[order].astype(np.int64), taker[order].astype(np.int8))
