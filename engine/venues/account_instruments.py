"""An account's instruments as the live desk trades them (adapters), and what the account has realised, by its venue's own words.

Called by app.processes.account_start with clients that it has made; no key comes here. Cash is of the account, not of an
instrument, so it is beside the port and not in it.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.errors import BadInput, DataError
from engine.venues.account_facts import QUOTE
from engine.venues.answers import silent
from engine.venues.binance import BinanceVenue
from engine.venues.bybit import BybitVenue
from engine.venues.ccxt_data import Source, market_symbol
from engine.venues.instruments import Instrument
from engine.venues.live_port import LiveVenue
from engine.venues.okx import OkxVenue

KEEPS_LOTS = "a home that has begun keeps its lots: see to what is open at the venue's own page, and begin a new home"


def adapter_of(
    venue: str, symbol: str, trading: Any, polling: Any, instrument: Instrument, beside: LiveVenue | None = None
) -> LiveVenue:
    """BTC-USDT of an account as a LiveVenue; `trading` and `polling` are two clients with loaded markets. `beside`: another
    one of the same instrument in this process; they know of each other's versions of stops.

    Raises BadInput as `listed_market`.
    """
    market, lot = listed_market(venue, symbol, trading, instrument)
    if venue == "okx":
        return OkxVenue(trading, polling, instrument, market["id"], lot / Decimal(str(market["contractSize"])))
    if venue == "bybit":
        return BybitVenue(trading, polling, instrument, market["id"], lot)
    sent = beside.last_sent if isinstance(beside, BinanceVenue) else {}
    return BinanceVenue(trading, polling, instrument, market["id"], sent, polling.milliseconds())


def lists(venue: str, symbol: str, client: Any) -> bool:
    """Whether a venue lists BTC-USDT; `client` has loaded its markets."""
    try:
        market_symbol(Source(client, venue, 1, 0.0), symbol, "perp")
    except BadInput:
        return False
    return True


def listed_market(
    venue: str, symbol: str, client: Any, instrument: Instrument, *, begun: bool = False
) -> tuple[Mapping[str, Any], Decimal]:
    """ccxt's market of BTC-USDT, and the desk's lot in base units; `client` has loaded its markets.

    Raises BadInput where the venue does not list it, or where a lot of the desk is no whole number of the venue's steps: lots are
    written into desk.toml before a home has `begun`, and not after it.
    """
    market = client.markets[market_symbol(Source(client, venue, 1, 0.0), symbol, "perp")]
    lot = Decimal(str(instrument.lot_size))
    try:
        step = Decimal(str(market["precision"]["amount"])) * (Decimal(str(market["contractSize"])) if venue == "okx" else 1)
        tick = Decimal(str(market["precision"]["price"]))
        uneven = lot % step != 0 or Decimal(str(instrument.tick)) % tick != 0
    except (KeyError, TypeError, InvalidOperation) as error:
        raise BadInput(
            f"{venue} says no lot and tick of {symbol} that can be read ({type(error).__name__})", "try again"
        ) from None
    if uneven:
        hint = KEEPS_LOTS if begun else f'write them under [instruments."{venue}:{symbol}:perp"] in desk.toml: lot_size, tick'
        raise BadInput(f"{symbol}: the desk counts lots of {lot} at ticks of {instrument.tick}, {venue} {step} and {tick}", hint)
    return market, lot


async def okx_cash(client: Any) -> float:
    """account/balance: cashBal of the currency. Raises DataError."""
    return await _read("OKX", client.private_get_account_balance({"ccy": QUOTE}), _okx)


async def bybit_cash(client: Any) -> float:
    """account/wallet-balance: walletBalance of the coin. Raises DataError."""
    return await _read("Bybit", client.private_get_v5_account_wallet_balance({"accountType": "UNIFIED", "coin": QUOTE}), _bybit)


async def binance_cash(client: Any) -> float:
    """v3/account: walletBalance of the asset. Raises DataError."""
    return await _read("Binance", client.fapiprivatev3_get_account({}), _binance)


CASH: Mapping[str, Callable[[Any], Awaitable[float]]] = {"okx": okx_cash, "bybit": bybit_cash, "binance": binance_cash}


def _okx(answer: Any) -> Any:
    return next(row["cashBal"] for row in answer["data"][0]["details"] if row["ccy"] == QUOTE)


def _bybit(answer: Any) -> Any:
    return next(row["walletBalance"] for row in answer["result"]["list"][0]["coin"] if row["coin"] == QUOTE)


def _binance(answer: Any) -> Any:
    return next(row["walletBalance"] for row in answer["assets"] if row["asset"] == QUOTE)


async def _read(venue: str, asked: Awaitable[Any], find: Callable[[Any], Any]) -> float:
    """The amount of an answer, quote units. An account that never held the currency lists none of it."""
    try:
        found = float(find(await asked))
    except StopIteration:
        return 0.0
    except Exception as error:
        raise silent(venue, "for the balance", error) from error
    if not math.isfinite(found):
        raise DataError(f"{venue} says a balance of {found}")
    return found
