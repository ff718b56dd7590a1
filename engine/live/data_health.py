"""Troubles of a live feed as `health` events of a desk, and corrections as notes of the same kind.

Called by the desks on live data, paper_live.py and account_loop.py. Entries are off while anything is not well; exits and orders
at the venue do not ask. A correction changes nothing that was decided: its event begins nothing and is there to be found.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.live.closing import FeedNote, texts

DATA = "data "  # how the names of these troubles begin in the book's health
WHY_MAX = 300


def changes(health: Mapping[str, str], troubles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Bodies of the events that lead from what the book knows (`health`) to what is so now."""
    now = {f"{DATA}{what}"[:120]: why[:WHY_MAX] for what, why in troubles.items()}
    begun = [{"what": what, "state": "begun", "why": why} for what, why in now.items() if what not in health]
    over = [what for what in health if what.startswith(DATA) and what not in now]
    return begun + [{"what": what, "state": "over", "why": ""} for what in over]


def corrected(notes: Iterable[FeedNote]) -> list[dict[str, Any]]:
    """Bodies of the events of corrections: what was decided on, and what REST lists now."""
    return [{"what": f"correction of {n.about}"[:120], "state": "over", "why": texts([n])[0][:WHY_MAX]} for n in notes]
