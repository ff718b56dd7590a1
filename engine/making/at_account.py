"""A maker at an account: the loop of the simulation and the journal of paper; what becomes of an order is what the venue says.

Called by app/making, which asks the venue and hands its words in. A request: intent, on the disk -> the latch once more -> sent
-> the venue. Words of the venue are journaled before anything is decided on them. Nothing here reaches a venue.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from engine.core.orders import ENDED, REJECTED, VenueOrder, find
from engine.l2.tape import Scale
from engine.making import outside
from engine.making.fold import PaperBook, is_own, order_id, scale_of
from engine.making.guardrails import H_LATCH, H_VENUE, NO_HALT, halt, withhold
from engine.making.loop import UNTIL, WATCHED, pass_time
from engine.making.paper import Latch, PaperJournal, PaperMaker, Said
from engine.making.resting import CANCELLED, FILLS, HALT, NOW, NUMBER
from engine.making.resting import REJECTED as NEVER
from engine.making.simulation import MakingPass
from engine.venues.live_port import VenueTrade

FLATTENS = "flatten"  # purpose of an order that leaves what a halt has found
SIDES = {1: "buy", -1: "sell"}


class Requests(Protocol):
    """Who hands requests to the venue, each at once, and follows them to their end."""

    def place(self, order: VenueOrder) -> None:
        """A new order, which is journaled as sent."""

    def cancel(self, id_: str) -> None:
        """An order that has to end; it is cancelled until the venue says that it has."""


def units_of(scale: Scale, price: float) -> int:
    """A price in whole units of the journal."""
    return round(price * 10.0**scale.price_digits)


def billed(trade: VenueTrade, scale: Scale) -> dict[str, Any]:
    """What the venue says of an execution, as of a fill event."""
    notional = trade.lots * 10.0**-scale.lot_digits * trade.price
    return {
        "trade": trade.trade,
        "price": trade.price,
        "price_units": units_of(scale, trade.price),
        "fee": trade.fee,
        "fee_frac": trade.fee / notional,
        "liquidity": "maker" if trade.maker else "taker",
        "t_ms": trade.t_ms,
    }


def fill_said(book: PaperBook, trade: VenueTrade, t_ns: int) -> Said:
    """The event of an execution that is none of a resting quote: of the way out, of an order that had ended, the venue's own."""
    order = find(book.orders, trade.order)
    body = {"t_ns": t_ns, "order": trade.order, "side": SIDES[trade.side], "lots": trade.lots, "how": "venue"}
    body |= billed(trade, scale_of(book)) | ({"forced": trade.forced} if trade.forced else {})
    return "fill", body | ({"beyond": True} if order is None or trade.lots > order.left else {})


def explains(book: PaperBook, trade: VenueTrade) -> bool:
    """Whether an execution is the maker's: of an order that it has given away, or the venue closed its lots by itself."""
    return bool(trade.forced) or is_own(book, trade.order)


class AccountMaker(PaperMaker):
    """One maker at an account. Times are ns of the recorder's clock."""

    def __init__(
        self,
        work: MakingPass,
        scale: Scale,
        journal: PaperJournal,
        loop: Callable[..., None],
        latch: Latch,
        requests: Requests,
    ) -> None:
        super().__init__(work, scale, journal, loop, latch)
        self.requests = requests
        self._billed: dict[str, Any] = {}
        self._ends = False

    # ---- what the venue says ---------------------------------------------------------------------------------------------------

    def stands(self, id_: str, now_ns: int) -> None:
        """The venue has taken an order."""
        self._come_to(now_ns)
        if (s := self._side_of(id_)) is not None:
            outside.stands(self.work.maker, self.work.terms, s, now_ns)
            self._heard(now_ns)

    def filled(self, trade: VenueTrade, now_ns: int) -> str:
        """An execution of the maker's, once by its id. Returns what is wrong with it, "" for nothing."""
        if trade.trade in self.journal.book.trades:
            return ""
        self._come_to(now_ns)
        work, price, part = self.work, units_of(self.scale, trade.price), 0
        if (s := self._side_of(trade.order)) is not None and not trade.forced:
            order = find(self.journal.book.orders, trade.order)
            if order is not None and trade.lots <= order.left:
                self._billed = billed(trade, self.scale)
                part = outside.filled(work.maker, work.terms, s, trade.lots, price, trade.fee, now_ns)
                self._heard(now_ns)
        if part == trade.lots:
            return ""
        said = fill_said(self.journal.book, trade, now_ns)
        outside.traded(work.maker, trade.side, trade.lots, price, trade.fee, now_ns)
        self._fills = int(work.maker.tally[FILLS])
        self.journal.write([said], sync=True)
        if trade.forced:
            return f"the venue itself has closed {trade.lots} lots by {trade.forced}"
        return f"{trade.order} was filled by {trade.lots} lots more than it had left" if said[1].get("beyond") else ""

    def over(self, id_: str, state: str, why: str, now_ns: int) -> None:
        """An order has ended at the venue, and all of its executions are booked: done, or rejected where it never stood."""
        self._come_to(now_ns)
        if (s := self._side_of(id_)) is not None:
            self.reasons[id_] = why[:200]
            outside.over(self.work.maker, self.work.terms, s, NEVER if state == REJECTED else CANCELLED, now_ns)
            self._heard(now_ns)
            self.reasons.pop(id_, None)
        elif (order := self.order(id_)) is not None and order.state not in ENDED:
            self.note("order", now_ns, order=id_, state=state, why=why[:200])

    def stop(self, why: str, now_ns: int) -> None:
        """What the venue says, or does not say, ends the quoting: everything is pulled."""
        self._come_to(now_ns)
        if not self.halted:
            self._latch_body = {"reason": why[:400]}
            halt(self.work.maker, self.work.terms, H_VENUE, now_ns)
            self._keep()

    def close(self, now_ns: int) -> None:
        """The process ends: no decision any more, and what rests is cancelled. It is no halt."""
        self._come_to(now_ns)
        self._ends = not self.halted
        if self._ends:
            halt(self.work.maker, self.work.terms, H_LATCH, now_ns)
            self._keep()

    def note(self, kind: str, now_ns: int, **body: Any) -> None:
        """An event that moves no order and no money, on the disk."""
        self.journal.write([(kind, {"t_ns": now_ns, **body})], sync=True)

    def leaves(self, lots: int, now_ns: int) -> VenueOrder:
        """The order, journaled, that leaves so many lots (with their side) at the market, reduce-only."""
        book = self.journal.book
        id_ = order_id(book.exits + 1, self._code, "X")
        body = {"t_ns": now_ns, "order": id_, "side": SIDES[-1 if lots > 0 else 1], "lots": abs(lots)}
        more = {"quantity": float(self.scale.quantity(abs(lots))), "price": 0.0, "type": "market", "post_only": False}
        self.journal.write([("intent", body | more | {"reduce_only": True, "purpose": FLATTENS})], sync=True)
        self.journal.write([("sent", {"t_ns": now_ns, "orders": [id_]})], sync=False)
        order = find(self.journal.book.orders, id_)
        assert order is not None  # noqa: S101 - journaled above
        return order

    def _come_to(self, now_ns: int) -> None:
        """Everything that came before the venue's word."""
        self.advance(now_ns)
        if now_ns > self.work.maker.tally[NOW]:
            pass_time(self.work.maker, now_ns)

    def _heard(self, now_ns: int) -> None:
        """Journal the venue's word, then decide on it."""
        self._keep()
        self.advance(now_ns)

    def order(self, id_: str) -> VenueOrder | None:
        """An order as the journal has it."""
        return find(self.journal.book.orders, id_)

    def catch_up(self, now_ns: int) -> None:
        """Take what has come so far without a decision: nothing is asked of a venue for what is over."""
        tally = self.work.maker.tally
        tally[HALT] = H_LATCH
        self.work.at[WATCHED] = 0
        self.work.at[UNTIL] = now_ns
        self._loop(*self.work)
        self.work.at[WATCHED] = 1
        tally[HALT] = NO_HALT
        pass_time(self.work.maker, now_ns)

    # ---- what the loop asks for ------------------------------------------------------------------------------------------------

    def _side_of(self, id_: str) -> int | None:
        """The side that an order is on now; None where it is on none."""
        numbers = self.work.maker.orders[:, NUMBER]
        return next((s for s in range(2) if numbers[s] > 0 and self._id(int(numbers[s])) == id_), None)

    def _as_billed(self) -> dict[str, Any]:
        """One execution is handed in at a time."""
        found, self._billed = self._billed, {}
        return found

    def _leave(self, asked: Sequence[str], cancels: Sequence[str], now: int) -> None:
        """The latch once more, now that the intents are on the disk; then the requests."""
        if asked and (why := self._latch()):
            self._withheld(asked, why, now)
            return self._leave((), [*cancels, *self._pulled(now)], now)
        super()._leave(asked, cancels, now)
        for id_ in asked:
            order = find(self.journal.book.orders, id_)
            assert order is not None  # noqa: S101 - its intent is in the journal
            self.requests.place(order)
        for id_ in cancels:
            self.requests.cancel(id_)
        return None

    def _halt_said(self) -> list[Said]:
        return [] if self._ends else super()._halt_said()

    def _withheld(self, asked: Sequence[str], why: str, now: int) -> None:
        """Orders that are journaled and never leave."""
        maker = self.work.maker
        for id_ in asked:
            if (s := self._side_of(id_)) is not None:
                self.reasons[id_] = f"never sent: {why}"[:200]
                withhold(maker, s, now)
        if not self.halted:
            self._latch_body = {"reason": why, "withheld": []}
            halt(maker, self.work.terms, H_LATCH, now)

    def _pulled(self, now: int) -> list[str]:
        """Journal what became of orders, and the halt; the orders that have to be cancelled."""
        cancels = self._cancels_said(now)
        self.journal.write([*self._orders_said(now), *self._halt_said(), *cancels], sync=True)
        return [body["order"] for _, body in cancels]
