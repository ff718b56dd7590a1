"""Every earlier revision with rows in every table comes up to date: no row is lost, what cannot be read stops it whole."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Engine, Float, Integer, MetaData, Table, insert, inspect, select, text
from sqlmodel import SQLModel

from engine.control import halt
from engine.control.config import SleeveConfig, with_params
from engine.errors import DataError
from engine.store import db as database
from engine.store.anchors import anchor_claims
from engine.watch.alert_rows import list_alerts
from tests.fakes import databases
from tests.fakes.old_databases import desk_version_0004, migrated_to, text_of

EARLIER = ("0001", "0002", "0003", "0004")
LATE_MS = 2**41 + 7  # 2039: does not fit 32 bits
SKIPPED = {"alembic_version", "config_versions", "active"}  # filled by `with_a_desk`


@pytest.fixture(autouse=True)
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this file every database is migrated, none copied."""
    monkeypatch.setattr(database, "_upgrade", databases.MIGRATE)


def at(request: pytest.FixtureRequest, tmp_path: Path, kind: str, revision: str) -> Engine:
    """An empty database of a revision, of either kind."""
    if kind == "sqlite":
        return migrated_to(database.open_db(f"sqlite:///{tmp_path / 'old.db'}"), revision)
    engine = request.getfixturevalue("postgres")
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return migrated_to(engine, revision)


KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


def tables_of(engine: Engine) -> dict[str, Table]:
    """The tables as the database has them."""
    found = MetaData()
    found.reflect(engine)
    return dict(found.tables)


def a_row(table: Table, n: int) -> dict[str, Any]:
    """A value in every column: text names its place, times are late, JSON is JSON."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, Boolean):
            row[column.name] = True
        elif isinstance(column.type, BigInteger) or column.name.endswith("_ms"):
            row[column.name] = LATE_MS + n
        elif isinstance(column.type, Integer):
            row[column.name] = 10 + n
        elif isinstance(column.type, Float):
            row[column.name] = 0.1 + n
        elif column.server_default is not None:
            row[column.name] = '{"kept": true}'
        else:
            row[column.name] = f"{table.name}-{column.name}-{n}"
    if "id" in row and isinstance(row["id"], int) and table.name == "home_identity":
        row["id"] = 1
    return row


def with_a_desk(engine: Engine) -> None:
    """Version 1 of a desk of one sleeve, in force."""
    btc = with_params(SleeveConfig(name="btc", strategy="trend", venue="synthetic", symbol="BTC-USDT"), {}, None)
    value = btc.model_dump(mode="json")
    del value["stage"]
    desk_version_0004(engine, 1, [value])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO active (id, version, changed_ms) VALUES (1, 1, 5)"))


def filled(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Two rows in every table; what was written."""
    written: dict[str, list[dict[str, Any]]] = {}
    with_a_desk(engine)
    with engine.begin() as connection:
        for name, table in tables_of(engine).items():
            if name not in SKIPPED:
                written[name] = [a_row(table, n) for n in range(1 if name == "home_identity" else 2)]
                connection.execute(insert(table), written[name])
    return written


def rows_of(engine: Engine, table: Table | str) -> list[dict[str, Any]]:
    """All rows of a table."""
    with engine.connect() as connection:
        query = text(f"SELECT * FROM {table}") if isinstance(table, str) else select(table)
        return [dict(row) for row in connection.execute(query).mappings()]


@pytest.mark.sample(3)
@pytest.mark.parametrize(("kind", "revision"), [*(("sqlite", earlier) for earlier in EARLIER), ("postgres", "0001")])
def test_every_row_of_an_earlier_database_is_there_afterwards(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, revision: str
) -> None:
    """All columns to the last digit, times beyond 2038 too, in the tables that a new database has. Coming back does nothing."""
    engine = at(request, tmp_path, kind, revision)
    written = filled(engine)
    assert len(written) >= 8
    assert database.migrate(engine)
    assert not database.migrate(engine)
    tables = tables_of(engine)
    for name, rows in written.items():
        found = rows_of(engine, tables[name])
        assert len(found) == len(rows), name
        for row in rows:
            assert any(row.items() <= other.items() for other in found), (name, row)
    assert set(tables) - {"alembic_version"} == set(SQLModel.metadata.tables)
    for name, declared in SQLModel.metadata.tables.items():
        columns, made = ({(c.name, c.nullable) for c in t.columns} for t in (declared, tables[name]))
        assert made == columns, name
        assert {index.name for index in tables[name].indexes} == {index.name for index in declared.indexes}, name


def test_what_counted_before_counts_after(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """An open halt still halts, an anchor is still a claim, an open alert is still open."""
    engine = at(request, tmp_path, "sqlite", "0003")
    with_a_desk(engine)
    tables = tables_of(engine)
    with engine.begin() as connection:
        halted = {"id": 1, "reason": "odd", "set_by": '{"name": "ann"}', "set_ms": LATE_MS}
        connection.execute(insert(tables["halts"]), [halted])
        connection.execute(insert(tables["anchors"]), [{"journal": "desk", "seq": 2**40, "hash": "f" * 64, "noted_ms": 1}])
        alert = a_row(tables["alerts"], 0) | {"state": "open", "severity": "page", "id": "al-1"}
        connection.execute(insert(tables["alerts"]), [alert])
    database.migrate(engine)
    latch = halt.read(tmp_path, engine)
    assert (latch.halted, latch.reason, latch.by, latch.since_ms) == (True, "odd", "ann", LATE_MS)
    assert [(claim.seq, claim.hash) for claim in anchor_claims(engine, "desk")] == [(2**40, "f" * 64)]
    assert [row.id for row in list_alerts(engine, "open")] == ["al-1"]


@KINDS
def test_a_version_that_is_no_json_stops_the_migration_and_leaves_the_old_database_whole(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Half a migration is worse than none: the error says where, all is as before, and once mended it goes through."""
    engine = at(request, tmp_path, kind, "0004")
    with_a_desk(engine)
    before = rows_of(engine, "config_versions")
    with engine.begin() as connection:
        connection.execute(text("UPDATE config_versions SET body = '{\"sleeves\": [{'"))
    with pytest.raises(DataError, match="cannot be brought up to date"):
        database.migrate(engine)
    assert database.revision_of(engine) == "0004"
    assert "sleeve_versions" not in inspect(engine).get_table_names()
    assert "sleeves" not in rows_of(engine, "config_versions")[0]
    with engine.begin() as connection:
        connection.execute(text("UPDATE config_versions SET body = :body"), {"body": before[0]["body"]})
    assert database.migrate(engine)
    assert rows_of(engine, "config_versions")[0]["sleeves"] == text_of([["btc", 1]])


@pytest.mark.parametrize("found", ["0000", "abc", ""])
def test_a_revision_that_no_version_had_is_refused(tmp_path: Path, found: str) -> None:
    """A database of something else, or one that was edited: said in one line, nothing is made in it."""
    engine = migrated_to(database.open_db(f"sqlite:///{tmp_path / 'odd.db'}"), "0001")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    with pytest.raises(DataError):
        database.migrate(engine)
    assert database.revision_of(engine) == found
    assert "alerts" not in inspect(engine).get_table_names()
