"""Record what shadows of stored models say at the closes since the last time, and what a canary's model is worth beside them.

Started by app.processes.scheduler every hour while a shadow runs, each minute while a canary has a model, as a process of its
own: the supervisor loads no model, and the worker is not asked.
"""

import json

from app.home.home import Home, open_home
from app.home.written import write_whole
from app.notify.deliveries import now_ms
from engine.errors import Busy
from engine.watch.canaries import ERRORS, read_status
from engine.watch.canary_errors import compared, keep_shadows
from engine.watch.model_shadows import record


def record_all(home: Home) -> list[str]:
    """A line for each shadow; none while another process records."""
    try:
        failed = keep_shadows(home.engine, home.path, home.catalog)
        lines = record(home.engine, home.path, home.catalog)
    except Busy:
        return []
    before = read_status(home.path, ERRORS)
    found = compared(home.engine, home.path, home.catalog, before, failed, now_ms())
    if found != before:
        write_whole(home.path / ERRORS, json.dumps(found, sort_keys=True))
    return lines


if __name__ == "__main__":
    record_all(open_home())
