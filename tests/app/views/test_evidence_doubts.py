"""What a card says against its evidence, of the alerts that are open."""

from typing import Any

import pytest

from app.home.home import Home, open_home
from app.views.evidence_doubts import doubts
from engine.store import db
from engine.store.tables import Alert

BACKTESTS = "Points that fail since the first audit: backtest.there of btc-trend, backtest.net of eth-trend"


@pytest.mark.parametrize(
    ("kind", "what", "counts"),
    [
        ("audit", BACKTESTS, False),
        ("audit", f"{BACKTESTS}, data.gaps of btc-trend", True),
        ("audit", "The audit's points that began to fail: live.compared of btc-trend", True),
        ("audit", f"{BACKTESTS} and 3 more", True),
        ("audit", "The audit cannot be read", True),
        ("journal", "The journal does not verify: backtest.there of btc-trend", True),
        ("breaker", "Breaker loss streak tripped", False),
    ],
)
def test_an_unearned_backtest_makes_no_figure_wrong(own_home: Any, kind: str, what: str, *, counts: bool) -> None:
    """Each card of a new desk said that its figures were in doubt: no sleeve had a stored backtest. Anything else counts."""
    home: Home = open_home()
    with db.write(home.engine) as session:
        session.add(Alert(id="al-1", fingerprint=kind, kind=kind, severity="warn", what=what, since_ms=1, opened_ms=1, seen_ms=1))
    found = doubts(home, [])
    home.engine.dispose()
    assert found == ([f"figures are in doubt while al-1 is open: {what}"] if counts else [])
