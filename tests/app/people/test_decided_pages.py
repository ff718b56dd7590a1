"""What a decision leaves on the pages of the memory."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import main
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


def test_memory_shows_no_decided_proposal_as_pending(home: Home) -> None:
    """The page of what is pending is made when a turn ends: `nightdesk memory` makes it anew."""
    one, other = pause(home, "btc-trend"), pause(home, "eth-trend")
    write_handoff(home.engine, home.path)
    page = home.memory / "handoff.md"
    assert (one.id in page.read_text(), other.id in page.read_text()) == (True, True)
    approvals.reject(home, one.id, ANN, "no evidence", NOW + 5)
    main.load_groups()
    shown = CliRunner().invoke(main.app, ["memory", "show", "handoff"]).stdout
    assert (f"pending proposal {one.id}" in shown, f"pending proposal {other.id}" in shown) == (False, True)
