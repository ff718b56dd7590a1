"""Shared exposure on the desk's page: what it says first, what a move would do, which correlations are behind it."""

from typing import Any

import pytest

from app.ui import exposure as panel
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_figures import exposure
from tests.app.ui.looking import page, texts_of

THIN = "\u202f"


def held(name: str, symbol: str, side: str) -> dict[str, Any]:
    """A sleeve with a position."""
    return {"name": name, "symbol": symbol, "position": {"side": side}}


@pytest.mark.parametrize(
    ("reads", "first", "loud"),
    [
        ("same bet", "One bet: BTC and ETH (0.90).", True),
        ("not known", "Not known for 1 of 1 pairs.", True),
        ("apart", "No two positions are one bet.", False),
        ("hedge", "No two positions are one bet.", False),
        ("not held", "One instrument is held or ordered.", False),
    ],
)
def test_the_verdict_stands_first(reads: str, first: str, loud: bool) -> None:
    """What moves together is one bet; what cannot be computed counts as one; what offsets is named."""
    strong, rest, is_loud = panel.verdict(exposure(reads), [])
    assert (strong, is_loud) == (first, loud)
    assert ("BTC and ETH offset each other." in rest) is (reads == "hedge")


def test_two_sleeves_on_one_symbol_and_side_are_one_bet_twice() -> None:
    """On whatever venue; on opposite sides they are not. Nothing held is flat."""
    both = [held("a", "BTC-USDT", "long"), held("b", "BTC-USDT", "long"), held("c", "BTC-USDT", "short")]
    assert panel.verdict(exposure("apart"), both)[0] == "One bet twice: a and b, all long BTC-USDT."
    assert panel.verdict(exposure("apart"), both[1:])[0] == "No two positions are one bet."
    assert panel.verdict({"pairs": [], "instruments": []}, [])[0] == "Flat."


def test_the_panel_has_units_windows_and_what_a_move_would_do(fake: Fake) -> None:
    """The window of the correlations, the weighted sum, four moves; the one that halts the desk says so."""
    text = texts_of(page(tab="desk"))
    weighted = f"2,500 USDT, 0.08× equity of at most 3×. Weighted by correlation 98{THIN}% of it counts"
    for words in ("▲ One bet: BTC and ETH (0.90).", weighted, "correlation, 30 days of hourly returns", "▲ one bet"):
        assert words in text, words
    for words in ("fall through every price", "\u2212260.00", "■ the desk halts", "1 by stop", f"if everything moves 10{THIN}%"):
        assert words in text, words
    assert text.index("One bet") < text.index("fall through every price") < text.index("hourly returns")


def test_before_the_first_bar_nothing_is_claimed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict of a desk that has not begun."""
    from tests.app.ui import fake_api

    monkeypatch.setitem(fake_api.ROUTES, ("GET", "/api/desk/exposure"), lambda f, q, b: {"desk_ms": None, "limits": {}})
    text = texts_of(page(tab="desk"))
    assert "No bar is decided yet." in text
    assert "Flat." not in text
