"""An answer's commands that this page does by a click: the button's name stands where the command stood. Called by answer.py.

Answers are written for every channel, so they name commands; beside a button that does the same, one way is enough. What no
button of the page does keeps its command.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

BELOW = "the button below"
ALERTS: Mapping[str, str] = {"tab": "desk", "view": "alerts"}
PROPOSALS: Mapping[str, str] = {"tab": "proposals"}
CHAT = re.compile(r"`nightdesk chat --role (\w+)(?: \"([^\"`\n]{1,300})\")?`|(?<=[(\s])--role (developer|operator|advisor)\b")
DECIDE = re.compile(
    r"(?:`nightdesk proposals show [\w-]+`, then )?(?P<verb>types |runs |run )?(?P<tick>`?)"
    r"nightdesk proposals (?:approve|reject|rollback) (?P<id>[\w-]+)(?: --as NAME)?(?P=tick)(?: \(or [^)\n]*\))?"
    r"(?:, or (?:the buttons on )?the page's Proposals tab)?"
)
ACK = re.compile(r"`nightdesk alerts ack [\w-]+ --as NAME`(?:, the button on the page)?")
WATCH = re.compile(
    r"on the page under its alerts, or with nightdesk watches \w+ [\w-]+"
    r"|`?nightdesk watches (?:confirm|remove) [\w-]+`?(?: or `nightdesk watches (?:confirm|remove) [\w-]+`)?"
    r"(?:, or the page under its alerts)?"
)
HALT = re.compile(r"(?P<verb>run )?`nightdesk halt(?: --reason [^`\n]*)?`")
RELEASE = re.compile(r"`nightdesk release(?: [^`\n]*)?`")
PENDING = re.compile(r"prop-\d{1,9}")


class OnPage(NamedTuple):
    """An answer's text for this page, the proposals whose cards it needs, and the views that its buttons lead to."""

    text: str
    proposals: tuple[str, ...] = ()
    views: tuple[tuple[str, Mapping[str, str]], ...] = ()


def on_page(text: str, role: str) -> OnPage:
    """The text of an answer of `role` with the page's own ways for commands."""
    cards = [found["id"] for found in DECIDE.finditer(text) if PENDING.fullmatch(found["id"])]
    views: list[tuple[str, Mapping[str, str]]] = []
    if DECIDE.search(text) and not cards:
        views.append(("Open the proposals", PROPOSALS))
    if ACK.search(text) or WATCH.search(text):
        views.append(("Open the alerts", ALERTS))
    text = CHAT.sub(lambda found: _question(found, role), text)
    text = DECIDE.sub(lambda found: f"{'clicks ' if found['verb'] else ''}**Approve** or **Reject** on its card", text)
    text = ACK.sub("**Acknowledge** under Alerts", text)
    text = WATCH.sub("under Alerts", text)
    text = HALT.sub(lambda found: f"{'click ' if found['verb'] else ''}**HALT** above", text)
    text = RELEASE.sub("**Release** in the line that says HALTED", text)
    return OnPage(text, tuple(dict.fromkeys(cards)), tuple(views))


def _question(found: re.Match[str], role: str) -> str:
    """A question to the same role is one to ask next; one to another role has a button of its own."""
    owner = found[1] or found[3]
    if owner != role:
        return BELOW
    return f"`{found[2]}`" if found[2] else found[0]
