"""What stands against releasing a halt. Called by `nightdesk release`, the API and Slack before app.approvals.release."""

from app.home import Home
from engine.control.config import active, checked
from engine.errors import DeskError
from engine.store.anchors import verify_since
from engine.watch import health


def healthy(home: Home) -> list[str]:
    """What stands against a release: the configuration, the journals, the state they fold to, a naked position, the disk."""
    found = []
    try:
        checked(active(home.engine)[1], home.strategies)
    except DeskError as error:
        found.append(f"configuration: {error}")
    looks = {
        "journals": lambda: journals(home),
        "fold": lambda: health.folded(home.path),
        "protective orders": lambda: health.positions(health.mark_at(home.desk_journal)),
        "disk": lambda: health.disk(home.path),
    }
    seen = [health.looked_at(name, look) for name, look in looks.items()]
    return found + [check.text for check in seen if check.state in {"bad", "unknown"}]


def journals(home: Home) -> health.Check:
    """Both journals, against each other, the database and the handovers: what was added since they were last found whole is
    walked, of what lies before the bytes are compared. `nightdesk journal verify` walks everything."""
    reports = verify_since(home.journal, home.engine)
    broken = [f"{name} line {report.line}: {report.reason}" for name, report in reports.items() if not report.ok]
    if broken:
        return health.Check("journals", "bad", f"the journal does not verify: {'; '.join(broken)}")
    return health.Check("journals", "ok", ", ".join(f"{name}: {r.rows} records verified" for name, r in reports.items()))
