"""Slack's events over signed HTTP: `/halt` typed as a message or a mention halts once; forged, stale and foreign ones do not."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from app.home.home import Home
from app.slack.signed_http import SlackResponse, handle
from app.slack.sink import Slack
from engine.control import halt
from engine.errors import Busy
from engine.store.journal import read
from tests.fakes.slack_desks import ANN, EVE
from tests.fakes.slack_server import CHANNEL, SECRET, TEAM, SlackServer
from tests.fakes.waiting import until


def signed(payload: Any, key: str = SECRET, age_s: int = 0) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of an event as Slack sends it."""
    body, stamp = json.dumps(payload).encode(), str(int(time.time()) - age_s)
    digest = hmac.new(key.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Slack-Request-Timestamp": stamp}
    return body, headers | {"X-Slack-Signature": f"v0={digest}"}


def direct_message(text: str, n: int = 1, user: str = ANN, team: str = TEAM, **more: Any) -> dict[str, Any]:
    """A direct message to the app."""
    said = {
        "type": "message",
        "channel": CHANNEL,
        "channel_type": "im",
        "user": user,
        "team": team,
        "text": text,
        "ts": f"17.{n}",
    }
    return {"type": "event_callback", "team_id": team, "event_id": f"Ev{n}", "event": {**said, **more}}


def send(home: Home, slack: Slack, payload: Any, **how: Any) -> SlackResponse:
    """Take one event."""
    return handle(home, slack, *signed(payload, **how))


def halts(home: Home) -> list[dict[str, Any]]:
    """What the latch's file holds."""
    path = home.path / "HALT"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_address_is_proven_to_slack_alone(home: Home, slack: Slack) -> None:
    """The challenge comes back, for a right signature only."""
    asked = {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aB"}
    assert send(home, slack, asked) == (200, {"challenge": "3eZbrw1aB"})
    json.dumps(send(home, slack, {**asked, "challenge": "half \ud800"})[1], ensure_ascii=False).encode()  # what the route does
    assert send(home, slack, asked, key="another secret").status == 401
    assert send(home, slack, asked, age_s=600).status == 401


@pytest.mark.parametrize(
    ("text", "more"),
    [("/halt venue is odd", {}), (" /halt venue is odd", {}), ("<@U0BOT> /halt venue is odd", {"type": "app_mention"})],
)
def test_a_message_that_begins_with_halt_halts(
    home: Home, slack: Slack, server: SlackServer, text: str, more: dict[str, str]
) -> None:
    """A direct message or a mention; under the listed person's name; its sender is told, and the people journal knows."""
    assert send(home, slack, direct_message(text, **more)) == (200, {})
    (line,) = halts(home)
    assert (line["reason"], line["by"]["name"], line["by"]["assurance"]) == ("venue is odd", "ann", "slack")
    (whisper,) = server.wait("chat.postEphemeral")
    assert whisper["user"] == ANN
    assert "HALTED by ann: venue is odd" in whisper["text"]
    found = until(lambda: list(read(home.people_journal, {"halt"})), "the halt was not journaled")
    assert found[0].body["reason"] == "venue is odd"


def test_an_event_that_comes_again_halts_once(home: Home, slack: Slack) -> None:
    """Slack sends it again with a new signature, and a mention as two events: a release in between is not undone."""
    assert send(home, slack, direct_message("/halt once")).status == 200
    seen = halt.read(home.path, home.engine)
    halt.release(home.path, home.engine, seen, {"name": "bob"}, "mended", 1)
    assert not halts(home)
    again = [direct_message("/halt once"), direct_message("/halt once", type="app_mention") | {"event_id": "Ev2"}]
    assert [send(home, slack, payload, age_s=1) for payload in again] == [(200, {})] * 2
    assert not halts(home)
    assert send(home, slack, direct_message("/halt twice", 3)).status == 200
    assert [line["reason"] for line in halts(home)] == ["twice"]


@pytest.mark.parametrize(
    "payload",
    [
        direct_message("why not /halt it"),
        direct_message("/halted"),
        direct_message("halt"),
        direct_message("/halt x", bot_id="B1"),
        direct_message("/halt x", subtype="message_changed"),
        direct_message("/halt x", type="reaction_added"),
        direct_message("/halt x", team="T0ELSE"),
    ],
)
def test_talk_bots_and_other_workspaces_do_not_halt(home: Home, slack: Slack, payload: Any) -> None:
    """Taken and answered, so that Slack does not send it again; nothing happens."""
    assert send(home, slack, payload).status == 200
    assert not halts(home)


def test_forged_stale_and_shapeless_events_do_not_halt(home: Home, slack: Slack) -> None:
    """Another secret, ten minutes old, no signature, no JSON object, no id."""
    assert send(home, slack, direct_message("/halt x"), key="another secret").status == 401
    assert send(home, slack, direct_message("/halt x"), age_s=600).status == 401
    assert handle(home, slack, json.dumps(direct_message("/halt x")).encode(), {"Content-Type": "application/json"}).status == 401
    for payload in ([], "x", None, {}, {"type": "event_callback", "event": 3}, direct_message("/halt x") | {"event_id": None}):
        assert send(home, slack, payload).status == 400
    assert not halts(home)


def test_whoever_is_not_listed_may_halt_as_a_claim(home: Home, slack: Slack) -> None:
    """Anybody of our own workspace, as with the command; a mention of a reason is not needed."""
    assert send(home, slack, direct_message("/halt", user=EVE)).status == 200
    (line,) = halts(home)
    assert (line["by"]["assurance"], line["by"]["name"]) == ("claimed", f"slack {EVE}")


def test_a_halt_does_not_wait_for_the_database(home: Home, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy: whether it is a replay cannot be told, and it halts."""

    def busy(*_: object) -> bool:
        raise Busy("the database is busy")

    monkeypatch.setattr("app.slack.signed_http.first_time", busy)
    assert send(home, slack, direct_message("/halt now")).status == 200
    assert [line["reason"] for line in halts(home)] == ["now"]


def test_over_the_api_it_needs_no_session(home: Home, slack: Slack, server: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The route takes JSON with Slack's signature; the same body without one is refused."""
    from fastapi.testclient import TestClient

    from app.api.context import Address
    from app.api.factory import create

    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with TestClient(create(home, Address()), base_url="http://127.0.0.1:8420") as client:
        body, headers = signed({"type": "url_verification", "challenge": "abc"})
        answer: httpx.Response = client.post("/api/slack/events", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})
        body, headers = signed(direct_message("/halt from afar"))
        assert client.post("/api/slack/events", content=body, headers={**headers, "X-Slack-Signature": "v0=0"}).status_code == 401
        assert client.post("/api/slack/events", content=body, headers=headers).status_code == 200
    assert [line["reason"] for line in halts(home)] == ["from afar"]


def test_a_form_of_five_thousand_fields_is_refused(home: Home, slack: Slack) -> None:
    """Slack's own have a dozen: 413 in words, not a failure of ours."""
    headers = signed(None)[1]
    form = "&".join(f"k{n}=v" for n in range(5_000)).encode()
    stamp = headers["X-Slack-Request-Timestamp"]
    digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + form, hashlib.sha256).hexdigest()
    headers |= {"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Signature": f"v0={digest}"}
    assert handle(home, slack, form, headers) == (413, {"error": "more than 200 fields"})
