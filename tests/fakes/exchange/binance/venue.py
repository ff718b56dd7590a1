"""One account at Binance USD-M over the exchange: its instruments, its settings, and the ledger in Binance's rows."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.binance.rows import Row, algo_row, fill_row, income_row, order_row, transfer_row
from tests.fakes.exchange.binance.words import Fault, Instrument, required
from tests.fakes.exchange.faults import SKEW_MS, Faults
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.market import Market
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.past import Past

KEY_MS = 3_600_000  # life of a listen key


class BinanceVenue:
    """One account at Binance USD-M, in one-way mode with isolated margin."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None) -> None:
        self.exchange = exchange
        exchange.ids_come_again = True  # a client id is unique among open orders alone
        self.faults = faults or Faults(exchange.clock)
        self.of = {name: Instrument(market.contract) for name, market in exchange.markets.items()}
        self.instruments = {inst.symbol: inst for inst in self.of.values()}
        self.noted: Counter[str] = Counter()  # "POST fapi/v1/order: stopLoss" -> how often
        self.calls: list[tuple[str, str, Any]] = []  # (method, path, fields) as they came
        self.hedge_mode = False
        self.margin_types = dict.fromkeys(self.instruments, "ISOLATED")
        self.rights = {"enableReading": True, "enableFutures": True, "enableWithdrawals": False, "ipRestrict": False}
        self.multi_assets = False
        self.key_ended = False  # the key was deleted, or is over
        self.suspended: set[str] = set()  # symbols that are listed and not traded: no order is taken
        self.unknown: set[str] = set()  # those that the venue does not know any more
        self.recounted: dict[str, str] = {}  # field of every listing -> what a maintenance has made of it
        self.key_ends_ms, self._key = 0, 0  # of the listen key
        self.books = dict.fromkeys(self.instruments, 600_859_000_000)  # update id of each book: it moves with every print
        self.old: dict[str, Any] = {}  # answers as they were, for the stale faults
        self._asked: dict[str, deque[int]] = {}  # limit -> when it was used lately
        self._fills: list[Row] = []
        self._income: list[Row] = []
        self._read = 0
        self.swallow = False  # the request under way gets no answer
        self.past = Past(exchange)
        exchange.listeners.append(self._listen)

    def _listen(self, event: Event) -> None:
        if event.kind == log.PRINT:
            self.books[self.of[event.why].symbol] += 10
            self.faults.act(self.exchange)

    @property
    def now(self) -> int:
        """The venue's clock, UTC ms."""
        return self.exchange.clock() + (SKEW_MS if self.faults.open_windows("clock_skew") else 0)

    @property
    def listen_key(self) -> str:
        """The key of the user stream; empty where it has expired or was never asked for."""
        return f"key{self._key:061d}" if self.exchange.clock() < self.key_ends_ms else ""

    def renewed_key(self) -> str:
        """The listen key, alive for an hour from now."""
        self._key += not self.listen_key
        self.key_ends_ms = self.exchange.clock() + KEY_MS
        return self.listen_key

    def within(self, limit: str, most: int, span_ms: int) -> bool:
        """Whether one more request is not too many for a limit; it counts if so."""
        times = self._asked.setdefault(limit, deque())
        while times and times[0] <= self.exchange.clock() - span_ms:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(self.exchange.clock())
        return True

    # ---- the exchange in Binance's words --------------------------------------------------------------------------------

    def inst(self, fields: Mapping[str, Any]) -> Instrument:
        """The instrument of a request. Raises Fault -1121."""
        if (found := self.instruments.get(required(dict(fields), "symbol"))) is None:
            raise Fault(-1121, "Invalid symbol.")
        return found

    def wanted(self, fields: Mapping[str, Any]) -> list[Instrument]:
        """The instrument of a request, or all of them where it names none. Raises Fault -1121."""
        return [self.inst(fields)] if fields.get("symbol") else list(self.instruments.values())

    def market(self, inst: Instrument) -> Market:
        """Its market."""
        return self.exchange.markets[inst.name]

    def leverage(self, symbol: str) -> int:
        """Of new orders and the position."""
        return self.exchange.account.position(symbol).leverage

    def order(self, order: Order) -> Row:
        """The row of an order."""
        return order_row(self.of[order.symbol], order)

    def algo(self, algo: Algo) -> Row:
        """The row of a conditional order, with what it has placed."""
        return algo_row(self.of[algo.symbol], algo, self.exchange.orders.get(algo.child))

    def fills(self) -> list[Row]:
        """Rows of executions, oldest first."""
        self._read_ledger()
        return self._fills

    def income(self) -> list[Row]:
        """Rows of what has changed the balance, oldest first."""
        self._read_ledger()
        return self._income

    def _read_ledger(self) -> None:
        """Take what is new in the ledger; its rows never change."""
        self.exchange.catch_up()
        for event in self.exchange.ledger[self._read :]:
            if event.kind == log.TRANSFER and event.bill:
                self._income.append(transfer_row(event.bill))
            elif event.bill:
                inst = self.of[event.bill.symbol]
                self._income += income_row(inst, event.bill)
                if event.kind == log.FILL:
                    self._fills.append(fill_row(inst, event))
        self._read = len(self.exchange.ledger)
