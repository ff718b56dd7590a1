"""Slack's signed requests: body and headers -> a response. Called by the API's Slack callback route, which adds nothing.

A request is accepted if its signature and timestamp are valid (Slack's v0 scheme, five minutes), it is a form or an event, and
it is not a replay: its digest, or the event's id, is stored. A halt is latched even when the database cannot tell whether the
request is a replay.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from app.home.home import Home
from app.notify.once import first_time
from app.slack.actions import HALT, Answer, command, follow, interaction, message, reply
from app.slack.sink import Slack, as_json
from engine.errors import DeskError

BODY_MAX = 200_000  # bytes; Slack's own are a few thousand
FIELDS_MAX = 200  # of a form; Slack's own have a dozen
FORM, EVENT = "application/x-www-form-urlencoded", "application/json"
CHALLENGE_MAX = 500
AFTER = ThreadPoolExecutor(4, thread_name_prefix="slack-after")  # work after the answer: Slack waits three seconds


class SlackResponse(NamedTuple):
    """The route's response: HTTP status, and JSON (empty: an empty body)."""

    status: int
    body: dict[str, Any]


def verify(secret: str, body: bytes, headers: Mapping[str, str], now_s: float) -> bool:
    """Whether Slack signed this body within the last five minutes."""
    from slack_sdk.signature import Clock, SignatureVerifier

    class Now(Clock):
        """The caller's clock."""

        def now(self) -> float:
            return now_s

    named = {key.lower(): value for key, value in headers.items()}
    timestamp, signature = named.get("x-slack-request-timestamp", ""), named.get("x-slack-signature", "")
    if not secret or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 15 and signature.isascii()):
        return False
    try:
        return SignatureVerifier(secret, Now()).is_valid(body, timestamp, signature)
    except UnicodeDecodeError:
        return False


def handle(home: Home, slack: Slack | None, body: bytes, headers: Mapping[str, str]) -> SlackResponse:
    """One request to Slack's callback. 401: not Slack's, or a replay; 413, 415: not what Slack sends; 404: Slack is off."""
    if slack is None or not slack.signing_secret:
        return SlackResponse(404, {"error": "Slack is not configured"})
    if len(body) > BODY_MAX:
        return SlackResponse(413, {"error": "too large"})
    if not verify(slack.signing_secret, body, headers, time.time()):
        return SlackResponse(401, {"error": "signature missing, invalid or expired"})
    kind = next((value for key, value in headers.items() if key.lower() == "content-type"), "")
    kind = kind.partition(";")[0].strip().lower()
    if kind == EVENT:
        return event(home, slack, as_json(body.decode("utf-8", "replace")))
    if kind != FORM:
        return SlackResponse(415, {"error": f"accepted types: {FORM}, {EVENT}"})
    try:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return SlackResponse(413, {"error": f"more than {FIELDS_MAX} fields"})
    return handle_form(home, slack, form, body, headers)


def handle_form(home: Home, slack: Slack, form: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> SlackResponse:
    """Handle a verified form, once."""
    halts = form.get("command") == "/halt"
    signature = next(value for key, value in headers.items() if key.lower() == "x-slack-signature")
    try:
        if not first_time(home, sha256(signature.encode() + body).hexdigest(), time.time_ns() // 1_000_000):
            return SlackResponse(401, {"error": "replayed request"})
    except DeskError:
        if not halts:
            return SlackResponse(503, {"error": "the desk's database is unavailable; try again"})
    if "command" in form:
        return command_response(command(home, slack, form))
    payload = as_json(form.get("payload", ""))
    answer = interaction(home, slack, payload) if payload else None
    if answer is not None:
        AFTER.submit(reply, home, slack, answer)
    return SlackResponse(200, {}) if payload else SlackResponse(400, {"error": "no payload"})


def event(home: Home, slack: Slack, payload: Mapping[str, Any]) -> SlackResponse:
    """A verified event of the Events API: the URL challenge, or a message to the app, where `/halt REASON` halts once.

    Slack resends an event when the answer was slow, and sends a mention twice (message and app_mention): neither halts twice.
    """
    if payload.get("type") == "url_verification":
        return SlackResponse(200, {"challenge": escaped_text(str(payload.get("challenge") or "")[:CHALLENGE_MAX])})
    inner, event_id = payload.get("event"), str(payload.get("event_id") or "")
    if payload.get("type") != "event_callback" or not isinstance(inner, Mapping) or not event_id:
        return SlackResponse(400, {"error": "no event"})
    if HALT.fullmatch(str(inner.get("text") or "")) is None:
        return SlackResponse(200, {})  # not for us: nothing is read or stored
    now_ms = time.time_ns() // 1_000_000
    keys = [f"event {event_id}", *([f"message {inner.get('channel')} {inner['ts']}"] if inner.get("ts") else [])]
    with suppress(DeskError):  # whether it is a replay is unknown: halting is the safe direction
        if not all(first_time(home, sha256(key.encode()).hexdigest(), now_ms) for key in keys):
            return SlackResponse(200, {})
    answer = message(home, slack, inner, str(payload.get("team_id") or ""))
    if answer is not None:
        AFTER.submit(reply, home, slack, answer)
    return SlackResponse(200, {})


def command_response(answer: Answer) -> SlackResponse:
    """A command's answer, returned in the response, visible to its sender only."""
    AFTER.submit(follow, answer)
    return SlackResponse(200, {"response_type": "ephemeral", "text": escaped_text(answer.text)})


def escaped_text(text: str) -> str:
    """The answer for Slack's markup."""
    from app.slack.blocks import escaped

    return escaped(text)
