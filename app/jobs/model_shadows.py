"""Record what shadows of stored models say at the closes since the last time.

Started by app.processes.scheduler every hour while one runs, as a process of its own: the supervisor loads no model, and the
worker is not asked.
"""

from app.home.home import Home, open_home
from engine.errors import Busy
from engine.watch.model_shadows import record


def record_all(home: Home) -> list[str]:
    """A line for each shadow; none while another process records."""
    try:
        return record(home.engine, home.path, home.catalog)
    except Busy:
        return []


if __name__ == "__main__":
    record_all(open_home())
