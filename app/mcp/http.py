"""The protocol over streamable HTTP on this machine: `nightdesk mcp --http`. Called by app/cli/mcp.py and by tests.

A request passes the API's own access control (app/api/access.py: Host, Origin, size and time of the body) with a bearer token
of `nightdesk token`, never a cookie; a read-only token may READ. A session belongs to the token that opened it.
"""

import logging
from typing import Any

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.transport_security import TransportSecuritySettings

from app.api.access import AccessMiddleware, Fault, Message, Receive, Scope, Send, refuse
from app.api.context import Address, ApiContext, now_ms
from app.home.home import Home
from app.mcp.bounds import MESSAGE_MAX, fault_of
from app.mcp.calls import McpCaller, McpDesk
from app.mcp.server import server_of
from app.people.authority import effects_for, role_of
from app.people.identity import Actor, Role
from app.people.sessions import Session, Sessions
from app.processes.children import LOOPBACK, taken
from app.processes.connections import BOUNDS
from engine.errors import Busy
from tools.common.contract import Effect

PATH = "/mcp"
SESSIONS_MAX = 64
ID_MAX = 64  # characters of a session's id; ours have 32
IDLE_S = 300.0  # a session without a request or an open stream ends; its client begins another by itself
HOW_TO_CONNECT = "make one: `nightdesk token --name NAME` (--read-only is enough to read); send Authorization: Bearer TOKEN"


def serve(home: Home, desk: McpDesk, port: int, person: str | None) -> None:
    """Serve clients until stopped. Raises Busy when the port is in use."""
    if taken(port):
        raise Busy(
            f"port {port} of {LOOPBACK} is in use by another program", "choose another: --port, or [mcp] port in desk.toml"
        )
    logging.getLogger("mcp").setLevel(logging.ERROR)
    uvicorn.run(
        application(home, desk, port, person),
        host=LOOPBACK,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        **BOUNDS,
    )


def application(home: Home, desk: McpDesk, port: int, person: str | None = None) -> "McpAccess":
    """The ASGI application. `person`: in whose name all calls are; None takes the name of each token."""

    def caller_of(ctx: Any, client: str) -> McpCaller:
        scope = ctx.request.scope
        session: Session = scope["nightdesk.session"]
        given = desk.effects if session.scope == "all" else (Effect.READ,)
        effects = tuple(effect for effect in given if effect.value in effects_for(role_in(home, session, person)))
        conversation = ctx.request.headers.get(MCP_SESSION_ID_HEADER, "")[:ID_MAX]
        return McpCaller(session.key, person or session.name, client, effects, conversation)

    names = [f"{name}:{port}" for name in Address.names]
    app = server_of(desk, caller_of).streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MESSAGE_MAX,
        session_idle_timeout=IDLE_S,
        max_sessions=SESSIONS_MAX,
        transport_security=TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]),
    )
    return McpAccess(ShallowBodies(app), ApiContext(home, Address(port=port), meters=NoMeters()))


def role_in(home: Home, session: Session, person: str | None) -> Role:
    """The role of a call: of the person whom the server was started for, by their token, or who has proved to be one here."""
    if person is not None:
        return role_of(home.path, Actor(person, "session", "", "mcp"))
    unproven = Sessions(home.path).unproven(session)
    return role_of(home.path, Actor(session.name, "claimed" if unproven or not session.proof else "session", "", "mcp"))


class NoMeters:
    """Stands in for the API's meters: this process has no /metrics."""

    def answered(self, *_of_the_request: object) -> None:
        """Counts nothing."""


class McpAccess(AccessMiddleware):
    """The API's access control with a bearer token for every path and method."""

    def not_known(self, scope: Scope, headers: dict[str, str]) -> Fault | None:
        """Refuse a request without a valid token. Puts its session into the scope, for us and for the protocol's sessions."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        session = self.desk.sessions.find(secret.strip(), now_ms()) if kind.lower() == "bearer" else None
        if session is None:
            return Fault(401, "NoSession", "a valid token is missing", HOW_TO_CONNECT)
        scope["nightdesk.session"], scope["nightdesk.channel"] = session, "mcp"
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=session.key, scopes=[]))
        return None


class ShallowBodies:
    """Refuses a body that is nested too deeply, before anything parses it. The access control has read it whole."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        first: list[Message] = [await receive()]
        if fault := fault_of(first[0].get("body", b"")):
            await refuse(Fault(400, "BadInput", fault, "send less"), send)
            return

        async def again() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, again, send)
