"""A stretch of the journal cut where it changes whose P&L is made: at incident windows, and around what people adopted.

Called by attribution.py. Turns two marks into Segments between marks, each with the sleeves whose change in it is of an incident
window, or of a person's hand. Whose a window is says engine/book/windows.py; here its events are read back.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.store.chain import Event
from engine.watch.incidents import IncidentWindow, windows_of
from engine.watch.window import between, ending, mark_at, valued

INCIDENT, MANUAL = "incident", "manual"


class Segment(NamedTuple):
    """From one mark to another; `whose`: sleeves of which the change is not their strategy's -> incident or manual."""

    start: Event
    end: Event
    whose: Mapping[str, str]


def segments(path: Path, start: Event, end: Event) -> list[Segment]:
    """The stretch between two marks, in order; one segment where nothing of the kind happened."""
    apart = "incident" in end.body or "windows" in end.body
    windows = windows_of(path) if apart else []
    by_hand = list(_adoptions(path, start, end))
    edges = {mark.seq: mark for event in by_hand for mark in _around(path, event) if mark is not None}
    for window in windows:
        for at_ms, seq in ((window.opened_ms, window.opened_seq), (window.closed_ms, window.closed_seq)):
            mark = None if at_ms is None or seq is None else ending(path, at_ms, seq)
            if mark is not None:
                edges[mark.seq] = mark
    inner = [edges[seq] for seq in sorted(edges) if start.seq < seq < end.seq]
    ends = [start, *inner, end]
    return [Segment(a, b, _whose(a, b, windows, by_hand)) for a, b in zip(ends, ends[1:], strict=False)]  # noqa: RUF007 - pairs of neighbours


def _whose(start: Event, end: Event, windows: list[IncidentWindow], by_hand: list[Event]) -> dict[str, str]:
    """Of a segment that nothing cuts; what a person adopts inside a window is the window's."""
    found = {str(event.body["sleeve"]): MANUAL for event in by_hand if start.seq < event.seq < end.seq}
    for window in windows:
        if window.opened_seq < start.seq and (window.closed_seq is None or window.closed_seq > start.seq):
            found |= dict.fromkeys(window.sleeves, INCIDENT)
    return found


def _adoptions(path: Path, start: Event, end: Event) -> Iterator[Event]:
    """What people adopted between two marks and moved a position by."""
    for event in between(path, start.t_event_ms - 1, end.t_event_ms, {"adopt"}):
        if start.seq < event.seq < end.seq and event.body.get("adopted") and _moved(event.body):
            yield event


def _moved(body: Mapping[str, Any]) -> bool:
    return "lots_after" in body and body["lots_after"] != body.get("lots_before")


def _around(path: Path, event: Event) -> tuple[Event | None, Event | None]:
    """The marks before and behind an event."""
    before = [m for m in between(path, event.t_event_ms - 1, event.t_event_ms, {"mark"}) if m.seq < event.seq]
    last = valued(path, before[-1]) if before else mark_at(path, event.t_event_ms - 1)
    return last, ending(path, event.t_event_ms, event.seq)
