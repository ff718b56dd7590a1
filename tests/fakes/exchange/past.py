"""The account as it was 20 s ago, by the exchange's ledger: what a venue answers whose REST lags behind its streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.account import Position
from tests.fakes.exchange.faults import Faults
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.orders import Algo, Order

LAG_MS = 20_000


class Past:
    """`shown` lets orders, positions and cash of the exchange be read as they were LAG_MS ago. Nothing changes it meanwhile."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self._read = exchange, 0
        self.orders: dict[int, Order] = {}
        self.algos: dict[int, Algo] = {}
        self.ids: dict[tuple[type, str], int] = {}
        self.positions: dict[str, Position] = {}
        self.cash = exchange.account.cash
        self._held: dict[int, tuple[str, Position]] = {}  # line of the ledger -> the position after it
        exchange.listeners.append(self._listen)

    def _listen(self, event: Event) -> None:
        if event.kind == log.FILL and event.order:
            self._held[event.seq] = event.order.symbol, replace(self.exchange.account.position(event.order.symbol))

    def _up_to(self, t_ms: int) -> None:
        while self._read < len(self.exchange.ledger) and self.exchange.ledger[self._read].t_ms <= t_ms:
            event = self.exchange.ledger[self._read]
            self._read += 1
            for one, kept in ((event.order, self.orders), (event.algo, self.algos)):
                if one is not None and one.id:
                    kept[one.id] = one  # type: ignore[index]  # an order among orders, an algo among algos
                    self.ids[type(one), one.client] = one.id
            if event.seq in self._held:
                symbol, held = self._held.pop(event.seq)
                self.positions[symbol] = held
            if event.bill:
                self.cash = event.bill.balance

    @contextmanager
    def shown(self, faults: Faults, private: bool, one: bool) -> Iterator[None]:
        """For a question about the account while a fault lets it lag; `one`: by the id of an order."""
        lags = private and (faults.hit("rest_late") or (not one and faults.hit("lists_late")))
        if not lags:
            yield
            return
        at, account = self.exchange, self.exchange.account
        self._up_to(at.clock() - LAG_MS)
        now = at.orders, at.algos, at._open_orders, at._open_algos, at._ids, account.positions, account.cash
        try:
            faults.lag_ms = LAG_MS
            at.orders, at.algos, at._ids = self.orders, self.algos, self.ids
            at._open_orders = {id_: order for id_, order in self.orders.items() if order.is_open}
            at._open_algos = {id_: algo for id_, algo in self.algos.items() if algo.is_open}
            account.positions, account.cash = {name: replace(held) for name, held in self.positions.items()}, self.cash
            yield
        finally:
            faults.lag_ms = 0
            at.orders, at.algos, at._open_orders, at._open_algos, at._ids, account.positions, account.cash = now
