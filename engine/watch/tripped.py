"""Which breaker keeps a sleeve's entries shut, and until when. Called by the observer, the detectors and limit_usage.

The mark says that entries are blocked or paused, and until when; the breaker events before it say which one that was. A streak
of losses is counted from zero again once it has tripped, so the count alone does not show it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import DAY_MS, HOUR_MS
from engine.store.chain import Event
from engine.watch.window import between

DAY_BREAKERS, PAUSE_BREAKERS = ("daily loss",), ("loss streak", "entry frequency")  # what sets a block, what sets a pause


class InForce(NamedTuple):
    """Entries are shut until `until_ms`, desk time. `breakers`: the one that tripped; all it can be, where no event says it."""

    breakers: tuple[str, ...]
    until_ms: int
    event: Event | None


def tripped_events(path: Path, mark: Event | None, pause_hours: float) -> tuple[Event, ...]:
    """Breaker events that may still be in force at the mark; searched only when a sleeve is blocked or paused."""
    sleeves = {} if mark is None else mark.body["sleeves"]
    if mark is None or not any(s.get("blocked_until_ms") or s.get("paused_until_ms") for s in sleeves.values()):
        return ()
    back = int(pause_hours * HOUR_MS) + 2 * DAY_MS
    return tuple(e for e in between(path, mark.t_event_ms - back, mark.t_event_ms, {"breaker"}) if e.body["sleeve"])


def in_force(sleeve: str, state: Mapping[str, Any], events: Sequence[Event]) -> InForce | None:
    """The breaker that shuts a sleeve's entries by its state in the mark; None when none does."""
    blocked, paused = state.get("blocked_until_ms") or 0, state.get("paused_until_ms") or 0
    until = max(blocked, paused)  # both may run: a stop after the daily loss can end a streak
    if not until:
        return None
    possible = DAY_BREAKERS if blocked else PAUSE_BREAKERS
    mine = (e for e in reversed(events) if e.body["sleeve"] == sleeve and e.body["breaker"] in possible)
    event = next(mine, None)
    return InForce((str(event.body["breaker"]),) if event else possible, until, event)
