"""Money in and out of the account as the desk's journal has it: the transfers of the venue's bills, and their sums.

Called by identity.py and `nightdesk cash list`. Sums are of the events, not of the fold: identity.py compares the two.
"""

from pathlib import Path

from engine.book.transfers import TERMS, term_of
from engine.store.chain import Event
from engine.watch.window import FAR_MS, between, journal_of


def transfer_events(home: Path, after: Event | None = None, last: Event | None = None) -> list[Event]:
    """Transfers that were booked, oldest first: {bill, kind, word, cash, t_ms}; those between two events of the journal."""
    ends = after.t_event_ms - 1 if after else -1, last.t_event_ms if last else FAR_MS
    found = (event for event in between(journal_of(home), *ends, {"transfer"}) if event.body.get("booked", True))
    return [e for e in found if (after is None or e.seq > after.seq) and (last is None or e.seq < last.seq)]


def sums_of(events: list[Event]) -> dict[str, float]:
    """What they come to, by TERMS; quote units, what left is negative."""
    sums = dict.fromkeys(TERMS, 0.0)
    for event in events:
        sums[term_of(event.body)] += float(event.body["cash"])
    return sums
