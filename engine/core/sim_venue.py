"""The simulated venue: what one bar settles of one sleeve - funding, exits ordered earlier, the entry, then inside the bar its
exits and its liquidation, whichever comes first.

Called by desk.settle_and_mark in backtests, where it is compiled. A desk has a venue instead (venues/paper.py, or a real one):
there funding and executions come as events. Both ways match with fills.py and book with booking.py.
"""

from .booking import book_fill
from .exits import ambiguous, protective
from .fills import ends, match_entry, match_exit, match_pending
from .guardrails import is_turning
from .ledger import entry_index, funding_cash, on_funding
from .liquidation import closing_price, comes_first, first_level, liquidation_fill, liquidation_level
from .memory import Memory, emit
from .rows import funding_row
from .state import NO_FILL, NO_ORDER, NONE, Bar, Fill, Rules, Sleeve


def booked_fill(sleeve: Sleeve, rules: Rules, s: int, fill: Fill, m: Memory, n: int) -> tuple[Sleeve, int]:
    """A simulated fill: what `book_fill` does, and its units are taken from the bar."""
    m.taken[rules.bars] += fill.lots * rules.lot_size
    return book_fill(sleeve, rules, s, fill, m, n)


def market_price(m: Memory, rules: Rules, bar: Bar, t: int) -> float:
    """What a market order fills at in bar t, before slippage: the open, or in a run that fills at it the bar's VWAP if known."""
    if len(m.vwap) == 0:
        return bar.open
    price = m.vwap[t * len(m.gross) + rules.bars]
    return price if bar.low <= price <= bar.high else bar.open


def settle(
    sleeve: Sleeve, rules: Rules, bar: Bar, s: int, m: Memory, n: int, t: int, due: int, last: int
) -> tuple[Sleeve, int, int]:
    """The sleeve after what bar t, a usable one, settled. Returns (sleeve, rows so far, 1 if the bar was ambiguous).

    due: lots that an entry worked in slices asks for in this bar, which with `last` is its last; -1: the whole order.
    """
    inside = -1  # key of the layer that an entry opened within this bar, not at its open
    taken, i = m.taken, rules.bars
    if sleeve.position.open_layers > 0:
        if bar.funding_mark > 0.0:
            cash = funding_cash(sleeve.position, rules, bar.funding_mark, bar.funding_rate)
            sleeve = on_funding(sleeve, cash)
            n = emit(m.rows, n, funding_row(s, sleeve, bar.funding_mark, bar.funding_rate, cash, bar.close_ms))
        for k in range(sleeve.position.open_layers - 1, -1, -1):
            if sleeve.position.layers[k].exit_pending == NONE:
                continue
            at_market = bar._replace(open=market_price(m, rules, bar, t))
            fill = match_pending(sleeve.position, sleeve.position.layers[k], k, rules, sleeve.cost, at_market, taken[i])
            if fill.lots > 0:
                sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
    if sleeve.order.side != 0:
        k, ended = entry_index(sleeve), ends(sleeve.order, bar, rules) if due < 0 else last != 0
        fill = NO_FILL  # of a reversal, while its exit has filled only in part
        if not is_turning(sleeve) and due != 0:
            child = sleeve.order if due < 0 else sleeve.order._replace(lots=min(due, sleeve.order.lots))
            meets = bar if sleeve.order.limit > 0.0 else bar._replace(open=market_price(m, rules, bar, t))
            fill = match_entry(child, k, rules, sleeve.cost, meets, taken[i])
        if fill.lots > 0:
            sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
            inside = fill.key if fill.maker != 0 or fill.reference_price != bar.open else -1
        if ended:
            sleeve = sleeve._replace(order=NO_ORDER)
    if sleeve.position.open_layers == 0:
        return sleeve, n, 0
    sleeve, n, is_ambiguous, waiting = settle_inside(sleeve, rules, bar, s, m, n, inside, 0)
    if sleeve.position.open_layers == 0:
        return sleeve, n, is_ambiguous
    price = closing_price(sleeve, rules, bar, 1 if sleeve.position.layers[0].key == inside else 0)
    if price > 0.0:
        for k in range(sleeve.position.open_layers - 1, -1, -1):
            sleeve, n = booked_fill(
                sleeve, rules, s, liquidation_fill(sleeve.position.layers[k], k, rules, price, bar.close_ms), m, n
            )
    elif waiting != 0:  # what filled before them has moved the level out of reach
        sleeve, n, _, _ = settle_inside(sleeve, rules, bar, s, m, n, inside, 1)
    return sleeve, n, is_ambiguous


def settle_inside(
    sleeve: Sleeve, rules: Rules, bar: Bar, s: int, m: Memory, n: int, inside: int, cleared: int
) -> tuple[Sleeve, int, int, int]:
    """Protective and target orders inside the bar, newest layer first; those behind the liquidation level wait, unless
    `cleared`. Returns (sleeve, rows so far, 1 if the bar was ambiguous, 1 if an order waits).
    """
    side, is_ambiguous, waiting = sleeve.position.side, 0, 0
    liquidation = liquidation_level(sleeve, rules)
    for k in range(sleeve.position.open_layers - 1, -1, -1):
        layer, within, waits = sleeve.position.layers[k], 1 if sleeve.position.layers[k].key == inside else 0, False
        if layer.exit_pending == NONE and cleared == 0:
            level = protective(sleeve.position, layer)[1]
            if ambiguous(side, first_level(side, liquidation, level), layer.target, bar, rules.tick, within):
                is_ambiguous = 1
            waits = comes_first(side, liquidation, level, layer.target, bar, rules, within)
        if waits:
            waiting = 1
            continue
        fill = match_exit(sleeve.position, layer, k, rules, sleeve.cost, bar, m.taken[rules.bars], within)
        if fill.lots > 0:
            sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
            if sleeve.position.open_layers > 0:
                liquidation = liquidation_level(sleeve, rules)
    return sleeve, n, is_ambiguous, waiting
