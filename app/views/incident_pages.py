"""A page of memory for each incident window, written from the journal: timeline, orders, exposure, who did what, lesson.

Called by app.processes.scheduler after each walk, and by `nightdesk incidents close`. Code owns its block of the page alone
(memory/shelf.py): what a person writes around it stays, a block that a person edited becomes that person's text.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.amounts import price_text, quantity_text
from engine.clock import utc
from engine.store.chain import Event
from engine.store.journal import read
from engine.watch.incidents import IncidentWindow, orders_in, windows_of
from engine.watch.window import FAR_MS, between, journal_of, mark_at
from memory.shelf import Shelf, ShelfError

FOLDER = "incidents"
LINES_MAX = 120  # of a timeline: the first and the last ones
ORDERS_SHOWN = 40
BEFORE = 50  # events of the desk journal between a person's word and the worker taking it, at most
TEXT_MAX = 200
PAGES_MAX = 200  # windows whose pages are kept up to date, the newest
SHOWN = {"window", "halt", "breaker", "incident", "reconcile", "adopt", "orphan", "health", "fill"}
BY_HAND = {"window": "incident window", "halt": "halt or release", "adoption": "difference adopted"}
BY_HAND |= {"decision": "proposal decided", "checklist": "runbook"}
ASKED = """Finish this page outside of the block above: what was seen first, what it cost to understand, what would have shown it
sooner. Text out here is yours; nothing replaces it."""


def write_pages(home: Path) -> list[str]:
    """Bring the page of every window up to the journal; topics of those written. One that cannot be written stays as it is."""
    written = []
    for window in windows_of(journal_of(home))[-PAGES_MAX:]:
        topic = f"{FOLDER}/{window.id}"
        try:
            Shelf(home / "memory").write_block(topic, page_text(home, window))
        except (ShelfError, OSError):
            continue
        written.append(topic)
    return written


def page_text(home: Path, window: IncidentWindow) -> str:
    """The block of one window, Markdown."""
    path = journal_of(home)
    last = mark_at(path)
    still = "open" if last is None else f"open; as of {utc(last.t_event_ms)}"  # the page is written anew from time to time
    end = still if window.closed_ms is None else f"closed {utc(window.closed_ms)} by {_line(window.closed_by)}"
    pnl = "counted when it is closed" if window.money is None else f"{window.money['pnl']:+,.2f} USDT, of no strategy"
    orders = orders_in(path, window)
    page = [f"# Incident {window.id}: {_line(window.cause)}", ""]
    page += [f"- Opened {utc(window.opened_ms)} by {_line(window.opened_by)}, {end}."]
    page += [f"- P&L: {pnl}.", f"- Covers: {_line(', '.join([*window.sleeves, *window.instruments]))}."]
    page += [f"- Opened because of: {_line('; '.join(window.causes))}."]
    page += [f"- Lesson: {_line(window.lesson)}." if window.lesson else "- Lesson: none yet; closing asks for one."]
    page += ["", "## Exposure", "", *_exposure(path, window)]
    page += ["", "## Timeline, desk time", "", *_cut(list(_timeline(path, window)))]
    page += ["", "## Who did what", "", *(list(_people(home, window)) or ["- Nobody acted while it was open."])]
    shown = ", ".join(orders[-ORDERS_SHOWN:]) or "none"
    more = f" (and {len(orders) - ORDERS_SHOWN} before)" if len(orders) > ORDERS_SHOWN else ""
    page += ["", f"## Orders: {len(orders)}", "", f"{shown}{more}"]
    return "\n".join([*page, "", ASKED])


def _exposure(path: Path, window: IncidentWindow) -> Iterator[str]:
    """What was held at both ends, of what the window covers."""
    ends = [("opened", window.opened_ms)] + ([("closed", window.closed_ms)] if window.closed_ms is not None else [])
    for name, at_ms in ends:
        mark = mark_at(path, at_ms)
        sleeves: Mapping[str, Any] = {} if mark is None else mark.body["sleeves"]
        held = [f"{own} {_position(sleeves[own])}" for own in window.sleeves if own in sleeves]
        gross = "" if mark is None else f"; the desk's exposure {mark.body['gross']:,.2f}"
        yield f"- When it {name}: {_line('; '.join(held)) or 'no sleeve'}{gross}."


def _position(sleeve: Mapping[str, Any]) -> str:
    position = sleeve.get("position")
    return f"{position['side']} {quantity_text(position['quantity'])} ({position['notional']:,.2f})" if position else "flat"


def _timeline(path: Path, window: IncidentWindow) -> Iterator[str]:
    """Events of the window, one a line with its id."""
    until_ms = FAR_MS if window.closed_ms is None else window.closed_ms
    until_seq = 1 << 62 if window.closed_seq is None else window.closed_seq
    for event in between(path, window.opened_ms - 1, until_ms, SHOWN):
        inside = window.opened_seq <= event.seq <= until_seq
        if inside and (text := _event_text(event, window)):
            yield f"- {utc(event.t_event_ms)} `{event.id}` {event.kind}: {_line(text)}"


def _event_text(event: Event, window: IncidentWindow) -> str:
    """One event in words; "" for one that is not of this window."""
    body = event.body
    if event.kind == "window":
        return f"{body['what']} {body.get('window', '')}: {body['cause']}" if body.get("window") == window.id else ""
    if event.kind == "fill":
        if body.get("sleeve") not in window.sleeves:
            return ""
        amount = "" if body.get("price") is None else f"{_amount(body)} at {price_text(body['price'])}"
        return f"{body['sleeve']} {body.get('side')} {amount}, order {body.get('order')}"
    if event.kind == "breaker" and body.get("sleeve") and body["sleeve"] not in window.sleeves:
        return ""
    if event.kind == "halt":
        return f"{body.get('state', '')} {body.get('reason', '')} {body.get('by', '')}"
    names = ("what", "difference", "instrument", "sleeve", "state", "breaker", "why", "reason", "by", "lots", "trade", "order")
    return ", ".join(f"{name} {body[name]}" for name in names if body.get(name) not in (None, "", [], {}))


def _amount(fill: Mapping[str, Any]) -> str:
    return f"{fill['lots']} lots" if fill.get("quantity") is None else quantity_text(fill["quantity"])


def _people(home: Path, window: IncidentWindow) -> Iterator[str]:
    """What people did between its opening and its end, from the people journal. Each of its events names the desk journal's head
    of that moment, so no clock is asked; a word to open it comes a little before the worker takes it.
    """
    path = home / "journal" / "people.jsonl"
    until = 1 << 62 if window.closed_seq is None else window.closed_seq
    for event in read(path, set(BY_HAND)) if path.exists() else ():
        if event.body.get("act") == "look":
            continue
        if window.opened_seq - BEFORE <= _desk_seq(event) <= until:
            actor: Any = event.body.get("actor") or {}
            name = actor.get("name") if isinstance(actor, Mapping) else actor
            about = event.body.get("window") or {}
            what = event.body.get("reason") or about.get("cause") or event.body.get("state") or ""
            what = _of_runbook(event.body) if event.kind == "checklist" else what
            done = BY_HAND[event.kind] + {"open": " opened", "close": " closed"}.get(str(about.get("what")), "")
            yield f"- {utc(event.t_event_ms)} `{event.id}` {_line(name or 'unknown')}: {done}, {_line(what)}"


def _of_runbook(body: Mapping[str, Any]) -> str:
    """What a person did with a runbook: `cl-1, step 3 done: the far order was seen`."""
    what = f"begun: {body.get('runbook')}" if body.get("act") == "begin" else f"ended: {body.get('words')}"
    step = f"step {body['step']} {body.get('act')}: {body.get('words') or 'its check says yes'}" if body.get("step") else what
    return f"{body.get('checklist')}, {step}"


def _desk_seq(event: Event) -> int:
    """The number of the desk journal's last event when this one was written; -1 where it does not say."""
    number = event.other.partition(":")[0].removeprefix("d-")
    return int(number) if number.isascii() and number.isdigit() else -1


def _cut(lines: list[str]) -> list[str]:
    """At most LINES_MAX lines: both ends, and how many were left out between."""
    if len(lines) <= LINES_MAX:
        return lines or ["- Nothing but bars."]
    half = LINES_MAX // 2
    return [*lines[:half], f"- ({len(lines) - LINES_MAX} more events: nightdesk journal tail)", *lines[-half:]]


def _line(text: Any) -> str:
    """Outside text on one line, cut."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:TEXT_MAX].strip()
