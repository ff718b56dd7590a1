"""The page when something of its own or of the API fails: its own words, nothing claimed, HALT there."""

import pytest

from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of


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
    import tests.app.ui.fake_api as shapes

    broken = (500, {"error": {"kind": "Bug", "what": "it failed", "hint": ""}})
    monkeypatch.setitem(shapes.ROUTES, ("GET", "/api/desk"), lambda f, q, b: broken)
    text = texts_of(page(tab="runs"))
    assert "nothing is known of the desk" in text
    assert "PAPER" not in text
    assert "worker" not in text
