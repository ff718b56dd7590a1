"""Access control of the API: an ASGI middleware around the application (app.api.factory) that accepts or refuses each request.

Checked in this order: Host (a foreign name that resolves to this machine), Origin (another site's page), session, method
against the session's scope, size and type of the body. Nothing here waits for a thread or the database.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple

from app.api.context import SAFE, ApiContext, now_ms
from app.api.models_people import BODY_MAX
from app.people.sessions import Session, cookie_name

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SLACK_MAX = 200_000  # of one of Slack's requests
COOKIES_MAX = 8_192  # characters of the cookies of one request; a browser sends a few hundred to this machine
BODY_S_MAX = 10.0  # time to receive a body
OPEN = ("/api/health", "/api/login")
SLACK = "/api/slack/"  # its requests carry a signature instead of a session, and a form body
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox")


class Fault(NamedTuple):
    """Why a request is refused."""

    status: int
    kind: str
    what: str
    hint: str = ""

    def body(self) -> bytes:
        """The API's error JSON."""
        return json.dumps({"error": {"kind": self.kind, "what": self.what, "hint": self.hint}}).encode()


class AccessMiddleware:
    """Wraps `app`: passes a request on with its session in the scope, or answers it with an error."""

    def __init__(self, app: Any, desk: ApiContext) -> None:
        self.app, self.desk = app, desk
        self.cookie = cookie_name(desk.address.port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        fault = self.not_from_here(scope, headers) or self.not_known(scope, headers) or wrong_body(scope, headers)
        if fault is None and scope["method"] not in SAFE:
            body = await whole_body(receive, most(scope))
            if isinstance(body, Fault):
                fault = body
            else:
                receive = _given(body, receive)
        if fault is not None:
            self.desk.meters.answered(scope["method"], "door", fault.status, 0.0)
            await refuse(fault, send)
            return
        await self.app(scope, receive, self.dressed(scope, send))

    def dressed(self, scope: Scope, send: Send) -> Send:
        """Add security headers to the response and count it."""
        began = time.monotonic()

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {key.lower() for key, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in (*HEADERS, POLICY) if h[0] not in have)]
                route = getattr(scope.get("route"), "path", "other")  # not the path: each id would become a time series
                self.desk.meters.answered(scope["method"], route, message["status"], time.monotonic() - began)
            await send(message)

        return out

    def not_from_here(self, scope: Scope, headers: dict[str, str]) -> Fault | None:
        """Refuse a foreign Host or another site's Origin."""
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        if name.lower() not in self.desk.address.names:
            return Fault(400, "BadInput", f"unknown Host {name[:80]!r}", "use the address that `nightdesk up` printed")
        origin, fetched = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return Fault(403, "Refused", f"pages from {origin[:120]} may not use this API", "use the desk's own page")
        if scope["method"] not in SAFE and fetched not in (None, "same-origin", "none"):
            return Fault(403, "Refused", "pages from another origin may not use this API", "use the desk's own page")
        return None

    def not_known(self, scope: Scope, headers: dict[str, str]) -> Fault | None:
        """Refuse a missing session, or a read-only one that writes. Puts the session into the scope."""
        if scope["path"] in OPEN or scope["path"].startswith(SLACK):
            return None
        secret, channel = secret_of(headers, self.cookie)
        session: Session | None = self.desk.sessions.find(secret, now_ms()) if secret else None
        if session is None:
            what = "this session has ended" if secret else "not logged in"
            return Fault(401, "NoSession", what, "`nightdesk login` prints a one-time link")
        if session.scope != "all" and scope["method"] not in SAFE:
            return Fault(403, "Refused", "this token is read-only", "log in: `nightdesk login`")
        scope["nightdesk.session"], scope["nightdesk.channel"] = session, channel
        return None


def secret_of(headers: dict[str, str], cookie: str) -> tuple[str, str]:
    """The request's secret and its channel: a bearer token (api) or the cookie (page)."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip(), "api"
    said = headers.get("cookie", "")
    if len(said) > COOKIES_MAX:
        return "", "page"
    try:
        found = SimpleCookie(said).get(cookie)
    except CookieError:
        return "", "page"
    return (found.value if found else ""), "page"


def wrong_body(scope: Scope, headers: dict[str, str]) -> Fault | None:
    """Refuse a body whose headers say that it is too long or not JSON."""
    length = headers.get("content-length", "0")
    if scope["method"] in SAFE:
        return None
    if not length.isdigit() or int(length) > most(scope):
        return _too_long(most(scope))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = length != "0" or "transfer-encoding" in headers
    if has_body and kind != "application/json" and not scope["path"].startswith(SLACK):
        return Fault(415, "BadInput", f"unsupported body type {kind[:60] or 'none'!r}", "send application/json")
    return None


async def whole_body(receive: Receive, limit: int) -> bytes | Fault:
    """Read the whole body first; a Fault when it is too long or does not arrive in time."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while True:
                message = await receive()
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                if size > limit:
                    return _too_long(limit)
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return Fault(408, "BadInput", f"the body did not arrive within {BODY_S_MAX:g} s", "send it again")


def most(scope: Scope) -> int:
    """The size limit of a body, in bytes."""
    return SLACK_MAX if scope["path"].startswith(SLACK) else BODY_MAX


def _too_long(limit: int) -> Fault:
    return Fault(413, "BadInput", f"the body is longer than {limit} bytes", "send less")


def _given(body: bytes, receive: Receive) -> Receive:
    """A receive that replays the body already read, then passes on."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


async def refuse(fault: Fault, send: Send) -> None:
    """Answer with a fault."""
    body = fault.body()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *HEADERS, POLICY]
    if fault.status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
