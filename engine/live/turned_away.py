"""Requests that the venue turns away, one after another: a key that may not trade any more, a limit, a maintenance without end.

Called by engine.live.desk with each answer to a request. Such a request has done nothing and goes out again, so that nobody would
hear of it: questions may be answered all the while. One is nothing; all of them for a minute are a page.
"""

from typing import Any, NamedTuple, Protocol

from engine.core.orders import UNKNOWN, VenueOrder
from engine.ports import Clock
from engine.venues.live_port import LiveAnswer
from engine.venues.outcome import NOT_TAKEN, is_of_account

PAGE_MS, PAGE_TIMES = 60_000, 3
APART_MS = 7_200_000  # the one before is longer ago than this: it begins anew


class AskingDesk(Protocol):
    """What it looks at: engine.live.desk.LiveDesk."""

    now_ms: Clock

    def incident(self, what: str, *, always: bool = False, **more: Any) -> None:
        """A page; the same one after ten minutes."""

    def instrument_of(self, order: VenueOrder) -> str:
        """Of which instrument it is."""


class _Row(NamedTuple):
    """Of one instrument: UTC ms of the first and the last, how many, and what was said of the first."""

    first_ms: int
    last_ms: int
    times: int
    why: str


class TurnedAway:
    """Of one account."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self.of_account_ms = 0  # when the venue last refused one for the rights or modes of the account

    def note(self, desk: AskingDesk, order: VenueOrder, answer: LiveAnswer) -> None:
        """An answer to a request. What the venue has taken, or looked at and refused, ends the row; a silence does not."""
        name, now = desk.instrument_of(order), desk.now_ms()
        if is_of_account(answer.why):
            self.of_account_ms = now
        if answer.outcome != NOT_TAKEN:
            if answer.state != UNKNOWN:
                self._rows.pop(name, None)
            return
        row = self._rows.get(name)
        if row is None or now - row.last_ms > APART_MS:
            row = _Row(now, now, 0, answer.why)
        self._rows[name] = row = row._replace(last_ms=now, times=row.times + 1)
        if row.times >= PAGE_TIMES and now - row.first_ms >= PAGE_MS:
            what = f"{name}: the venue turns away every request, for a minute or longer: {row.why}"
            desk.incident(f"{what}; nothing is placed, moved or cancelled there, and stops stay as they are")
