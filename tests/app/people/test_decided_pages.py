"""What a decision leaves on the pages that roles read."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor
from engine.control import proposals
from engine.store.tables import Proposal
from tools.handoff import write_handoff

NOW = 1_700_000_000_000
ANN = Actor("ann", "claimed", "tester", "cli")


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


def pause(home: Home, sleeve: str) -> Proposal:
    """A proposal that needs no evidence."""
    who: dict[str, Any] = {"role": "operator", "thread": "t-1", "person": "ann"}
    more = {"sleeve": sleeve, "rationale": "why not", "requester": who, "now_ms": NOW}
    return proposals.create(home.engine, home.path, changes={"paused": True}, evidence=[], **more)


def test_roles_read_no_decided_proposal_as_pending(home: Home) -> None:
    """The page of what is pending is renewed by the decision; it named the proposal until the next turn. It stops no decision."""
    one, other = pause(home, "btc-trend"), pause(home, "eth-trend")
    write_handoff(home.engine, home.path)
    page = home.memory / "handoff.md"
    assert (one.id in page.read_text(), other.id in page.read_text()) == (True, True)
    approvals.reject(home, one.id, ANN, "no evidence", NOW + 5)
    assert (f"pending proposal {one.id}" in page.read_text(), f"pending proposal {other.id}" in page.read_text()) == (False, True)
    page.unlink()
    page.mkdir()  # a page that cannot be written
    assert approvals.approve(home, other.id, other.diff_sha256, ANN, NOW + 6).state == "applied"
