"""The last audit of the desk's sleeves, kept for the page, the tool and the watch; one alert names what began to fail.
A first audit has none before it: what fails there is a note, since nothing began.

Written by app/audit/audit.py, read by engine.watch.observer. A file of the home, derived: without it nothing is claimed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.watch import derived
from engine.watch.observation import DeskObservation, Finding, Severity

FILE = "cache/audit.json"
SHOWN_MAX = 5  # points that the alert names
ACTION = "nightdesk audit has every answer with its evidence; docs/audit.md lists the questions"


def keep_audit(home: Path, report: Mapping[str, Any]) -> None:
    """Keep an audit, with what began to fail since the one before, or fails since then; on a full disk the one before stays."""
    before = last_audit(home)
    first = before.get("first", False) if before else True  # what failed from the beginning, and nothing since
    failing = {key_of(line) for line in report["points"] if line["state"] == "fails"}
    began = failing - {key_of(line) for line in before.get("points", ()) if line["state"] == "fails"}
    since = before.get("since_ms") if failing and not began else None
    named = sorted(began) or [key for key in before.get("began", ()) if key in failing]
    first = first and not (before and began)
    body = {**report, "began": named, "first": first, "since_ms": since or report["wall_ms"]}
    with suppress(OSError):
        derived.keep(home / FILE, body)


def key_of(line: Mapping[str, Any]) -> str:
    """A point of a sleeve, as the alert names it."""
    return f"{line['name']} of {line['sleeve']}"


def last_audit(home: Path) -> Mapping[str, Any]:
    """The audit that was kept last; empty without one, or where it cannot be read."""
    return derived.kept(home / FILE)


def audited(desk: DeskObservation) -> Iterator[Finding]:
    """Points of the audit that began to fail, or have failed since the first one."""
    began = [str(key) for key in desk.audit.get("began", ())]
    if not began:
        return
    more = f" and {len(began) - SHOWN_MAX} more" if len(began) > SHOWN_MAX else ""
    first = desk.audit.get("first", False)
    head = "Points that fail since the first audit" if first else "The audit's points that began to fail"
    what = f"{head}: {', '.join(began[:SHOWN_MAX])}{more}"
    numbers = {"fails": int(desk.audit["counts"]["fails"]), "cannot_say": int(desk.audit["counts"]["cannot_say"])}
    severity: Severity = "note" if first else "warn"
    sleeves = {key.rpartition(" of ")[2] for key in began}
    place = sleeves.pop() if len(sleeves) == 1 else "desk"
    yield Finding("audit", "audit", severity, what, place, int(desk.audit["since_ms"]), ACTION, numbers)
