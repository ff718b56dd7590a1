"""An amendment of a stop that the venue acknowledges, and that comes to nothing: Bybit answers as soon as it arrives."""

from typing import Any

import pytest

from engine.core.orders import DONE, WORKING
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, Adapted
from tests.fakes.exchange.played import Played

AMEND = {"bybit": "private_post_v5_order_amend"}


@pytest.fixture(params=AMEND)
def at(request: pytest.FixtureRequest) -> tuple[Adapted, str]:
    """The venue, and ccxt's name for what moves an order there."""
    return ADAPTED[request.param], AMEND[request.param]


def forgetful(venue: Any, name: str, times: int, sent: list[Any]) -> None:
    """Let the first amendments be acknowledged and forgotten; all of them are in `sent`."""
    amend = getattr(venue.trading, name)

    async def acknowledged(body: Any) -> Any:
        sent.append(body)
        if len(sent) > times:
            return await amend(body)
        return {"result": {"orderId": "v1"}}

    setattr(venue.trading, name, acknowledged)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_stop_that_did_not_move_is_moved_again(at: tuple[Adapted, str], times: int) -> None:
    """Before, two of five lots had no stop for a minute and a half, and nobody was woken: the book had five."""
    adapted, name = at
    sent = list[Any]()

    async def play(_: Played, venue: Any) -> list[Any]:
        await venue.place(ENTER)
        await venue.place(STOP)
        forgetful(venue, name, times, sent)
        return [await venue.amend(STOP, 58_500.0, 500), await venue.ask(STOP)]

    moved, there = adapted.run(play)
    assert [(one.state, one.price, one.lots) for one in (moved, there)] == [(WORKING, 58_500.0, 500)] * 2
    assert len(sent) == times + 1


def test_a_stop_that_ends_meanwhile_has_ended(at: tuple[Adapted, str]) -> None:
    """It was acknowledged, and somebody cancelled it: nothing stands where it should."""
    adapted, name = at

    async def play(_: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        await venue.place(STOP)
        forgetful(venue, name, 1, [])
        await venue.cancel(STOP)
        return await venue.amend(STOP, 58_500.0, 500)

    assert adapted.run(play).state == DONE
