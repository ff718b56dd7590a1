"""A pause that would be over when a person approves it."""

import pytest

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor
from engine.control import proposals
from engine.control.config import active
from engine.errors import Refused
from engine.watch import window

ANN, NOW = Actor("ann", "claimed", "ann", "test"), 1_800_000_000_000


@pytest.mark.usefixtures("own_home")
def test_a_pause_whose_end_has_passed_is_not_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would do nothing: the refusal names both times; before its end it is applied like any pause."""
    home: Home = open_home(NOW)
    changes = {"paused": True, "resumes_ms": NOW}
    more = {"rationale": "cpi day", "requester": {"role": "operator"}, "now_ms": NOW}
    row = proposals.create(home.engine, home.path, sleeve="btc-trend", changes=changes, evidence=[], **more)
    monkeypatch.setattr(window, "desk_ms", lambda _home: NOW)
    with pytest.raises(Refused, match="would be over"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    monkeypatch.setattr(window, "desk_ms", lambda _home: NOW - 1)
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert active(home.engine, home.path).config.sleeve("btc-trend").resumes_ms == NOW
