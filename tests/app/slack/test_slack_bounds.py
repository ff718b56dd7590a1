"""What Slack, or whoever speaks in its place, may send: bounded in size, number and shape before anything acts on it."""

import json
import random
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from slack_sdk.socket_mode.interval_runner import IntervalRunner

from app.home.home import Home
from app.slack import socket_mode
from app.slack.signed_http import handle_form
from app.slack.sink import Slack
from app.slack.socket_mode import MESSAGE_MAX, WAITING_MAX, SocketConnection, bounded_client, hang_up
from engine.control import halt
from engine.store.journal import read
from tests.fakes.slack_desks import ANN
from tests.fakes.slack_server import TEAM, SlackServer
from tests.fakes.waiting import WAIT_S, until


def test_a_message_that_is_too_long_is_dropped_and_the_next_one_heard(
    home: Home, server: SlackServer, line: SocketConnection
) -> None:
    """Neither read nor acknowledged; the line stays, and a halt behind it halts."""
    server.send("slash_commands", server.slash(ANN, "x" * MESSAGE_MAX), "env-long")
    server.send("slash_commands", server.slash(ANN, "smoke"), "env-halt")
    server.wait_ack("env-halt")
    line.close()
    assert list(server.acks) == ["env-halt"]
    assert [json.loads(said)["reason"] for said in (home.path / halt.FILE).read_text().splitlines()] == ["smoke"]


@pytest.mark.long  # it waits for the pause before the client connects again
def test_a_frame_of_megabytes_costs_the_session_and_not_the_desk(home: Home, server: SlackServer, line: SocketConnection) -> None:
    """The client does not read it: a new session, and a halt on that one halts."""
    until(lambda: line.is_open, "the line did not open")
    first = line._client.session_id()
    server.send("slash_commands", {**server.slash(ANN, "x" * 3_000_000)}, "env-long")
    until(lambda: line.is_open and line._client.session_id() != first, "the line did not come back")
    server.wait_line()
    server.send("slash_commands", server.slash(ANN, "smoke"), "env-halt")
    server.wait_ack("env-halt")
    assert halt.read(home.path).reason == "smoke"


def test_a_flood_is_not_kept(home: Home, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most WAITING_MAX wait; each that is worked through makes room, also one that is no JSON."""
    monkeypatch.setattr(IntervalRunner, "start", lambda runner: runner)  # its threads would work them through
    client = bounded_client(slack)
    try:
        for _ in range(WAITING_MAX + 50):
            client.enqueue_message("{" + "[" * 5)
        assert (client.waiting, client.message_queue.qsize()) == (WAITING_MAX, WAITING_MAX)
        for _ in range(3):
            with pytest.raises(ValueError, match="Expecting"):
                client.process_message()
        client.run_message_listeners({}, "{}")
        assert client.waiting == WAITING_MAX - 4
    finally:
        client.close()


def test_an_envelope_without_a_sane_id_is_not_acted_on(home: Home, slack: Slack) -> None:
    """What cannot be told apart from its repetition, or would be kept at any size."""
    line, halting = SocketConnection(home, slack), {"command": "/halt", "text": "x", "team_id": TEAM}
    for envelope in (None, 7, [], {}, "e" * 101):
        assert line.once(SimpleNamespace(envelope_id=envelope, type="slash_commands", payload=halting)) is None
    assert not halt.read(home.path).halted


def test_payloads_of_any_shape_are_answered_or_ignored(home: Home, slack: Slack) -> None:
    """Nested, of other types, endless: no exception, no decision."""
    draws = random.Random(3)
    line = SocketConnection(home, slack)
    for n in range(40):
        payload = {"type": draws.choice(("block_actions", "view_submission", [])), **odd(draws)}
        payload["actions"] = draws.choice(([{"action_id": odd(draws), "value": nested(900)}], [[]], {}, "x" * 50_000))
        line.once(SimpleNamespace(envelope_id=f"{n}", type="interactive", payload=payload))
        line.once(SimpleNamespace(envelope_id=f"m{n}", type="events_api", payload={"event": payload, "team_id": odd(draws)}))
        assert handle_form(home, slack, {"payload": json.dumps(payload)}, b"%d" % n, {"x-slack-signature": "s"}).status == 200
    assert not list(read(home.people_journal, {"decision"}))
    assert not halt.read(home.path).halted


def nested(depth: int) -> Any:
    """Lists and objects in one another."""
    value: Any = "x"
    for n in range(depth):
        value = {"value": value} if n % 2 else [value]
    return value


def odd(draws: random.Random) -> dict[str, Any]:
    """An object with Slack's keys and any values."""
    values = (None, True, -1, 1e308, "", "/halt", "\ud800", "x" * 70_000, [], {}, [[]], {"id": {"id": []}}, nested(600))
    keys = ("team", "user", "channel", "view", "state", "blocks", "text", "event", "message", "ts", "id", "team_id")
    return {key: draws.choice(values) for key in draws.sample(keys, 6)}


def test_a_line_on_which_slack_says_nothing_is_closed_at_once(
    home: Home, slack: Slack, server: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stops the desk does not wait for Slack's next word."""
    dial = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda at, *_, **__: dial(at, 2 * WAIT_S))
    monkeypatch.setattr(socket_mode, "PING_S", 2 * WAIT_S)
    line = SocketConnection(home, slack)
    line.start()
    server.wait_line()
    until(lambda: line.is_open and line._client.current_session.sock_receive_lock.locked(), "it does not listen")
    closing = threading.Thread(target=line.close, daemon=True)
    closing.start()
    closing.join(60.0)
    assert not closing.is_alive()


def test_a_line_that_opens_while_it_is_closed_ends_too(slack: Slack) -> None:
    """slack_sdk's thread has seen that the line is open, and says that it has not ended only after it has."""
    seen, closed = threading.Event(), threading.Event()

    def is_active() -> bool:
        seen.set()
        return closed.wait(WAIT_S)

    def run(state: Any) -> None:
        while not state.terminated:
            time.sleep(0.01)

    client = bounded_client(slack)
    client.current_session = SimpleNamespace(is_active=is_active, run_until_completion=run, close=closed.set, session_id="s")
    assert seen.wait(WAIT_S)
    closing = threading.Thread(target=hang_up, args=(client,), daemon=True)
    closing.start()
    closing.join(30.0)
    assert not closing.is_alive()
