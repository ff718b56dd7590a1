"""A real PostgreSQL for the tests of opening a home, where one is installed."""

import pytest
from sqlalchemy import text

from engine.store.db import open_db
from tests.engine.conftest import postgres_server

__all__ = ["postgres_server"]


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database, without tables."""
    engine = open_db(postgres_server)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_server
