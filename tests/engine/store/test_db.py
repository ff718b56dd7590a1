"""The database: tables and migration agree, coming back is cheap, and two writers do not throw each other out."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, select

from engine.errors import BadInput, Busy, DataError
from engine.store import db as database
from engine.store import tables
from tests.fakes import databases
from tests.fakes.waiting import WAIT_S


@pytest.fixture(autouse=True)
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this file every database is migrated, none copied."""
    monkeypatch.setattr(database, "_upgrade", databases.MIGRATE)


def _proposal(number: int, state: str = "pending") -> tables.Proposal:
    return tables.Proposal(
        id=f"prop-{number}",
        kind="change",
        sleeve="btc",
        base_version=1,
        diff="{}",
        diff_sha256="x",
        direction="neutral",
        created_ms=1_700_000_000_000,
        expires_ms=1_700_000_000_001,
        state=state,
    )


def test_migration_makes_exactly_the_declared_tables(db: Engine) -> None:
    """Alembic finds nothing to add to or take from a migrated database."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_copies_of_other_tests_are_what_a_migration_makes(sqlite: Engine, tmp_path: Path) -> None:
    """tests/fakes/databases.py: the same tables, indexes and revision, in WAL mode, byte for byte the same SQL."""

    def contents(engine: Engine) -> tuple[list[Any], str, Any]:
        with engine.connect() as connection:
            schema = [tuple(r) for r in connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY name")]
            return schema, str(database.revision_of(engine)), connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    copy = database.open_db(f"sqlite:///{tmp_path / 'copy.db'}")
    databases.copied(copy)
    assert contents(copy) == contents(sqlite)
    assert contents(copy)[1:] == (database.REVISION, "wal")


def test_revision_constant_is_the_head_of_the_migrations() -> None:
    """The cheap check compares with the same revision alembic would go to."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == database.REVISION


@pytest.mark.slow
def test_coming_back_to_a_migrated_database_imports_no_alembic(sqlite: Engine) -> None:
    """A command on an existing home does not pay for alembic."""
    code = (
        "import sys; from engine.store.db import open_db, migrate\n"
        f"assert migrate(open_db({str(sqlite.url)!r})) is False\n"
        "assert 'alembic' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr


def test_one_pending_proposal_a_sleeve_is_a_rule_of_the_database(db: Engine) -> None:
    """A second pending row of a sleeve is refused by the index; decided ones may be many."""
    with database.write(db) as session:
        session.add_all([_proposal(1, "rejected"), _proposal(2, "rejected"), _proposal(3)])
    with pytest.raises(IntegrityError), database.write(db) as session:
        session.add(_proposal(4))
    with database.read(db) as session:
        assert [row.id for row in session.exec(select(tables.Proposal).where(tables.Proposal.state == "pending"))] == ["prop-3"]


def test_a_raising_block_writes_nothing(db: Engine) -> None:
    """What was added before the exception is gone."""

    def work() -> None:
        with database.write(db) as session:
            session.add(_proposal(1))
            session.flush()
            raise KeyError("stop")

    with pytest.raises(KeyError):
        work()
    with database.read(db) as session:
        assert session.exec(select(tables.Proposal)).all() == []


def test_writers_that_read_first_wait_for_each_other(sqlite: Engine) -> None:
    """Four threads that read and then write a counter lose no step and are never thrown out."""
    with sqlite.begin() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    errors: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(25):
                with database.write(sqlite) as session:
                    n = session.connection().execute(text("SELECT n FROM counter")).scalar_one()
                    session.connection().execute(text("UPDATE counter SET n = :n"), {"n": n + 1})
        except Exception as error:  # noqa: BLE001 - shown by the assert below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with sqlite.connect() as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 100


def test_sqlite_keeps_its_promises(sqlite: Engine) -> None:
    """Write-ahead log, full synchronisation and foreign keys hold on every connection."""
    with sqlite.connect() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        keys = connection.execute(text("PRAGMA foreign_keys")).scalar()
    assert (found, keys) == (["wal", 2], 1)


def test_milliseconds_fit(db: Engine) -> None:
    """Today's milliseconds need more than 32 bits."""
    with database.write(db) as session:
        session.add(tables.Anchor(journal="desk", seq=2**40, hash="h", noted_ms=1_800_000_000_000))
    with database.read(db) as session:
        assert session.get(tables.Anchor, "desk").seq == 2**40


def test_unknown_databases_and_broken_urls_are_one_clear_line() -> None:
    """A bad URL is a person's mistake, told as such."""
    with pytest.raises(BadInput, match="mysql"):
        database.open_db("mysql://localhost/x")
    with pytest.raises(BadInput, match="invalid database URL"):
        database.open_db("not a url")


def test_a_database_that_cannot_be_opened_says_where(tmp_path: Path) -> None:
    """A folder in the database's place is told with its path."""
    (tmp_path / "desk.db").mkdir()
    with pytest.raises(DataError, match=r"desk\.db"):
        database.migrate(database.open_db(f"sqlite:///{tmp_path / 'desk.db'}"))


def test_a_damaged_file_is_restored_and_no_setting_is_looked_for(tmp_path: Path) -> None:
    """Garbage in the file's place: what to do with a file, and that a halt works meanwhile."""
    (tmp_path / "desk.db").write_bytes(b"\xff" * 4096)
    with pytest.raises(DataError, match="not a database - stop the desk and restore the file from a copy"):
        database.migrate(database.open_db(f"sqlite:///{tmp_path / 'desk.db'}"))


def test_a_server_that_is_away_is_one_line() -> None:
    """Its driver explains itself over several lines."""
    away = database.open_db("postgresql://adv:secret@127.0.0.1:1/desk")
    with pytest.raises(DataError, match=r"cannot be opened: .*refused") as found:
        database.migrate(away)
    assert len(str(found.value).splitlines()) == 1
    assert "secret" not in str(found.value)


def test_a_file_put_in_the_place_of_an_open_one_is_the_database(sqlite: Engine, tmp_path: Path) -> None:
    """A process that had the file open reads and writes what lies there now, not what only it can still see."""
    other = database.open_db(f"sqlite:///{tmp_path / 'other.db'}")
    for engine, id_ in ((sqlite, "before"), (other, "now")):
        database.migrate(engine)
        with database.write(engine) as session:
            session.add(tables.Thread(id=id_, role="operator", person="ann", created_ms=1))
    other.dispose()
    for left in Path(str(sqlite.url.database)).parent.glob("desk.db-*"):
        left.unlink()
    (tmp_path / "other.db").replace(str(sqlite.url.database))
    with database.write(sqlite) as session:
        assert [row.id for row in session.exec(select(tables.Thread)).all()] == ["now"]


@pytest.mark.parametrize("emptied", [False, True], ids=["removed", "emptied in its place"])
def test_a_file_that_is_gone_is_not_made_anew(sqlite: Engine, emptied: bool) -> None:
    """An empty database in its place would forget a halt without a word; it fails, each time, and says what to do."""
    database.migrate(sqlite)
    sqlite.dispose()  # the file alone holds everything
    path = Path(str(sqlite.url.database))
    aside = path.with_name("aside.db")
    shutil.copy(path, aside)
    assert database.revision_of(sqlite) == database.REVISION
    if emptied:
        os.truncate(path, 0)
    else:
        path.unlink()
    for _ in range(3):
        with pytest.raises(DataError, match="its file is gone or emptied - put the file"), database.write(sqlite):
            pytest.fail("it was opened")
    assert not path.exists() or path.stat().st_size == 0
    for left in path.parent.glob("desk.db-*"):
        left.unlink()
    aside.replace(path)
    assert database.revision_of(sqlite) == database.REVISION


def test_a_newer_database_is_left_alone(sqlite: Engine) -> None:
    """An older Nightdesk does not touch what a newer one has made."""
    with sqlite.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DataError, match="newer"):
        database.migrate(sqlite)


def test_a_failing_database_is_one_clear_line(sqlite: Engine, postgres: Engine) -> None:
    """A table that is gone: said with the database's name, never as a library's own exception."""
    for engine, words in ((sqlite, r"desk\.db failed: no such table: notes"), (postgres, 'relation "notes" does not exist')):
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE notes"))
        with pytest.raises(DataError, match=words), database.read(engine) as session:
            session.exec(select(tables.InboxNote)).all()


def test_a_database_that_somebody_keeps_is_busy(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again may help: the error says so."""
    holder = sqlite.connect().execution_options(writes=True)
    holder.execute(text("DELETE FROM notes"))
    impatient = database.open_db(str(sqlite.url))
    with impatient.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=1"))
    with pytest.raises(Busy, match="try again"), database.write(impatient) as session:
        session.add(_proposal(1))
    holder.close()


def test_threads_of_one_process_queue_up_to_write(sqlite: Engine) -> None:
    """Twenty threads write while SQLite itself has no patience at all: each one gets its turn, and nothing is lost."""
    event.listen(sqlite, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout=0"))
    sqlite.dispose()

    def work(n: int) -> None:
        for m in range(10):
            with database.write(sqlite) as session:
                session.add(tables.Thread(id=f"t-{n}-{m}", role="operator", person="ann", created_ms=m))

    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(work, n) for n in range(20)]:
            done.result()
    with database.read(sqlite) as session:
        assert len(session.exec(select(tables.Thread)).all()) == 200


def test_a_thread_that_waits_too_long_is_told(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that does not end costs the next one a while and one clear line, never its life."""
    monkeypatch.setattr(database, "BUSY_MS", 50)
    late = pytest.raises(Busy, match="other threads of this process are writing")
    with database.write(sqlite), ThreadPoolExecutor(1) as pool, late:
        pool.submit(lambda: database.write(sqlite).__enter__()).result()
    with database.write(sqlite) as session:
        session.add(tables.Thread(id="t", role="operator", person="ann", created_ms=1))


def test_a_step_reaches_the_disk_with_the_next_durable_write(sqlite: Engine) -> None:
    """Only what may be lost with its whole turn is written without a sync; the next write on the same connection has one."""
    for durable in (False, True, False, True):
        with database.write(sqlite, durable=durable) as session:
            assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == (2 if durable else 1)
