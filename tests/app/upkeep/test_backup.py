"""Backup and restore: one instant, whole or not at all, another path; killed between two steps; a full disk; what is refused."""

import errno
import io
import json
import os
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.home import home as homes
from app.home.files import UNFINISHED
from app.home.home import Home, open_home
from app.upkeep import archive, backup
from app.upkeep import restore as restoring
from app.upkeep.backup import make_backup
from app.upkeep.restore import check_backup, restore
from engine.control import halt
from engine.errors import BadInput, DataError, Refused
from engine.store import db
from engine.store.anchors import note_head, verify_home
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.tables import Run
from engine.watch.last_upkeep import BACKUP

NOW = 1_760_000_000_000
ACTOR = {"name": "ann"}
KILLED = 9


def events(n: int, kind: str = "bar") -> list[Event]:
    """A group of records."""
    return [Event(kind, NOW + k, {"n": k}) for k in range(n)]


@pytest.fixture
def desk(own_home: Path) -> Home:
    """A home with a bit of everything, keys and caches included."""
    home = open_home(NOW)
    journal, people = Journal(home.desk_journal, "worker"), Journal(home.people_journal, "api")
    people.append(events(3, "ask"))
    note_head(home.engine, "desk", journal.append(events(5))[-1], NOW)
    with home.desk_journal.open("ab") as file:
        file.write(b'{"seq":6,"id":"d-6","kind":"bar"')  # being written at this moment
    journal.close()
    people.close()
    for name, text in {
        "memory/desk.md": "# We", "runs/r-1/run.json": "{}", "reports/month-2026-05.md": "# May",
        "runs/.new-r-2/pid": "1", "models/vol/1.0.0/model.json": "{}",
        "strategies/own.py": "NAME = 'own'", "sessions/session-1": "hush-hush", "login-link": "http://127.0.0.1/?code=hush",
        "logs/worker.jsonl": "{}", "cache/flows.json": "{}", "key.txt": "hush-hush", "HALT": '{"reason": "x", "by": {}}\n',
    }.items():  # fmt: skip
        (own_home / name).parent.mkdir(parents=True, exist_ok=True)
        (own_home / name).write_text(text)
    return home


def elsewhere(monkeypatch: pytest.MonkeyPatch, path: Path) -> Path:
    """NIGHTDESK_HOME is another folder now."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(path))
    return path


def files_of(home: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*") if p.is_file()}


def killed_at(work: Callable[[Callable[[str], None]], object], nth: int) -> bool:
    """Whether a process that runs `work` was killed before its step number `nth`; no cleaning up happens in it."""
    for engine in list(db._OPENED):
        engine.dispose()  # no connection is carried into the child
    child = os.fork()
    if child == 0:
        try:
            seen = iter(range(10_000))
            work(lambda _: os._exit(KILLED) if next(seen) == nth else None)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child says by its code that it failed otherwise
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


def test_a_home_comes_back_on_another_path(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same desk: id, configuration, journals up to the last whole record, runs; no key, session, cache or unknown file."""
    found = make_backup(desk, tmp_path / "b.zst", NOW)
    assert found["left_out"] == ["key.txt"]
    new = elsewhere(monkeypatch, tmp_path / "other" / "place")
    assert restore(tmp_path / "b.zst", ACTOR, NOW)["home_id"] == desk.id
    opened = open_home(NOW)
    assert (opened.path, opened.id) == (new, desk.id)
    assert [event.seq for event in read(opened.desk_journal)] == [1, 2, 3, 4, 5]
    assert all(report.ok for report in verify_home(opened.journal, opened.engine).values())
    names = set(files_of(new))
    kept = {"memory/desk.md", "runs/r-1/run.json", "reports/month-2026-05.md", "models/vol/1.0.0/model.json", "strategies/own.py"}
    assert {*kept, "HALT"} <= names
    assert not [name for name in names if name.startswith(("sessions", "cache", "login", "key", "runs/.new"))]
    assert b"hush" not in b"".join(files_of(new).values())


def test_the_copy_is_of_one_instant(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is journaled and decided while it is being made is in neither journal nor database of the copy."""
    journal = Journal(desk.desk_journal, "worker")

    def meanwhile(step: str) -> None:
        if step == "database":
            note_head(desk.engine, "desk", journal.append(events(4))[-1], NOW + 1)
            with db.write(desk.engine) as session:
                session.add(
                    Run(id="r-late", created_ms=NOW, strategy="trend", symbol="X", timeframe="15m", cache_key="k", folder="f")
                )

    make_backup(desk, tmp_path / "b.zst", NOW, meanwhile)
    journal.close()
    elsewhere(monkeypatch, tmp_path / "new")
    restore(tmp_path / "b.zst", ACTOR, NOW)
    opened = open_home(NOW)
    assert [event.seq for event in read(opened.desk_journal)] == [1, 2, 3, 4, 5]
    with db.read(opened.engine) as session:
        assert session.exec(select(Run)).all() == []


def test_it_fits_while_everything_is_written(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker and an approver that never stop: each of five copies verifies against its own database."""
    done = threading.Event()

    def busy() -> None:
        journal, people = Journal(desk.desk_journal, "worker"), Journal(desk.people_journal, "api")
        while not done.is_set():
            note_head(desk.engine, "people", people.append(events(2, "ask"))[-1], NOW)
            note_head(desk.engine, "desk", journal.append(events(3))[-1], NOW)
        journal.close()
        people.close()

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for n in range(5):
            make_backup(desk, tmp_path / f"{n}.zst", NOW)
    finally:
        done.set()
        thread.join()
    for n in range(5):
        elsewhere(monkeypatch, tmp_path / f"home{n}")
        found = restore(tmp_path / f"{n}.zst", ACTOR, NOW)  # raises where chains and database do not fit
        assert found["home_id"] == desk.id


EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])  # of the steps; all of them: long


@EVERY
def test_a_backup_killed_anywhere_leaves_no_half_file(desk: Home, tmp_path: Path, every: int) -> None:
    """Before its steps: there is no file of that name or a whole one, and the next backup goes through."""
    nth, before = 0, files_of(desk.path)
    while killed_at(lambda step: make_backup(desk, tmp_path / "b.zst", NOW, step), nth):
        assert not (tmp_path / "b.zst").exists()
        assert not (desk.path / BACKUP).exists(), "the page would claim a backup that is none"
        nth += every
    assert nth > 12
    assert check_backup(tmp_path / "b.zst")["home_id"] == desk.id
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]
    (desk.path / BACKUP).unlink()  # that remembers the whole one
    assert {k: v for k, v in files_of(desk.path).items() if "desk.db" not in k} == {
        k: v for k, v in before.items() if "desk.db" not in k
    }


@EVERY
def test_a_restore_killed_anywhere_is_no_desk_until_it_is_run_again(
    desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Before its steps: no command opens what is there, and the next restore makes the whole home of it."""
    make_backup(desk, tmp_path / "b.zst", NOW)
    nth, here = 0, elsewhere(monkeypatch, tmp_path / "home0")
    while killed_at(lambda step: restore(tmp_path / "b.zst", ACTOR, NOW, step), nth):
        if (here / UNFINISHED).exists():
            with pytest.raises(BadInput, match="broke off"):
                open_home(NOW)
        assert restore(tmp_path / "b.zst", ACTOR, NOW)["home_id"] == desk.id
        assert not (here / UNFINISHED).exists()
        nth += every
        here = elsewhere(monkeypatch, tmp_path / f"home{nth}")
    assert nth > 20
    assert open_home(NOW).id == desk.id


@pytest.mark.parametrize("room", [0, 1_000, 20_000])
def test_a_full_disk_leaves_no_half_file(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """The disk takes so many bytes and no more: one line says so, and neither backup nor draft is there."""
    real = archive._Kept.write
    left = [room]

    def full(self: Any, data: Any) -> int:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    (desk.path / "data" / "noise.parquet").write_bytes(os.urandom(60_000))
    monkeypatch.setattr(archive._Kept, "write", full)
    with pytest.raises(DataError, match="No space left"):
        make_backup(desk, tmp_path / "b.zst", NOW)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_a_full_disk_in_a_restore_leaves_an_empty_home(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in one line; the home is as empty as it was."""
    make_backup(desk, tmp_path / "b.zst", NOW)

    def full(_source: Any, _target: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_copied", full)
    new = elsewhere(monkeypatch, tmp_path / "new")
    with pytest.raises(DataError, match="No space left"):
        restore(tmp_path / "b.zst", ACTOR, NOW)
    assert files_of(new) == {".open.lock": b""}


def test_a_home_that_has_something_is_refused(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk itself, and a folder with a single file: nothing is changed."""
    make_backup(desk, tmp_path / "b.zst", NOW)
    before = files_of(desk.path)
    with pytest.raises(Refused, match="is not empty"):
        restore(tmp_path / "b.zst", ACTOR, NOW)
    assert files_of(desk.path) == before
    other = elsewhere(monkeypatch, tmp_path / "other")
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match="notes"):
        restore(tmp_path / "b.zst", ACTOR, NOW)
    assert (other / "notes.txt").read_text() == "mine"


def test_a_newer_version_is_refused_and_an_older_one_migrated(
    desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the revision of its database; the sentence says what to do."""
    monkeypatch.setattr(backup, "REVISION", "9999")
    make_backup(desk, tmp_path / "new.zst", NOW)
    monkeypatch.setattr(backup, "REVISION", "0001")
    make_backup(desk, tmp_path / "old.zst", NOW)
    new = elsewhere(monkeypatch, tmp_path / "other")
    for work in (check_backup, lambda file: restore(file, ACTOR, NOW)):
        with pytest.raises(BadInput, match="newer than this one"):
            work(tmp_path / "new.zst")
    assert files_of(new) == {".open.lock": b""}
    assert restore(tmp_path / "old.zst", ACTOR, NOW)["revision"] == "0001"


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "nothing"])
def test_a_damaged_backup_is_refused(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    """Cut off, one bit turned, another file, an empty one: one line, and an empty home."""
    file = tmp_path / "b.zst"
    make_backup(desk, file, NOW)
    data = file.read_bytes()
    half = len(data) // 2
    turned = bytearray(data)
    turned[half] ^= 1
    turned[half // 2] ^= 1  # of a hundred bits of a zstd file one means nothing: two at once do not
    file.write_bytes({"cut": data[:half], "bit": bytes(turned), "text": b"not a backup\n" * 99, "nothing": b""}[damage])
    new = elsewhere(monkeypatch, tmp_path / "new")
    with pytest.raises(BadInput, match="damaged"):
        restore(file, ACTOR, NOW)
    assert files_of(new) == {".open.lock": b""}


def test_a_backup_whose_journal_was_cut_is_refused(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests that fit prove no chain: the database of the copy names a head that its journal lacks."""
    text = desk.desk_journal.read_bytes().split(b"\n")
    desk.desk_journal.write_bytes(b"\n".join(text[:3]) + b"\n")
    make_backup(desk, tmp_path / "b.zst", NOW)
    elsewhere(monkeypatch, tmp_path / "new")
    with pytest.raises(DataError, match="does not verify"):
        restore(tmp_path / "b.zst", ACTOR, NOW)


def test_a_desk_that_traded_an_account_comes_back_halted(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that it was made of may still trade it: a person looks first."""
    (desk.path / "HALT").unlink()
    account = '\n[accounts.main]\nvenue = "okx"\nmode = "testnet"\nkey_env = "OKX_KEY"\nsecret_env = "OKX_SECRET"\n'
    account += 'passphrase_env = "OKX_PASSPHRASE"\n'
    text = desk.settings.desk_toml.read_text()
    text = text.replace("[[sleeves]]", 'account = "main"\n\n[[sleeves]]', 1).replace('venue = "synthetic"', 'venue = "okx"')
    text = text.replace('source = "files"', 'source = "live"')
    desk.settings.desk_toml.write_text(text + account)
    make_backup(desk, tmp_path / "b.zst", NOW)
    new = elsewhere(monkeypatch, tmp_path / "new")
    assert restore(tmp_path / "b.zst", ACTOR, NOW)["halted"]
    latch = halt.read(new, open_home(NOW).engine)
    assert (latch.halted, latch.by, set(latch.where)) == (True, "ann", {"file", "database"})


def test_names_that_lead_out_of_the_home_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody else made: nothing is written beside the home."""
    for name in ("../out", str(tmp_path / "out"), "a/../../out"):
        (tmp_path / "x").write_bytes(b"x")
        with (tmp_path / "bad.zst").open("wb") as out, archive.written(out) as writer, (tmp_path / "x").open("rb") as file:
            writer.add(name, file.fileno(), 1)
            writer.close(dict.fromkeys(archive.ABOUT, ""))
        elsewhere(monkeypatch, tmp_path / "new")
        with pytest.raises(BadInput, match="damaged"):
            restore(tmp_path / "bad.zst", ACTOR, NOW)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("odd", ["list", "deep", "twice", "symlink", "hardlink", "device", "empty"])
def test_what_no_backup_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """Made by somebody else: one line, an empty home, and `--check` says the same."""
    texts = {"list": b"[1]", "deep": b"[" * 200_000, "empty": b"{}"}
    manifest = json.dumps(dict.fromkeys(archive.ABOUT, "") | {"format": 1, "files": {}}).encode()
    with (tmp_path / "bad.zst").open("wb") as out, archive.written(out) as writer:
        for n in range(2 if odd == "twice" else 1):
            header = archive._header("desk.toml", 1)
            if odd in ("symlink", "hardlink", "device"):
                header.size, header.linkname = 0, "/etc/passwd"
                header.type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[odd]
            writer._tar.addfile(header, io.BytesIO(b"%d" % n) if header.size else None)
        text = texts.get(odd, manifest)
        writer._tar.addfile(archive._header(archive.MANIFEST, len(text)), io.BytesIO(text))
    new = elsewhere(monkeypatch, tmp_path / "new")
    for work in (check_backup, lambda file: restore(file, ACTOR, NOW)):
        with pytest.raises(BadInput, match="damaged"):
            work(tmp_path / "bad.zst")
    assert files_of(new) == {".open.lock": b""}


def test_a_backup_that_unpacks_to_more_than_the_disk_has_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of very many zeros: refused by the size that it says, before a desk on the same disk can journal no more."""
    with (tmp_path / "big.zst").open("wb") as out, archive.written(out) as writer:
        writer._tar.addfile(archive._header("desk.toml", 1 << 20), io.BytesIO(bytes(1 << 20)))
    new, wrote = elsewhere(monkeypatch, tmp_path / "new"), list[int]()
    free = restoring.ROOM + (1 << 20) - 1
    monkeypatch.setattr(restoring.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})())
    monkeypatch.setattr(archive, "_copied", lambda *_: wrote.append(1))
    with pytest.raises(DataError, match="No space left on device: 68 MB are free, 68 needed: a desk journals"):
        restore(tmp_path / "big.zst", ACTOR, NOW)
    assert (wrote, files_of(new)) == ([], {".open.lock": b""})


def test_a_link_out_of_the_home_is_not_followed(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the machine that a link in the home leads to would leave with the backup."""
    (tmp_path / "secret").write_text("hush-hush")
    for name in ("memory/link.md", "runs/link.json"):
        (desk.path / name).symlink_to(tmp_path / "secret")
    (desk.path / "strategies" / "repository").symlink_to(tmp_path)
    found = make_backup(desk, tmp_path / "b.zst", NOW)
    assert found["links"] == ["memory/link.md", "runs/link.json", "strategies/repository"]  # never silently
    assert "follows no link: memory/link.md, runs/link.json, strategies/repository." in backup.lines_of(found)
    new = elsewhere(monkeypatch, tmp_path / "new")
    restore(tmp_path / "b.zst", ACTOR, NOW)
    assert not [name for name in files_of(new) if "link" in name]


def test_settings_that_are_a_link_end_the_backup(desk: Home, tmp_path: Path) -> None:
    """Kept in a repository, say: the backup lacked them without a word, and could not be restored."""
    (desk.path / "desk.toml").symlink_to((desk.path / "desk.toml").rename(tmp_path / "desk.toml"))
    with pytest.raises(DataError, match=r"desk\.toml is a link, and a backup follows none"):
        make_backup(desk, tmp_path / "b.zst", NOW)
    assert not list(tmp_path.glob("*b.zst*"))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_what_cannot_be_read_ends_the_backup(desk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A page that belongs to another user, a bad sector: the copy lacked it, and said that it was whole."""
    opened = os.open

    def failing(path: Any, *flags: Any) -> int:
        if str(path).endswith("memory/desk.md"):
            raise OSError(code, os.strerror(code))
        return opened(path, *flags)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(DataError, match=r"memory/desk\.md cannot be read"):
        make_backup(desk, tmp_path / "b.zst", NOW)
    assert [path.name for path in tmp_path.glob("*b.zst*")] == []


def test_the_file_is_never_written_over(desk: Home, tmp_path: Path) -> None:
    """A name that is taken is refused; the database's copy is one file that SQLite finds whole."""
    make_backup(desk, tmp_path / "b.zst", NOW)
    with pytest.raises(BadInput, match="exists already"):
        make_backup(desk, tmp_path / "b.zst", NOW)
    backup._copy_database(sqlite3.connect(desk.path / "desk.db"), tmp_path / "copy.db")
    assert sqlite3.connect(tmp_path / "copy.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert json.loads((desk.path / homes.FEED_FILE).read_text())["venue"] == "synthetic"
