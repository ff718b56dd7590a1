"""For the tests of the engine: a fresh SQLite file, a real PostgreSQL where one is installed, a Dask cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from engine.store.db import migrate, open_db
from tests.fakes.dask_clusters import DaskCluster
from tests.fakes.postgres_server import programs, served


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL started for this test run; skipped, with the reason, where none is installed."""
    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL on this machine (apt-get install postgresql)")
    with served(where) as url:
        yield url


SHAPE = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
_MIGRATED: dict[str, list[tuple[str, ...]]] = {}  # by URL: the tables as the migrations leave them


def _shape(engine: Engine) -> list[tuple[str, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(SHAPE))]


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[Engine]:
    """An empty PostgreSQL database, tables made: emptied after the test before, made anew where that one left other tables."""
    engine = open_db(postgres_server)
    shape = _shape(engine)
    with engine.begin() as connection:
        if as_migrated := shape == _MIGRATED.get(postgres_server):
            names = sorted({table for table, *_ in shape} - {"alembic_version"})
            connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
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
