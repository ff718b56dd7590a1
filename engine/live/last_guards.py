"""The last guards of an order that is journaled and about to leave: what may have changed since it was decided.

Called by engine.live.desk before each request. Each returns why the order is kept back, or "".
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.book import attached, basket_account
from engine.book.book import Book, stage_of
from engine.book.order_events import is_wanted
from engine.core.guardrails import is_turning
from engine.core.orders import CANCELLING, ENDED, STANDING, VenueOrder, find
from engine.core.sizing import least_lots
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.live.announced import Announced
from engine.ports import Clock

FRESH_BARS = 1.5  # an entry that was decided longer ago is not sent
WAITS_S = 60.0  # for the exit of a reversal, or an order in doubt; then the entry is not sent
LOOKS_S = 0.05  # the exit that a reversal waits for is booked a tenth of a second after it has left
COVERS_LOOK_S = 0.02
STOP_ASKED_S = 1.0
LATE_S = 30.0  # for which an exit waits for REST to know of what the stream has said
FOLLOWS_S = 1.0  # for which the stop of an entry waits for the entry's answer


class GuardedDesk(Protocol):
    """What the guards look at: engine.live.desk.LiveDesk."""

    book: Book
    latched: Callable[[], str]
    now_ms: Clock
    waiting: set[str]
    busy: Counter[str]
    announced: Announced

    def instrument_of(self, order: VenueOrder) -> str:
        """Of which instrument it is."""

    def doubts(self, instrument: str, but: str = "") -> list[str]:
        """Orders of an instrument that are in doubt."""

    async def ask(self, id_: str) -> bool:
        """Ask the venue about an order."""

    def take(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One thing from outside, through the book."""


async def why_not_cover(desk: GuardedDesk, order: VenueOrder) -> str:
    """Why the stop of an entry is not sent: the entry was not. It leaves once that is answered, and a stop of the layer's own
    that is on its way, after a second at most.
    """
    try:
        until, entry = asyncio.get_running_loop().time() + FOLLOWS_S, attached.entry_id(order.id)
        own = {stop.id for stop in stops_of(desk, order) if not stop.attached}
        while entry in desk.waiting or (desk.busy.keys() & {entry, *own} and asyncio.get_running_loop().time() < until):
            if entry in desk.waiting:
                until = asyncio.get_running_loop().time() + FOLLOWS_S
            await asyncio.sleep(COVERS_LOOK_S)
    finally:
        desk.waiting.discard(order.id)
    now, entered = find(desk.book.orders, order.id), find(desk.book.orders, entry)
    if now is None or now.state in (CANCELLING, *ENDED):
        return "it is not wanted any longer"
    unfilled = entered is None or (entered.state in ENDED and not max(entered.reported, entered.filled))
    return "its entry has filled nothing" if unfilled else ""


async def ask_stops(desk: GuardedDesk, order: VenueOrder) -> None:
    """Before an exit: has the stop of its layer fired? Reduce-only looks at the account's position alone; the exit of a layer
    that is gone would close another one's lots. One second, then the exit goes out. Where the stream says that what ends the
    layer has ended, and REST does not know it yet, the exit waits for REST.
    """
    until = asyncio.get_running_loop().time() + LATE_S
    while any(desk.announced.is_over(o.id) for o in ends_of(desk, order)) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(LOOKS_S)
    stops = [o.id for o in stops_of(desk, order) if o.state in STANDING and o.id not in desk.busy]
    if stops:
        await asyncio.wait([asyncio.create_task(desk.ask(id_)) for id_ in stops], timeout=STOP_ASKED_S)


def ends_of(desk: GuardedDesk, order: VenueOrder) -> list[VenueOrder]:
    """What protects or ends the layer of an exit beside it, and stands by the book."""
    of_legs = desk.book.basket is not None  # a leg's stop has a key of its own
    found = (o for o in desk.book.orders.open.values() if o.sleeve == order.sleeve)
    mine = (o for o in found if o.key == order.key or (of_legs and o.slot == PROTECTIVE))
    return [o for o in mine if o.slot != ENTRY and o.id != order.id and o.state in STANDING and o.reported == o.filled]


def stops_of(desk: GuardedDesk, order: VenueOrder) -> list[VenueOrder]:
    """The protective orders of the layer that an order is of."""
    mine = (o for o in desk.book.orders.open.values() if (o.slot, o.sleeve) == (PROTECTIVE, order.sleeve))
    return [o for o in mine if o.key == order.key or desk.book.basket is not None]


def covers_alone(desk: GuardedDesk, stop: VenueOrder) -> bool:
    """Whether a stop that the book has ended is all that could cover its layer."""
    position, whole = desk.book.sleeves[stop.sleeve].position, desk.book.basket is not None
    held = any(whole or layer.key == stop.key for layer in position.layers[: position.open_layers])
    mine = (o for o in desk.book.orders.open.values() if o.sleeve == stop.sleeve and (whole or o.key == stop.key))
    covers = (o for o in mine if o.slot in (PROTECTIVE, EXIT_SLOT) and (o.state in STANDING or o.reported > o.filled))
    return stop.slot == PROTECTIVE and held and position.side == -stop.side and not any(covers)


def why_not_leave(desk: GuardedDesk, order: VenueOrder) -> str:
    """Why an order that protects or leaves a layer is not sent: the layer has gone meanwhile, or its stop has fired."""
    if order.slot == EXIT_SLOT and any(stop.reported > stop.filled for stop in stops_of(desk, order)):
        return "the stop of its layer has fired"
    if order.flattens:
        return ""
    position = desk.book.sleeves[order.sleeve].position
    if desk.book.basket is not None and order.slot != PROTECTIVE:  # a leg's net order
        reduces = order.slot == ENTRY or position.side * order.side < 0
        return "" if reduces and is_wanted(desk.book, order) else "its leg does not want it any longer"
    layers = position.layers[: position.open_layers]
    return "" if any(layer.key == order.key for layer in layers) else "its layer is gone"


async def why_not_enter(desk: GuardedDesk, order: VenueOrder) -> str:
    """Why an entry is not sent, the last of its guards; it waits for the exit that it follows and for orders in doubt."""
    desk.waiting.add(order.id)
    try:
        return await guarded(desk, order, asyncio.get_running_loop().time() + WAITS_S)
    finally:
        desk.waiting.discard(order.id)


async def guarded(desk: GuardedDesk, order: VenueOrder, until: float) -> str:
    """Look again until nothing speaks against the entry, or something does."""
    bar_ms = desk.book.specs[order.sleeve].rules.bar_ms
    while True:
        sleeve = desk.book.sleeves[order.sleeve]
        if why := desk.latched():
            return f"the desk is halted: {why}"
        shut = desk.book.entries_blocked or desk.book.is_off(order.sleeve)
        if desk.book.desk.halted or shut or not is_wanted(desk.book, order):
            return "the desk is halted" if desk.book.desk.halted else "entries are blocked"
        if desk.now_ms() - order.decided_ms > FRESH_BARS * bar_ms:
            return "it was decided too long ago"
        if why := too_large(desk, order):
            return why
        doubt = desk.doubts(desk.instrument_of(order), order.id)
        if not is_turning(sleeve) and not doubt:
            return ""
        if asyncio.get_running_loop().time() >= until:
            return f"{doubt[0]} is in doubt" if doubt else "the position before it has not been left"
        await asyncio.sleep(LOOKS_S)


def too_large(desk: GuardedDesk, order: VenueOrder) -> str:
    """Why an entry is above what its sleeve's stage allows: with money for the first time, the least that the venue takes."""
    spec = desk.book.latest(order.sleeve)
    if stage_of(spec.source) != "live_small":
        return ""
    if desk.book.basket is not None:
        return basket_account.too_large(desk.book, order.sleeve)
    price = order.notional / (order.lots * spec.rules.lot_size)
    most = least_lots(spec.rules, price)
    return "" if order.lots <= most else f"stage live_small: {order.lots} lots, at most {most}"
