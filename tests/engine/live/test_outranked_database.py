"""The journal outranks the database: what was lost or copied back releases no halt and takes the desk to no older version."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.people.approvals import approve, rollback
from app.people.identity import Actor
from engine.book.replay import fold
from engine.control import halt
from engine.control.agreement import differences
from engine.control.proposals import create
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from engine.watch.detectors import people
from engine.watch.observation import DeskObservation
from tests.fakes.papers import WALL_MS, advanced, loop_of, reconfigured

BOB = Actor("bob", "claimed", "bob", "test")


@pytest.fixture
def loop(loop: Loop) -> Loop:
    """A few bars on."""
    return advanced(loop, 20)


def lost(home: Home) -> Home:
    """The database is gone, with its halt and versions; the next command makes a new one."""
    home.engine.dispose()
    for path in home.path.glob("desk.db*"):
        path.unlink()
    return open_home(WALL_MS)


def copied(home: Home) -> Path:
    """A copy of the database, made properly."""
    copy = home.path.parent / "copy.db"
    with closing(sqlite3.connect(home.path / "desk.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def put_back(home: Home, copy: Path) -> Home:
    """The older copy takes the database's place."""
    home.engine.dispose()
    for path in home.path.glob("desk.db*"):
        path.unlink()
    shutil.copy(copy, home.path / "desk.db")
    return open_home(WALL_MS)


def restarted(home: Home, feed: Feed, loop: Loop) -> Loop:
    """The same desk in a new process' shoes."""
    loop.journal.close()
    return loop_of(home, feed, fold(home.desk_journal))


def states(home: Home) -> list[tuple[str, str]]:
    """Halts and releases as journaled: state and by."""
    return [(e.body["state"], e.body["by"]) for e in read(home.desk_journal, {"halt"})]


def incidents(home: Home) -> list[str]:
    """What the desk told that a person should know."""
    return [e.body["what"] for e in read(home.desk_journal, {"incident"})]


def pages(home: Home) -> list[str]:
    """What the watch sends to a person at once, of halts."""
    desk = DeskObservation(WALL_MS, {}, None, {}, {}, None, None, 0, (), home.desk.limits, halt=halt.read(home.path, home.engine))
    return [f.what for f in people(desk) if f.severity == "page"]


def released(home: Home) -> None:
    """Bob releases, as the door for people does it."""
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "looked", WALL_MS + 1)


def test_a_halt_whose_latch_is_lost_stays_a_halt_until_a_person_releases_it(home: Home, feed: Feed, loop: Loop) -> None:
    """Database and HALT file gone: no release is journaled, the latch comes back, a page is raised; a named release ends it."""
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 1)
    (home.path / halt.FILE).unlink()
    home = lost(home)
    assert any(line.startswith("halt:") for line in differences(home.path, home.engine))
    loop = restarted(home, feed, loop)
    advanced(loop, 5)
    assert loop.book.desk.halted == 1
    assert states(home) == [("halted", "ann")]
    latch = halt.read(home.path, home.engine)
    assert (latch.halted, latch.by, latch.where) == (True, "worker", ("file", "database"))
    assert len([what for what in incidents(home) if "no named person released it" in what]) == 1
    assert len(pages(home)) == 1
    released(home)
    advanced(loop, 1)
    assert states(home)[-1] == ("released", "bob")
    assert loop.book.desk.halted == 0
    assert differences(home.path, home.engine) == []
    loop.journal.close()


def test_a_release_of_an_older_halt_releases_no_newer_one(home: Home, feed: Feed, loop: Loop) -> None:
    """The copy holds ann's released halt; the journal knows a later one: the copy's release does not count."""
    halt.set(home.path, "first", {"name": "ann"}, WALL_MS - 3_600_000, home.engine)
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "fine", WALL_MS - 3_000_000)
    copy = copied(home)
    halt.set(home.path, "second", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 1)
    (home.path / halt.FILE).unlink()
    home = put_back(home, copy)
    loop = restarted(home, feed, loop)
    assert loop.book.desk.halted == 1
    assert states(home) == [("halted", "ann")]
    loop.journal.close()


@pytest.mark.parametrize("name", ["", "  "])
def test_a_release_that_names_nobody_is_none(home: Home, loop: Loop, name: str) -> None:
    """A row closed without a name, by whatever hand: the desk stays halted."""
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 1)
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": name}, "?", WALL_MS + 1)
    advanced(loop, 2)
    assert loop.book.desk.halted == 1
    assert halt.read(home.path, home.engine).halted


def test_a_new_database_takes_the_desk_to_no_older_version(home: Home, feed: Feed, loop: Loop) -> None:
    """Version 2 in the journal, a new file with version 1: version 2 goes on, halted; a rollback by name is followed."""
    assert reconfigured(home, "btc-trend", stop_atr=3.0) == 2
    advanced(loop, 1)
    home = lost(home)
    loop = restarted(home, feed, loop)
    advanced(loop, 5)
    assert (loop.book.version, loop.book.specs[0].rules.stop_atr) == (2, 3.0)
    assert states(home) == [("halted", "worker")]
    assert len([what for what in incidents(home) if "stays on version 2" in what]) == 1
    assert len(pages(home)) == 1
    assert any(line.startswith("version:") for line in differences(home.path, home.engine))
    released(home)
    advanced(loop, 2)
    assert loop.book.desk.halted == 1, "a release alone says nothing about the version"
    done = rollback(home, "v1", BOB, WALL_MS + 2)
    assert done.state == "applied"
    released(home)
    advanced(loop, 2)
    assert (loop.book.version, loop.book.specs[0].rules.stop_atr, loop.book.desk.halted) == (done.version, 2.0, 0)
    assert differences(home.path, home.engine) == []
    loop.journal.close()


def swapped(home: Home, copy: Path) -> Home:
    """A copy takes the database's place under the running desk; what the next command opens."""
    for left in home.path.glob("desk.db-*"):
        left.unlink()
    copy.replace(home.path / "desk.db")
    return open_home(WALL_MS)


def test_what_people_decide_in_a_copy_put_back_under_a_running_desk_is_heard(home: Home, loop: Loop) -> None:
    """The desk had the old file open: a version, a halt and a release that others write into the new one reach it."""
    second = swapped(home, copied(home))
    assert reconfigured(second, "btc-trend", stop_atr=3.0) == 2
    advanced(loop, 1)
    assert loop.book.version == 2
    halt.set_row(second.engine, "by its row alone", {"name": "ann"}, WALL_MS)
    advanced(loop, 1)
    assert (loop.book.desk.halted, states(home)) == (1, [("halted", "ann")])
    released(second)
    advanced(loop, 1)
    assert (loop.book.desk.halted, states(home)[-1]) == (0, ("released", "bob"))
    loop.journal.close()


def test_a_database_removed_under_a_running_desk_halts_it(home: Home, loop: Loop) -> None:
    """Gone, it is no permission to trade and is not made anew; one that another command makes knows less than the journal."""
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 1)
    for path in home.path.glob("desk.db*"):
        path.unlink()
    advanced(loop, 1)
    assert (loop.book.desk.halted, loop.book.version) == (1, 2)
    assert not (home.path / "desk.db").exists()
    assert halt.read(home.path).halted
    second = open_home(WALL_MS)
    released(second)
    advanced(loop, 2)
    assert (loop.book.desk.halted, loop.book.version) == (1, 2)
    assert len([what for what in incidents(home) if "the database holds no version" in what]) == 1
    loop.journal.close()


@pytest.mark.parametrize("table", ["config_versions", "sleeve_versions"])
@pytest.mark.parametrize("restarts", [True, False])
def test_a_version_whose_rows_are_gone_stops_no_exit(home: Home, feed: Feed, loop: Loop, table: str, *, restarts: bool) -> None:
    """Somebody deletes the row in force: the desk stays on the journal's version, halted, and goes on looking after positions."""
    assert reconfigured(home, "btc-trend", stop_atr=3.0) == 2
    advanced(loop, 1)
    with closing(sqlite3.connect(home.path / "desk.db")) as connection:
        assert connection.execute(f"DELETE FROM {table} WHERE version = 2").rowcount == 1
        connection.commit()
    (line,) = differences(home.path, home.engine)
    assert line.startswith("version: ")
    loop = restarted(home, feed, loop) if restarts else loop
    advanced(loop, 3)
    assert (loop.book.version, loop.book.specs[0].rules.stop_atr, loop.book.desk.halted) == (2, 3.0, 1)
    assert states(home) == [("halted", "worker")]
    assert len([what for what in incidents(home) if "stays on version 2" in what]) == 1
    loop.journal.close()


def test_a_sleeve_counts_on_from_the_version_that_the_journal_follows(home: Home, loop: Loop) -> None:
    """The new database knows only version 1 of it: the next one is not given a number that was another configuration."""
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 1)
    home = lost(home)
    given = {"evidence": [], "rationale": "calm", "requester": {"role": "operator", "thread": "", "person": "bob"}}
    row = create(home.engine, home.path, sleeve="btc-trend", changes={"paused": True}, now_ms=WALL_MS, **given)
    done = approve(home, row.id, row.diff_sha256, BOB, WALL_MS)
    assert (done.version, done.sleeves) == (3, {"btc-trend": 3})


def test_an_older_copy_with_another_version_of_the_same_number_is_not_followed(home: Home, feed: Feed, loop: Loop) -> None:
    """The copy went on by itself to another version 2, then 3: neither is the desk's."""
    copy = copied(home)
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 1)
    home = put_back(home, copy)
    reconfigured(home, "btc-trend", stop_atr=4.0)
    reconfigured(home, "btc-trend", stop_atr=4.5)
    loop = restarted(home, feed, loop)
    advanced(loop, 2)
    assert (loop.book.version, loop.book.specs[0].rules.stop_atr, loop.book.desk.halted) == (2, 3.0, 1)
    loop.journal.close()


@pytest.mark.parametrize("damage", ["DELETE FROM config_versions WHERE version = 2", "UPDATE active SET version = 7"])
def test_a_version_that_the_database_does_not_hold_halts_and_does_not_kill(home: Home, loop: Loop, damage: str) -> None:
    """The row of the version in force is gone, or never was: the desk goes on with what it has, halted."""
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 1)
    with closing(sqlite3.connect(home.path / "desk.db")) as connection, connection:  # which holds no foreign keys
        connection.execute(damage)
    advanced(loop, 2)
    assert loop.adopt(2) is False
    assert (loop.book.version, loop.book.desk.halted) == (2, 1)


def test_a_desk_that_begins_and_one_that_goes_on_are_not_bothered(home: Home, feed: Feed, loop: Loop) -> None:
    """Fresh, restarted, with a new version and with a halt that a person released: no incident, no latch."""
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 3)
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 1)
    released(home)
    loop = restarted(home, feed, advanced(loop, 3))
    assert incidents(home) == []
    assert states(home) == [("halted", "ann"), ("released", "bob")]
    assert differences(home.path, home.engine) == []
    loop.journal.close()
