"""Migrated SQLite databases without migrating each: the first of a process runs alembic, the others are copies of its tables.

tests/conftest.py puts `copied` in the place of engine.store.db's upgrade. What is not an empty SQLite file (PostgreSQL, an
older database) is migrated as ever, and so is everything in tests/engine/store/test_db.py.
"""

import sqlite3
from functools import cache

from sqlalchemy import Engine

from engine.store import db

MIGRATE = db._upgrade


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
