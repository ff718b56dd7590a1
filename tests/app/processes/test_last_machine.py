"""A home that comes from another machine: refused while it runs there, halted where it trades an account, said on paper."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.processes import last_machine
from app.processes.last_machine import FRESH_MS, arrive, came_from, machine
from app.processes.started import note_machine
from engine.control import halt
from engine.control.started import STARTED_FILE, started_of
from engine.errors import Busy
from engine.watch import heartbeat

NOW_MS = 1_760_000_000_000


def home(path: Path, mode: str = "paper") -> Any:
    """A home as far as a start looks at it."""
    return SimpleNamespace(path=path, desk=SimpleNamespace(mode=mode), engine=None)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose last start was on nas-1."""
    with monkeypatch.context() as there:
        there.setattr(last_machine, "MACHINE_ID", _file(tmp_path / "id", "another"))
        there.setattr(last_machine.platform, "node", lambda: "nas-1")
        note_machine(tmp_path)
    return tmp_path


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def still(_: float) -> None:
    """Nothing happens while the heartbeat is watched."""


def beats(path: Path, wall_ms: int) -> None:
    """The worker of that home was alive then."""
    (path / heartbeat.FILE).write_text(json.dumps({"pid": 1, "wall_ms": wall_ms}))


def test_a_home_that_runs_elsewhere_is_refused(elsewhere: Path) -> None:
    """By a heartbeat of the last minute; it says where, and nothing is halted."""
    beats(elsewhere, NOW_MS - FRESH_MS + 1)
    with pytest.raises(Busy, match="runs on nas-1: its worker was alive 59 s ago"):
        arrive(home(elsewhere, "live"), NOW_MS)
    assert not (elsewhere / halt.FILE).exists()


@pytest.mark.parametrize("mode", ["shadow", "testnet", "live"])
def test_a_desk_of_an_account_comes_up_halted(elsewhere: Path, mode: str) -> None:
    """Nobody here knows whether the other one still runs."""
    beats(elsewhere, NOW_MS - FRESH_MS)
    assert arrive(home(elsewhere, mode), NOW_MS, still) == (
        "HALTED: this home last ran on nas-1: stop it there, reconcile, then release"
    )
    assert "nas-1" in (elsewhere / halt.FILE).read_text()


@pytest.mark.parametrize("apart_ms", [-3_600_000, 3_600_000])
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_clocks_that_are_apart_hide_no_worker(elsewhere: Path, apart_ms: int, mode: str) -> None:
    """An hour behind ours its heartbeat is old, and it moves: it was taken for a home that nobody runs."""
    beats(elsewhere, NOW_MS + apart_ms)
    with pytest.raises(Busy, match="runs on nas-1: its worker is alive: its heartbeat moves"):
        arrive(home(elsewhere, mode), NOW_MS, lambda _: beats(elsewhere, NOW_MS + apart_ms + 1_000))
    assert not (elsewhere / halt.FILE).exists()


def test_a_heartbeat_of_the_future_that_rests_keeps_nobody_out(elsewhere: Path) -> None:
    """The other clock was an hour ahead: until then every start here was refused, with `alive 0 s ago`."""
    beats(elsewhere, NOW_MS + 3_600_000)
    assert "last ran on nas-1" in arrive(home(elsewhere), NOW_MS, still)


def test_paper_is_told_and_goes_on(elsewhere: Path) -> None:
    """A sentence, no halt; the next start here says nothing."""
    assert "last ran on nas-1" in arrive(home(elsewhere), NOW_MS)
    assert not (elsewhere / halt.FILE).exists()
    note_machine(elsewhere)
    assert arrive(home(elsewhere), NOW_MS) == ""


def test_the_same_machine_is_no_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name too; a home without a note, of an older program, comes from nowhere."""
    monkeypatch.setattr(last_machine, "MACHINE_ID", _file(tmp_path / "id", "one"))
    assert came_from(tmp_path) == ""
    note_machine(tmp_path)
    monkeypatch.setattr(last_machine.platform, "node", lambda: "renamed")
    assert came_from(tmp_path) == ""
    beats(tmp_path, NOW_MS)
    assert arrive(home(tmp_path, "live"), NOW_MS) == ""


def test_a_machine_without_an_id_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: whose name is given, and stays."""
    monkeypatch.setattr(last_machine, "MACHINE_ID", tmp_path / "none")
    monkeypatch.setattr(last_machine.platform, "node", lambda: "desk")
    first = machine()
    note_machine(tmp_path)
    assert machine() == first
    assert started_of(tmp_path)["machine"] == first
    monkeypatch.setattr(last_machine.platform, "node", lambda: "other")
    assert came_from(tmp_path) == "desk"
    assert "machine" in json.loads((tmp_path / STARTED_FILE).read_text())
