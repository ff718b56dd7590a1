"""A desk on PostgreSQL in one file: from either database into either, of one instant, never over a desk."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from app.home.home import Home, open_home
from app.upkeep.backup import make_backup
from app.upkeep.restore import restore
from engine.control import halt
from engine.errors import BadInput
from engine.store.anchors import note_head, verify_home
from engine.store.chain import Event
from engine.store.db import open_db
from engine.store.journal import Journal

NOW = 1_760_000_000_000
ACTOR = {"name": "ann"}


@pytest.fixture
def other_url(postgres_url: str) -> str:
    """The URL of a second, empty database of the same server."""
    engine = open_db(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS other WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE other"))
    engine.dispose()
    return f"{postgres_url.rpartition('/')[0]}/other"


def desk_on(url: str | None, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home on a database, with journals and rows."""
    if url is not None:
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", url)
    home = open_home(NOW)
    journal = Journal(home.desk_journal, "worker")
    note_head(home.engine, "desk", journal.append([Event("bar", NOW + k, {"n": k}) for k in range(5)])[-1], NOW)
    journal.close()
    halt.set(home.path, "one", ACTOR, NOW, home.engine)
    return home


def rows_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with engine.connect() as connection:
        found = {t.name: [dict(row._mapping) for row in connection.execute(t.select())] for t in SQLModel.metadata.sorted_tables}
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def restored_into(path: Path, url: str | None, file: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home that a backup makes at `path`, its rows in the database of `url`, in SQLite without one."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(path))
    if url is None:
        monkeypatch.delenv("NIGHTDESK_DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", url)
    restore(file, ACTOR, NOW)
    return open_home(NOW)


@pytest.mark.sample(1)
@pytest.mark.parametrize(("of", "into"), [("postgres", "sqlite"), ("postgres", "postgres"), ("sqlite", "postgres")])
def test_the_same_desk_comes_back(
    of: str, into: str, own_home: Path, tmp_path: Path, postgres_url: str, other_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row, both chains, the id and the halt; a row that is added gets a number of its own."""
    home = desk_on(postgres_url if of == "postgres" else None, monkeypatch)
    before = rows_of(home.engine)
    make_backup(home, tmp_path / "b.zst", NOW)
    new = restored_into(tmp_path / "new", other_url if into == "postgres" else None, tmp_path / "b.zst", monkeypatch)
    assert (new.id, new.engine.dialect.name) == (home.id, "postgresql" if into == "postgres" else "sqlite")
    assert rows_of(new.engine) == before
    assert len(before["halts"]) == 1
    assert (new.path / "desk.db").exists() == (into == "sqlite")
    assert all(report.ok for report in verify_home(new.journal, new.engine).values())
    halt.release(new.path, new.engine, halt.read(new.path, new.engine), ACTOR, "tried", NOW + 1)
    halt.set(new.path, "two", ACTOR, NOW + 2, new.engine)
    assert len({row["id"] for row in rows_of(new.engine)["halts"]}) == 2


def test_what_is_written_while_it_is_copied_is_not_in_it(
    own_home: Path, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are those of the instant at which the journals' ends were noted."""
    home = desk_on(postgres_url, monkeypatch)
    before = rows_of(home.engine)

    def write_more(step: str) -> None:
        if step == "database":
            halt.set(home.path, "later", ACTOR, NOW + 5, home.engine)
            with home.engine.begin() as connection:
                connection.execute(text("UPDATE halts SET reason = 'changed'"))

    make_backup(home, tmp_path / "b.zst", NOW, write_more)
    assert rows_of(home.engine) != before
    new = restored_into(tmp_path / "new", None, tmp_path / "b.zst", monkeypatch)
    assert rows_of(new.engine) == before


def test_a_database_that_has_rows_is_refused(
    own_home: Path, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The running desk's own database above all; nothing is changed, and the folder stays empty."""
    home = desk_on(postgres_url, monkeypatch)
    make_backup(home, tmp_path / "b.zst", NOW)
    before = rows_of(home.engine)
    with pytest.raises(BadInput, match="has rows of a desk"):
        restored_into(tmp_path / "new", postgres_url, tmp_path / "b.zst", monkeypatch)
    assert rows_of(home.engine) == before
    assert not [path for path in (tmp_path / "new").iterdir() if path.name != ".open.lock"]
