"""The simulated venue: what one bar settles of one sleeve - funding, exits ordered earlier, the entry, exits inside the bar.

Called by desk.settle_and_mark for backtests, replay and paper. A live desk never calls it: there funding and executions come from
the venue as events and enter the same ledger functions.
"""

from typing import Any

from .exits import ambiguous
from .fills import match_entry, match_exit, match_pending
from .ledger import acknowledged, on_fill, on_funding, open_lots
from .memory import Memory, emit
from .rows import fill_row, funding_row
from .state import NO_ORDER, NONE, TRIPS_KEPT, Bar, Fill, Ledger, Rules, Sleeve


def booked_fill(sleeve: Sleeve, rules: Rules, s: int, fill: Fill, m: Memory, n: int) -> tuple[Sleeve, int]:
    """Apply a fill, take its units from the bar, write its row."""
    after = on_fill(sleeve, rules, fill)
    m.taken[rules.instrument] += fill.lots * rules.lot_size
    return after, emit(m.rows, n, fill_row(s, sleeve, after, fill))


def update_kelly_window(recent_r: Any, s: int, ledger: Ledger) -> Ledger:
    """The ledger with the Kelly estimate renewed from its last TRIPS_KEPT round trips; `recent_r` holds their R, per sleeve."""
    base = s * TRIPS_KEPT
    recent_r[base + (ledger.trips - 1) % TRIPS_KEPT] = ledger.last_r
    wins, losses, gain, loss = 0, 0, 0.0, 0.0
    for k in range(min(ledger.trips, TRIPS_KEPT)):
        r = recent_r[base + k]
        if r > 0.0:
            wins += 1
            gain += r
        else:
            losses += 1
            loss -= r
    return ledger._replace(wins=wins, losses=losses, gain=gain, loss=loss)


def settle(sleeve: Sleeve, rules: Rules, bar: Bar, s: int, m: Memory, n: int) -> tuple[Sleeve, int, int]:
    """The sleeve after what a usable bar settled. Returns (sleeve, rows so far, 1 if the bar was ambiguous)."""
    before, is_ambiguous = sleeve, 0
    taken, i = m.taken, rules.instrument
    if sleeve.position.open_layers > 0:
        if bar.funding_mark > 0.0:
            sleeve = on_funding(sleeve, rules, bar.funding_mark, bar.funding_rate)
            n = emit(m.rows, n, funding_row(s, before, sleeve, bar, open_lots(sleeve.position) * sleeve.position.side))
        for k in range(sleeve.position.open_layers - 1, -1, -1):
            fill = match_pending(sleeve.position, sleeve.position.layers[k], k, rules, sleeve.cost, bar, taken[i])
            if fill.lots > 0:
                sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
    if sleeve.order.side != 0:
        k = sleeve.position.open_layers
        fill = match_entry(sleeve.order, k, rules, sleeve.cost, bar, taken[i])
        if fill.lots > 0 and 2 * (bar.close_ms - sleeve.order.decided_ms) <= 3 * rules.bar_ms:
            sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
            sleeve = acknowledged(sleeve, k)
        sleeve = sleeve._replace(order=NO_ORDER)
    for k in range(sleeve.position.open_layers - 1, -1, -1):
        layer = sleeve.position.layers[k]
        if layer.exit_pending == NONE and ambiguous(sleeve.position, layer, bar, rules.tick):
            is_ambiguous = 1
        fill = match_exit(sleeve.position, layer, k, rules, sleeve.cost, bar, taken[i])
        if fill.lots > 0:
            sleeve, n = booked_fill(sleeve, rules, s, fill, m, n)
    if sleeve.ledger.trips != before.ledger.trips:
        sleeve = sleeve._replace(ledger=update_kelly_window(m.recent_r, s, sleeve.ledger))
    return sleeve, n, is_ambiguous
