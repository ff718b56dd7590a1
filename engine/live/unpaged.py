"""What a process has withheld entries for until a person's word, and did not live to page. Called by duties.py at a start.

The event that withholds is on the disk before its page is sent. The next process finds it in the book, where nothing would ask
for the word that ends it.
"""

from functools import partial

from engine.book.bodies import REDUCED, going_on, waits_for_person
from engine.live.desk import LiveDesk
from engine.store.chain import Event
from engine.store.lookback import last


def page_unpaged(desk: LiveDesk) -> None:
    """Page what waits for a person and is newer than its last page, or has none."""
    for what in [what for what in desk.book.health if waits_for_person(what)]:
        newest = last(desk.journal.path, ("health", "reduced", "incident"), partial(_is_about, what))
        if newest is not None and newest.kind != "incident":
            desk.incident(f"{what}: {desk.book.health[what]}, before this start; {going_on(what)}")


def _is_about(what: str, event: Event) -> bool:
    """Whether an event withholds for it, or is its page, which names what a person types."""
    if event.kind == "incident":
        return f"adopt '{what}'" in str(event.body.get("what"))
    if event.kind == "reduced":
        return what == f"{REDUCED}{event.body['instrument']}" and str(event.body["word"]) != "halt"
    return (event.body["what"], event.body["state"]) == (what, "begun")
