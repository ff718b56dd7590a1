"""SQLite databases that cost a test little: migrated by copying, and their statements compiled once for all of them.

tests/conftest.py puts `copied` in the place of engine.store.db's upgrade: the first database of a process is migrated by alembic,
the others are copies of its tables. What is not an empty SQLite file (PostgreSQL, an older database) is migrated as ever, and so
is everything in tests/engine/store/test_db.py. It puts `created` in the place of the function that makes engines: sqlalchemy
keeps compiled statements for each engine and its dialect, and every test with a database of its own would compile them again.
"""

import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import Engine

from engine.store import db

MIGRATE, CREATE = db._upgrade, db.create_engine


@cache
def template() -> sqlite3.Connection:
    """The tables at the head of the migrations, in memory."""
    engine = db.open_db("sqlite://")
    MIGRATE(engine)
    made = sqlite3.connect(":memory:", check_same_thread=False)
    with engine.connect() as connection:
        connection.connection.dbapi_connection.backup(made)
    engine.dispose()
    return made


def copied(engine: Engine) -> None:
    """What db's upgrade does, for an empty SQLite file by copying."""
    if engine.dialect.name != "sqlite" or db.revision_of(engine) is not None:
        MIGRATE(engine)
        return
    with engine.connect() as connection:
        template().backup(connection.connection.dbapi_connection)


@cache
def first() -> Engine:
    """The engine whose dialect and compiled statements all others use; connected once, as a dialect must be."""
    engine = CREATE("sqlite://")
    engine.connect().close()
    return engine


def created(url: Any, **options: Any) -> Engine:
    """What sqlalchemy's create_engine gives, with the compiled statements of the SQLite databases before it."""
    engine = CREATE(url, **options)
    if engine.dialect.name == "sqlite":
        engine.dialect, engine._compiled_cache = first().dialect, first()._compiled_cache
    return engine
