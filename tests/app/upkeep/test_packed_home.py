"""A home with packed journals: packed at a start and by a command, backed up and restored, verified against the database."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.cli import packing as commands
from app.home import belonging
from app.home.home import Home, open_home
from app.home.settings import DeskToml
from app.processes.chain_check import ChainCheck
from app.processes.opening import opened_journal
from app.upkeep import journals, retention
from app.upkeep.backup import make_backup
from app.upkeep.restore import restore
from engine.clock import DAY_MS
from engine.control import halt
from engine.control.checklists import checklists_of
from engine.errors import Busy, DataError, JournalBroken
from engine.store import db, packing
from engine.store.anchors import note_head, verify_desk, verify_home, verify_since
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.onward import onward
from engine.store.opened import parts_of, size_of
from engine.store.tables import SealedPart

NOW = 1_760_000_000_000
TEXT = "x" * 9_000
ACTOR = {"name": "ann"}


class Notes:
    """A log that keeps what it was given."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, Any]]] = []

    def note(self, event: str, **about: Any) -> None:
        """A line."""
        self.found.append((event, about))

    warning = note


def filled(home: Home, days: int = 60, a_day: int = 10) -> None:
    """Both journals with some megabytes: records of `days` up to NOW."""
    desk, people = Journal(home.desk_journal, "worker"), Journal(home.people_journal, "api")
    for n in range(days * a_day):
        ms = NOW - days * DAY_MS + n * DAY_MS // a_day
        desk.append([Event("bar", ms, {"n": n, "t": TEXT}), Event("mark", ms, {"n": n})], sync=False)
        people.append([Event("ask", ms, {"n": n, "t": TEXT})], sync=False)
    for name, journal in (("desk", desk), ("people", people)):
        journal.sync()
        note_head(home.engine, name, journal.head, NOW)
        journal.close()


def with_ages(home: Home, **ages: float) -> Home:
    """The home with such a [retention]."""
    desk = home.desk.model_dump() | {"retention": home.desk.retention.model_dump() | ages}
    object.__setattr__(home, "desk", DeskToml.model_validate(desk))
    return home


@pytest.fixture(scope="module")
def five_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose journals have five megabytes, once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(tmp_path_factory.mktemp("packed") / "home"))
        home = open_home(NOW)
        filled(home)
        home.engine.dispose()
    return home.path


@pytest.fixture
def home(five_megabytes: Path, own_home: Path) -> Home:
    """A copy of it, whose parts have one."""
    shutil.copytree(five_megabytes, own_home)
    return with_ages(open_home(NOW), pack_megabytes=1.0)


def seqs(path: Path) -> list[int]:
    """Numbers of all records."""
    return [event.seq for event in read(path)]


def test_a_start_packs_what_is_old_and_leaves_what_is_young(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole parts older than 30 days of both journals; the worker's goes on behind them, and the log says what was done."""
    monkeypatch.setattr("app.processes.opening.now_ms", lambda: NOW)
    before, notes = seqs(home.desk_journal), Notes()
    journal = opened_journal(home, notes)
    assert [event for event, _ in notes.found] == ["journal packed"] * 2
    for path in (home.desk_journal, home.people_journal):
        assert len(parts_of(path)) == 2
        first = json.loads(path.read_bytes().split(b"\n", 1)[0])
        assert NOW - 40 * DAY_MS < first["t_event_ms"] < NOW - 30 * DAY_MS
    assert notes.found[0][1]["disk_bytes"] < notes.found[0][1]["plain_bytes"] * 0.7
    assert journal.append([Event("mark", NOW, {})])[0].seq == len(before) + 1
    journal.close()
    assert seqs(home.desk_journal) == [*before, len(before) + 1]
    assert all(report.ok for report in verify_home(home.journal, home.engine).values())


def test_a_start_packs_some_parts_and_the_next_one_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none takes long. With pack_days 0 nothing is packed."""
    monkeypatch.setattr(journals, "AT_START", 1)
    notes = Notes()
    for count in (1, 2, 2):
        journals.pack_due(home, NOW, notes)
        assert len(parts_of(home.desk_journal)) == count
    monkeypatch.setattr(journals, "PLAIN_MAX", 1_000_000)
    journals.pack_due(home, NOW + 90 * DAY_MS, notes)
    assert len(parts_of(home.desk_journal)) == 2
    assert notes.found[-1][0] == "journal not packed"
    assert "nightdesk journal pack" in notes.found[-1][1]["why"]


def test_pack_days_0_packs_nothing(home: Home) -> None:
    """Neither a start nor the command; `--all` does."""
    with_ages(home, pack_days=0.0)
    journals.pack_due(home, NOW, Notes())
    assert list(journals.pack_home(home, NOW)) == []
    assert not parts_of(home.desk_journal)
    assert [size.parts for size in journals.pack_home(home, NOW, all_of_it=True)] == [5, 5]


def test_what_prevents_a_packing_keeps_no_desk_from_starting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, and a database that is busy: the journal is plain and goes on, the log says why."""
    whole = home.desk_journal.read_bytes()
    notes = Notes()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
        journals.pack_due(home, NOW, notes)
    assert "MB free" in notes.found[0][1]["why"]

    def busy(*_: Any) -> None:
        raise Busy("the database is busy", "try again")

    monkeypatch.setattr(journals, "note_parts", busy)
    journals.pack_due(home, NOW, notes)
    assert "busy" in notes.found[1][1]["why"]
    assert home.desk_journal.read_bytes() == whole
    assert not list(home.journal.glob("*.zst"))
    Journal(home.desk_journal, "worker").close()


def test_the_commands_pack_and_unpack(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What each journal takes, before and after; the bytes are what they were."""
    monkeypatch.setattr("app.home.home.existing_home", lambda: home)
    whole = home.desk_journal.read_bytes()
    commands.pack(everything=True, as_json=True)
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(one["journal"], one["parts"]) for one in items] == [("desk", 5), ("people", 5)]
    assert items[0]["plain_bytes"] == len(whole) > 5 * items[0]["disk_bytes"]
    with db.read(home.engine) as session:
        assert len(session.exec(select(SealedPart)).all()) == 10
    commands.unpack(as_json=False)
    assert "desk: 5 parts unpacked" in capsys.readouterr().out
    assert home.desk_journal.read_bytes() == whole
    assert not list(home.journal.glob("*.zst"))
    with db.read(home.engine) as session:
        assert session.exec(select(SealedPart)).all() == []
    worker = Journal(home.desk_journal, "worker")
    with pytest.raises(Busy, match="stop the desk first"):
        commands.pack(everything=True, as_json=True)
    worker.close()


def test_a_part_that_is_not_the_one_that_was_packed_is_found(home: Home) -> None:
    """Packed again with other frames: the same records in a true chain, and not the file whose digest the database has."""
    list(journals.pack_home(home, NOW))
    part = parts_of(home.desk_journal)[1]
    beside = home.path / "beside" / "desk.jsonl"
    beside.parent.mkdir()
    for file in home.journal.glob("desk.jsonl*"):
        shutil.copy(file, beside.parent)
    packing.unpack(beside)
    frame, packing.FRAME = packing.FRAME, 100_000
    packing.pack(beside, size_of(beside), 1_000_000)
    packing.FRAME = frame
    assert (beside.parent / part.path.name).read_bytes() != part.path.read_bytes()
    shutil.copy(beside.parent / part.path.name, part.path)
    for report in (verify_home(home.journal, home.engine)["desk"], verify_desk(home.journal, home.engine)):
        assert (report.ok, report.line) == (False, part.first)
        assert "is not the part that was packed" in report.reason


def test_a_verification_goes_on_over_a_packing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are counted as if nothing was packed: what was verified is not walked again, and a change in it is found."""
    assert verify_home(home.journal, home.engine, NOW)["desk"].ok
    list(journals.pack_home(home, NOW))
    with monkeypatch.context() as patch:
        patch.setattr("engine.store.anchors.verify_home", lambda *_: pytest.fail("everything was walked"))
        assert all(report.ok for report in verify_since(home.journal, home.engine).values())
    part = parts_of(home.desk_journal)[0].path
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 1
    part.write_bytes(data)
    report = verify_since(home.journal, home.engine)["desk"]
    assert (report.ok, report.line) == (False, 1)


def test_a_damaged_part_halts_a_start_and_a_missing_one_prevents_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As damage in a plain journal does."""
    monkeypatch.setattr("app.processes.opening.now_ms", lambda: NOW)
    list(journals.pack_home(home, NOW))
    part = parts_of(home.desk_journal)[1]
    data = part.path.read_bytes()
    part.path.write_bytes(data[:2000] + b"\0" + data[2001:])
    check = ChainCheck(home.path, home.engine, Notes())
    check._verify()
    assert f"does not verify: line {part.first}" in check.withheld()
    assert (home.path / halt.FILE).exists()
    part.path.unlink()
    with pytest.raises(JournalBroken, match=f"record {part.first} is missing"):
        opened_journal(home, Notes())


@pytest.mark.parametrize("meanwhile", ["nothing", "unpacked"])
def test_a_backup_has_the_parts_and_a_restore_is_packed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """On another machine: same records, same chain, same digests in the database; also when it is unpacked while it is copied."""
    list(journals.pack_home(home, NOW))
    records = seqs(home.desk_journal)

    def step(name: str) -> None:
        if (meanwhile == "unpacked" and name == "database into it") or (meanwhile == "unpacked" and name == "desk.jsonl"):
            list(journals.unpack_home(home))

    make_backup(home, tmp_path / "b.tar.zst", NOW, step)
    place = tmp_path / "elsewhere"
    monkeypatch.setenv("NIGHTDESK_HOME", str(place))
    restore(tmp_path / "b.tar.zst", ACTOR, NOW)
    moved = open_home(NOW)
    assert moved.path == place
    assert len(parts_of(moved.desk_journal)) == 2
    assert seqs(moved.desk_journal) == records
    assert all(report.ok for report in verify_home(moved.journal, moved.engine).values())
    with db.read(moved.engine) as session:
        assert len(session.exec(select(SealedPart)).all()) == 4
    journal = Journal(moved.desk_journal, "worker")
    assert journal.append([Event("mark", NOW, {})])[0].seq == len(records) + 1
    journal.close()


def test_a_backup_that_begins_while_a_journal_is_packed_is_not_made(home: Home, tmp_path: Path) -> None:
    """Its files were opened before, its database would be of after: the next try has both."""
    file, packed = tmp_path / "b.tar.zst", []

    def lock(*_: Any) -> None:
        packed.extend(journals.pack_home(home, NOW))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.upkeep.backup.lock_shared", lock)
        with pytest.raises(Busy, match="run it again"):
            make_backup(home, file, NOW)
    assert packed
    assert not file.exists()
    make_backup(home, file, NOW)


def test_an_older_program_refuses_the_home_of_this_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see a journal that begins in the middle: the database's revision keeps it out in one line."""
    list(journals.pack_home(home, NOW))
    newest = db.REVISION
    monkeypatch.setattr(db, "REVISION", "0009")
    with pytest.raises(DataError, match="from a newer version of Nightdesk"):
        db.migrate(home.engine)
    with home.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == newest


def test_a_long_journal_is_not_young_because_it_is_packed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start verifies it beside the bars, as long as it would take plain; the first bar does not wait for it."""
    list(journals.pack_home(home, NOW, all_of_it=True))
    monkeypatch.setattr("app.processes.chain_check.YOUNG_BYTES", 2_000_000)
    assert home.desk_journal.stat().st_size < 2_000_000 < size_of(home.desk_journal)
    begun: list[str] = []
    monkeypatch.setattr("app.processes.chain_check.threading.Thread.start", lambda self: begun.append(self.name))
    check = ChainCheck(home.path, home.engine, Notes())
    check.start()
    assert begun == ["chain-check"]
    assert check.withheld()


def test_a_run_that_a_packed_record_names_stays_and_the_home_is_known_by_its_first(home: Home) -> None:
    """Readers that look at a journal from its front."""
    people, desk = home.journal / "people.jsonl", home.desk_journal
    people.unlink()
    desk.unlink()
    run = "r-20250101-0000000a"
    for path, first in ((desk, Event("config", 1, {"start": {"home_id": "h-77"}})), (people, Event("proposal", 1, {"run": run}))):
        journal = Journal(path, "test")
        journal.append([first])
        for n in range(300):
            journal.append([Event("ask", n, {"t": TEXT})], sync=False)
        journal.close()
        packing.pack(path, size_of(path), 1_000_000)
        assert parts_of(path)
    assert retention.names(home, NOW)[run] == "the journal people.jsonl"
    assert belonging._of_journal(desk) == "h-77"


def test_checklists_go_on_from_the_byte_they_reached(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are the plain journal's: after new records of a packed one only these are read."""
    list(journals.pack_home(home, NOW))
    begun: list[int] = []

    def counted(path: Path, at: int, kinds: Any) -> Any:
        begun.append(at)
        return onward(path, at, kinds)

    monkeypatch.setattr("engine.control.checklists.onward", counted)
    checklists_of(home.path)
    reached = size_of(home.people_journal)
    journal = Journal(home.people_journal, "api")
    journal.append([Event("ask", NOW, {})])
    journal.close()
    checklists_of(home.path)
    assert begun == [0, reached]
