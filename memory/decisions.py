"""What people decided, as pages decisions/YYYY-MM: the people journal's decisions -> one line each, in code's own block.

Called by the scheduler and by `nightdesk memory`. A page holds what code can vouch for (who, what, from which value to which, the
event's id) and a person's own reason; a model's rationale is left out. What people write around the block stays.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.clock import utc
from engine.store.chain import Event
from engine.watch.window import FAR_MS, between
from memory.shelf import Shelf

FOLDER = "decisions"
LINES_MAX = 120  # of a month's page: the newest
REASON_SHOWN = 160
KINDS = frozenset(
    {"decision", "halt", "adopt", "wait", "window", "promote", "drop", "restore", "lifecycle", "release", "cash", "person"}
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def write_decisions(shelf: Shelf, journal: Path) -> list[str]:
    """Bring the pages of months with decisions up to date; the topics that were written.

    Months whose page is there and that ended before the newest page are not read again. DeskError: the journal cannot be read.
    """
    have = sorted(topic for topic in shelf.topics() if re.fullmatch(rf"{FOLDER}/\d{{4}}-\d{{2}}", topic))
    since_ms = _begin_of(have[-1].rpartition("/")[2]) if have else 0
    months: dict[str, list[str]] = {}
    released = dict[str, Mapping[str, Any]]()  # by the id of the event that asked for it: the outcome names nobody itself
    for event in between(journal, since_ms - 1, FAR_MS, KINDS):
        if event.kind == "release":
            released[event.id] = event.body
        elif line := line_of(event._replace(body={**released.get(event.cause_id, {}), **event.body})):
            months.setdefault(f"{datetime.fromtimestamp(event.t_event_ms / 1000, UTC):%Y-%m}", []).append(line)
    for month, lines in months.items():
        shelf.write_block(f"{FOLDER}/{month}", text_of(month, lines))
    return [f"{FOLDER}/{month}" for month in months]


def text_of(month: str, lines: list[str]) -> str:
    """A month's block: newest first, at most LINES_MAX lines; what is left out is counted."""
    left = len(lines) - LINES_MAX
    more = [f"- {left} earlier ones are in the people journal: nightdesk journal tail --people"] if left > 0 else []
    return "\n".join([f"# Decisions of {month}", "", *reversed(lines[-LINES_MAX:]), *more])


def line_of(event: Event) -> str:
    """A decision as a line; "" for an event that decided nothing."""
    body = event.body
    what = _decided(event.kind, body)
    if not what:
        return ""
    actor = body.get("actor") or {}
    who = _clean(actor.get("name") or "an unknown actor", 60) + (" (claimed)" if actor.get("assurance") == "claimed" else "")
    reason = _clean(body.get("reason") or "", REASON_SHOWN)
    return f"- {utc(event.t_event_ms)} {who} {what}{f'; reason: {reason}' if reason else ''} ({event.id})"


def _decided(kind: str, body: Mapping[str, Any]) -> str:
    """What happened, as a verb and its object."""
    if kind == "decision":
        return _of_proposal(body)
    if kind == "halt":
        return "halted the desk"
    if kind == "window":
        window = body.get("window") or {}
        return (
            f"{'opened' if window.get('what') == 'open' else 'closed'} an incident window: {_clean(window.get('cause', ''), 120)}"
        )
    if kind == "promote":
        return f"promoted the note {_clean(body.get('note', ''), 60)} to the page {_clean(body.get('page', ''), 80)}"
    if kind == "drop":
        return f"dropped the note {_clean(body.get('note', ''), 60)}"
    if kind == "restore":
        return f"restored version {body.get('version')} of the page {_clean(body.get('page', ''), 80)}"
    if kind == "cash":
        return f"declared {float(body.get('amount') or 0.0):+,.2f} of cash"
    if kind == "person":
        return _of_person(body)
    if kind == "lifecycle":
        return f"moved {_clean(body.get('subject', ''), 60)} from {body.get('from')} to {body.get('to')}"
    about = body.get("difference") or (body.get("adopts") or {}).get("what") or "a difference from the venue"
    return f"{'adopted' if kind == 'adopt' else 'waits with'} {_clean(about, 120)}"


def _of_proposal(body: Mapping[str, Any]) -> str:
    """A decision on a proposal, or on a release."""
    outcome = str(body.get("outcome", ""))
    if not body.get("proposal"):
        return {"released": "released the halt", "still halted": "released a halt, and another one stands"}.get(outcome, "")
    if "state" not in body:  # refused before it was decided
        return ""
    sleeves = ", ".join(body.get("sleeves") or ())
    version = f"; version {body['version']} of the desk" if body.get("version") is not None else ""
    verb = {"applied": "approved", "rejected": "rejected"}.get(str(body["state"]), str(body["state"]))
    changes = "; ".join(_changes(sleeves, (body.get("diff") or {}).get("changes") or ()))
    return f"{verb} {body['proposal']} ({body.get('direction', 'unknown')}): {changes or sleeves or 'no change'}{version}"


def _of_person(body: Mapping[str, Any]) -> str:
    """Who may decide, as it was changed."""
    who, before, now = (_clean(body.get(key, ""), 60) for key in ("who", "before", "now"))
    words = {
        "add": f"registered {who} as {now}",
        "role": f"made {who} {now} (was {before})",
        "remove": f"removed {who} ({before})",
    }
    words["two people"] = "asked for two people" if now == "true" else "asked for one person again"
    return words.get(str(body.get("act")), "")


def _changes(sleeves: str, changes: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        _clean(f"{change.get('sleeve') or sleeves} {change['key']} {change.get('old')} -> {change.get('value')}".strip(), 120)
        for change in changes
        if "key" in change
    ]


def _begin_of(month: str) -> int:
    """The first instant of `2026-05` (UTC ms)."""
    return round(datetime.strptime(f"{month}-01+0000", "%Y-%m-%d%z").timestamp() * 1000)


def _clean(text: object, most: int) -> str:
    """Outside words on one line."""
    return _CONTROL.sub(" ", str(text)).strip()[:most]
