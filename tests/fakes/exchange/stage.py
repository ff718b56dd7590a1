"""An exchange with one or two contracts and a clock that a test moves by hand."""

from collections.abc import Iterable
from decimal import Decimal

from tests.fakes.exchange.market import PICO, Contract, Market, Print, seeded_walk
from tests.fakes.exchange.matching import Exchange

START_MS = 1_700_000_100_000 // 60_000 * 60_000  # a full minute, five to seven hours before a funding
BTC = Contract("BTC", Decimal("0.1"), Decimal("0.0001"), depth_lots=100)
ETH = Contract("ETH", Decimal("0.01"), Decimal("0.001"), depth_lots=200)


class HandClock:
    """UTC ms; moved by hand, never back."""

    def __init__(self, now: int = START_MS) -> None:
        self.now = now

    def __call__(self) -> int:
        """Now."""
        return self.now

    def step(self, ms: int) -> None:
        """Time passes."""
        assert ms >= 0, "the clock never goes back"
        self.now += ms


def flat_path(ticks: int, *moves: tuple[int, int, int]) -> Iterable[Print]:
    """A price that rests at `ticks`, and then moves: (ms after the start, ticks, lots of the print)."""
    return [Print(START_MS, ticks, 1), *(Print(START_MS + after, price, lots) for after, price, lots in moves)]


def small_exchange(clock: HandClock, path: Iterable[Print], quote: int = 100_000, contract: Contract = BTC) -> Exchange:
    """One contract along a path, with `quote` units of cash."""
    return Exchange(clock, {contract.name: Market(contract, path)}, quote * PICO)


def walked_exchange(clock: HandClock, seed: int, count: int = 2_000, quote: int = 100_000) -> Exchange:
    """BTC and ETH on seeded walks, a print a minute each."""
    start = clock()
    markets = {
        "BTC": Market(BTC, seeded_walk(seed, start, 600_000, count)),
        "ETH": Market(ETH, seeded_walk(seed + 1, start, 300_000, count)),
    }
    return Exchange(clock, markets, quote * PICO)
