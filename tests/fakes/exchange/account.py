"""One account: cash, net positions on isolated margin, and a bill for every change of the cash. Exact, in integers.

A position keeps its cost (lots times ticks), not an average: closing n of N lots takes cost * n // N with it, so that nothing is
lost to rounding and a flat position has cost 0. Cash = opening cash + the sum of the bills, always.
"""

from dataclasses import dataclass
from typing import NamedTuple

from tests.fakes.exchange.market import Contract

TRADE_BILL, FUNDING_BILL = "trade", "funding"
TRANSFERS = (
    "deposit",
    "withdrawal",
    "bonus",
    "rebate",
    "interest",
    "clawback",
    "strange",
)  # the last: of a type that is in no table


class Bill(NamedTuple):
    """One change of the cash."""

    id: int
    t_ms: int
    kind: str
    symbol: str
    cash: int  # pico, positive: received
    balance: int  # pico after it
    lots: int
    ticks: int  # price of the trade, mark of the funding
    pnl: int = 0
    fee: int = 0  # pico, positive: it cost
    trade: int = 0
    order: int = 0


@dataclass
class Position:
    """Net lots (negative: short) and what they cost."""

    lots: int = 0
    cost: int = 0  # lots times ticks, signed like lots
    leverage: int = 3
    opened_ms: int = 0
    updated_ms: int = 0
    realized: int = 0  # pico since it was opened: profit, fees and funding
    fees: int = 0
    funding: int = 0
    trade: int = 0  # the last one

    def part(self, lots: int) -> int:
        """The cost of `lots` of it, signed like the position."""
        return self.cost * lots // abs(self.lots)


class Account:
    """Cash in pico and a position a symbol."""

    def __init__(self, cash: int) -> None:
        self.opening = self.cash = cash
        self.positions: dict[str, Position] = {}
        self.bills: list[Bill] = []
        self._bill = 0

    def position(self, symbol: str) -> Position:
        """The position of a symbol, flat if there was never one."""
        return self.positions.setdefault(symbol, Position())

    def trade(self, contract: Contract, side: int, lots: int, ticks: int, maker: bool, trade: int, order: int, t_ms: int) -> Bill:
        """Book an execution: what it closes is realised, what it opens is cost, its fee is paid."""
        held = self.position(contract.name)
        if held.lots == 0:
            self.positions[contract.name] = held = Position(leverage=held.leverage, opened_ms=t_ms)
        closing = min(lots, abs(held.lots)) if side * held.lots < 0 else 0
        pnl = 0
        if closing:
            cost = held.part(closing)
            pnl = (-side * closing * ticks - cost) * contract.pico
            held.cost -= cost
            held.lots += side * closing
        if lots > closing and closing and held.lots == 0:  # it goes through flat: a new position begins
            self.positions[contract.name] = held = Position(leverage=held.leverage, opened_ms=t_ms)
        held.lots += side * (lots - closing)
        held.cost += side * (lots - closing) * ticks
        rate = contract.maker_ppm if maker else contract.taker_ppm
        fee = lots * ticks * contract.pico * rate // 1_000_000
        held.realized += pnl - fee
        held.fees += fee
        held.updated_ms, held.trade = t_ms, trade
        return self._book(t_ms, TRADE_BILL, contract.name, pnl - fee, lots, ticks, pnl, fee, trade, order)

    def fund(self, contract: Contract, mark: int, rate_e8: int, t_ms: int) -> Bill | None:
        """Settle funding: a long pays a positive rate. None while flat."""
        held = self.position(contract.name)
        if held.lots == 0:
            return None
        cash = -(held.lots * mark * contract.pico * rate_e8 // 10**8)
        held.realized += cash
        held.funding += cash
        return self._book(t_ms, FUNDING_BILL, contract.name, cash, abs(held.lots), mark, 0, 0, 0, 0)

    def transfer(self, kind: str, cash: int, t_ms: int) -> Bill:
        """Money that comes or goes beside every trade: one of TRANSFERS."""
        assert kind in TRANSFERS, kind
        return self._book(t_ms, kind, "", cash, 0, 0, 0, 0, 0, 0)

    def unrealized(self, contract: Contract, ticks: int) -> int:
        """Pico that the position would realise at `ticks`."""
        held = self.position(contract.name)
        return (held.lots * ticks - held.cost) * contract.pico

    def margin(self, contract: Contract) -> int:
        """Pico that the position binds."""
        held = self.position(contract.name)
        return abs(held.cost) * contract.pico // held.leverage

    def _book(self, t_ms: int, kind: str, symbol: str, cash: int, *rest: int) -> Bill:
        self.cash += cash
        self._bill += 1
        lots, ticks, pnl, fee, trade, order = rest
        bill = Bill(self._bill, t_ms, kind, symbol, cash, self.cash, lots, ticks, pnl, fee, trade, order)
        self.bills.append(bill)
        return bill
