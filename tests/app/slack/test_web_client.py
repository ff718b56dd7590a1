"""Whatever answers in Slack's place: the token goes nowhere else, nothing is read without an end, and the message waits."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from app.home.reach import SlackEntry
from app.notify.deliveries import Undelivered
from app.slack import web_client
from app.slack.sink import Slack, connect

TOKEN = "xoxb-secret-of-this-test"  # noqa: S105 - of this test alone
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def played(*answer: bytes, forever: bytes = b"") -> Iterator[tuple[Slack, str, list[bytes]]]:
    """A sink at a server that sends these bytes, then `forever` until nobody reads; its address, and what it was sent."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line, suppress(OSError):
                        asked.append(line.recv(65_536))
                        line.sendall(b"".join(answer))
                        while forever:
                            line.sendall(forever)

        threading.Thread(target=serve, daemon=True).start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        entry = SlackEntry(channel="C0DESK", base_url=f"http://{host}/api/")
        home: Any = SimpleNamespace(desk=SimpleNamespace(slack=entry))
        made = connect(home, {"SLACK_BOT_TOKEN": TOKEN})
        assert made is not None
        yield made, host, asked
        server.shutdown(socket.SHUT_RDWR)


def body(text: bytes) -> bytes:
    """An answer that is this text."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(text) + text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_token_nowhere(status: int) -> None:
    """The library follows one, with the token, to any host."""
    with played(body(b'{"ok": true}')) as (_, elsewhere, carried):
        head = f"HTTP/1.1 {status} X\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\n\r\n"
        with played(head.encode()) as (slack, _, asked), pytest.raises(Undelivered):
            slack.call("chat.postMessage", channel="C0DESK", text="x")
        assert TOKEN.encode() in asked[0]
        assert carried == []


@pytest.mark.parametrize("head", [HEAD, HEAD.replace(b"200 OK", b"500 X"), HEAD.replace(b"200 OK", b"429 X")])
def test_an_answer_without_an_end_is_left(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a good one nor an error fills the supervisor's memory, or holds its thread."""
    with played(head + b"\r\n", forever=b" " * 65_536) as (slack, _, _), pytest.raises(Undelivered, match=r"ValueError|Reset"):
        slack.call("chat.postMessage", channel="C0DESK", text="x")
    monkeypatch.setattr(web_client, "ANSWER_S", -1.0)
    with played(head + b"\r\n", forever=b" ") as (slack, _, _), pytest.raises(Undelivered, match="TimeoutError"):
        slack.call("chat.postMessage", channel="C0DESK", text="x")


ODD = (
    *(
        body(text)
        for text in (b"[1]", b"5", b"null", b'"x"', b"<html>", b"[" * 100_000, b"", b'{"ok": false, "error": {"a": 1}}')
    ),
    *(
        b"garbage\r\n\r\n",
        HEAD + b"Content-Length: 500\r\n\r\n{",
        HEAD + b"X: " + b"a" * 200_000,
        HEAD + b"X: y\r\n" * 500 + b"\r\n{}",
    ),
    HEAD.replace(b"json", b"json; charset=nope") + b"Content-Length: 2\r\n\r\n{}",
)


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_an_answer_of_another_shape_leaves_the_message_waiting(answer: bytes) -> None:
    """Undelivered, which is tried again; an error of our own would leave the row claimed."""
    with played(answer) as (slack, _, _), pytest.raises(Undelivered) as told:
        slack.call("chat.postMessage", channel="C0DESK", text="x")
    assert len(str(told.value)) < 300


def test_what_slack_says_is_kept_short_and_without_the_token() -> None:
    """Its reason and the place of the message are words of somebody else."""
    reason = f"{TOKEN} {'x ' * 1_000}"
    with played(body(f'{{"ok": false, "error": "{reason}"}}'.encode())) as (slack, _, _), pytest.raises(Undelivered) as told:
        slack.call("chat.postMessage", channel="C0DESK", text="x")
    assert TOKEN not in str(told.value)
    assert len(str(told.value)) < 300
    long = b'{"ok": true, "channel": "\\ud800C1", "ts": "1.5\\u0000' + b"9" * 500 + b'"}'
    with played(body(long)) as (slack, _, _):
        place = slack.call("chat.postMessage", channel="C0DESK", text="x")
    assert place.startswith("C1 1.5")
    assert len(place) == 100


def test_a_good_answer_is_taken() -> None:
    """Channel and time of the message."""
    with played(body(b'{"ok": true, "channel": "C1", "ts": "1.5"}')) as (slack, _, asked):
        assert slack.call("chat.postMessage", channel="C0DESK", text="x") == "C1 1.5"
    assert b"POST /api/chat.postMessage" in asked[0]
