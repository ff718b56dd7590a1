"""A desk in shadow of an account: a paper desk on live data that has the account's rules, and nothing of it leaves.

Called by app.processes.live_start. Signals, guardrails, sizes and plan are those of any desk (one loop, one fold); fills are
the paper venue's. Beside it, in the event loop and by questions alone: what the account may and has, and, for each order that
would have left, the venue's book at that moment. Both become notes of the journal (`shadow`), which move no state. An account
that is not fit, or cannot be asked, enters nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.book.attached import level_for
from engine.book.basket_events import lots_by_pair
from engine.book.bodies import OFF, ShadowBody
from engine.book.book import Book
from engine.core.fills import slippage_frac
from engine.core.ledger import open_lots
from engine.core.orders import VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, SLOTS
from engine.errors import DeskError
from engine.live.closing import FeedNote
from engine.live.feed import Span
from engine.live.growing import GrownFeed
from engine.live.loop import Loop
from engine.live.paper_live import PaperLive
from engine.ports import Clock
from engine.redaction import redacted
from engine.venues.order_book import BookRead, walked
from engine.venues.paper import PaperVenue
from engine.venues.shadow import ShadowVenue

ACCOUNT = "account"  # in the book's health while the account is not fit, or not known
NOT_YET = "it was not asked yet"
LOOK_MS = 300_000  # between two looks at an account that is fit
AGAIN_MS = 10_000  # and at one that is not
FRESH_MS = 30_000  # a book read later than this after its close says nothing of the order
WAITING_MAX = 200  # orders whose book was not read yet; older ones are noted without
WHY_MAX = 300
RESTS = "it rests at the venue until its price is reached"
LATE = "the close was too long ago"
SLACK = 1e-9


class VenueTerms(NamedTuple):
    """What the venue asks of an order of one instrument of this account."""

    least_qty: float  # base units
    least_notional: float  # quote units
    maker_frac: float
    taker_frac: float


class ShadowFacts(NamedTuple):
    """The account as its venue says it is now. `faults`: what keeps a live desk from entering."""

    faults: tuple[str, ...]
    balance: float  # quote units
    terms: Mapping[str, VenueTerms]  # by instrument, of those that trade
    off: Mapping[str, str]  # instrument that its venue does not trade -> why (engine.live.listed)


class ShadowConnection(NamedTuple):
    """Questions to one account. Each raises DataError, or what ccxt raises; none can send an order."""

    facts: Callable[[], Awaitable[ShadowFacts]]
    book: Callable[[str], Awaitable[BookRead]]  # instrument -> its book
    close: Callable[[], Awaitable[None]]


class ShadowHome(NamedTuple):
    """What of a home it needs. `connect` waits until the venue answers (its second argument hears why it does not), and raises
    BadInput where the desk does not fit the account.
    """

    venue: str
    leverage: int
    now_ms: Clock
    sleep: Callable[[int], Awaitable[None]]
    connect: Callable[[Sequence[str], Callable[[str], None]], Awaitable[ShadowConnection]]


class Unsent(NamedTuple):
    """An order that would have left, and what of it the book is asked for."""

    body: ShadowBody
    close_ms: int  # that decided it
    limit: float  # of an entry that rests; 0: at the market


class ShadowLive(PaperLive):
    """One desk in shadow; as PaperLive."""

    def __init__(self, loop: Loop, folded: Callable[[], Book | None], about: Mapping[str, Any], home: ShadowHome) -> None:
        super().__init__(loop, folded, about)
        loop.stamp, loop.venue_of = "SHADOW", self._venue
        self.shadow_of = home
        self.facts: ShadowFacts | None = None
        self._why = NOT_YET  # why nothing enters; "": the account is fit
        self._noted: Any = None  # what was last journaled of the account
        self._refusal: DeskError | None = None  # of the start: the desk does not fit the account
        self._unsent: deque[Unsent] = deque()
        self._notes: deque[Mapping[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._events: asyncio.AbstractEventLoop | None = None  # where questions are asked; none runs before `open`
        self._work: asyncio.Task[None] | None = None

    # ---- in the desk's thread ----------------------------------------------------------------------------------------------

    def _venue(self, held: Iterable[VenueOrder]) -> PaperVenue:
        return ShadowVenue(held, self._refused, self._left)

    def _refused(self, order: VenueOrder) -> str:
        """Why the account's venue would not have taken an entry."""
        book, facts = self.loop.book, self.facts
        name = str(book.specs[order.sleeve].source["instrument"])
        if facts is None or name not in facts.terms:
            return "shadow: what the account may was not asked yet"
        rules, terms = book.specs[order.sleeve].rules, facts.terms[name]
        units = order.lots * rules.lot_size
        notional = units * (order.price or book.bars[rules.bars].close)
        if units < terms.least_qty * (1.0 - SLACK) or notional < terms.least_notional * (1.0 - SLACK):
            least = f"{terms.least_qty:g} and {terms.least_notional:,.2f} USDT"
            return f"shadow: {units:g} for {notional:,.2f} USDT, the venue takes no less than {least}"
        held = sum(sleeve.ledger.notional for sleeve in book.sleeves if sleeve.position.open_layers)
        margin = (held + notional * opened_part(book, order)) / self.shadow_of.leverage
        if not margin <= facts.balance:
            return f"shadow: {margin:,.2f} USDT of margin are needed, the account has {facts.balance:,.2f}"
        return ""

    def _left(self, order: VenueOrder, refused: str) -> None:
        """An order would leave now: it is noted, with the book once that is read."""
        book = self.loop.book
        spec, at_market = book.specs[order.sleeve], order.slot == EXIT_SLOT or (order.slot == ENTRY and order.price == 0.0)
        units = order.lots * spec.rules.lot_size
        assumed = slippage_frac(spec.rules, book.sleeves[order.sleeve].cost, units) * 1e4 if at_market else None
        body: ShadowBody = {
            "what": "order",
            "order": order.id,
            "sleeve": book.names[order.sleeve],
            "instrument": str(spec.source["instrument"]),
            "slot": SLOTS[order.slot],
            "side": order.side,
            "units": units,
            "why": f"shadow: nothing is sent to {self.shadow_of.venue}",
            "refused": refused,
            "assumed_bps": assumed,
            "unread": "" if at_market or order.slot == ENTRY else RESTS,
            "attached_level": level_for(book, order) if order.slot == ENTRY else None,
        }
        if book.basket is not None and order.slot != PROTECTIVE:
            body["parts"] = lots_by_pair(book, order.sleeve)
        self._unsent.append(Unsent(body, book.close_ms, order.price if order.slot == ENTRY else 0.0))
        if self._events is not None:
            self._events.call_soon_threadsafe(self._wake.set)

    def _followed(self, troubles: Mapping[str, str], notes: Sequence[FeedNote]) -> bool:
        if self._refusal is not None:
            raise self._refusal
        journaled = super()._followed(troubles, notes)
        return self._say() or journaled

    def _say(self) -> bool:
        """Journal what is new of the account and of orders. True when something was."""
        loop, why, before = self.loop, self._why, self.loop.journal.head
        if why != loop.book.health.get(ACCOUNT, ""):
            loop.take("health", {"what": ACCOUNT, "state": "begun" if why else "over", "why": why})
        for what, state, off in self._listings():
            loop.take("health", {"what": what, "state": state, "why": off})
        if self.facts is not None and (now := (self.facts.faults, self.facts.terms)) != self._noted:
            self._noted = now
            loop.note("shadow", account_body(self.facts))
        while self._notes:
            loop.note("shadow", self._notes.popleft())
        return loop.journal.head != before

    def _listings(self) -> list[tuple[str, str, str]]:
        """What is new of instruments that their venue does not trade, or trades again: (what, state, why)."""
        off, known = ({}, {}) if self.facts is None else (self.facts.off, self.loop.book.off)
        begun = [(f"{OFF}{name}", "begun", why) for name, why in off.items() if known.get(name) != why]
        return begun + [(f"{OFF}{name}", "over", "") for name in known if name not in off]

    # ---- in the event loop -------------------------------------------------------------------------------------------------

    async def open(self, feed: GrownFeed, span: Span, /) -> None:
        """As PaperLive; nothing enters until the account is known."""
        self._events = asyncio.get_running_loop()
        await super().open(feed, span)
        await self._in_thread(self._say)
        self._work = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """As PaperLive; what was seen by now is noted first."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._notes.extend(without_book(self._unsent.popleft(), "the worker ended") for _ in range(len(self._unsent)))
            await self._in_thread(self._say)
        await super().stop()

    async def _watch(self) -> None:
        """Connect, then ask about the account and read books until the end. What it cannot go on with ends the process."""
        try:
            at = await self.shadow_of.connect(self.loop.book.instruments, self._waits)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._ask_account(at))
                    both.create_task(self._read_books(at))
            finally:
                await at.close()
        except DeskError as error:
            self._refusal = error
        except Exception as error:  # noqa: BLE001 - nobody waits for this task: the next look raises it
            self._refusal = DeskError(f"the shadow's questions have ended: {redacted(repr(error))[:WHY_MAX]}", "start again")

    def _waits(self, why: str) -> None:
        self._why = redacted(why)[:WHY_MAX] or NOT_YET

    async def _ask_account(self, at: ShadowConnection) -> None:
        while True:
            try:
                self.facts = found = await at.facts()
                self._why = "; ".join(found.faults)[:WHY_MAX]
            except Exception as error:  # noqa: BLE001 - whatever it is, the account is not known
                self._why = redacted(f"it cannot be asked: {error}")[:WHY_MAX]
            await self.shadow_of.sleep(AGAIN_MS if self._why else LOOK_MS)

    async def _read_books(self, at: ShadowConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unsent:
                unsent = self._unsent.popleft()
                if len(self._unsent) >= WAITING_MAX:
                    self._notes.append(without_book(unsent, "too many orders at once"))
                else:
                    self._notes.append(await self._compared(at, unsent))

    async def _compared(self, at: ShadowConnection, unsent: Unsent) -> ShadowBody:
        """The note of an order, with the book where one is asked for and comes in time."""
        if unsent.body["unread"]:
            return unsent.body
        if self.shadow_of.now_ms() - unsent.close_ms > FRESH_MS:
            return without_book(unsent, LATE)
        try:
            book = await at.book(unsent.body["instrument"])
        except Exception as error:  # noqa: BLE001 - an order without its book is counted as one
            return without_book(unsent, redacted(str(error))[:WHY_MAX])
        behind_ms = self.shadow_of.now_ms() - unsent.close_ms
        return with_book(unsent, book, behind_ms) if behind_ms <= FRESH_MS else without_book(unsent, LATE)


def opened_part(book: Book, order: VenueOrder) -> float:
    """Which part of an entry opens: of a basket's leg that turns over, not what closes what it has."""
    if book.basket is None:
        return 1.0
    position = book.sleeves[order.sleeve].position
    closes = min(open_lots(position), order.lots) if position.side * order.side < 0 else 0
    return 1.0 - closes / order.lots


def without_book(unsent: Unsent, why: str) -> ShadowBody:
    """The note of an order whose book was not read."""
    return {**unsent.body, "unread": unsent.body["unread"] or why}


def with_book(unsent: Unsent, book: BookRead, behind_ms: int) -> ShadowBody:
    """The note of an order with its book: what one at the market would have paid, whether a limit would have taken at once."""
    body, side = unsent.body, unsent.body["side"]
    seen: ShadowBody = {
        **body,
        "bid": book.bids[0][0],
        "ask": book.asks[0][0],
        "spread_bps": book.spread_frac * 1e4,
        "behind_ms": behind_ms,
    }
    if unsent.limit:
        best = seen["ask"] if side > 0 else seen["bid"]
        return {**seen, "crosses": (unsent.limit - best) * side >= 0.0}
    price, thin = walked(book, side, body["units"])
    return {**seen, "price": price, "thin": thin, "book_bps": side * (price / book.middle - 1.0) * 1e4}


def account_body(facts: ShadowFacts) -> dict[str, Any]:
    """The note of the account."""
    terms = {name: found._asdict() for name, found in facts.terms.items()}
    return {"what": "account", "faults": list(facts.faults), "balance": facts.balance, "terms": terms}
