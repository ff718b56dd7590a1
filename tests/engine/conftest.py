"""For the tests of the engine: a fresh SQLite file, a real PostgreSQL where one is installed, a Dask cluster."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from engine.store.db import migrate, open_db
from tests.fakes.dask_clusters import DaskCluster

SHAPE = """SELECT relname, attname, atttypid::regtype::text FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"""
RESTART = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"
_MIGRATED: dict[str, list[tuple[str, ...]]] = {}  # by URL: the tables as the migrations leave them


def _shape(engine: Engine) -> list[tuple[str, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(SHAPE))]


def empty(connection: Connection, names: Sequence[str]) -> None:
    """Delete all rows and count from 1 again. TRUNCATE makes the files of all tables anew: forty times as long."""
    connection.execute(text("SET LOCAL session_replication_role = replica"))  # in any order
    held = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)
    for (name,) in connection.execute(text(held)).all():
        connection.execute(text(f"DELETE FROM {name}"))
    connection.execute(text(RESTART))


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[Engine]:
    """An empty PostgreSQL database, tables made: emptied after the test before, made anew where that one left other tables."""
    engine = open_db(postgres_server)
    shape = _shape(engine)
    with engine.begin() as connection:
        if as_migrated := shape == _MIGRATED.get(postgres_server):
            names = sorted({table for table, *_ in shape} - {"alembic_version"})
            empty(connection, names)
        else:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    if not as_migrated:
        migrate(engine)
        _MIGRATED[postgres_server] = _shape(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite file, tables made."""
    engine = open_db(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest) -> Engine:
    """Each of the two databases in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskCluster]:
    """A cluster without workers."""
    made = DaskCluster(tmp_path)
    try:
        yield made
    finally:
        made.end()
