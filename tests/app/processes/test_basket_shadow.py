"""A basket in shadow of an account, by the worker itself at the local venues: its legs' orders are noted beside the venue's
books, its pairs trade as on paper, and nothing of it leaves.
"""

from pathlib import Path

import pytest

from app.home.home import open_home
from app.people.stages import facts_of
from app.processes.account_check import wanted_of
from tests.app.processes.test_live_account import proven
from tests.app.processes.test_shadow import listened, orders_of
from tests.fakes.live_baskets import COINS, lived_basket, written_basket
from tests.fakes.live_homes import LiveHome

PERPS = [f"okx:{coin}-USDT:perp" for coin in COINS]


def lots_at(home: LiveHome) -> list[int]:
    """What the account holds of each coin."""
    return [home.played.venue.exchange.account.position(coin).lots for coin in COINS]


@pytest.mark.slow
def test_legs_are_noted_with_their_books_and_pairs_trade_as_on_paper(own_home: Path) -> None:
    """Each net order of a leg says which pairs want it, and what the book would have taken; nothing reaches the venue's door."""

    async def script(home: LiveHome) -> None:
        seen = listened(home)
        home.start()
        await home.until(lambda: sum(event.body["slot"] != "protective" for event in home.events("fill")) >= 8, 400)
        notes = orders_of(home)
        intents = {event.body["order"]: event.body for event in home.events("intent")}
        assert {note["order"] for note in notes} == set(intents)
        at_market = [note for note in notes if note["slot"] != "protective"]
        assert all(note["parts"] == intents[note["order"]]["parts"] != {} for note in at_market)
        assert all("parts" not in note for note in notes if note["slot"] == "protective")
        compared = [note for note in at_market if "book_bps" in note]
        assert len(compared) >= 0.8 * len(at_market)
        assert all(note["attached_level"] for note in at_market if note["slot"] == "entry")
        assert {note["instrument"] for note in notes} == set(PERPS)
        assert not any(note["refused"] for note in notes)
        await home.stop()
        facts = facts_of(home.path, "pairs")
        assert (facts.place, facts.stage, facts.trips) == ("shadow", "paper", home.book.basket.whole.ledger.trips)
        assert facts.sleeve["instrument"] == PERPS
        assert {method for method, _ in seen} == {"GET"}
        assert (lots_at(home), len(home.played.venue.exchange.orders)) == ([0, 0, 0], 0)
        proven(home)

    lived_basket(own_home, "okx", script, mode="shadow")


@pytest.mark.slow
def test_a_leg_that_its_venue_does_not_trade_keeps_its_own_pairs_out(own_home: Path) -> None:
    """Taken away while the basket is flat: the pair without it trades on."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.until(lambda: home.book is not None and not home.book.health, 10)
        venue = home.played.venue
        venue.suspended.update(name for name in venue.instruments if name.startswith(COINS[1]))
        await home.until(lambda: PERPS[1] in home.book.off, 8)
        before = len(home.events("intent"))
        await home.until(lambda: len(home.events("intent")) >= before + 8, 900)
        assert {PERPS[0], PERPS[2]} == {note["instrument"] for note in orders_of(home)[before:]}
        proven(home)

    lived_basket(own_home, "okx", script, mode="shadow")


def test_the_account_is_asked_about_each_leg(own_home: Path) -> None:
    """As a leg of a pair with half of the basket's money, not as its first leg alone."""
    written_basket(own_home, "okx", "shadow")
    home = open_home(0)
    wanted = wanted_of(home, "main", home.desk.accounts["main"])
    assert [one.symbol for one in wanted.symbols] == [f"{coin}-USDT" for coin in COINS]
    assert {one.layer(100.0)[1] for one in wanted.symbols} == {f"pairs-{coin.lower()}-usdt" for coin in COINS}


@pytest.mark.long
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_nothing_leaves_at_other_venues(own_home: Path, venue: str) -> None:
    """A day of pairs: entries, exits and stops are noted, the account stays untouched."""

    async def script(home: LiveHome) -> None:
        seen = listened(home)
        home.start()
        await home.minutes(24 * 60)
        notes = orders_of(home)
        assert {"entry", "exit", "protective"} <= {note["slot"] for note in notes}
        await home.stop()
        assert {method for method, _ in seen} == {"GET"}
        assert lots_at(home) == [0, 0, 0]
        proven(home)

    lived_basket(own_home, venue, script, mode="shadow")
