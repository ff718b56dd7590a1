"""Home folder, database and journal carry one id: what does not belong together is one line, and nothing is written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.home.belonging import FILE
from app.home.home import open_home
from engine.errors import BadInput
from engine.store.chain import Event
from engine.store.db import open_db, read
from engine.store.journal import Journal, journal_hash
from engine.store.tables import HomeIdentity
from tests.fakes.old_databases import migrated_to


def id_in_database(home: Any) -> list[str]:
    """The ids that the database holds."""
    with read(home.engine) as session:
        return [row.home_id for row in session.exec(select(HomeIdentity)).all()]


def file_of(home: Path) -> dict[str, str]:
    """What home.json says."""
    return dict(json.loads((home / FILE).read_text()))


def begun(home: Path, home_id: str | None) -> None:
    """A desk journal whose start names a home."""
    start = {"instruments": [], **({"home_id": home_id} if home_id else {})}
    journal = Journal(home / "journal" / "desk.jsonl", "test")
    journal.append([Event("config", 0, {"version": 1, "start": start})])
    journal.close()


def files_under(folder: Path) -> dict[str, int]:
    """Every file with its time of change."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_first_opening_makes_one_id_and_every_later_one_keeps_it(own_home: Path) -> None:
    """File, database and Home say the same; a new home gets no line in the log, another home another id."""
    home = open_home()
    assert home.id.startswith("h-")
    assert file_of(own_home) == {"home_id": home.id, "database": "sqlite:desk.db"}
    assert id_in_database(home) == [home.id] == [open_home().id]
    assert not (own_home / "logs" / "home.jsonl").exists()


def test_a_home_made_before_this_gets_its_id_at_the_next_opening(own_home: Path) -> None:
    """Neither file nor database knows of ids: one is made, with one line in the log; a moved home keeps its own."""
    home = open_home()
    begun(own_home, None)
    (own_home / FILE).unlink()
    home.engine.dispose()
    for path in own_home.glob("desk.db*"):
        path.unlink()
    migrated_to(open_db(str(home.engine.url)), "0003").dispose()
    made = open_home().id
    assert id_in_database(open_home()) == [made]
    lines = (own_home / "logs" / "home.jsonl").read_text().splitlines()
    assert [json.loads(line)["home_id"] for line in lines] == [made]


def test_a_moved_home_is_the_same_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder with its database is elsewhere now."""
    made = open_home().id
    moved = own_home.with_name("moved")
    own_home.rename(moved)
    monkeypatch.setenv("NIGHTDESK_HOME", str(moved))
    assert open_home().id == made


def test_a_database_of_another_home_is_refused(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a home that has its own, and by a fresh one: one line that names both, and no file changes."""
    home = open_home()
    mine = home.id
    home.engine.dispose()
    other = own_home.with_name("other")
    monkeypatch.setenv("NIGHTDESK_HOME", str(other))
    home = open_home()
    theirs = home.id
    home.engine.dispose()
    shutil.copy(own_home / "desk.db", other / "desk.db")
    before = files_under(other)
    with pytest.raises(BadInput, match=mine) as refused:
        open_home()
    assert theirs in str(refused.value)
    assert "\n" not in str(refused.value)
    changed = {p for p, at in files_under(other).items() if before.get(p) != at and not p.endswith(("-wal", "-shm", ".lock"))}
    assert not changed
    fresh = own_home.with_name("fresh")
    monkeypatch.setenv("NIGHTDESK_HOME", str(fresh))
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", f"sqlite:///{own_home / 'desk.db'}")
    with pytest.raises(BadInput, match="belongs to the home"):
        open_home()
    assert not (fresh / "desk.toml").exists()


@pytest.mark.parametrize("first", ["sqlite", "postgres"])
def test_a_home_opened_with_another_database_than_its_own_is_refused(
    own_home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """A PostgreSQL home without its URL, and a SQLite home with one: no new database is made, and the way back is named."""
    if first == "postgres":
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", postgres_url)
        home = open_home()
        assert id_in_database(home) == [home.id] == [open_home().id]
        monkeypatch.delenv("NIGHTDESK_DATABASE_URL")
        hint = "set NIGHTDESK_DATABASE_URL to postgresql://"
    else:
        open_home()
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", postgres_url)
        hint = "unset NIGHTDESK_DATABASE_URL"
    with pytest.raises(BadInput, match=hint):
        open_home()
    if first == "postgres":
        assert not (own_home / "desk.db").exists()
    else:
        with open_db(postgres_url).connect() as connection:
            assert not connection.dialect.has_table(connection, "alembic_version")


def test_a_journal_of_another_home_is_refused(own_home: Path) -> None:
    """Somebody copied a journal in."""
    home = open_home()
    begun(own_home, "h-another")
    with pytest.raises(BadInput, match="h-another"):
        open_home()
    assert id_in_database(home) == [home.id]


def test_a_lost_database_or_file_takes_the_id_that_is_left(own_home: Path) -> None:
    """A new database in the home's own place belongs to it; a lost file is told by the journal."""
    made = open_home().id
    begun(own_home, made)
    (own_home / FILE).unlink()
    assert open_home().id == made
    for path in own_home.glob("desk.db*"):
        path.unlink()
    home = open_home()
    assert (home.id, id_in_database(home)) == (made, [made])
    assert made in (own_home / "logs" / "home.jsonl").read_text()


def test_the_id_changes_no_journal_hash(tmp_path: Path) -> None:
    """Equal runs of two homes hash equal."""
    for name in ("one", "two"):
        begun(tmp_path / name, f"h-{name}")
    begun(tmp_path / "none", None)
    assert len({journal_hash(tmp_path / name / "journal" / "desk.jsonl") for name in ("one", "two", "none")}) == 1
