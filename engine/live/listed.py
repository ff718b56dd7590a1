"""How the venue lists the desk's instruments. One that it does not trade is `off` (engine.book.bodies.OFF): its own sleeves enter
nothing, the rest of the desk goes on, and a person is paged once.

Called by engine.live.gate, which asks at its rows and each minute while it is open, and lets an instrument come back.
"""

from engine.book.account_events import orphan_lots
from engine.book.bodies import GONE, OFF
from engine.live.desk import LiveDesk
from engine.live.poll import holders
from engine.venues.account_facts import AccountReader, VenueListing
from engine.venues.gone import GoneVenue

RUNBOOK = "docs/runbooks/delisted.md"
PAGE_MS = 90_000  # that an instrument is off before it pages: a maintenance suspends for less; one that is gone does not wait


class AccountListings:
    """Asks, and journals what it means. `trades`: instrument -> whether the venue said so last."""

    def __init__(self, desk: LiveDesk, reader: AccountReader) -> None:
        self.desk, self.reader = desk, reader
        self.trades: dict[str, bool] = {}
        self.proving = ""  # the instrument that may come back
        self._since: dict[str, int] = {}
        self._paged: dict[str, str] = {}

    @property
    def on(self) -> list[str]:
        """Instruments that are not off."""
        off = self.desk.book.off
        return [name for name in self.desk.venues if name not in off]

    @property
    def out(self) -> list[str]:
        """Instruments that are off and not about to come back: no row is about them."""
        return [name for name in self.desk.book.off if name != self.proving]

    async def listing_of(self, name: str) -> VenueListing | None:
        """The instrument as the venue lists it; None where it does not trade there: then it is off. Raises what ccxt raises."""
        listing = await self.reader.listing(name.split(":")[1])
        why = why_off(listing, began_without=isinstance(self.desk.venues[name], GoneVenue))
        self.trades[name] = not why
        if why:
            self._off(name, why)
        return None if why else listing

    def _off(self, name: str, why: str) -> None:
        """It is off from here on, or for another reason; paged once it has been for long, at once where lots are with it."""
        book, now = self.desk.book, self.desk.now_ms()
        if self.desk.failed:
            return
        if book.off.get(name) != why:
            self.desk.take("health", {"what": f"{OFF}{name}", "state": "begun", "why": why})
        lots, orders = open_at(self.desk, name)
        state = GONE if why.startswith(GONE) else OFF
        for_ms = now - self._since.setdefault(name, now)
        if self._paged.get(name) != state and (for_ms >= PAGE_MS or (state == GONE and (lots or orders))):
            self._paged[name] = state
            self.desk.incident(page_of(self.desk, name, why, lots, orders), instrument=name)

    def back(self, name: str) -> None:
        """What had to be proved of it has been."""
        self._since.pop(name, None)
        self._paged.pop(name, None)
        if name in self.desk.book.off and not self.desk.failed:
            self.desk.take("health", {"what": f"{OFF}{name}", "state": "over", "why": ""})

    def says(self, name: str, why: str) -> None:
        """It trades again, and this is why its sleeves still enter nothing."""
        text = f"it trades again and is not proved yet: {why}"[:300]
        if self.desk.book.off.get(name) not in (None, text) and not self.desk.failed:
            self.desk.take("health", {"what": f"{OFF}{name}", "state": "begun", "why": text})


def why_off(listing: VenueListing | None, *, began_without: bool) -> str:
    """Why an instrument is not traded by its venue's listing, or by a process that began without it; "" where it is."""
    if listing is None:
        return GONE
    if began_without:
        return f"{GONE} as this process began: stop and start the worker, now that it is listed again"
    return "" if listing.trades else f"the venue lists it as {listing.state}"


def open_at(desk: LiveDesk, name: str) -> tuple[int, int]:
    """(lots with their side, orders) that the book has of an instrument."""
    orders = [order for order in desk.book.orders.open.values() if desk.instrument_of(order) == name]
    return sum(lots for _, lots in holders(desk, name)), len(orders)


def page_of(desk: LiveDesk, name: str, why: str, lots: int, orders: int) -> str:
    """What a person reads at night: which instrument, what it means, what to type."""
    sleeves = [spec.source["name"] for spec in desk.book.specs if spec.source["instrument"] == name]
    text = f"{name} is not traded: {why}; {', '.join(sleeves)} can enter nothing"
    text += ", the other sleeves go on" if len(desk.venues) > 1 else ""
    if lots or orders:
        gone = why.startswith(GONE)
        paid = "equity counts it at its last close: see what the venue paid for it, then: nightdesk adopt"
        what = paid if gone else "stops stay for as long as the venue has them"
        text += f"; the book has {lots} lots and {orders} orders there: {what}"
    return f"{text}; wait, or: nightdesk live stage {sleeves[0]} retired --as NAME; {RUNBOOK}"[:500]


def gone_flat(desk: LiveDesk, name: str) -> bool:
    """Whether an instrument is gone and the book has nothing there: then nothing of it can be left at the venue."""
    return desk.book.is_gone(name) and not desk.failed and not any(open_at(desk, name)) and not orphan_lots(desk.book, name)
