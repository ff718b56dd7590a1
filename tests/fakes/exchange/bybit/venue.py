"""One account at Bybit over the exchange: its instruments, its settings, and the exchange's ledger in Bybit's rows."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.bybit.rows import Row, execution_row, funding_row, log_row, order_row, transfer_row
from tests.fakes.exchange.bybit.words import PARAMS, PART, SEQ_BASE, STOP, Fault, Instrument, instrument_of
from tests.fakes.exchange.faults import SKEW_MS, Faults
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Market
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.past import Past


class BybitVenue:
    """One unified account at Bybit, in one-way mode with isolated margin."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None) -> None:
        self.exchange = exchange
        self.faults = faults or Faults(exchange.clock)
        self.instruments = {inst.symbol: inst for inst in (instrument_of(m.contract) for m in exchange.markets.values())}
        self.of = {inst.name: inst for inst in self.instruments.values()}
        self.noted: Counter[str] = Counter()  # "POST order/amend: clientOrderId" -> how often
        self.calls: list[tuple[str, str, Any]] = []  # (method, path, fields) as they came
        self.hedged = False
        self.margin_mode = "ISOLATED_MARGIN"
        self.key: Row = {"readOnly": 0, "ips": ["*"], "deadlineDay": 83, "wallet": []}  # what query-api says of the key
        self.key_ended = False
        self.suspended: set[str] = set()  # symbols that are listed and not traded: no order is taken
        self.unknown: set[str] = set()  # those that the venue does not know any more
        self.recounted: dict[str, str] = {}  # field of every listing -> what a maintenance has made of it
        self.dead_man_s = 0  # disconnected-cancel-all: seconds after the last private line has gone; 0: never
        self.private_lines = 0  # that have logged in and are open
        self.recent = 500  # ended orders that order/realtime still knows by their id; order/history knows the others
        self.old: dict[str, list[Any]] = {}  # answers as they were, for the stale faults
        self._asked: dict[str, deque[int]] = {}  # path -> when it was asked lately
        self._executions: list[Row] = []
        self._log: list[Row] = []
        self._held: Counter[str] = Counter()  # lots of each symbol, as far as the ledger has been read
        self._read = 0
        self.swallow = False  # the request under way gets no answer
        self.past = Past(exchange)
        exchange.listeners.append(self._listen)

    def _listen(self, event: Event) -> None:
        if event.kind == log.PRINT:
            self.faults.act(self.exchange)
        elif event.kind == log.ALGO_TRIGGERED and event.algo and event.algo.tag:
            self._clear(lambda other: other.tag == event.algo.tag and other.id != event.algo.id, event.algo.symbol)  # type: ignore[union-attr]
        elif event.kind == log.FILL and event.order and not self.exchange.account.position(event.order.symbol).lots:
            self._clear(lambda other: other.shape != STOP, event.order.symbol)

    def _clear(self, goes: Any, symbol: str) -> None:
        """Stops and targets of a position go with it, and the twin of one that has triggered."""
        for algo in self.exchange.open_algos():
            if algo.symbol == symbol and goes(algo):
                self.exchange.venue_cancels(algo.id, "cleared")

    @property
    def now(self) -> int:
        """The venue's clock, UTC ms."""
        return self.exchange.clock() + (SKEW_MS if self.faults.open_windows("clock_skew") else 0)

    def within(self, path: str, most: int, span_ms: int) -> bool:
        """Whether one more request to a path is not too many; it counts if so."""
        times = self._asked.setdefault(path, deque())
        while times and times[0] <= self.exchange.clock() - span_ms:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(self.exchange.clock())
        return True

    # ---- the exchange in Bybit's words ----------------------------------------------------------------------------------

    def inst(self, fields: Mapping[str, Any]) -> Instrument:
        """The instrument of a request. Raises Fault."""
        if (found := self.instruments.get(fields.get("symbol", ""))) is None:
            raise Fault(PARAMS, f"params error: symbol invalid {fields.get('symbol', '')}")
        return found

    def market(self, inst: Instrument) -> Market:
        """Its market."""
        return self.exchange.markets[inst.name]

    def parent(self, order: Order | None) -> Algo | None:
        """The conditional order that an order was."""
        return self.exchange.algos.get(order.parent) if order else None

    def order(self, order: Order | Algo) -> Row:
        """The row of an order: a conditional one and what it has placed are one."""
        algo = order if isinstance(order, Algo) else self.parent(order)
        placed = self.exchange.orders.get(algo.child) if algo else order
        return self.row(algo, placed if isinstance(placed, Order) else None)

    def row(self, algo: Algo | None, placed: Order | None) -> Row:
        """The same of the two as they were."""
        symbol = (placed or algo).symbol  # type: ignore[union-attr]  # one of them is there
        return order_row(self.of[symbol], algo, placed, abs(self.exchange.account.position(symbol).lots))

    def all_orders(self) -> list[Order | Algo]:
        """Each order once, the oldest first: conditional ones in place of what they have placed."""
        mine: list[Order | Algo] = [order for order in self.exchange.orders.values() if not order.parent]
        return sorted([*mine, *self.exchange.algos.values()], key=lambda one: one.id)

    def open_orders(self) -> list[Order | Algo]:
        """Those that may still fill or trigger, the oldest first."""
        placed = [self.parent(order) or order for order in self.exchange.open_orders()]
        return sorted([*placed, *self.exchange.open_algos()], key=lambda one: one.id)

    def levels(self, symbol: str) -> tuple[int, int]:
        """(stop, target) of the whole position; 0: none."""
        mine = [algo for algo in self.exchange.open_algos() if algo.symbol == symbol and algo.shape not in (STOP, PART)]
        return max((algo.stop for algo in mine), default=0), max((algo.target for algo in mine), default=0)

    def executions(self) -> list[Row]:
        """Rows of trades and fundings, oldest first."""
        self._read_ledger()
        return self._executions

    def transactions(self) -> list[Row]:
        """Rows of the transaction log, oldest first."""
        self._read_ledger()
        return self._log

    def execution(self, event: Event) -> Row:
        """The row of one trade."""
        return next(row for row in reversed(self.executions()) if row["seq"] == SEQ_BASE + event.bill.id)  # type: ignore[union-attr]

    def _read_ledger(self) -> None:
        """Take what is new in the ledger; its rows never change."""
        while self._read < len(self.exchange.ledger):
            event = self.exchange.ledger[self._read]
            self._read += 1
            if event.kind == log.TRANSFER and event.bill:
                self._log.append(transfer_row(event.bill))
            elif event.bill:
                self._book(event)

    def _book(self, event: Event) -> None:
        bill, order = event.bill, event.order
        assert bill is not None
        inst, contract = self.of[bill.symbol], self.exchange.markets[bill.symbol].contract
        before, algo = self._held[bill.symbol], self.parent(order)
        if order:
            closed = min(bill.lots, abs(before)) if before * order.side < 0 else 0
            self._held[bill.symbol] += order.side * bill.lots
            self._executions.append(execution_row(inst, event, algo, closed, contract))
        else:
            self._executions.append(funding_row(inst, bill, before))
        self._log.append(log_row(inst, event, algo, self._held[bill.symbol], contract))
