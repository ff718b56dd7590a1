"""The stop that leaves with an entry: it covers what the venue fills until the layer has a protective order of its own.

Called by order_events.act, for instruments of which a leading `attach` event has said how: WITH the entry, in one request (the
venue has the stop as an order once the entry has ended with fills), or BESIDE it, an order of its own that follows the entry.
The stop is an order of the book like any other, named as its entry with another letter, so that what it executes is its layer's.
It ends once nothing of its entry is unbooked and the layer's own order works, never before. Decision 0053.
"""

from collections.abc import Sequence

from engine.book.book import Book
from engine.core.exits import stop_level
from engine.core.orders import ATTACHED, DONE, ENDED, INTENDED, SENT, STANDING, UNKNOWN, VenueOrder, find, heard, put
from engine.core.plan import AMEND, CANCEL, OrderRequest, Want
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE

WITH, BESIDE = "with", "beside"
WAYS = (WITH, BESIDE)
LETTER = -3  # of an id: what the order is for


def attached_id(entry: str) -> str:
    """The id of the stop of an entry order."""
    return f"{entry[:LETTER]}{ATTACHED}{entry[LETTER + 1 :]}"


def entry_id(attached: str) -> str:
    """The id of the entry order of such a stop."""
    return f"{attached[:LETTER]}E{attached[LETTER + 1 :]}"


def way_of(book: Book, s: int) -> str:
    """How entries of sleeve s bring their stop along; empty: not at all."""
    return book.attaches.get(str(book.specs[s].source["instrument"]), "") if book.attaches else ""


def stop_for(book: Book, entry: VenueOrder) -> VenueOrder | None:
    """The stop that a new entry order brings along. None where the venue takes none, or no level is known."""
    level = level_for(book, entry) if way_of(book, entry.sleeve) else None
    if level is None or (book.basket is not None and book.sleeves[entry.sleeve].position.side * entry.side < 0):
        return None  # of a leg that turns over: while it holds the other side, such a stop would close nothing
    core = (attached_id(entry.id), entry.sleeve, PROTECTIVE, entry.key, -entry.side, entry.lots, level)
    return VenueOrder(*core, 0, 0, 0.0, 0.0, entry.decided_ms)


def level_for(book: Book, entry: VenueOrder) -> float | None:
    """The level of such a stop, that of the decision: the strategy's own, or that of the rules at the price that the entry was
    reviewed at. None where no level below (above) the price is known.
    """
    rules = book.specs[entry.sleeve].rules
    price = entry.price or entry.notional / (entry.lots * rules.lot_size)
    level = entry.stop or stop_level(rules, price, entry.side, entry.atr)
    return level if level > 0.0 and (price - level) * entry.side > 0.0 else None


def woken(book: Book, stops: Sequence[VenueOrder]) -> list[str]:
    """Attached stops whose entry has just ended. With fills the venue has them now: they are `sent`, at the size that has filled,
    and returned. Without, there never was one.
    """
    found = []
    for stop in stops:
        entry = find(book.orders, entry_id(stop.id))
        if stop.state != INTENDED or (entry is not None and entry.state not in ENDED):
            continue
        lots = max(entry.reported, entry.filled) if entry is not None else 0
        if lots == 0:
            book.orders = heard(book.orders, stop.id, DONE, why="its entry has filled nothing")
        else:
            book.orders = heard(put(book.orders, stop._replace(lots=lots)), stop.id, SENT)
            found.append(stop.id)
    return found


def changes(book: Book, s: int, stops: Sequence[VenueOrder]) -> list[OrderRequest]:
    """What to ask of the venue about attached stops of sleeve s: their end, once the layer's own order covers it and nothing of
    the entry is unbooked; until then the size of what is unbooked. One that fires is left alone: it is the exit of its layer.
    """
    requests = []
    for stop in (book.orders.open.get(stop.id) for stop in stops):
        if stop is None or stop.sleeps or stop.amending or max(stop.reported, stop.filled) > 0:
            continue
        entry = find(book.orders, entry_id(stop.id))
        unbooked = entry.left if entry is not None else 0
        if not _covered(book, s, stop.key):
            continue
        if unbooked == 0 and may_end(stop):
            requests.append(OrderRequest(CANCEL, stop, None))
        elif 0 < unbooked < stop.lots and stop.state in STANDING and _own_lots(book, s, stop.key):
            requests.append(OrderRequest(AMEND, stop, Want(PROTECTIVE, stop.key, stop.side, unbooked, stop.price)))
    return requests


def _covered(book: Book, s: int, key: int) -> bool:
    """Whether no lot of a layer that is booked needs the attached stop: its own order works, it leaves, or it is not there."""
    held, own, leaves = _own_lots(book, s, key), 0, False
    for order in book.orders.open.values():
        mine = order.sleeve == s and (order.key == key or book.basket is not None)  # a leg has one layer, whatever it is called
        if mine and order.state in STANDING and not order.amending:
            own += order.left if order.slot == PROTECTIVE and not order.attached else 0
            leaves = leaves or (order.slot == EXIT_SLOT and book.basket is None)
    return leaves or own >= held


def _own_lots(book: Book, s: int, key: int) -> int:
    """Lots of a layer."""
    position = book.sleeves[s].position
    layers = position.layers[: position.open_layers]
    return sum(layer.lots for layer in layers if layer.key == key or book.basket is not None)


def may_end(stop: VenueOrder) -> bool:
    """Whether its venue may be asked to end it: it is there or in doubt, does not move, and has not fired."""
    return stop.state in (SENT, UNKNOWN, *STANDING) and not stop.amending and max(stop.reported, stop.filled) == 0


def fired(stops: Sequence[VenueOrder]) -> frozenset[int]:
    """Keys of the layers that leave by their attached stop."""
    return frozenset(stop.key for stop in stops if max(stop.reported, stop.filled) > 0)


def is_flattened(book: Book, entry: VenueOrder) -> bool:
    """Whether what an entry fills has been ordered to leave before it was booked."""
    return entry.slot == ENTRY and bool(_flattening(book, entry))


def unread_lots(book: Book, entry: VenueOrder) -> int:
    """Lots that an entry has filled by the venue's word and that are neither booked nor have left by a flattening exit."""
    gone = sum(max(order.reported, order.filled) for order in _flattening(book, entry))
    return max(entry.reported - entry.filled - gone, 0)


def _flattening(book: Book, entry: VenueOrder) -> list[VenueOrder]:
    orders = (*book.orders.open.values(), *book.orders.ended)
    return [order for order in orders if order.flattens and (order.sleeve, order.key) == (entry.sleeve, entry.key)]
