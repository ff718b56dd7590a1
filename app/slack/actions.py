"""Commands, clicks and messages from Slack: payload -> answer, and what to do afterwards.

Called by app.slack.signed_http (signed requests) and app.slack.socket_mode (Socket Mode); both have verified that the sender
is Slack. A halt is latched before anything else is checked. A click decides through app.people.approvals as the person linked
to that Slack account in people.toml; unlisted accounts are refused. No model reads any of this.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from app.home.home import Home
from app.notify import deliveries
from app.notify.buttons import NOT_OURS, acknowledged, decided
from app.notify.deliveries import Undelivered
from app.people import approvals
from app.people.identity import Actor, by_slack, os_user
from app.slack.sink import Slack
from engine.control import halt
from engine.errors import DeskError, Refused
from engine.store import db
from engine.store.tables import Delivery
from engine.watch.following import HALT as HALTING
from engine.watch.following import carried_out

CARD = re.compile(r"(prop-\d{1,9}) ([0-9a-f]{64})")
HALT = re.compile(r"\s*(?:<@[A-Z0-9]+>\s*)?/halt\b[ \t]*(.*)", re.DOTALL)
ID = re.compile(r"[A-Z0-9]{1,30}")
REASON_MAX = 500
NOT_LISTED = "This Slack account is not linked to anyone in people.toml, so nothing was done. Ask the desk's operator to add you."


class Answer(NamedTuple):
    """The reply to the person who clicked or typed (visible to them only), and what to do after sending it."""

    text: str
    channel: str = ""
    user: str = ""
    after: Callable[[], None] | None = None


class Who(NamedTuple):
    """A Slack account as named in the payload."""

    team: str
    user: str
    channel: str


def command(home: Home, slack: Slack, form: Mapping[str, str]) -> Answer:
    """A slash command. /halt, the only one, is latched at once."""
    who = Who(*(id_of(form.get(name)) for name in ("team_id", "user_id", "channel_id")))
    if form.get("command") == "/halt":
        return halt_now(home, slack, who, form.get("text", ""))
    return Answer("Available command: /halt REASON", who.channel, who.user)


def message(home: Home, slack: Slack, event: Mapping[str, Any], team: str) -> Answer | None:
    """A message in the channel: `/halt REASON` halts at once; anything else, and any bot, is ignored."""
    found = HALT.fullmatch(str(event.get("text") or ""))
    if found is None or event.get("type") not in ("message", "app_mention") or event.get("bot_id") or event.get("subtype"):
        return None
    who = Who(id_of(event.get("team") or team), id_of(event.get("user")), id_of(event.get("channel")))
    return halt_now(home, slack, who, found[1])


def halt_now(home: Home, slack: Slack, who: Who, why: str) -> Answer:
    """Latch first. Anyone in the desk's own workspace may halt it, listed or not; nobody can release it from here."""
    if slack.team and who.team != slack.team:
        return Answer("Only members of this desk's own workspace can halt it here.", who.channel, who.user)
    now_ms, reason = time.time_ns() // 1_000_000, halt.reason_of(why.strip()[:REASON_MAX] or "halted from Slack, no reason given")
    by = Actor(f"slack {who.user}"[:60], "claimed", os_user(), "slack")
    with suppress(DeskError):
        by = by_slack(home.path, who.team, who.user) or by
    try:
        latch = halt.set(home.path, reason, by.as_json(), now_ms)
    except DeskError as error:
        return Answer(f"NOT HALTED: {error}", who.channel, who.user)
    text = f"HALTED by {latch.by}: {latch.reason}. {carried_out(home.path, now_ms, HALTING)} No new entries until"
    text += " a person releases the halt at a terminal."
    return Answer(text, who.channel, who.user, lambda: spread(home, reason, by, now_ms))


def spread(home: Home, reason: str, by: Actor, now_ms: int) -> None:
    """Record a latched halt in the database and the people journal, as far as they are reachable."""
    with suppress(Exception):
        halt.set_row(home.engine, reason, by.as_json(), now_ms)
    with suppress(Exception):
        approvals.record(home, "halt", {"reason": reason, "actor": by.as_json()}, now_ms)


def interaction(home: Home, slack: Slack, payload: Mapping[str, Any]) -> Answer | None:
    """A click on one of our buttons; None when no answer is needed (a link)."""
    team, user = part(payload, "team", "id"), part(payload, "user", "id")
    who = Who(part(payload, "user", "team_id") or team, user, part(payload, "channel", "id") or slack.entry.channel)
    actions = payload.get("actions")
    first = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], Mapping) else {}
    action, value = str(first.get("action_id") or ""), str(first.get("value") or "")
    if action == "open" or payload.get("type") != "block_actions":
        return None
    try:
        actor = by_slack(home.path, who.team, who.user)
        if actor is None:
            return Answer(NOT_LISTED, who.channel, who.user)
        text, after = decide(home, slack, action, value, actor)
    except DeskError as error:
        return Answer(f"Nothing was done: {error}", who.channel, who.user, lambda: refresh(home, slack, value))
    except Exception as error:  # noqa: BLE001 - a click always gets an answer
        return Answer(
            f"This failed ({type(error).__name__}): check the proposals page before you click again", who.channel, who.user
        )
    return Answer(text, who.channel, who.user, after)


def part(payload: Mapping[str, Any], key: str, inner: str) -> str:
    """An id from a nested object; empty when missing or invalid."""
    found = payload.get(key)
    return id_of(found.get(inner)) if isinstance(found, Mapping) else ""


def id_of(value: Any) -> str:
    """Slack's id of a workspace, an account or a channel; empty for anything else."""
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def decide(home: Home, slack: Slack, action: str, value: str, actor: Actor) -> tuple[str, Callable[[], None]]:
    """Carry out a person's click; returns (reply, what follows). Raises DeskError."""
    now_ms = time.time_ns() // 1_000_000
    if action == "ack":
        return acknowledged(home, value, actor, now_ms), lambda: None
    found = CARD.fullmatch(value)
    if found is None:
        raise Refused(NOT_OURS, "decide on the proposals page")
    text = decided(home, action, found[1], found[2], actor, "Slack", slack.entry.page_url, now_ms)
    return text, lambda: refresh(home, slack, value)


def refresh(home: Home, slack: Slack, value: str) -> None:
    """Update the card to its proposal's state; what cannot be sent now is sent later."""
    found = CARD.fullmatch(value)
    if found is None:
        return
    now_ms = time.time_ns() // 1_000_000
    with suppress(DeskError):
        deliveries.cards(home, [slack.name], now_ms)
        deliveries.deliver(home, [slack], now_ms, found[1])


def reply(home: Home, slack: Slack, answer: Answer) -> None:
    """Send the answer as an ephemeral message, then do what follows. A failed reply is recorded as a failed delivery."""
    if answer.text and answer.channel and answer.user:
        try:
            slack.whisper(answer.channel, answer.user, answer.text)
        except Undelivered as error:
            with suppress(DeskError):
                record_failed_reply(home, slack, answer, str(error))
    follow(answer)


def follow(answer: Answer) -> None:
    """Do what follows the answer."""
    if answer.after is not None:
        answer.after()


def record_failed_reply(home: Home, slack: Slack, answer: Answer, error: str) -> None:
    """Record a reply that could not be delivered."""
    now_ms = time.time_ns()
    with db.write(home.engine) as session:
        failed: dict[str, Any] = {
            "state": "failed",
            "error": error[:300],
            "created_ms": now_ms // 1_000_000,
            "due_ms": now_ms // 1_000_000,
        }
        session.add(Delivery(subject=f"reply {answer.user} {now_ms}", step="reply", sink=slack.name, attempts=1, **failed))
