"""A real PostgreSQL for backups, where one is installed."""

from tests.app.home.conftest import postgres_url
from tests.engine.conftest import postgres_server

__all__ = ["postgres_server", "postgres_url"]
