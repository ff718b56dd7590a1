"""How deep a curve of equity falls from its highest point so far, without asking each of its points.

Called by leap.py for a run of which only some closes are wanted (Memory.fall), and by kernel.deepest_fall for a curve that is
there. Both leave the figures of the definition, bit for bit: points are passed over where their lowest and highest show that
none of them is deeper than what was found before.
"""

from typing import Any

NEARLY = 1.0 - 1e-12
FALL_BLOCK = 64


def deeper(peak: float, share: float, money: float, value: float) -> tuple[float, float, float]:
    """(peak, deepest fall as a fraction of its peak, as money) after one more point."""
    peak = upper(peak, value)
    below = peak - value
    money = upper(money, below)
    if below > share * peak * NEARLY:  # a division costs as much as all else here
        share = upper(share, below / peak)
    return peak, share, money


def is_shallow(top: float, low: float, share: float, money: float) -> bool:
    """True when no point falls deeper than (share, money) among some of which `low` is the lowest and `top` the highest of them
    and all before."""
    below = top - low
    return below <= money and below <= share * top * NEARLY


def deepest_fall(equity: Any, cash: float) -> tuple[float, float]:
    """The deepest fall of a curve from its highest point so far, `cash` before the first: (fraction of that point, money), each
    at its own worst bar.
    """
    peak, share, money, t = cash, 0.0, 0.0, 0
    while t < len(equity):
        end = min(t + FALL_BLOCK, len(equity))
        low, top = low_and_top(equity, t, end, peak)
        if not is_shallow(top, low, share, money):
            for k in range(t, end):
                peak, share, money = deeper(peak, share, money, equity[k])
        peak, t = top, end
    return share, money


def keep_fall(fall: Any, value: float) -> None:
    """One more point in Memory.fall."""
    fall[0], fall[1], fall[2] = deeper(fall[0], fall[1], fall[2], value)


def low_and_top(equity: Any, t: int, end: int, peak: float) -> tuple[float, float]:
    """The lowest of points t to end (excluded), and the highest of them and `peak`: in four chains, none waits for the other."""
    a = b = c = d = equity[t]
    p = q = r = s = peak
    while t + 4 <= end:
        w, x, y, z = equity[t], equity[t + 1], equity[t + 2], equity[t + 3]
        a, b, c, d = lower(a, w), lower(b, x), lower(c, y), lower(d, z)
        p, q, r, s = upper(p, w), upper(q, x), upper(r, y), upper(s, z)
        t += 4
    while t < end:
        a, p = lower(a, equity[t]), upper(p, equity[t])
        t += 1
    return lower(lower(a, b), lower(c, d)), upper(upper(p, q), upper(r, s))


def lower(a: float, b: float) -> float:
    """The lower of two: one instruction, where min() asks for NaN first."""
    return b if b < a else a


def upper(a: float, b: float) -> float:
    """The higher of two."""
    return b if b > a else a
