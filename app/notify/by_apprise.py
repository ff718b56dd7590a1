"""Telegram and Discord as sinks, sent by apprise; Telegram's buttons are app/telegram's. Made by app.notify.ways.

apprise answers yes or no, and says why in its log: that log is read here, discarded otherwise, and cleared of secrets. It gets
no redirect, a few seconds, and our addresses alone.
"""

import logging
import re
from typing import Any, Protocol

from app.home.reach import DiscordEntry, TelegramEntry
from app.notify.deliveries import Notification, Undelivered
from app.notify.words import Worded, broke, worded
from engine.redaction import redacted

TIMEOUT_S = 5
TELEGRAM_MAX, DISCORD_MAX = 3_900, 1_900  # characters; they take 4,096 and 2,000
WHY_MAX = 200
STATUS = re.compile(r"error=(\d{3})\b")
FINAL = (400, 401, 403, 404, 410)  # asking again cannot help
BOT = re.compile(r"[0-9]{3,15}:[A-Za-z0-9_-]{20,60}")
HOOK = re.compile(r"(?:https://discord(?:app)?\.com/api/webhooks/)?([0-9]{5,25})/([A-Za-z0-9_-]{20,100})")
MARKUP = re.compile(r"([\\`*_~|>\[\]()#-])")  # of Discord
LOG = logging.getLogger("apprise")
LOG.propagate = False  # its lines may hold bodies
LOG.setLevel(logging.WARNING)


class _Lines(logging.Handler):
    """What apprise says while it sends one message."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


class Buttons(Protocol):
    """Sends a card with buttons, where a place has them."""

    def card(self, message: Notification, text: Worded) -> str | None:
        """The ref of the message; None: this card gets no buttons. Raises Undelivered."""
        ...


class AppriseSink:
    """One chat. `name`: the sink's name; `secrets`: what never leaves this process in a message of ours."""

    def __init__(self, name: str, plugin: Any, page_url: str, most: int, secrets: tuple[str, ...]) -> None:
        import apprise

        self.name, self.page_url, self.most, self.secrets = name, page_url, most, secrets
        self._all = apprise.Apprise()  # it escapes plain text for each place; the plugin alone does not
        self._all.add(plugin)
        self.buttons: Buttons | None = None

    def send(self, message: Notification) -> str:
        """Send a message; its ref is the place alone, apprise tells no more. Raises Undelivered."""
        text = worded(message, self.page_url).cut(self.most)
        if self.buttons is not None and message.kind == "card" and (ref := self.buttons.card(message, text)) is not None:
            return ref
        title, body = text.title, "\n".join(text.lines)
        if self.name == "discord":
            title, body = harmless(title), harmless(body)
        self._notify(title, body)
        return self.name

    def _notify(self, title: str, body: str) -> None:
        heard = _Lines()
        LOG.addHandler(heard)
        try:
            done = bool(self._all.notify(title=title, body=body, body_format="text"))
        except Exception as error:  # noqa: BLE001 - whatever answers in its place, the message waits and is tried again
            raise Undelivered(f"{self.name}: {broke(error)}") from None
        finally:
            LOG.removeHandler(heard)
        if not done:
            why = heard.lines[-1] if heard.lines else "not accepted"
            found = STATUS.search(why)
            raise Undelivered(f"{self.name}: {self.cleared(why)}", final=found is not None and int(found[1]) in FINAL)

    def cleared(self, why: str) -> str:
        """A reason without the secrets of this sink."""
        for secret in self.secrets:
            why = why.replace(secret, "***")
        return redacted(why)[:WHY_MAX]


def harmless(text: str) -> str:
    """Text in which Discord finds no mention, link text, or format."""
    return MARKUP.sub(r"\\\1", text).replace("@", "@\u200b").replace("<", "\\<")


def telegram(entry: TelegramEntry, token: str) -> AppriseSink | None:
    """The sink of a chat; None for what is no bot's token."""
    if not BOT.fullmatch(token):
        return None
    plugin = _plugin(f"tgram://{token}/{entry.chat}/?detect=no&format=text&preview=no")
    plugin.notify_url = f"{entry.base_url}bot"
    return AppriseSink("telegram", plugin, entry.page_url, TELEGRAM_MAX, (token,))


def discord(entry: DiscordEntry, hook: str) -> AppriseSink | None:
    """The sink of a webhook of Discord; None for what is none."""
    found = HOOK.fullmatch(hook.strip())
    if found is None:
        return None
    plugin = _plugin(f"discord://{found[1]}/{found[2]}/?format=text&avatar=no")
    plugin.notify_url = entry.base_url
    return AppriseSink("discord", plugin, entry.page_url, DISCORD_MAX, (found[2],))


def _plugin(url: str) -> Any:
    """apprise's object for an address."""
    import apprise

    made = apprise.Apprise.instantiate(f"{url}&rto={TIMEOUT_S}&cto={TIMEOUT_S}&redirect=no&overflow=truncate")
    assert made is not None  # noqa: S101 - the parts were compared with their forms
    made.redirects = False
    made.request_rate_per_sec = 0  # the deliveries' own waits are enough
    return made
