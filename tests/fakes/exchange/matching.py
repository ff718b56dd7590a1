"""The exchange itself: it plays the price paths up to the clock, matches, triggers, settles, and writes down all that happened.

No venue's words, no network, no randomness. Whatever is asked of it first catches up with the clock, so the result depends on
when things are asked for, not on who drives it. `ledger` is the truth that a test compares a desk with.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.account import Account
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import FUNDING_MS, Contract, Market
from tests.fakes.exchange.orders import Algo, Bracket, Order, Refused


class Exchange:
    """One account's exchange. `clock` gives UTC ms and never goes back; `cash` is in pico."""

    def __init__(self, clock: Callable[[], int], markets: Mapping[str, Market], cash: int) -> None:
        self.clock, self.markets = clock, dict(markets)
        self.account = Account(cash)
        self.ledger: list[Event] = []
        self.orders: dict[int, Order] = {}
        self.algos: dict[int, Algo] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self.ids_come_again = False  # whether the client id of an order that has ended may be given to another
        self.on_schedule: Callable[[int], None] = lambda t_ms: None  # who drives it by a timer wants to know of earlier ones
        self.now = clock()
        self.dead_man_ms = 0  # when all orders are cancelled; 0: never
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._count = self._trade = 0
        self._playing = False
        self._open_orders: dict[int, Order] = {}  # a long run ends many orders, and each print looks at the open ones
        self._open_algos: dict[int, Algo] = {}
        self._ids: dict[tuple[type, str], int] = {}  # (Order or Algo, client id) -> id
        for name, market in self.markets.items():
            market.step()
            self._schedule_print(name)
        self._at((self.now // FUNDING_MS + 1) * FUNDING_MS, self._settle)

    # ---- time -----------------------------------------------------------------------------------------------------------

    def _at(self, t_ms: int, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._coming, (t_ms, self._count, act))
        self.on_schedule(t_ms)

    @property
    def next_ms(self) -> int:
        """When something happens by itself next."""
        return self._coming[0][0]

    def catch_up(self) -> None:
        """Play everything up to the clock. A listener that asks for something in the middle of it gets it as of then."""
        if self._playing:
            return
        until, self._playing = max(self.now, self.clock()), True
        try:
            while self._coming and self._coming[0][0] <= until:
                t_ms, _, act = heapq.heappop(self._coming)
                self.now = max(self.now, t_ms)
                act()
        finally:
            self._playing = False
        self.now = until

    def _schedule_print(self, name: str) -> None:
        if (coming := self.markets[name].coming) is not None:
            self._at(coming.t_ms, lambda: self._print(name))

    def _print(self, name: str) -> None:
        market = self.markets[name]
        market.step()
        self._match(name)
        self._note(log.PRINT, why=name)
        self._schedule_print(name)

    def _settle(self) -> None:
        for market in self.markets.values():
            if bill := self.account.fund(market.contract, market.mark, market.rate_e8, self.now):
                self._note(log.FUNDING, bill=bill)
        self._at(self.now + FUNDING_MS, self._settle)

    def dead_man(self, after_ms: int) -> int:
        """Cancel everything in `after_ms` unless it is asked again before (0: never). Returns when."""
        self.catch_up()
        self.dead_man_ms = due = self.now + after_ms if after_ms else 0
        if due:
            self._at(due, lambda: self._die(due))
        return due

    def _die(self, due: int) -> None:
        if due == self.dead_man_ms:
            for order in self.open_orders():
                self._end(order, o.CANCELED, "dead_man")

    # ---- requests -------------------------------------------------------------------------------------------------------

    def place(self, order: Order) -> Order:
        """Take a normal order and match it. Raises Refused."""
        self.catch_up()
        try:
            self._check(order)
        except Refused as error:
            self._note(log.REJECTED, order, why=error.why)
            raise
        return self._accept(order)

    def place_late(self, after_ms: int, order: Order | Algo) -> None:
        """It arrives in `after_ms`, and may be refused then."""

        def arrive() -> None:
            try:
                if isinstance(order, Order):
                    self.place(order)
                else:
                    self.place_algo(order)
            except Refused:
                pass  # it is in the ledger, and nobody waits for the answer

        self.catch_up()
        self._at(self.now + after_ms, arrive)

    def cancel(self, id_: int) -> Order:
        """End an open order. Raises Refused: not_found, ended."""
        order = self._open(self.orders, id_)
        self._end(order, o.CANCELED, "asked")
        return order

    def amend(self, id_: int, price: int = 0, lots: int = 0) -> Order:
        """Move an open order; one that then takes, takes. Raises Refused."""
        order = self._open(self.orders, id_)
        changed = replace(order, price=price or order.price, lots=lots or order.lots)
        if (changed.price, changed.lots) == (order.price, order.lots):
            raise Refused(o.UNCHANGED)
        self._check_size(changed)
        if changed.lots < order.filled:
            raise Refused(o.TOO_SMALL)
        order.price, order.lots, order.updated_ms = changed.price, changed.lots, self.now
        self._note(log.AMENDED, order)
        if order.left == 0:
            self._end(order, o.FILLED, "")
            self._note(log.ENDED, order, why="amended")
        else:
            self._take(order)
        return order

    def place_algo(self, algo: Algo) -> Algo:
        """Take a conditional order; one whose level has come already is refused. Raises Refused."""
        self.catch_up()
        try:
            self._check_algo(algo)
        except Refused as error:
            self._note(log.REJECTED, algo=algo, why=error.why)
            raise
        self._keep(algo)
        self._note(log.ALGO_ACCEPTED, algo=algo)
        return algo

    def cancel_algo(self, id_: int) -> Algo:
        """End a conditional order that has not triggered. Raises Refused."""
        algo = self._open(self.algos, id_)
        self._end_algo(algo, o.CANCELED, "asked")
        return algo

    def amend_algo(self, id_: int, stop: int = 0, target: int = 0, lots: int = 0) -> Algo:
        """Move a conditional order's levels or size in place. Raises Refused."""
        algo = self._open(self.algos, id_)
        changed = replace(algo, stop=stop or algo.stop, target=target or algo.target, lots=lots or algo.lots)
        if (changed.stop, changed.target, changed.lots) == (algo.stop, algo.target, algo.lots):
            raise Refused(o.UNCHANGED)
        if changed.hit_by(self.markets[algo.symbol].last):
            raise Refused(o.BAD_TRIGGER)
        algo.stop, algo.target, algo.lots, algo.updated_ms = changed.stop, changed.target, changed.lots, self.now
        self._note(log.ALGO_AMENDED, algo=algo)
        return algo

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Leverage of a symbol. Raises Refused: bad_leverage."""
        if not 1 <= leverage <= self.markets[symbol].contract.leverage_max:
            raise Refused(o.BAD_LEVERAGE)
        self.account.position(symbol).leverage = leverage

    def by_client(self, client: str) -> Order | None:
        """The order of a client id, open or ended."""
        return self.orders.get(self._ids.get((Order, client), 0))

    def algo_by_client(self, client: str) -> Algo | None:
        """The conditional order of a client id."""
        return self.algos.get(self._ids.get((Algo, client), 0))

    def open_orders(self) -> list[Order]:
        """Normal orders that may still fill, oldest first."""
        return list(self._open_orders.values())

    def open_algos(self) -> list[Algo]:
        """Conditional orders that may still trigger, oldest first."""
        return list(self._open_algos.values())

    def venue_cancels(self, id_: int, why: str = "venue") -> None:
        """The venue ends an order, or a conditional one, of its own will."""
        if id_ in self.algos:
            self._end_algo(self._open(self.algos, id_), o.CANCELED, why)
        else:
            self._end(self._open(self.orders, id_), o.CANCELED, why)

    def _keep(self, new: Order | Algo) -> None:
        """Give it an id and keep it among the open ones."""
        self._count += 1
        new.id, new.created_ms, new.updated_ms = self._count, self.now, self.now
        if isinstance(new, Order):
            self.orders[new.id] = self._open_orders[new.id] = new
        else:
            self.algos[new.id] = self._open_algos[new.id] = new
        if new.client:
            self._ids[type(new), new.client] = new.id

    # ---- checks ---------------------------------------------------------------------------------------------------------

    def _open(self, which: Mapping[int, Any], id_: int) -> Any:
        self.catch_up()
        if id_ not in which:
            raise Refused(o.NOT_FOUND)
        if not which[id_].is_open:
            raise Refused(o.ENDED)
        return which[id_]

    def _check(self, order: Order) -> None:
        self._check_id(self.by_client(order.client))
        self._check_size(order)
        if order.reduce_only:
            if self._reducible(order) == 0:
                raise Refused(o.NOTHING_TO_REDUCE)
        elif self._opening_margin(order) > self.available():
            raise Refused(o.NO_MARGIN)

    def _check_id(self, other: Order | Algo | None) -> None:
        if other is not None and other.client and (other.is_open or not self.ids_come_again):
            raise Refused(o.DUPLICATE)

    def _check_size(self, order: Order) -> None:
        contract, last = self.markets[order.symbol].contract, self.markets[order.symbol].last
        if order.lots < contract.min_lots:
            raise Refused(o.TOO_SMALL)
        if order.kind == o.MARKET and order.lots > contract.max_market_lots:
            raise Refused(o.TOO_LARGE)
        if order.kind != o.MARKET and order.price <= 0:
            raise Refused(o.BAD_PRICE)
        if not order.reduce_only and notional(contract, order.lots, order.price or last) < contract.min_notional * 10**12:
            raise Refused(o.BAD_NOTIONAL)

    def _check_algo(self, algo: Algo) -> None:
        self._check_id(self.algo_by_client(algo.client))
        if algo.lots and algo.lots < self.markets[algo.symbol].contract.min_lots:
            raise Refused(o.TOO_SMALL)
        if not (algo.stop or algo.target) or algo.hit_by(self.markets[algo.symbol].last):
            raise Refused(o.BAD_TRIGGER)

    def _opening_margin(self, order: Order) -> int:
        market, held = self.markets[order.symbol], self.account.position(order.symbol)
        opening = max(0, abs(held.lots + order.side * order.left) - abs(held.lots))
        return notional(market.contract, opening, order.price or market.last) // held.leverage

    def available(self) -> int:
        """Pico that no position and no open order binds."""
        bound = sum(self.account.margin(market.contract) for market in self.markets.values())
        return self.account.cash - bound - sum(self._opening_margin(x) for x in self.open_orders() if not x.reduce_only)

    def _reducible(self, order: Order) -> int:
        return max(0, -order.side * self.account.position(order.symbol).lots)

    # ---- what happens ---------------------------------------------------------------------------------------------------

    def _accept(self, order: Order) -> Order:
        self._keep(order)
        self._note(log.ACCEPTED, order)
        crosses = self._takes_at(order, self.markets[order.symbol].best(order.side))
        if order.kind == o.POST_ONLY and crosses:
            self._end(order, o.CANCELED, "post_only")
        elif order.kind == o.FOK and not self._fills_at_once(order):
            self._end(order, o.CANCELED, "fok")
        else:
            self._take(order)
        return order

    def _fills_at_once(self, order: Order) -> bool:
        market = self.markets[order.symbol]
        return self._takes_at(order, market.best(order.side) + order.side * ((order.lots - 1) // market.depth_lots))

    @staticmethod
    def _takes_at(order: Order, level: int) -> bool:
        return order.kind == o.MARKET or order.side * (order.price - level) >= 0

    def _take(self, order: Order) -> None:
        """Fill against what is on offer, level by level; what is left rests, unless its kind forbids."""
        market = self.markets[order.symbol]
        level = market.best(order.side)
        while order.is_open and level > 0 and self._takes_at(order, level):
            self._fill(order, min(order.left, market.depth_lots), level, maker=False)
            level += order.side
        if order.is_open and order.kind in (o.MARKET, o.IOC):
            self._end(order, o.CANCELED, "ioc")

    def _match(self, symbol: str) -> None:
        """A print has come: what rests at it or is passed by it fills out of its volume, then conditional orders trigger."""
        market = self.markets[symbol]
        resting = [x for x in self.open_orders() if x.symbol == symbol and x.side * (x.price - market.last) >= 0]
        for order in sorted(resting, key=lambda x: (-x.side * x.price, x.id)):
            if market.room > 0 and order.is_open:
                market.room -= self._fill(order, min(order.left, market.room), order.price, maker=True)
        for algo in [x for x in self.open_algos() if x.symbol == symbol]:
            if algo.is_open and (hit := algo.hit_by(market.last)):
                self._trigger(algo, hit)

    def _fill(self, order: Order, lots: int, ticks: int, maker: bool) -> int:
        """Execute, a reduce-only order at most down to flat. Returns the lots."""
        if order.reduce_only:
            lots = min(lots, self._reducible(order))
            if lots == 0:
                self._end(order, o.CANCELED, "reduce_only")
                return 0
        self._trade += 1
        contract = self.markets[order.symbol].contract
        bill = self.account.trade(contract, order.side, lots, ticks, maker, self._trade, order.id, self.now)
        order.filled += lots
        order.turnover += lots * ticks
        order.fee += bill.fee
        order.pnl += bill.pnl
        order.updated_ms = self.now
        order.state = o.FILLED if order.left == 0 else o.PARTIAL
        self._note(log.FILL, order, bill=bill, maker=maker)
        if order.state == o.FILLED:
            self._end(order, o.FILLED, "")
        if self.account.position(order.symbol).lots == 0:
            for other in [x for x in self.open_orders() if x.symbol == order.symbol and x.reduce_only]:
                self._end(other, o.CANCELED, "reduce_only")
        return lots

    def _end(self, order: Order, state: str, why: str) -> None:
        """It is over; the fill that ended it has been noted."""
        order.state, order.why, order.updated_ms = state, why, self.now
        self._open_orders.pop(order.id, None)
        if state != o.FILLED:
            self._note(log.ENDED, order, why=why)
        if order.filled:
            for bracket in order.brackets:
                self._attach(order, bracket)

    def _attach(self, order: Order, bracket: Bracket) -> None:
        levels = (bracket.stop, bracket.target, bracket.stop_price, bracket.target_price)
        shape = "oco" if bracket.stop and bracket.target else "conditional"
        algo = Algo(bracket.client, order.symbol, -order.side, order.filled, *levels, reduce_only=True, shape=shape)
        self._keep(algo)
        self._note(log.ALGO_ACCEPTED, algo=algo)
        if hit := algo.hit_by(self.markets[order.symbol].last):
            self._trigger(algo, hit)

    def _trigger(self, algo: Algo, hit: str) -> None:
        """Place the child; where that is refused the conditional order has failed."""
        price = algo.stop_price if hit == "stop" else algo.target_price
        held = max(0, -algo.side * self.account.position(algo.symbol).lots)
        kind = o.LIMIT if price else o.MARKET
        child = Order("", algo.symbol, algo.side, algo.lots or held, kind, price, algo.reduce_only, parent=algo.id)
        child.parent_client = algo.client
        algo.hit, algo.triggered_ms, algo.updated_ms = hit, self.now, self.now
        try:
            self._check(child)
        except Refused as error:
            self._end_algo(algo, o.FAILED, error.why)
            return
        algo.state, algo.child = o.TRIGGERED, self._count + 1  # the child's id, which the stream names before the child
        self._open_algos.pop(algo.id, None)
        self._note(log.ALGO_TRIGGERED, algo=algo)
        self._accept(child)

    def _end_algo(self, algo: Algo, state: str, why: str) -> None:
        algo.state, algo.why, algo.updated_ms = state, why, self.now
        self._open_algos.pop(algo.id, None)
        self._note(log.ALGO_ENDED, algo=algo, why=why)

    def _note(self, kind: str, order: Order | None = None, algo: Algo | None = None, **more: Any) -> None:
        """Write a line of the ledger (prints go to the listeners alone) and pass it on."""
        copied = (replace(order) if order else None, replace(algo) if algo else None)
        event = Event(len(self.ledger) + 1, self.now, kind, *copied, **more)
        if kind != log.PRINT:
            self.ledger.append(event)
        for listener in list(self.listeners):
            listener(event)


def notional(contract: Contract, lots: int, ticks: int) -> int:
    """Pico."""
    return lots * ticks * contract.pico
