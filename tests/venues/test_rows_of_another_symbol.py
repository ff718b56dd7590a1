"""Binance's lists that ignore their filter: rows of another symbol beside a symbol's own, with the same numbers."""

from typing import Any

from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, order
from tests.fakes.exchange.played import Played

RESTS = order("ndE2", price=50_000.0)
LISTS = (
    "fapiprivatev3_get_positionrisk",
    "fapiprivate_get_usertrades",
    "fapiprivate_get_openorders",
    "fapiprivate_get_openalgoorders",
)


def listing_others(client: Any, name: str) -> None:
    """Let each row come once more, as of another symbol and before its own; Binance numbers orders and trades by symbol."""
    call = getattr(client, name)

    async def listed(about: Any) -> Any:
        rows = await call(about)
        sizes = {"positionAmt": "-7.0", "qty": "9.0", "origQty": "9.0", "quantity": "9.0"}
        return [row | {"symbol": "ETHUSDT"} | {key: size for key, size in sizes.items() if key in row} for row in rows] + rows

    setattr(client, name, listed)


def test_rows_of_another_symbol_are_not_this_ones() -> None:
    """As at OKX and Bybit (test_mixed_up_answers.py): an execution there was ours here, its position two that differ."""

    async def play(_: Played, venue: Any) -> Any:
        async def said() -> Any:
            trades, standing = (await venue.trades(""))[0], await venue.standing()
            return (await venue.position()).lots, trades, standing

        for one in (ENTER, STOP, RESTS):
            await venue.place(one)
        right = await said()
        for name in LISTS:
            listing_others(venue.polling, name)
        return right, await said()

    right, mixed = ADAPTED["binance"].run(play)
    assert right[0] == 300
    assert len(right[1]) >= 1
    assert len(right[2]) == 2
    assert mixed == right
