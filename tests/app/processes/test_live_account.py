"""A home that trades an account on live data: entry, stop, halt and restarts at the local venues, by the worker itself."""

from pathlib import Path

import pytest

from tests.fakes.live_homes import LiveHome, lived


def stands(home: LiveHome) -> list[float]:
    """Levels of the conditional orders at the venue."""
    return [algo.trigger for algo in home.played.venue.exchange.open_algos()]


@pytest.mark.parametrize("venue", ["okx"])
def test_a_position_is_entered_protected_and_found_again(own_home: Path, venue: str) -> None:
    """An entry at a close, its stop at the venue, a clean stop that leaves both, and a start that goes on with them."""

    async def script(home: LiveHome) -> None:
        exchange = home.played.venue.exchange
        home.start()
        await home.until(lambda: exchange.account.position("BTC").lots)
        await home.minutes(0.2)
        assert len(exchange.open_algos()) == 1
        print(home.book.orders.open, exchange.open_algos())
        await home.stop()

    lived(own_home, venue, script, account=True)
