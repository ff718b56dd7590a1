"""One way to print a price, a quantity and a figure beside its limit: no digit that something hangs on is cut, none is invented.

Called by commands, alarms, tools and stories. Six significant digits, as `:g` has them, lose the cents of a price above
100,000 and turn a million units into 1e+06; two decimals make 0.00 of a coin that costs less than a cent.
"""

import math
from decimal import Decimal

DIGITS = 6  # significant ones that a price has at least
DECIMALS_MAX = 15


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


def _apart(value: float, bound: float, decimals: int) -> bool:
    """Whether two numbers compare as they do once both are rounded."""
    one, other = round(value, decimals), round(bound, decimals)
    return (one < other, one > other) == (value < bound, value > bound)
