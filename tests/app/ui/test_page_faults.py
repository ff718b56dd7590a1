"""The page when something of its own or of the API fails: its own words, nothing claimed, HALT there."""

from typing import Any

import pytest

import tests.app.ui.fake_api as shapes
from app.ui import page_client
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS, alert
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_page_runs import components


def test_a_fault_of_a_view_is_said_in_our_words_and_leaves_halt(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack, no word of the framework; the head stands."""
    monkeypatch.setattr("app.ui.proposals.show", lambda *_: 1 / 0)
    at = page(tab="proposals")
    text = texts_of(at)
    assert "This view could not be drawn." in text
    assert "ZeroDivisionError" not in text
    assert "halt_now" in [b.key for b in at.button]


def test_of_a_desk_that_was_never_read_nothing_is_claimed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither paper nor a worker: the head says that nothing is known."""
    broken = (500, {"error": {"kind": "Bug", "what": "it failed", "hint": ""}})
    monkeypatch.setitem(shapes.ROUTES, ("GET", "/api/desk"), lambda f, q, b: broken)
    text = texts_of(page(tab="runs"))
    assert "nothing is known of the desk" in text
    assert "PAPER" not in text
    assert "worker" not in text


def test_a_silent_api_takes_nothing_off_what_waits(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts that waited before it fell silent are still counted in the head: they were not taken."""
    fake.alerts = [alert(f"al-{n}", "warn") for n in (1, 2, 3)]
    at = page(tab="desk")
    asked = next(line for line in texts_of(at).split("<span") if "▲ " in line and " wait" in line)
    monkeypatch.setattr(
        page_client, "open_client", lambda: page_client.PageClient(page_client.Client("http://127.0.0.1:9"), known=True)
    )
    at.run()
    assert "does not answer since" in texts_of(at)
    assert asked in texts_of(at)


def test_a_silent_api_does_not_take_the_open_page_away(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A position without a stop has none while the API is down: its line stays below ours, with what to do, on every tab."""
    fake.alerts = [alert("al-1") | {"kind": "protective", "what": "long 2 ETH WITHOUT a stop", "action": "place a stop by hand"}]
    at = page(tab="runs")
    monkeypatch.setattr(
        page_client, "open_client", lambda: page_client.PageClient(page_client.Client("http://127.0.0.1:9"), known=True)
    )
    at.run()
    text = texts_of(at)
    assert text.index("does not answer since") < text.index("■ PAGE: long 2 ETH WITHOUT a stop.")
    assert "To do: place a stop by hand." in text
    assert any("Proposals 2" in str(option) for group in at.get("button_group") for option in group.proto.options)


@pytest.mark.slow
def test_the_candles_stand_while_the_api_is_silent(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a newer bar and its chart the last one stays; what the API refuses is said."""
    at = page(tab="sleeves", sleeve="btc-trend")
    (first,) = [data for data in components(at) if "chart" in data]
    route = shapes.ROUTES["GET", r"/api/sleeves/([^/]+)"]
    later = ("GET", r"/api/sleeves/([^/]+)"), lambda f, q, b, i: route(f, q, b, i) | {"desk_ms": NOW_MS + 900_000}
    monkeypatch.setitem(shapes.ROUTES, *later)
    trouble = page_client.Trouble("the API does not answer", "start the desk")

    def silent(*_: Any, **__: Any) -> Any:
        raise trouble

    monkeypatch.setattr(page_client.PageClient, "sent", silent)
    at.run()
    assert [data for data in components(at) if "chart" in data] == [first]
    trouble.status = 503
    at.run()
    assert "No candles." in texts_of(at)
