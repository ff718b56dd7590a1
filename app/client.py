"""HTTP client of the API: used by the page (`call`, `halt`) and by programs (`ask`, `follow`). Turns refusals into ApiError.

Routes and responses: app/api/__init__.py, /openapi.json.

HTTP only, with one exception: when the API does not answer within a second, `halt` writes the latch file itself, because a
halt must not depend on a server.
"""

import getpass
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from engine.control import halt as latch
from engine.control.started import started_of

PORT = 8420
URL_VARIABLE, PORT_VARIABLE = "NIGHTDESK_API_URL", "NIGHTDESK_API_PORT"
HALT_S = 1.0  # how long a halt waits for the API
TIMEOUT_S = 15.0
RETRY_S = 0.5  # between two attempts to follow a turn
RETRIES = 20
Json = dict[str, Any]


class ApiError(Exception):
    """The API refused, or did not answer (status 0)."""

    def __init__(self, status: int, kind: str, what: str, hint: str = "") -> None:
        super().__init__(f"{what} - {hint}" if hint else what)
        self.status, self.kind, self.what, self.hint = status, kind, what, hint

    @property
    def down(self) -> bool:
        """Whether the API did not answer."""
        return self.status == 0


def api_url() -> str:
    """The API's address from the environment, else that of the home's last start."""
    port = os.environ.get(PORT_VARIABLE) or started_of(_home()).get(PORT_VARIABLE) or PORT
    return os.environ.get(URL_VARIABLE) or f"http://127.0.0.1:{port}"


def _home() -> Path:
    return Path(os.environ.get("NIGHTDESK_HOME") or "var").expanduser().absolute()


def cookie_of(url: str) -> str:
    """The name of an API's session cookie. Cookies are not separated by port, so the name contains it."""
    return f"nightdesk_{urlsplit(url).port or 80}"


class Client:
    """One person's client. `session`: the cookie's value, or a token. `home`: where a halt is written when the API is down."""

    def __init__(self, url: str = "", session: str = "", home: Path | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.url = (url or api_url()).rstrip("/")
        self.home = home or _home()
        cookies = {cookie_of(self.url): session} if session else {}
        # no proxy from the environment: the session goes to the desk's own address only
        checked = self.url.startswith("https:")  # reading the certificates of all authorities takes 20 ms, and http has none
        self.http = httpx.Client(base_url=self.url, cookies=cookies, timeout=timeout_s, trust_env=False, verify=checked)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, wait_s: float | None = None, **query: Any
    ) -> Json:
        """The JSON of a response; ApiError for a refusal or no answer within `wait_s`. Query values of None are left out."""
        return json_of(self.request(method, path, body, wait_s, **query))

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, wait_s: float | None = None, **query: Any
    ) -> httpx.Response:
        """The response of `call` as it came."""
        params = {key: value for key, value in query.items() if value is not None}
        wait: Json = {} if wait_s is None else {"timeout": wait_s}
        try:
            return self.http.request(method, path, params=params, json=body, **wait)
        except httpx.HTTPError as error:
            raise ApiError(0, "Down", f"the API at {self.url} does not answer", "start the desk: nightdesk up") from error

    def health(self) -> Json:
        """Whether the API answers."""
        return self.call("GET", "/api/health")

    def halt(self, reason: str, name: str = "", wait_s: float = HALT_S) -> Json:
        """Latch the halt through the API, or by file when the API is late or refuses (`by_file`).

        Raises ApiError only when both fail.
        """
        why = " ".join(reason.split())[: latch.REASON_MAX] or latch.NO_REASON
        try:
            answer = self.http.post("/api/halt", json={"reason": why}, timeout=wait_s)
            return {**json_of(answer), "by_file": False}
        except (httpx.HTTPError, ApiError) as error:
            return self._by_file(why, name, error)

    def _by_file(self, why: str, name: str, error: Exception) -> Json:
        """Write the latch file; the worker reads it before every bar."""
        if not self.home.is_dir():
            raise ApiError(0, "Down", f"NOT halted: {error}; and no desk exists at {self.home}") from error
        account = getpass.getuser()
        by = {"name": name or account, "assurance": "claimed", "os_user": account, "channel": "page"}
        try:
            seen = latch.set(self.home, why, by, time.time_ns() // 1_000_000)
        except Exception as broken:
            raise ApiError(0, "Down", f"NOT halted: {broken}", "stop the worker by hand now") from broken
        return {**{k: getattr(seen, k) for k in ("halted", "reason", "by", "since_ms", "unreadable")}, "by_file": True}

    def ask(self, role: str, text: str, thread: str | None = None) -> Json:
        """Start a turn; returns its id and its thread's."""
        return self.call("POST", "/api/turns", {"role": role, "text": text, "thread": thread})

    def follow(self, turn_id: str, after: int = 0) -> Iterator[Json]:
        """Events of a turn as they arrive ({"n", "kind", ...}; tool_progress and end have no n); reconnects when cut off."""
        tries, ended = 0, False
        while True:
            try:
                for event in self._events(turn_id, after):
                    after, tries = event.get("n", after), 0
                    ended = event["kind"] == "end"  # the last; a stream that is read on to its end leaves its connection usable
                    yield event
            except httpx.HTTPError as error:
                if tries >= RETRIES and not ended:
                    raise ApiError(0, "Down", f"the API at {self.url} does not answer", "the turn keeps running") from error
            if ended:
                return
            tries += 1
            time.sleep(RETRY_S)

    def _events(self, turn_id: str, after: int) -> Iterator[Json]:
        """The events of one connection."""
        headers = {"last-event-id": str(after)}
        with self.http.stream("GET", f"/api/turns/{_part(turn_id)}/events", headers=headers, timeout=60) as answer:
            if not answer.is_success:
                answer.read()
                json_of(answer)
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield {**json.loads(line[6:]), "kind": kind}


def json_of(answer: httpx.Response) -> Json:
    """A response's JSON; ApiError for a refusal or a body that is not a JSON object."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        raise ApiError(answer.status_code, "Bug", f"the API answered {answer.status_code} without JSON")
    raise ApiError(answer.status_code, str(error.get("kind")), str(error.get("what")), str(error.get("hint") or ""))


def _part(text: str) -> str:
    """An id quoted as one path segment, so that it cannot lead elsewhere."""
    from urllib.parse import quote

    return quote(text, safe="") or "-"
