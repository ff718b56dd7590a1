"""What a desk in shadow refuses in its account's place, and that each order is noted once."""

from types import SimpleNamespace as Stub
from typing import Any

import pytest

from engine.core.orders import REJECTED, WORKING, VenueOrder
from engine.core.state import ENTRY, PROTECTIVE
from engine.live.shadow import ShadowFacts, ShadowHome, ShadowLive, Unsent, VenueTerms, with_book, without_book
from engine.venues.order_book import BookRead
from engine.venues.shadow import ShadowVenue
from tests.fakes.desks import RULES

PERP = "okx:BTC-USDT:perp"
TERMS = VenueTerms(0.001, 100.0, 0.0002, 0.0005)
BOOK = BookRead(((99.0, 5.0),), ((101.0, 5.0),))


def order(lots: int, slot: int = ENTRY, price: float = 0.0) -> VenueOrder:
    """Of 0.0001 base units a lot."""
    return VenueOrder("ndaaaa00000001E00", 0, slot, 1, 1, lots, price, 0, 1, 0.0, 1.0, 0)


def desk(facts: ShadowFacts | None, held: float = 0.0) -> ShadowLive:
    """At a price of 60,000, with 3 times leverage; `held`: notional of what is open."""
    rules = RULES._replace(lot_size=0.0001)
    sleeve = Stub(position=Stub(open_layers=int(held > 0.0)), ledger=Stub(notional=held))
    bars = [Stub(close=60_000.0)] * (rules.bars + 1)
    loop: Any = Stub(book=Stub(specs=[Stub(source={"instrument": PERP}, rules=rules)], sleeves=[sleeve], bars=bars, basket=None))
    home: Any = ShadowHome("okx", 3, lambda: 0, None, None)  # type: ignore[arg-type]
    found = ShadowLive(loop, lambda: None, {}, home)
    found.facts = facts
    return found


@pytest.mark.parametrize(
    ("lots", "balance", "held", "words"),
    [
        (20, 1_000.0, 0.0, ""),
        (9, 1_000.0, 0.0, "takes no less than 0.001"),
        (16, 1_000.0, 0.0, "0.0016 for 96.00 USDT"),
        (20, 39.0, 0.0, "40.00 USDT of margin are needed, the account has 39.00"),
        (20, 40.0, 0.0, ""),
        (20, 340.0, 1_000.0, "373.33 USDT of margin"),
        (20, float("nan"), 0.0, "the account has nan"),
    ],
)
def test_the_accounts_own_rules_refuse(lots: int, balance: float, held: float, words: str) -> None:
    """Least order in units and in money, and margin with what is open; a balance that is no number is none."""
    why = desk(ShadowFacts((), balance, {PERP: TERMS}, {}), held)._refused(order(lots))
    assert why.startswith("shadow: ") if words else not why
    assert words in why


@pytest.mark.parametrize("facts", [None, ShadowFacts((), 1_000.0, {}, {})])
def test_an_account_that_was_not_asked_takes_nothing(facts: ShadowFacts | None) -> None:
    """An entry of before the start, handed over again."""
    assert "was not asked yet" in desk(facts)._refused(order(20))


def test_each_order_is_noted_once_and_stops_are_never_refused() -> None:
    """The same id again, as a start hands it over, changes and notes nothing."""
    noted: list[tuple[int, str]] = []
    venue = ShadowVenue((), lambda _order: "no", lambda one, why: noted.append((one.slot, why)))
    assert (venue.place(order(20)).state, venue.open_orders()) == (REJECTED, [])
    stop = order(20, PROTECTIVE, 59_000.0)
    assert [venue.place(stop).state, venue.place(stop).state] == [WORKING, WORKING]
    assert noted == [(ENTRY, "no"), (PROTECTIVE, "")]


def test_a_limit_says_whether_it_would_have_taken() -> None:
    """At the ask or above it, for a buyer; one without a book says why."""
    body: Any = {"side": 1, "units": 1.0, "unread": ""}
    found = [with_book(Unsent(body, 0, limit), BOOK, 5).get("crosses") for limit in (100.9, 101.0)]
    assert found == [False, True]
    assert with_book(Unsent(body, 0, 0.0), BOOK, 5)["book_bps"] == pytest.approx(100.0)
    assert without_book(Unsent(body, 0, 0.0), "late")["unread"] == "late"
