"""An entry that is worked in slices: the bar after its decision is traded on the clock's bars, one child order a slice.

Called by desk.settle_and_mark for a sleeve on a longer timeframe than the clock's, where run or desk gives it a schedule
(memory.py), and by book/working.py, which makes a desk's child orders. A schedule is: number of slices, the clock's bar in ms,
then the share of the parent that is to be done by the end of each. A child asks for what is due by then and not filled; what a
bar's volume or the venue's least order does not let through is due with the next slice. All children together never exceed the
parent, which ends with its bar; a halt ends it at once.
"""

from math import floor

from .memory import Memory
from .state import NO_ORDER, Bar, Rules, Sleeve

WIDTH = 12  # numbers a sleeve: slices, clock_ms, ten shares
LOTS_MAX = 1e15  # floor() of more is not exact


def own_close(rules: Rules, close_ms: int) -> int:
    """When the sleeve's own bar closes in which a bar of the clock closes (UTC ms)."""
    return (close_ms + rules.bar_ms - 1) // rules.bar_ms * rules.bar_ms


def on_clock(m: Memory, s: int, sleeve: Sleeve, rules: Rules, close_ms: int) -> bool:
    """True while the sleeve trades the clock's bars: in the bar in which its entry is worked."""
    if not m.schedules[s * WIDTH] > 0.0:
        return False
    end_ms = own_close(rules, close_ms)
    if sleeve.order.side != 0:
        return not sleeve.order.limit > 0.0 and end_ms - sleeve.order.decided_ms == rules.bar_ms
    return sleeve.position.open_layers > 0 and sleeve.position.opened_ms == end_ms


def takes(rules: Rules, lots: int, price: float) -> bool:
    """Whether the venue takes a child of so many lots at this price (quote units): its least order."""
    return lots > 0 and not lots * rules.lot_size * price < rules.least_notional


def due_lots(m: Memory, s: int, sleeve: Sleeve, rules: Rules, bar: Bar) -> int:
    """Lots that the child of this bar of the clock asks for; 0 between slices, and while the venue would take none so small."""
    lots = asked_lots(m, s, sleeve, rules, bar.close_ms - int(m.schedules[s * WIDTH + 1]))
    return lots if takes(rules, lots, bar.open) else 0


def asked_lots(m: Memory, s: int, sleeve: Sleeve, rules: Rules, opened_ms: int) -> int:
    """The same of the clock's bar that opens then (UTC ms), before its price is known."""
    base, order = s * WIDTH, sleeve.order
    slices, clock_ms = int(m.schedules[base]), int(m.schedules[base + 1])
    offset = opened_ms - order.decided_ms
    now, before = offset * slices // rules.bar_ms, (offset - clock_ms) * slices // rules.bar_ms
    if order.side == 0 or now == before or not 0 <= now < slices:
        return 0
    filled = sleeve.position.layers[0].lots if sleeve.position.layers[0].key == order.key else 0
    total = order.lots + filled
    wanted: float = total * m.schedules[base + 2 + now]
    if not 0.0 <= wanted < LOTS_MAX:
        return 0
    due: int = min(floor(wanted + 1e-9) - filled, order.lots)
    return due if due >= rules.least_lots else 0


def has_left(m: Memory, s: int, sleeve: Sleeve) -> bool:
    """True for a sleeve with a schedule that holds and orders nothing: a venue may have closed its position in this bar."""
    return m.schedules[s * WIDTH] > 0.0 and sleeve.position.open_layers == 0 and sleeve.order.side == 0


def without_outlived(m: Memory, s: int, sleeve: Sleeve) -> Sleeve:
    """A desk's sleeve at its next own bar without an entry whose last bar of the clock was missing; its venue has no child."""
    if len(m.schedules) == 0 or not m.schedules[s * WIDTH] > 0.0 or sleeve.order.side == 0 or sleeve.order.limit > 0.0:
        return sleeve
    return sleeve._replace(order=NO_ORDER)
