"""The worker as a process of its own against a local venue behind sockets, on this machine's clock: minutes, so it is long."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from app.processes.children import allowed_worker, worker_command
from engine.store.journal import read
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.canaries import SECRETS
from tests.fakes.exchange.by_the_clock import Standing, standing
from tests.fakes.live_homes import store_past, written
from tests.fakes.running_desk import nightdesk
from tests.fakes.waiting import until

KEYS = {
    "okx": {"OK_KEY": "key", "OK_SECRET": "secret", "OK_PASS": "pass"},
    "binance": {"OK_KEY": "key", "OK_SECRET": "secret"},
    "bybit": {"OK_KEY": "key", "OK_SECRET": "secret"},
}
PAST_HOURS = 26


def started(home: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A worker with what a supervisor would give it of a whole environment."""
    given = allowed_worker({**environment, **SECRETS}, home)
    return subprocess.Popen(worker_command([]), env=given, start_new_session=True)


@pytest.mark.long
@pytest.mark.parametrize("venue", ["okx", "binance", "bybit"])
def test_an_account_is_traded_by_a_process_that_is_killed_and_halted(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    """It enters at a close, its stop is there; its environment has the account's keys and no model's; killed, it finds both;
    `nightdesk halt` ends flat, and status says what it trades all along."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name, value in KEYS[venue].items():
        monkeypatch.setenv(name, value)
    with standing(venue, PAST_HOURS) as at:
        written(own_home, venue, account=True, timeframe="1m", urls=(at.rest_url, at.ws_url))
        store_past(own_home, venue, at.venue.exchange, "1m")
        worker = started(own_home, dict(os.environ))
        try:
            traded(own_home, at, worker, venue)
            os.kill(heartbeat_of(own_home)["pid"], signal.SIGKILL)
            worker.wait(10)
            lots = at.lots
            assert (lots > 0, at.stops) == (True, 1)
            worker = started(own_home, dict(os.environ))
            until(lambda: heartbeat_of(own_home).get("phase") == "running", "no worker came back")
            assert (at.lots, at.stops) == (lots, 1)
            assert nightdesk("halt", "the test ends").returncode == 0
            until(lambda: (at.lots, at.stops) == (0, 0), "not flat", lambda: (at.lots, at.stops))
            until(lambda: any("KILLED" in str(e.body) for e in read(own_home / "journal" / "desk.jsonl", {"incident"})), "no end")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        finally:
            worker.kill()
            worker.wait()


def traded(home: Path, at: Standing, worker: "subprocess.Popen[bytes]", venue: str) -> None:
    """It runs and has entered; nothing but the account's keys came with it, and none is in what it wrote."""
    until(lambda: heartbeat_of(home).get("phase") == "running", "no worker runs", lambda: heartbeat_of(home))
    seen = Path(f"/proc/{heartbeat_of(home)['pid']}/environ").read_bytes().decode()
    names = {entry.partition("=")[0] for entry in seen.split("\0") if entry}
    assert set(KEYS[venue]) <= names
    assert not names & set(SECRETS)
    until(lambda: at.lots > 0 and at.stops == 1, "no entry with its stop", lambda: (at.lots, at.stops))
    status = json.loads(nightdesk("status", "--json").stdout)
    assert (status["mode"], status["stamp"], status["source"]) == ("testnet", "TESTNET", "live")
    assert "TESTNET on live bars" in nightdesk("status").stdout
    written_there = [path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix in (".jsonl", ".json")]
    assert not any(b'"secret"' in text or b'"pass"' in text for text in written_there)
