"""One way to print a price, a quantity and a figure beside its limit: no digit that something hangs on is cut, none is invented.

Called by commands, alarms, tools and stories. Six significant digits, as `:g` has them, lose the cents of a price above
100,000 and turn a million units into 1e+06; two decimals make 0.00 of a coin that costs less than a cent.
"""

import math
from decimal import Decimal

DIGITS = 6  # significant ones that a price has at least
DECIMALS_MAX = 15
NONE = "-"


def price_text(value: float, decimals: int = 2) -> str:
    """`111,479.56`, `124.357`, `0.0000123456`: at least so many decimals, and six significant digits where it has them."""
    if not math.isfinite(value) or value == 0:
        return f"{value:,.{decimals}f}"
    most = min(DECIMALS_MAX, max(decimals, DIGITS - 1 - math.floor(math.log10(abs(value)))))
    whole, _, rest = f"{value:,.{most}f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(decimals, '0')}"


def quantity_text(value: float) -> str:
    """`0.018`, `1,234,567`: every digit of a multiple of the lot, without the noise of its last bits."""
    if not math.isfinite(value):
        return f"{value}"
    text = f"{Decimal(f'{value:.12g}'):,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def figure_text(value: float, decimals: int, *bounds: float) -> str:
    """A figure with so many decimals, or as many more as show on which side of each bound it is: 0.9496 beside 0.95, not 0.95."""
    most = next((n for n in range(decimals, DECIMALS_MAX) if all(_apart(value, bound, n) for bound in bounds)), decimals)
    return f"{value + 0.0:,.{most}f}"  # -0.0 is 0.0


def percent_text(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """A fraction as `3.62 %`; a plus only with `sign`, for a result. Zero has no sign, a dash is not known. A drawdown is a size:
    it has none."""
    return NONE if value is None else f"{signed_text(value * 100, decimals, sign=sign)} %"


def signed_text(value: float, decimals: int = 2, *, sign: bool = True) -> str:
    """`+1.20`, `-0.35`; what reads as zero has no sign."""
    text = f"{value:{'+' if sign else ''},.{decimals}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")


def ratio_text(value: float | None, low: float | None, high: float | None) -> str:
    """A Sharpe ratio with its 95 % interval, `-0.96 (-6.6 to 4.7)`: without it nobody knows whether the ratio is one."""
    if value is None:
        return NONE
    known = [signed_text(bound, 1, sign=False) for bound in (low, high) if bound is not None]
    return f"{signed_text(value, sign=False)} ({' to '.join(known) if len(known) == 2 else 'no interval'})"


def _apart(value: float, bound: float, decimals: int) -> bool:
    """Whether two numbers compare as they do once both are rounded."""
    one, other = round(value, decimals), round(bound, decimals)
    return (one < other, one > other) == (value < bound, value > bound)
