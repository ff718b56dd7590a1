"""What must hold in a storm, looked at whenever an order leaves, the desk journals something, or the venue's ledger grows.

The venue's own ledger is the truth; what the desk believes is compared with it. Table of all rules: docs/reliability.md.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.book.account_events import orphan_lots
from engine.book.incident_money import incidents_of, parted, window_money
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.book.windows import due
from engine.core.orders import PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT
from engine.live.halt import INCOMPLETE, KILLED
from engine.live.poll import ORPHAN_CODE, PROBE_CODE, holders
from engine.store.chain import encode_body
from engine.store.journal import read, verify
from engine.venues.live_port import LiveAnswer
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.market import PICO
from tests.fakes.live_desks import BTC_PERP
from tests.storms.door import Door
from tests.storms.times import Times

LIMIT_LOTS = 3 * 300 + 2 * 200  # of both sleeves' layers
ORDER_LOTS = 300
APART_MS = 120_000  # book and venue: compared each minute, and twice before it counts
REFUSED_MAX = 5
EXITS_REFUSED_MAX = 10
FRESH_MS = BAR_MS * 3 // 2
NAKED_WAKES_MS = 20_000  # five seconds, and what it takes to ask
PAGE_AGAIN_MS = 600_000
STRANGER_PAGE_MS = 90_000  # an idle account is read once a minute
SIDES = {1: "buy", -1: "sell"}
SIDE_OF = {name: side for side, name in SIDES.items()}
EXACT = 1e-9  # of money, relative to the account's cash


class Invariants:
    """The checks of one run; LiveStorm is the run. `wrong` says what did not hold, `looks` how often was looked."""

    exchange: Any
    desk: Any
    duties: Any
    played: Any
    path: Path
    door: Door
    latch: str
    pages: list[tuple[int, str]]

    def _begin(self, naked_max_ms: int, drawdown_frac: float) -> None:
        self.clock = self.exchange.clock
        self.wrong: list[str] = []
        self.looks = 0
        self.times = Times(self)
        self.latched_ms = 0
        self.met: Counter[str] = Counter()  # journal events by kind
        self.rows: dict[int, bool] = {}  # close -> whether its bar was there
        self.naked_max_ms, self.drawdown_frac = naked_max_ms, drawdown_frac
        self.worst_naked_ms = self.peak = 0
        self.worst_two_ms = self._two_since_ms = 0  # for which two versions of one stop stood
        self.restarted_ms = 0
        self.strangers: list[int] = []  # when they traded
        self._intents: dict[str, Mapping[str, Any]] = {}
        self._read = 0
        self._left_ms: dict[str, int] = {}  # order -> when it first left
        self._accepted: Counter[str] = Counter()
        self._booked: Counter[str] = Counter()
        self._executions: Counter[tuple[int, float, int]] = Counter()
        self._theirs: Counter[tuple[int, float, int]] = Counter()
        self._own_lots = 0
        self._refused: Counter[str] = Counter()
        self._tried: dict[str, VenueOrder] = {}  # by whom -> the last order of it that was answered
        self._naked_since_ms = 0
        self._said_naked = False
        self._bounded_ms = 0

    def violated(self, rule: str, what: str) -> None:
        """Keep it: the run goes on, and ends as one that has failed."""
        self.wrong.append(f"{rule} at {self.clock()}: {what}")

    def ours(self) -> int:
        """Net lots that the book accounts for."""
        return sum(lots for _, lots in holders(self.desk, BTC_PERP)) + orphan_lots(self.desk.book, BTC_PERP)

    def theirs(self) -> int:
        """Net lots that the venue holds."""
        return int(self.exchange.account.position("BTC").lots)

    def intents(self) -> dict[str, Mapping[str, Any]]:
        """What the journal's file has by now."""
        for event in read(self.path, {"intent"}, self._read):
            self._intents[event.body["order"]] = event.body
            self._read = event.seq
        return self._intents

    # ---- an order leaves ----------------------------------------------------------------------------------------------------

    def leaves(self, order: VenueOrder) -> None:
        """Just before the request."""
        self.looks += 1
        self._left_ms.setdefault(order.id, self.clock())
        if PROBE_CODE in order.id:  # it asks whether the way to the venue works while entries are still withheld
            return
        if order.id not in self.intents() and ORPHAN_CODE not in order.id and not self.desk.failed:
            self.violated("I13", f"{order.id} leaves before its intent is in the journal")
        if order.slot == ENTRY:
            self.times.increased()
            self._may_enter(order)

    def _may_enter(self, order: VenueOrder) -> None:
        book, now = self.desk.book, self.clock()
        if self.latch or book.desk.halted:
            self.violated("I1", f"{order.id} increases {now - self.latched_ms} ms after the halt was latched")
        if doubts := [x.id for x in book.orders.open.values() if x.state == UNKNOWN and x.id != order.id]:
            self.violated("I4", f"{order.id} increases while {doubts} are in doubt")
        if book.entries_blocked:
            self.violated("I7", f"{order.id} increases while entries are blocked: {book.health} {book.differences}")
        if (apart_ms := self.times.apart_for_ms()) > APART_MS:
            text = f"for {apart_ms} ms the venue holds {self.theirs()} lots and the book {self.ours()}"
            self.violated("I7", f"{order.id} increases, and {text}")
        if now - order.decided_ms > FRESH_MS:
            self.violated("I10", f"{order.id} increases {now - order.decided_ms} ms after it was decided")
        if not self.rows.get(order.decided_ms, True):
            self.violated("I10", f"{order.id} was decided on a bar that was missing")
        if self.restarted_ms and self.door.positions < 2:
            self.violated("I14", f"{order.id} increases, and since the restart the position was read {self.door.positions} times")

    def answered(self, order: VenueOrder, answer: LiveAnswer) -> None:
        """The venue has said something to a request."""
        entry = order.slot == ENTRY
        who = f"sleeve {order.sleeve}" if entry else f"layer {order.sleeve} {order.key}"
        if order.slot not in (ENTRY, EXIT_SLOT) or PROBE_CODE in order.id:
            return
        if answer.outcome == REFUSED:
            self._refused[who] += 1
        elif answer.state in (WORKING, PARTIAL):
            self._refused[who] = 0
        before, self._tried[who] = self._tried.get(who, order), order
        again = not entry and (order.decided_ms > before.decided_ms or order.id == before.id)  # ten, then one at each close
        if self._refused[who] > (REFUSED_MAX if entry else EXITS_REFUSED_MAX) and not again:
            self.violated("I9", f"{order.id} of {who}: refused {self._refused[who]} times in a row")

    def let_go_on(self, what: str) -> None:
        """A person has looked at refusals: they are counted anew."""
        self._refused.clear()
        self.duties.health.let_go_on(what)

    # ---- the desk journals --------------------------------------------------------------------------------------------------

    def journaled(self, kind: str, body: Mapping[str, Any]) -> None:
        """One event of it."""
        self.met[kind] += 1
        self.looks += 1
        if kind == "order":
            there = self.exchange.by_client(body["order"]) or self.exchange.algo_by_client(body["order"])
            if body["state"] == REJECTED and there is not None and (there.is_open or has_filled(there)):
                self.violated("I4", f"{body['order']} is declared rejected, and the venue holds it or has filled it")
        if kind in ("fill", "orphan") and "trade" in body and body.get("booked", True):
            self._booked[body["trade"]] += 1
            self._executions[body["lots"], body["price"], body["t_ms"]] += 1
            self.times.booked(self.clock() - body["t_ms"])
            if self._booked[body["trade"]] > 1:
                self.violated("I5", f"trade {body['trade']} is booked twice")
        if kind == "bar":
            self._bar(body)
        self.times.journaled(kind, body)

    def accounted_for(self, found: Mapping[str, Any]) -> None:
        """A person has adopted an execution that was not booked, such as of a stop that fired beside another one."""
        if found["order"].startswith("nd"):  # it is the person's from here on, who has closed what it left
            self._executions[found["lots"], found["price"], found["t_ms"]] += 1
            self._own_lots -= SIDE_OF[self.intents()[found["order"]]["side"]] * found["lots"]

    def _bar(self, body: Mapping[str, Any]) -> None:
        """A decision has been made on this bar: is it the market's?"""
        values = body["bars"][BTC_PERP][:5]
        self.rows[body["close_ms"]] = values[0] is not None
        open_ms = body["close_ms"] - BAR_MS
        candle = next((c for c in self.exchange.markets["BTC"].candles(BAR_MS, 3) if c.open_ms == open_ms), None)
        if values[0] is not None:
            true = candle and [ticks / 10 for ticks in (candle.open, candle.high, candle.low, candle.close)]
            if list(values[:4]) != true:
                self.violated("I10", f"decided on {values}, and the market was {true}")
        if self.drawdown_frac:
            self._drawdown()

    def _drawdown(self) -> None:
        """The venue's own equity against its highest at a close; a tenth of the limit is left for fees and half a tick."""
        market = self.exchange.markets["BTC"]
        equity = self.exchange.account.cash + self.exchange.account.unrealized(market.contract, market.last)
        self.peak = max(self.peak, equity)
        if equity < self.peak * (1 - 1.1 * self.drawdown_frac) and not (self.latch or self.desk.book.tripped_ms):
            self.violated("I11", f"{equity / PICO} of {self.peak / PICO}, and nothing was halted")

    # ---- the venue's ledger grows -------------------------------------------------------------------------------------------

    def ledger_grew(self, event: log.Event) -> None:
        """The venue's truth has moved."""
        self.looks += 1
        placed = event.order if event.kind == log.ACCEPTED else event.algo if event.kind == log.ALGO_ACCEPTED else None
        if placed is not None and placed.client:
            self._taken(placed)
        if event.kind == log.FILL and event.order and event.bill:
            self._filled(event.order, event.bill)
        if abs(self._own_lots) > LIMIT_LOTS + ORDER_LOTS:
            self.violated("I8", f"{self._own_lots} lots are held")
        self._protected()
        self._one_of_each()
        if event.kind != log.PRINT:
            self.times.moved()

    def _filled(self, order: Any, bill: Any) -> None:
        if order.client or order.parent:
            self._theirs[bill.lots, bill.ticks / 10, bill.t_ms] += 1
            self._own_lots += order.side * bill.lots
        elif order.tag != "person":
            self.strangers.append(self.clock())

    def _taken(self, placed: Any) -> None:
        """An order of the desk stands at the venue."""
        client, _, version = placed.client.partition("-")
        self._accepted[placed.client] += 1
        if self._accepted[placed.client] > 1:
            self.violated("I3", f"{placed.client} was placed twice")
        if PROBE_CODE in client or ORPHAN_CODE in client:
            return
        intent = self.intents().get(client)
        if intent is None:
            self.violated("I13", f"{client} came to the venue before its intent was journaled")
        elif SIDES[placed.side] != intent["side"] or placed.lots > (ORDER_LOTS if version else intent["lots"]):
            text = f"{client} is to {SIDES[placed.side]} {placed.lots} lots, its intent was to {intent['side']} {intent['lots']}"
            self.violated("I3", text)
        elif client not in self._left_ms and "attached_to" not in intent:
            self.violated("I13", f"{client} came to the venue by another way than the desk's")

    def _protected(self) -> None:
        """How long a position of the desk is at the venue without a conditional order; and whether somebody was woken."""
        own, all_lots = self._own_lots, self.theirs()
        held = min(abs(own), abs(all_lots)) if own * all_lots > 0 else 0
        now, since = self.exchange.now, self._naked_since_ms
        for_ms = now - since if since else 0
        if for_ms > NAKED_WAKES_MS and not self._said_naked:
            self._said_naked = True
            if not any(since - PAGE_AGAIN_MS <= t_ms for t_ms, _ in self.pages):  # the same page comes each ten minutes
                self.violated("I12", f"{held} lots were not covered for {for_ms} ms, and nobody was woken")
        self.worst_naked_ms = max(self.worst_naked_ms, for_ms)
        if held <= sum(algo.lots for algo in self.exchange.open_algos()):
            self._naked_since_ms, self._said_naked = 0, False
            return
        self._naked_since_ms = since or now
        if for_ms > self.naked_max_ms >= self._bounded_ms:  # not at the event that covers: the bound is looked at while it lasts
            self.violated("I12", f"{held} lots were not covered for {for_ms} ms")
        self._bounded_ms = max(self._bounded_ms, for_ms)

    def _one_of_each(self) -> None:
        """How long two versions of one stop stand: while it is replaced, and no longer."""
        stems = [algo.client.partition("-")[0] for algo in self.exchange.open_algos() if algo.client]
        now, since = self.exchange.now, self._two_since_ms
        self.worst_two_ms = max(self.worst_two_ms, now - since if since else 0)
        self._two_since_ms = (since or now) if len(set(stems)) < len(stems) else 0

    # ---- the end ------------------------------------------------------------------------------------------------------------

    def at_the_end(self) -> None:
        """Liveness: book and venue agree, every execution is booked, nothing is in doubt, the journal folds to the book."""
        if self.theirs() != self.ours():
            self.violated("I6", f"the venue holds {self.theirs()}, the book {self.ours()}")
        if self._theirs != self._executions:
            missing, phantom = self._theirs - self._executions, self._executions - self._theirs
            self.violated("I5", f"not booked {missing}, booked without a trade {phantom}")
        bills = sum(bill.cash for bill in self.exchange.account.bills if bill.kind == "funding") / PICO
        if abs(bills - sum(sleeve.ledger.funding for sleeve in self.desk.book.sleeves)) > EXACT * max(1.0, abs(bills)):
            self.violated("I19", f"the venue has billed {bills} of funding, the sleeves bear another sum")
        self._look_at_windows()
        self._look_at_pages()
        if self.latch:
            self._look_at_the_halt()
        shown = (*self.exchange.open_orders(), *self.exchange.open_algos())
        ids = [one.client.partition("-")[0] for one in shown if one.client.startswith("nd")]
        if behind := [id_ for id_ in ids if id_ not in self.desk.book.orders.open]:
            self.violated("F6", f"the venue still holds {behind}, which the book has ended or never made")
        if doubts := self.desk.doubts(BTC_PERP):
            self.violated("liveness", f"in doubt: {doubts}")
        if self.desk.failed:
            self.violated("liveness", self.desk.failed)
        if self.duties.failures:
            self.violated("liveness", repr(self.duties.failures[0]))

    def look_at_the_journal(self) -> None:
        """Its chain, its laws, and that it folds to the book."""
        if not (report := verify(self.path)).ok:
            self.violated("I13", f"the chain does not verify: {report}")
        self.wrong += OrderLaws().read(read(self.path))
        folded = fold(self.path, whole=True)
        if folded is None or encode_body(to_json(folded)) != encode_body(to_json(self.desk.book)):
            self.violated("I13", "the journal does not fold to the book")

    def _look_at_windows(self) -> None:
        """What touched money is in a window, and what windows have is what the strategies have not."""
        book = self.desk.book
        if (missed := next(due(book, ()), None)) is not None:
            self.violated("I19", f"in no incident window: {missed}")
        inside = sum(window_money(book, window)["pnl"] for window in incidents_of(book)["open"])
        found = parted(book)
        if abs(inside - found.incident) > 1e-6 or abs(found.incident + found.strategy - found.whole) > 1e-6:
            self.violated("I19", f"windows have {inside}, the desk says {found}")

    def _look_at_pages(self) -> None:
        """One page an incident, and none twice within ten minutes of one process."""
        said: dict[str, int] = {}
        for t_ms, what in self.pages:
            if t_ms - said.get(what, -PAGE_AGAIN_MS) < PAGE_AGAIN_MS and not self.met["kill"]:
                self.violated("I18", f"{what} came twice within {t_ms - said[what]} ms")
            said[what] = t_ms
        woken = [t_ms for t_ms, what in self.pages if "not ours" in what or "the venue holds" in what]
        if self.strangers and not woken:
            self.violated("I18", "a stranger traded in the account and nobody was woken")

    def _look_at_the_halt(self) -> None:
        """It has ended, and as it says."""
        result = self.duties.halt.result
        if result is None:
            self.violated("I2", "the halt has not ended")
            return
        if result.state == KILLED:
            self.look_at_the_killed()
        if result.state == INCOMPLETE and not any(INCOMPLETE in what for _, what in self.pages):
            self.violated("I2", f"it says {INCOMPLETE}, and nobody was woken")

    def look_at_the_killed(self) -> None:
        """A halt that says it has ended: as soon as it says so, and at the end of the run."""
        orders = [x.client for x in (*self.exchange.open_orders(), *self.exchange.open_algos()) if x.client]
        if self._own_lots * self.theirs() > 0 or orders:
            self.violated("I2", f"it says {KILLED}, and {self._own_lots} lots and {orders} are there")


def has_filled(there: Any) -> bool:
    """Whether an order of the exchange, conditional or not, has executed anything."""
    return bool(getattr(there, "filled", 0) or getattr(there, "child", 0))
