"""A basket on testnet, by the worker itself at a local venue: legs are orders there, and a restart goes on."""

from pathlib import Path

import pytest

from app.people.stages import facts_of
from tests.app.processes.test_basket_shadow import lots_at
from tests.app.processes.test_live_account import proven
from tests.fakes.live_baskets import COINS, lived_basket
from tests.fakes.live_homes import LiveHome


def lots_of(home: LiveHome) -> list[int]:
    """What the book has of each leg."""
    return [s.position.side * sum(layer.lots for layer in s.position.layers) for s in home.book.sleeves]


async def traded(home: LiveHome, pairs: int) -> int:
    """A worker that has entered so many pairs, restarts, and goes on to the end of a round trip; how many there were."""
    home.start()
    await home.until(lambda: home.book is not None and home.book.basket.whole.entries >= pairs and any(lots_at(home)), 400)
    await home.minutes(1)
    assert lots_of(home) == lots_at(home)
    stops = {coin: sum(a.lots for a in home.played.venue.exchange.open_algos() if a.symbol == coin) for coin in COINS}
    assert [stops[coin] for coin in COINS] == [abs(lots) for lots in lots_at(home)]
    await home.stop()
    home.start()
    await home.until(lambda: home.book is not None and home.book.basket.whole.ledger.trips >= 1, 400)
    await home.minutes(1)
    assert lots_of(home) == lots_at(home)
    assert not home.book.differences
    assert not [pair for pair in home.book.basket.pairs if (pair.lots_a == 0) != (pair.lots_b == 0)]
    await home.stop()
    facts = facts_of(home.path, "pairs")
    assert (facts.place, facts.trips) == ("testnet", home.book.basket.whole.ledger.trips)
    proven(home)
    return facts.trips


@pytest.mark.slow
def test_legs_are_orders_of_the_account(own_home: Path) -> None:
    """Book, venue and stops agree leg by leg, before and after a restart."""

    async def script(home: LiveHome) -> int:
        return await traded(home, 1)

    assert lived_basket(own_home, "okx", script, mode="testnet") >= 1


@pytest.mark.long
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_at_other_venues(own_home: Path, venue: str) -> None:
    """The same."""

    async def script(home: LiveHome) -> int:
        desk = home.path / "desk.toml"  # Binance's least order of BTC is 100 USDT: a smallest leg had 59
        desk.write_text(desk.read_text().replace("cash = 10000.0", "cash = 20000.0"))
        return await traded(home, 3)

    assert lived_basket(own_home, venue, script, mode="testnet") >= 1
