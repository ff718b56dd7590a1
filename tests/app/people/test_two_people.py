"""Two different people for what loosens a live sleeve: exactly once, over processes; one person is enough for everything else."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor, add_person, read_people, remove_person, set_role, set_two_people
from app.views.proposal_card import card
from engine.control import proposals
from engine.control.config import active, versions
from engine.errors import BadInput, Refused
from engine.store.journal import read
from engine.store.tables import Proposal
from tests.app.people.test_approvals import NOW, _propose
from tests.fakes.versions import put_in_force
from tests.fakes.waiting import WAIT_S

ANN, BOB, CARL = (Actor(name, "session", "tester", "api") for name in ("ann", "bob", "carl"))


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk whose first sleeve is live, with two approvers and an admin."""
    found = open_home(NOW)
    config = active(found.engine, found.path).config
    put_in_force(found.engine, found.path, config.with_sleeve(config.sleeves[0].model_copy(update={"stage": "live"})), NOW)
    add_person(found.path, "carl")
    for name in ("ann", "bob"):
        add_person(found.path, name, role="approver")
    set_two_people(found.path, both=True)
    return found


def _loosening(home: Home, n: int = 0, sleeve: str = "btc-trend") -> Proposal:
    """A wider stop than the one in force."""
    row = _propose(home, {"stop_atr": 3.0 + n / 100}, sleeve=sleeve)
    assert row.direction != "tightens"
    return row


def test_the_first_changes_nothing_and_the_second_applies(home: Home) -> None:
    """The card says who was first; the decision names both; the same person twice is one."""
    row = _loosening(home)
    before = active(home.engine, home.path).version
    first = approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert (first.state, first.version, active(home.engine, home.path).version) == ("pending", None, before)
    shown = card(home, proposals.get(home.engine, row.id), NOW)
    assert any("ann has approved it, it waits for a second person" in str(line["cells"]) for line in shown["rows"])
    with pytest.raises(Refused, match="takes a second person"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    with pytest.raises(Refused, match="not what was shown"):
        approvals.approve(home, row.id, "0" * 64, BOB, NOW)
    done = approvals.approve(home, row.id, row.diff_sha256, BOB, NOW)
    assert (done.state, done.version) == ("applied", before + 1)
    actor = [e.body["actor"] for e in read(home.people_journal, {"decision"}) if e.body["outcome"] == "applied"][-1]
    assert (actor["name"], actor["first"]) == ("bob", "ann")
    with pytest.raises(Refused, match="already applied by bob"):
        approvals.approve(home, row.id, row.diff_sha256, CARL, NOW)


def test_a_tightening_and_a_paper_sleeve_take_one(home: Home) -> None:
    """Safety waits for nobody; and so does everything once the setting is off."""
    pause = proposals.create(
        home.engine,
        home.path,
        sleeve="btc-trend",
        changes={"paused": True},
        evidence=[],
        rationale="calm",
        requester={"role": "person", "thread": "", "person": "ann"},
        now_ms=NOW,
    )
    assert approvals.approve(home, pause.id, pause.diff_sha256, ANN, NOW).state == "applied"
    paper = _loosening(home, sleeve="eth-trend")
    assert approvals.approve(home, paper.id, paper.diff_sha256, ANN, NOW).state == "applied"
    set_two_people(home.path, both=False)
    alone = _loosening(home, 1)
    assert approvals.approve(home, alone.id, alone.diff_sha256, ANN, NOW).state == "applied"


def test_a_first_approval_ends_with_its_proposal(home: Home) -> None:
    """Expired, nobody is named as its decider; rejected, the one who rejected it is."""
    refused = _loosening(home)
    approvals.approve(home, refused.id, refused.diff_sha256, ANN, NOW)
    approvals.reject(home, refused.id, BOB, "no", NOW)
    assert '"bob"' in str(proposals.get(home.engine, refused.id).decided_by)
    late = _loosening(home, 1)
    approvals.approve(home, late.id, late.diff_sha256, ANN, NOW)
    with pytest.raises(Refused, match="expired"):
        approvals.approve(home, late.id, late.diff_sha256, BOB, late.expires_ms + 1)


def test_it_needs_people(own_home: Path) -> None:
    """Without registered people one person could say two names."""
    with pytest.raises(BadInput, match="nobody is registered"):
        set_two_people(open_home(NOW).path, both=True)


def test_a_removed_person_is_no_second(home: Home) -> None:
    """Their session and their role end with the entry."""
    row = _loosening(home)
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    remove_person(home.path, "bob")
    with pytest.raises(Refused, match="bob is a viewer and may not approve what loosens"):
        approvals.approve(home, row.id, row.diff_sha256, BOB, NOW)


def _racer(path: str, name: str, jobs: Any, results: Any, start: Any) -> None:
    """Approve as one of two people, at the same moment as the other."""
    os.environ["NIGHTDESK_HOME"] = path
    home, actor = open_home(NOW), Actor(name, "session", "tester", "api")
    while (job := jobs.get()) is not None:
        start.wait()
        try:
            results.put((approvals.approve(home, *job, actor, NOW).state, name))
        except Exception as error:  # noqa: BLE001 - shown by the assert in the parent
            results.put(("crashed", repr(error)))


def test_two_processes_two_people_one_version(home: Home) -> None:
    """Ten rounds: of two who approve at once, one is the first and the other applies it; once, whoever that is."""
    context = multiprocessing.get_context("forkserver")
    jobs, results, start = [context.Queue() for _ in range(2)], context.Queue(), context.Barrier(2)
    racers = [
        context.Process(target=_racer, args=(str(home.path), name, queue, results, start))
        for name, queue in zip(("ann", "bob"), jobs, strict=True)
    ]
    for racer in racers:
        racer.start()
    before = active(home.engine, home.path).version
    for n in range(10):
        row = _loosening(home, n)
        for queue in jobs:
            queue.put((row.id, row.diff_sha256))
        outcomes = sorted(results.get(timeout=WAIT_S) for _ in range(2))
        assert [state for state, _ in outcomes] == ["applied", "pending"], outcomes
    for queue, racer in zip(jobs, racers, strict=True):
        queue.put(None)
        racer.join(WAIT_S)
    assert active(home.engine, home.path).version == before + 10
    assert len(versions(home.engine)) == before + 10
    named = [e.body["actor"] for e in read(home.people_journal, {"decision"}) if e.body["outcome"] == "applied"]
    assert all({actor["name"], actor["first"]} == {"ann", "bob"} for actor in named)


def test_a_first_person_who_may_no_longer_approve_is_no_first(home: Home) -> None:
    """Removed or demoted between the two approvals: the next one is the first, and it takes another."""
    leaving = (lambda: set_role(home.path, "ann", "operator"), lambda: remove_person(home.path, "ann"))
    for n, leaves in enumerate(leaving):
        row = _loosening(home, n)
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
        leaves()
        before = active(home.engine, home.path).version
        assert approvals.approve(home, row.id, row.diff_sha256, BOB, NOW).state == "pending"
        assert active(home.engine, home.path).version == before
        shown = card(home, proposals.get(home.engine, row.id), NOW)
        assert any("bob has approved it, it waits for a second person" in str(line["cells"]) for line in shown["rows"])
        done = approvals.approve(home, row.id, row.diff_sha256, CARL, NOW)
        assert (done.state, done.version) == ("applied", before + 1)
        if "ann" in read_people(home.path):
            set_role(home.path, "ann", "approver")


def test_nobody_is_the_first_of_what_they_were_not_shown(home: Home) -> None:
    """Another diff, or an expired card: refused, and nobody's name is on it."""
    row = _loosening(home)
    with pytest.raises(Refused, match="not what was shown"):
        approvals.approve(home, row.id, "0" * 64, ANN, NOW)
    with pytest.raises(Refused, match="expired"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, row.expires_ms + 1)
    assert proposals.get(home.engine, row.id).decided_by is None
