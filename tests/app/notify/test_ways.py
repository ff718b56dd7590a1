"""Telegram, Discord and webhooks: what is sent, what a fault of each becomes, no secret anywhere, tests, digests."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from app.cli import main
from app.home.home import Home, open_home
from app.home.reach import WebhookEntry
from app.notify import deliveries, ways
from app.notify.by_apprise import harmless
from app.notify.deliveries import Notification, Undelivered
from app.notify.webhook import signature
from app.notify.words import Worded, worded
from engine.store import db
from engine.store.tables import Delivery
from engine.watch.alert_rows import AlertPolicy, apply_findings
from engine.watch.observation import Finding
from tests.fakes.reach_server import BOT, HOOK, SECRET, ReachServer
from tests.fakes.slack_desks import proposed

NOW = 1_760_000_000_000
HOSTILE = "no bars \u202e@everyone [x](http://evil) <b>*BTC*</b> `a` \x1b[31m"


@pytest.fixture
def server() -> Iterator[ReachServer]:
    """All three on this machine."""
    with ReachServer() as found:
        yield found


@pytest.fixture
def home(own_home: Path, server: ReachServer) -> Home:
    """A desk that names them."""
    open_home(NOW)
    with (own_home / "desk.toml").open("a", encoding="utf-8") as file:
        file.write(server.settings())
    return open_home(NOW)


def _sinks(home: Home, server: ReachServer, **other: str) -> dict[str, Any]:
    return {sink.name: sink for sink in ways.sinks_of(home, {**server.environment(), **other})}


def _alert(home: Home, severity: Any = "page", what: str = HOSTILE, n: int = 0) -> None:
    found = [Finding(f"bars{n}", "bars", severity, what, f"BTC{n}", NOW, "look")]
    apply_findings(home.engine, found, frozenset(), NOW, AlertPolicy(), ways.names_of(home.desk))


def test_an_alert_comes_every_way_with_nothing_in_it_taking_effect(home: Home, server: ReachServer) -> None:
    """Telegram's HTML is escaped, Discord finds no mention and no link text, the webhook's signature is that of its bytes."""
    _alert(home)
    sinks = _sinks(home, server)
    assert set(sinks) == {"telegram", "discord", "webhook:ops"}
    assert deliveries.deliver(home, list(sinks.values()), NOW) == 3
    (text,) = [body["text"] for body in server.of("sendMessage")]
    assert "&lt;b&gt;" in text
    assert "\u202e" not in text
    (content,) = [json.dumps(body, ensure_ascii=False) for body in server.of("/api/webhooks/")]
    assert "@everyone" not in content
    assert "[x](" not in content
    assert "avatar_url" not in content  # a picture of apprise's own, from another host
    ((_, body, headers, raw),) = [call for call in server.calls if call[0] == "/hook"]
    assert headers["x-nightdesk-signature"] == signature(SECRET, headers["x-nightdesk-timestamp"], raw)
    assert headers["x-nightdesk-signature"] != signature(SECRET, headers["x-nightdesk-timestamp"], raw + b" ")
    assert (body["kind"], body["step"], body["id"]) == ("alert", "opened", "al-1 opened")
    assert harmless("a_b*c @here") == "a\\_b\\*c @\u200bhere"


@pytest.mark.parametrize(
    ("fault", "state"),
    [("429", "waiting"), ("503", "waiting"), ("401", "failed"), ("404", "failed"), ("cut", "waiting"), ("redirect", "other")],
)
def test_each_fault_waits_or_fails_with_its_reason(home: Home, server: ReachServer, fault: str, state: str) -> None:
    """What may pass is tried again, later; what cannot is failed at once; nobody follows a redirect."""
    _alert(home)
    server.fault = fault
    assert deliveries.deliver(home, list(_sinks(home, server).values()), NOW) == 0
    for row in deliveries.rows_of(home, "al-1"):
        assert row["state"] in (("waiting", "failed") if state == "other" else (state,)), row
        assert row["error"]
        assert not any(secret in row["error"] for secret in (BOT, HOOK[1], SECRET))
    assert not [path for path, *_ in server.calls if path == "/elsewhere"]
    assert len(ways.failures(home, NOW + 1)) == 3
    server.fault = ""
    deliveries.deliver(home, list(_sinks(home, server).values()), NOW + 900_000)
    sent = [row["state"] for row in deliveries.rows_of(home, "al-1")]
    assert sent == ["failed"] * 3 if state == "failed" else "sent" in sent


def test_a_receiver_that_drips_holds_nobody(home: Home, server: ReachServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header without an end, a byte now and then: each is in time, all of it never is."""
    over = threading.Event()
    door = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        with door.accept()[0] as came:
            came.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
            with suppress(OSError):
                for _ in range(100):
                    came.sendall(b"a")
                    if over.wait(0.05):
                        return

    threading.Thread(target=drip, daemon=True).start()
    sink = _sinks(home, server)["webhook:ops"]
    monkeypatch.setattr(sink, "entry", WebhookEntry(url=f"http://127.0.0.1:{door.getsockname()[1]}/hook"))
    monkeypatch.setattr("app.notify.webhook.DEADLINE_S", 0.3)
    _alert(home)
    assert deliveries.deliver(home, [sink], NOW) == 0
    over.set()
    door.close()
    (row,) = [row for row in deliveries.rows_of(home, "al-1") if row["sink"] == "webhook:ops"]
    assert (row["state"], row["error"]) == ("waiting", "webhook:ops: no answer in time (TimeoutError)")


def test_a_webhook_goes_to_its_address_and_through_no_proxy(
    home: Home, server: ReachServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of the environment that a program needs does not lead what the desk says elsewhere."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    _alert(home)
    assert deliveries.deliver(home, [_sinks(home, server)["webhook:ops"]], NOW) == 1


def test_a_reason_that_apprise_gives_holds_no_secret(home: Home, server: ReachServer) -> None:
    """What a place answers, or an address, may repeat the token; the hook's number alone opens nothing."""
    sinks = _sinks(home, server)
    for name, secret in (("telegram", BOT), ("discord", HOOK[1])):
        assert secret not in sinks[name].cleared(f"error at http://x/{secret}/send")


def test_a_bug_with_one_message_holds_up_nothing_else(home: Home, server: ReachServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that fails on it tries it a bounded number of times; the other ways and the other messages arrive."""
    _alert(home, n=1)
    _alert(home, n=2)
    sinks = _sinks(home, server)
    real = sinks["telegram"].send

    def broken(message: Notification) -> str:
        if message.subject == "al-1":
            raise KeyError("al-1")
        return str(real(message))

    monkeypatch.setattr(sinks["telegram"], "send", broken)
    at_ms = NOW
    assert deliveries.deliver(home, [sinks["telegram"], sinks["webhook:ops"]], at_ms) == 3
    for _ in range(20):
        at_ms += 900_000
        deliveries.deliver(home, [sinks["telegram"]], at_ms)
    rows = {row["sink"]: row for row in deliveries.rows_of(home, "al-1")}
    assert [rows["telegram"][name] for name in ("state", "attempts", "error")] == ["failed", 8, "our bug: KeyError"]
    assert rows["webhook:ops"]["state"] == "sent"


def test_a_webhook_waits_as_long_as_it_is_asked_to(home: Home, server: ReachServer) -> None:
    """Retry-After of a 429."""
    server.fault = "429"
    with pytest.raises(Undelivered) as found:
        _sinks(home, server)["webhook:ops"].send(Notification("test", "test", "test 1 a", {"by": "a", "at_ms": NOW}))
    assert found.value.wait_s == 7.0


def test_wrong_tokens_are_refused_and_never_repeated(home: Home, server: ReachServer) -> None:
    """A token of another bot fails at once; a variable that holds something else makes no sink, and is named."""
    other = BOT[:-3] + "999"
    sinks = _sinks(home, server, TELEGRAM_BOT_TOKEN=other, DISCORD_WEBHOOK=f"{HOOK[0]}/{'z' * 40}")
    for name in ("telegram", "discord"):
        with pytest.raises(Undelivered) as found:
            sinks[name].send(Notification("test", "test", "test 1 a", {"by": "a", "at_ms": NOW}))
        assert found.value.final, name
        assert other not in str(found.value)
    short = ways.sinks_of(
        home, {"TELEGRAM_BOT_TOKEN": "x", "DISCORD_WEBHOOK": "http://evil/x", "NIGHTDESK_WEBHOOK_SECRET": "short"}
    )
    assert short == []
    assert [line.partition(":")[0] for line in ways.missing(home.desk, short)] == ["telegram", "discord", "webhook"]


def test_a_receiver_that_never_answers_holds_nobody(home: Home, server: ReachServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is the sinks' own; the message waits."""
    monkeypatch.setattr("app.notify.webhook.TIMEOUT_S", 0.2)
    monkeypatch.setattr("app.notify.by_apprise.TIMEOUT_S", 0.2)
    server.slow_s = 1.0
    for sink in _sinks(home, server).values():
        with pytest.raises(Undelivered) as found:
            sink.send(Notification("test", "test", "test 1 a", {"by": "a", "at_ms": NOW}))
        assert not found.value.final


def test_a_test_message_goes_every_way_and_says_what_became_of_it(home: Home, server: ReachServer) -> None:
    """A delivery like any other."""
    subject = ways.ask_for_test(home, "ann", NOW)
    server.fault = "503"
    deliveries.deliver(home, list(_sinks(home, server).values()), NOW)
    rows = ways.outcome_of(home, subject)
    assert [(row["state"], bool(row["error"])) for row in rows] == [("waiting", True)] * 3
    server.fault = ""
    deliveries.deliver(home, list(_sinks(home, server).values()), NOW + 60_000)
    assert [row["state"] for row in ways.outcome_of(home, subject)] == ["sent"] * 3
    assert "Asked for by ann" in server.of("sendMessage")[-1]["text"]


def test_a_way_without_its_variable_is_named_with_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list said that "its variable" is not set, a test of it `waiting` and nothing more."""
    for name in ("TELEGRAM_BOT_TOKEN", "DISCORD_WEBHOOK", "NIGHTDESK_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    main.load_groups()
    listed, tested = (CliRunner().invoke(main.app, ["notify", word]) for word in ("list", "test"))
    assert tested.exit_code == 1
    for found in (listed.stdout, tested.stdout):
        assert "TELEGRAM_BOT_TOKEN is not set" in found
        assert "DISCORD_WEBHOOK is not set" in found
        assert "NIGHTDESK_WEBHOOK_SECRET is not set" in found


def test_notes_come_together_and_a_page_alone(home: Home, server: ReachServer) -> None:
    """Three notes due at once are one message a sink; with a digest they wait for its hour; a page waits for nothing."""
    for n in range(3):
        _alert(home, "note", f"note {n}", n)
    _alert(home, "page", "a page", 9)
    sink = _sinks(home, server)["telegram"]
    assert deliveries.deliver(home, [sink], NOW) == 4
    texts = [body["text"] for body in server.of("sendMessage")]
    assert len(texts) == 2
    assert all(f"note {n}" in texts[0] for n in range(3))
    assert "a page" in texts[1]
    policy = AlertPolicy(digest_ms=3_600_000)
    found = [Finding("late", "bars", "note", "later", "x", NOW, "y"), Finding("now", "bars", "page", "now", "x", NOW, "y")]
    apply_findings(home.engine, found, frozenset(), NOW, policy, ["telegram"])
    with db.read(home.engine) as session:
        due = {row.subject: row.due_ms for row in session.exec(select(Delivery)).all()}
    assert due["al-6"] == NOW
    assert due["al-5"] % 3_600_000 == 0
    assert NOW < due["al-5"] <= NOW + 3_600_000


def test_emojis_make_no_message_too_long() -> None:
    """Telegram refuses above 4,096 UTF-16 units for good: a rationale of emojis would keep a card from everybody."""
    text = Worded("Proposal prop-1", tuple("\U0001f680" * 900 for _ in range(5)), whole=True).cut(3_900)
    sent = "\n".join([text.title, *text.lines])
    assert len(sent.encode("utf-16-le")) // 2 <= 4_096
    assert (len(text.lines), text.whole) == (3, False)


def test_a_card_that_does_not_fit_says_so(home: Home) -> None:
    """And is not whole: nobody could approve it where it is read."""
    row = proposed(home, rationale="x " * 4_000)
    from app.views.proposal_card import card

    text = worded(Notification("card", "card", row.id, card(home, row, time.time_ns() // 1_000_000)), "http://127.0.0.1:8421/")
    assert text.whole
    assert not text.cut(300).whole
    assert text.cut(300).lines[-1].startswith("(cut")
