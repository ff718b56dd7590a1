"""For the tests of the engine: a fresh SQLite file, a real PostgreSQL where one is installed, a Dask cluster."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from engine.store.db import migrate, open_db
from tests.fakes.dask_clusters import DaskCluster
from tests.fakes.waiting import WAIT_S


def _pg_folder() -> Path | None:
    """Where PostgreSQL's programs lie, if they do."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


def _free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL started for this test run; skipped, with the reason, where none is installed."""
    programs = _pg_folder()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine (apt-get install postgresql)")
    folder, port = Path(tempfile.mkdtemp(prefix="nightdesk-pg-")), _free_port()
    root = os.geteuid() == 0

    def call(command: str) -> None:
        words = ["su", "postgres", "-s", "/bin/sh", "-c", command] if root else ["/bin/sh", "-c", command]
        subprocess.run(words, check=True, capture_output=True, timeout=WAIT_S)

    if root:
        shutil.chown(folder, "postgres")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    call(f"{programs}/initdb -D {folder}/d -A trust -U postgres -E UTF8 --no-sync")
    call(f"{programs}/pg_ctl -D {folder}/d -w -o '{options}' -l {folder}/log start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        call(f"{programs}/pg_ctl -D {folder}/d -m immediate stop")
        shutil.rmtree(folder, ignore_errors=True)


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
