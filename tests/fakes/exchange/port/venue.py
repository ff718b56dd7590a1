"""A venue at the port of the live desk, straight on the exchange: no ccxt, no HTTP, no signature, a hundredth of the work.

`ExchangePort` is a LiveVenue (engine/venues/live_port.py) of BTC. What it answers is what an adapter would have made of the local
venue's answer, with the same faults. What only an adapter can get wrong is not looked at here.
"""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.core import orders as desk
from engine.core.orders import VenueOrder
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues import outcome
from engine.venues.live_port import LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from engine.venues.outcome import Outcome
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.account import TRANSFERS
from tests.fakes.exchange.faults import HIDDEN_MS, LATE_MS, SKEW_MS, Faults
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.orders import Algo, Bracket, Order, Refused
from tests.fakes.exchange.port.ways import LISTED_LATE_MS, Ways

SYMBOL = "BTC"
TIMEOUT_S = 3.0  # as the clients of the local venues have it
BACK_MS = 60_000
GONE = (o.NOT_FOUND, o.ENDED)
ENDED_STATES = {o.WORKING: desk.WORKING, o.PARTIAL: desk.PARTIAL, o.FILLED: desk.DONE, o.CANCELED: desk.DONE}


class Unproven(Exception):
    """A request that came to nothing that anybody could see; `proves` says what its answer proves."""

    def __init__(self, why: str, proves: Outcome = outcome.UNKNOWN) -> None:
        super().__init__(why)
        self.why, self.proves = why, proves


class PortAccount:
    """One account: the exchange, its faults, and executions as they are listed."""

    def __init__(self, exchange: Exchange, ways: Ways, seed: int = 0) -> None:
        self.exchange, self.ways, self.faults = exchange, ways, Faults(exchange.clock)
        exchange.ids_come_again = ways.ids_come_again
        self.dice = random.Random(seed)
        self.stale = VenuePosition(0, None, isolated=True, leverage=3.0, liquidation=None)
        self._trades: list[VenueTrade] = []
        self._read = 0
        self._tick = float(exchange.markets[SYMBOL].contract.tick)
        exchange.listeners.append(self._listen)

    def _listen(self, event: Event) -> None:
        if event.kind == log.PRINT:
            self.faults.act(self.exchange)

    def price(self, ticks: int) -> float:
        """Quote units."""
        return ticks / 10 if self._tick == 0.1 else float(ticks * Decimal(str(self._tick)))

    def ticks(self, price: float) -> int:
        """The nearest tick."""
        return round(price / self._tick)

    def trades(self) -> list[VenueTrade]:
        """Every execution so far, oldest first."""
        ledger = self.exchange.ledger
        for event in ledger[self._read :]:
            if event.kind == log.FILL and event.order and event.bill:
                self._trades.append(self._trade(event.order, event))
        self._read = len(ledger)
        return self._trades

    def _trade(self, order: Order, event: Event) -> VenueTrade:
        bill, parent = event.bill, self.exchange.algos.get(order.parent)
        assert bill is not None
        ids = (str(order.id), order.client)
        if parent is not None and self.ways.fired_is_ours:
            ids = (str(parent.id), parent.client)
        core = (order.side, bill.lots, self.price(bill.ticks), bill.fee / PICO, event.maker, bill.t_ms)
        return VenueTrade(str(bill.trade), *ids, *core)


class PortClient:
    """What a storm asks of a client beside the port."""

    def __init__(self, account: PortAccount, latency_s: float) -> None:
        self.account, self.latency_s = account, latency_s

    async def load_markets(self) -> None:
        """Nothing to load."""

    async def fetch_time(self) -> int:
        """The venue's clock. Raises DataError."""
        await question(self)
        skew = SKEW_MS if self.account.faults.hit("clock_skew") else 0
        return self.account.exchange.clock() + skew

    async def close(self) -> None:
        """Nothing to close."""


async def question(client: PortClient) -> None:
    """A question on its way. Raises DataError where it gets no answer."""
    account = client.account
    await asyncio.sleep(client.latency_s)
    account.exchange.catch_up()
    if not account.faults.plan:
        return
    hit = account.faults.hit
    for kind in ("http_5xx", "html", "rate_limit", "ban", "maintenance"):
        if hit(kind):
            raise DataError(f"no answer: {kind}")
    if hit("read_timeout"):
        await asyncio.sleep(TIMEOUT_S)
        raise DataError("no answer: timeout")


class ExchangePort:
    """The instrument BTC of an account, as the live desk's LiveVenue."""

    def __init__(self, client: PortClient) -> None:
        self.client, self.account = client, client.account
        self.exchange, self.ways, self.faults = self.account.exchange, self.account.ways, self.account.faults

    @property
    def attaches(self) -> str:
        """As LiveVenue."""
        return self.ways.attaches

    # ---- requests -------------------------------------------------------------------------------------------------------

    async def _arrive(self) -> None:
        """A request on its way to the venue. Raises Unproven where it never comes, or is turned away before it is looked at."""
        await asyncio.sleep(self.client.latency_s / 2)
        self.exchange.catch_up()
        if not self.faults.plan:
            return
        hit = self.faults.hit
        for kind, proves in (
            ("http_5xx", outcome.UNKNOWN),
            ("html", outcome.UNKNOWN),
            ("rate_limit", outcome.NOT_TAKEN),
            ("ban", outcome.UNKNOWN),
            ("maintenance", self.ways.maintenance),
            ("clock_skew", outcome.NOT_TAKEN),
        ):
            if hit(kind):
                raise Unproven(kind, proves)
        if hit("timeout_before"):
            await asyncio.sleep(TIMEOUT_S)
            raise Unproven("timeout")

    async def _answer(self) -> None:
        """The answer on its way back. Raises Unproven where it is lost."""
        if self.faults.hit("timeout_after"):
            await asyncio.sleep(TIMEOUT_S)
            raise Unproven("timeout")
        await asyncio.sleep(self.client.latency_s / 2)

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """As LiveVenue."""
        try:
            await self._arrive()
            venue_id = await self._take(self._made(order, attached))
            await self._answer()
        except Unproven as error:
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, error.why, outcome=error.proves)
        except Refused as refused:
            if refused.why == o.DUPLICATE:
                return LiveAnswer(order.id, desk.UNKNOWN, order.filled, refused.why, outcome=outcome.EXISTS)
            return LiveAnswer(order.id, desk.REJECTED, order.filled, refused.why, outcome=outcome.REJECTED)
        return LiveAnswer(order.id, desk.WORKING, order.filled, venue_id=venue_id)

    def _made(self, order: VenueOrder, attached: VenueOrder | None) -> Order | Algo:
        """The exchange's own order."""
        ticks, reduces = self.account.ticks(order.price), order.slot != ENTRY
        if order.slot == PROTECTIVE:
            return Algo(order.id, SYMBOL, order.side, order.left, ticks, shape="conditional")
        kind = o.MARKET if order.price == 0.0 else o.POST_ONLY if order.post_only else o.LIMIT
        made = Order(order.id, SYMBOL, order.side, order.left, kind, ticks, reduces)
        if attached is not None and self.attaches == "with":
            made.brackets = (Bracket(stop=self.account.ticks(attached.price), client=attached.id),)
        return made

    async def _take(self, made: Order | Algo) -> str:
        """The venue takes it, or pretends to. Raises Refused and Unproven."""
        if self.faults.hit("reject_orders"):
            raise Refused(o.NO_MARGIN)
        if self.faults.hit("lost_order"):
            return "999999999"
        if self.faults.hit("late"):
            self.exchange.place_late(LATE_MS, made)
            await asyncio.sleep(TIMEOUT_S)
            raise Unproven("timeout")
        if self._is_known(made.client):
            raise Refused(o.DUPLICATE)
        placed = self.exchange.place(made) if isinstance(made, Order) else self.exchange.place_algo(made)
        return str(placed.id)

    def _is_known(self, client: str) -> bool:
        """An id of either kind is taken; by an order that has ended, where ids do not come again."""
        there = self.exchange.by_client(client) or self.exchange.algo_by_client(client)
        return there is not None and (there.is_open or not self.ways.ids_come_again)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """As LiveVenue."""
        ticks = self.account.ticks(price)

        def move(found: Order | Algo) -> None:
            if self.faults.hit("reject_amends"):
                raise Refused(o.UNCHANGED)
            if isinstance(found, Order):
                self.exchange.amend(found.id, ticks, lots)
            else:
                self.exchange.amend_algo(found.id, ticks, lots=lots)

        sent = await self._changed(order, move)
        return sent._replace(price=price, lots=lots) if sent.state == desk.WORKING else await self._as_it_stands(order, sent)

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""

        def end(found: Order | Algo) -> None:
            if self.faults.hit("reject_cancels"):
                raise Refused(o.UNCHANGED)
            (self.exchange.cancel if isinstance(found, Order) else self.exchange.cancel_algo)(found.id)

        sent = await self._changed(order, end)
        return await self.ask(order) if sent.state == desk.WORKING else await self._as_it_stands(order, sent)

    async def _changed(self, order: VenueOrder, change: Any) -> LiveAnswer:
        """A request about an order that stands."""
        try:
            await self._arrive()
            found = self._found(order)
            if found is None:
                raise Refused(o.NOT_FOUND)
            change(found)
            await self._answer()
        except Unproven as error:
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, error.why, outcome=error.proves)
        except Refused as refused:
            proves = outcome.NOT_FOUND if refused.why in GONE else outcome.REJECTED
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, refused.why, outcome=proves)
        return LiveAnswer(order.id, desk.WORKING, order.filled)

    async def _as_it_stands(self, order: VenueOrder, sent: LiveAnswer) -> LiveAnswer:
        """How an order stands that was not changed."""
        if sent.outcome not in (outcome.REJECTED, outcome.NOT_FOUND):
            return sent
        return (await self.ask(order))._replace(why=sent.why, outcome=sent.outcome)

    def _found(self, order: VenueOrder) -> Order | Algo | None:
        """The order of an id: a conditional one where it protects."""
        return self.exchange.algo_by_client(order.id) if order.slot == PROTECTIVE else self.exchange.by_client(order.id)

    # ---- questions ------------------------------------------------------------------------------------------------------

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""
        try:
            await question(self.client)
        except DataError as error:
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, error.what)
        found = self._found(order)
        if isinstance(found, Algo) and self.faults.hit("algo_unaskable"):
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, "cannot be asked for")
        if found is None:
            return LiveAnswer(order.id, desk.UNKNOWN, order.filled, "not there", outcome=outcome.NOT_FOUND)
        return self._normal(order, found) if isinstance(found, Order) else self._conditional(order, found)

    def _normal(self, order: VenueOrder, found: Order) -> LiveAnswer:
        said = LiveAnswer(order.id, ENDED_STATES[found.state], found.filled, found.why or found.state, venue_id=str(found.id))
        return said._replace(price=self.account.price(found.price), lots=found.lots) if found.is_open else said

    def _conditional(self, order: VenueOrder, found: Algo) -> LiveAnswer:
        """A conditional order; of one that has fired, how its child does."""
        said = LiveAnswer(order.id, desk.DONE, 0, found.why or found.state, venue_id=str(found.id))
        if found.is_open:
            return said._replace(state=desk.WORKING, price=self.account.price(found.stop), lots=found.lots)
        if found.child:
            child = "" if self.ways.fired_is_ours else str(found.child)
            return self._normal(order, self.exchange.orders[found.child])._replace(venue_id=said.venue_id, child_id=child)
        if found.state == o.FAILED and self.ways.fired_is_ours:
            return said._replace(state=desk.REJECTED, outcome=outcome.REJECTED)
        return said

    async def standing(self) -> Sequence[StandingOrder]:
        """As LiveVenue."""
        await question(self.client)
        price = self.account.price
        rows = [
            StandingOrder(
                x.client, str(x.id), x.side, x.lots, x.filled, price(x.price), conditional=False, reduce_only=x.reduce_only
            )
            for x in self.exchange.open_orders()
        ]
        rows += [
            StandingOrder(x.client, str(x.id), x.side, x.lots, 0, price(x.stop), conditional=True, reduce_only=x.reduce_only)
            for x in self.exchange.open_algos()
        ]
        return self._listed(rows)

    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """As LiveVenue. A cursor is the number of the newest that was shown; where a look goes back, with those of a minute."""
        await question(self.client)
        newest, _, kept = cursor.partition(":")
        seen = {int(number) for number in kept.split(",") if number}
        rows = self._shown()
        if newest and self.ways.looks_back:
            since = self.account.trades()[int(newest) - 1].t_ms - BACK_MS
            rows = [row for row in _tail(rows, since) if int(row.trade) not in seen]
        elif newest:
            rows = _behind(rows, int(newest))
        found = self._listed(rows)
        if not found:
            return [], cursor
        last = max(int(newest or 0), *(int(row.trade) for row in found))
        if not self.ways.looks_back:
            return found, str(last)
        shown = seen | {int(row.trade) for row in found}
        since = self.account.trades()[last - 1].t_ms - BACK_MS
        return found, f"{last}:{','.join(str(n) for n in sorted(shown) if self.account.trades()[n - 1].t_ms >= since)}"

    def _shown(self) -> list[VenueTrade]:
        """Executions that are listed by now."""
        rows, now = self.account.trades(), self.exchange.clock()
        hidden = HIDDEN_MS if self.faults.hit("drop_fills_rest") else LISTED_LATE_MS if self.faults.hit("list_late") else 0
        return [row for row in rows if row.t_ms < now - hidden] if hidden else rows

    def _listed(self, rows: list[Any]) -> list[Any]:
        """The rows of a list (oldest first), and what is wrong with it."""
        if not self.faults.plan or not rows:
            return rows
        hit, dice = self.faults.hit, self.account.dice
        if len(rows) > 1 and hit("partial_answer"):
            rows = rows[-(len(rows) // 2) :] if self.ways.newest_half else rows[: len(rows) // 2]
        if hit("list_gaps"):
            rows = [row for row in rows if dice.random() < 2 / 3]
        if hit("list_twice"):
            rows = [row for row in rows for _ in range(2)]
        if len(rows) > 1 and hit("list_shuffled"):
            rows = dice.sample(rows, len(rows))
        return rows

    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """As LiveVenue."""
        await question(self.client)
        bills = [bill for bill in _tail(self.exchange.account.bills, since_ms) if bill.kind == "funding"]
        return self._listed([VenueBill(f"f{bill.id}", bill.cash / PICO, bill.t_ms) for bill in bills])

    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """As LiveVenue."""
        await question(self.client)
        bills = [bill for bill in _tail(self.exchange.account.bills, since_ms) if bill.kind in TRANSFERS]
        named = [(f"m{b.id}", "unknown" if b.kind == "strange" else b.kind, b.kind, b.cash / PICO, b.t_ms) for b in bills]
        return self._listed([VenueTransfer(*row) for row in named])

    async def position(self) -> VenuePosition:
        """As LiveVenue."""
        await question(self.client)
        if self.faults.hit("stale_positions"):
            return self.account.stale
        held = self.exchange.account.position(SYMBOL)
        entry = self.account.price(held.cost // held.lots) if held.lots else None
        self.account.stale = VenuePosition(held.lots, entry, isolated=True, leverage=float(held.leverage), liquidation=None)
        return self.account.stale


def _tail(rows: Sequence[Any], since_ms: int) -> list[Any]:
    """Rows (oldest first) from a time on: they are few, and at the end."""
    found = []
    for row in reversed(rows):
        if row.t_ms < since_ms:
            break
        found.append(row)
    return found[::-1]


def _behind(rows: Sequence[VenueTrade], number: int) -> list[VenueTrade]:
    """Executions with a higher number."""
    found = []
    for row in reversed(rows):
        if int(row.trade) <= number:
            break
        found.append(row)
    return found[::-1]
