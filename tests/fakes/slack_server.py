"""A local server that speaks what the desk uses of Slack: Web API, Socket Mode and signed requests, with Slack's faults.

`with SlackServer() as slack:` then point desk.toml's base_url at `slack.base_url`. It keeps every call (`calls`, `posted`),
checks tokens and block shapes as Slack does, and plays `down`, `limited`, `slow_s` and `lossy` when told to.
"""

import hashlib
import hmac
import json
import select
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.fakes.waiting import WAIT_S

BOT, APP, SECRET = "xoxb-test-bot-token", "xapp-test-app-token", "test-signing-secret"
TEAM, CHANNEL = "T0DESK", "C0DESK"
METHODS = {"chat.postMessage", "chat.update", "chat.postEphemeral", "auth.test", "apps.connections.open"}


class SlackServer:
    """One workspace with one channel on loopback."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.acks: dict[str, dict[str, Any]] = {}
        self.down = False  # connections are cut without an answer
        self.limited = 0  # so many calls get 429
        self.retry_after_s = 1
        self.slow_s = 0.0
        self.error = ""  # what every call answers, e.g. invalid_auth
        self._ts = 1_700_000_000
        self._changed = threading.Condition()
        self._lines: list[ServerConnection] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self._http.daemon_threads = True
        self._ws: Server = serve(self._line, "127.0.0.1", 0, ping_interval=None)

    def __enter__(self) -> "SlackServer":
        for server in (self._http, self._ws):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._ws.shutdown()

    @property
    def base_url(self) -> str:
        """The Web API's address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/api/"

    def settings(self) -> str:
        """The [slack] table of a desk.toml that talks to this server."""
        return f'\n[slack]\nchannel = "{CHANNEL}"\nteam = "{TEAM}"\nbase_url = "{self.base_url}"\n'

    @staticmethod
    def environment() -> dict[str, str]:
        """The variables that hold its tokens."""
        return {"SLACK_BOT_TOKEN": BOT, "SLACK_APP_TOKEN": APP, "SLACK_SIGNING_SECRET": SECRET}

    # ---- what was called ------------------------------------------------------------------------------------------------

    def posted(self, method: str = "chat.postMessage") -> list[dict[str, Any]]:
        """Bodies of the calls of a method that were taken."""
        with self._changed:
            return [body for name, body in self.calls if name == method]

    def wait(self, method: str, count: int = 1, timeout_s: float = WAIT_S) -> list[dict[str, Any]]:
        """The bodies once there are so many; fails when they do not come."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while len(found := [body for name, body in self.calls if name == method]) < count:
                assert self._changed.wait(end - time.monotonic()), f"{len(found)} of {count} {method} came"
            return found

    def wait_for(self, fits: Callable[[dict[str, Any]], bool], method: str = "chat.postMessage") -> dict[str, Any]:
        """The first fitting body of a method, once it comes."""
        count = 0
        while True:
            bodies = self.wait(method, count + 1)
            if found := next((body for body in bodies[count:] if fits(body)), None):
                return found
            count = len(bodies)

    def wait_line(self) -> None:
        """Until a Socket Mode line is open."""
        end = time.monotonic() + WAIT_S
        with self._changed:
            while not self._lines:
                assert self._changed.wait(end - time.monotonic()), "no line was opened"

    def wait_ack(self, envelope: str) -> dict[str, Any]:
        """The acknowledgement of an envelope."""
        end = time.monotonic() + WAIT_S
        with self._changed:
            while envelope not in self.acks:
                assert self._changed.wait(end - time.monotonic()), f"{envelope} was not acknowledged"
            return self.acks[envelope]

    # ---- what Slack sends -----------------------------------------------------------------------------------------------

    def send(self, kind: str, payload: dict[str, Any], envelope: str) -> None:
        """Push an envelope down the newest line."""
        self.wait_line()
        said = {"type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": True}
        self._lines[-1].send(json.dumps(said))

    def cut(self) -> None:
        """Close every line, as Slack does every few hours."""
        with self._changed:
            lines, self._lines = self._lines, []
        for line in lines:
            line.close()

    @staticmethod
    def click(user: str, action: str, value: str, team: str = TEAM) -> dict[str, Any]:
        """The payload of a button."""
        who = {"id": user, "username": "x", "team_id": team}
        pressed = {"type": "button", "action_id": action, "value": value}
        more = {"container": {"type": "message"}, "response_url": "https://hooks.invalid/x", "trigger_id": f"{time.time_ns()}"}
        return {
            "type": "block_actions",
            "team": {"id": team},
            "user": who,
            "channel": {"id": CHANNEL},
            "actions": [pressed],
            **more,
        }

    @staticmethod
    def slash(user: str, text: str, command: str = "/halt", team: str = TEAM) -> dict[str, str]:
        """The fields of a slash command."""
        named = {"team_id": team, "user_id": user, "channel_id": CHANNEL, "command": command, "text": text}
        return {"token": "old", "user_name": "x", "trigger_id": f"{time.time_ns()}", **named}

    @staticmethod
    def signed(form: dict[str, str], secret: str = SECRET, at_s: float | None = None) -> tuple[bytes, dict[str, str]]:
        """(body, headers) of a signed request."""
        body = urlencode(form).encode()
        stamp = str(int(time.time() if at_s is None else at_s))
        digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": stamp}
        return body, headers | {"X-Slack-Signature": f"v0={digest}"}

    # ---- the servers ----------------------------------------------------------------------------------------------------

    def _door(outer) -> type[BaseHTTPRequestHandler]:
        class Door(BaseHTTPRequestHandler):
            """One request of the Web API."""

            def do_POST(self) -> None:
                """Take it, or play the fault."""
                if outer.slow_s:
                    select.select([], [], [], outer.slow_s)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if outer.down:
                    self.close_connection = True
                    self.connection.close()
                    return
                with outer._changed:
                    limited, outer.limited = outer.limited > 0, max(0, outer.limited - 1)
                if limited:
                    self._say(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(outer.retry_after_s)})
                else:
                    self._say(200, outer._answer(self.path.rpartition("/")[2], self.headers, body), {})

            def _say(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Door

    def _answer(self, method: str, headers: Any, raw: bytes) -> dict[str, Any]:
        """What Slack answers."""
        is_json = "json" in (headers.get("Content-Type") or "")
        body = (json.loads(raw) if is_json else dict(parse_qsl(raw.decode()))) if raw else {}
        wanted = APP if method == "apps.connections.open" else BOT
        if headers.get("Authorization") != f"Bearer {wanted}":
            return {"ok": False, "error": "invalid_auth"}
        if self.error or method not in METHODS:
            return {"ok": False, "error": self.error or "unknown_method"}
        if fault := fault_of(body):
            return {"ok": False, "error": "invalid_blocks", "detail": fault}
        with self._changed:
            self.calls.append((method, body))
            self._ts += 1
            ts = f"{self._ts}.000100"
            self._changed.notify_all()
        if method == "apps.connections.open":
            return {"ok": True, "url": f"ws://127.0.0.1:{self._ws.socket.getsockname()[1]}/link/?ticket={self._ts}"}
        if method == "auth.test":
            return {"ok": True, "team_id": TEAM, "user_id": "U0BOT", "bot_id": "B0BOT"}
        return {"ok": True, "channel": body.get("channel"), "ts": body.get("ts") or ts, "message_ts": ts}

    def _line(self, line: ServerConnection) -> None:
        """One Socket Mode connection."""
        try:
            line.send(json.dumps({"type": "hello", "num_connections": 1}))
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
            for text in line:
                said = json.loads(text)
                with self._changed:
                    self.acks[said["envelope_id"]] = said.get("payload") or {}
                    self._changed.notify_all()
        except ConnectionClosed:
            pass
        finally:
            with self._changed:
                self._lines = [other for other in self._lines if other is not line]


def fault_of(body: dict[str, Any]) -> str:
    """What Slack would refuse in a message's blocks: too many, too long, empty, or of no known shape."""
    blocks = body.get("blocks") or []
    if len(blocks) > 50:
        return "more than 50 blocks"
    for block in blocks:
        texts = [block["text"]] if "text" in block else []
        texts += [e["text"] if isinstance(e.get("text"), dict) else e for e in block.get("elements", ())]
        for text in texts:
            most = 150 if block["type"] == "header" else 75 if block["type"] == "actions" else 3000
            if text.get("type") not in ("plain_text", "mrkdwn") or not 0 < len(text["text"]) <= most:
                return f"bad text in {block['type']}: {text}"
        for element in block.get("elements", ()):
            if element.get("type") == "button" and len(element.get("value", "")) > 2000:
                return "value too long"
    return ""
