"""A local server that speaks what the desk uses of Telegram, Discord and a webhook's receiver, with their faults.

`with ReachServer() as server:` then append `server.settings()` to desk.toml. It keeps every call, and plays `fault` when told to:
"429", "503", "401", "html", "redirect", "cut", "slow", "huge".
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOT = "123456789:AAHtest_token-of_a_local_server_00000"
HOOK = ("1234567890123456", "hook_token-of_a_local_server_0000000000000")
SECRET = "a secret of the receiver"  # noqa: S105 - of a local server
CHAT = "-1001234567890"
ANN, BOB, EVE = 1001, 1002, 6666  # user ids; eve's is linked to nobody


class ReachServer:
    """One bot with one chat, one webhook of Discord, one receiver, on loopback."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], dict[str, str], bytes]] = []  # path, body, headers, raw body
        self.updates: list[dict[str, Any]] = []
        self.fault = ""
        self.slow_s = 0.0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self._http.daemon_threads = True

    def __enter__(self) -> "ReachServer":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def settings(self) -> str:
        """What desk.toml says of it."""
        return (
            f'\n[telegram]\nchat = "{CHAT}"\nbase_url = "{self.url}"\n[discord]\nbase_url = "{self.url}api/webhooks"\n'
            f'[webhooks.ops]\nurl = "{self.url}hook"\n'
        )

    def environment(self) -> dict[str, str]:
        """The variables that hold its tokens."""
        return {"TELEGRAM_BOT_TOKEN": BOT, "DISCORD_WEBHOOK": "/".join(HOOK), "NIGHTDESK_WEBHOOK_SECRET": SECRET}

    def of(self, part: str) -> list[dict[str, Any]]:
        """Bodies of the calls whose path has this part."""
        return [body for path, body, _, _ in self.calls if part in path]

    def click(self, data: str, user: int = ANN, chat: int = int(CHAT), query: str = "q1") -> None:
        """A person presses a button."""
        message = {"message_id": 7, "chat": {"id": chat}}
        self._came({"callback_query": {"id": query, "from": {"id": user}, "message": message, "data": data}})

    def types(self, text: str, user: int = ANN, chat: int = int(CHAT)) -> None:
        """A person types into the chat."""
        self._came({"message": {"message_id": 8, "chat": {"id": chat}, "from": {"id": user}, "text": text}})

    def _came(self, update: dict[str, Any]) -> None:
        self.updates.append({"update_id": 100 + len(self.updates), **update})

    def _door(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Door(BaseHTTPRequestHandler):
            """Answers as the three do."""

            def do_POST(self) -> None:
                """One call."""
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                try:
                    body = json.loads(raw or b"{}")
                except ValueError:
                    body = {}
                server.calls.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}, raw))
                time.sleep(server.slow_s)
                if server.fault == "cut":
                    self.connection.close()
                    return
                status, answer, kind, more = server._answer(self.path, body)
                try:
                    self.send_response(status)
                    for name, value in {"content-type": kind, "content-length": str(len(answer)), **more}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    return  # the client has waited long enough

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Door

    def _answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes, str, dict[str, str]]:
        if self.fault == "html":
            return 200, b"<html>captive portal</html>", "text/html", {}
        if self.fault == "huge":
            return 200, b'{"ok":true,"result":"' + b"x" * 2_000_000 + b'"}', "application/json", {}
        if self.fault == "redirect":
            return 307, b"", "text/html", {"location": f"{self.url}elsewhere"}  # which a follower posts to, and is seen
        if self.fault:
            status = int(self.fault)
            told = {"ok": False, "error_code": status, "description": f"fault {status}", "parameters": {"retry_after": 7}}
            return status, json.dumps(told).encode(), "application/json", {"retry-after": "7"}
        if path.startswith("/bot"):
            return self._telegram(path, body)
        if path.startswith("/api/webhooks/"):
            known = path.partition("?")[0] == f"/api/webhooks/{HOOK[0]}/{HOOK[1]}"
            return (
                (204, b"", "text/plain", {}) if known else (401, b'{"message": "Invalid Webhook Token"}', "application/json", {})
            )
        return 200, b"{}", "application/json", {}

    def _telegram(self, path: str, body: dict[str, Any]) -> tuple[int, bytes, str, dict[str, str]]:
        token, _, method = path.removeprefix("/bot").partition("/")
        if token != BOT:
            refused = {"ok": False, "error_code": 401, "description": "Unauthorized"}
            return 401, json.dumps(refused).encode(), "application/json", {}
        result: Any = True
        if method == "getUpdates":
            result = [update for update in self.updates if update["update_id"] >= body.get("offset", 0)]
        elif method == "sendMessage":
            result = {"message_id": len(self.calls), "chat": {"id": int(CHAT)}}
        return 200, json.dumps({"ok": True, "result": result}).encode(), "application/json", {}
