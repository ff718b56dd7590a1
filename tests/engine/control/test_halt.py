"""The halt: latched in two places, read as halted in doubt, released only as it was seen (I1, F7)."""

import contextlib
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from engine.control import halt
from engine.errors import Busy, DataError, Refused
from engine.live.controls import Controls
from engine.store import db as database
from engine.store.tables import Halt, Proposal
from tests.fakes.waiting import WAIT_S

BY = {"name": "ann", "assurance": "claimed"}
NOW = 1_700_000_000_000


def test_a_running_desk_is_not_halted(home: Path, db: Engine) -> None:
    """Neither file nor row: not halted."""
    assert halt.read(home, db) == halt.Latch(False)


def test_a_halt_is_latched_in_both_and_says_who_and_why(home: Path, db: Engine) -> None:
    """File and row, the same words, also for a reader that has only one of them."""
    halt.set(home, "prices look wrong", BY, NOW, db)
    for latch in (halt.read(home, db), halt.read(home)):
        assert (latch.halted, latch.reason, latch.by, latch.since_ms) == (True, "prices look wrong", "ann", NOW)
    assert halt.read(home, db).where == ("file", "database")
    (home / "HALT").unlink()
    assert halt.read(home, db).where == ("database",)


def test_the_first_reason_stays(home: Path, db: Engine) -> None:
    """Halting a halted desk adds a line and a row, and keeps the beginning."""
    halt.set(home, "first", BY, NOW, db)
    halt.set(home, "second", BY, NOW + 5, db)
    latch = halt.read(home, db)
    assert (latch.reason, latch.since_ms) == ("first", NOW)
    assert len((home / "HALT").read_text().splitlines()) == 2


def test_a_halt_needs_no_database(home: Path) -> None:
    """A database that cannot be reached does not stop the halt; it is then halted twice over."""
    broken = database.open_db("sqlite:////nowhere/desk.db")
    latch = halt.set(home, "db is down", BY, NOW, broken)
    assert latch.halted
    assert halt.read(home).reason == "db is down"


def test_a_halt_needs_no_writable_home(home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the disk of the home gone the row alone latches; with both gone it is said loudly."""

    def fail(*_args: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(halt, "_append", fail)
    assert halt.set(home, "disk", BY, NOW, sqlite).where == ("database",)
    with pytest.raises(DataError, match="could NOT be latched"):
        halt.set(home, "disk", BY, NOW, database.open_db("sqlite:////nowhere/desk.db"))


@pytest.mark.parametrize("data", [b"", b"\0\0", b"{", b"\xff\xfe", b"[]", b'{"reason": 1}', b"anything", b'{"by": "x"}'])
def test_any_file_of_that_name_means_halted(home: Path, data: bytes) -> None:
    """Empty, cut or foreign: a HALT that cannot be understood halts."""
    (home / "HALT").write_bytes(data)
    assert halt.read(home).halted


def test_odd_things_of_that_name_mean_halted(home: Path) -> None:
    """A folder, a dangling link."""
    (home / "HALT").symlink_to(home / "nowhere")
    assert halt.read(home).halted
    (home / "HALT").unlink()
    (home / "HALT").mkdir()
    assert halt.read(home).halted
    assert halt.set(home, "x", BY, NOW).halted


def test_a_home_that_vanished_means_halted(tmp_path: Path) -> None:
    """An unmounted disk is no permission to trade."""
    latch = halt.read(tmp_path / "gone")
    assert latch.halted
    assert latch.unreadable


def test_a_database_that_cannot_be_read_means_halted(home: Path, sqlite: Engine) -> None:
    """Whatever its fault."""
    with sqlite.begin() as connection:
        connection.execute(text("DROP TABLE halts"))
    latch = halt.read(home, sqlite)
    assert latch.halted
    assert "halt latch" in latch.unreadable


def test_a_new_process_finds_the_halt(home: Path, sqlite: Engine) -> None:
    """The latch survives whoever set it, without any database library."""
    halt.set(home, "why", BY, NOW, sqlite)
    code = (
        "import sys; from pathlib import Path; from engine.control import halt\n"
        f"latch = halt.read(Path({str(home)!r})); assert latch.halted and latch.reason == 'why'\n"
        "assert 'sqlalchemy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr


def test_release_takes_back_both(home: Path, db: Engine) -> None:
    """After a release nothing is latched, and the rows say who released and why."""
    halt.set(home, "a", BY, NOW, db)
    halt.set(home, "b", BY, NOW + 1, db)
    left = halt.release(home, db, halt.read(home, db), {"name": "bob"}, "mended", NOW + 10)
    assert left == halt.Latch(False)
    with database.read(db) as session:
        rows = session.exec(select(Halt)).all()
    assert [(r.released_ms, r.release_reason) for r in rows] == [(NOW + 10, "mended")] * 2


def test_a_halt_set_meanwhile_is_not_released(home: Path, db: Engine) -> None:
    """Who looked at one halt does not take back another."""
    halt.set(home, "a", BY, NOW, db)
    seen = halt.read(home, db)
    halt.set(home, "b", BY, NOW + 1, db)
    with pytest.raises(Refused, match="halted again"):
        halt.release(home, db, seen, BY, "mended", NOW + 2)
    assert halt.read(home, db).where == ("file", "database")
    (home / "HALT").unlink()
    assert halt.release(home, db, seen, BY, "mended", NOW + 2).reason == "b"


def test_a_halt_by_file_alone_is_remembered_when_released(home: Path, db: Engine) -> None:
    """The database was down when it was set: its release writes the row, so that older proposals stay stale."""
    halt.set(home, "no database", BY, NOW)
    halt.release(home, db, halt.read(home, db), {"name": "bob"}, "back", NOW + 10)
    with database.read(db) as session:
        row = session.exec(select(Halt)).one()
    assert (row.reason, row.set_ms, row.released_ms) == ("no database", NOW, NOW + 10)


def test_a_halt_makes_pending_proposals_stale(home: Path, db: Engine) -> None:
    """What was proposed for a running desk is not approved for a halted one."""
    row = {"kind": "change", "sleeve": "btc", "base_version": 1, "diff": "{}", "diff_sha256": "x", "direction": "neutral"}
    with database.write(db) as session:
        session.add(Proposal(id="prop-1", created_ms=NOW, expires_ms=NOW + 9, **row))
    halt.set(home, "stop", BY, NOW + 1, db)
    with database.read(db) as session:
        found = session.get(Proposal, "prop-1")
    assert (found.state, found.state_reason) == ("stale", "a halt began: stop")


def test_a_halt_during_a_release_is_never_lost(home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the database keeps the release waiting, and with the database out of the halt's reach."""
    halt.set(home, "a", BY, NOW, sqlite)
    rows = halt._release_rows

    def slow(*args: Any) -> None:
        assert halt.read(home).halted, "halted until the release has come to its end"
        halt.set(home, "meanwhile", BY, NOW + 1)
        rows(*args)

    monkeypatch.setattr(halt, "_release_rows", slow)
    left = halt.release(home, sqlite, halt.read(home, sqlite), BY, "mended", NOW + 2)
    assert (left.halted, left.reason) == (True, "meanwhile")
    assert halt.read(home).reason == "meanwhile"


@pytest.mark.parametrize("calls", ["write", "fsync"])
def test_a_halt_whose_file_a_release_takes_away_is_written_again(
    home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch, calls: str
) -> None:
    """The halt has opened the file; before it writes (or has written durably), a release of the halt before it takes the file."""
    halt.set(home, "a", BY, NOW, sqlite)
    seen, call = halt.read(home, sqlite), getattr(os, calls)

    def late(*args: Any) -> Any:
        monkeypatch.setattr(os, calls, call)
        with contextlib.suppress(Refused):
            halt.release(home, sqlite, seen, BY, "mended", NOW + 1)
        return call(*args)

    monkeypatch.setattr(os, calls, late)
    assert halt.set(home, "b", BY, NOW + 2).halted
    assert b'"b"' in latched(home)


def test_a_release_that_breaks_off_leaves_the_desk_halted(home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its first reason, also after another halt; the next release takes back all of it."""
    halt.set(home, "a", BY, NOW)

    def fail(*_args: Any) -> None:
        raise Busy("the database is busy", "try again")

    with monkeypatch.context() as broken:
        broken.setattr(halt, "_release_rows", fail)
        with pytest.raises(Busy):
            halt.release(home, sqlite, halt.read(home, sqlite), BY, "mended", NOW + 1)
    assert halt.read(home, sqlite).reason == "a"
    halt.set(home, "b", BY, NOW + 2)
    seen = halt.read(home, sqlite)
    assert (seen.reason, seen.since_ms) == ("a", NOW)
    assert halt.release(home, sqlite, seen, BY, "mended", NOW + 3) == halt.Latch(False)


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_halt_right_before_the_file_is_taken_is_not_released(
    home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch, broken_off: bool
) -> None:
    """The release has looked at the file and takes it with one line more, unseen: it refuses, and no line is lost."""
    if broken_off:
        (home / halt.RELEASING).write_text(json.dumps({"reason": "older", "by": BY, "since_ms": NOW - 1}) + "\n")
    halt.set(home, "a", BY, NOW, sqlite)
    seen, replace = halt.read(home, sqlite), Path.replace

    def meanwhile(path: Path, target: Path) -> Path:
        halt.set(home, "b", BY, NOW + 1)
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", meanwhile)
        with pytest.raises(Refused, match="halted again"):
            halt.release(home, sqlite, seen, BY, "mended", NOW + 2)
    reasons = {json.loads(line)["reason"] for line in latched(home).splitlines()}
    assert reasons == ({"older", "a", "b"} if broken_off else {"a", "b"})
    assert halt.release(home, sqlite, halt.read(home, sqlite), BY, "mended", NOW + 3) == halt.Latch(False)


def test_a_worker_that_looks_in_mid_release_sees_its_end(home: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are released, the file is not yet gone: still halted; once it is gone, no longer."""
    halt.set(home, "a", BY, NOW, sqlite)
    controls, rows, looks = Controls(home, sqlite), halt._release_rows, []

    def looked_at(*args: Any) -> None:
        rows(*args)
        looks.append(controls.poll().latch.halted)

    monkeypatch.setattr(halt, "_release_rows", looked_at)
    halt.release(home, sqlite, halt.read(home, sqlite), BY, "mended", NOW + 1)
    assert (looks, controls.poll().latch.halted) == ([True], False)


def test_who_looks_in_keeps_no_connection_of_the_pool(home: Path, sqlite: Engine) -> None:
    """More watchers than the pool has connections: a desk that was opened and dropped often leaves the database reachable."""
    watchers = [Controls(home, sqlite) for _ in range(20)]
    assert not any(watcher.poll().latch.halted for watcher in watchers)
    assert sqlite.pool.checkedout() == 0  # type: ignore[attr-defined]
    halt.set(home, "a", BY, NOW, sqlite)
    assert all(watcher.poll().latch.halted for watcher in watchers)


def latched(home: Path) -> bytes:
    """The lines of the latch's files."""
    return b"".join((home / name).read_bytes() for name in (halt.RELEASING, halt.FILE) if (home / name).exists())


HALTING = """
import sys
from pathlib import Path
from engine.control import halt
for k in range(40):
    halt.set(Path(sys.argv[1]), f"halt {k}", {by}, {now} + k)
"""


def test_halts_and_releases_at_once_lose_no_halt(home: Path, sqlite: Engine) -> None:
    """While one process keeps halting and another releasing, every halt is either released as seen or still there."""
    program = HALTING.replace("{by}", repr(BY)).replace("{now}", str(NOW))
    halting = subprocess.Popen([sys.executable, "-c", program, str(home)])
    taken: list[bytes] = []
    while halting.poll() is None:
        seen = halt.read(home, sqlite)
        with contextlib.suppress(Refused, FileNotFoundError):
            # what a release takes back is what was read: these halts, by the hash of their lines
            before = latched(home)
            if seen.halted and sha256(before).hexdigest() == seen.file_sha256:
                halt.release(home, sqlite, seen, BY, "test", NOW)
                taken += before.splitlines()
    assert halting.returncode == 0
    assert {json.loads(line)["reason"] for line in [*taken, *latched(home).splitlines()]} == {f"halt {k}" for k in range(40)}
