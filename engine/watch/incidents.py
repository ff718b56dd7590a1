"""Incident windows as the journal has them, and what the strategies made beside them. Figures only: who opens one is
engine/book/windows.py, what is in one engine/book/incident_money.py.

Called by app/views/incidents.py, the tools, periods.py and the commands.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import REDUCED
from engine.store.chain import Event
from engine.watch.kept_lines import trading_lines
from engine.watch.window import FAR_MS, raw_lines, stamp_of

ORDERS_MAX = 500
MONEY = ("pnl", "realised", "fees", "funding", "orphans")


class IncidentWindow(NamedTuple):
    """One window. Money in quote units, None while it is open (incident_money.window_money has it then); times are desk time."""

    id: str
    opened_ms: int
    closed_ms: int | None
    cause: str  # a person's words once it is closed, before what opened it
    causes: list[str]
    opened_by: str
    closed_by: str | None
    sleeves: list[str]
    instruments: list[str]
    money: dict[str, float] | None
    opened_event: str
    closed_event: str | None
    opened_seq: int
    closed_seq: int | None
    opened_wall_ms: int  # of the machine
    closed_wall_ms: int | None
    lesson: str | None = None  # what the person who closed it wants to be checked from now on


def windows_of(path: Path) -> list[IncidentWindow]:
    """Every window of a desk's journal, oldest first."""
    return list(_windows_of(path, stamp)) if (stamp := stamp_of(path)) else []


@lru_cache(maxsize=4)
def _windows_of(path: Path, _stamp: tuple[int, int, int]) -> tuple[IncidentWindow, ...]:
    """Windows are rare, and the search for them reads a whole journal: once for each of its records."""
    found: dict[str, IncidentWindow] = {}
    for line in trading_lines(path, -1, FAR_MS, {"window"}):
        if (event := line.event()) is None:
            continue
        body = event.body
        if not body.get("taken"):
            continue
        if body["what"] == "open":
            found[body["window"]] = _opened(event)
        elif body["what"] == "joins" and (window := found.get(body["window"])):
            found[window.id] = window._replace(causes=[*window.causes, body["cause"]])
        elif body["what"] == "close" and (window := found.get(body["window"])):
            money = {name: float(body["money"][name]) for name in MONEY}
            end: dict[str, Any] = {
                "closed_ms": event.t_event_ms,
                "closed_event": event.id,
                "closed_seq": event.seq,
                "money": money,
            }
            end |= {"closed_by": body["by"], "closed_wall_ms": event.t_recv_ms, "cause": body["cause"]}
            end |= {"lesson": body.get("lesson")}
            found[window.id] = window._replace(**end)
    return tuple(found.values())


def _opened(event: Event) -> IncidentWindow:
    b = event.body
    about = (b["cause"], [b["cause"]], b["by"], None, list(b["sleeves"]), list(b["instruments"]), None)
    return IncidentWindow(b["window"], event.t_event_ms, None, *about, event.id, None, event.seq, None, event.t_recv_ms, None)


class Lesson(NamedTuple):
    """What a person wants to be checked, from a window that is closed."""

    window: str
    closed_ms: int
    by: str
    text: str
    pages: tuple[str, ...]  # runbooks that it is a check of


PAGES: tuple[tuple[str, str], ...] = (  # how a cause begins, or what is in it -> its runbook
    ("orphans of ", "orphan"),
    ("executions", "unknown-order"),
    ("halt incomplete", "halted"),
    (REDUCED, "liquidation"),
)


def lessons_of(path: Path) -> list[Lesson]:
    """Lessons of closed windows, oldest first, each a check of the runbook `incident` and of those of its causes."""
    found = []
    for window in windows_of(path):
        if window.lesson and window.closed_ms is not None:
            found.append(Lesson(window.id, window.closed_ms, str(window.closed_by), window.lesson, pages_of(window)))
    return found


def pages_of(window: IncidentWindow) -> tuple[str, ...]:
    """The runbooks of a window: `incident`, and those of its causes."""
    pages = {page for cause in window.causes for start, page in PAGES if cause.startswith(start)}
    pages |= {"reconcile-difference"} if window.opened_by == "detector" and not pages else set()
    return ("incident", *sorted(pages))


def orders_in(path: Path, window: IncidentWindow) -> list[str]:
    """Ids of orders made, reported or filled in a window, of what it covers, and of those that opened it; at most ORDERS_MAX,
    oldest first."""
    until = window.closed_seq or 1 << 62
    kinds = {"intent", "order", "fill", "orphan"}
    found: dict[str, None] = {}
    for line in raw_lines(path, window.opened_ms - 1, FAR_MS if window.closed_ms is None else window.closed_ms, kinds):
        if line.seq > until or (event := line.event()) is None:
            continue
        body = event.body
        inside = line.seq > window.opened_seq
        covered = inside and (body.get("sleeve") in window.sleeves or body.get("instrument") in window.instruments)
        if body.get("order") and (covered or {body.get("trade"), body["order"]} & set(window.causes) or _found(event, window)):
            found.setdefault(str(body["order"]))
        if len(found) >= ORDERS_MAX:
            break
    return list(found)


def _found(event: Event, window: IncidentWindow) -> bool:
    """Whether an orphan of the window's instruments opened it: it is journaled just before, in the same batch."""
    return event.kind == "orphan" and event.body.get("instrument") in window.instruments and event.seq >= window.opened_seq - 2


def incident_of(mark: Mapping[str, Any], sleeve: str | None = None) -> float:
    """Of the equity that a mark shows, of one sleeve or of the desk: what was made in incident windows; 0 without any."""
    body = mark if sleeve is None else mark["sleeves"][sleeve]
    return float(body.get("incident") or 0.0)
