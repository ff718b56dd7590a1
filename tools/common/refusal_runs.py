"""Finds the events of a window, with consecutive equal refusals merged into one run. Called by tools/journal.py.

A sleeve that may not enter is refused at every bar with a signal: thousands of equal lines a week. Equality is decided on the
raw text of a line; only the first of a run is parsed.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.clock import utc
from engine.errors import BadInput
from engine.store.chain import Event
from engine.watch.window import JournalLine, raw_lines, stamp_of
from tools.common.event_text import event_line, kind_of

# keys of a body stand in the order of the alphabet, and a quote inside a text is escaped: nothing in a text looks like this
_REFUSAL = re.compile(
    rb'"refused_by":("(?:[^"\\]|\\.)*"),"signal":("(?:[^"\\]|\\.)*"),(?:"size":\{[^{}]*\},)?"sleeve":("(?:[^"\\]|\\.)*")[,}]'
)


@dataclass
class RefusalRun:
    """One event, or the same refusal of a sleeve at `count` bars, the last of them `last`."""

    first: Event
    last: JournalLine
    count: int = 1

    @property
    def kind(self) -> str:
        """The word people search by."""
        return kind_of(self.first)

    def line(self) -> str:
        """The event or the run of refusals in one line."""
        if self.count == 1:
            return event_line(self.first)
        return f"{event_line(self.first)} (at {self.count} bars, the last {utc(self.last.t_event_ms)}, d-{self.last.seq})"


def worth_reading(wanted: Sequence[str]) -> Callable[[bytes, bytes], bool]:
    """A filter on a journal line's raw text: whether it may be of a wanted kind. Most decisions are not."""
    names = {kind.encode() for kind in wanted}
    refused = b"refused" in names and b"decision" not in names

    def worth(kind: bytes, line: bytes) -> bool:
        return b'"action":"refused"' in line if refused and kind == b"decision" else kind in names or kind == b"decision"

    return worth


READ_MAX = 200_000  # events of one window
KEPT_RUNS = 4_000  # of all searches that are kept: some 20 MB
_SEARCHES, _GUARD = OrderedDict[tuple[Any, ...], list[RefusalRun]](), threading.Lock()


def search(
    path: Path, window: tuple[int, int], kinds: Collection[str], wanted: Sequence[str], sleeve: str | None, text: str | None
) -> Sequence[RefusalRun]:
    """`refusal_runs` of the events of `kinds` in a window (after, up to] of a journal; for reading, since callers share it.

    People who come to a desk ask the same of the same night: while its journal has not moved, the last few searches are kept.
    Reading a busy day takes 20 ms. BadInput as refusal_runs.
    """
    key = (path, stamp_of(path), window, frozenset(kinds), tuple(wanted), sleeve, text)  # the stamp first: no older search
    with _GUARD:
        found = _SEARCHES.get(key)
        if found is not None:
            _SEARCHES.move_to_end(key)
            return found
    found = refusal_runs(raw_lines(path, *window, kinds, worth_reading(wanted)), wanted, sleeve, text)
    if len(found) < KEPT_RUNS:
        for one in found:
            one.last = one.last._replace(text=b"")  # its words are in `first`
        with _GUARD:
            _SEARCHES[key] = found
            while sum(1 + len(runs) for runs in _SEARCHES.values()) > KEPT_RUNS:
                _SEARCHES.popitem(last=False)
    return found


def refusal_runs(lines: Iterable[JournalLine], wanted: Sequence[str], sleeve: str | None, text: str | None) -> list[RefusalRun]:
    """What of `lines` is of the wanted kinds, of the sleeve (None: of any) and has the text in it (None: any), oldest first.

    A list, since a run is complete only after all lines have been read. BadInput: more than READ_MAX of them.
    """
    found: list[RefusalRun] = []
    last: dict[bytes, tuple[tuple[bytes, ...], RefusalRun]] = {}  # per sleeve: its latest run and what it says
    for line in lines:
        says = _refusal(line) if "refused" in wanted and text is None else ()
        if says and (before := last.get(says[-1])) is not None and before[0] == says:
            before[1].last = line
            before[1].count += 1
            continue
        event = line.event()
        if event is None or kind_of(event) not in wanted or not fits(event, sleeve, text):
            continue
        stretch = RefusalRun(event, line)
        last[says[-1] if says else json.dumps(event.body.get("sleeve")).encode("ascii")] = says, stretch
        found.append(stretch)
        if len(found) > READ_MAX:
            raise BadInput(f"more than {READ_MAX:,} events match", "narrow the window, the kinds or the sleeve")
    return found


def _refusal(line: JournalLine) -> tuple[bytes, ...]:
    """Rule, signal and sleeve of a refused decision as they are written; empty for anything else."""
    if line.kind != "decision" or b'"action":"refused"' not in line.text:
        return ()
    found = _REFUSAL.search(line.text)
    return found.groups() if found is not None else ()


def fits(event: Event, sleeve: str | None, text: str | None) -> bool:
    """Whether the event is of the sleeve and has the word that was asked for."""
    if sleeve and event.body.get("sleeve") != sleeve:
        return False
    by = f"by {event.body.get('reason')}"  # as the tables say it: `by stop`
    return not text or text.lower() in f"{event.id} {event.kind} {by} {event.body}".lower()
