"""Socket Mode: Slack's requests over a websocket that the desk opens itself, so that no inbound port is needed.

Called by app.processes.scheduler in the supervisor. Turns envelopes into calls of app.slack.actions; a command is answered in
the acknowledgement, a click by an ephemeral message. slack_sdk's built-in client keeps the connection up; its messages are
bounded in size and number before they are read.
"""

import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from app.home.home import Home
from app.slack.actions import Answer, command, follow, interaction, message, reply
from app.slack.blocks import escaped
from app.slack.sink import LOG, Slack

WAIT_S = (1.0, 2.0, 5.0, 15.0, 30.0)  # between two attempts to connect
PING_S = 5.0
MESSAGE_MAX = 200_000  # characters of one envelope, as of a signed request; Slack's own have a few thousand
WAITING_MAX = 100  # envelopes that are not worked through yet; Slack sends again what is not acknowledged
ENVELOPE_MAX = 100  # characters of an envelope's id


class SocketConnection:
    """The websocket connection of one desk."""

    def __init__(self, home: Home, slack: Slack) -> None:
        self.home, self.slack = home, slack
        self.error = ""  # why it is not open
        self._ended = threading.Event()
        self._client: Any = None
        self._seen: deque[str] = deque(maxlen=500)  # envelope ids: Slack resends when we are slow
        self._mutex = threading.Lock()

    def start(self) -> None:
        """Connect in the background, retrying until connected or closed; returns at once."""
        threading.Thread(target=self._open, name="slack-line", daemon=True).start()

    def close(self) -> None:
        """Disconnect."""
        self._ended.set()
        if self._client is not None:
            hang_up(self._client)

    @property
    def is_open(self) -> bool:
        """Whether Slack can reach us."""
        return self._client is not None and bool(self._client.is_connected())

    def _open(self) -> None:
        tries = 0
        while not self._ended.is_set():
            client = bounded_client(self.slack)
            client.socket_mode_request_listeners.append(self.take)
            try:
                client.connect()
            except Exception as error:  # noqa: BLE001 - whatever the failure, it is retried
                self.error = type(error).__name__
                hang_up(client)
            else:
                self._client, self.error = client, ""
                if self._ended.is_set():
                    hang_up(client)
                return
            self._ended.wait(WAIT_S[min(tries, len(WAIT_S) - 1)])
            tries += 1

    def take(self, client: Any, request: Any) -> None:
        """Handle one envelope: act once, acknowledge, then do what follows."""
        from slack_sdk.socket_mode.response import SocketModeResponse

        answer = self.once(request)
        in_ack = answer is not None and request.type == "slash_commands"
        payload = {"text": escaped(answer.text), "response_type": "ephemeral"} if in_ack and answer else None
        try:
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=payload))
        finally:
            if answer is not None and in_ack:
                follow(answer)
            elif answer is not None:
                reply(self.home, self.slack, answer)

    def once(self, request: Any) -> Answer | None:
        """Act on an envelope, unless it was handled before."""
        if not isinstance(request.envelope_id, str) or len(request.envelope_id) > ENVELOPE_MAX:
            return None
        with self._mutex:
            if request.envelope_id in self._seen:
                return None
            self._seen.append(request.envelope_id)
        payload = request.payload if isinstance(request.payload, dict) else {}
        if request.type == "slash_commands":
            return command(self.home, self.slack, {key: str(value) for key, value in payload.items()})
        if request.type == "interactive":
            return interaction(self.home, self.slack, payload)
        if request.type == "events_api":
            event = payload.get("event")
            return message(self.home, self.slack, event if isinstance(event, dict) else {}, str(payload.get("team_id") or ""))
        return None


class Ended:
    """The state of a session that has ended for good."""

    @property
    def terminated(self) -> bool:
        """Always."""
        return True

    @terminated.setter
    def terminated(self, _: bool) -> None: ...


def hang_up(client: Any) -> None:
    """Close a client of slack_sdk at once: by itself it waits up to 3 s for what Slack may still send.

    Its thread that has just seen a new line says that this one has not ended, whoever has ended it meanwhile, and is then waited
    for without end.
    """
    client.auto_reconnect_enabled = False
    state, client.current_session_state = client.current_session_state, Ended()
    state.terminated = True
    line = getattr(client.current_session, "sock", None)
    if line is not None:
        with suppress(OSError):  # it has ended already
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # of the socket itself, also under TLS
    client.close()


def bounded_client(slack: Slack) -> Any:
    """slack_sdk's client for one desk: a message that is too long, or one too many, is dropped. A frame of over a megabyte
    it does not read at all; the session ends by its pings, and the client connects again.
    """
    from slack_sdk.socket_mode import SocketModeClient

    class Bounded(SocketModeClient):
        """The client, counting what it has taken and not worked through."""

        waiting = 0
        counting = threading.Lock()

        def enqueue_message(self, message: str) -> None:
            """Take a message, if it may be taken."""
            with self.counting:
                if len(message) > MESSAGE_MAX or self.waiting >= WAITING_MAX:
                    LOG.warning("dropped a message of Slack: %d characters, %d waiting", len(message), self.waiting)
                    return
                self.waiting += 1
            super().enqueue_message(message)

        def process_message(self) -> None:
            """The next message, to a thread of its own; one that is no JSON is done with."""
            try:
                super().process_message()  # type: ignore[no-untyped-call]
            except (ValueError, RecursionError, AttributeError):
                self.done()
                raise

        def run_message_listeners(self, message: Any, raw_message: str) -> None:
            """Work through a message."""
            try:
                super().run_message_listeners(message, raw_message)
            finally:
                self.done()

        def done(self) -> None:
            """One fewer is waiting."""
            with self.counting:
                self.waiting -= 1

    return Bounded(slack.app_token, web_client=slack.client, logger=LOG, ping_interval=PING_S)
