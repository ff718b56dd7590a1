"""What a card says against its evidence, of the alerts that are open."""

from typing import Any

import pytest

from app.home.home import Home, open_home
from app.views.evidence_doubts import doubts
from engine.store import db
from engine.store.tables import Alert
from engine.watch.audit_status import keep_audit

RUN: dict[str, Any] = {"run_id": "r-20231114-00000000", "file_sha256": {}}
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
    found, bare = (doubts(home, runs, ["btc-trend"]) for runs in ([RUN], []))
    home.engine.dispose()
    assert found == ([f"figures are in doubt while al-1 is open: {what}"] if counts else [])
    assert bare == ([] if kind == "audit" else found), "a pause rests on nothing that an audit judges"


def test_a_failed_audit_is_named_by_its_questions_of_the_sleeves_that_change(own_home: Any) -> None:
    """Not by codes, nor by what fails for another sleeve or is judged of a stored backtest."""
    home: Home = open_home()
    what = "Points that fail since the first audit: live.windows of btc-trend, data.gaps of eth-trend"
    with db.write(home.engine) as session:
        session.add(
            Alert(id="al-1", fingerprint="a", kind="audit", severity="note", what=what, since_ms=1, opened_ms=1, seen_ms=1)
        )
    asked = [
        ("live.windows", "Are all incident windows closed?"),
        ("live.b", "B?"),
        ("live.c", "C?"),
        ("backtest.net", "Earned?"),
    ]
    points = [
        {"name": name, "question": question, "state": "fails", "sleeve": "btc-trend", "dimension": name.partition(".")[0]}
        for name, question in asked
    ]
    points.append(points[0] | {"name": "data.gaps", "question": "Gaps?", "sleeve": "eth-trend", "dimension": "data"})
    keep_audit(home.path, {"points": points, "wall_ms": 1, "counts": {}})
    found = [doubts(home, [RUN], [name]) for name in ("btc-trend", "eth-trend", "sol-trend")]
    home.engine.dispose()
    assert found == [
        ["the audit says no (al-1): Are all incident windows closed? B? and 1 more"],
        ["the audit says no (al-1): Gaps?"],
        [],
    ]
