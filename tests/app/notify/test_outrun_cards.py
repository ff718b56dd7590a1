"""The card of a change that no longer runs is updated where it was sent."""

from pathlib import Path

from sqlmodel import select

from app.home.home import Home, open_home
from app.notify import deliveries
from app.people import approvals
from app.people.identity import Actor
from engine.control import proposals
from engine.store import db
from engine.store.tables import Delivery
from tests.fakes.slack_desks import now_ms, proposed

ANN = Actor("ann", "session", "account", "page")


def steps(home: Home) -> list[tuple[str, str]]:
    """What is queued after one round: proposal and step."""
    deliveries.cards(home, ["slack"], now_ms())
    with db.read(home.engine) as session:
        return [(row.subject, row.step) for row in session.exec(select(Delivery).order_by(Delivery.id)).all()]


def test_a_card_that_says_applied_is_updated_once_when_it_is_rolled_back(own_home: Path) -> None:
    """Sent, decided, and once more when what it applied is rolled back; a change of another sleeve sends nothing."""
    home = open_home()
    made = proposed(home)
    assert steps(home) == [(made.id, "card")]
    approvals.approve(home, made.id, made.diff_sha256, ANN, now_ms())
    assert steps(home)[-1] == (made.id, "decided")
    other = proposed(home, "eth-trend")
    approvals.approve(home, other.id, other.diff_sha256, ANN, now_ms())
    assert (made.id, "outrun") not in steps(home)
    approvals.rollback(home, "1", ANN, now_ms(), "btc-trend")
    assert steps(home)[-1] == (made.id, "outrun")
    assert len(steps(home)) == len(steps(home))
    text = deliveries.card(home, proposals.get(home.engine, made.id), now_ms())["runs_now"]["text"]
    assert text == "applied as version 2, rolled back; version 4 runs now: paused no"
