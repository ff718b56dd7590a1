"""A person's decision takes effect exactly once, only as shown, only in time, and is written down (I16, S7)."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor
from engine.control import halt, proposals
from engine.control.config import active, version_of, versions
from engine.errors import BadInput, DeskError, Refused
from engine.store import db
from engine.store.anchors import anchor_claims
from engine.store.journal import Event, Journal, read, verify
from engine.store.tables import Proposal
from tests.fakes.versions import put_in_force
from tests.fakes.waiting import WAIT_S

NOW = 1_700_000_000_000
DAY = 86_400_000
ANN = Actor("ann", "claimed", "tester", "cli")


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


def _evidence(home: Home, sleeve: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Stored runs of the configuration in force and of the changed one."""
    config, found = active(home.engine, home.path)[1].sleeve(sleeve), []
    for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
        run_id = f"r-20231114-{n:08x}"
        (home.runs / run_id).mkdir(exist_ok=True)
        ran = {"strategy": config.strategy, "symbol": config.symbol, "params": {**config.params, **params}}
        (home.runs / run_id / "run.json").write_text(json.dumps({"sleeves": [ran], "data": {}, "code_hash": "c"}))
        found.append({"role": role, "run_id": run_id})
    return found


def _propose(home: Home, changes: dict[str, Any], sleeve: str = "btc-trend", now_ms: int = NOW, **more: Any) -> Proposal:
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    evidence = _evidence(home, sleeve, changes)
    more = {"sleeve": sleeve, "rationale": "why not", "requester": who, "now_ms": now_ms, **more}
    return proposals.create(home.engine, home.path, changes=changes, evidence=evidence, **more)


def _decisions(home: Home) -> list[dict[str, Any]]:
    return [dict(e.body) for e in read(home.people_journal, {"decision"})]


def test_approval_makes_the_next_version_and_points_to_it(home: Home) -> None:
    """The new version differs in exactly the approved key, and names proposal and person."""
    row = _propose(home, {"stop_atr": 3.0})
    done = approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 5)
    version, config = active(home.engine, home.path)[:2]
    assert (done.state, done.version, version) == ("applied", 2, 2)
    before = version_of(home.engine, 1, home.path).config
    assert config == before.with_sleeve(
        before.sleeves[0].model_copy(update={"params": {**before.sleeves[0].params, "stop_atr": 3.0}})
    )
    made = versions(home.engine)[1]
    assert (made.proposal_id, json.loads(made.made_by)["name"], made.created_ms) == ("prop-1", "ann", NOW + 5)
    stored = proposals.get(home.engine, row.id)
    assert (stored.state, stored.applied_version, stored.decided_ms) == ("applied", 2, NOW + 5)
    assert stored.journal_id == done.journal_id


def test_a_decision_that_another_settles_meanwhile_is_journaled_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the database and the answer another click settles it: one decision event, and both know its id."""
    row, real = _propose(home, {"stop_atr": 3.0}), approvals.apply

    def apply_then_another_comes(*args: Any) -> Any:
        done = real(*args)
        assert approvals.settle(home, NOW + 6) == 1
        return done

    monkeypatch.setattr(approvals, "apply", apply_then_another_comes)
    done = approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 5)
    assert [d["outcome"] for d in _decisions(home)] == ["applied"]
    assert proposals.get(home.engine, row.id).journal_id == done.journal_id


def test_the_people_journal_names_who_decided_what(home: Home) -> None:
    """Asked before, answered after, with the whole diff; the chain verifies and its head is anchored."""
    row = _propose(home, {"stop_atr": 3.0})
    done = approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    asked, decision = read(home.people_journal)
    assert (asked.kind, asked.body["actor"]["name"], asked.body["diff_sha256"]) == ("approve", "ann", row.diff_sha256)
    assert (decision.kind, decision.id, decision.cause_id) == ("decision", done.journal_id, asked.id)
    assert decision.body["diff"]["changes"][0]["value"] == 3.0
    assert decision.body["actor"] == {"name": "ann", "assurance": "claimed", "os_user": "tester", "channel": "cli"}
    assert (decision.body["version"], decision.body["direction"]) == (2, "loosens")
    claims = anchor_claims(home.engine, "people")
    assert claims[0].seq == 2
    assert verify(home.people_journal, claims).ok


def test_a_second_approval_is_refused_and_says_whose_the_first_was(home: Home) -> None:
    """Whoever comes later learns who decided, and nothing moves."""
    row = _propose(home, {"stop_atr": 3.0})
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    with pytest.raises(Refused, match="already applied by ann as version 2"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 1)
    with pytest.raises(Refused, match="already applied by ann"):
        approvals.reject(home, row.id, ANN, "no", NOW + 1)
    assert active(home.engine, home.path)[0] == 2


def test_after_expiry_nothing_can_be_approved(home: Home) -> None:
    """At the millisecond of expiry it is too late, and the proposal says expired."""
    row = _propose(home, {"stop_atr": 3.0})
    with pytest.raises(Refused, match="expired"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + DAY)
    assert proposals.get(home.engine, row.id).state == "expired"
    assert active(home.engine, home.path)[0] == 1
    assert _decisions(home)[-1]["outcome"] == "refused"
    late = _propose(home, {"stop_atr": 3.0})
    with pytest.raises(Refused, match="expired"):
        approvals.reject(home, late.id, ANN, "", NOW + DAY)


def test_only_what_was_shown_is_approved(home: Home) -> None:
    """Another diff's hash, none, and a diff changed behind the proposal's back."""
    row = _propose(home, {"stop_atr": 3.0})
    for sha in ("", "0" * 64, row.diff_sha256[:-1]):
        with pytest.raises(Refused, match="not what was shown"):
            approvals.approve(home, row.id, sha, ANN, NOW)
    with db.write(home.engine) as session:
        stored = session.get(Proposal, row.id)
        stored.diff = stored.diff.replace("3.0", "9.0")
    with pytest.raises(Refused, match="changed after it was proposed"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert active(home.engine, home.path)[0] == 1


def test_approving_one_sleeve_leaves_the_cards_of_the_others_alive(home: Home) -> None:
    """Each card was made for its own sleeve: the second is approved as it was shown, and moves its own sleeve alone."""
    one = _propose(home, {"stop_atr": 3.0})
    other = _propose(home, {"stop_atr": 2.5}, sleeve="sol-reversion")
    assert approvals.approve(home, one.id, one.diff_sha256, ANN, NOW).sleeves == {"btc-trend": 2}
    assert proposals.get(home.engine, other.id).state == "pending"
    done = approvals.approve(home, other.id, other.diff_sha256, ANN, NOW)
    assert (done.version, done.sleeves) == (3, {"sol-reversion": 2})
    now = active(home.engine, home.path)
    assert now.sleeves == {"btc-trend": 2, "eth-trend": 1, "sol-reversion": 2}
    assert [s.params["stop_atr"] for s in now.config.sleeves] == [3.0, 2.0, 2.5]


def test_a_base_moved_by_other_means_is_noticed(home: Home) -> None:
    """The claim compares with the sleeve's own pointer."""
    row = _propose(home, {"stop_atr": 3.0})
    config = active(home.engine, home.path).config
    moved = config.sleeves[0].model_copy(update={"paused": True})
    put_in_force(home.engine, home.path, config.with_sleeve(moved), NOW)
    with pytest.raises(Refused, match="made for version 1 of btc-trend, version 2 is in force"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert proposals.get(home.engine, row.id).state == "stale"


@pytest.mark.parametrize("known_to", ["both", "file", "file, then released", "database"])
def test_a_halt_that_began_overtakes_a_proposal(home: Home, known_to: str) -> None:
    """Whichever half of the latch knew of it, and also when it was released since."""
    row = _propose(home, {"stop_atr": 3.0})
    engine = home.engine if known_to in {"both", "database"} else None
    halt.set(home.path, "stop", ANN.as_json(), NOW + 1, engine)
    if known_to == "database":
        (home.path / "HALT").unlink()
    if known_to == "file, then released":
        approvals.release(home, ANN, "fine", list, NOW + 2)
    with pytest.raises(Refused, match="stale"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 3)
    assert active(home.engine, home.path)[0] == 1


def test_what_was_proposed_during_a_halt_can_be_decided_in_it(home: Home) -> None:
    """A halted desk may be mended: only a halt that began afterwards counts."""
    halt.set(home.path, "stop", ANN.as_json(), NOW - 1, home.engine)
    row = _propose(home, {"leverage_max": 2.0})
    assert approvals.approve(home, row.id, row.diff_sha256, ANN, NOW).version == 2


def test_bounds_and_hard_limits_hold_on_the_day_of_approval(home: Home) -> None:
    """desk.toml became stricter after the proposal: it is stale, not applied."""
    row = _propose(home, {"leverage_max": 5.0})
    toml = home.path / "desk.toml"
    toml.write_text(toml.read_text().replace("\nleverage_max = 10.0 ", "\nleverage_max = 4.0 "))
    with pytest.raises(Refused, match="hard limit"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert proposals.get(home.engine, row.id).state == "stale"


def test_a_forged_direction_is_noticed(home: Home) -> None:
    """The label is computed again: a row that says otherwise is not applied."""
    row = _propose(home, {"leverage_max": 5.0})
    with db.write(home.engine) as session:
        session.get(Proposal, row.id).direction = "tightens"
    with pytest.raises(Refused, match="shown as tightens; recomputed today: loosens"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)


def test_nobody_cannot_approve(home: Home) -> None:
    """A decision has a name."""
    row = _propose(home, {"stop_atr": 3.0})
    with pytest.raises(Refused, match="no name given"):
        approvals.approve(home, row.id, row.diff_sha256, ANN._replace(name=" "), NOW)
    assert proposals.get(home.engine, row.id).state == "pending"


def test_rejecting_keeps_the_reason(home: Home) -> None:
    """And the proposal can never be applied."""
    row = _propose(home, {"stop_atr": 3.0})
    assert approvals.reject(home, row.id, ANN, "too wide", NOW).state == "rejected"
    assert proposals.get(home.engine, row.id).state_reason == "too wide"
    with pytest.raises(Refused, match="already rejected by ann"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)


def test_rolling_back_makes_a_new_version_equal_to_the_old_one(home: Home) -> None:
    """By version number or by the proposal that is to be undone; history keeps growing."""
    for n, stop in enumerate((3.0, 4.0)):
        row = _propose(home, {"stop_atr": stop}, now_ms=NOW + n)
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + n)
    assert approvals.rollback(home, "1", ANN, NOW + 3).version == 4
    assert approvals.rollback(home, "prop-2", ANN, NOW + 4).version == 5
    hashes = {v.version: v.sha256 for v in versions(home.engine)}
    assert hashes[4] == hashes[1]
    assert hashes[5] == hashes[2]
    assert versions(home.engine)[3].rollback_of == 1
    assert proposals.get(home.engine, "prop-3").kind == "rollback"
    refused = [
        ("5", "already equals"),
        ("9", "no configuration version 9"),
        ("9" * 30, "is not a version"),
        ("prop-99", "no proposal"),
    ]
    for target, words in refused:
        with pytest.raises((BadInput, Refused), match=words):
            approvals.rollback(home, target, ANN, NOW + 5)


def test_pausing_and_rolling_it_back(home: Home) -> None:
    """The direction of a rollback is computed like any other: lifting a pause loosens."""
    row = _propose(home, {"paused": True})
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert active(home.engine, home.path)[1].sleeve("btc-trend").paused
    approvals.rollback(home, row.id, ANN, NOW + 1)
    assert not active(home.engine, home.path)[1].sleeve("btc-trend").paused
    assert proposals.get(home.engine, "prop-2").direction == "loosens"


def test_release_needs_reason_health_and_a_halt(home: Home) -> None:
    """In that order; the halt stays through every refusal."""
    with pytest.raises(Refused, match="not halted"):
        approvals.release(home, ANN, "x", list, NOW)
    halt.set(home.path, "stop", ANN.as_json(), NOW, home.engine)
    with pytest.raises(Refused, match="needs a reason"):
        approvals.release(home, ANN, " ", list, NOW)
    with pytest.raises(BadInput, match="100,000 characters - shorten it to 1,000"):
        approvals.release(home, ANN, "r" * 100_000, list, NOW)
    with pytest.raises(Refused, match="not healthy: the feed is silent"):
        approvals.release(home, ANN, "x\udcff", lambda: ["the feed is silent"], NOW)
    assert halt.read(home.path, home.engine).halted
    assert approvals.release(home, ANN, "fed again", list, NOW).reason == "stop"
    assert not halt.read(home.path, home.engine).halted
    kinds = [(e.kind, e.body.get("outcome")) for e in read(home.people_journal)]
    assert kinds == [("release", None), ("decision", "refused"), ("release", None), ("decision", "released")]


def test_a_broken_people_journal_lets_nothing_change(home: Home) -> None:
    """What cannot be written down is not done."""
    row = _propose(home, {"stop_atr": 3.0})
    Journal(home.people_journal, "x").append([Event("ask", NOW, {})])
    data = home.people_journal.read_bytes()
    home.people_journal.write_bytes(data[:-20] + b"x" + data[-19:])
    with pytest.raises(DeskError):
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert active(home.engine, home.path)[0] == 1


def test_a_decision_whose_answer_was_lost_is_journaled_by_the_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after the commit: the decision stands, and the journal gets its line once."""
    row = _propose(home, {"stop_atr": 3.0})

    def crash(*_args: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(approvals, "_answer", crash)
        with pytest.raises(KeyboardInterrupt):
            approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    assert active(home.engine, home.path)[0] == 2
    assert _decisions(home) == []
    approvals.reject(home, _propose(home, {"stop_atr": 4.0}).id, ANN, "", NOW + 1)
    assert [(d["proposal"], d["version"]) for d in _decisions(home)] == [("prop-1", 2), ("prop-2", None)]
    assert approvals.settle(home, NOW + 2) == 0


# -- races ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processes() -> Any:
    """Where processes come from: a server imports all of this once, and forks. Each start anew would cost a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _racer(path: str, jobs: Any, results: Any, start: Any) -> None:
    """Approve what comes down the pipe, at the same moment as the others."""
    os.environ["NIGHTDESK_HOME"] = path
    home = open_home(NOW)
    while (job := jobs.get()) is not None:
        proposal_id, sha = job
        start.wait()
        try:
            results.put(("applied", approvals.approve(home, proposal_id, sha, ANN, NOW).version))
        except Refused as error:
            results.put(("refused", str(error)))
        except Exception as error:  # noqa: BLE001 - shown by the assert in the parent
            results.put(("crashed", repr(error)))


def test_two_processes_approve_at_once_and_exactly_one_succeeds(home: Home, processes: Any) -> None:
    """Thirty rounds of the double click; every third round the two click different sleeves' cards, and both succeed."""
    jobs, results, start = [processes.Queue() for _ in range(2)], processes.Queue(), processes.Barrier(2)
    racers = [processes.Process(target=_racer, args=(str(home.path), j, results, start)) for j in jobs]
    for racer in racers:
        racer.start()
    for n in range(30):
        first = _propose(home, {"stop_atr": 3.0 + n / 100})
        both = n % 3 == 0
        second = _propose(home, {"stop_atr": 3.0 + n / 100}, sleeve="eth-trend") if both else first
        before = active(home.engine, home.path).version
        for queue, row in zip(jobs, (first, second), strict=True):
            queue.put((row.id, row.diff_sha256))
        outcomes = sorted(results.get(timeout=WAIT_S) for _ in range(2))
        assert [o[0] for o in outcomes] == ["applied", "applied" if both else "refused"], outcomes
        assert [o[1] for o in outcomes if o[0] == "applied"] == [before + 1, before + 2][: 1 + both]
    for queue, racer in zip(jobs, racers, strict=True):
        queue.put(None)
        racer.join(WAIT_S)
    assert [v.version for v in versions(home.engine)] == list(range(1, 42))
    assert verify(home.people_journal, anchor_claims(home.engine, "people")).ok
    applied = [d["version"] for d in _decisions(home) if d["outcome"] == "applied"]
    assert sorted(applied) == list(range(2, 42))


def _victim(path: str, proposal_id: str, sha: str, at: int) -> None:
    """Approve, and die by kill -9 at the `at`-th system call of note."""
    os.environ["NIGHTDESK_HOME"] = path
    home, calls = open_home(NOW), iter(range(10_000))

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    os.write, os.fdatasync = dying(os.write), dying(os.fdatasync)
    approvals.apply, approvals.note_head, approvals._note = (
        dying(approvals.apply),
        dying(approvals.note_head),
        dying(approvals._note),
    )
    approvals.approve(home, proposal_id, sha, ANN, NOW)


@pytest.mark.parametrize("at", range(8))
def test_killed_anywhere_an_approval_is_whole_or_absent(home: Home, processes: Any, at: int) -> None:
    """kill -9 at each step of the first approval: no version is written or two are, and the next decision sets it right."""
    row = _propose(home, {"stop_atr": 3.0})
    victim = processes.Process(target=_victim, args=(str(home.path), row.id, row.diff_sha256, at))
    victim.start()
    victim.join(WAIT_S)
    assert victim.exitcode == -signal.SIGKILL
    with db.read(home.engine) as session:
        state = session.exec(select(Proposal.state)).one()
        rows = session.connection().execute(text("SELECT count(*) FROM config_versions")).scalar_one()
    assert (state, rows, active(home.engine, home.path)[0]) in {("pending", 0, 1), ("applied", 2, 2)}
    if state == "pending":
        approvals.approve(home, row.id, row.diff_sha256, ANN, NOW)
    else:
        approvals.settle(home, NOW)
    assert active(home.engine, home.path)[0] == 2
    assert [d["version"] for d in _decisions(home) if d["outcome"] == "applied"] == [2]
    assert verify(home.people_journal, anchor_claims(home.engine, "people")).ok
