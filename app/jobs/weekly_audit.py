"""The weekly audit of every sleeve, with a drill before it where none is of this version. Called by daily_parity.py, which the
supervisor starts after the morning's handover; what began to fail becomes one alert (engine/watch/audit_status.py).
"""

from app.audit.audit import audit
from app.home.home import Home
from app.jobs.drill_job import drilled
from app.jobs.queue import now_ms
from engine.clock import DAY_MS, HOUR_MS
from engine.control.config import active
from engine.watch.audit_status import last_audit
from engine.watch.deadguards import limits_digest
from engine.watch.drill_status import last_drill
from engine.watch.window import journal_of, mark_at

EVERY_MS = 7 * DAY_MS - HOUR_MS  # it is looked at once a day, at about the same hour


def watch_audit(home: Home) -> bool:
    """Audit the desk if a week has gone by since the last time; False where it has not, or the desk has decided on no bar."""
    now = now_ms()
    if now - int(last_audit(home.path).get("wall_ms", 0)) < EVERY_MS or mark_at(journal_of(home.path)) is None:
        return False
    drill = last_drill(home.path)
    if (drill.get("version"), drill.get("limits")) != (active(home.engine, home.path).version, limits_digest(home.desk.limits)):
        drilled(home, {})
    audit(home, now_ms())
    return True
