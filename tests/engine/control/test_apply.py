"""The one transaction, on both databases: of any number of threads that approve, one moves the pointer."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, update

from engine.control import proposals
from engine.control.apply import apply
from engine.control.config import active, validated, versions
from engine.errors import Refused
from engine.store import db
from engine.store.tables import ActiveSleeve, Halt, Proposal, SleeveVersion
from engine.strategies.isolated import described
from tests.fakes.versions import put_in_force

NOW = 1_700_000_000_000
OWN = '''"""Mine."""
from engine.strategies.base import StrategyParams
NAME, FEATURES = "own", ()


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    """Nothing."""
'''
WHO = {"role": "operator", "thread": "", "person": "ann"}


@pytest.fixture(autouse=True)
def no_evidence_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence has tests of its own; here it would only cost time."""
    monkeypatch.setattr(proposals, "check_evidence", lambda *_args: None)


def _switch(engine: Engine, home: Path, sleeve: str, paused: bool) -> Any:
    changes = {"paused": paused}
    return proposals.create(engine, home, sleeve=sleeve, changes=changes, rationale="", evidence=[], requester=WHO, now_ms=NOW)


def _race(calls: list[Callable[[], Any]]) -> list[str]:
    """Run all calls at once; what each came to."""
    start, found = threading.Barrier(len(calls)), list[str]()

    def run(call: Callable[[], Any]) -> None:
        start.wait()
        try:
            call()
            found.append("applied")
        except Refused:
            found.append("refused")
        except Exception as error:  # noqa: BLE001 - shown by the caller's assert
            found.append(repr(error))

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


@pytest.mark.sample(1)
def test_a_strategy_file_is_read_before_the_transaction(desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process may take seconds: meanwhile others can write. A file that hangs by then makes the proposal stale."""
    (home / "strategies").mkdir()
    path = home / "strategies" / "own.py"
    path.write_text(OWN)
    config = active(desk, home).config
    sleeve = config.sleeves[0].model_copy(update={"strategy": "own", "params": {}})
    put_in_force(desk, home, validated(config.with_sleeve(sleeve), home / "strategies"), NOW)
    row = _switch(desk, home, "btc", True)
    path.write_text("while True: pass")
    read, started = described._ask, []

    def reads(*args: Any) -> Any:
        with db.write(desk) as session:  # fails when a transaction is open
            db.take_turn(session)
        started.append(1)
        return read(*args)

    monkeypatch.setattr(described, "_ask", reads)
    monkeypatch.setattr(described, "LIMIT_S", 1.0)
    with pytest.raises(Refused, match="is stale"):
        apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW)
    assert started == [1]


def test_four_threads_one_proposal(desk: Engine, home: Path) -> None:
    """One applies it, three are refused, one version more."""
    row = _switch(desk, home, "btc", True)
    calls = [lambda: apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW)] * 4
    assert _race(calls) == ["applied", "refused", "refused", "refused"]
    assert (active(desk, home)[0], len(versions(desk))) == (2, 2)


def test_two_sleeves_approved_at_once_are_both_applied(desk: Engine, home: Path) -> None:
    """Each was made for its own sleeve's version: both win, one desk version each, never in a deadlock."""
    for n in range(8):
        paused = n % 2 == 0
        rows = [_switch(desk, home, "btc", paused), _switch(desk, home, "sol", paused)]
        calls = [lambda r=r: apply(desk, home, r.id, r.diff_sha256, {"name": "ann"}, NOW) for r in rows]
        assert _race(calls) == ["applied", "applied"]
        assert [proposals.get(desk, r.id).state for r in rows] == ["applied", "applied"]
        now = active(desk, home)
        assert (now.version, len(versions(desk)), now.sleeves) == (2 * n + 3, 2 * n + 3, {"btc": n + 2, "sol": n + 2})
        assert [s.paused for s in now.config.sleeves] == [paused, paused]


def test_a_halt_that_began_counts_also_if_the_proposal_still_waits(desk: Engine, home: Path) -> None:
    """Whatever wrote the halt's row: a proposal older than it is stale."""
    row = _switch(desk, home, "btc", True)
    with db.write(desk) as session:
        session.add(Halt(reason="elsewhere", set_ms=NOW, released_ms=NOW))
    with pytest.raises(Refused, match="a halt began after it was proposed: elsewhere"):
        apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW)


def test_many_proposals_of_one_sleeve_at_once(desk: Engine, home: Path) -> None:
    """Created by four threads: four numbers, one of them pending."""
    outcomes = _race([lambda: _switch(desk, home, "btc", True)] * 4)
    assert outcomes == ["applied"] * 4
    states = sorted(row.state for row in proposals.list_proposals(desk, NOW))
    assert states == ["pending", "superseded", "superseded", "superseded"]
    assert {row.id for row in proposals.list_proposals(desk, NOW)} == {"prop-1", "prop-2", "prop-3", "prop-4"}


def _expire(session: Session, row: Proposal) -> None:
    session.exec(update(Proposal).where(col(Proposal.id) == row.id).values(expires_ms=NOW))


def _move_base(session: Session, row: Proposal) -> None:
    body = session.get(SleeveVersion, ("btc", 1))
    assert body is not None
    session.add(SleeveVersion(sleeve="btc", version=2, sha256=body.sha256, body=body.body, created_ms=NOW))
    session.flush()
    session.exec(update(ActiveSleeve).where(col(ActiveSleeve.sleeve) == "btc").values(version=2))


def _change_hash(session: Session, row: Proposal) -> None:
    session.exec(update(Proposal).where(col(Proposal.id) == row.id).values(diff_sha256="0" * 64))


def _decide(session: Session, row: Proposal) -> None:
    session.exec(update(Proposal).where(col(Proposal.id) == row.id).values(state="rejected"))


@pytest.mark.parametrize("change", [_expire, _move_base, _change_hash, _decide])
def test_the_claim_alone_refuses(
    desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Session, Proposal], None]
) -> None:
    """Without the checks before it, the UPDATE's own WHERE refuses what expired, has another base or diff, or is decided."""
    monkeypatch.setattr("engine.control.apply._check_applicable", lambda *_args: None)
    row = _switch(desk, home, "btc", True)
    with db.write(desk) as session:
        change(session, row)
    before, stored = active(desk, home), len(versions(desk))
    with pytest.raises(Refused, match="cannot be applied"):
        apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW)
    assert (active(desk, home), len(versions(desk))) == (before, stored)
    assert proposals.get(desk, row.id).state != "applied"


def test_the_claim_takes_what_fits(desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same call without a change is applied: the refusals above are the WHERE's, not the set-up's."""
    monkeypatch.setattr("engine.control.apply._check_applicable", lambda *_args: None)
    row = _switch(desk, home, "btc", True)
    assert apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW).version == 2
