"""What the account's stream has lately said of orders, kept against REST that is behind it: a question then does not know yet of
an order that stands, nor that one has ended.

Written by streams.py, read by desk.py, health.py and last_guards.py. Nothing is booked from it, and nothing follows from silence.
"""

from typing import NamedTuple

from engine.ports import Clock

LATE_MS = 60_000  # by which REST may be behind: so long the stream's word counts against it
KEPT = 2_000  # orders


class Named(NamedTuple):
    """The last word about an order."""

    t_ms: int
    version: str  # where several of the venue's orders are one of the desk
    has_ended: bool


class Announced:
    """Of one account, by client id."""

    def __init__(self, now_ms: Clock) -> None:
        self._now_ms = now_ms
        self._named: dict[str, Named] = {}

    def note(self, id_: str, version: str, *, has_ended: bool) -> None:
        """An order was named. That an older version has ended says nothing of the one that stands."""
        if has_ended and id_ in self._named and self._named[id_].version != version:
            return
        self._named.pop(id_, None)
        self._named[id_] = Named(self._now_ms(), version, has_ended)
        if len(self._named) > KEPT:
            del self._named[next(iter(self._named))]

    def is_named(self, id_: str) -> bool:
        """Whether it was named within LATE_MS."""
        return id_ in self._named and self._now_ms() - self._named[id_].t_ms <= LATE_MS

    def stands(self, id_: str) -> bool:
        """Whether it stood then."""
        return self.is_named(id_) and not self._named[id_].has_ended

    def is_over(self, id_: str) -> bool:
        """Whether it had ended, or fired, then."""
        return self.is_named(id_) and self._named[id_].has_ended
