"""Which prefixes of the bars the look-ahead check tries, and what leak they would find.

Called by sim/leaks.py. A value that needs only the next bar shows on the one prefix that ends at its own bar, so the ends are
chosen where a leak would pay: changes of the signal after which the next bars, or the whole trip, went its way most. Others are
drawn from a seed among the other changes, the bars with a signal and all bars; the last bars and some missing ones are included.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

BARS = 200
LAST = 8  # this many bars before the last one are always tried
HOLES = 8  # and this many missing bars: backward filling shows only there
DECISIONS = 0.48  # of the prefixes: at changes of the signal
HORIZONS = ((1, 1 / 3), (4, 1 / 12), (16, 1 / 12), (96, 1 / 12))  # bars after a change, and the part of those chosen by them
TRIPS = 1 / 6  # and the part that begin the most profitable trips of the signal
SIGNALLED = 2 / 3  # of what is left: bars with a signal
RARE = (("a leak at 1 bar in 100", 100, False), ("at 1 in 700", 700, False), ("at 1 change of the signal in 20", 20, True))


def prefixes(direction: npt.NDArray[np.int8], close: npt.NDArray[np.float64], bars: int, seed: int, first: int = 0) -> list[int]:
    """Lengths of history to try, ascending, none twice; those that end at bar `first` or later."""
    direction, close = direction[first:], close[first:]
    count = len(direction)
    if count < 2:
        return []
    rng, last = np.random.default_rng(seed), count - 1

    def draw(among: Ints, most: int) -> Ints:
        return rng.choice(among, max(min(most, len(among)), 0), replace=False)

    picked = np.arange(max(last - LAST, 0), last)
    picked = np.union1d(picked, draw(np.flatnonzero(~np.isfinite(close[:last])), HOLES))
    share, turns = round(bars * DECISIONS), changes(direction)
    best = profitable(direction, close, turns, share)
    picked = np.union1d(picked, best)
    picked = np.union1d(picked, draw(np.setdiff1d(turns, picked), share - len(best)))
    signalled = np.setdiff1d(np.flatnonzero(direction[:last]), picked)
    picked = np.union1d(picked, draw(signalled, round(SIGNALLED * (bars - len(picked)))))
    rest = np.setdiff1d(np.arange(last), picked)
    return [first + int(bar) + 1 for bar in np.union1d(picked, draw(rest, bars - len(picked)))]


def changes(direction: npt.NDArray[np.int8]) -> Ints:
    """Bars at which the signal is another than at the bar before; the last bar left out, which no prefix can try."""
    return np.flatnonzero(np.diff(direction[:-1], prepend=np.int8(0)))


def profitable(direction: npt.NDArray[np.int8], close: npt.NDArray[np.float64], turns: Ints, share: int) -> Ints:
    """The changes that paid most: over the next bars as if traded at that close, and as the beginning of a trip."""
    if not len(turns):
        return turns
    known = np.where(np.isfinite(close), np.arange(len(close)), 0)
    price, side = close[np.maximum.accumulate(known)], direction.astype(np.int64)
    step, found = np.diff(side, prepend=0)[turns], []
    for bars, part in HORIZONS:
        gain = step * (price[np.minimum(turns + bars, len(price) - 1)] / price[turns] - 1.0)
        found.append(most(turns, gain, round(share * part)))
    ends = np.append(turns[1:], len(price) - 1)
    found.append(most(turns, side[turns] * (price[ends] / price[turns] - 1.0), round(share * TRIPS)))
    return np.unique(np.concatenate(found))


def most(turns: Ints, gain: npt.NDArray[np.float64], count: int) -> Ints:
    """The `count` changes with the largest gain; one that cannot be valued comes last."""
    return turns[np.argsort(-np.where(np.isfinite(gain), gain, -np.inf), kind="stable")[:count]]


def power(direction: npt.NDArray[np.int8], ends: list[int], first: int = 0) -> tuple[tuple[str, float], ...]:
    """(a leak, the probability that one of these prefixes ends where it shows), for leaks of one bar anywhere in the history.

    Of n places of which k were tried, a leak at m of them, wherever they are, escapes with C(n-k, m) / C(n, m).
    """
    direction = direction[first:]
    tried, turns = np.array(ends, np.int64) - 1 - first, changes(direction)
    found = []
    for leak, every, at_changes in RARE:
        places = len(turns) if at_changes else len(direction) - 1
        hit = len(np.intersect1d(tried, turns)) if at_changes else len(tried)
        if places >= every:
            found.append((leak, round(1.0 - escapes(places, hit, places // every), 4)))
    return tuple(found)


def escapes(places: int, tried: int, leaking: int) -> float:
    """The probability that none of `tried` places is one of `leaking` ones."""
    untried = places - tried
    return float(np.prod([max(untried - i, 0) / (places - i) for i in range(leaking)]))
