"""What an approved card said of a breach is done once, through the one door, whoever watches and wherever it is cut off."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlmodel import select

from app.home.home import Home, open_home
from app.people import approvals, canaries
from app.people.identity import add_person
from app.processes.canary_watch import AGAIN_MS, FAILED, CanaryWatch
from engine.control import halt, proposals, rollbacks
from engine.control.canary import CanaryRun
from engine.control.canary import canaries as all_canaries
from engine.control.config import SleeveConfig, active
from engine.errors import DataError, Refused
from engine.store import db
from engine.store.journal import read
from engine.store.tables import Proposal
from engine.watch.canaries import Breach, canary_findings, states
from engine.watch.observation import DeskObservation
from tests.fakes.tried_changes import ANN, NOW, SLEEVE, TriedDesk, approved, proposed, the_canary

LOOSER, TIGHTER = {"leverage_max": 4.0}, {"leverage_max": 2.0}
PLANTED = [Breach("drawdown", "planted")]


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


def now_of(home: Home) -> SleeveConfig:
    """The sleeve as it is in force."""
    return active(home.engine, home.path).config.sleeve(SLEEVE)


def watch(home: Home, at_ms: int = NOW + 10) -> CanaryWatch:
    """A watch that has just started."""
    return CanaryWatch(home, lambda: at_ms)


def applied(home: Home) -> list[str]:
    """Kinds of what was ever applied."""
    with db.read(home.engine) as session:
        rows = session.exec(select(Proposal).where(Proposal.state == "applied").order_by(Proposal.applied_version)).all()
        return [row.kind for row in rows]


def paged(home: Home) -> list[str]:
    """What the alerts say of canaries."""
    desk = cast(DeskObservation, SimpleNamespace(now_ms=NOW, canaries=tuple(all_canaries(home.engine))))
    return [finding.what for finding in canary_findings(desk) if finding.severity == "page"]


def breached_desk(home: Home, changes: dict[str, Any]) -> TriedDesk:
    """A canary whose sleeve has lost 1.6 %."""
    approved(home, changes)
    desk = TriedDesk(home)
    desk.closes(2).closes(1, equity=9_840.0)
    return desk


def test_a_breach_goes_back_at_the_part_of_the_size(home: Home) -> None:
    """Going back tightens: applied by the card, journaled with the breach, paged; a second look does nothing."""
    breached_desk(home, LOOSER)
    (done,) = watch(home).look()
    sleeve = now_of(home)
    assert (sleeve.params["leverage_max"], sleeve.size_part, sleeve.paused) == (3.0, 0.25, False)
    row = proposals.get(home.engine, "prop-2")
    by = json.loads(row.decided_by or "{}")
    assert (row.kind, row.direction, row.state) == ("rollback", "tightens", "applied")
    assert (by["name"], by["assurance"], by["channel"]) == ("canary of prop-1, approved by ann", "card", "canary")
    asked = [e.body for e in read(home.people_journal, {"proposal"}) if e.body.get("card") == "prop-1"]
    assert [(b["proposal"], b["breach"]) for b in asked] == [("prop-2", [["drawdown", "1.60 %, above 1.49 %"]])]
    assert [e.body["outcome"] for e in read(home.people_journal, {"decision"})] == ["applied", "applied"]
    assert (done.state, done.found["version"]) == ("breached", 3)
    assert "went back to version 1 at 25 % of the size by prop-2, as prop-1 said" in paged(home)[0]
    assert "BREACHED (1.60 %, above 1.49 %)" in states([the_canary(home)], home.path)[SLEEVE]
    assert watch(home).look() == []
    assert applied(home) == ["change", "rollback"]


def test_a_desk_with_registered_people_goes_back_all_the_same(home: Home) -> None:
    """The card was approved by an approver; nobody else has to be there at night."""
    breached_desk(home, LOOSER)
    for name in ("ann", "vic"):
        add_person(home.path, name)
    watch(home).look()
    assert applied(home) == ["change", "rollback"]
    assert list(read(home.people_journal, {"denied"})) == []


def test_where_going_back_would_loosen_the_sleeve_is_paused(home: Home) -> None:
    """A person is paged and decides; the change and its part of the size stay."""
    breached_desk(home, TIGHTER)
    watch(home).look()
    sleeve = now_of(home)
    assert (sleeve.params["leverage_max"], sleeve.size_part, sleeve.paused, sleeve.resumes_ms) == (2.0, 0.25, True, None)
    assert "paused by prop-2, as prop-1 said: a person decides" in paged(home)[0]
    assert watch(home).look() == []
    assert applied(home) == ["change", "pause"]


def test_the_page_is_over_once_a_person_has_decided(home: Home) -> None:
    """The whole size again, by an approval: no alert and no sentence is left."""
    breached_desk(home, LOOSER)
    watch(home).look()
    row = canaries.ended_by(home, the_canary(home), {}, ANN, NOW + 20)
    assert row is not None
    made = proposals.get(home.engine, row)
    assert made.direction == "loosens"
    approvals.approve(home, made.id, made.diff_sha256, ANN, NOW + 21)
    assert (now_of(home).size_part, now_of(home).params["leverage_max"]) == (None, 3.0)
    assert paged(home) == []
    assert the_canary(home).terms["against"] == "r-20231114-00000000"  # the run of what it went back to
    assert states([the_canary(home)], home.path)[SLEEVE].startswith("watch of prop-3: begins when")


def test_a_pause_by_a_person_stays_and_so_does_the_canary(home: Home) -> None:
    """Paused versions are the canary's too; the way back does not end the pause, which would loosen."""
    breached_desk(home, LOOSER)
    who = {"role": "person", "thread": "", "person": "ann"}
    more = {"rationale": "", "requester": who, "now_ms": NOW + 2, "evidence": []}
    pause = proposals.create(home.engine, home.path, sleeve=SLEEVE, changes={"paused": True}, **more)
    approvals.approve(home, pause.id, pause.diff_sha256, ANN, NOW + 3)
    assert (the_canary(home).state, the_canary(home).versions) == ("running", (2, 3))
    watch(home).look()
    assert (now_of(home).params["leverage_max"], now_of(home).size_part, now_of(home).paused) == (3.0, 0.25, True)


def test_a_halt_does_not_stop_a_breach(home: Home) -> None:
    """The way back tightens, and is proposed after the halt."""
    breached_desk(home, LOOSER)
    halt.set(home.path, "a test", {"name": "ann"}, NOW + 5, home.engine)
    watch(home).look()
    assert now_of(home).params["leverage_max"] == 3.0


def test_what_goes_back_no_more_is_paused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose file is gone, say: then the pause, and not nothing."""
    breached_desk(home, LOOSER)

    def gone(*_args: Any, **_more: Any) -> None:
        raise DataError("the model vol-btc 1.0.0 is not stored")

    monkeypatch.setattr(rollbacks, "create_rollback", gone)
    watch(home).look()
    assert (now_of(home).params["leverage_max"], now_of(home).paused) == (4.0, True)


def test_a_card_that_said_pause_never_goes_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What code finds today may be milder than what the card said: the card counts."""
    breached_desk(home, TIGHTER)
    monkeypatch.setattr("app.people.canaries.way_back", lambda *_args: "back")
    watch(home).look()
    assert (now_of(home).params["leverage_max"], now_of(home).paused) == (2.0, True)


def test_a_card_that_said_back_is_paused_where_it_would_loosen_today(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The direction is computed again at the breach."""
    breached_desk(home, LOOSER)
    monkeypatch.setattr("app.people.canaries.way_back", lambda *_args: "pause")
    watch(home).look()
    assert (now_of(home).params["leverage_max"], now_of(home).paused) == (4.0, True)


@pytest.mark.parametrize("changes", [LOOSER, TIGHTER])
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_crash_in_between_is_taken_up_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], where: str
) -> None:
    """Killed before it was applied, or after and before it was noted: the next watch ends it, and nothing is done twice."""
    run, real = approved(home, changes), approvals.approve

    def killed(*args: Any, **more: Any) -> Any:
        if where == "after":
            real(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(approvals, "approve", killed)
    with pytest.raises(KeyboardInterrupt):
        canaries.breached(home, run, PLANTED, NOW + 9)
    monkeypatch.setattr(approvals, "approve", real)
    assert (the_canary(home).state, the_canary(home).found.get("action")) == ("breached", None)
    assert "NOT TAKEN BACK YET" in paged(home)[0] if where == "before" else True
    TriedDesk(home)
    watch(home).look()
    assert "as prop-1 said" in the_canary(home).found["action"]
    assert len(applied(home)) == 2


def test_two_watches_do_it_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes while the first is at the door: one is applied, the other is refused and finds it done."""
    run, real = approved(home, LOOSER), approvals.approve

    def another_comes(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(approvals, "approve", real)
        canaries.breached(home, the_canary(home), PLANTED, NOW + 9)
        return real(*args, **more)

    monkeypatch.setattr(approvals, "approve", another_comes)
    with pytest.raises(Refused, match="already superseded"):
        canaries.breached(home, run, PLANTED, NOW + 9)
    assert canaries.breached(home, run, PLANTED, NOW + 10).found["version"] == 3
    assert applied(home) == ["change", "rollback"]


def test_a_person_who_was_first_is_left_alone(home: Home) -> None:
    """Their rollback is at the whole size, and is theirs."""
    desk, run = breached_desk(home, LOOSER), the_canary(home)
    approvals.rollback(home, "prop-1", ANN, NOW + 5)
    assert the_canary(home).state == "left"
    assert watch(home).look() == []
    assert canaries.breached(home, run, PLANTED, NOW + 6).found["action"] == canaries.LEFT_ALONE
    assert (now_of(home).size_part, applied(home), desk.version) == (None, ["change", "rollback"], 2)


def test_a_person_who_approves_at_the_same_moment_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the door another version comes into force: what was made against it is not applied."""
    run, real = approved(home, LOOSER), rollbacks.create_rollback

    def a_person_first(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(rollbacks, "create_rollback", real)
        row = proposed(home, {"stop_atr": 3.0}, None, NOW + 5)
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 6)
        return real(*args, **more)

    monkeypatch.setattr(rollbacks, "create_rollback", a_person_first)
    with pytest.raises(Refused, match="another version than the canary's"):
        canaries.breached(home, run, PLANTED, NOW + 9)
    assert (now_of(home).params["stop_atr"], now_of(home).params["leverage_max"]) == (3.0, 4.0)
    assert canaries.breached(home, the_canary(home), PLANTED, NOW + 10).found["action"] == canaries.LEFT_ALONE


def test_what_cannot_be_done_is_said_and_tried_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: a page that says so, and the next attempt after a minute, not at every check."""
    breached_desk(home, LOOSER)
    real, clock, calls = approvals.approve, [NOW + 10], list[int]()

    def full(*_args: Any, **_more: Any) -> None:
        calls.append(clock[0])
        raise DataError("no space left on device")

    monkeypatch.setattr(approvals, "approve", full)
    looking = CanaryWatch(home, lambda: clock[0])
    for _ in range(5):
        looking.look()
    assert len(calls) == 1
    assert "NOT TAKEN BACK YET: no space left on device" in paged(home)[0]
    monkeypatch.setattr(approvals, "approve", real)
    clock[0] += AGAIN_MS
    looking.look()
    assert now_of(home).params["leverage_max"] == 3.0


def test_a_journal_that_cannot_be_read_is_a_breach(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, not once: fail closed."""
    approved(home, TIGHTER)
    TriedDesk(home).closes()

    def damaged(*_args: Any) -> None:
        raise DataError("line 7 is damaged")

    monkeypatch.setattr("app.processes.canary_watch.follow", damaged)
    looking = watch(home)
    for _ in range(FAILED - 1):
        assert looking.look() == []
    (done,) = looking.look()
    assert (done.found["breach"][0][0], now_of(home).paused) == ("no data", True)


def ended(home: Home) -> CanaryRun:
    """A canary whose four round trips are over."""
    approved(home, LOOSER)
    desk = TriedDesk(home)
    for _ in range(4):
        desk.trip()
    (done,) = watch(home).look()
    return done


def test_a_canary_that_is_over_asks_for_the_whole_size(home: Home) -> None:
    """A loosening, for a person; until then the part of the size stays, and the proposal is made once."""
    done = ended(home)
    assert (done.state, done.found["full"], now_of(home).size_part) == ("over", "prop-2", 0.25)
    row = proposals.get(home.engine, "prop-2")
    assert (row.state, row.direction) == ("pending", "loosens")
    assert "4 round trips in 16 bars, slippage 2.00 bps" in row.rationale
    assert watch(home).look() == []
    assert "prop-2 proposes the whole size" in states([the_canary(home)], home.path)[SLEEVE]
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 20)
    assert (now_of(home).size_part, now_of(home).params["leverage_max"]) == (None, 4.0)
    assert (the_canary(home).proposal, the_canary(home).terms["against"]) == ("prop-2", "r-20231114-00000001")


def test_a_proposal_that_waits_keeps_its_place(home: Home) -> None:
    """The whole size is asked for once it is decided."""
    approved(home, LOOSER)
    waiting = proposed(home, {"stop_atr": 3.0}, None, NOW + 5)
    desk = TriedDesk(home)
    for _ in range(4):
        desk.trip()
    looking = watch(home)
    looking.look()
    assert (the_canary(home).state, the_canary(home).found.get("full")) == ("over", None)
    assert proposals.get(home.engine, waiting.id).state == "pending"
    approvals.reject(home, waiting.id, ANN, "no", NOW + 6)
    looking.look()
    assert the_canary(home).found["full"] == "prop-3"


def test_a_person_ends_it_early_either_way(home: Home) -> None:
    """Forwards by a proposal of the whole size, back by the ordinary rollback; each a decision of a person."""
    run = approved(home, LOOSER)
    assert canaries.ended_by(home, run, {}, ANN, NOW + 5) == "prop-2"
    assert "ended early by ann" in proposals.get(home.engine, "prop-2").rationale
    assert the_canary(home).state == "over"
    approvals.rollback(home, "prop-1", ANN, NOW + 6)
    assert (now_of(home).size_part, now_of(home).params["leverage_max"]) == (None, 3.0)


def test_another_change_ends_a_canary_and_keeps_the_part_of_the_size(home: Home) -> None:
    """Its evidence no longer says what runs; nothing comes to the whole size by itself."""
    approved(home, LOOSER)
    row = proposed(home, {"stop_atr": 3.0}, None, NOW + 5)
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 6)
    assert (the_canary(home).state, now_of(home).size_part) == ("left", 0.25)
    assert watch(home).look() == []


def test_a_card_whose_way_back_has_changed_is_stale(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was approved is what was shown."""
    row = proposed(home, LOOSER)
    monkeypatch.setattr("engine.control.apply.way_back", lambda *_args: "pause")
    with pytest.raises(Refused, match="what a breach of its canary would do is not what was shown"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 1)
