"""One point of the audit: a question of one sleeve, the function that answers it, and what the answer may be.

Filled by data.py, training.py, backtest.py and live.py, gathered in table.py. A function calls what exists and judges nothing
anew; what it cannot find out is `cannot_say`, which is no pass.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

State = Literal["holds", "fails", "cannot_say", "does_not_apply"]
Dimension = Literal["data", "training", "backtest", "live"]
EVIDENCE_MAX = 5


class AuditAnswer(NamedTuple):
    """What was found, why, and where it can be seen: ids of events and runs, files, digests."""

    state: State
    why: str
    evidence: tuple[str, ...] = ()


class AuditPoint(NamedTuple):
    """`implies`: points that cannot hold either where this one fails, each with its own reason in its own answer."""

    name: str
    dimension: Dimension
    question: str
    query: Callable[[Any], AuditAnswer]  # of an AuditedSleeve
    implies: tuple[str, ...] = ()


def holds(why: str, *evidence: str) -> AuditAnswer:
    """It is so."""
    return AuditAnswer("holds", why, evidence[:EVIDENCE_MAX])


def fails(why: str, *evidence: str) -> AuditAnswer:
    """It is not so."""
    return AuditAnswer("fails", why, evidence[:EVIDENCE_MAX])


def cannot_say(why: str, *evidence: str) -> AuditAnswer:
    """Nothing shows it either way."""
    return AuditAnswer("cannot_say", why, evidence[:EVIDENCE_MAX])


def not_of_it(why: str) -> AuditAnswer:
    """The sleeve has nothing that the question is about."""
    return AuditAnswer("does_not_apply", why)


def judged(good: bool, why: str, otherwise: str, *evidence: str) -> AuditAnswer:
    """Holds with `why`, or fails with `otherwise`."""
    return holds(why, *evidence) if good else fails(otherwise, *evidence)
