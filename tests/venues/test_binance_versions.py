"""Versions of a protective order at Binance: what is remembered of them, what a process knows of its own, whose an order is."""

import pytest

from engine.core.orders import DONE, UNKNOWN
from engine.venues.binance import BinanceVenue
from engine.venues.binance_versions import SENT_KEPT, forced_by, keep_sent
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP
from tests.fakes.exchange.played import Played

BINANCE = ADAPTED["binance"]


def test_versions_are_remembered_of_the_orders_that_were_sent_last() -> None:
    """A process lives for months, and places thousands of stops; one that moves stays, however long ago it was placed."""
    sent: dict[str, int] = {}
    keep_sent(sent, "ndS1", 0)
    for n in range(3 * SENT_KEPT):
        keep_sent(sent, f"ndS{n + 2}", 0)
        if n % 500 == 0:
            keep_sent(sent, "ndS1", n)
    assert len(sent) == SENT_KEPT
    assert (sent["ndS1"], "ndS2" in sent) == (2_500, False)


@pytest.mark.parametrize(
    ("client", "forced"),
    [
        ("autoclose-17", "liquidation"),
        ("adl_autoclose", "adl"),
        ("settlement_autoclose-8", "delivery"),
        ("web_1", ""),
        ("ndS1autoclose-", ""),
    ],
)
def test_what_binance_itself_closes_is_named_by_the_ids_that_it_keeps_for_that(client: str, forced: str) -> None:
    """Of nobody's order: the desk's own name is never one of them."""
    assert forced_by(client) == forced


def test_a_stop_that_somebody_cancels_at_the_venue_has_ended_at_once() -> None:
    """This process has sent no newer version that a list might not have yet: its layer does not wait without one."""

    async def gone(played: Played, binance: BinanceVenue) -> list[str]:
        await binance.place(ENTER)
        await binance.place(STOP)
        await binance.amend(STOP, 58_500.0, 300)
        (there,) = played.venue.exchange.open_algos()
        await binance.trading.fapiprivate_delete_algoorder({"symbol": "BTCUSDT", "clientAlgoId": there.client})
        another = binance._replace(last_sent={})  # a process that does not know what was sent before it
        return [(await one.ask(STOP)).state for one in (binance, another)]

    assert BINANCE.run(gone) == [DONE, UNKNOWN]
