"""A maker on paper: the loop of the simulation, left after each change, so that a journal has it before anything follows.

Called by app/making. A request is journaled (intent), the halt latch is read, then it is sent; a request that the latch withholds
never leaves. What the paper venue says (working, fill, done, rejected) is journaled as it happens. On a recorded tape a restart
goes through the tape again and must come to what is journaled already, event by event, before it writes on: so a kill costs
nothing, and a run with restarts is the run without.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.ledger import on_mark
from engine.errors import DataError
from engine.l2.tape import Scale
from engine.making.fold import NOTHING_YET, PaperBook, after, code_of, order_id, rules_at
from engine.making.funding import Funded, Settlement, at_moment, bill_of, settle
from engine.making.guardrails import H_LATCH, HALTS, NO_HALT, halt, withhold
from engine.making.loop import MESSAGE, MESSAGES, OPEN_END, UNTIL, WATCHED, pass_time
from engine.making.resting import (
    ARRIVES,
    CANCELLED,
    CHANGES,
    ENTRIES,
    F_HOW,
    F_LOTS,
    F_MIDDLE2,
    F_NUMBER,
    F_PRICE,
    F_SIDE,
    F_WAITED,
    F_WHEN,
    FILLS,
    HALT,
    HALTED_NS,
    HOW,
    L_CANCEL_SENT,
    L_END,
    L_LOTS,
    L_OUTCOME,
    L_PRICE,
    L_SENT,
    L_SIDE,
    MIDDLE2,
    NOW,
    NUMBER,
    REJECTED,
)
from engine.making.simulation import MakingPass
from engine.store.chain import Event, same_body
from engine.store.journal import Journal, read

Latch = Callable[[], str]  # why nothing may be sent; "" where all may
Said = tuple[str, dict[str, Any]]  # kind and body of an event
TAKES = "post-only, it would take"


def funding_said(bill: str, t_ms: int, cash: float, t_ns: int, **about: Any) -> Said:
    """The event of a settlement of funding."""
    return "funding", {"t_ns": t_ns, "bill": bill, "t_ms": t_ms, "cash": cash, **about}


class PaperJournal:
    """The journal of one maker, its fold, and what of it a restart still has to come to."""

    def __init__(self, path: Path, code: str, now_ms: Callable[[], int], *, again: bool) -> None:
        """again: a restart on a recorded tape, which makes every event anew. Raises Busy where another process writes it."""
        self._journal, self._code, self._now_ms = Journal(path, "maker"), code, now_ms
        found = list(read(path))
        self._before: list[Event] = found if again else []
        self._at = 0
        self.book: PaperBook = NOTHING_YET
        for event in [] if again else found:
            self.book = after(self.book, event)

    @property
    def catching_up(self) -> bool:
        """Whether events of an earlier start are still ahead."""
        return self._at < len(self._before)

    @property
    def first(self) -> Mapping[str, Any] | None:
        """The start that is journaled already, None for a new journal."""
        return self._before[0].body if self._before else self.book.begun or None

    @property
    def is_over(self) -> bool:
        """Whether an earlier start has come to the end."""
        return bool(self._before) and self._before[-1].kind == "end"

    @property
    def caught_up_ns(self) -> int:
        """The time of the last event of earlier starts; 0 without any."""
        return int(self._before[-1].body["t_ns"]) if self._before else 0

    def latched_at(self) -> tuple[int, tuple[str, ...], str] | None:
        """(time, withheld orders, reason) of the latch's halt in what is still ahead."""
        for event in self._before[self._at :]:
            if event.kind == "halt" and event.body["rule"] == HALTS[H_LATCH]:
                return event.body["t_ns"], tuple(event.body["withheld"]), event.body["reason"]
        return None

    def write(self, events: Sequence[Said], *, sync: bool) -> None:
        """Journal a group, whole or not at all, or find it in what an earlier start has journaled. Raises DataError where that
        has something else: another tape, another source; JournalBroken when the disk fails.
        """
        ahead = self._before[self._at : self._at + len(events)]
        for (kind, body), old in zip(events, ahead, strict=False):
            if kind != old.kind or not same_body(body, old.body):
                raise DataError(
                    f"{old.id}: the journal has another {old.kind} here", "the source has changed: choose another --name"
                )
        self._at += len(ahead)
        fresh = [Event(k, b["t_ns"] // 1_000_000, b, code_hash=self._code, t_recv_ms=self._now_ms()) for k, b in events]
        if len(ahead) < len(fresh):
            self._journal.append(fresh[len(ahead) :], sync=sync)
        for event in fresh:
            self.book = after(self.book, event)

    def close(self) -> None:
        """Bring what was written to the disk, and let others write."""
        self._journal.sync()
        self._journal.close()


class _Resting:
    """An order of a side as far as it was journaled."""

    def __init__(self, number: int) -> None:
        self.number, self.arrived, self.cancelling, self.ended = number, False, False, False


class PaperMaker:
    """One maker: `advance` takes it up to a time of its clock, journaling each change."""

    def __init__(
        self,
        work: MakingPass,
        scale: Scale,
        journal: PaperJournal,
        loop: Callable[..., None],
        latch: Latch,
        due: Sequence[Settlement] = (),
    ) -> None:
        """due: settlements of funding within a tape."""
        self.paid: list[Funded] = []
        self._due = list(due)
        self.work, self.scale, self.journal = work, scale, journal
        self._loop, self._latch = loop, latch
        self._fills = self._entries = 0
        self._offset = journal.book.numbers  # of order numbers: those of earlier sessions
        self._trades = journal.book.fills
        self._resting: list[_Resting | None] = [None, None]
        self._code = code_of(journal.book)
        self.reasons: dict[str, str] = {}  # orders -> why they ended, where the venue says more than the loop knows
        self._latch_body: dict[str, Any] = {}
        work.at[WATCHED] = 1

    @property
    def through(self) -> bool:
        """Whether the last message was taken; never of a live book."""
        return bool(self.work.at[OPEN_END] == 0 and self.work.at[MESSAGE] >= self.work.at[MESSAGES])

    @property
    def halted(self) -> bool:
        """Whether the maker has halted, for the rest of its run."""
        return bool(self.work.maker.tally[HALT] != NO_HALT)

    def advance(self, until_ns: int) -> None:
        """Everything up to a time (ns of the recorder's clock, included), settlements of funding at theirs, then a look at the
        latch.
        """
        while self._due and self._due[0].t_ns <= until_ns:
            due = self._due.pop(0)
            self._advance(due.t_ns)
            self.paid.append(at_moment(self.work.maker, self.scale, due))
            self.fund_at(self.paid[-1], due.t_ns)
        self._advance(until_ns)

    def fund_at(self, paid: Funded, now_ns: int) -> None:
        """The same of a settlement that no venue bills."""
        about = {"lots": paid.lots, "mark": paid.mark, "rate": paid.rate}
        self.fund(bill_of(paid.t_ns), paid.t_ns // 1_000_000, paid.cash, now_ns, **about)

    def fund(self, bill: str, t_ms: int, cash: float, now_ns: int, **about: Any) -> None:
        """Book a settlement, once by its bill: journal, ledger, guardrails. cash: quote currency, negative: it cost."""
        if bill not in self.journal.book.bills:
            settle(self.work.maker, cash)
            self.journal.write([funding_said(bill, t_ms, cash, now_ns, **about)], sync=True)

    def _advance(self, until_ns: int) -> None:
        ahead = self.journal.latched_at() if self.journal.catching_up else None
        if ahead and not ahead[1] and self.work.maker.tally[NOW] <= ahead[0] < until_ns:
            self._advance(ahead[0])
        tally = self.work.maker.tally
        self.work.at[UNTIL] = until_ns
        while True:
            before = int(tally[CHANGES])
            self._loop(*self.work)
            if tally[CHANGES] == before:
                break
            self._keep()
        if not self.halted and not self.through and (why := self._latched(until_ns, ())):
            pass_time(self.work.maker, until_ns)
            self._halt(why, until_ns, ())
            self._keep()

    def end(self, why: str, figures: Mapping[str, Any]) -> None:
        """The run is over: nothing is journaled after it."""
        t_ns = int(self.work.maker.tally[NOW])
        self.journal.write([("end", {"t_ns": t_ns, "why": why, **figures})], sync=True)

    def figures(self) -> dict[str, Any]:
        """What the ledger says, inventory at the middle; quote currency and base units."""
        book, middle2 = self.journal.book, int(self.work.maker.tally[MIDDLE2])
        mark = float(self.scale.price(middle2 / 2.0))
        ledger = on_mark(book.sleeve, rules_at(book), mark).ledger if middle2 else book.sleeve.ledger
        return {
            "fills": book.fills,
            "orders": book.intents,
            "inventory": float(self.scale.quantity(book.inventory)),
            "middle": mark,
            "net": ledger.equity,
            "fees": ledger.fees,
            "funding": ledger.funding,
        }

    # ---- what a change was -----------------------------------------------------------------------------------------------------

    def _latched(self, now_ns: int, fresh: Sequence[str]) -> str:
        """Why nothing may be sent now; while a restart catches up, what the latch was then."""
        if not self.journal.catching_up:
            return self._latch()
        ahead = self.journal.latched_at()
        return ahead[2] if ahead and ahead[0] == now_ns and set(ahead[1]) == set(fresh) else ""

    def _halt(self, why: str, now_ns: int, withheld: Sequence[str]) -> None:
        """The latch halts: what was not sent never leaves, what rests is cancelled."""
        maker = self.work.maker
        for s in range(2):
            if maker.orders[s, NUMBER] > 0 and self._id(int(maker.orders[s, NUMBER])) in withheld:
                withhold(maker, s, now_ns)
        halt(maker, self.work.terms, H_LATCH, now_ns)
        self._latch_body = {"reason": why, "withheld": list(withheld)}

    def _keep(self) -> None:
        """Journal what the last event changed: what the venue has said, then what is asked of it."""
        maker, now = self.work.maker, int(self.work.maker.tally[NOW])
        said = self._fills_said() + self._orders_said(now)
        fresh = list(range(self._entries + 1, int(maker.tally[ENTRIES]) + 1))
        self._entries = int(maker.tally[ENTRIES])
        ids = [self._id(number) for number in fresh]
        if ids and (why := self._latched(now, ids)):
            self._halt(why, now, ids)
            fresh = []
        cancels = self._cancels_said(now)
        said += self._halt_said() + cancels
        asked = [self._intent(number) for number in fresh]
        self.journal.write([*said, *asked], sync=bool(asked or said))
        self._leave([body["order"] for _, body in asked], [body["order"] for _, body in cancels], now)

    def _leave(self, asked: Sequence[str], _cancels: Sequence[str], now: int) -> None:
        """What was journaled is sent: here nowhere, the loop has it already."""
        if asked:
            self.journal.write([("sent", {"t_ns": now, "orders": list(asked)})], sync=False)

    def _id(self, number: int) -> str:
        return order_id(self._offset + number, self._code)

    def _intent(self, number: int) -> Said:
        """A new order, which its side has now."""
        row = self.work.maker.log[number - 1]
        self._resting[0 if row[L_SIDE] > 0 else 1] = _Resting(number)
        lots, side = int(row[L_LOTS]), "buy" if row[L_SIDE] > 0 else "sell"
        return "intent", {
            "t_ns": int(row[L_SENT]),
            "order": self._id(number),
            "side": side,
            "lots": lots,
            "quantity": float(self.scale.quantity(lots)),
            "price": float(self.scale.price(int(row[L_PRICE]))),
            "type": "limit",
            "post_only": True,
        }

    def _fills_said(self) -> list[Said]:
        """The fills since the last look."""
        maker, found = self.work.maker, list[Said]()
        for row in maker.fills[self._fills : int(maker.tally[FILLS])].tolist():
            self._trades += 1
            price, lots = float(self.scale.price(row[F_PRICE])), row[F_LOTS]
            body = {
                "t_ns": row[F_WHEN],
                "order": self._id(row[F_NUMBER]),
                "trade": f"t{self._trades}",
                "side": "buy" if row[F_SIDE] > 0 else "sell",
                "lots": lots,
                "price": price,
                "price_units": row[F_PRICE],
                "fee_frac": self.work.terms.fee_frac,
                "fee": lots * 10.0**-self.scale.lot_digits * price * self.work.terms.fee_frac,
                "liquidity": "maker",
                "waited_ns": row[F_WAITED],
                "middle": float(self.scale.price(row[F_MIDDLE2] / 2.0)),
                "how": HOW[row[F_HOW]],
            }
            found.append(("fill", body | self._as_billed()))
        self._fills = int(maker.tally[FILLS])
        return found

    def _as_billed(self) -> dict[str, Any]:
        """What the venue says itself of a fill."""
        return {}

    def _orders_said(self, now: int) -> list[Said]:
        """Orders that have arrived, were rejected, or were cancelled at the venue; a filled one ends by its fill."""
        maker, found = self.work.maker, list[Said]()
        for s, order in enumerate(self._resting):
            if order is None or order.ended:
                continue
            row, id_ = maker.log[order.number - 1], self._id(order.number)
            if not order.arrived and (maker.orders[s, NUMBER] != order.number or maker.orders[s, ARRIVES] == 0):
                order.arrived = True
                if row[L_OUTCOME] != REJECTED:
                    found.append(("order", {"t_ns": now, "order": id_, "state": "working"}))
            if row[L_END] > 0:
                order.ended = True
                if row[L_OUTCOME] == REJECTED:
                    found.append(("order", {"t_ns": now, "order": id_, "state": "rejected", "why": self.reasons.pop(id_, TAKES)}))
                elif row[L_OUTCOME] == CANCELLED:
                    found.append(
                        ("order", {"t_ns": now, "order": id_, "state": "done", "why": self.reasons.pop(id_, "cancelled")})
                    )
        return found

    def _cancels_said(self, now: int) -> list[Said]:
        """Orders that the maker has asked to cancel."""
        found = list[Said]()
        for order in self._resting:
            if order is None or order.ended or order.cancelling:
                continue
            if self.work.maker.log[order.number - 1, L_CANCEL_SENT] > 0:
                order.cancelling = True
                found.append(("order", {"t_ns": now, "order": self._id(order.number), "state": "cancelling"}))
        return found

    def _halt_said(self) -> list[Said]:
        """The halt, once."""
        tally = self.work.maker.tally
        if tally[HALT] == NO_HALT or self.journal.book.halted:
            return []
        rule = HALTS[int(tally[HALT])]
        return [("halt", {"t_ns": int(tally[HALTED_NS]), "rule": rule, **self._latch_body})]
