"""Slack's messages, built from whatever others wrote: within Slack's limits, nothing takes effect, nothing is approved unseen."""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.notify.deliveries import Notification, Undelivered
from app.slack import blocks
from app.slack.signed_http import verify
from app.slack.sink import Slack, as_json, connect, seconds
from tests.app.ui.fake_api import with_rows
from tests.app.ui.fake_shapes import card as shaped
from tests.fakes.slack_server import TEAM

PAGE = "http://127.0.0.1:8421/"
NASTY = st.text(max_size=400) | st.sampled_from(
    [
        "<!channel>",
        "<@U0ANN|ann>",
        "<http://evil|click>",
        "&lt;!here&gt;",
        "*bold* `code` :tada:",
        "a\nb\r\nc",
        "\u202eevil",
        "&" * 400,
    ]
)
LONG = st.integers(1, 12_000).map(lambda n: "&<>" * (n // 3))
TEXT = NASTY | LONG


def pieces(value: Any) -> Iterator[dict[str, Any]]:
    """Every text object of a message."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        for part in value.values():
            yield from pieces(part)
    elif isinstance(value, list):
        for part in value:
            yield from pieces(part)


def sendable(line: str, made: list[dict[str, Any]]) -> bool:
    """Within the limits of Slack's reference, with no character that acts, and no outside text where markup is read."""
    assert len(made) <= 50
    for block in made:
        limit = 150 if block["type"] == "header" else 3_000
        if "text" in block:
            assert 0 < len(block["text"]["text"]) <= limit
        for element in block.get("elements", ()):
            assert len(element["text"]["text"]) <= 75
            assert len(element.get("value", "")) <= 2_000
    for piece in pieces(made):
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in piece["text"] if c != "\n")
        assert piece["type"] == "mrkdwn" or piece["emoji"] is False
        if piece["type"] == "mrkdwn":
            assert "<" not in piece["text"]
            assert piece["verbatim"] is True
    assert len(line) <= 4_000
    assert "<" not in line.removeprefix("<!channel> ")
    assert "\n" not in line
    json.dumps([line, made]).encode()
    return True


def alert_row(text: str, **more: Any) -> dict[str, Any]:
    """An alert's row with a stranger's words in each of its fields."""
    row = {"id": "al-3", "severity": "page", "place": text, "what": text, "action": text, "runbook": "bars-stale", "event": text}
    return row | {"numbers": {text: 1.5, "level": 2}, "since_ms": 1, "resolved_ms": None, "acked_ms": None} | more


@settings(max_examples=60)
@given(
    TEXT,
    st.sampled_from(["opened", "raised", "escalated-1", "escalated-12", "resolved"]),
    st.sampled_from(["page", "warn", "note"]),
)
def test_an_alert_of_any_words_can_be_sent_and_acts_on_nobody(text: str, step: str, severity: str) -> None:
    """Each field holds anything at all: the message keeps Slack's limits; the one mention is ours, and only when it escalates."""
    line, made = blocks.alert(alert_row(text, severity=severity), step, PAGE)
    sendable(line, made)
    assert line.startswith("<!channel> ") is step.startswith("escalated")


@settings(max_examples=60)
@given(TEXT, TEXT, st.sampled_from(["tightens", "loosens", "unknown"]))
def test_a_card_of_any_words_can_be_sent(text: str, other: str, direction: str) -> None:
    """Reason, sleeve, parameter names and warnings from strangers."""
    value = shaped("prop-1", direction)
    value |= {"rationale": text, "warnings": [other, text], "requester": {"role": other, "person": text}}
    value["diff"]["changes"][0] |= {"key": text or "x", "value": other}
    assert sendable(*blocks.card(with_rows(value), PAGE))


def test_a_handover_of_any_length_can_be_sent() -> None:
    """Hundreds of lines, empty ones, one without an end: cut to what Slack takes."""
    for text in ("", "\n\n", "a\n" * 500, "x" * 50_000, "<!channel>\n&"):
        assert sendable(*blocks.handover({"day": "2026-11-20", "text": text}, PAGE))


def actions(made: list[dict[str, Any]]) -> list[str]:
    """The buttons of a message."""
    return [element["action_id"] for block in made for element in block.get("elements", ()) if "action_id" in element]


@pytest.mark.parametrize(("changes", "approvable"), [(1, True), (10, True), (200, False)])
def test_nobody_approves_in_slack_what_slack_did_not_show(changes: int, *, approvable: bool) -> None:
    """A card whose changes were cut has no Approve button and says where to decide; the reject button stays."""
    value = shaped("prop-1", "tightens")
    first = value["diff"]["changes"][0]
    value["diff"]["changes"] = [first | {"key": f"sleeve-{n}.{first['key']}"} for n in range(changes)]
    line, made = blocks.card(with_rows(value), PAGE)
    sendable(line, made)
    text = "\n".join(piece["text"] for piece in pieces(made))
    assert ("approve" in actions(made)) is approvable
    assert "reject" in actions(made)
    assert (f"sleeve-{changes - 1}." in text) is approvable
    assert ("Not all changes and warnings fit here" in text) is not approvable


def test_nobody_approves_in_slack_under_a_warning_that_was_cut() -> None:
    """The end of a long warning may be what matters."""
    for length, approvable in ((900, True), (1_200, False)):
        value = shaped("prop-1", "tightens") | {"warnings": ["w" * length]}
        _, made = blocks.card(with_rows(value), PAGE)
        assert ("approve" in actions(made)) is approvable


def test_an_alert_has_its_button_until_somebody_is_on_it() -> None:
    """A page nobody took: the button; acknowledged, a warning, or resolved: none."""
    for row, step, has in (
        (alert_row("x"), "opened", True),
        (alert_row("x", acked_ms=5), "escalated-1", False),
        (alert_row("x", severity="warn"), "opened", False),
        (alert_row("x", resolved_ms=9), "resolved", False),
    ):
        assert ("ack" in actions(blocks.alert(row, step, PAGE)[1])) is has


# ---------------------------------------------------------------------- what Slack signed


SECRET, NOW = "s3cr3t-of-the-app", 1_800_000_000.0


def signed(body: bytes, at: str = "1800000000", secret: str = SECRET) -> dict[str, str]:
    """Slack's headers, computed here by its published scheme."""
    made = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={made}"}


@given(st.binary(max_size=300).filter(lambda b: b.isascii()))
def test_what_slack_signed_is_taken(body: bytes) -> None:
    """Any body, headers in any case, up to five minutes old or new."""
    for at in (1_800_000_000, 1_800_000_000 - 299, 1_800_000_000 + 299):
        for spelled in (str, str.lower, str.upper):
            headers = {spelled(key): value for key, value in signed(body, str(at)).items()}
            assert verify(SECRET, body, headers, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=é"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "1799999699"},
        {"X-Slack-Request-Timestamp": "nan"},
        {"X-Slack-Request-Timestamp": "-1800000000"},
        {"X-Slack-Request-Timestamp": "٣" * 10},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
def test_what_slack_did_not_sign_is_refused(change: dict[str, str]) -> None:
    """A changed signature or time, none, other alphabets, absurd numbers: False, never an exception."""
    assert not verify(SECRET, b"command=/halt", signed(b"command=/halt") | change, NOW)


def test_a_signature_of_another_body_time_or_secret_is_refused() -> None:
    """Also when it is valid for itself: too old, too new, another app's; and without a secret nothing is."""
    body = b"command=/halt"
    assert not verify(SECRET, body + b"x", signed(body), NOW)
    assert not verify(SECRET, body, signed(body, "1800000000", SECRET[::-1]), NOW)
    for at in (1_800_000_000 - 301, 1_800_000_000 + 301):
        assert not verify(SECRET, body, signed(body, str(at)), NOW)
    assert not verify("", body, signed(body, "1800000000", ""), NOW)
    assert not verify(SECRET, body, {}, NOW)


# ---------------------------------------------------------------------- the sink


class Api:
    """The Web API: answers or raises what the test says, and keeps what was called."""

    def __init__(self, *ends: Any) -> None:
        self.ends, self.called = list(ends), list[tuple[str, Any]]()

    def api_call(self, method: str, json: Any) -> Any:
        """The next end."""
        self.called.append((method, json))
        end = self.ends.pop(0) if self.ends else {"ok": True, "channel": "C1", "ts": "1.5"}
        if isinstance(end, Exception):
            raise end
        return type("Answer", (), {"data": end, "get": end.get})()


def failed(error: str, **headers: str) -> Exception:
    """Slack's refusal."""
    from slack_sdk.errors import SlackApiError

    return SlackApiError("x", type("R", (), {"get": {"error": error}.get, "status_code": 400, "headers": headers})())  # type: ignore[no-untyped-call]


def sink(*ends: Any) -> tuple[Slack, Api]:
    """A sink over that API."""
    from app.home.reach import SlackEntry

    api = Api(*ends)
    return Slack(SlackEntry(channel="C0DESK", team=TEAM), api), api  # type: ignore[arg-type]  # a stand-in for the client


@pytest.mark.parametrize(
    ("end", "said", "wait", "final"),
    [
        (failed("ratelimited", **{"Retry-After": "7"}), "ratelimited", 7.0, False),
        (failed("ratelimited", **{"Retry-After": "soon"}), "ratelimited", None, False),
        (failed("token_revoked"), "token_revoked", None, True),
        (failed("channel_not_found"), "channel_not_found", None, True),
        (failed("internal_error"), "internal_error", None, False),
        (ConnectionResetError("xoxb-secret in a message"), "ConnectionResetError", None, False),
        (TimeoutError(), "TimeoutError", None, False),
        (ValueError("bad json"), "ValueError", None, False),
    ],
)
def test_a_failure_is_told_without_its_text_and_with_its_wait(end: Any, said: str, wait: float | None, *, final: bool) -> None:
    """Slack's own word, or the type alone: an exception's text may hold a token. Final ones are not tried again."""
    slack, _ = sink(end)
    with pytest.raises(Undelivered) as told:
        slack.send(Notification("alert", "opened", "al-3", alert_row("x"), ""))
    assert said in str(told.value)
    assert "xoxb" not in str(told.value)
    assert (told.value.wait_s, told.value.final) == (wait, final)


@pytest.mark.parametrize(
    ("word", "found"), [("7", 7.0), (["9", "1"], 9.0), ([], None), (None, None), ("-1", None), ("1.5", None), ("٣", None)]
)
def test_a_wait_is_whole_seconds_or_none(word: Any, found: float | None) -> None:
    """What Slack's header says, also as a list; anything else is no wait, not a crash."""
    assert seconds(word) == found


def test_a_follow_up_goes_into_the_thread_and_a_decision_into_the_card() -> None:
    """The first message is posted, the next of an alert answers it in the channel too, a decided card is changed in place."""
    slack, api = sink()
    assert slack.send(Notification("alert", "opened", "al-3", alert_row("x"), "")) == "C1 1.5"
    slack.send(Notification("alert", "resolved", "al-3", alert_row("x", resolved_ms=5), "C1 1.5"))
    decided = with_rows(shaped("prop-1", "tightens") | {"state": "rejected"})
    slack.send(Notification("card", "decided", "al-3", decided, "C1 1.5"))
    slack.send(Notification("card", "decided", "al-3", decided, ""))
    methods = [(method, body.get("thread_ts"), body.get("ts"), body["channel"]) for method, body in api.called]
    assert methods == [
        ("chat.postMessage", None, None, "C0DESK"),
        ("chat.postMessage", "1.5", None, "C0DESK"),
        ("chat.update", None, "1.5", "C1"),
        ("chat.postMessage", None, None, "C0DESK"),
    ]
    assert all(body["unfurl_links"] is False for _, body in api.called)


def test_a_whisper_is_tried_again_unless_it_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hiccups and it arrives; a revoked token ends it at once; four hiccups are enough."""
    waits: list[float] = []
    monkeypatch.setattr("app.slack.sink.time.sleep", waits.append)
    slack, api = sink(failed("internal_error"), failed("ratelimited", **{"Retry-After": "60"}))
    slack.whisper("C1", "U1", "done <b>")
    assert (len(api.called), waits) == (3, [0.5, 5.0])
    assert "&lt;b&gt;" in api.called[-1][1]["text"]
    for ends, calls in (([failed("token_revoked")], 1), ([failed("internal_error")] * 9, 4)):
        slack, api = sink(*ends)
        with pytest.raises(Undelivered):
            slack.whisper("C1", "U1", "done")
        assert len(api.called) == calls


@pytest.mark.parametrize("text", ["", "null", "[1]", '"x"', "{", "9" * 5_000, "[" * 100_000, "\x00"])
def test_what_is_not_an_object_is_an_empty_one(text: str) -> None:
    """A payload of any other shape, or of absurd depth, is nothing: no exception in the callback."""
    assert as_json(text) == {}


def test_a_short_signing_secret_is_none(own_home: Any) -> None:
    """A placeholder in the environment does not make every forgery valid."""
    from app.home.home import open_home

    open_home().engine.dispose()
    with (own_home / "desk.toml").open("a") as file:
        file.write('\n[slack]\nchannel = "C0DESK"\n')
    home = open_home()
    entry = home.desk.slack
    assert entry is not None
    for secret, kept in (("short", ""), ("long-enough-secret", "long-enough-secret")):
        found = connect(home, {entry.bot_token_env: "xoxb-1", entry.signing_secret_env: secret})
        assert found is not None
        assert found.signing_secret == kept
    assert connect(home, {entry.signing_secret_env: "long-enough-secret"}) is None
