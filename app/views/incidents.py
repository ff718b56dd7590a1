"""Incident windows, differences from the venue and the desk's P&L in its two parts, as plain JSON.

Called by app/cli/incidents.py, app/cli/reconcile.py, app/api/incidents.py. Closed windows are as journaled; what is open comes
from the book that the journal folds to (engine/watch/folded_book.py).
"""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from engine.amounts import price_text
from engine.book.bodies import CASH, POSITION, position_of
from engine.book.book import Book
from engine.book.incident_money import incidents_of, parted, parted_sleeve, window_money
from engine.book.order_events import stuck
from engine.book.windows import lasting
from engine.clock import utc
from engine.errors import BadInput
from engine.store.chain import Event
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
BOOK = "nightdesk adopt {what} --sleeve {sleeve} --units {units}"
OF_TRADE = {
    "adopt": f"book it: {BOOK} --as NAME --reason WHY, U what its layer holds at the venue now, negative when short, 0 for none;"
    " only what you have undone there by hand: nightdesk adopt {what} --keep --as NAME --reason WHY",
    "close": "undo it by hand at the venue's own page, then nightdesk adopt {instrument} --keep --as NAME --reason WHY:"
    " no trade ends by itself",
}
OF_POSITION = {
    "adopt": f"book what the venue holds, {{venue}}: {BOOK} --price P --fee F --as NAME --reason WHY, P and F of what changed it,"
    " as the venue shows them"
}
OF_GONE = {
    "adopt": f"find its settlement in the venue's history (positions, bills), then: {BOOK} --price P --fee F --as NAME"
    " --reason WHY, 0 units where nothing is left (docs/runbooks/delisted.md)",
    "wait": "it may be listed again; until then its own sleeves enter nothing, and equity counts it at its last close;"
    " nightdesk reconcile --wait {what} --as NAME --reason WHY writes down that a person has looked",
}
OF_CASH = {
    "adopt": "once you know what it is (nightdesk cash list has the transfers by the venue's bills):"
    " nightdesk adopt {what} --keep --as NAME --reason WHY",
    "wait": "a bill that comes late ends it by itself. Else: " + CHOICES["wait"],
}
OF_ORDER = {
    "adopt": "let it be: nightdesk adopt {what} --keep --as NAME --reason WHY; entries go on, and what it executes is another"
    " difference",
    "close": "cancel it by hand at the venue's own page: the difference ends when the desk compares again, within a minute",
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
        "differences": [_difference(path, book, what, text) for what, text in book.differences.items()],
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


def _difference(path: Path, book: Book, what: str, text: str) -> dict[str, Any]:
    """A difference with the card that came with it, and what a person can do. A trade says how much it was, at what and when."""
    event = last(path, ("reconcile",), lambda e: what in e.body.get("differs", ()))
    card = dict(event.body.get("card") or {}) if event is not None else {}
    trade = (
        last(path, ("fill",), lambda e: e.body.get("trade") == what and "instrument" in e.body)
        if event is not None and not card
        else None
    )
    of_position = what.removeprefix(POSITION) if what.startswith(POSITION) else None
    instrument = card.get("instrument") or (trade.body["instrument"] if trade is not None else of_position)
    choices = choices_of(book, what, str(instrument), card, trade)
    text = text if trade is None else f"{text}: {_traded(book, trade)}"
    where = {"since_ms": event.t_event_ms if event else None, "event": event.id if event else None}
    return {"what": what, "text": text, "instrument": instrument, **where, "card": card, "choices": choices}


def choices_of(book: Book, what: str, instrument: str, card: dict[str, Any], trade: Event | None) -> list[dict[str, str]]:
    """What a person can do: {choice, does}, with the words to type. `card` loses its own list of them."""
    names, does = card.pop("choices", None) or list(CHOICES), _does(what, card, trade)
    if what == position_of(instrument) and book.is_gone(instrument):
        does, card = OF_GONE, card | {"venue_lots": 0}
    values = {"what": quote(what), "instrument": instrument} | _sleeve_of(book, instrument, card)
    return [{"choice": name, "does": does[name].format(**values)} for name in names if name in does]


def _does(what: str, card: Mapping[str, Any], trade: Event | None) -> dict[str, str]:
    """What each choice does: an order that rests is let be, or cancelled there; a position is booked in units."""
    if what == CASH:
        return OF_CASH
    if trade is not None:
        return CHOICES | OF_TRADE
    if card.get("venue_lots") is not None and card["venue_lots"] * card["desk_lots"] >= 0:  # else it is flattened by hand first
        return CHOICES | OF_POSITION
    return CHOICES | OF_ORDER if card.get("order") else CHOICES


def _sleeve_of(book: Book, instrument: str, card: Mapping[str, Any]) -> dict[str, str]:
    """The one sleeve that trades it, with what the venue holds where that is of one layer; else letters."""
    mine = [s for s, spec in enumerate(book.specs) if spec.source["instrument"] == instrument]
    if len(mine) != 1 or book.basket is not None or book.sleeves[mine[0]].position.open_layers > 1:
        return {"sleeve": "S", "units": "U", "venue": "U"}
    held, lot_size = card.get("venue_lots"), book.specs[mine[0]].rules.lot_size
    units = "U" if held is None else f"{held * lot_size:.10g}"
    return {"sleeve": quote(book.names[mine[0]]), "units": units, "venue": "nothing" if units == "0" else units}


def _traded(book: Book, trade: Event) -> str:
    """An execution that was not booked: side, units, price, when, and the order's name there."""
    body = trade.body
    sizes = [spec.rules.lot_size for spec in book.specs if spec.source["instrument"] == body["instrument"]]
    size = f"{body['lots'] * sizes[0]:.10g}" if sizes else f"{body['lots']} lots"
    at = f", {utc(body['t_ms'] // 1000 * 1000)}" if body.get("t_ms") else ""
    side = {"buy": "bought ", "sell": "sold "}.get(str(body.get("side")), "")  # older journals do not have it
    return f"{side}{size} at {price_text(body['price'])}{at}, of order {body['order']}"


def _row(window: IncidentWindow, book: Book | None) -> dict[str, Any]:
    """A window as it is shown; open, with its money so far."""
    money = window.money
    if money is None and book is not None and window.id in incidents_of(book)["open"]:
        money = window_money(book, window.id)
    kept = {k: v for k, v in window._asdict().items() if k not in ("money", "opened_seq", "closed_seq")}
    figures = money or dict.fromkeys(("pnl", "realised", "fees", "funding", "orphans"))
    return kept | {"state": "open" if window.closed_ms is None else "closed"} | figures
