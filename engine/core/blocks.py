"""BLOCK bars of an instrument as one, for whoever asks whether anything can happen within them: if nothing can within their
extremes, nothing does at any of them.

Made by kernel.block_records and read by leap.py and asleep.py, all of them compiled.
"""

from typing import Any

from .falls import lower, upper
from .memory import Memory, load, store
from .state import Bar, Rules
from .step import usable

BLOCK = 16  # bars folded into one


def fold_blocks(bars: Any, blocks: Any, instruments: int) -> None:
    """Every BLOCK bars of an instrument as one Bar, written to `blocks`: extremes of high and low, `open` the least close and
    `close` the most, `close_ms` the last; a hole or a settlement among them shows as a funding mark.
    """
    for b in range(len(blocks)):
        first = b // instruments * BLOCK * instruments + b % instruments
        last = first + (BLOCK - 1) * instruments
        low, high, least, most, odd = 1e300, 0.0, 1e300, 0.0, 0.0
        for k in range(first, last + 1, instruments):
            bar = load(bars, k, Bar)
            if not usable(bar) or bar.funding_mark > 0.0:
                odd = 1.0
            low, high = min(low, bar.low), max(high, bar.high)
            least, most = min(least, bar.close), max(most, bar.close)
        store(blocks, b, Bar(load(bars, last, Bar).close_ms, least, high, low, most, 0.0, 0.0, odd))


def is_unbroken(m: Memory, blocks: Any, rules: Rules, t: int) -> bool:
    """True when bar t is in a block without a hole or a settlement; False where it is in none: nobody has looked."""
    b = t // BLOCK * len(m.gross) + rules.instrument
    return b < len(blocks) and load(blocks, b, Bar).funding_mark == 0.0


def extremes(m: Memory, blocks: Any, rules: Rules, t: int, end: int) -> Bar:
    """The last of bars t to end (excluded), none of them a hole, with the highest high and the lowest low of them all."""
    instruments, k = len(m.gross), t
    final = load(m.bars, (end - 1) * instruments + rules.instrument, Bar)
    high, low = final.high, final.low
    while k < end - 1:
        if k % BLOCK == 0 and k + BLOCK < end:
            bar, step = load(blocks, k // BLOCK * instruments + rules.instrument, Bar), BLOCK
        else:
            bar, step = load(m.bars, k * instruments + rules.instrument, Bar), 1
        high, low = max(high, bar.high), min(low, bar.low)
        k += step
    return final._replace(high=high, low=low)  # type: ignore[no-any-return]  # a Bar


def close_range(m: Memory, blocks: Any, rules: Rules, t: int, end: int) -> tuple[float, float]:
    """The lowest and the highest close of bars t to end (excluded), none of them a hole."""
    instruments, k = len(m.gross), t
    least = most = close_of(m, t * instruments + rules.instrument)
    while k < end:
        if k % BLOCK == 0 and k + BLOCK <= end:
            block = load(blocks, k // BLOCK * instruments + rules.instrument, Bar)
            least, most, k = lower(least, block.open), upper(most, block.close), k + BLOCK
        else:
            close = close_of(m, k * instruments + rules.instrument)
            least, most, k = lower(least, close), upper(most, close), k + 1
    return least, most


def close_of(m: Memory, k: int) -> float:
    """The close of flat bar k, from where it is read fastest."""
    if len(m.closes) > 0:
        return m.closes[k]  # type: ignore[no-any-return]  # a number
    return load(m.bars, k, Bar).close  # type: ignore[no-any-return]


def first_from(bars: Any, t: int) -> int:
    """Index of the first of some ascending bars that is not before t; their number without one."""
    k, beyond = 0, len(bars)
    while k < beyond:
        middle = (k + beyond) // 2
        if bars[middle] < t:
            k = middle + 1
        else:
            beyond = middle
    return k
