"""One account at OKX over the exchange: its instruments, its settings, and the exchange's ledger in OKX's rows."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.faults import SKEW_MS, Faults
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Market
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.okx.rows import PUSH_ONLY, Row, algo_row, bill_row, fill_row, order_row, transfer_row
from tests.fakes.exchange.okx.words import Fault, Instrument, instrument_of
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.past import Past

LISTED = {"BTC": ("0.01", 10459), "ETH": ("0.1", 10461), "SOL": ("1", 10463)}  # base units a contract, instIdCode


class OkxVenue:
    """One account at OKX, in net mode with isolated margin."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None, simulated: bool = False) -> None:
        self.exchange, self.simulated = exchange, simulated
        self.faults = faults or Faults(exchange.clock)
        markets = exchange.markets
        self.instruments = {
            inst.inst_id: inst for inst in (instrument_of(m.contract, *LISTED[name]) for name, m in markets.items())
        }
        self.of = {inst.name: inst for inst in self.instruments.values()}
        self.noted: Counter[str] = Counter()  # "POST trade/amend-order: clientOrderId" -> how often
        self.calls: list[tuple[str, str, Any]] = []  # (method, path, fields) as they came
        self.position_mode = "net_mode"
        self.permissions, self.ips = "read_only,trade", ""
        self.level, self.margin_mode = "2", "isolated"  # account mode; of positions
        self.key_ended = False  # the key was deleted, or is over
        self.suspended: set[str] = set()  # instIds that are listed and not traded: no order is taken
        self.unknown: set[str] = set()  # those that the venue does not know any more
        self.recounted: dict[str, str] = {}  # field of every listing -> what a maintenance has made of it
        self.old: dict[str, list[Any]] = {}  # answers as they were, for the stale faults
        self._asked: dict[str, deque[int]] = {}  # path -> when it was asked lately
        self._fills: list[Row] = []
        self._bills: list[Row] = []
        self._last: dict[int, Event] = {}  # order -> its last execution
        self._read = 0
        self.swallow = False  # the request under way gets no answer
        self.past = Past(exchange)
        exchange.listeners.append(self._listen)

    def _listen(self, event: Event) -> None:
        if event.kind == log.PRINT:
            self.faults.act(self.exchange)

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

    # ---- the exchange in OKX's words ------------------------------------------------------------------------------------

    def inst(self, fields: Mapping[str, Any], name: str = "instId") -> Instrument:
        """The instrument of a request. Raises Fault 51001."""
        coded = next((inst for inst in self.of.values() if inst.code == fields.get("instIdCode")), None)
        if (found := self.instruments.get(fields.get(name, "")) or coded) is None:
            raise Fault("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return found

    def market(self, inst: Instrument) -> Market:
        """Its market."""
        return self.exchange.markets[inst.name]

    def leverage(self, symbol: str) -> int:
        """Of new orders and the position."""
        return self.exchange.account.position(symbol).leverage

    def order(self, order: Order) -> Row:
        """The row of an order as REST has it: with its last execution, without what only the stream says."""
        self._read_ledger()
        row = order_row(self.of[order.symbol], order, self.leverage(order.symbol), self._last.get(order.id))
        return {name: value for name, value in row.items() if name not in PUSH_ONLY}

    def algo(self, algo: Algo) -> Row:
        """The row of an algo."""
        return algo_row(self.of[algo.symbol], algo, self.leverage(algo.symbol), self.exchange.orders.get(algo.child))

    def fills(self) -> list[Row]:
        """Rows of executions, oldest first."""
        self._read_ledger()
        return self._fills

    def bills(self) -> list[Row]:
        """Rows of bills, oldest first."""
        self._read_ledger()
        return self._bills

    def _read_ledger(self) -> None:
        """Take what is new in the ledger; its rows never change."""
        self.exchange.catch_up()
        for event in self.exchange.ledger[self._read :]:
            if event.kind == log.TRANSFER and event.bill:
                self._bills.append(transfer_row(event.bill))
            elif event.bill:
                inst = self.of[event.bill.symbol]
                self._bills.append(bill_row(inst, event.bill, event))
                if event.kind == log.FILL and event.order:
                    self._fills.append(fill_row(inst, event))
                    self._last[event.order.id] = event
        self._read = len(self.exchange.ledger)
