"""What the check of an account asks a venue: the same questions of okx, binance and bybit. Called by engine.venues.account."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

QUOTE = "USDT"  # what the desk counts its cash in; what settles in another coin is not listed to it
AGAIN_S = 1.0  # before a venue is asked once more for what its list has left out: an answer may be empty for once


class KeyRights(NamedTuple):
    """What a key may do. None: the venue does not say."""

    trades: bool
    withdraws: bool | None
    transfers: bool = False  # between accounts of the same owner
    ips: tuple[str, ...] | None = None  # addresses that it is bound to; empty: any
    days_left: int | None = None  # None: the venue names no end
    end_is_named: bool = False  # whether the venue names an end at all


class AccountSettings(NamedTuple):
    """How an instrument's positions are held in the account."""

    one_way: bool
    margin: str  # isolated, or the venue's own word
    leverage: float | None  # None: the venue does not say


class VenueListing(NamedTuple):
    """An instrument as the venue lists it."""

    trades: bool
    state: str  # the venue's own word
    least_qty: float  # base units
    least_notional: float  # quote units
    price: float  # mark, or last
    steps: str = ""  # what the venue counts in, in words: another text is other rules


class OpenItem(NamedTuple):
    """An order or a position that is open in the account."""

    symbol: str  # the venue's
    text: str  # buy 0.1 at 60000
    client_id: str = ""


class AccountReader(Protocol):
    """One account. Questions only; each raises what ccxt raises. Symbols are the desk's: BTC-USDT."""

    async def time_ms(self) -> int:
        """The venue's clock, UTC ms."""

    async def rights(self) -> KeyRights:
        """What the key may do."""

    async def settings(self, symbol: str) -> AccountSettings:
        """Position mode, margin, leverage of an instrument."""

    async def orders(self) -> Sequence[OpenItem]:
        """Every open order of the account's USDT perpetuals, conditional ones too."""

    async def positions(self) -> Sequence[OpenItem]:
        """Every open position of them."""

    async def fees(self, symbol: str) -> tuple[float, float]:
        """(maker, taker) as fractions of notional; negative: a rebate."""

    async def listing(self, symbol: str) -> VenueListing | None:
        """The instrument; None where the venue does not list it."""


def steps_text(contract: object, lot: object, tick: object) -> str:
    """`steps` of a listing: of how many base units a contract is, how many of them are the least step, and the tick."""
    contract, lot, tick = (f"{Decimal(str(value)).normalize():f}" for value in (contract, lot, tick))
    return f"contracts of {contract}, {lot} at a time, at ticks of {tick}"


def side_text(buys: bool, size: object, price: object) -> str:
    """An order or a position in words."""
    at = f" at {price}" if price not in (None, "", "0", 0) else ""
    return f"{'buy' if buys else 'sell'} {size}{at}"


async def listed_rows(ask: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]) -> Sequence[Mapping[str, Any]]:
    """The rows of a list of instruments; none only where two answers have none: one would take an instrument off."""
    if rows := await ask():
        return rows
    await asyncio.sleep(AGAIN_S)
    return await ask()
