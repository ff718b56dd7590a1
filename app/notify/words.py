"""A notification as plain text, for ways that have no blocks of their own. Called by the sinks of Telegram, Discord, webhooks.

Whatever people, files, venues or models wrote is one line of visible characters in it; each sink then keeps its place's own
markup from taking effect.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from app.notify.deliveries import Notification
from app.views.proposal_card import TABLES, line_of
from engine.clock import utc

SIGNS = {"page": "PAGE", "warn": "Warning", "note": "Note"}
NEEDED = ("direction", "diff", "applies", "worst", "finding", "warning")  # kinds of rows without which nobody approves
BLANK = dict.fromkeys([*range(32), 127], " ")
LINE_MAX, LINES_MAX = 1_000, 60
DIGEST_MAX = 40  # notes named in one digest; the rest are counted


NO_ANSWER = (
    ("Timeout", "no answer in time"),
    ("ConnectError", "nobody answers at its address"),
    ("ProtocolError", "the connection broke off"),
    ("ReadError", "the connection broke off"),
    ("WriteError", "the connection broke off"),
)


class Worded(NamedTuple):
    """A message: its title, its lines, and whether everything that a decision needs is in them."""

    title: str
    lines: tuple[str, ...]
    whole: bool = True

    def cut(self, most: int) -> "Worded":
        """The same within `most` UTF-16 units, which is what chats count; said when something is left out."""
        kept, size = list[str](), _units(self.title)
        for line in self.lines:
            size += _units(line) + 1
            if size > most - 60:
                return Worded(self.title, (*kept, "(cut: the rest is on the page)"), whole=False)
            kept.append(line)
        return self


def _units(text: str) -> int:
    """Its length in UTF-16: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def broke(error: BaseException) -> str:
    """Why a way gave no answer, for a person, with the error's class, never its text: that may repeat an address or a token."""
    name = type(error).__name__
    words = next((said for part, said in NO_ANSWER if part in name), "")
    return f"{words} ({name})" if words else name


def visible(text: object) -> str:
    """One line without control, bidirectional and invisible characters."""
    line = str(text).translate(BLANK)
    return "".join(c for c in line if unicodedata.category(c) not in ("Cf", "Cc", "Co", "Cs", "Zl", "Zp"))


def worded(message: Notification, page_url: str) -> Worded:
    """Any notification in words."""
    row = message.row
    if message.kind == "alert":
        return _alert(row, message.step, page_url)
    if message.kind == "handover":
        lines = [_line(line) for line in str(row["text"]).splitlines() if line.strip()]
        return Worded(f"Handover {row['day']}", (*lines[:LINES_MAX], f"{page_url}?tab=desk"))
    if message.kind == "digest":
        shown = [_line(f"{item['id']}: {item['what']}") for item in row["items"][:DIGEST_MAX]]
        more = len(row["items"]) - len(shown)
        return Worded(f"{len(row['items'])} notes", (*shown, *([f"and {more} more"] if more > 0 else []), f"{page_url}?tab=desk"))
    if message.kind == "monitor":
        by = f"Written by {row['model']} from the desk's own records; nothing was changed. {row['state']}"
        return Worded("Monitor", (_line(row["text"]), _line(by), f"{page_url}?tab=desk"))
    if message.kind == "test":
        return Worded(
            "Test of Nightdesk's messages", (f"Asked for by {_line(row['by'])} at {utc(row['at_ms'])}. Nothing is wrong.",)
        )
    return _card(row, page_url)


def alert_title(row: Mapping[str, Any], step: str) -> str:
    """The title of an alert's message."""
    sign = SIGNS[row["severity"]]
    if step == "resolved":
        return f"RESOLVED: {sign} {row['id']}, {row['place']}"
    if step.startswith("escalated"):
        return f"{sign}, UNACKNOWLEDGED ({step.rpartition('-')[2]}): {row['place']}"
    return f"{'WORSE: ' if step.startswith('raised') else ''}{sign}: {row['place']}"


def _line(text: object) -> str:
    return visible(text)[:LINE_MAX]


def _alert(row: Mapping[str, Any], step: str, page_url: str) -> Worded:
    since = f"since {utc(row['since_ms'])}" + (f", resolved {utc(row['resolved_ms'])}" if row.get("resolved_ms") else "")
    lines = [_line(row["what"]), f"{row['id']}, {since}", *([_line(f"For {row['on_call']}")] if row.get("on_call") else [])]
    if step != "resolved":
        lines += [_line(f"Do: {row['action']} ({row['runbook']})"), f"{page_url}?tab=desk"]
    return Worded(_line(alert_title(row, step)), tuple(lines))


def _card(row: Mapping[str, Any], page_url: str) -> Worded:
    """A proposal's card: its rows; what does not fit is said, and then nobody approves it where this is read."""
    gone = (row.get("runs_now") or {}).get("outcome") if row["state"] == "applied" else ""
    state = f"{row['state']}, {gone}" if gone in ("rolled back", "replaced") else row["state"]
    verdict = row["verdict"] if row["state"] == "pending" else state.upper()
    whole, lines = True, list[str]()
    for kind, group in groupby(row["rows"], key=lambda one: one["kind"]):
        rows = list(group)
        found = table_lines(rows) if kind in TABLES else [f"{one['label']}: {one['cells'][0]}" for one in rows]
        whole = whole and (kind not in NEEDED or all(len(visible(line)) <= LINE_MAX for line in found))
        lines += [_line(line) for line in found]
    lines.append(f"{page_url}?tab=proposals&proposal={row['id']}")
    return Worded(_line(f"Proposal {row['id']} {verdict}: {row['sleeve']}"), tuple(lines), whole)


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table's rows as lines, each cell named by its column."""
    head, *body = rows
    return [f"{head['label']}:", *(line_of(head["cells"], row) for row in body)]
