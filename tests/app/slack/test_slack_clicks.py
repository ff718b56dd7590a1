"""Slack over sockets: cards, clicks by Socket Mode and signed HTTP, /halt; forged, stale, replayed, unknown, doubled, down."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.home.home import Home
from app.notify import deliveries
from app.slack.actions import NOT_LISTED
from app.slack.signed_http import handle
from app.slack.sink import Slack, connect
from app.slack.socket_mode import SocketConnection
from engine.control import halt
from engine.control.config import active_version
from engine.control.proposals import get
from engine.store.journal import read
from engine.watch.alert_rows import deliveries_of
from tests.fakes.slack_desks import ANN, BOB, EVE, now_ms, proposed, value_of
from tests.fakes.slack_server import APP, BOT, CHANNEL, SECRET, TEAM, SlackServer
from tests.fakes.waiting import until


def press(home: Home, slack: Slack, server: SlackServer, user: str, action: str, value: str, team: str = TEAM):
    """A click by signed HTTP."""
    payload = json.dumps(server.click(user, action, value, team))
    return handle(home, slack, *server.signed({"payload": payload}))


def decisions(home: Home) -> list[dict]:
    """What the people journal says was decided."""
    return [dict(e.body) for e in read(home.people_journal, {"decision"})]


def test_without_a_section_or_a_token_slack_is_off(own_home: Path, home: Home, server: SlackServer) -> None:
    """No token, no connection; the callback says 404."""
    assert connect(home, {}) is None
    assert handle(home, None, b"", {}).status == 404


def test_a_tightening_has_an_approve_button_and_a_loosening_a_link(home: Home, slack: Slack, server: SlackServer) -> None:
    """The card shows diff, direction, worst case and evidence; only what tightens can be approved here."""
    proposed(home)
    proposed(home, "eth-trend", stop_atr=3.0, risk_max_frac=0.02, leverage_max=4.0)
    deliveries.cards(home, ["slack"], now_ms())
    assert deliveries.deliver(home, [slack], now_ms()) == 2
    cards = {json.dumps(body["blocks"]): body for body in server.posted()}
    pause, looser = sorted(cards, key=lambda text: "eth-trend" in text)
    assert '"approve"' in pause
    assert '"reject"' in pause
    assert '"approve"' not in looser
    assert "tab=proposals&proposal=prop-2" in looser
    for words in ("leverage_max: now 3, proposed 4", "worst case", "Sharpe (95 %): base 1.50 (no interval)", "LOOSENS"):
        assert words in looser
    deliveries.cards(home, ["slack"], now_ms())
    assert deliveries.deliver(home, [slack], now_ms()) == 0


def test_a_click_through_socket_mode_decides_and_changes_the_card(
    home: Home, slack: Slack, server: SlackServer, line: SocketConnection
) -> None:
    """Approved under the listed person with assurance slack; acknowledged; the card loses its buttons."""
    row = proposed(home)
    deliveries.cards(home, ["slack"], now_ms())
    deliveries.deliver(home, [slack], now_ms())
    server.send("interactive", server.click(ANN, "approve", value_of(row)), "e-1")
    server.wait_ack("e-1")
    changed = server.wait("chat.update")[0]
    assert "applied as version 2" in json.dumps(changed["blocks"])
    assert "actions" not in {block["type"] for block in changed["blocks"]}
    (told,) = server.wait("chat.postEphemeral")
    assert (told["user"], "applied" in told["text"]) == (ANN, True)
    actor = json.loads(get(home.engine, row.id).decided_by)
    assert (actor["name"], actor["assurance"], actor["channel"]) == ("ann", "slack", "slack")
    assert active_version(home.engine) == 2
    server.send("interactive", server.click(ANN, "approve", value_of(row)), "e-1")  # Slack sends it again
    server.send("interactive", server.click(EVE, "reject", value_of(row)), "e-2")
    heard = server.wait("chat.postEphemeral", 2)
    assert [body["user"] for body in heard] == [ANN, EVE]
    assert active_version(home.engine) == 2
    assert len(list(read(home.people_journal, {"approve"}))) == 1


def test_two_clicks_at_once_are_one_decision(home: Home, slack: Slack, server: SlackServer) -> None:
    """Ann approves and Bob rejects in the same moment, eight times over: one decision, everybody hears."""
    row = proposed(home)
    wanted = [(ANN, "approve"), (BOB, "reject")] * 4
    gate = threading.Barrier(len(wanted))

    def one(user: str, action: str) -> int:
        gate.wait()
        return press(home, slack, server, user, action, value_of(row)).status

    with ThreadPoolExecutor(len(wanted)) as pool:
        assert set(pool.map(lambda pair: one(*pair), wanted)) == {200}
    heard = server.wait("chat.postEphemeral", len(wanted))
    assert sum("Journal" in body["text"] for body in heard) == 1
    assert sum("Nothing was done" in body["text"] for body in heard) == len(wanted) - 1
    outcomes = [d["outcome"] for d in decisions(home)]
    assert sum(outcome in ("applied", "rejected") for outcome in outcomes) == 1
    assert active_version(home.engine) == (2 if "applied" in outcomes else 1)


@pytest.mark.parametrize("team", [TEAM, "T0ELSE"])
def test_an_unknown_clicker_is_told_and_nothing_happens(home: Home, slack: Slack, server: SlackServer, team: str) -> None:
    """Eve, and Ann's user id in another workspace: an ephemeral refusal, never silence."""
    row = proposed(home)
    user = EVE if team == TEAM else ANN
    assert press(home, slack, server, user, "approve", value_of(row), team).status == 200
    (told,) = server.wait("chat.postEphemeral")
    assert (told["user"], told["text"]) == (user, NOT_LISTED)
    assert get(home.engine, row.id).state == "pending"
    assert decisions(home) == []


def test_a_loosening_cannot_be_approved_however_the_click_is_made(home: Home, slack: Slack, server: SlackServer) -> None:
    """A hand-made button of a loosening, another card's digest, and an unknown action are refused by code."""
    looser = proposed(home, "eth-trend", leverage_max=4.0)
    pause = proposed(home)
    values = (
        value_of(looser),
        f"{looser.id} {pause.diff_sha256}",
        "prop-99 " + "0" * 64,
        "x",
        "",
        f"{pause.id} {looser.diff_sha256}",
    )
    for value in values:
        press(home, slack, server, ANN, "approve", value)
    press(home, slack, server, ANN, "apply", value_of(pause))
    press(home, slack, server, ANN, "reject", f"{pause.id} {looser.diff_sha256}")
    told = server.wait("chat.postEphemeral", len(values) + 2)
    assert all("Nothing was done" in body["text"] for body in told)
    assert {get(home.engine, row.id).state for row in (looser, pause)} == {"pending"}
    assert active_version(home.engine) == 1


def test_forged_stale_and_replayed_requests_are_refused(home: Home, slack: Slack, server: SlackServer) -> None:
    """Another secret, ten minutes old, from the future, a changed body, no headers, odd timestamps, and the same one twice."""
    row = proposed(home)
    form = {"payload": json.dumps(server.click(ANN, "approve", value_of(row)))}
    body, headers = server.signed(form)
    old, future = server.signed(form, at_s=time.time() - 600), server.signed(form, at_s=time.time() + 600)
    odd = [{**headers, "X-Slack-Request-Timestamp": text} for text in ("", "x", "-1", "9" * 30, "\u0661\u0662")]
    refused = [
        server.signed(form, "another secret"),
        old,
        future,
        (body + b"&a=b", headers),
        (body, {}),
        *((body, o) for o in odd),
    ]
    refused.append((body, {**headers, "X-Slack-Signature": "v0=" + "0" * 64}))
    for sent in refused:
        assert handle(home, slack, *sent).status == 401
    assert get(home.engine, row.id).state == "pending"
    assert handle(home, slack, body, headers).status == 200
    assert get(home.engine, row.id).state == "applied"
    again = handle(home, slack, body, headers)
    assert (again.status, again.body) == (401, {"error": "replayed request"})
    lower = {key.lower(): value for key, value in headers.items()}
    assert handle(home, slack, body, lower).status == 401


def test_only_forms_of_a_sane_size_are_read(home: Home, slack: Slack, server: SlackServer) -> None:
    """JSON is not accepted even when signed; neither are megabytes, nor a form without a payload, nor a broken one."""
    body, headers = server.signed({"payload": "{}"})
    assert handle(home, slack, body, {**headers, "Content-Type": "text/plain"}).status == 415
    assert handle(home, slack, *server.signed({"payload": "x" * 300_000})).status == 413
    for form in ({}, {"payload": ""}, {"payload": "[1]"}, {"payload": "{" * 50_000}, {"other": "x"}):
        assert handle(home, slack, *server.signed(form)).status == 400
    odd = {"type": "block_actions", "actions": "x", "user": [], "team": 1}
    assert handle(home, slack, *server.signed({"payload": json.dumps(odd)})).status == 200


@pytest.mark.parametrize("user", [ANN, EVE])
def test_halt_by_slash_command_is_latched_at_once(home: Home, slack: Slack, server: SlackServer, user: str) -> None:
    """Listed or not, anybody of the workspace stops the desk; the answer says so to them alone; it is journaled."""
    answer = handle(home, slack, *server.signed(server.slash(user, "fire & <flood>")))
    latch = halt.read(home.path)
    assert (latch.halted, latch.reason, latch.by) == (True, "fire & <flood>", "ann" if user == ANN else f"slack {EVE}")
    assert answer.body["response_type"] == "ephemeral"
    assert "HALTED" in answer.body["text"]
    assert "&lt;flood&gt;" in answer.body["text"]
    until(lambda: list(read(home.people_journal, {"halt"})), "the halt was not journaled")
    assert [e.body["actor"]["channel"] for e in read(home.people_journal, {"halt"})] == ["slack"]


def test_halt_needs_neither_database_nor_people_nor_reason(home: Home, slack: Slack, server: SlackServer) -> None:
    """With people.toml broken and the database gone the file is latched all the same."""
    (home.path / "people.toml").write_text("[broken")
    home.engine.dispose()
    for path in home.path.glob("desk.db*"):
        path.unlink()
    (home.path / "desk.db").mkdir()
    assert handle(home, slack, *server.signed(server.slash(ANN, ""))).status == 200
    assert halt.read(home.path).halted


def test_halt_of_another_workspace_is_refused(home: Home, slack: Slack, server: SlackServer) -> None:
    """A shared channel does not lend the switch."""
    answer = handle(home, slack, *server.signed(server.slash(ANN, "ha", team="T0ELSE")))
    assert "own workspace" in answer.body["text"]
    assert not halt.read(home.path).halted


def test_halt_by_message_and_by_command_through_socket_mode(
    home: Home, slack: Slack, server: SlackServer, line: SocketConnection
) -> None:
    """A message that begins with /halt, mention or not; talk about halting, and bots, are not heard."""
    said = {"type": "message", "user": ANN, "channel": CHANNEL, "team": TEAM}
    for n, (text, more) in enumerate((("why not /halt it", {}), ("halt", {}), ("/halted", {}), ("/halt x", {"bot_id": "B1"}))):
        server.send("events_api", {"team_id": TEAM, "event": {**said, "text": text, **more}}, f"m-{n}")
        server.wait_ack(f"m-{n}")
    assert not halt.read(home.path).halted
    server.send("events_api", {"team_id": TEAM, "event": {**said, "text": "<@U0BOT> /halt venue is odd"}}, "m-9")
    server.wait_ack("m-9")
    assert halt.read(home.path).reason == "venue is odd"
    assert "HALTED by ann" in server.wait("chat.postEphemeral")[0]["text"]
    server.send("slash_commands", server.slash(BOB, "again"), "c-1")
    assert "HALTED" in server.wait_ack("c-1")["text"]


def test_the_line_comes_back_when_slack_hangs_up(home: Home, slack: Slack, server: SlackServer, line: SocketConnection) -> None:
    """Slack closes lines now and then; clicks arrive on the next one."""
    row = proposed(home)
    server.cut()
    server.wait_line()
    server.send("interactive", server.click(ANN, "reject", value_of(row)), "e-2")
    server.wait_ack("e-2")
    assert get(home.engine, row.id).state == "rejected"


def test_a_click_while_slack_is_down_decides_and_the_answer_is_kept(home: Home, slack: Slack, server: SlackServer) -> None:
    """The decision stands; what could not be said is a failed delivery; the card is brought up to date later."""
    row = proposed(home)
    deliveries.cards(home, ["slack"], now_ms())
    deliveries.deliver(home, [slack], now_ms())
    server.error = "invalid_auth"
    press(home, slack, server, ANN, "approve", value_of(row))
    assert get(home.engine, row.id).state == "applied"
    until(lambda: len(deliveries_of(home.engine, row.id)) >= 2, "no second delivery", lambda: deliveries_of(home.engine, row.id))
    server.error = ""
    (decided,) = [d for d in deliveries_of(home.engine, row.id) if d.step == "decided"]
    assert decided.state in ("failed", "waiting", "sending")


@pytest.mark.slow
def test_every_one_of_thirty_clicks_is_answered(home: Home, slack: Slack, server: SlackServer, line: SocketConnection) -> None:
    """Through the line, from the envelope to the acknowledgement and the answer; none is lost, none is answered twice."""
    for n in range(30):
        row = proposed(home)
        server.send("interactive", server.click(ANN, "reject", value_of(row)), f"p-{n}")
        server.wait_ack(f"p-{n}")
        assert len(server.wait("chat.postEphemeral", n + 1)) == n + 1
        assert get(home.engine, row.id).state == "rejected"


def test_no_text_of_others_takes_effect_in_slack(home: Home, slack: Slack, server: SlackServer) -> None:
    """Mentions, links, formats and control characters of a rationale arrive as text Slack does not interpret."""
    hostile = "<!channel> <https://evil.invalid|click> *bold* <@U0ANN> \u202egnp\x1b[31m ```x``` &amp;"
    proposed(home, rationale=hostile)
    deliveries.cards(home, ["slack"], now_ms())
    deliveries.deliver(home, [slack], now_ms())
    (body,) = server.posted()
    for block in body["blocks"]:
        for text in [block.get("text"), *[e.get("text", e) for e in block.get("elements", [])]]:
            if isinstance(text, dict) and text.get("type") == "mrkdwn":
                assert "evil" not in text["text"]
                assert text["verbatim"]
    assert "<!" not in body["text"]
    assert "\u202e" not in json.dumps(body, ensure_ascii=False)
    assert "\x1b" not in json.dumps(body, ensure_ascii=False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_no_token_is_written_anywhere(home: Home, slack: Slack, server: SlackServer, caplog: pytest.LogCaptureFixture) -> None:
    """Rows, journals, logs and errors hold none of the three secrets, also when Slack refuses the token."""
    caplog.set_level(logging.DEBUG)
    row = proposed(home)
    deliveries.cards(home, ["slack"], now_ms())
    server.error = "invalid_auth"
    deliveries.deliver(home, [slack], now_ms())
    server.error = ""
    press(home, slack, server, ANN, "approve", value_of(row))
    server.wait("chat.postEphemeral")
    secrets = [secret.encode() for secret in (BOT, APP, SECRET)]
    written = [p for p in home.path.rglob("*") if p.is_file() and any(s in p.read_bytes() for s in secrets)]
    assert written == []
    assert not any(s.decode() in caplog.text for s in secrets)


@pytest.mark.long
def test_a_thousand_races_of_two_clicks_decide_once_each(home: Home, slack: Slack) -> None:
    """S7, on two threads; exactly one decision each time."""
    from app.slack.actions import interaction

    def one(pair: tuple[str, str], value: str) -> str:
        answer = interaction(home, slack, SlackServer.click(*pair, value))
        assert answer is not None
        return answer.text

    with ThreadPoolExecutor(2) as pool:
        for n in range(1_000):
            row = proposed(home, rationale=f"round {n}")
            pairs = ((ANN, "approve"), (BOB, "reject")) if n == 999 else ((ANN, "reject"), (BOB, "reject"))
            texts = list(pool.map(one, pairs, [value_of(row)] * 2))
            assert sum("Journal" in text for text in texts) == 1, texts
            assert sum("Nothing was done" in text for text in texts) == 1, texts
