"""`nightdesk audit`: every point of the table, asked of each sleeve in force. Called by app/cli/audit.py and the weekly look.

Turns a home into answers as JSON; the whole is kept for the page, the tool and the watch (engine/watch/audit_status.py). A query
that fails is an answer: nothing can be said, and why.
"""

from collections.abc import Callable, Iterable
from typing import Any

from app.audit.point import AuditAnswer, AuditPoint, cannot_say
from app.audit.sleeve import AuditedSleeve
from app.audit.table import POINTS
from app.home.home import Home
from engine.control.config import active
from engine.errors import DeskError
from engine.watch.audit_status import keep_audit

Progress = Callable[[float], None]
COUNTED = ("holds", "fails", "cannot_say", "does_not_apply")


def audit(
    home: Home, now_ms: int, sleeve: str | None = None, dimension: str | None = None, progress: Progress = lambda _done: None
) -> dict[str, Any]:
    """{"wall_ms", "version", "counts", "verdict", "points": [{sleeve, name, dimension, question, state, why, evidence}]}.

    The whole audit is kept in the home; one of a sleeve or dimension alone is not. Raises BadInput for an unknown sleeve.
    """
    desk = active(home.engine, home.path)
    sleeves = [one for one in desk.config.traded if sleeve in (None, one.name, one.leg_of)]
    sleeves = sleeves or [desk.config.sleeve(str(sleeve))]
    points = [point for point in POINTS if dimension in (None, point.dimension)]
    found: list[dict[str, Any]] = []
    for config in sleeves:
        one = AuditedSleeve(home, desk, config, now_ms)
        for point in points:
            found.append(as_json(config.name, point, answer_of(point, one)))
            progress(len(found) / (len(points) * len(sleeves)))
    counts = {state: sum(line["state"] == state for line in found) for state in COUNTED}
    report = {"wall_ms": now_ms, "version": desk.version, "counts": counts, "verdict": verdict(found), "points": ordered(found)}
    if sleeve is None and dimension is None:
        keep_audit(home.path, report)
    return report


def answer_of(point: AuditPoint, one: AuditedSleeve) -> AuditAnswer:
    """A point's answer; a query that fails cannot say."""
    try:
        return point.query(one)
    except DeskError as error:
        return cannot_say(str(error))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        return cannot_say(f"the query failed ({type(error).__name__}: {error})"[:300])


def as_json(sleeve: str, point: AuditPoint, answer: AuditAnswer) -> dict[str, Any]:
    """One line."""
    asked = {"sleeve": sleeve, "name": point.name, "dimension": point.dimension, "question": point.question}
    return {**asked, "state": answer.state, "why": answer.why[:500], "evidence": list(answer.evidence)}


def ordered(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What fails first, then what cannot be said."""
    rank = {"fails": 0, "cannot_say": 1, "holds": 2, "does_not_apply": 3}
    return sorted(lines, key=lambda line: rank[line["state"]])


def verdict(lines: Iterable[dict[str, Any]]) -> str:
    """What a person wants to know first."""
    listed = list(lines)
    states = {state: [line for line in listed if line["state"] == state] for state in COUNTED}
    rest = f"{len(states['holds'])} hold, {len(states['does_not_apply'])} do not apply"
    unsure = f"{len(states['cannot_say'])} cannot be said"
    if states["fails"]:
        names = ", ".join(dict.fromkeys(f"{line['name']} of {line['sleeve']}" for line in states["fails"][:5]))
        more = f" and {len(states['fails']) - 5} more" if len(states["fails"]) > 5 else ""
        return f"{len(states['fails'])} FAIL: {names}{more}. {unsure}, {rest}."
    return f"NOT PASSED: {unsure}, which is not a pass; {rest}." if states["cannot_say"] else f"Every point holds: {rest}."


def passed(report: dict[str, Any]) -> bool:
    """Whether nothing failed and everything could be said."""
    return not report["counts"]["fails"] and not report["counts"]["cannot_say"]
