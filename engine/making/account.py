"""The fills of a run through the desk's one ledger (engine/core/ledger.py): cash, fees, position and round trips as everywhere.

Called by report.py. A maker's position is one layer that every fill on its side enlarges and every other fill reduces; a fill
that crosses zero is two, as for any sleeve. The loop keeps whole numbers of its own for its guardrails; a test compares both.
"""

from engine.core.ledger import fits, on_fill, on_funding, on_mark
from engine.core.state import ENTRY, NONE, TARGET_SLOT, Fill, Order, Rules, Sleeve, start
from engine.errors import DataError
from engine.l2.tape import Scale
from engine.making.resting import F_LOTS, F_PRICE, F_SIDE, F_WHEN
from engine.making.rules import rules_of
from engine.making.simulation import MakingRun

MS_NS = 1_000_000


def booked_fill(sleeve: Sleeve, rules: Rules, side: int, lots: int, price: float, fee_frac: float, t_ms: int) -> Sleeve:
    """The sleeve after one maker fill. Raises DataError where the ledger does not take it."""
    layer = sleeve.position.layers[0]
    opposite = sleeve.position.side * side < 0
    part = min(lots, layer.lots) if opposite else lots
    slot, key = (TARGET_SLOT, layer.key) if opposite else (ENTRY, layer.key or sleeve.entries + 1)
    if not opposite:
        notional = part * rules.lot_size * price
        order = Order(key, side, part, notional, 0.0, 0.0, 0.0, t_ms, price, 1, 1)
        sleeve = sleeve._replace(order=order, entries=key)
    fee = part * rules.lot_size * price * fee_frac
    fill = Fill(slot, 0, 0, key, 0, part, price, fee, 1, NONE, price, t_ms)
    if not fits(sleeve, fill):
        raise DataError(f"a fill of {part} lots does not fit the ledger", "report it: the simulation and the ledger disagree")
    after = on_fill(sleeve, rules, fill)
    return booked_fill(after, rules, side, lots - part, price, fee_frac, t_ms) if part < lots else after


def account_of(run: MakingRun, scale: Scale, fee_frac: float, mark: float) -> Sleeve:
    """All fills at a maker fee (negative: a rebate) and all settlements of funding, from no cash, valued at `mark` (quote
    currency).
    """
    sleeve, rules = start(0.0), rules_of(scale)
    due = list(run.funding)
    prices = scale.price(run.fills[:, F_PRICE])
    for row, price in zip(run.fills.tolist(), prices.tolist(), strict=True):
        while due and due[0].t_ns < row[F_WHEN]:
            sleeve = on_funding(sleeve, due.pop(0).cash)
        sleeve = booked_fill(sleeve, rules, row[F_SIDE], row[F_LOTS], price, fee_frac, row[F_WHEN] // MS_NS)
    for one in due:
        sleeve = on_funding(sleeve, one.cash)
    return on_mark(sleeve, rules, mark)
