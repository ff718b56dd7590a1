"""Signed webhooks: every notification as JSON to a program of one's own. Made by app.notify.ways.

`X-Nightdesk-Signature: v1=HEX`, the HMAC-SHA256 of `TIMESTAMP.BODY` under the secret, and `X-Nightdesk-Timestamp`, seconds. A
receiver compares both, refuses what is older than five minutes, and takes an id once (docs/reaching-people.md has the lines).
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

from app.home.reach import WebhookEntry
from app.notify.deliveries import Notification, Undelivered
from app.notify.words import broke, visible, worded

TIMEOUT_S = 5.0  # for a connection, and between two pieces of an answer
DEADLINE_S = 10.0  # for all of it: who sends a byte now and then would hold every other message
SECRET_MIN = 16
FINAL = (400, 401, 403, 404, 405, 410, 413, 415)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header holds."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """One receiver. `name`: webhook:NAME."""

    def __init__(self, name: str, entry: WebhookEntry, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.name, self.entry, self.clock = f"webhook:{name}", entry, clock
        self._secret = secret

    def send(self, message: Notification) -> str:
        """Send a message; its ref is the id that the receiver saw. Raises Undelivered."""
        import anyio
        import httpx

        text = worded(message, "")
        id_ = f"{message.subject} {message.step}"
        value = {"id": id_, "kind": message.kind, "step": message.step, "title": text.title, "lines": list(text.lines)}
        body = json.dumps(value | {"row": message.row}, default=str, allow_nan=False, ensure_ascii=False).encode(
            "utf-8", "replace"
        )
        stamp = str(int(self.clock()))
        signed = {"x-nightdesk-timestamp": stamp, "x-nightdesk-signature": signature(self._secret, stamp, body)}
        headers = {"content-type": "application/json", "user-agent": "nightdesk"} | signed

        async def answered() -> tuple[int, str]:
            with anyio.fail_after(DEADLINE_S):
                async with (
                    httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
                    client.stream("POST", self.entry.url, content=body, headers=headers) as answer,
                ):
                    return answer.status_code, answer.headers.get("retry-after", "")  # its body is not read

        try:
            status, wait = anyio.run(answered)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Undelivered(f"{self.name}: {broke(error)}") from None
        if not 200 <= status < 300:
            wait_s = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 8 else None
            raise Undelivered(visible(f"{self.name}: HTTP {status}"), wait_s, final=status in FINAL or 300 <= status < 400)
        return id_[:100]
