"""Declared cash: a term of the identity to the cent, in no sleeve; refused without a reason, a right, or the money."""

from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people.cash import declare
from app.people.identity import add_person, identify
from app.people.sessions import Denied
from engine.errors import BadInput, Refused
from engine.watch.identity import cash_events, identity
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: Path) -> Iterator[Home]:
    """A desk with some bars."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 3)
    loop.journal.close()
    yield home  # noqa: PT022 - the loop is closed by then


def put(home: Home, amount: float, reason: str = "from the bank") -> Any:
    """As ann."""
    return declare(home, amount, reason, identify(home.path, "ann", "cli"), WALL_MS)


def test_cash_in_and_out_are_terms_and_reach_no_sleeve(home: Home) -> None:
    """Account = equity + deposits - withdrawals, to the cent; equity and cash of the sleeves stay."""
    before = identity(home.path)
    assert before is not None
    assert (before.deposits, before.withdrawals, before.account) == (0.0, 0.0, before.equity)
    put(home, 1_000.10)
    put(home, 0.20)
    put(home, -250.05)
    after = identity(home.path)
    assert after is not None
    assert (after.deposits, after.withdrawals) == (1_000.30, 250.05)
    assert after.account == round(before.equity + 750.25, 2)
    assert (after.cash, after.equity, after.holds) == (before.cash, before.equity, True)
    assert [event.body["actor"]["name"] for event in cash_events(home.path)] == ["ann"] * 3


@pytest.mark.parametrize("amount", [0.0, 0.001, nan, inf, -inf, 1e13])
def test_what_is_not_an_amount_is_refused(home: Home, amount: float) -> None:
    """And leaves no event."""
    with pytest.raises(BadInput, match="is not an amount"):
        put(home, amount)
    assert cash_events(home.path) == []


def test_parts_of_a_cent_are_refused(home: Home) -> None:
    """100.005 was written down as 100.00; an amount that merely is no exact binary fraction is none of these."""
    with pytest.raises(BadInput, match=r"100\.0050 has parts of a cent"):
        put(home, 100.005)
    put(home, 1_000_000_000.01)
    assert [event.body["amount"] for event in cash_events(home.path)] == [1_000_000_000.01]


def test_more_than_there_is_and_a_missing_reason_are_refused(home: Home) -> None:
    """By the desk's own books."""
    found = identity(home.path)
    assert found is not None
    with pytest.raises(Refused, match="more than the account has"):
        put(home, -found.equity - 0.01)
    with pytest.raises(BadInput, match="needs a reason"):
        put(home, 5.0, "  ")


def test_it_takes_an_approver(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator may not say what the account holds."""
    add_person(home.path, "ann")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "vic", role="operator"))
    with pytest.raises(Denied, match=r"may not declare cash .* \(cash: it takes an approver\)"):
        declare(home, 5.0, "x", identify(home.path, "vic", "cli"), WALL_MS)
