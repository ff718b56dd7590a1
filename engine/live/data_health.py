"""Troubles of a live feed as `health` events of a desk, and corrections as notes of the same kind.

Called by the desks on live data, paper_live.py and account_loop.py. Entries are off while anything is not well; exits and orders
at the venue do not ask. A correction changes nothing that was decided: its event begins nothing and is there to be found.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.book.book import Book
from engine.clock import utc
from engine.live.closing import FeedNote, texts
from engine.live.feed import Feed

DATA = "data "  # how the names of these troubles begin in the book's health
CLOCK = f"{DATA}clock "  # the one whose reason is a figure that may become another while it lasts
WHY_MAX = 300
BAR_NUMBERS = 5  # open, high, low, close, volume


def changes(health: Mapping[str, str], troubles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Bodies of the events that lead from what the book knows (`health`) to what is so now."""
    now = {f"{DATA}{what}"[:120]: why[:WHY_MAX] for what, why in troubles.items()}
    begun = [{"what": what, "state": "begun", "why": why} for what, why in now.items() if is_news(what, why, health)]
    over = [what for what in health if what.startswith(DATA) and what not in now]
    return begun + [{"what": what, "state": "over", "why": ""} for what in over]


def is_news(what: str, why: str, health: Mapping[str, str]) -> bool:
    """Whether a trouble is not in the book's health, or a clock is off by another offset there."""
    return what not in health or (what.startswith(CLOCK) and health[what] != why)


def corrected(notes: Iterable[FeedNote]) -> list[dict[str, Any]]:
    """Bodies of the events of corrections: what was decided on, and what REST lists now."""
    return [{"what": f"correction of {n.about}"[:120], "state": "over", "why": texts([n])[0][:WHY_MAX]} for n in notes]


def differences(feed: Feed, book: Book) -> list[dict[str, Any]]:
    """The same for bars that the desk saw last and that its history has with other numbers."""
    found = []
    for name, seen in zip(book.columns, book.bars, strict=True):
        t = feed.after(seen.close_ms) - 1
        if seen.close_ms and t >= 0 and int(feed.span.close_ms[t]) == seen.close_ms:
            now = (feed.bars(t).get(name) or [])[:BAR_NUMBERS]
            if now != list(seen[1 : 1 + BAR_NUMBERS]):
                why = f"{name} {utc(seen.close_ms)}: it was {list(seen[1 : 1 + BAR_NUMBERS])}, the history has {now}"
                found.append({"what": f"correction of {name}"[:120], "state": "over", "why": why[:WHY_MAX]})
    return found
