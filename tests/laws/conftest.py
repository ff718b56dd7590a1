"""What the laws stand on: the home of the tools' tests, and the home and the loop of the live ones."""

from tests.engine.live.conftest import feed, home, loop
from tests.tools.conftest import db, make_ctx

__all__ = ["db", "feed", "home", "loop", "make_ctx"]
