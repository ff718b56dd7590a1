"""A named person adopts a difference between desk and venue: what it would do, and handing it to the worker.

Called by app/cli/adopt.py. The desk as it is now comes from its journal, folded; the worker, which alone writes that journal,
judges again when it takes the adoption. Works with every model down; no agent reaches it.
"""

import math
from typing import Any, NamedTuple

from app.home.home import Home
from app.people.approvals import permit, prove_person, record
from app.people.identity import Actor, reason_given
from engine.book.adoption import AdoptBody, lots_of
from engine.book.bar_signals import signal_of
from engine.book.bodies import waits_for_person
from engine.book.book import Book
from engine.book.replay import fold
from engine.book.transitions import step
from engine.control import adoptions
from engine.core.exits import protective
from engine.core.state import SIDES
from engine.errors import BadInput, DataError, Refused
from engine.store.chain import Event
from engine.store.lookback import last


class Held(NamedTuple):
    """One layer of a sleeve as the venue holds it, says the person."""

    sleeve: str
    units: float  # base units, negative when short, 0 when it holds none
    layer: int | None = None  # its key; None: the only open one, or a new one
    price: float | None = None  # of the execution that made it so; None: the trade's
    fee: float | None = None  # of it


class Preview(NamedTuple):
    """What an adoption will do to the position."""

    difference: str
    text: str
    body: AdoptBody
    sleeve: str  # "" when no position moves
    layer: int
    side: str
    units_before: float
    units_after: float
    stop: float | None  # protective level of the layer afterwards

    def as_json(self) -> dict[str, Any]:
        """For `--json`: without the event's body."""
        shown = {k: v for k, v in self._asdict().items() if k != "body"}
        return shown | {"price": self.body.get("price"), "fee": self.body.get("fee"), "reason": self.body["reason"]}


def open_differences(home: Home) -> dict[str, str]:
    """What desk and venue differ in, and what else waits for a person's word, by its name."""
    book = fold(home.desk_journal)
    return {} if book is None else waiting_in(book)


def waiting_in(book: Book) -> dict[str, str]:
    """Differences, and what is not well and ends by a person's word; name -> text."""
    return dict(book.differences) | {what: why for what, why in book.health.items() if waits_for_person(what)}


def previewed(home: Home, difference: str, held: Held | None, reason: str, actor: Actor) -> Preview:
    """What adopting a difference will do, worked out on a copy of the desk. `held`: None keeps every position as it is.

    Raises BadInput for what names no layer or units, Refused for what the desk cannot hold.
    """
    book = fold(home.desk_journal)
    if book is None:
        raise DataError("no desk has begun here", "start it: nightdesk up")
    waiting = waiting_in(book)
    if difference not in waiting:
        known = ", ".join(waiting) or "none: nothing to adopt"
        raise BadInput(f"unknown difference {difference[:60]!r}", f"differences: {known}")
    reason = reason_given(reason)
    if not reason:
        raise Refused("an adoption needs a reason", "--reason WHY: what you found at the venue")
    report = reported_as(home, difference)
    body = AdoptBody(
        request=0,
        difference=difference,
        by=actor.name,
        reason=reason,
        order=str(report.get("order") or ""),
        lots=int(report.get("lots") or 0) if report.get("trade") == difference else 0,
        filled_lots=int(report.get("filled_lots") or 0) if report.get("trade") != difference else 0,
    )
    text = waiting[difference]
    if held is None:
        _judge(book, body)
        return Preview(difference, text, body, "", 0, "", 0.0, 0.0, None)
    return _moving(home, book, text, body, held, report)


def reported_as(home: Home, difference: str) -> dict[str, Any]:
    """The body of the report that a difference came from; empty for one that was found by comparing."""
    event = last(home.desk_journal, ("fill", "order"), lambda e: "booked" in e.body and difference in _names(e))
    return {} if event is None else dict(event.body)


def _names(event: Event) -> tuple[Any, Any]:
    return event.body.get("trade"), event.body.get("order") if event.kind == "order" else None


def _moving(home: Home, book: Book, text: str, body: AdoptBody, held: Held, report: dict[str, Any]) -> Preview:
    """The preview of an adoption that moves a layer."""
    if held.sleeve not in book.names:
        raise BadInput(f"unknown sleeve {held.sleeve[:60]!r}", f"available: {', '.join(book.names)}")
    s = book.names.index(held.sleeve)
    sleeve, lot_size = book.sleeves[s], book.specs[s].rules.lot_size
    key, lots = _key_of(book, s, held.layer), _lots(held.units, lot_size)
    before = lots_of(sleeve, key)
    side = (held.units > 0) - (held.units < 0) or sleeve.position.side
    if abs(lots) != before:
        whole = body["lots"] == abs(abs(lots) - before)  # the trade is what made it so
        price = held.price if held.price is not None else report.get("price") if body["lots"] else None
        fee = held.fee if held.fee is not None else report.get("fee") if whole else None
        if price is None or fee is None:
            raise BadInput("the price or the fee of what changed is not known", "--price P --fee F, as the venue shows them")
        atr = sleeve.position.atr if sleeve.position.open_layers > 0 else _signal_atr(home, held.sleeve)
        body |= {"sleeve": held.sleeve, "key": key, "side": side, "lots_before": before, "lots_after": abs(lots)}
        body |= {"price": float(price), "fee": float(fee), "atr": atr}
    _judge(book, body)
    after = book.sleeves[s]
    layers = after.position.layers[: after.position.open_layers]
    stop = next((protective(after.position, layer)[1] for layer in layers if layer.key == key), None)
    units = (side * before * lot_size, side * abs(lots) * lot_size)
    return Preview(body["difference"], text, body, held.sleeve, key, SIDES[side], *units, stop)


def _judge(book: Book, body: AdoptBody) -> None:
    """Adopt it in this copy of the book. Raises Refused with the book's own reason."""
    led, _ = step(book, "adopt", dict(body), {}, {})
    if not led["adopted"]:
        raise Refused(str(led["why"]), "nothing was changed")


def _key_of(book: Book, s: int, layer: int | None) -> int:
    """The layer that is meant: as named, the only open one, or a new one of a flat sleeve."""
    position = book.sleeves[s].position
    keys = [found.key for found in position.layers[: position.open_layers]]
    if layer is not None:
        return layer
    if len(keys) > 1:
        raise BadInput(f"{book.names[s]} has {len(keys)} open layers", f"name one: --layer {' or '.join(map(str, keys))}")
    return keys[0] if keys else book.sleeves[s].entries + 1


def _lots(units: float, lot_size: float) -> int:
    """Whole lots of signed base units."""
    lots = round(units / lot_size)
    if abs(lots * lot_size - units) > 1e-9 * max(abs(units), lot_size):
        raise BadInput(f"{units:g} units are not whole lots", f"one lot is {lot_size:g}")
    return lots


def _signal_atr(home: Home, sleeve: str) -> float | None:
    """The ATR at the last close at which the sleeve had a signal; None when it is not known."""
    bar = last(home.desk_journal, ("bar",), lambda e: e.body["signals"].get(sleeve) is not None)
    atr = signal_of(bar.body["signals"].get(sleeve)).atr if bar is not None else None
    return atr if atr is not None and math.isfinite(atr) else None


def adopt(home: Home, preview: Preview, actor: Actor, now_ms: int, passphrase: str | None = None) -> int:
    """Hand an adoption that its person has seen to the worker; its number. Raises Refused for a wrong passphrase, Denied
    for a role that may not."""
    permit(home, actor, "adopt", now_ms)
    prove_person(home, actor, passphrase, now_ms, "adopt")
    record(home, "adopt", {"actor": actor.as_json(), "adopts": {k: v for k, v in preview.body.items() if k != "request"}}, now_ms)
    return adoptions.ask(home.engine, preview.body, actor.as_json(), now_ms)


def answer_of(home: Home, number: int) -> adoptions.AdoptionAnswer:
    """What the worker has made of it so far."""
    return adoptions.answer_of(home.engine, number)


def wait(home: Home, difference: str, reason: str, actor: Actor, now_ms: int) -> None:
    """Journal that a person has looked at a difference and waits. BadInput for an unknown one, Refused without a reason."""
    permit(home, actor, "incident", now_ms)
    found = open_differences(home)
    if difference not in found:
        known = ", ".join(found) or "none"
        raise BadInput(f"unknown difference {difference[:60]!r}", f"differences: {known}")
    words = reason_given(reason)
    if not words:
        raise Refused("to wait needs a reason", "--reason WHY: what you found, and what you wait for")
    record(home, "wait", {"actor": actor.as_json(), "difference": difference, "reason": words}, now_ms)
