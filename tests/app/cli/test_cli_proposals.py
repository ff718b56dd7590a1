"""The proposals and halt commands as a person types them: what they print, what they exit with."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import halt as halt_commands
from app.cli import people as people_commands
from app.cli import proposals as commands
from app.cli.words import shown
from app.home.home import Home, open_home
from app.people.identity import add_person
from app.views.proposal_card import left
from engine.control import halt, proposals
from engine.control.config import active
from engine.errors import BadInput, Refused
from engine.store.journal import Event, Journal, read
from engine.watch.halt_left import HaltState
from tests.fakes.waiting import WAIT_S

PROGRAM = """
import sys, typer
from app.cli import halt, out, proposals
from engine.errors import DeskError
app = typer.Typer(pretty_exceptions_enable=False)
proposals.register(app)
halt.register(app)
try:
    code = app(standalone_mode=False)
except DeskError as error:
    code = out.fail(error, as_json="--json" in sys.argv)
sys.exit(code if isinstance(code, int) else 0)
"""


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home()


def _app() -> typer.Typer:
    """The commands of this file's subject."""
    app = typer.Typer()
    commands.register(app)
    halt_commands.register(app)
    people_commands.register(app)
    return app


def _call(*words: str, typed: str | None = None) -> str:
    """Run a command in this process; its stdout. What it raises is raised."""
    done = CliRunner().invoke(_app(), words, input=typed, catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


def _start(home: Home, *words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "NIGHTDESK_HOME": str(home.path)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], env=environment, stdout=-1, stderr=-1, text=True, cwd=Path.cwd()
    )


def of_params(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes that are parameters."""
    return {key: value for key, value in changes.items() if key not in ("paused", "stage")}


def _propose(home: Home, changes: dict[str, Any] | None = None, rationale: str = "because", **more: Any) -> str:
    """A pending proposal of btc-trend, or another sleeve, with stored evidence that cannot tell the two apart."""
    changes, sleeve = changes or {"stop_atr": 3.0}, more.get("sleeve", "btc-trend")
    config, evidence = active(home.engine, home.path).config.sleeve(sleeve), []
    for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
        run_id = f"r-20231114-{n:08x}"
        (home.runs / run_id).mkdir(exist_ok=True)
        run = {
            "sleeves": [{"strategy": "trend", "symbol": config.symbol, "params": {**config.params, **of_params(params)}}],
            "data": {"source": "recorded", "bars": 35_040, "first_ms": 1_735_689_600_000, "last_ms": 1_767_224_700_000},
            "code_hash": "c",
            "metrics": {"total_return_frac": 0.0312 - n / 100, "sharpe": 0.41, "trades": 148, "funding": None},
        }
        (home.runs / run_id / "run.json").write_text(json.dumps(run))
        evidence.append({"role": role, "run_id": run_id})
    gap = {"difference_frac": 1e-4, "low_frac": -2e-4, "high_frac": 4e-4, "level": 0.95, "days": 365}
    evidence.append({"role": "comparison", "text": "cannot be told apart", "told_apart": False, **gap})
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    more = {"now_ms": time.time_ns() // 1_000_000, "sleeve": sleeve, "requester": who, **more}
    return proposals.create(home.engine, home.path, changes=changes, evidence=evidence, rationale=rationale, **more).id


def test_show_prints_the_whole_card(home: Home) -> None:
    """Old and new, bounds, direction, worst case, evidence side by side, verdict, warning, expiry, what to type."""
    _propose(home, {"stop_atr": 3.0, "leverage_max": 4.0})
    text = _call("proposals", "show", "1")
    for words in (
        "proposal: prop-1, pending, PAPER",
        "sleeve: btc-trend, from version 1",
        "direction: LOOSENS - worst-case leverage rises from 3 to 4",
        "0 to 20 ATR",
        "worst case, in multiples of the sleeve's equity  before  after",
        "leverage                                              3      4",
        "r-20231114-00000000",
        "3.12 %",
        "RECORDED",
        "2025-01-01 to 2025-12-31",
        "35,040",
        "mean daily return: +1.00 bps (-2.00 to +4.00), 95 % interval over the 365 whole days that both traded",
        "THE TWO CANNOT BE TOLD APART",
        "warning: reward to risk is 1.33",
        "requested by: developer for ann in t-1",
        "expires in 23 h 59 min",
        "nightdesk proposals approve prop-1 --sha",
    ):
        assert words in text


def test_a_choice_is_shown_with_its_words(home: Home) -> None:
    """Market to limit: the words it may be, and that no risk moves."""
    _propose(home, {"entry": "limit"})
    text = _call("proposals", "show", "1")
    assert "direction: NEUTRAL - entry leaves the most that can be lost or held unchanged" in text
    assert re.search(r"entry +market +limit +market or limit +neutral", text)
    assert "entry market -> limit" in _call("proposals", "list")


def test_text_of_others_cannot_redraw_the_card(home: Home) -> None:
    """Escape sequences, line breaks and direction marks of a model arrive as letters."""
    _propose(home, rationale="fine\x1b[2J\x1b[H\r\napproved by ann\u202e\u200b\x9b1m")
    for text in (_call("proposals", "show", "1"), _call("proposals", "list")):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert r"why: fine\x1b[2J\x1b[H\r\napproved by ann\u202e\u200b\x9b1m" in _call("proposals", "show", "1")


def test_approve_reject_rollback_by_name(home: Home) -> None:
    """What each prints is what happened; the list shows it."""
    _propose(home)
    sha = proposals.get(home.engine, "prop-1").diff_sha256
    done = _json("proposals", "approve", "1", "--as", "ann", "--sha", sha[:8])
    assert (done["state"], done["version"], done["actor"]["name"]) == ("applied", 2, "ann")
    _propose(home, {"stop_atr": 4.0})
    assert _json("proposals", "reject", "2", "--reason", "no", "--as", "bob")["state"] == "rejected"
    assert _json("proposals", "rollback", "prop-1", "--as", "bob")["version"] == 3
    items = _json("proposals", "list")["items"]
    assert [(i["id"], i["state"]) for i in items] == [("prop-3", "applied"), ("prop-2", "rejected"), ("prop-1", "applied")]
    assert [i["id"] for i in _json("proposals", "list", "--state", "rejected")["items"]] == ["prop-2"]
    with pytest.raises(BadInput, match="unknown state 'maybe'"):
        _call("proposals", "list", "--state", "maybe")
    assert "applied as version 2 by ann (claimed" in _call("proposals", "show", "1")
    assert "rejected by bob" in _call("proposals", "show", "2")


def test_two_cards_of_two_sleeves_are_approved_one_after_the_other(home: Home) -> None:
    """The second is still pending after the first, is applied as it was shown, and each sleeve counts its own versions."""
    _propose(home)
    _propose(home, {"paused": True}, sleeve="eth-trend")
    first = _json("proposals", "approve", "prop-1", "--as", "ann")
    assert (first["version"], first["sleeves"]) == (2, {"btc-trend": 2})
    assert _json("proposals", "show", "prop-2")["state"] == "pending"
    assert "sleeve: eth-trend, from version 1" in _call("proposals", "show", "prop-2")
    second = _call("proposals", "approve", "prop-2", "--as", "ann")
    assert "prop-2 applied as version 3 (eth-trend v2)" in second
    assert "NO WORKER RUNS: until one does (nightdesk up), the desk runs the version before." in second
    parts = [_json("proposals", "show", ident)["parts"][0] for ident in ("prop-1", "prop-2")]
    assert [(p["sleeve"], p["from_version"], p["to_version"]) for p in parts] == [("btc-trend", 1, 2), ("eth-trend", 1, 2)]


def test_rolling_back_one_sleeve_leaves_the_other(home: Home) -> None:
    """By --sleeve and a version of its own, or by the proposal that is undone; the desk's version says nothing of others."""
    _propose(home)
    _propose(home, {"paused": True}, sleeve="eth-trend")
    for ident in ("prop-1", "prop-2"):
        _json("proposals", "approve", ident, "--as", "ann")
    shown = _call("proposals", "rollback", "1", "--sleeve", "btc-trend", "--preview", "--as", "bob")
    assert "direction: MIXED, treated as loosening - stop_atr" in shown
    assert "Nothing was rolled back." in shown
    assert active(home.engine, home.path).version == 3
    text = _call("proposals", "rollback", "1", "--sleeve", "btc-trend", "--as", "bob")
    assert re.search(r"stop_atr +3 +2 +0 to 20 ATR", text)
    assert "(MIXED, treated as loosening), by bob" in text
    assert re.search(r"prop-1 .* rolled back ", _call("proposals", "list"))
    assert "Rolled back to btc-trend version 1, as version 4 (btc-trend v3)" in text
    now = active(home.engine, home.path)
    assert (now.config.sleeve("btc-trend").params["stop_atr"], now.config.sleeve("eth-trend").paused) == (2.0, True)
    assert _json("proposals", "rollback", "prop-2", "--as", "bob")["sleeves"] == {"eth-trend": 3}
    assert not active(home.engine, home.path).config.sleeve("eth-trend").paused
    with pytest.raises(BadInput, match="prop-2 did not change sol-reversion"):
        _call("proposals", "rollback", "prop-2", "--sleeve", "sol-reversion", "--as", "bob")
    with pytest.raises(BadInput, match="sleeve eth-trend has no version 9"):
        _call("proposals", "rollback", "9", "--sleeve", "eth-trend", "--as", "bob")


def test_the_card_of_several_sleeves_names_each_and_says_all_or_none(home: Home) -> None:
    """Each sleeve with the version it was made against; a parameter carries its sleeve; one word in the list."""
    who = {"role": "operator", "thread": "t-1", "person": "ann"}
    wanted = {"btc-trend": {"paused": True}, "sol-reversion": {"stage": "retired"}}
    given = {"evidence": {}, "rationale": "storm", "requester": who, "now_ms": time.time_ns() // 1_000_000}
    proposals.create_spanning(home.engine, home.path, changes=wanted, **given)
    text = _call("proposals", "show", "1")
    assert "sleeve: btc-trend, from version 1, sol-reversion, from version 1; all or none" in text
    assert "btc-trend.paused" in text
    assert "sol-reversion.stage" in text
    assert re.search(r"btc-trend, sol… TIGHTENS .* btc-trend.paused no -> yes; sol-re", _call("proposals", "list"))
    assert _json("proposals", "approve", "1", "--as", "ann")["sleeves"] == {"btc-trend": 2, "sol-reversion": 2}


def test_a_step_towards_money_is_refused_in_one_line(home: Home) -> None:
    """The card can be read; its approval says why not."""
    _propose(home, {"stage": "live"})
    with pytest.raises(Refused, match="ann has no passphrase: a step towards money takes one"):
        _call("proposals", "approve", "1", "--as", "ann")
    assert _json("proposals", "show", "1")["state"] == "pending"


def test_without_a_name_nothing_is_decided(home: Home) -> None:
    """Approve, reject and roll back ask for a name, as a release does: the machine's account is nobody's decision."""
    _propose(home)
    for words in (("approve", "1"), ("reject", "1"), ("rollback", "1")):
        done = CliRunner().invoke(_app(), ["proposals", *words])
        assert (done.exit_code, "--as" in done.output) == (2, True)
    assert proposals.get(home.engine, "prop-1").state == "pending"


def test_another_diff_than_shown_is_refused(home: Home) -> None:
    """Also a prefix too short to mean anything."""
    _propose(home)
    sha = proposals.get(home.engine, "prop-1").diff_sha256
    for wrong in ("deadbeef", sha[:3]):
        with pytest.raises(Refused, match="not the diff you saw"):
            _call("proposals", "approve", "1", "--sha", wrong, "--as", "ann")


@pytest.mark.slow
def test_two_commands_approve_at_once_one_exits_0_one_1(home: Home) -> None:
    """The loser gets one clear line and no traceback; the journal tells both stories."""
    _propose(home)
    both = [_start(home, "proposals", "approve", "prop-1", "--as", name) for name in ("ann", "bob")]
    said = [process.communicate(timeout=WAIT_S) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    loser = next(err for process, (_, err) in zip(both, said, strict=True) if process.returncode == 1)
    assert loser.startswith("nightdesk: prop-1 cannot be applied: ")
    assert len(loser.splitlines()) == 1
    assert active(home.engine, home.path)[0] == 2
    outcomes = sorted(e.body["outcome"] for e in read(home.people_journal, {"decision"}))
    assert outcomes == ["applied", "refused"]


def test_an_expired_proposal_exits_1_with_one_line(home: Home) -> None:
    """Expiry is wall time."""
    _propose(home, now_ms=time.time_ns() // 1_000_000 - 86_400_001)
    process = _start(home, "proposals", "approve", "prop-1", "--as", "ann", "--json")
    output, complaint = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert complaint == "nightdesk: prop-1 is expired: not decided in time - ask for a new proposal\n"
    assert json.loads(output)["error"]["kind"] == "Refused"
    assert "expired at" in _call("proposals", "show", "1")


def test_an_empty_desk_says_what_to_do(home: Home) -> None:
    """No proposals is no error."""
    assert "nightdesk chat" in _call("proposals", "list")
    assert _json("proposals", "list") == {"items": []}


def test_halt_and_release(home: Home) -> None:
    """Latched in both places, journaled, released by name and reason after the probe."""
    value = _json("halt", "--reason", "prices look wrong", "--as", "ann")
    assert (value["halted"], value["by"], value["notes"]) == (True, "ann", [])
    assert halt.read(home.path, home.engine).where == ("file", "database")
    assert "HALTED since" in _call("halt", "--reason", "again")
    assert _json("release", "--reason", "feed is back", "--as", "bob")["released"]["reason"] == "prices look wrong"
    assert not halt.read(home.path, home.engine).halted
    assert [e.kind for e in read(home.people_journal)] == ["halt", "halt", "release", "decision"]
    with pytest.raises(Refused, match="not halted"):
        _call("release", "--reason", "x", "--as", "bob")


def test_halt_works_with_a_broken_desk(own_home: Path) -> None:
    """A desk.toml with a fault, a broken journal, no database: halted by file, and it says so."""
    own_home.mkdir()
    (own_home / "desk.toml").write_text("broken [")
    value = _json("halt", "--reason", "all is broken")
    assert value["halted"]
    assert "halted by file alone" in value["notes"][0]
    assert halt.read(own_home).reason == "all is broken"


def test_halting_where_no_desk_is_says_so(own_home: Path) -> None:
    """A halt of the wrong home would look like safety."""
    with pytest.raises(BadInput, match="no desk exists at"):
        _call("halt", "--reason", "x")
    with pytest.raises(BadInput, match="no desk exists at"):
        _call("halt")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "no reason given"),
        (("--reason", " "), "no reason given"),
        (("too", "many", "losses"), "too many losses"),
        (("--resaon", "spread", "gone"), "--resaon spread gone"),
        (("--reason", "x" * 100_000), "x" * 1_000),
    ],
)
def test_a_halt_needs_nothing(own_home: Path, words: tuple[str, ...], reason: str) -> None:
    """No reason, bare words, a mistyped option, a reason of any length: the desk is halted."""
    own_home.mkdir()
    (own_home / "desk.toml").write_text("broken [")
    assert _json("halt", *words)["reason"] == reason
    assert halt.read(own_home).halted


def test_the_reason_of_a_halt_may_follow(home: Home) -> None:
    """Halted in a hurry, explained a minute later: file and database both show the reason, since the first halt."""
    first = _json("halt")
    _call("halt", "the", "feed", "froze")
    for latch in (halt.read(home.path, home.engine), halt.read(home.path)):
        assert (latch.reason, latch.since_ms) == ("the feed froze", first["since_ms"])
    (home.path / "HALT").unlink()
    assert halt.read(home.path, home.engine).reason == "the feed froze"


def test_a_release_before_a_halt_has_ended_says_what_was_left(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's positions are being closed while its venue is away: a person who releases hears of them."""
    line = "btc-trend: long 0.331, is being closed at the venue"
    monkeypatch.setattr("engine.watch.halt_left.halt_state", lambda _path, _since_ms: HaltState("KILL_INCOMPLETE", [line]))
    _call("halt", "--reason", "tried")
    said = _call("release", "--reason", "looked", "--as", "bob")
    assert said.endswith(f"still there then:\n  {line}\n")
    _call("halt", "--reason", "tried")
    assert _json("release", "--reason", "looked", "--as", "bob")["left"] == [line]


def test_release_is_refused_while_a_journal_does_not_verify(home: Home) -> None:
    """The probe reads what the desk would trade on."""
    journal = Journal(home.desk_journal, "worker")
    journal.append([Event("bar", 1, {"close": 1.5})] * 3)
    journal.close()
    home.desk_journal.write_bytes(home.desk_journal.read_bytes().replace(b"1.5", b"2.5", 1))
    _call("halt", "--reason", "x")
    with pytest.raises(Refused, match="desk line 1: its hash does not fit"):
        _call("release", "--reason", "x", "--as", "ann")
    assert halt.read(home.path, home.engine).halted


def test_with_people_listed_names_are_proven_and_a_release_is_sealed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token by environment, the passphrase typed; halting needs neither."""
    token = add_person(home.path, "ann", "open sesame")
    _propose(home)
    with pytest.raises(Refused, match="was not recognised"):
        _call("proposals", "approve", "1", "--as", "ann")
    _call("halt", "--reason", "x", "--as", "anybody")
    monkeypatch.setenv("NIGHTDESK_TOKEN", token)
    with pytest.raises(Refused, match="wrong passphrase"):
        _call("release", "--reason", "x", "--as", "ann", typed="sesame\n")
    _call("release", "--reason", "x", "--as", "ann", typed="open sesame\n")
    _propose(home, now_ms=time.time_ns() // 1_000_000 + 10)
    assert _json("proposals", "approve", "2", "--as", "ann")["actor"]["assurance"] == "session"


def test_people_add_gives_a_token_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first comes freely; from then on somebody listed has to be there."""
    token = _call("people", "add", "ann").strip()
    with pytest.raises(Refused, match="was not recognised"):
        _call("people", "add", "eve", typed="ann\n")
    monkeypatch.setenv("NIGHTDESK_TOKEN", token)
    assert _call("people", "add", "bob", typed="ann\n")


def test_words() -> None:
    """Spelled-out characters and spans of time."""
    assert shown("a\tb\u2028é\U0001f600") == "a\\tb\\u2028é\U0001f600"
    assert left(3_600_000 * 3 + 60_000, 0) == "expires in 3 h 1 min"
    assert left(0, 0) == "expired"
