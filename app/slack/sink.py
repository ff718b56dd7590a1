"""Slack as a sink for alerts and cards, over its Web API; off unless desk.toml has [slack] and the environment a token.

Called by app.processes.scheduler (supervisor) and, for the signed callback, by the API. Tokens come from the environment
variables named in desk.toml, exist in these two processes only, and never reach a log, row or message. app.slack.actions
handles what comes back.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.home.home import Home
from app.home.reach import SlackEntry
from app.notify.deliveries import Notification, Undelivered
from app.notify.words import visible, worded
from app.slack import blocks
from engine.redaction import redacted

if TYPE_CHECKING:
    from slack_sdk import WebClient

TIMEOUT_S = 5
PLACE_MAX, REASON_MAX = 100, 200  # characters of Slack's own that are kept
SECRET_MIN = 8
FATAL = frozenset(
    {"invalid_auth", "account_inactive", "token_revoked", "not_authed", "channel_not_found", "is_archived", "not_in_channel"}
)
LOG = logging.getLogger("nightdesk.slack")  # the library's messages may contain addresses and bodies: they are discarded
LOG.addHandler(logging.NullHandler())
LOG.propagate = False
LOG.setLevel(logging.CRITICAL)


class Slack:
    """One channel of one workspace. `name`: the sink's name."""

    name = "slack"

    def __init__(self, entry: SlackEntry, client: "WebClient", app_token: str = "", signing_secret: str = "") -> None:
        self.entry, self.client = entry, client
        self.app_token, self.signing_secret = app_token, signing_secret
        self.team = entry.team

    def send(self, message: Notification) -> str:
        """Post a message, or update the one posted. Returns "channel ts". Raises Undelivered."""
        text, blocks = self.rendered(message)
        channel, _, ts = message.before.partition(" ")
        body = {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
        if message.kind == "card" and message.step in ("decided", "outrun") and ts:
            return self.call("chat.update", channel=channel, ts=ts, **body)
        if ts:
            body |= {"thread_ts": ts, "reply_broadcast": True}
        return self.call("chat.postMessage", channel=self.entry.channel, **body)

    def rendered(self, message: Notification) -> tuple[str, list[dict[str, Any]]]:
        """(notification line, blocks) of a message."""
        if message.kind == "alert":
            return blocks.alert(message.row, message.step, self.entry.page_url)
        if message.kind == "handover":
            return blocks.handover(message.row, self.entry.page_url)
        if message.kind in ("digest", "monitor", "test"):
            return blocks.worded_blocks(worded(message, self.entry.page_url))
        return blocks.card(message.row, self.entry.page_url)

    def whisper(self, channel: str, user: str, text: str, tries: int = 4) -> None:
        """Send an ephemeral message to one person, with a few attempts. Raises Undelivered."""
        for left in range(tries - 1, -1, -1):
            try:
                block = blocks.section(blocks.plain_text(text))
                self.call("chat.postEphemeral", channel=channel, user=user, text=blocks.escaped(text, 400), blocks=[block])
                return
            except Undelivered as error:
                if error.final or not left:
                    raise
                time.sleep(min(error.wait_s or 0.5, 5.0))

    def learn_team(self) -> None:
        """Learn the token's workspace when desk.toml does not name it. Raises Undelivered."""
        if not self.team:
            self.team = str(self._request("auth.test").get("team_id") or "")

    def call(self, method: str, **body: Any) -> str:
        """One Web API call; "channel ts" of the message. Raises Undelivered, with the wait that Slack asks for."""
        answer = self._request(method, **body)
        place = f"{answer.get('channel') or body.get('channel')} {answer.get('ts') or answer.get('message_ts') or ''}"
        return visible(place).strip()[:PLACE_MAX]

    def _request(self, method: str, **body: Any) -> Mapping[str, Any]:
        from slack_sdk.errors import SlackApiError

        try:
            answer = self.client.api_call(method, json=body)
        except SlackApiError as error:
            reason = str(error.response.get("error") or error.response.status_code) if error.response is not None else "no answer"
            wait = error.response.headers.get("Retry-After") if error.response is not None else None
            raise Undelivered(
                f"{method}: {redacted(visible(reason))[:REASON_MAX]}", seconds(wait), final=reason in FATAL
            ) from None
        except Exception as error:  # noqa: BLE001 - whatever answers in Slack's place, the message waits and is tried again
            raise Undelivered(f"{method}: {type(error).__name__}") from None
        return answer.data if isinstance(answer.data, dict) else {}


def seconds(word: Any) -> float | None:
    """A Retry-After header in seconds; it may be a list."""
    text = str(word[0] if isinstance(word, list) and word else word or "")
    return float(text) if text.isascii() and text.isdigit() else None


def connect(home: Home, environment: Mapping[str, str] | None = None) -> Slack | None:
    """The desk's Slack, without sending anything; None if desk.toml has no [slack] or the environment no bot token."""
    entry = home.desk.slack
    seen = os.environ if environment is None else environment
    token = seen.get(entry.bot_token_env, "") if entry is not None else ""
    if entry is None or not token:
        return None
    from app.slack.web_client import BoundedWebClient

    client = BoundedWebClient(token=token, base_url=entry.base_url, timeout=TIMEOUT_S, retry_handlers=[], logger=LOG)
    secret = seen.get(entry.signing_secret_env, "")
    return Slack(entry, client, seen.get(entry.app_token_env, ""), secret if len(secret) >= SECRET_MIN else "")


def as_json(text: str) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
