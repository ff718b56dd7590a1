"""Canaries where something else is in the way: two people, a clock, a bug, a role that may not, another canary before."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals, canaries
from app.people.identity import Actor, add_person, set_two_people
from app.people.sessions import Denied
from app.processes.canary_watch import CanaryWatch
from engine.control import proposals
from engine.errors import DataError
from engine.store.journal import read
from tests.app.people.test_canaries import LOOSER, applied, breached_desk, now_of, paged, watch
from tests.fakes.tried_changes import ANN, NOW, PLAN, SLEEVE, TriedDesk, approved, proposed, the_canary


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


def test_two_people_are_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who approved the card approved the way back: a breach at night waits for no second person, whatever code calls it."""
    breached_desk(home, LOOSER)
    for name in ("ann", "bob"):
        add_person(home.path, name, role="approver")
    set_two_people(home.path, both=True)
    monkeypatch.setattr("app.people.second.takes_two", lambda *_: True)  # a live sleeve, and a way back of a model: unknown
    watch(home).look()
    assert applied(home) == ["change", "rollback"]


def test_a_clock_that_was_put_back_delays_no_way_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried once at a time ten days ahead: the next attempt does not wait for those ten days."""
    breached_desk(home, LOOSER)
    real, clock = approvals.approve, [NOW + 10 * 86_400_000]

    def full(*_args: Any, **_more: Any) -> None:
        raise DataError("no space left on device")

    monkeypatch.setattr(approvals, "approve", full)
    looking = CanaryWatch(home, lambda: clock[0])
    looking.look()
    monkeypatch.setattr(approvals, "approve", real)
    clock[0] = NOW + 10
    looking.look()
    assert applied(home) == ["change", "rollback"]


def test_a_bug_in_a_way_back_is_paged_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a line of a log that nobody reads while the breached change trades on."""
    breached_desk(home, LOOSER)

    def broken(*_args: Any, **_more: Any) -> None:
        raise KeyError(SLEEVE)

    monkeypatch.setattr(approvals, "approve", broken)
    watch(home).look()
    assert "NOT TAKEN BACK YET: our bug: KeyError('btc-trend')" in paged(home)[0]


def test_who_may_not_loosen_ends_no_canary(home: Home) -> None:
    """An operator would end what takes a breach back; refused and journaled, and the canary runs on."""
    run = approved(home, LOOSER)
    add_person(home.path, "ann")
    add_person(home.path, "oz", role="operator")
    with pytest.raises(Denied, match="oz is an operator and may not approve what loosens"):
        canaries.ended_by(home, run, {}, Actor("oz", "session", "tester", "cli"), NOW + 5)
    assert (the_canary(home).state, [e.body["canary"] for e in read(home.people_journal, {"denied"})]) == ("running", ["prop-1"])


@pytest.mark.parametrize("between", ["running", "breached", "sized by a person"])
def test_a_second_canary_asks_for_the_size_before_the_first(home: Home, between: str) -> None:
    """Not for its own part again, at which the sleeve would trade for good; what a person has set in between counts."""
    approved(home, LOOSER)
    if between == "breached":
        TriedDesk(home).closes(2).closes(1, equity=9_840.0)
        watch(home).look()
    if between == "sized by a person":
        row = proposed(home, {"size_part": 0.5}, None, NOW + 3)
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 4)
    row = proposed(home, {"stop_atr": 3.0}, PLAN, NOW + 5)
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 6)
    run = the_canary(home)
    assert (run.proposal, now_of(home).size_part) == (row.id, 0.25)
    desk = TriedDesk(home, run.to_version)
    for _ in range(4):
        desk.trip()
    (done,) = watch(home).look()
    assert (done.state, done.found.get("failed")) == ("over", None)
    full = proposals.get(home.engine, done.found["full"])
    (change,) = json.loads(full.diff)["changes"]
    assert (change["key"], change["old"], change["value"]) == ("size_part", 0.25, 0.5 if between == "sized by a person" else None)
