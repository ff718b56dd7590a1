"""An amendment of a stop that the venue acknowledges, and that comes to nothing: OKX and Bybit answer as soon as it arrives."""

from typing import Any

import pytest

from engine.core.orders import DONE, WORKING
from engine.venues.answers import moved
from engine.venues.live_port import LiveAnswer
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, Adapted
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.virtual import run_virtual

AMEND = {"okx": "private_post_trade_amend_algos", "bybit": "private_post_v5_order_amend"}


@pytest.fixture(params=AMEND)
def at(request: pytest.FixtureRequest) -> tuple[Adapted, str]:
    """A venue that moves orders in place, and ccxt's name for it."""
    return ADAPTED[request.param], AMEND[request.param]


def forgetful(venue: Any, name: str, times: int, sent: list[Any]) -> None:
    """Let the first amendments be acknowledged and forgotten; all of them are in `sent`."""
    amend = getattr(venue.trading, name)

    async def acknowledged(body: Any) -> Any:
        sent.append(body)
        if len(sent) > times:
            return await amend(body)
        return {"result": {"orderId": "v1"}, "data": [{"algoId": "v1", "sCode": "0"}]}

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


def test_a_move_is_answered_to_the_last_digit(at: tuple[Adapted, str]) -> None:
    """A level a float's error from its tick was moved again and again, since the venue shows the tick."""
    adapted, name = at
    sent = list[Any]()

    async def play(_: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        await venue.place(STOP)
        forgetful(venue, name, 0, sent)
        return await venue.amend(STOP, 58_500.100000000006, 500)

    assert adapted.run(play).price == 58_500.100000000006
    assert len(sent) == 1


def test_a_venue_whose_list_is_late_says_that_it_has_moved(at: tuple[Adapted, str]) -> None:
    """It shows the order as it was, and takes no second move to where it is: moved, not refused."""
    adapted, _ = at

    async def play(_: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        await venue.place(STOP)
        before = await venue.ask(STOP)

        class Late(type(venue)):  # type: ignore[misc]
            """Questions about orders are answered as of before."""

            async def ask(self, order: Any) -> Any:
                """As it was."""
                return before

        return await Late(*venue).amend(STOP, 58_500.0, 500)

    moved = adapted.run(play)
    assert (moved.state, moved.price, moved.lots) == (WORKING, 58_500.0, 500)


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


def test_an_engine_that_drops_amendments_for_three_seconds_is_not_believed() -> None:
    """It had the stop after three seconds, and dropped what was acknowledged before; half of a layer had a stop for 84 s."""
    there = LiveAnswer("ndS1", WORKING, 0, price=59_000.0, lots=160)
    wanted = there._replace(lots=300)

    async def main(loop: Any) -> tuple[LiveAnswer, int]:
        stands, sent, begun = there, 0, loop.time()

        async def ask() -> LiveAnswer:
            return stands

        async def again() -> LiveAnswer:
            nonlocal stands, sent
            sent += 1
            if loop.time() - begun >= 2.4:
                loop.call_later(1.0, take)
            return wanted

        def take() -> None:
            nonlocal stands
            stands = wanted

        await moved(wanted, ask, again)
        return stands, sent

    stands, sent = run_virtual(main, 1_700_000_000_000)
    assert (stands.lots, sent) == (300, 2)
