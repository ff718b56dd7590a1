"""Incident windows, differences from the venue and the desk's P&L in its two parts, as plain JSON.

Called by app/cli/incidents.py, app/cli/reconcile.py, app/api/incidents.py. Closed windows are as journaled; what is open comes
from the book that the journal folds to (engine/watch/folded_book.py).
"""

from pathlib import Path
from shlex import quote
from typing import Any

from engine.book.book import Book
from engine.book.incident_money import incidents_of, parted, parted_sleeve, window_money
from engine.book.order_events import stuck
from engine.book.windows import lasting
from engine.errors import BadInput
from engine.store.lookback import last
from engine.watch.folded_book import book_at
from engine.watch.incidents import IncidentWindow, orders_in, pages_of, windows_of

CHOICES = {
    "adopt": "book what the venue holds, or keep the desk's position: nightdesk adopt {what} --keep (or --sleeve S --units U)"
    " --as NAME --reason WHY",
    "close": "close or cancel it by hand at the venue's own page; the desk compares again: an order or a position ends so,"
    " a trade stays until it is adopted",
    "wait": "leave it as it is: no sleeve enters, stops stay, the desk goes on comparing;"
    " nightdesk reconcile --wait {what} --as NAME --reason WHY writes down that a person has looked",
}


def incident_list(path: Path) -> list[dict[str, Any]]:
    """Every window, newest first."""
    found = windows_of(path)
    book = book_at(path) if any(window.money is None for window in found) else None
    return [_row(window, book) for window in reversed(found)]


def incident(path: Path, window: str) -> dict[str, Any]:
    """One window with the orders in it, and what keeps it from being closed. Raises BadInput for one that is not there."""
    found = {known.id: known for known in windows_of(path)}
    if window not in found:
        raise BadInput(f"there was never a window {window[:20]!r}", f"windows: {', '.join(list(found)[-10:]) or 'none'}")
    chosen = found[window]
    book = book_at(path) if chosen.money is None else None
    still = lasting(book, window) if book is not None and window in incidents_of(book)["open"] else []
    return _row(chosen, book) | {"orders": orders_in(path, chosen), "lasting": still, "runbooks": list(pages_of(chosen))}


def pnl_parts(path: Path) -> dict[str, Any]:
    """The desk's P&L since its start and that of each sleeve: {whole, incident, strategy}; {} before the first bar."""
    book = book_at(path)
    if book is None:
        return {}
    sleeves = {name: parted_sleeve(book, s)._asdict() for s, name in enumerate(book.names)}
    return {**parted(book)._asdict(), "sleeves": sleeves}


def reconciliation(path: Path) -> dict[str, Any]:
    """{differences: [{what, text, instrument, since_ms, event, choices}], entries_blocked, blocked, orphans, dust, windows}."""
    book = book_at(path)
    if book is None:
        return {"differences": [], "entries_blocked": False, "blocked": {}, "orphans": [], "dust": [], "windows": []}
    orphans = [
        {"instrument": name, "lots": found["lots"], "tries": found["tries"], "orders": list(found["orders"])[-10:]}
        for name, found in book.orphans.items()
        if found["lots"]
    ]
    return {
        "differences": [_difference(path, what, text) for what, text in book.differences.items()],
        "entries_blocked": book.entries_blocked,
        "blocked": dict(book.health),
        "orphans": orphans,
        "dust": [
            {"sleeve": name, "layer": key, "lots": lots, "least_lots": book.specs[s].rules.least_lots}
            for s, name in enumerate(book.names)
            for key, lots in stuck(book, s).items()
        ],
        "windows": list(incidents_of(book)["open"]),
    }


def _difference(path: Path, what: str, text: str) -> dict[str, Any]:
    """A difference with the card that came with it, and what a person can do."""
    event = last(path, ("reconcile",), lambda e: what in e.body.get("differs", ()))
    card = dict(event.body.get("card") or {}) if event is not None else {}
    names = card.pop("choices", None) or list(CHOICES)
    choices = [{"choice": name, "does": CHOICES[name].format(what=quote(what))} for name in names if name in CHOICES]
    where = {"since_ms": event.t_event_ms if event else None, "event": event.id if event else None}
    return {"what": what, "text": text, "instrument": card.get("instrument"), **where, "card": card, "choices": choices}


def _row(window: IncidentWindow, book: Book | None) -> dict[str, Any]:
    """A window as it is shown; open, with its money so far."""
    money = window.money
    if money is None and book is not None and window.id in incidents_of(book)["open"]:
        money = window_money(book, window.id)
    kept = {k: v for k, v in window._asdict().items() if k not in ("money", "opened_seq", "closed_seq")}
    figures = money or dict.fromkeys(("pnl", "realised", "fees", "funding", "orphans"))
    return kept | {"state": "open" if window.closed_ms is None else "closed"} | figures
