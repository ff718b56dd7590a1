"""How long a storm's desk took, on the virtual clock: until it noticed, until it agreed with the venue again, to end a halt.

What each means exactly is in docs/reliability.md, and is read off the venue's ledger and the journal, not off what the desk says.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.core.orders import UNKNOWN
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.faults import Window

NOTICED_MS = 60_000  # after a window's end a sign is no longer of it
DOUBT_MS = 2_000  # an order in doubt for less is an answer on its way


class Measured(NamedTuple):
    """Of one window of one fault, in ms; None: there was nothing to notice, or to agree on."""

    kind: str
    whole: bool  # it acted at every chance, for a bar or more
    detect: int | None
    reconcile: int | None


class Times:
    """Notes of one run (tests.storms.invariants.Invariants)."""

    def __init__(self, storm: Any) -> None:
        self.storm = storm
        self.signs: list[int] = []  # when something began to be withheld, or somebody was woken
        self.lags: list[int] = []  # executions: from the venue to the journal
        self.unsettled: list[tuple[int, int]] = []  # spans in which book and venue did not agree
        self.last_increase_ms = 0
        self.flat_ms = 0  # after a latch: since when nothing of the desk is at the venue
        self._since = self._apart_since = self._doubt_since = 0

    def booked(self, lag_ms: int) -> None:
        """An execution."""
        self.lags.append(lag_ms)

    def increased(self) -> None:
        """An order that may increase a position leaves."""
        self.last_increase_ms = self.storm.clock()

    def apart_for_ms(self) -> int:
        """For how long the venue's position has not been the book's."""
        return self.storm.clock() - self._apart_since if self._apart_since else 0

    def journaled(self, kind: str, body: Mapping[str, Any]) -> None:
        """An event of the journal."""
        begun = kind == "health" and body["state"] == "begun"
        if begun or (kind == "reconcile" and body["differs"]) or (kind == "fill" and body.get("booked") is False):
            self.sign()
        if kind in ("order", "fill", "orphan", "adopt", "bar"):
            self.moved()

    def sign(self) -> None:
        """Something is withheld from now on, or somebody is woken."""
        self.signs.append(self.storm.clock())

    def moved(self) -> None:
        """Book or venue has moved: do they agree?"""
        storm, now = self.storm, self.storm.clock()
        apart = storm.theirs() != storm.ours()
        self._apart_since = (self._apart_since or now) if apart else 0
        doubt = any(x.state == UNKNOWN or x.reported > x.filled for x in storm.desk.book.orders.open.values())
        if self._doubt_since and not doubt and now - self._doubt_since >= DOUBT_MS:
            self.signs.append(self._doubt_since)
        self._doubt_since = (self._doubt_since or now) if doubt else 0
        unsettled = apart or doubt
        if unsettled and not self._since:
            self._since = now
        elif self._since and not unsettled:
            self.unsettled.append((self._since, now))
            self._since = 0
        if storm.latch:
            there = any(x.client for x in (*storm.exchange.open_orders(), *storm.exchange.open_algos()))
            self.flat_ms = (self.flat_ms or now) if not there and not storm.theirs() else 0

    def of_windows(self, acted: Mapping[Window, tuple[int, int]]) -> Iterable[Measured]:
        """Of each window in which its fault acted; of use where windows are of one fault alone."""
        for window, (first_ms, _) in acted.items():
            sign = min((t for t in self.signs if t >= first_ms), default=None)
            detect = sign - first_ms if sign is not None and sign <= window.end_ms + NOTICED_MS else None
            over = next((end for begin, end in self.unsettled if begin <= window.end_ms < end), None)
            whole = window.chance >= 1 and window.end_ms - window.start_ms > BAR_MS
            yield Measured(window.kind, whole, detect, None if over is None else over - window.end_ms)

    @property
    def halted_ms(self) -> int | None:
        """From the latch until nothing of the desk was at the venue; None: that did not come."""
        return self.flat_ms - self.storm.latched_ms if self.flat_ms else None
