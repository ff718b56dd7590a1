"""Connects the account of a desk: keys, clients, instruments, private stream.

Called by app.processes.live_start. Keys are read here and given to ccxt by engine.venues.account_client; nothing else of the
process sees them. Two clients an account, so that a poll never queues before a stop, two more that only a halt uses, and one for
what the gate asks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from app.home.accounts import AccountEntry
from app.processes.account_check import asked_of
from app.processes.account_claims import key_source
from app.processes.venue_calls import with_calls
from engine.errors import BadInput, DataError
from engine.live.account_loop import AccountConnection
from engine.redaction import redacted
from engine.venues.account import AccountReport, AccountWants, reader_of
from engine.venues.account_client import AccountAddress, connect, corrected_clock, refusal_of
from engine.venues.account_instruments import CASH, adapter_of, listed_market, lists
from engine.venues.account_keys import VenueKeys, read_keys
from engine.venues.gone import GoneVenue
from engine.venues.instruments import instrument_of
from engine.venues.private_stream import PrivateSource

AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
CLOSE_S = 5.0
HINT = "nothing was sent, and it is tried again; nightdesk account check says more"
Client = Callable[[], Any]  # makes a ccxt.pro client of the account


class KeyedAccount(NamedTuple):
    """What takes the keys of an account. `report`: the check of `nightdesk account check`, by a client that only asks."""

    client: Client
    report: Callable[[AccountWants], Awaitable[AccountReport]]


def keyed(name: str, account: AccountEntry, home: Path) -> KeyedAccount:
    """What needs the keys of an account. Raises BadInput where they cannot be read."""
    keys: VenueKeys = read_keys(key_source(name, account), home)
    at = AccountAddress(account.venue, account.mode, account.rest_url, account.ws_url)
    return KeyedAccount(lambda: with_calls(at.venue, connect(at, keys)), lambda wanted: asked_of(account, keys, wanted))


async def connected(
    venue: str,
    instruments: Sequence[str],
    client: Client,
    overrides: Any,
    waits: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    counted: Mapping[str, str] | None = None,
    begun: bool = False,
) -> AccountConnection:
    """The account once its venue has listed its markets; tried again for as long as that takes, `waits` hears why.

    An instrument that the venue does not list is a GoneVenue. Raises BadInput for one that it counts in other steps, or in other
    contracts than what is open there was (`counted`: the steps of those with lots or orders, as the gate had them last).
    `begun`: as of `listed_market`.
    """
    logging.getLogger("ccxt").setLevel(logging.WARNING)  # its DEBUG lines hold headers
    clients = [client() for _ in range(5)]
    trading, polling, halt_trading, halt_polling, asking = clients

    async def close() -> None:
        for one in clients:
            with suppress(Exception):
                await asyncio.wait_for(one.close(), CLOSE_S)

    try:
        await load_markets_of(venue, clients, waits, sleep)
        if not all(lists(venue, name.split(":")[1], trading) for name in instruments):
            await sleep(AGAIN_S[0])  # one list may leave an instrument out
            await load_markets_of(venue, clients, waits, sleep)
        found: list[dict[str, Any]] = [{}, {}]
        for name in instruments:
            _, symbol, market = name.split(":")
            instrument = instrument_of(venue, symbol, market, overrides)
            if not lists(venue, symbol, trading):
                found[0][name] = found[1][name] = GoneVenue(name)
                continue
            market_now, _ = listed_market(venue, symbol, trading, instrument, begun=begun)
            require_same_contract(name, market_now, (counted or {}).get(name, ""), overrides)
            found[0][name] = adapter_of(venue, symbol, trading, polling, instrument)
            found[1][name] = adapter_of(venue, symbol, halt_trading, halt_polling, instrument, found[0][name])
    except BaseException:
        await close()
        raise
    source, reader = PrivateSource(venue, client), reader_of(venue, asking)
    clock = corrected_clock(polling, clients)
    return AccountConnection(found[0], found[1], clock, lambda: CASH[venue](polling), source, reader, close)


def require_same_contract(name: str, market: Mapping[str, Any], before: str, overrides: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a contract of another size than what is open was counted in: executions between two processes would be booked at a
    part of themselves, and exits sized by it. desk.toml's contract_size of the new one is a person's word that all of it fits.
    """
    now = Decimal(str(market["contractSize"])).normalize()
    said = overrides.get(name, {}).get("contract_size")
    if not before or before.startswith(f"contracts of {now:f},") or (said is not None and Decimal(str(said)) == now):
        return
    what = (
        f"{name}: the venue counts contracts of {now:f} by now, and what is open here was counted in {before.partition(',')[0]}"
    )
    way = f'if position and orders there are the desk\'s: contract_size = {now:f} under [instruments."{name}"] in desk.toml'
    raise BadInput(f"{what}; nothing was read or sent", way)


async def load_markets_of(
    venue: str, clients: Sequence[Any], waits: Callable[[str], None], sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Load the markets once, for all clients."""
    attempt = 0
    while True:
        try:
            await _loaded(venue, clients[0])
            break
        except DataError as error:
            waits(f"the account is not connected: {error}")
        await sleep(AGAIN_S[min(attempt, len(AGAIN_S) - 1)])
        attempt += 1
    for one in clients[1:]:
        one.set_markets_from_exchange(clients[0])
    waits("")


async def _loaded(venue: str, client: Any) -> None:
    """Its markets. Raises DataError, also for none: ccxt reads a page of HTML, or an answer without sense, as an empty list."""
    try:
        await client.load_markets(True)  # without it ccxt gives again what it has read before
        if not client.markets and client.last_was_page:
            raise DataError("a page")
    except Exception as error:
        raise DataError(refusal_of(error, client, venue, redacted).text, HINT) from error
    if not client.markets:
        raise DataError(f"{venue} lists no instrument at all", HINT)
