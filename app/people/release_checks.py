"""Health checks before a release. Called by `nightdesk release` and the API, handed to app.people.approvals.release."""

from app.home.home import Home
from engine.control.agreement import version_line
from engine.control.config import active, validated
from engine.errors import DeskError
from engine.watch import health
from engine.watch.window import instruments_of, mark_at


def healthy(home: Home) -> list[str]:
    """What blocks a release: configuration, journals, the state they fold to, an unprotected position, the disk.

    A desk that follows no version of the database halts again at once: its release would say what is not so.
    """
    found = []
    try:
        validated(active(home.engine, home.path).config, home.strategies)
        if why := version_line(home.path, home.engine, home.desk_journal):
            found.append(why)
    except DeskError as error:
        found.append(f"configuration: {error}")
    looks = {
        "journals": lambda: health.journals(home.path, home.engine, since=True),
        "fold": lambda: health.journal_fold(home.path),
        "protective orders": lambda: health.positions(mark_at(home.desk_journal), instruments_of(home.desk_journal)),
        "disk": lambda: health.disk(home.path),
    }
    seen = [health.run_check(name, look) for name, look in looks.items()]
    return found + [check.text for check in seen if check.state in {"bad", "unknown"}]
