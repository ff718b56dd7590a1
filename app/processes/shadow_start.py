"""Connects a desk in shadow to its account: questions alone, by clients that can send nothing else.

Called by app.processes.live_start. The keys may be of a key that only reads. What is asked of the account is what
`nightdesk account check` asks, its fees, its least orders and its balance; and the public book of an instrument.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.processes.account_check import wanted_of
from app.processes.account_start import CLOSE_S, KeyedAccount, keyed, load_markets_of
from engine.errors import DataError
from engine.live.listed import why_off
from engine.live.shadow import ShadowConnection, ShadowFacts, ShadowHome, VenueTerms
from engine.venues.account import faults_at_start, reader_of
from engine.venues.account_client import read_only
from engine.venues.account_facts import AccountReader, VenueListing
from engine.venues.account_instruments import CASH, listed_market, lists
from engine.venues.ccxt_data import Source, market_symbol
from engine.venues.instruments import instrument_of
from engine.venues.order_book import BookRead, read_book

BOOK_S = 5.0  # a book that takes longer says nothing of the moment


def shadow_home(home: Any, data: Any, note: Callable[[str], None], more: Mapping[str, Any]) -> ShadowHome:
    """The account of a home in shadow; `data` gives the clocks. Raises BadInput where its keys cannot be read."""
    account = home.desk.traded
    keys: KeyedAccount = more.get("keys") or keyed(home.desk.account, account, home.path)

    async def connect(instruments: Sequence[str], waits: Callable[[str], None]) -> ShadowConnection:
        def heard(why: str) -> None:
            note(why) if why else None
            waits(why)

        return await connected(home, keys, instruments, heard)

    return ShadowHome(account.venue, account.leverage, data.now_ms, data.sleep, connect)


async def connected(home: Any, keys: KeyedAccount, instruments: Sequence[str], waits: Callable[[str], None]) -> ShadowConnection:
    """The account once its venue has listed its markets. Raises BadInput for an instrument that it lists otherwise."""
    venue, overrides = home.desk.traded.venue, home.desk.overrides()
    clients = [read_only(keys.client()) for _ in range(2)]  # a question about the account never delays one about a book
    asking, public = clients

    async def close() -> None:
        for one in clients:
            with suppress(Exception):
                await asyncio.wait_for(one.close(), CLOSE_S)

    try:
        await load_markets_of(venue, clients, waits, asyncio.sleep)
        names = {}
        for name in instruments:
            _, symbol, market = name.split(":")
            if not lists(venue, symbol, public):
                continue
            listed_market(venue, symbol, public, instrument_of(venue, symbol, market, overrides))
            names[name] = market_symbol(Source(public, venue, 1, 0.0), symbol, market)
    except BaseException:
        await close()
        raise

    async def facts() -> ShadowFacts:
        wanted = await asyncio.to_thread(wanted_of, home, home.desk.account, home.desk.traded)
        reader, terms, off = reader_of(venue, asking), dict[str, VenueTerms](), dict[str, str]()
        for name in instruments:
            listing = await reader.listing(name.split(":")[1])
            why = why_off(listing, began_without=name not in names)
            if listing is None or why:
                off[name] = why
            else:
                terms[name] = await terms_of(reader, name.split(":")[1], listing)
        out = {name.split(":")[1] for name in off}  # it keeps its own sleeves out alone
        symbols = tuple(one for one in wanted.symbols if one.symbol not in out)
        faults = faults_at_start(await keys.report(wanted._replace(symbols=symbols)))
        return ShadowFacts(tuple(faults), await CASH[venue](asking), terms, off)

    async def book(instrument: str) -> BookRead:
        if instrument not in names:
            raise DataError(f"the venue does not list {instrument}", "look at its page of the instrument")
        asked: Awaitable[BookRead] = read_book(public, venue, names[instrument])
        return await asyncio.wait_for(asked, BOOK_S)

    return ShadowConnection(facts, book, close)


async def terms_of(reader: AccountReader, symbol: str, listing: VenueListing) -> VenueTerms:
    """Least order and fees of an instrument that trades."""
    maker, taker = await reader.fees(symbol)
    return VenueTerms(listing.least_qty, listing.least_notional, maker, taker)
