"""Telegram's line: cards with buttons go out, clicks and `/halt` come in by long polling, on a thread of the supervisor.

Made by app.processes.scheduler. The place up to which updates were taken is Telegram's own (`offset`); a click that comes again
after a crash is refused by its id. What fails is tried again, slower each time; a halt elsewhere never waits for this.
"""

import threading
from contextlib import suppress
from typing import Any

from app.home.home import Home
from app.notify import deliveries
from app.notify.by_apprise import AppriseSink
from app.notify.deliveries import Notification, Undelivered
from app.notify.words import Worded, visible
from app.telegram.actions import TelegramReply, handle
from app.telegram.buttons import Seals
from app.telegram.client import TelegramClient
from engine.errors import DeskError

POLL_S = 20  # how long Telegram holds back an answer
WAIT_S = (1.0, 2.0, 5.0, 15.0, 60.0)
UPDATES = ("message", "callback_query")
UPDATES_MAX = 20
CARDS = ("card",)  # steps of a card that has buttons


class TelegramLine:
    """One bot in one chat. `error`: what the last poll failed with."""

    def __init__(self, home: Home, client: TelegramClient, seals: Seals, sink: AppriseSink) -> None:
        self.home, self.client, self.seals, self.sink = home, client, seals, sink
        self.offset, self.error = 0, ""
        self._ended = threading.Event()

    def start(self) -> None:
        """Listen in the background; returns at once."""
        threading.Thread(target=self._listen, name="telegram-line", daemon=True).start()

    def close(self) -> None:
        """Stop listening; a poll that is held back ends by itself."""
        self._ended.set()

    def card(self, message: Notification, text: Worded) -> str | None:
        """A pending card with its buttons; None for any other, and where no person could see all of it. Raises Undelivered."""
        row = message.row
        if message.step not in CARDS or row["state"] != "pending":
            return None
        labels = [("Reject", "reject")]
        if row["direction"] == "tightens" and text.whole:
            labels.insert(0, ("Approve", "approve"))
        keys = [{"text": label, "callback_data": self.seals.data(act, row["id"], row["diff_sha256"])} for label, act in labels]
        last = "" if len(labels) == 2 else "\nApprove it on the proposals page, not here."
        body = {"chat_id": self.client.entry.chat, "text": "\n".join([text.title, *text.lines]) + last}
        more = {"link_preview_options": {"is_disabled": True}, "reply_markup": {"inline_keyboard": [keys]}}
        sent = self.client.call("sendMessage", {**body, **more})
        number = sent.get("message_id") if isinstance(sent, dict) else None
        return f"telegram {visible(number)[:30]}" if isinstance(number, int) else "telegram"

    def poll(self, hold_s: int = POLL_S) -> int:
        """Take what has come, once; how many updates. Raises Undelivered."""
        body = {"offset": self.offset, "timeout": hold_s, "limit": UPDATES_MAX, "allowed_updates": list(UPDATES)}
        updates = self.client.call("getUpdates", body, more_s=hold_s)
        found = [one for one in updates if isinstance(one, dict)] if isinstance(updates, list) else []
        for update in found[:UPDATES_MAX]:
            number = update.get("update_id")
            if not isinstance(number, int) or isinstance(number, bool) or number < self.offset:
                continue
            self.offset = number + 1  # taken, whatever comes of it: one that fails is not tried for ever
            self._answer(handle(self.home, self.client.entry, self.seals, update))
        return len(found)

    def _answer(self, reply: TelegramReply) -> None:
        """Say what was done; a failed answer undoes nothing."""
        with suppress(Undelivered):
            if reply.query:
                more: dict[str, Any] = {"callback_query_id": reply.query, "show_alert": True}
                self.client.call("answerCallbackQuery", {**more, "text": reply.text})
            elif reply.text:
                self.client.call("sendMessage", {"chat_id": self.client.entry.chat, "text": reply.text})
        if reply.subject:
            with suppress(DeskError):
                now_ms = deliveries.now_ms()
                deliveries.cards(self.home, [self.sink.name], now_ms)
                deliveries.deliver(self.home, [self.sink], now_ms, reply.subject)

    def _listen(self) -> None:
        failed = 0
        while not self._ended.is_set():
            try:
                self.poll()
                failed, self.error = 0, ""
            except Undelivered as error:
                self.error = str(error)
                wait_s = max(WAIT_S[min(failed, len(WAIT_S) - 1)], error.wait_s or 0.0)
                failed += 1
                self._ended.wait(wait_s)
            except Exception as error:  # noqa: BLE001 - whatever comes from outside, the line goes on
                self.error = type(error).__name__
                self._ended.wait(WAIT_S[-1])


def line_of(home: Home, sink: AppriseSink, token: str) -> TelegramLine:
    """The line of the desk's chat; from now on the sink's cards have buttons."""
    entry = home.desk.telegram
    assert entry is not None  # noqa: S101 - the sink was made from it
    line = TelegramLine(home, TelegramClient(entry, token), Seals(token, entry.chat), sink)
    sink.buttons = line
    return line
