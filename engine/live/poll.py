"""Executions, orders in doubt and funding bills of one instrument, by REST, on a cursor and a clock of the desk's own.

A duty of engine.live.desk. Streams may say sooner that there is something to look at (`wake`); what counts is what is read here.
An execution without our id belongs to a conditional order that fired: every one that may have placed it is asked before it counts
as nobody's. The cursor moves on only once everything before it is booked, or a person has to look at it.
"""

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from engine.book.attached import attached_id, entry_id
from engine.book.order_events import issued, name_code
from engine.core.orders import ENDED, REJECTED, VenueOrder, find
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.live.bills import bill_shares, read_from
from engine.live.desk import LiveDesk
from engine.live.other_fees import withhold_for_fee
from engine.live.reduced import book_reduced, closed_by_halt, executed_text, page_reduced, shares_of, word_of
from engine.live.requests import Unanswered
from engine.live.wakes import woken
from engine.redaction import redacted
from engine.venues.live_port import VenueTrade

ASKS_MS = (1_000, 2_000, 4_000, 5_000)  # before each question about an order in doubt; the last one goes on
DOUBT_S, OPEN_S, IDLE_S = 1.0, 15.0, 60.0  # between two looks
SOON_S = 0.05  # after a request that may have filled
BACK_EVERY_MS = 5_000  # between two readings from further back, while executions are missing
SLACK_MS = 60_000  # clocks differ
EXPLAINED_MS = 10_000  # an execution is nobody's no sooner than this, and never before its possible parents have answered
WORKS_MS = 5_000  # a market order that works longer is in doubt
SLEEPS_S = 1.5  # between two looks while the stop of a resting entry sleeps: a part that fills is covered within five seconds
RECYCLED_MS = 43_200_000  # by which an execution is later than the one that its id was booked for: a venue has used the id again
AWAY_LOOKS = 12  # looks in a row that brought nothing: a page
STRANGERS_KEPT = 200  # orders
BILL_MINUTES = (1, 6, 16, 31)  # of an hour: bills come late
UNBILLED_MS = 3_600_000
OURS = re.compile(r"nd([a-z0-9]{4})[0-9]{8}[ESTXAF][0-9]{2}")
ORPHAN_CODE = "0rph"  # in the place of a sleeve's: orders that close what no sleeve holds
PROBE_CODE = "pr0b"  # in the same place: orders of a probe


class AccountPoll:
    """One instrument. `look` is one round; `run` goes on for ever."""

    def __init__(self, desk: LiveDesk, instrument: str) -> None:
        self.desk, self.instrument, self.venue = desk, instrument, desk.venues[instrument]
        self.pending: dict[str, tuple[VenueTrade, int]] = {}  # executions that no order explains yet, since when
        self._reduced: dict[str, int] = {}  # the venue's word -> lots that it has closed by itself, of which nobody knows yet
        self.early: dict[str, VenueTrade] = {}  # executions of exits whose entry is not booked yet
        self.read_ms = 0  # when executions were last read, up to the end
        self.failures = 0  # looks in a row that brought nothing
        self._away = ""  # how they began, as a person was paged
        self._have_answered = set[str]()  # ended orders, asked about what waits: forty in each look would be turned away
        self._wake = asyncio.Event()
        self._unanswered = Unanswered(ASKS_MS)
        self._back_to: str | None = None  # the cursor of such a reading
        self._read_back_ms = 0
        self._cursors: deque[tuple[int, str]] = deque(maxlen=64)
        self._working: dict[str, int] = {}  # market orders that work -> since when, or last asked
        self._resting: dict[str, int] = {}  # resting entries whose stop sleeps -> when asked last
        self._billed, self._unbilled_ms = -1, 0  # what was read last, and since when it cannot be read; -1: a person knows
        self._strangers: dict[str, str] = {}  # order that is not ours -> its first execution, in words
        desk.watches.append(self._noticed)

    # ---- when to look -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something: look now."""
        self._wake.set()

    def _noticed(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "order" and body.get("slot") != "protective":
            self._wake.set()

    async def run(self) -> None:
        """Look again and again, sooner while something is in doubt."""
        while not self.desk.failed:
            await self.look()
            await woken(self._wake, self._wait_s())
            await asyncio.sleep(SOON_S)

    def _wait_s(self) -> float:
        if self.failures:
            return min(DOUBT_S * self.failures, OPEN_S)
        if self.pending or self.early or self.desk.doubts(self.instrument) or self._market_orders():
            return DOUBT_S
        if self._asleep():
            return SLEEPS_S
        return OPEN_S if self._mine() or self._lots_held() else IDLE_S

    def _mine(self) -> list[VenueOrder]:
        return [o for o in self.desk.book.orders.open.values() if self.desk.instrument_of(o) == self.instrument]

    def _lots_held(self) -> int:
        return sum(abs(lots) for _, lots in holders(self.desk, self.instrument))

    def _market_orders(self) -> list[VenueOrder]:
        found = [o for o in self._mine() if o.slot in (ENTRY, EXIT_SLOT) and o.price == 0.0 and not o.in_doubt]
        now = self.desk.now_ms()
        self._working = {o.id: self._working.get(o.id, now) for o in found}
        return found

    # ---- one round ----------------------------------------------------------------------------------------------------------

    async def look(self) -> bool:
        """Read what is new, explain it, ask about what is in doubt. True when executions were read."""
        try:
            await self._read()
            if not self.pending:
                self._have_answered.clear()
            if self.early:
                await self._ask_entries_of_early()
            if self.pending:
                await self._explain()
            self.failures = 0
        except Exception as error:  # noqa: BLE001 - a row that cannot be read is as good as none: nothing is assumed of it
            self.failures += 1
            if self.failures == AWAY_LOOKS:
                self._away = redacted(f"{self.instrument}: the venue does not say what was executed: {error}")[:300]
            again = self.failures > AWAY_LOOKS and (self._mine() or self._lots_held())
            if (self.failures == AWAY_LOOKS or again) and not self.desk.book.is_gone(self.instrument):
                self.desk.incident(self._away)  # again each ten minutes while something can be filled there unseen
        await self._ask_about_doubts()
        await self._bills_when_due()
        return self.failures == 0

    async def _read(self) -> None:
        began, cursor = self.desk.now_ms(), self.desk.book.cursors.get(self.instrument)
        if cursor is None:  # there was no desk before: what was executed then is not its own
            _, after = await self.venue.trades("")
            self.desk.take("cursor", {"instrument": self.instrument, "cursor": after})
            return
        missing = self._missing()
        if missing and began - self._read_back_ms >= BACK_EVERY_MS:
            await self._read_back(min(order.decided_ms for order in missing) - SLACK_MS)
            self._read_back_ms = began
        elif not missing:
            self._back_to = None
        trades, after = await self.venue.trades(cursor)
        for trade in trades:
            self._take(trade)
        for trade in list(self.early.values()):
            self._take(trade)
        page_reduced(self.desk, self.instrument, self._reduced, self._lots_held())
        self.read_ms = began
        if not self.pending and not self.early and after != cursor:
            self.desk.take("cursor", {"instrument": self.instrument, "cursor": after})
            self._cursors.append((began, cursor))

    def _missing(self) -> list[VenueOrder]:
        """Orders of which the venue has said that more was executed than it has listed."""
        return [o for o in self._mine() if o.reported > o.filled]

    async def _read_back(self, since_ms: int) -> None:
        """Read once more from a cursor of before what is missing, or from the first: a list may have left some out."""
        if self._back_to is None:
            self._back_to = next((old for t_ms, old in reversed(self._cursors) if t_ms < since_ms), "")
        trades, _ = await self.venue.trades(self._back_to)
        for trade in trades:
            if trade.t_ms >= since_ms:
                self._take(trade)

    def unread(self) -> bool:
        """Whether executions of our orders may be missing here: what the venue has closed by itself is none, and waits for orders
        in doubt, so that each would wait for the other.
        """
        return (
            any(not trade.forced for trade, _ in self.pending.values())
            or bool(self.early)
            or self.desk.now_ms() - self.read_ms > 3 * DOUBT_S * 1_000
        )

    # ---- executions ---------------------------------------------------------------------------------------------------------

    def _is_booked(self, trade: VenueTrade) -> bool:
        book = self.desk.book
        return (
            trade.trade in book.orders.trades
            or trade.trade in book.adopted
            or trade.trade in book.differences
            or trade.trade in book.orphans.get(self.instrument, {}).get("trades", ())
        )

    def _take(self, trade: VenueTrade) -> None:
        """Book one execution, if it is new and an order of ours explains it; what none explains waits."""
        trade = self._distinct(trade)
        if self._is_booked(trade):
            return
        if trade.other_fee:
            withhold_for_fee(self.desk, self.instrument, trade)
        orders = self.desk.book.orders
        order = find(orders, trade.order) or find(orders, self.desk.children.get(trade.venue_id, ""))
        if order is not None and self.desk.instrument_of(order) == self.instrument:  # Binance numbers orders by instrument
            self.pending.pop(trade.trade, None)
            if self._is_early(order, trade):
                self.early[trade.trade] = trade
                return
            self.early.pop(trade.trade, None)
            if self.desk.take("fill", fill_body(trade, order.id)).get("booked") is False and self._is_booked(trade):
                self._unfit(trade, order.id)
        elif trade.order in self.desk.book.orphans.get(self.instrument, {}).get("orders", ()):
            if not closed_by_halt(self.desk, self.instrument, trade):
                self.desk.take("orphan", {"what": "fill", **self._orphan_body(trade)})
        elif shares := self._shares_of_reduced(trade):
            self.pending.pop(trade.trade, None)
            word = book_reduced(self.desk, self.instrument, trade, shares)
            self._reduced[word] = self._reduced.get(word, 0) + trade.lots
        elif trade.order and not trade.forced:
            self._nobodys(trade)
        else:
            self.pending.setdefault(trade.trade, (trade, self.desk.now_ms()))

    def _shares_of_reduced(self, trade: VenueTrade) -> list[dict[str, Any]]:
        """Layers that lose what the venue has closed by itself; none while one of ours may explain them."""
        ours_first = any(not other.forced for other, _ in self.pending.values()) or bool(self.early)
        return [] if ours_first else shares_of(self.desk, self.instrument, trade)

    def _distinct(self, trade: VenueTrade) -> VenueTrade:
        """The execution; one with the id of another that was booked half a day before it was made has its own time in its id.
        Some venues number executions by instrument: a desk of several has it in the id, but for what was booked before.
        """
        own = f"{self.instrument}:"
        if self._is_of_several() and not trade.trade.startswith(own) and not self._is_booked(trade):
            trade = trade._replace(trade=f"{own}{trade.trade}")
        booked_ms = self.desk.book.orders.trades.get(trade.trade)
        if booked_ms is None or trade.t_ms <= booked_ms + RECYCLED_MS:
            return trade
        return trade._replace(trade=f"{trade.trade}@{trade.t_ms}")

    def _is_of_several(self) -> bool:
        """Whether the desk trades other instruments, too."""
        return any(spec.source["instrument"] != self.instrument for spec in self.desk.book.specs)

    def _entries_of(self, order: VenueOrder) -> list[VenueOrder]:
        """Entry orders of the layer that an order is of, that may have filled more than was booked."""
        mine = (o for o in self._mine() if o.slot == ENTRY and (o.sleeve, o.key) == (order.sleeve, order.key))
        return [o for o in mine if o.state not in ENDED or o.reported > o.filled]

    def _is_early(self, order: VenueOrder, trade: VenueTrade) -> bool:
        """Whether an exit's execution has been listed before its entry's: it is booked behind them."""
        position = self.desk.book.sleeves[order.sleeve].position
        held = sum(layer.lots for layer in position.layers[: position.open_layers] if layer.key == order.key)
        return order.slot != ENTRY and trade.lots > held and bool(self._entries_of(order))

    async def _ask_entries_of_early(self) -> None:
        """How much have they filled? What says more than was booked is read from further back."""
        orders = self.desk.book.orders
        exits = [find(orders, trade.order or self.desk.children.get(trade.venue_id, "")) for trade in self.early.values()]
        for id_ in {entry.id for exit_ in exits if exit_ for entry in self._entries_of(exit_) if entry.reported <= entry.filled}:
            await self.desk.ask(id_)

    def _orphan_body(self, trade: VenueTrade) -> dict[str, Any]:
        body = trade._asdict() | {"instrument": self.instrument}
        return {key: value for key, value in body.items() if key not in ("maker", "forced", "other_fee")}

    def _nobodys(self, trade: VenueTrade) -> None:
        """No order explains it. Under our own name it is an orphan, which we close; everything else is a person's to look at."""
        self.pending.pop(trade.trade, None)
        order = trade.order or trade.venue_id
        who = f"{executed_text(self.desk, self.instrument, trade)}, order {order}"
        if is_own(self.desk, trade.order) and not issued(self.desk.book, trade.order):
            self.desk.take("orphan", {"what": "found", **self._orphan_body(trade)})
            if trade.order in self.desk.probed:
                return  # of a round trip that a person pays for: the probe closes it, and says so when it cannot
            what = f"an execution under our name that the journal does not know: {who}; it is closed"
            self.desk.incident(what, trade=trade.trade)
            return
        if len(self._strangers) >= STRANGERS_KEPT:
            del self._strangers[next(iter(self._strangers))]
        who = self._strangers.setdefault(order, who)  # a large order executes in many parts: one page, which names the first
        body = fill_body(trade, order) | {"instrument": self.instrument, "side": "buy" if trade.side > 0 else "sell"}
        self.desk.take("fill", body | ({"forced": trade.forced} if trade.forced else {}))
        what = f"an execution that is not ours: {who}; no entries: adopt it, close it by hand, or wait"
        if trade.forced:
            what = f"the venue itself has closed lots of the account by {word_of(trade)}: {who}; no entries: adopt it, or wait"
        self.desk.incident(what, trade=trade.trade, difference=trade.trade)

    def _unfit(self, trade: VenueTrade, id_: str) -> None:
        """Of an order of ours, whose layer has left already: a difference, and a person decides."""
        if trade.trade in self.desk.book.differences:
            lots = f"{executed_text(self.desk, self.instrument, trade)} of our own {id_}"
            what = f"{lots} fit no layer any more; no entries: adopt it, close it by hand, or wait"
            self.desk.incident(what, trade=trade.trade, difference=trade.trade)

    async def _explain(self) -> None:
        """Ask every conditional order that may have placed what waits; the rest is nobody's once all have answered."""
        waiting = [trade for trade, _ in self.pending.values()]
        sides = {trade.side for trade in waiting}
        asleep = [o for o in self._mine() if o.sleeps and o.side in sides]  # one may have fired: its entry has ended, then
        entries = [find(self.desk.book.orders, entry_id(o.id)) for o in asleep]
        sure = await self._all_answer([o for o in entries if o is not None], waiting)
        mine = [o for o in self._mine() if o.slot == PROTECTIVE and o.side in sides and not o.sleeps]
        sure = await self._all_answer(mine, waiting) and sure
        if self.pending:
            # one that ended without a fill, by the venue's word, has answered; a child is known of none after a restart
            orders = (o for o in self.desk.book.orders.ended if o.slot == PROTECTIVE and o.side in sides)
            ended = [o for o in orders if (o.filled or o.state == REJECTED) and o.id not in self._have_answered]
            sure = await self._all_answer([o for o in ended if self.desk.instrument_of(o) == self.instrument], waiting) and sure
        for trade, since in list(self.pending.values()):
            ours_first = bool(trade.forced) and self.desk.doubts(self.instrument)  # what is in doubt may have left before
            if sure and not ours_first and self.desk.now_ms() - since >= EXPLAINED_MS:
                self._nobodys(trade)

    async def _all_answer(self, orders: Sequence[VenueOrder], waiting: Sequence[VenueTrade]) -> bool:
        """Ask these orders; book what they explain. True when each of them has answered."""
        answered = [await self.desk.ask(order.id) for order in orders]
        self._have_answered |= {order.id for order, has in zip(orders, answered, strict=True) if has and order.state in ENDED}
        for trade in waiting:
            if trade.trade in self.pending:
                self._take(trade)
        return all(answered)

    # ---- doubt --------------------------------------------------------------------------------------------------------------

    async def _ask_about_doubts(self) -> None:
        """Orders that the venue owes an answer about, and market orders that still work."""
        now, mine = self.desk.now_ms(), {o.id: o for o in self._mine()}
        orders = self.desk.book.orders._replace(open={id_: o for id_, o in mine.items() if id_ not in self.desk.busy})
        due = self._unanswered.due(orders, now)
        for order in self._market_orders():
            if now - self._working[order.id] >= WORKS_MS:
                self._working[order.id] = now
                due.append(order.id)
        for id_ in [*due, *self._resting_due(now)]:
            await self.desk.ask(id_)

    def _resting_due(self, now: int) -> list[str]:
        """Resting entries whose stop sleeps until they end: what has filled of one that is not listed has no stop yet."""
        found = self._asleep()
        due = [id_ for id_ in found if now - self._resting.get(id_, 0) >= SLEEPS_S * 1_000]
        self._resting = {id_: now if id_ in due else self._resting[id_] for id_ in found}
        return due

    def _asleep(self) -> list[str]:
        """Entries that rest, and whose stop sleeps until they have ended."""
        orders = self.desk.book.orders.open
        mine = [o for o in self._mine() if o.slot == ENTRY and o.price > 0.0 and not o.in_doubt]
        return [o.id for o in mine if (stop := orders.get(attached_id(o.id))) and stop.sleeps]

    # ---- funding ------------------------------------------------------------------------------------------------------------

    async def _bills_when_due(self) -> None:
        """Four times an hour."""
        minute = self.desk.now_ms() // 60_000
        mark = minute // 60 * 60 + max((m for m in BILL_MINUTES if m <= minute % 60), default=0)
        if mark != self._billed:
            try:
                await self.bills()
                self._billed, self._unbilled_ms = mark, 0
            except Exception as error:  # noqa: BLE001 - it is asked again at the next look
                self._note_unbilled(error)

    def _note_unbilled(self, error: Exception) -> None:
        """Bills alone that do not come for an hour while something is held: a page, one for as long as it lasts."""
        self._unbilled_ms = self._unbilled_ms or self.desk.now_ms()
        late = self.desk.now_ms() - self._unbilled_ms >= UNBILLED_MS and self._unbilled_ms > 0
        if late and not self.failures and self._lots_held():
            self._unbilled_ms = -1
            what = f"{self.instrument}: funding could not be read for an hour, and is not counted: {error}"
            self.desk.incident(redacted(what)[:300])

    async def bills(self) -> None:
        """Book the settlements that are new, each once; one may be listed hours late, behind newer ones. Raises DataError."""
        key = f"bills of {self.instrument}"
        since = self.desk.book.cursors.get(key)
        bills = await self.venue.bills(read_from(self.desk, int(since))) if since else []
        known = {id_.partition(":")[0] for id_ in self.desk.book.orders.trades}
        for bill in {bill.bill: bill for bill in bills if bill.bill not in known}.values():
            for body in bill_shares(self.desk, holders(self.desk, self.instrument), bill):
                self.desk.take("funding", body)
        last = max([int(since or self.desk.now_ms()), *(bill.t_ms for bill in bills)])
        if since != str(last):
            self.desk.take("cursor", {"instrument": key, "cursor": str(last)})


def holders(desk: LiveDesk, instrument: str) -> list[tuple[int, int]]:
    """(sleeve, lots with their side) of an instrument."""
    found = []
    for s, spec in enumerate(desk.book.specs):
        if spec.source["instrument"] == instrument:
            position = desk.book.sleeves[s].position
            found.append((s, position.side * sum(layer.lots for layer in position.layers[: position.open_layers])))
    return found


def is_own(desk: LiveDesk, id_: str) -> bool:
    """Whether an id carries the name of a sleeve of this desk, or is of an order that closes an orphan, or of a probe."""
    found = OURS.fullmatch(id_)
    return found is not None and found[1] in {ORPHAN_CODE, PROBE_CODE, *map(name_code, desk.book.names)}


def fill_body(trade: VenueTrade, id_: str) -> dict[str, Any]:
    """The body of a fill event."""
    liquidity = "maker" if trade.maker else "taker"
    core = {"trade": trade.trade, "order": id_, "lots": trade.lots, "price": trade.price, "fee": trade.fee}
    return core | {"liquidity": liquidity, "reference_price": trade.price, "t_ms": trade.t_ms, "venue_id": trade.venue_id}
