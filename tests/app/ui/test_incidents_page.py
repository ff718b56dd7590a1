"""The desk page about what is not the strategies': drawn when there is something, each difference with what a person can do."""

import re
from typing import Any

import pytest

from app.ui import incidents, overview
from app.ui.figures import of_strategy
from app.ui.safe import typeset
from tests.app.ui.fake_accounts import CID, order
from tests.app.ui.fake_api import ROUTES, Fake
from tests.app.ui.fake_figures import hold_line
from tests.app.ui.fake_shapes import NOW_MS, desk
from tests.app.ui.looking import page, texts_of

WINDOW = {
    "id": "w1",
    "state": "open",
    "opened_ms": NOW_MS - 3_600_000,
    "closed_ms": None,
    "closed_by": None,
    "cause": "odd <img src=x>",
    "sleeves": ["btc-trend"],
    "instruments": [],
    "pnl": 113.0,
    "opened_event": "d-4",
}
LISTED = {"items": [WINDOW], "total": 3, "pnl": {"whole": 42.43, "incident": 113.0, "strategy": -70.57}}
DIFFERS = {
    "differences": [
        {
            "what": "odd",
            "text": "trade odd is of an order that this desk does not know",
            "event": "d-4",
            "choices": [
                {"choice": "adopt", "does": "nightdesk adopt odd --keep"},
                {"choice": "wait", "does": "no sleeve enters"},
            ],
        }
    ],
    "entries_blocked": True,
    "blocked": {"executions": "missing"},
    "dust": [],
    "orphans": [{"instrument": "okx:BTC-USDT:perp", "lots": 10, "tries": 2}],
    "windows": ["w1"],
}


def test_nothing_is_drawn_or_asked_without_an_incident() -> None:
    """The usual desk: no panel, no further request."""
    assert not incidents.concerns(desk())
    assert incidents.concerns(desk() | {"incident": 0.0})
    assert incidents.concerns(desk() | {"entries_blocked": True})


def test_the_page_shows_both_parts_the_card_and_how_a_window_ends(fake: Fake) -> None:
    """The published month: +42.43 is -70.57 of the strategies and +113.00 in incidents. What came from outside is text."""
    fake.desk |= {"incident": 113.0, "windows": ["w1"], "entries_blocked": True}
    added = {("GET", "/api/incidents"): lambda f, q, b: LISTED, ("GET", "/api/reconcile"): lambda f, q, b: DIFFERS}
    ROUTES.update(added)
    try:
        seen = texts_of(page(tab="desk"))
    finally:
        for route in added:
            del ROUTES[route]
    for words in ("+42.43", "−70.57", "+113.00", "nightdesk adopt odd --keep", "10 lots that no order explains"):
        assert words in seen, words
    assert "A window ends when a person closes it; its page has the command." in seen
    assert "window=w1" in seen
    assert "and 2 older" in seen
    assert ">P&amp;L, USDT<" in seen
    assert "21 Sep 13:13:20Z, open" in seen
    assert "<img src=x>" not in seen


@pytest.mark.parametrize(("sleeves", "said"), [(-4.22, True), (-4.35, False)])
def test_what_is_of_no_sleeve_is_said(sleeves: float, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round trip's cost is in the windows and in no equity: the two figures beside each other differ by it."""
    heads = list[str]()
    monkeypatch.setattr(incidents.parts, "head", lambda _, text: heads.append(text))
    monkeypatch.setattr(incidents.parts, "table", lambda *args, **more: None)
    monkeypatch.setattr(incidents.parts, "soft", lambda _: None)
    pnl = {"whole": -4.35, "incident": -1.21, "strategy": -3.14, "sleeves": {"a": {"whole": sleeves}}}
    incidents._windows({"items": [], "total": 0, "pnl": pnl}, NOW_MS)
    assert ("\u22120.13 of it of no sleeve and in no equity here" in heads[0]) is said


def test_a_strategys_figure_leaves_incidents_out() -> None:
    """Where the API says the part of the strategies, that is shown; the desk's tile names the rest."""
    assert (of_strategy({"net": 5.0}), of_strategy({"net": 5.0, "strategy": -2.0})) == (5.0, -2.0)
    made = {None: {"start": {"net": 42.43, "incident": 113.0, "strategy": -70.57, "r": None, "trips": 2}}}
    tile = next(t for t in overview.tiles(desk(), made, hold_line()) if t["name"].startswith("Since"))
    assert (tile["value"], tile["note"]) == ("\u221270.57", "holding \u22122,950 · +42.43 with incidents")


ONE: dict[str, Any] = {
    **WINDOW,
    "opened_by": "vera",
    "opened_wall_ms": NOW_MS,
    "closed_wall_ms": None,
    "causes": ["<img src=x>"],
    "lesson": None,
    "realised": 120.0,
    "fees": 7.0,
    "funding": 0.0,
    "orphans": 0.0,
    "orders": [f"nd{n}" for n in range(50)],
    "runbooks": ["incident"],
    "lasting": [],
}


def window(fake: Fake, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> str:
    """The page of an incident window."""
    monkeypatch.setitem(ROUTES, ("GET", r"/api/incidents/(w\d+)"), lambda f, q, b, i: ONE | changes)
    return texts_of(page(tab="desk", view="alerts", window="w1"))


def test_a_windows_page_says_how_it_is_closed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command with its own id and this person's name, its P&L apart, the newest orders with their pages."""
    text = window(fake, monkeypatch)
    for words in ("Incident w1", "nightdesk incidents close w1 --as vera", "in no strategy", "order=nd49", "and 10 before"):
        assert words in text, words
    assert "order=nd9&" not in text
    assert "<img src=x>" not in text


def test_an_order_of_a_window_says_what_it_was(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose, what for, side, size and state; one that ended long ago is its id."""
    monkeypatch.setitem(ROUTES, ("GET", "/api/orders"), lambda f, q, b: {"items": [order()]})
    text = window(fake, monkeypatch, orders=["nd1", CID])
    words = [one.strip() for one in re.sub(r"<[^>]+>", "\n", text).splitlines() if one.strip()]
    at = words.index("now")
    assert words[at + 1 : at + 7] == ["btc-trend entry", "buy 0.001", "partial", "nd1", "–", "ended"]
    assert f"order={CID}" in text


def test_while_its_cause_lasts_nobody_is_sent_to_close_it(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The close would be refused."""
    text = window(fake, monkeypatch, lasting=["the feed is stale"])
    assert "It lasts: the feed is stale." in text
    assert "nightdesk incidents close" not in text


def test_a_closed_one_shows_its_lesson(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closed it, and what was learned."""
    text = window(fake, monkeypatch, closed_ms=NOW_MS, closed_by="vera", lesson="watch the index")
    assert "Closed by vera." in text
    assert "Lesson: watch the index." in text


def test_a_window_that_never_was_is_said(fake: Fake) -> None:
    """An address from elsewhere."""
    assert "Not shown." in texts_of(page(tab="desk", view="alerts", window="w9"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("okx:BTC-USDT:perp:126", "trade 126 of BTC-USDT perp (okx)"),
        ("position of okx:BTC-USDT:perp", "position of BTC-USDT perp (okx)"),
        ("the venue was away", "the venue was away"),
    ],
)
def test_the_cause_of_a_window_is_in_words(text: str, shown: str) -> None:
    """A trade's name in the journal is its instrument and its number."""
    assert typeset(incidents.cause(text)) == shown
