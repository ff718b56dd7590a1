"""The journal outranks the database: which release counts, to the millisecond, and which version may be followed."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control import halt
from engine.control.agreement import (
    COMMAND_MS,
    Followed,
    differences,
    differs,
    followed,
    halt_of,
    halt_words,
    lost_version,
    name_in,
    release_of,
    version_of,
)
from engine.store import db as database
from engine.store.anchors import note_head
from engine.store.journal import Event, Head, Journal
from engine.store.tables import Active, ConfigVersion, Halt

NOW = 1_800_000_000_000
ANN, BOB = '{"name": "ann"}', '{"name": "bob"}'


def written(home: Path, *events: Event) -> Path:
    """A desk journal of these events, a group each."""
    journal = Journal(home / "journal" / "desk.jsonl", "worker")
    for event in events:
        journal.append([event], sync=False)
    journal.close()
    return journal.path


def halted(reason: str = "odd", by: str = "ann", t_recv_ms: int = NOW) -> Event:
    """A halt as the worker journals it."""
    return Event("halt", 1, {"state": "halted", "reason": reason, "by": by}, t_recv_ms=t_recv_ms)


def config(version: int, sha256: str, t_recv_ms: int = NOW, **sleeves: int) -> Event:
    """A configuration that the desk followed."""
    body = {"version": version, "sha256": sha256, "sleeves": [{"name": s, "version": n} for s, n in sleeves.items()]}
    return Event("config", 1, body, t_recv_ms=t_recv_ms)


# ---- what the journal says last -------------------------------------------------------------------------------------------

DRAWDOWN = Event("breaker", 2, {"breaker": "desk drawdown", "sleeve": None})
STREAK = Event("breaker", 3, {"breaker": "loss streak", "sleeve": "btc"})
RELEASED = Event("halt", 4, {"state": "released", "reason": "looked", "by": "ann"})


@pytest.mark.parametrize(
    ("events", "last"),
    [
        ([], None),
        ([STREAK], None),
        ([halted(), STREAK], 0),
        ([halted(), DRAWDOWN, STREAK], 1),
        ([DRAWDOWN, halted()], 1),
        ([halted(), RELEASED, STREAK], 1),
        ([RELEASED, DRAWDOWN], 1),
    ],
)
def test_the_last_halt_is_a_persons_or_the_drawdown_breakers(tmp_path: Path, events: list[Event], last: int | None) -> None:
    """A sleeve's own breaker halts nothing; a release is a word about halts too."""
    found = halt_of(written(tmp_path, *events))
    assert (None if found is None else found.seq) == (None if last is None else last + 1)


def test_who_halted_and_why_in_words() -> None:
    """The drawdown breaker is nobody's; a halt without words has none."""
    assert halt_words(halted("odd prices", "ann")) == ("odd prices", "ann")
    assert halt_words(DRAWDOWN) == ("desk drawdown breaker", "guardrail")
    assert halt_words(Event("halt", 1, {})) == ("", "")


def test_the_last_version_is_of_the_whole_desk(tmp_path: Path) -> None:
    """A sleeve's adoption is a config event too, and names no digest of the desk."""
    path = written(tmp_path, config(3, "a", btc=2, sol=1), Event("config", 2, {"sleeve": "btc", "state": "governs"}))
    event = version_of(path)
    assert event is not None
    assert event.seq == 1
    assert followed(tmp_path) == Followed(3, {"btc": 2, "sol": 1})


def test_a_desk_that_follows_nothing_yet(tmp_path: Path) -> None:
    """No journal, or none with a configuration: version 0, so that the first one counts from 1."""
    assert followed(tmp_path) == Followed(0, {})
    written(tmp_path, halted())
    assert followed(tmp_path) == Followed(0, {})


@pytest.mark.parametrize(
    ("text", "name"),
    [(ANN, "ann"), ('{"name": "  ann "}', "ann"), ('{"name": "  "}', ""), ('{"name": null}', ""), ("{}", ""), (None, ""),
     ("", ""), ("[1]", ""), ("null", ""), ("{", ""), ('"ann"', ""), ('{"role": "ann"}', "")],
)  # fmt: skip
def test_a_name_is_text_that_is_there(text: str | None, name: str) -> None:
    """Whatever stands in the column: an edited row names nobody."""
    assert name_in(text) == name


# ---- releases -------------------------------------------------------------------------------------------------------------


def row(released_ms: int | None, *, reason: str = "odd", by: str | None = ANN, set_by: str = ANN, why: str = "looked") -> Halt:
    """A halt of the database."""
    return Halt(reason=reason, set_by=set_by, set_ms=1, released_ms=released_ms, released_by=by, release_reason=why)


@pytest.mark.parametrize(
    ("stored", "counts"),
    [
        (row(NOW), True),
        (row(NOW + 1), True),
        (row(NOW - 1), True),  # the same halt: the command read the clock before its passphrase was typed
        (row(NOW - COMMAND_MS), True),
        (row(NOW - COMMAND_MS - 1), False),
        (row(NOW - 1, reason="another"), False),
        (row(NOW - 1, set_by=BOB), False),
        (row(NOW, reason="another"), True),  # released after this halt was journaled: every halt of then
        (row(NOW, by=None), False),
        (row(NOW, by='{"name": " "}'), False),
        (row(NOW, by="not json"), False),
        (row(None), False),
    ],
)
def test_which_release_of_the_database_releases_the_journals_halt(sqlite: Engine, stored: Halt, counts: bool) -> None:
    """By a named person, not before the halt was journaled; the same halt up to ten minutes before."""
    with database.write(sqlite) as session:
        session.add(Halt(**stored.model_dump(exclude={"id"})))
    found = release_of(sqlite, halted()._replace(t_recv_ms=NOW), "odd", "ann")
    assert (found is not None) is counts
    if found is not None:
        assert (found.by, found.reason) == ("ann", "looked")


def test_the_newest_release_that_counts_is_named(sqlite: Engine) -> None:
    """Of several, the last; one by nobody in between does not hide it."""
    with database.write(sqlite) as session:
        session.add_all([row(NOW + 1, why="first"), row(NOW + 5, by=BOB, why="second"), row(NOW + 9, by=None, why="third")])
    found = release_of(sqlite, halted(), "odd", "ann")
    assert found is not None
    assert (found.by, found.reason) == ("bob", "second")


# ---- versions -------------------------------------------------------------------------------------------------------------


def versions(engine: Engine, active: int | None, *rows: ConfigVersion) -> None:
    """The desk's versions, and which is in force."""
    with database.write(engine) as session:
        session.add_all(ConfigVersion(**stored.model_dump()) for stored in rows)
        session.flush()
        if active is not None:
            session.add(Active(id=1, version=active, changed_ms=1))


def version(number: int, sha256: str, created_ms: int = NOW, **more: Any) -> ConfigVersion:
    """A version of the desk."""
    return ConfigVersion(version=number, sha256=sha256, created_ms=created_ms, **{"made_by": ANN, **more})


V1, V2 = version(1, "one"), version(2, "two")
BACK = {"rollback_of": 1}
FOLLOWS = {  # name -> (what is in force, the rows, words of why it cannot be followed)
    "the same": (2, [V1, V2], ""),
    "a newer one": (3, [V1, V2, version(3, "three")], ""),
    "an older pointer": (1, [V1, V2], "the database has version 1 in force, the journal follows version 2"),
    "a lost database": (None, [], "the database holds no version, the journal follows version 2"),
    "another text of the same number": (2, [V1, version(2, "other")], "version 2 is not the one that the journal follows"),
    "a newer one of another line": (3, [V1, version(3, "three")], "version 2 is not the one that the journal follows"),
    "a rollback by a person": (3, [V1, version(2, "other"), version(3, "one", NOW + 1, **BACK)], ""),
    "a rollback as old as the journal's word": (3, [V1, version(2, "other"), version(3, "one", NOW, **BACK)], ""),
    "an older rollback": (3, [V1, version(2, "other"), version(3, "one", NOW - 1, **BACK)], "version 2 is not the one"),
    "a rollback by nobody": (3, [V1, version(2, "other"), version(3, "one", NOW + 1, made_by="{}", **BACK)], "is not the one"),
    "a rollback to another text": (3, [V1, version(2, "other"), version(3, "new", NOW + 1, **BACK)], "is not the one"),
    "a rollback to nothing": (3, [version(2, "other"), version(3, "one", NOW + 1, rollback_of=1)], "is not the one"),
}


@pytest.mark.parametrize("case", FOLLOWS)
def test_which_version_of_the_database_the_desk_may_follow(sqlite: Engine, tmp_path: Path, case: str) -> None:
    """The journal follows version 2 with digest `two`: a database that knows less takes it nowhere without a named person."""
    active, rows, why = FOLLOWS[case]
    path = written(tmp_path, config(2, "two", NOW))
    versions(sqlite, active, *rows)
    found = differs(sqlite, path)
    assert (found == "") is (why == "")
    assert why in found


def test_a_pointer_to_a_version_that_is_not_there(sqlite: Engine, tmp_path: Path) -> None:
    """An edited database: it is said, not followed. (The keys of the tables forbid it; a copy may lack them.)"""
    path = written(tmp_path, config(2, "two"))
    versions(sqlite, 2, V1, V2)
    assert lost_version(sqlite, path, 2, "two", 7) == "the database says version 7 is in force and does not hold it"


def test_a_journal_without_a_version_differs_from_nothing(sqlite: Engine, tmp_path: Path) -> None:
    """A desk that has not begun."""
    assert differs(sqlite, tmp_path / "journal" / "desk.jsonl") == ""


# ---- the whole list -------------------------------------------------------------------------------------------------------


def test_what_agrees_makes_no_line_and_each_contradiction_one(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version, halt and both anchors, each with what to do; a latch that still stands is no contradiction."""
    monkeypatch.setattr("engine.control.agreement.stored", lambda *_: None)  # these versions have no sleeves to be read
    path = written(tmp_path, config(2, "two"), halted())
    versions(sqlite, 2, V1, V2)
    halt.set(tmp_path, "odd", {"name": "ann"}, NOW, sqlite)
    assert differences(tmp_path, sqlite) == []
    (tmp_path / halt.FILE).unlink()
    assert differences(tmp_path, sqlite) == []  # the row still halts
    with database.write(sqlite) as session:
        session.delete(session.get(Halt, 1))
        session.get_one(Active, 1).version = 1
    note_head(sqlite, "desk", Head(9, "d-9", "f" * 64), NOW)
    note_head(sqlite, "people", Head(1, "p-1", "f" * 64), NOW)
    lines = differences(tmp_path, sqlite)
    assert [line.split(":")[0] for line in lines] == ["version", "halt", str(path) + " has no d-9, which the database recorded",
        str(path.with_name("people.jsonl")) + " has no p-1, which the database recorded"]  # fmt: skip
    assert "nightdesk proposals rollback VERSION" in lines[0]
    assert "halted by ann (odd)" in lines[1]


def test_a_release_by_a_person_ends_the_contradiction(sqlite: Engine, tmp_path: Path) -> None:
    """Neither file nor open row, but a row that names who released it: the worker will follow that."""
    written(tmp_path, halted())
    assert len(differences(tmp_path, sqlite)) == 1
    with database.write(sqlite) as session:
        session.add(row(NOW + 1))
    assert differences(tmp_path, sqlite) == []


def test_a_database_that_cannot_be_read_is_a_line_of_its_own(sqlite: Engine, tmp_path: Path) -> None:
    """One table is gone: the other checks are made all the same."""
    written(tmp_path, config(2, "two"), halted())
    versions(sqlite, 2, V1, V2)
    with sqlite.begin() as connection:
        connection.exec_driver_sql("DROP TABLE active")
    lines = differences(tmp_path, sqlite)
    assert len(lines) == 2
    assert "no such table: active" in lines[0]
    assert lines[1].startswith("halt: the journal says halted by ann")
