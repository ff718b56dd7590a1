"""The desk's database: SQLite in WAL mode, or PostgreSQL by its URL. Opened by app.home.home and by tests.

`open_db` turns a URL into an engine, `migrate` brings its tables up to date, `read` and `write` are the two kinds of
transaction. A transaction that reads and then writes belongs in `write`: there one writer has its turn after the other on both
databases, so that no other write comes in between what it reads and what it writes. SQLite takes its write lock first (a deferred
transaction would fail with "database is locked"), PostgreSQL one lock of the whole database.
"""

import atexit
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, IntegrityError
from sqlmodel import Session

from engine.errors import BadInput, Busy, DataError

REVISION = "0011"  # head of migrations/versions; a test keeps it so
_GUARD, _QUEUES = threading.Lock(), WeakKeyDictionary[Engine, threading.Lock]()
_OPENED = WeakSet[Engine]()
BUSY_MS = 5_000  # how long a write waits for another process's
DISK_WORDS = ("disk I/O error", "disk is full", "No space left on device")  # SQLite's, and PostgreSQL's
DISK_ADVICE = "free disk space where it is (a halt needs none: `nightdesk halt`), then try again"
RESTORE = "stop the desk and restore the file from a copy (a halt needs none: `nightdesk halt`)"
GONE = "its file is gone or emptied"
GONE_ADVICE = "put the file or a copy of it back; a running desk stays halted until then"
IN_MEMORY = ("", ":memory:")
WRITER_LOCK = 4_711  # PostgreSQL's name for it: an advisory lock, of this database alone


def open_db(url: str) -> Engine:
    """An engine for `url` (`sqlite:////path/desk.db` or `postgresql://...`); nothing is connected yet.

    Raises BadInput for an invalid URL or another database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadInput("invalid database URL", "set NIGHTDESK_DATABASE_URL like postgresql://...") from error
    if parsed.get_backend_name() == "sqlite":
        in_file = parsed.database not in (None, *IN_MEMORY) and not parsed.query
        opener = {"creator": _opens(str(parsed.database))} if in_file else {}
        engine = create_engine(parsed, connect_args={"timeout": BUSY_MS / 1000}, **opener)
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        if in_file:
            _keep_to_the_file(engine)
    elif parsed.get_backend_name() == "postgresql":
        own = {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), **own)
    else:
        raise BadInput(f"database {parsed.get_backend_name()!r} is not supported", "use sqlite or postgresql")
    _OPENED.add(engine)
    return engine


@atexit.register
def close_all() -> None:
    """Close the databases of a process that ends: the last to close a SQLite file moves its write-ahead log into it."""
    for engine in list(_OPENED):
        engine.dispose()


def _sqlite_connect(connection: Any, _record: Any) -> None:
    """Set the pragmas that SQLite does not keep between connections; transactions are begun by `_sqlite_begin`."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def file_of(engine: Engine) -> tuple[int, int] | None:
    """Which file lies where `engine` has its SQLite database (device, inode); None when none does, or an emptied one."""
    return _file_at(engine.url.database or "")


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


def _opens(path: str) -> Callable[[], sqlite3.Connection]:
    """What opens the file, and makes it where there was none - once: a file that went away later is not made anew."""
    opened: list[bool] = []

    def connect() -> sqlite3.Connection:
        if opened and _file_at(path) is None:
            raise sqlite3.OperationalError(GONE)
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, check_same_thread=False)
        opened[:] = [True]
        return connection

    return connect


def _keep_to_the_file(engine: Engine) -> None:
    """Let every transaction meet the file that lies at the path now.

    A removed or replaced file lives on for whoever has it open: a process would go on with a database that no other one sees, and
    miss what people decide.
    """

    def after(_connection: Any, record: Any) -> None:
        record.info["file"] = file_of(engine)

    def taken(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("file") != file_of(engine):
            raise DisconnectionError  # sqlalchemy opens another connection in its place

    event.listen(engine, "connect", after)
    event.listen(engine, "checkout", taken)


def _sqlite_begin(connection: Connection) -> None:
    """Begin the requested kind of transaction."""
    options = connection.get_execution_options()
    if not options.get("writes", False):
        _at_once(connection, "BEGIN")
        return
    _at_once(connection, f"PRAGMA synchronous={'FULL' if options.get('durable', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _at_once(connection: Connection, statement: str) -> None:
    """Run what waits for no lock and returns nothing, past sqlalchemy's bookkeeping: a turn of an agent begins a dozen times."""
    try:
        connection.connection.driver_connection.execute(statement)  # type: ignore[union-attr]  # there while it is checked out
    except sqlite3.Error:
        connection.exec_driver_sql(statement)  # fails again, as an error that the callers know


@contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """A read-only transaction: one consistent snapshot, never waiting for a writer. Raises as `write`."""
    with _readable_errors(engine), Session(engine) as session:
        yield session


@contextmanager
def read_rows(engine: Engine) -> Iterator[Connection]:
    """The same for plain columns, without mapped objects: a third of the work, for what every question of a person reads."""
    with _readable_errors(engine), engine.connect() as connection:
        yield connection


@contextmanager
def write(engine: Engine, *, durable: bool = True) -> Iterator[Session]:
    """A transaction that writes: committed when the block ends, rolled back when it raises.

    `durable`: it is on the disk when the block ends. Without, every process sees it at once, also when this one dies, but it
    reaches the disk with the next durable one, and a power failure before that takes it: for steps whose end is durable.
    Raises Busy when another process or thread writes for longer than BUSY_MS, DataError when the database fails; a violated
    constraint stays sqlalchemy's IntegrityError.
    """
    with write_rows(engine, durable=durable) as connection, Session(connection) as session:
        yield session
        session.commit()


@contextmanager
def write_rows(engine: Engine, *, durable: bool = True) -> Iterator[Connection]:
    """The same for plain rows, without mapped objects."""
    with (
        _writer_turn(engine),
        _readable_errors(engine),
        engine.connect().execution_options(writes=True, durable=durable) as connection,
    ):
        if engine.dialect.name == "postgresql":
            _alone(connection, durable)
        yield connection
        connection.commit()


def _alone(connection: Connection, durable: bool) -> None:
    """Wait for the one lock that every write on PostgreSQL takes, at most BUSY_MS; it is given back with the transaction."""
    if not durable:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
    connection.execute(text(f"SET LOCAL lock_timeout = {BUSY_MS}"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"))


@contextmanager
def _writer_turn(engine: Engine) -> Iterator[None]:
    """The threads of this process write to SQLite one after the other, first come first served.

    SQLite itself polls for its lock: of twenty writers at once some would starve.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    with _GUARD:
        queue = _QUEUES.setdefault(engine, threading.Lock())
    if not queue.acquire(timeout=BUSY_MS / 1000):
        where = engine.url.render_as_string(hide_password=True)
        raise Busy(f"the database {where} is busy: other threads of this process are writing", "try again in a moment")
    try:
        yield
    finally:
        queue.release()


@contextmanager
def _readable_errors(engine: Engine) -> Iterator[None]:
    """Translate database exceptions into errors that say where and what to do."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        where, what = engine.url.render_as_string(hide_password=True), f"{error.orig}".strip().splitlines()[0]
        if "locked" in what or "lock timeout" in what:
            raise Busy(f"the database {where} is busy: {what}", "try again in a moment") from error
        raise DataError(f"the database {where} failed: {what}", _advice(what, "run `nightdesk doctor`")) from error


def _advice(what: str, usual: str) -> str:
    """What to do about a database's error: SQLite needs a few pages of disk even to read."""
    if what == GONE:
        return GONE_ADVICE
    return DISK_ADVICE if any(words in what for words in DISK_WORDS) else usual


def take_turn(session: Session) -> None:
    """Serialize the transactions that change proposals, configuration or the halt, until commit.

    PostgreSQL would let them deadlock on each other's proposals: they queue for the table of the active pointer, which is
    there before its row is. SQLite's write lock, which `write` has taken, already does the same.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE active IN SHARE ROW EXCLUSIVE MODE"))


def revision_of(engine: Engine) -> str | None:
    """The migration that `engine` is at; None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrate(engine: Engine) -> bool:
    """Bring the tables up to date; True when something was done. The caller holds the home's lock.

    Up to date costs one small query (alembic is not imported). Raises DataError when the database cannot be opened, was
    written by a newer Nightdesk, or holds what cannot be brought up to date; then it is as it was before.
    """
    try:
        found = revision_of(engine)
        if found == REVISION:
            return False
        if found is not None and found > REVISION:
            raise DataError(f"the database is from a newer version of Nightdesk (revision {found})", "update Nightdesk")
        _upgrade(engine)
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        advice = _advice(str(error.orig), RESTORE if engine.dialect.name == "sqlite" else "check NIGHTDESK_DATABASE_URL")
        raise DataError(f"the database {where} cannot be opened: {' '.join(str(error.orig).split())}", advice) from error
    return True


def _upgrade(engine: Engine) -> None:
    """Run alembic's upgrade on one connection of `engine`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect().execution_options(writes=True) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except DBAPIError:
            raise
        except Exception as error:  # an edited row, or a revision that no version of Nightdesk had
            where, what = engine.url.render_as_string(hide_password=True), f"{type(error).__name__}: {error}"[:200]
            raise DataError(f"the database {where} cannot be brought up to date ({what})", "restore it from a backup") from error
        connection.commit()
