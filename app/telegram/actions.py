"""What comes from Telegram: an update -> what was done, and the answer. Called by app.telegram.line.

A halt is latched before anything else is looked at. A click decides as the person whose user id people.toml has, in the chat of
desk.toml, once, with a seal of ours, and only what tightens. No model reads any of this.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from app.home.home import Home
from app.home.reach import TelegramEntry
from app.notify import buttons as pressed
from app.notify.once import first_time
from app.people import approvals
from app.people.identity import Actor, by_account, os_user
from app.telegram.buttons import Button, Seals, read
from engine.control import halt
from engine.control.proposals import get
from engine.errors import DeskError, Refused
from engine.watch.following import HALT as HALTING
from engine.watch.following import carried_out

HALT = re.compile(r"/halt(?:@[A-Za-z0-9_]{1,40})?\b[ \t]*(.*)", re.DOTALL)
REASON_MAX, ANSWER_MAX = 500, 190  # Telegram shows 200 characters over a button
USER = re.compile(r"[1-9][0-9]{0,15}")
NOT_LISTED = "This Telegram account is not linked to anyone in people.toml, so nothing was done."
FAILED = "This failed: look at the proposals page before you press again"


class TelegramReply(NamedTuple):
    """The answer to an update: to a click over its button (`query`), to a message in the chat; nothing for neither."""

    text: str = ""
    query: str = ""
    subject: str = ""  # the proposal whose card should be shown again


def handle(home: Home, entry: TelegramEntry, seals: Seals, update: Mapping[str, Any]) -> TelegramReply:
    """Act on an update; every outcome is an answer."""
    message, click = update.get("message"), update.get("callback_query")
    if isinstance(message, Mapping):
        return _message(home, entry, message)
    if not isinstance(click, Mapping) or not isinstance(click.get("id"), str):
        return TelegramReply()
    query = str(click["id"])[:100]
    try:
        text, subject = _click(home, entry, seals, click, query)
    except DeskError as error:
        return TelegramReply(f"Nothing was done: {error}"[:ANSWER_MAX], query)
    except Exception as error:  # noqa: BLE001 - a click always gets an answer
        return TelegramReply(f"{FAILED} ({type(error).__name__})", query)
    return TelegramReply(text[:ANSWER_MAX], query, subject)


def _click(home: Home, entry: TelegramEntry, seals: Seals, click: Mapping[str, Any], query: str) -> tuple[str, str]:
    """(answer, proposal) of a click. Raises DeskError."""
    now_ms = time.time_ns() // 1_000_000
    user, chat = _id(_part(click, "from").get("id")), _id(_part(_part(click, "message"), "chat").get("id"))
    if chat != entry.chat:
        raise Refused("this chat is not the desk's", "press it where the desk sent it")
    actor = by_account(home.path, "telegram", user) if USER.fullmatch(user) else None
    if actor is None or _part(click, "from").get("is_bot"):
        return NOT_LISTED, ""
    button = read(click.get("data"))
    if button is None:
        raise Refused(pressed.NOT_OURS, "decide on the proposals page")
    if button.act == "ack":
        if not seals.fits(button):
            raise Refused(pressed.NOT_OURS, "acknowledge it on the page")
        _once(home, query, now_ms)
        return pressed.acknowledged(home, button.subject, actor, now_ms), ""
    return _decide(home, entry, seals, button, actor, query, now_ms), button.subject


def _decide(home: Home, entry: TelegramEntry, seals: Seals, button: Button, actor: Actor, query: str, now_ms: int) -> str:
    """The seal is compared with the proposal's own digest as it is now: a card of another diff has another."""
    row = get(home.engine, button.subject)
    if not seals.fits(button, row.diff_sha256):
        raise Refused(pressed.NOT_OURS, "decide on the proposals page")
    _once(home, query, now_ms)
    return pressed.decided(home, button.act, row.id, row.diff_sha256, actor, "Telegram", entry.page_url, now_ms)


def _once(home: Home, query: str, now_ms: int) -> None:
    """A click that Telegram brings again, or that was played back, decides nothing again."""
    if not first_time(home, sha256(f"telegram {query}".encode()).hexdigest(), now_ms):
        raise Refused("this click was taken before", "press again if you mean it again")


def _message(home: Home, entry: TelegramEntry, message: Mapping[str, Any]) -> TelegramReply:
    """`/halt REASON` in the desk's chat halts at once, whoever types it; anything else is ignored."""
    found = HALT.fullmatch(str(message.get("text") or "").strip())
    if found is None or _id(_part(message, "chat").get("id")) != entry.chat:
        return TelegramReply()
    now_ms, user = time.time_ns() // 1_000_000, _id(_part(message, "from").get("id"))
    reason = halt.reason_of(found[1].strip()[:REASON_MAX] or "halted from Telegram, no reason given")
    by = Actor(f"telegram {user}"[:60], "claimed", os_user(), "telegram")
    with suppress(DeskError):
        by = by_account(home.path, "telegram", user) or by
    try:
        latch = halt.set(home.path, reason, by.as_json(), now_ms)
    except DeskError as error:
        return TelegramReply(f"NOT HALTED: {error}")
    with suppress(Exception):
        halt.set_row(home.engine, reason, by.as_json(), now_ms)
    with suppress(Exception):
        approvals.record(home, "halt", {"reason": reason, "actor": by.as_json()}, now_ms)
    text = f"HALTED by {latch.by}: {latch.reason}. {carried_out(home.path, now_ms, HALTING)} No new entries until"
    return TelegramReply(f"{text} a person releases the halt at a terminal.")


def _part(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _id(value: object) -> str:
    """An id of Telegram: a whole number, nothing that merely looks like one."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
