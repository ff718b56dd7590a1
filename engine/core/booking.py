"""One execution, simulated or from a venue, becomes the ledger's next state and its rows.

Called by sim_venue.settle and by book/transitions.on_fill: the ledger (on_fill), the Kelly window once a round trip has ended,
the pause that a row of losses or a limit entry too many sets.
"""

from typing import Any

from .ledger import on_fill
from .memory import Memory, emit
from .rows import breaker_row, fill_row
from .state import ENTRY, FREQUENCY, LOSS_STREAK, TRIPS_KEPT, Fill, Ledger, Rules, Sleeve


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


def book_fill(sleeve: Sleeve, rules: Rules, s: int, fill: Fill, m: Memory, n: int) -> tuple[Sleeve, int]:
    """The sleeve after one execution that `ledger.fits`. Returns (sleeve, rows so far)."""
    after = on_fill(sleeve, rules, fill)
    n = emit(m.rows, n, fill_row(s, sleeve, after, fill))
    if after.ledger.trips != sleeve.ledger.trips:
        after = after._replace(ledger=update_kelly_window(m.recent_r, s, after.ledger))
    pause_ms = after.guard.pause_until_ms
    if pause_ms != sleeve.guard.pause_until_ms and fill.slot == ENTRY:
        n = emit(m.rows, n, breaker_row(s, FREQUENCY, fill.t_ms, after.ledger.equity, pause_ms))
    elif pause_ms != sleeve.guard.pause_until_ms:  # flat now: cash is its equity
        n = emit(m.rows, n, breaker_row(s, LOSS_STREAK, fill.t_ms, after.ledger.cash, pause_ms))
    return after, n
