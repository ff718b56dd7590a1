"""An account's instruments and cash, against the three local venues by real ccxt."""

from typing import Any

import pytest

from engine.core.orders import WORKING
from engine.errors import BadInput, DataError
from engine.venues.account_instruments import CASH, adapter_of, listed_market
from engine.venues.instruments import instrument_of
from tests.fakes.exchange.adapted import ADAPTED, ENTER
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.played import Played

VENUES = ("okx", "binance", "bybit")


def lot_of(venue: str, lot: float = 0.0001) -> Any:
    """BTC as the desk counts it."""
    return instrument_of(venue, "BTC-USDT")._replace(lot_size=lot)


@pytest.mark.parametrize("venue", VENUES)
def test_cash_is_what_the_venue_has_realised(venue: str) -> None:
    """Before a trade, and after an entry's fee; without an answer DataError, never a zero. The adapter that was made by the
    venue's own list places that entry as the one made by hand does."""

    async def script(played: Played, _: Any) -> None:
        await played.client.load_markets()
        made = adapter_of(venue, "BTC-USDT", played.client, played.client, lot_of(venue))
        account = played.venue.exchange.account
        assert await CASH[venue](played.client) == account.cash / PICO == 100_000.0
        assert (await made.place(ENTER)).state == WORKING
        await played.wait(1_000)
        assert (await made.position()).lots == ENTER.lots
        assert account.cash < 100_000 * PICO
        assert await CASH[venue](played.client) == pytest.approx(account.cash / PICO, abs=1e-8)
        played.venue.faults.on("html", 60_000)
        with pytest.raises(DataError, match=r"did not answer|balance"):
            await CASH[venue](played.client)

    ADAPTED[venue].run(script)


@pytest.mark.parametrize("venue", VENUES)
def test_a_lot_that_the_venue_cannot_count_refuses_the_start(venue: str) -> None:
    """Each order would be refused later; the line says which steps it has and where to write them; a home that has begun keeps
    its lots.
    """

    async def script(played: Played, _: Any) -> None:
        await played.client.load_markets()
        with pytest.raises(BadInput, match=r"write them under .instruments"):
            adapter_of(venue, "BTC-USDT", played.client, played.client, lot_of(venue, 0.00003))
        for begun, advice in ((True, "begin a new home"), (False, "lot_size, tick")):
            with pytest.raises(BadInput) as caught:
                listed_market(venue, "BTC-USDT", played.client, lot_of(venue, 0.00003), begun=begun)
            assert caught.value.hint.endswith(advice)
        with pytest.raises(BadInput, match="has no perp XRP-USDT"):
            adapter_of(venue, "XRP-USDT", played.client, played.client, lot_of(venue))

    ADAPTED[venue].run(script)
