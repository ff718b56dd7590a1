"""What comes back from Slack - commands, clicks, messages - is decided here: payload -> answer, and what is done afterwards.

Called by app.slack.signed_http (signed requests) and app.slack.socket_mode (Socket Mode); both have made sure that it is Slack
who speaks. A halt is latched before anything else is looked at. A click decides through app.people.approvals under the person
whom people.toml gives that Slack account; whoever is not listed is told so. No model reads any of this.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from app.home.home import Home
from app.notify import deliveries
from app.notify.deliveries import Undelivered
from app.people import approvals
from app.people.identity import Actor, by_slack, os_user
from app.slack.sink import Slack
from engine.control import halt
from engine.control.proposals import get
from engine.errors import DeskError, Refused
from engine.store import db
from engine.store.tables import Delivery

CARD = re.compile(r"(prop-\d{1,9}) ([0-9a-f]{64})")
ALERT = re.compile(r"al-\d{1,9}")
HALT = re.compile(r"\s*(?:<@[A-Z0-9]+>\s*)?/halt\b[ \t]*(.*)", re.DOTALL)
ID = re.compile(r"[A-Z0-9]{1,30}")
REASON_MAX = 500
NOT_LISTED = "You are not in people.toml with this Slack account, so nothing was done. Ask whoever runs the desk to add you."


class Answer(NamedTuple):
    """What to say to the one who clicked or typed (shown to them alone), and what to do once that is on its way."""

    text: str
    channel: str = ""
    user: str = ""
    after: Callable[[], None] | None = None


class Who(NamedTuple):
    """A Slack account as the payload names it."""

    team: str
    user: str
    channel: str


def command(home: Home, slack: Slack, form: Mapping[str, str]) -> Answer:
    """A slash command: /halt at once; there is no other."""
    who = Who(form.get("team_id", ""), form.get("user_id", ""), form.get("channel_id", ""))
    if form.get("command") == "/halt":
        return halt_now(home, slack, who, form.get("text", ""))
    return Answer("There is one command: /halt REASON", who.channel, who.user)


def message(home: Home, slack: Slack, event: Mapping[str, Any], team: str) -> Answer | None:
    """A message in the channel: `/halt REASON` at once; everything else is none of ours. Bots are not heard."""
    said = HALT.fullmatch(str(event.get("text") or ""))
    if said is None or event.get("type") not in ("message", "app_mention") or event.get("bot_id") or event.get("subtype"):
        return None
    who = Who(str(event.get("team") or team), str(event.get("user") or ""), str(event.get("channel") or ""))
    return halt_now(home, slack, who, said[1])


def halt_now(home: Home, slack: Slack, who: Who, text: str) -> Answer:
    """Latch first. Anybody of our own workspace may stop the desk, listed or not; nobody can start it from here."""
    if slack.team and who.team != slack.team:
        return Answer("Only people of this desk's own workspace can halt it here.", who.channel, who.user)
    now_ms, reason = time.time_ns() // 1_000_000, text.strip()[:REASON_MAX] or "halted from Slack, no reason given"
    by = Actor(f"slack {who.user}"[:60], "claimed", os_user(), "slack")
    with suppress(DeskError):
        by = by_slack(home.path, who.team, who.user) or by
    try:
        latch = halt.set(home.path, reason, by.as_json(), now_ms)
    except DeskError as error:
        return Answer(f"NOT HALTED: {error}", who.channel, who.user)
    told = f"HALTED by {latch.by}: {latch.reason}. The worker cancels entries and flattens at the next open; nothing enters until"
    told += " a person releases it at a terminal."
    return Answer(told, who.channel, who.user, lambda: spread(home, reason, by, now_ms))


def spread(home: Home, reason: str, by: Actor, now_ms: int) -> None:
    """The latch is set; now the database and the people journal, as far as they can be reached."""
    with suppress(Exception):
        halt.set_row(home.engine, reason, by.as_json(), now_ms)
    with suppress(Exception):
        approvals.record(home, "halt", {"reason": reason, "actor": by.as_json()}, now_ms)


def interaction(home: Home, slack: Slack, payload: Mapping[str, Any]) -> Answer | None:
    """A click on a button of ours; None for what needs no answer (a link)."""
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
    except Exception as error:  # noqa: BLE001 - a click is never met with silence
        return Answer(
            f"This went wrong ({type(error).__name__}): look at the proposals page before you click again", who.channel, who.user
        )
    return Answer(text, who.channel, who.user, after)


def part(payload: Mapping[str, Any], key: str, inner: str) -> str:
    """A text of a nested object; empty when it is not there or is no id."""
    found = payload.get(key)
    text = str(found.get(inner) or "") if isinstance(found, Mapping) else ""
    return text if ID.fullmatch(text) else ""


def decide(home: Home, slack: Slack, action: str, value: str, actor: Actor) -> tuple[str, Callable[[], None]]:
    """Carry out a person's click; (what to tell them, what follows). Raises DeskError."""
    now_ms = time.time_ns() // 1_000_000
    if action == "ack" and ALERT.fullmatch(value):
        row = deliveries.acknowledge(home, value, actor, now_ms)
        return f"{row.id} is yours, {actor.name}: it will not be sent again.", lambda: None
    found = CARD.fullmatch(value)
    if found is None or action not in ("approve", "reject"):
        raise Refused("this button is not one of this desk's", "decide on the proposals page")
    proposal, sha256 = found[1], found[2]
    row = get(home.engine, proposal)
    if row.diff_sha256 != sha256:
        raise Refused(f"{proposal} is not what this card shows", "look at it on the proposals page")
    if action == "reject":
        done = approvals.reject(home, proposal, actor, "rejected in Slack", now_ms)
    else:
        if row.direction != "tightens":
            where = f"{slack.entry.page_url}?tab=proposals&proposal={proposal}"
            raise Refused(f"{proposal} does not only tighten ({row.direction}): it cannot be approved in Slack", where)
        done = approvals.approve(home, proposal, sha256, actor, now_ms)
    version = f" as version {done.version}: the worker adopts it within one bar" if done.version else ""
    return f"{proposal} {done.state}{version}. Journal {done.journal_id}.", lambda: refresh(home, slack, value)


def refresh(home: Home, slack: Slack, value: str) -> None:
    """Make the card show how its proposal stands; what cannot be brought now is brought later."""
    found = CARD.fullmatch(value)
    if found is None:
        return
    now_ms = time.time_ns() // 1_000_000
    with suppress(DeskError):
        deliveries.cards(home, [slack.name], now_ms)
        deliveries.deliver(home, [slack], now_ms, found[1])


def reply(home: Home, slack: Slack, answer: Answer) -> None:
    """Whisper the answer, then do what follows. A whisper that cannot be brought is written down as a failed delivery."""
    if answer.text and answer.channel and answer.user:
        try:
            slack.whisper(answer.channel, answer.user, answer.text)
        except Undelivered as error:
            with suppress(DeskError):
                record_failed_reply(home, slack, answer, str(error))
    follow(answer)


def follow(answer: Answer) -> None:
    """Do what follows an answer."""
    if answer.after is not None:
        answer.after()


def record_failed_reply(home: Home, slack: Slack, answer: Answer, error: str) -> None:
    """Keep what somebody should have been told."""
    now_ms = time.time_ns()
    with db.write(home.engine) as session:
        failed = {"state": "failed", "error": error[:300], "created_ms": now_ms // 1_000_000, "due_ms": now_ms // 1_000_000}
        session.add(Delivery(subject=f"reply {answer.user} {now_ms}", step="reply", sink=slack.name, attempts=1, **failed))
