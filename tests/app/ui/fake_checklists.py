"""A checklist as the API shows it, for the page's tests."""

from typing import Any

from tests.app.ui.fake_shapes import NOW_MS


def reading(says: str, text: str = "the gate is closed: probe") -> dict[str, Any]:
    """What the gate's check read."""
    return {"check": "gate-open", "says": says, "text": text, "event": "d-9"}


def checklist(about: str = "al-7", at: int = 2, says: str = "no", **more: Any) -> dict[str, Any]:
    """Three steps, of which the second has a check; `at`: the current one, those before it were done by ann."""
    made = []
    for number in (1, 2, 3):
        done = number < at
        step = {"number": number, "text": f"step `{number}` of it", "checks": ["gate-open"] if number == 2 else [], "origin": ""}
        step |= {"state": "done" if done else "open", "words": "all flat" if done else "", "event": "p-4" if done else None}
        step |= {"by": {"name": "ann"} if done else None, "t_ms": NOW_MS if done else None, "events": []}
        made.append(step | {"readings": [reading(says)] if number == 2 and number == at else []})
    found = {"id": "cl-1", "runbook": "bars-stale", "title": "Bars do not come", "about": about, "state": "open", "current": at}
    found |= {
        "by": {"name": "ann"},
        "begun_ms": NOW_MS,
        "begun_event": "p-3",
        "ended_by": None,
        "ended_ms": None,
        "ended_why": "",
    }
    return found | {"steps": made} | more
