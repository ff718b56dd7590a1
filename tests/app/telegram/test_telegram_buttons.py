"""Buttons of Telegram: only ours, only once, only of the linked person, only in the desk's chat, only what tightens."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.notify import deliveries, ways
from app.notify.by_apprise import AppriseSink
from app.people.identity import add_person, link_account, set_role
from app.telegram.buttons import NONE, Seals, read
from app.telegram.line import TelegramLine, line_of
from engine.control import halt, proposals
from engine.store import db
from engine.store.journal import read as events
from engine.store.tables import Proposal
from engine.watch.alert_rows import AlertPolicy, apply_findings, list_alerts
from engine.watch.observation import Finding
from tests.fakes.reach_server import ANN, BOB, BOT, CHAT, EVE, ReachServer
from tests.fakes.slack_desks import proposed


@pytest.fixture
def server() -> Iterator[ReachServer]:
    """Telegram on this machine."""
    with ReachServer() as found:
        yield found


@pytest.fixture
def home(own_home: Path, server: ReachServer) -> Home:
    """A desk with ann (admin) and bob (operator), both linked."""
    open_home()
    with (own_home / "desk.toml").open("a", encoding="utf-8") as file:
        file.write(server.settings())
    for name, user in (("ann", ANN), ("bob", BOB)):
        add_person(own_home, name, role="operator")
        link_account(own_home, name, "telegram", str(user))
    return open_home()


@pytest.fixture
def line(home: Home, server: ReachServer) -> TelegramLine:
    """The desk's line."""
    (sink,) = [one for one in ways.sinks_of(home, server.environment()) if one.name == "telegram"]
    assert isinstance(sink, AppriseSink)
    return line_of(home, sink, BOT)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _card(home: Home, line: TelegramLine, server: ReachServer) -> dict[str, str]:
    """Bring the cards; label -> what the last card's buttons carry."""
    deliveries.cards(home, ["telegram"], _now())
    deliveries.deliver(home, [line.sink], _now())
    rows = [body["reply_markup"]["inline_keyboard"][0] for body in server.of("sendMessage") if "reply_markup" in body]
    return {key["text"]: key["callback_data"] for key in rows[-1]}


def _answer(server: ReachServer) -> str:
    return str(server.of("answerCallbackQuery")[-1]["text"])


def _state(home: Home, row: Proposal) -> str:
    return proposals.get(home.engine, row.id).state


def test_a_tightening_is_approved_by_its_person_once(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """The journal names who, and how they were known; the same click again, brought again or pressed again, does nothing."""
    row = proposed(home)
    keys = _card(home, line, server)
    assert set(keys) == {"Approve", "Reject"}
    assert all(len(data.encode()) <= 64 for data in keys.values())
    server.click(keys["Approve"], BOB)
    assert line.poll(0) == 1
    assert "applied as version 2" in _answer(server)
    decision = [e.body for e in events(home.people_journal, {"decision"})][-1]
    assert {k: decision["actor"][k] for k in ("name", "assurance", "channel")} == {
        "name": "bob",
        "assurance": "telegram",
        "channel": "telegram",
    }
    assert _state(home, row) == "applied"
    line.offset = 0  # as after a crash before Telegram heard how far we were
    line.poll(0)
    assert "taken before" in _answer(server)
    server.click(keys["Approve"], BOB, query="q2")
    line.poll(0)
    assert "already applied" in _answer(server)
    assert len([e for e in events(home.people_journal, {"decision"}) if e.body["outcome"] == "applied"]) == 1
    assert server.of("sendMessage")[-1]["text"].find("APPLIED") > 0  # the card's outcome follows it


def test_who_may_not(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """An unlinked account, a bot, a viewer, another chat: nothing is done, and each is told why."""
    row = proposed(home)
    keys = _card(home, line, server)
    server.click(keys["Approve"], EVE, query="e")
    line.poll(0)
    assert "not linked" in _answer(server)
    server.click(keys["Approve"], BOB, chat=int(CHAT) - 1, query="c")
    line.poll(0)
    assert "not the desk's" in _answer(server)
    set_role(home.path, "bob", "viewer")
    server.click(keys["Approve"], BOB, query="v")
    line.poll(0)
    assert "may not approve what tightens" in _answer(server)
    assert _state(home, row) == "pending"


@pytest.mark.parametrize("forge", ["seal", "subject", "digest", "act", "other key", "words", "of another chat", "nothing"])
def test_a_forged_button_is_refused(home: Home, line: TelegramLine, server: ReachServer, forge: str) -> None:
    """Clients can send any bytes for any message: without the token none makes a seal."""
    row, other = proposed(home), proposed(home, sleeve="eth-trend")
    keys = _card(home, line, server)
    reject = Seals(BOT, CHAT).data("reject", row.id, row.diff_sha256)
    act, subject, digest, seal = reject.split(".")
    data: Any = {
        "seal": f"{act}.{subject}.{digest}.{'A' * 22}",
        "subject": f"{act}.{other.id}.{digest}.{seal}",
        "digest": f"{act}.{subject}.{'0' * 8}.{seal}",
        "act": f"a.{subject}.{digest}.{seal}",
        "other key": Seals(BOT[:-1] + "9", CHAT).data("approve", row.id, row.diff_sha256),
        "words": f"approve {row.id} {row.diff_sha256}",
        "of another chat": Seals(BOT, "-5").data("approve", row.id, row.diff_sha256),
        "nothing": "",
    }[forge]
    server.click(data, BOB)
    line.poll(0)
    assert "does not belong to this desk" in _answer(server)
    assert [_state(home, one) for one in (row, other)] == ["pending", "pending"]
    assert keys["Reject"]
    server.click(reject, BOB, query="fine")
    line.poll(0)
    assert _state(home, row) == "rejected"


def test_a_bot_with_a_person_s_number_decides_nothing(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """Only people are linked."""
    row = proposed(home)
    server.click(_card(home, line, server)["Approve"], BOB)
    server.updates[-1]["callback_query"]["from"]["is_bot"] = True
    line.poll(0)
    assert "not linked" in _answer(server)
    assert _state(home, row) == "pending"


def test_an_acknowledgement_needs_our_seal_and_comes_once(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """Whoever clicks must be told of the alert first: bytes that a client made acknowledge nothing."""
    finding = Finding("bars", "bars", "page", "No bar", "BTC", _now(), "look")
    apply_findings(home.engine, [finding], frozenset(), _now(), AlertPolicy(), [])
    server.click(f"k.al-1.{NONE[:8]}.{'A' * 22}", BOB, query="forged")
    line.poll(0)
    assert "does not belong to this desk" in _answer(server)
    assert list_alerts(home.engine)[0].acked_ms is None
    server.click(Seals(BOT, CHAT).data("ack", "al-1"), BOB, query="ours")
    line.poll(0)
    assert "acknowledged by bob" in _answer(server)
    server.click(Seals(BOT, CHAT).data("ack", "al-1"), BOB, query="ours")
    line.poll(0)
    assert "taken before" in _answer(server)


def test_an_expired_card_and_a_loosening_are_refused(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """A loosening has no button at all; a seal for one, were there one, is refused, too."""
    row = proposed(home)
    keys = _card(home, line, server)
    with db.write(home.engine) as session:
        found = session.get(Proposal, row.id)
        assert found is not None
        found.expires_ms = _now() - 1
        session.add(found)
    server.click(keys["Approve"], BOB)
    line.poll(0)
    assert "expired" in _answer(server)
    loose = proposed(home, stop_atr=3.0)
    assert set(_card(home, line, server)) == {"Reject"}
    server.click(Seals(BOT, CHAT).data("approve", loose.id, loose.diff_sha256), ANN, query="l")
    line.poll(0)
    assert "not a tightening" in _answer(server)
    assert _state(home, loose) == "pending"


def test_halt_is_typed_by_anyone_in_the_chat(home: Home, line: TelegramLine, server: ReachServer) -> None:
    """Listed or not; in another chat it is nothing; other words are nothing."""
    server.types("/halt elsewhere", chat=5)
    server.types("halt the desk please")
    line.poll(0)
    assert not halt.read(home.path, home.engine).halted
    server.types("/halt@night_bot odd fills", EVE)
    line.poll(0)
    latch = halt.read(home.path, home.engine)
    assert (latch.halted, latch.reason, latch.by) == (True, "odd fills", f"telegram {EVE}")
    assert "HALTED" in server.of("sendMessage")[-1]["text"]


@pytest.mark.parametrize("odd", [None, 5, "x", {}, {"update_id": "7"}, {"update_id": True}, {"update_id": 1, "message": 5}])
def test_what_no_telegram_sends_ends_nothing(home: Home, line: TelegramLine, server: ReachServer, odd: Any) -> None:
    """And what follows it is heard."""
    server.updates = [odd] if isinstance(odd, dict) and isinstance(odd.get("update_id"), int) else []
    line.poll(0)
    server.updates = []
    server.types("/halt now")
    line.poll(0)
    assert halt.read(home.path, home.engine).halted


def test_a_wait_of_any_length_is_a_wait(
    home: Home, line: TelegramLine, server: ReachServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 with a number that no float holds: waited for as long as any wait is, and the line goes on."""
    import httpx

    class TooMany(httpx.BaseTransport):
        """Answers so to everything."""

        def handle_request(self, _request: httpx.Request) -> httpx.Response:
            """429."""
            return httpx.Response(429, text='{"ok":false,"parameters":{"retry_after":1' + "0" * 400 + "}}")

    monkeypatch.setattr(line.client, "_http", httpx.Client(transport=TooMany()))
    with pytest.raises(deliveries.Undelivered) as fault:
        line.poll(0)
    assert (fault.value.wait_s, fault.value.final) == (3_600.0, False)


def test_an_answer_that_repeats_the_token_names_none(line: TelegramLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that echoes the address it was asked for: the reason is kept in a row, a log and an alert."""
    import httpx

    echo = httpx.MockTransport(lambda asked: httpx.Response(502, json={"ok": False, "description": f"no way to {asked.url}"}))
    monkeypatch.setattr(line.client, "_http", httpx.Client(transport=echo))
    with pytest.raises(deliveries.Undelivered, match="no way to") as fault:
        line.poll(0)
    assert BOT not in str(fault.value)
    assert BOT.partition(":")[2] not in str(fault.value)


def test_an_endless_answer_is_not_read_to_its_end(line: TelegramLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is enough for a hundred updates; whatever sends more is left."""
    import httpx

    read = list[int]()

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            read.append(1)
            yield b" " * 100_000

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=pieces()))
    monkeypatch.setattr(line.client, "_http", httpx.Client(transport=transport))
    with pytest.raises(deliveries.Undelivered):
        line.poll(0)
    assert sum(read) == 11


def test_what_a_button_carries_reads_back() -> None:
    """And an alert's has no digest."""
    seals = Seals(BOT, CHAT)
    button = read(seals.data("ack", "al-3"))
    assert button is not None
    assert (button.act, button.subject, button.digest) == ("ack", "al-3", NONE[:8])
    assert seals.fits(button)
    assert read("a.prop-1.zzzz") is None
