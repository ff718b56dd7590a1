"""What a sleeve did at each of its closes in a window, counted: entered, in a position, refused by a rule, paused, no signal.

Called by app/views/sleeve_page.py. Read from the marks and bars of the desk journal, which say for each close what the guardrails
remember and which signal there was; a refusal that lasts is written once, and still counts at every close here.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import RESTING
from engine.store.chain import Event
from engine.watch.pair_reasons import IN_PAIR, LEAVING, reasons_of, symbol_of, terms_of
from engine.watch.window import between, raw_lines

ENTERED, HELD, WORKING, PAUSED, QUIET = "entered", "in a position", "entry order working", "paused by a person", "no signal"
_ENTER = re.compile(rb'"action":"(enter|add)"')


class CloseCount(NamedTuple):
    """How many closes of a window were of a kind; `blocked`: there was a signal that did not become an order."""

    what: str
    closes: int
    blocked: bool


def closes_of(path: Path, sleeve: str, after_ms: int, up_to_ms: int) -> list[CloseCount]:
    """The closes of the sleeve's own bars in (after_ms, up_to_ms], most frequent first; empty without any."""
    entered = _entries(path, sleeve, after_ms, up_to_ms)
    counts: Counter[tuple[str, bool]] = Counter()
    signals: dict[str, Any] | None = None
    pairs: _Pairs | None = None
    for event in between(path, after_ms, up_to_ms, {"bar", "mark"}):
        if event.kind == "bar":
            signals = event.body.get("signals") or {}
        elif signals is not None and sleeve in signals and (own := event.body["sleeves"].get(sleeve)) is not None:
            if "basket" in event.body:
                pairs = pairs or _Pairs(path, sleeve)
                counts[pairs.kind(event.body)] += 1
                continue
            counts[(ENTERED, False) if event.t_event_ms in entered else _kind(own)] += 1
    return [CloseCount(what, count, blocked) for (what, blocked), count in counts.most_common()]


def _kind(own: dict[str, Any]) -> tuple[str, bool]:
    """What a close was that entered nothing, as the sleeve's part of its mark says."""
    if own.get("position") is not None:
        return HELD, False
    if own.get("order") is not None:
        return WORKING, False
    if rule := own["guard"].get("refused_by"):
        return str(rule), True
    if own.get("paused"):
        return PAUSED, False
    return (f"its stage is {own['stage']}" if own.get("stage") in RESTING else QUIET), False


class _Pairs:
    """A leg's closes, as those of the pairs that have it."""

    def __init__(self, path: Path, sleeve: str) -> None:
        self.sleeve, self.symbol, self.terms = sleeve, symbol_of(path, sleeve), terms_of(path)

    def kind(self, mark: Mapping[str, Any]) -> tuple[str, bool]:
        """What a close was: of its pairs the one that was nearest to a trade."""
        own = mark["sleeves"][self.sleeve]
        nearest = min(reasons_of(mark, self.terms[mark["version"]], self.symbol), key=lambda one: one.rank)
        if nearest.rule or nearest.kind in (ENTERED, LEAVING, IN_PAIR):
            return nearest.kind, nearest.rule
        if own.get("paused"):
            return PAUSED, False
        return (f"its stage is {own['stage']}" if own.get("stage") in RESTING else nearest.kind), False


def _entries(path: Path, sleeve: str, after_ms: int, up_to_ms: int) -> set[int]:
    """Closes at which the sleeve decided to enter or to add."""
    name = b'"sleeve":"%s"' % sleeve.encode()
    lines = raw_lines(path, after_ms, up_to_ms, {"decision"}, lambda _, line: name in line and _ENTER.search(line) is not None)
    events: list[Event | None] = [line.event() for line in lines]
    return {event.t_event_ms for event in events if event is not None and event.body.get("sleeve") == sleeve}
