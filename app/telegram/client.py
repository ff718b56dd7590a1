"""What apprise has not of Telegram's Bot API: buttons under a card, and what people click and type. Made by app.telegram.line.

A method and its JSON -> the `result`. The token is in each address: no error of a library, which would carry it, leaves here.
"""

import json
from typing import Any

from app.home.reach import TelegramEntry
from app.notify.deliveries import Undelivered
from app.notify.words import broke, visible
from engine.redaction import redacted

TIMEOUT_S = 5.0
ANSWER_MAX = 1_000_000  # bytes; a hundred updates are a tenth of it
WHY_MAX = 200
FINAL = (400, 401, 403, 404)
WAIT_MAX = 3_600.0


class TelegramClient:
    """The API of one bot, for one chat."""

    def __init__(self, entry: TelegramEntry, token: str) -> None:
        import httpx

        self.entry, self._token = entry, token
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    def call(self, method: str, body: dict[str, Any], more_s: float = 0.0) -> Any:
        """One call; `more_s`: how long the answer may be held back. Raises Undelivered, with the wait that Telegram asks for."""
        import httpx

        url = f"{self.entry.base_url}bot{self._token}/{method}"
        try:
            with self._http.stream("POST", url, json=body, timeout=TIMEOUT_S + more_s) as answer:
                status, parts, size = answer.status_code, list[bytes](), 0
                for part in answer.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > ANSWER_MAX:
                        raise ValueError("the answer is too long")
            value = json.loads(b"".join(parts))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            raise Undelivered(f"telegram {method}: {broke(error)}") from None
        if not isinstance(value, dict):
            raise Undelivered(f"telegram {method}: not an answer of Telegram")
        if status != 200 or value.get("ok") is not True:
            told = value.get("parameters")
            wait = told.get("retry_after") if isinstance(told, dict) else None
            wait_s = float(min(wait, WAIT_MAX)) if isinstance(wait, int) and wait > 0 else None
            why = redacted(visible(value.get("description") or status).replace(self._token, "***"))[:WHY_MAX]
            raise Undelivered(f"telegram {method}: {why}", wait_s, final=status in FINAL)
        return value.get("result")

    def close(self) -> None:
        """Close its connections."""
        self._http.close()
