"""A desk's rows between PostgreSQL and the SQLite file of a backup, whatever the database is. Called by backup.py and restore.py.

Both databases have the same tables by the same migrations, so a backup always holds one SQLite file: a desk may be backed up
from either and restored into either.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import SQLModel

from app.upkeep import archive
from engine.errors import BadInput, DataError
from engine.store import tables as _tables  # noqa: F401 - it declares them
from engine.store.db import migrate, open_db, write_rows

PIECE = 1_000  # rows at a time


def begun(engine: Engine, stack: ExitStack) -> Callable[[Path], None]:
    """Begin a read of PostgreSQL that sees what there is now, until `stack` ends; what copies it into a new SQLite file.

    Raises DataError when the database or the file fails.
    """
    try:
        connection = stack.enter_context(engine.connect().execution_options(isolation_level="REPEATABLE READ"))
        connection.execute(text("SELECT version_num FROM alembic_version")).all()  # the first statement takes the snapshot
    except SQLAlchemyError as error:
        raise DataError(f"the database cannot be read: {_line(error)}", "check NIGHTDESK_DATABASE_URL") from error
    return lambda file: _into_file(connection, file)


def _into_file(connection: Connection, file: Path) -> None:
    archive.remove(file)
    target = open_db(f"sqlite:///{file}")
    try:
        migrate(target)
        file.chmod(0o600)
        with write_rows(target) as to:
            copy_rows(connection, to)
        with target.connect() as last:
            last.connection.driver_connection.execute("PRAGMA journal_mode=DELETE")  # type: ignore[union-attr]  # it is open
    except DBAPIError as error:
        raise DataError(f"the database cannot be copied: {_line(error)}", "free disk space, then try again") from error
    finally:
        target.dispose()
        for ending in ("-wal", "-shm", "-journal"):
            archive.remove(Path(f"{file}{ending}"))


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table, tables that others refer to first."""
    for table in SQLModel.metadata.sorted_tables:
        found = source.execution_options(yield_per=PIECE).execute(table.select())
        for part in found.mappings().partitions():
            target.execute(table.insert(), [dict(row) for row in part])


def fit_for(engine: Engine) -> None:
    """Raises BadInput unless the database that a restore writes into has no row of a desk, DataError when it cannot be opened."""
    try:
        with engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
            full = [
                table.name
                for table in SQLModel.metadata.sorted_tables
                if table.name in there and connection.execute(select(func.count()).select_from(table)).scalar_one()
            ]
    except SQLAlchemyError as error:
        raise DataError(f"the database cannot be opened: {_line(error)}", "check NIGHTDESK_DATABASE_URL") from error
    if full:
        what = f"the database {engine.url.render_as_string(hide_password=True)} has rows of a desk ({', '.join(full[:3])})"
        raise BadInput(what, "name an empty one: a restore never writes over a desk; where one broke off, drop its tables")


def fill(engine: Engine, file: Path) -> None:
    """All rows of a backup's SQLite file into a PostgreSQL database without any, in one transaction; its counters follow.

    Raises DataError when the database fails; then it has no row.
    """
    migrate(engine)
    source = open_db(f"sqlite:///{file}")
    try:
        with source.connect() as rows, write_rows(engine) as target:
            copy_rows(rows, target)
            for table in SQLModel.metadata.sorted_tables:
                for column in table.primary_key.columns:
                    counter = target.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar_one()
                    most = target.execute(select(func.max(column))).scalar_one()
                    if counter and most is not None:
                        target.execute(select(func.setval(counter, most)))
    finally:
        source.dispose()


def _line(error: SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
