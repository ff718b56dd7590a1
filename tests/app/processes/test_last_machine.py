"""A home that comes from another machine: refused while it runs there, halted where it trades an account, said on paper."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from app.processes import last_machine
from app.processes.last_machine import FRESH_MS, arrive, came_from, machine
from app.processes.started import note_machine
from engine.control import halt
from engine.control.started import STARTED_FILE, started_of
from engine.errors import Busy
from engine.watch import heartbeat

NOW_MS = 1_760_000_000_000


def home(path: Path, mode: str = "paper", database: Path | None = None) -> Any:
    """A home as far as a start looks at it."""
    own = create_engine(f"sqlite:///{database or path / 'desk.db'}")
    desk = SimpleNamespace(mode=mode, **dict.fromkeys(("slack", "telegram", "discord", "webhooks")))
    return SimpleNamespace(path=path, desk=desk, engine=own if mode == "paper" else None, id="h-1")


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
    """By a heartbeat of the last minute; it says where, and nothing is halted. A paper desk that rests starts at once: a
    container that was made anew has another name."""
    beats(elsewhere, NOW_MS - FRESH_MS + 1)
    with pytest.raises(Busy, match="runs on nas-1: its worker was alive 59 s ago"):
        arrive(home(elsewhere, "live"), NOW_MS)
    assert not (elsewhere / halt.FILE).exists()
    assert "last ran on nas-1" in arrive(home(elsewhere), NOW_MS, still)
    with pytest.raises(Busy, match="runs on nas-1: its worker is alive: its heartbeat moves -"):
        arrive(home(elsewhere), NOW_MS, lambda _: beats(elsewhere, NOW_MS))


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
    """A sentence, which the home's log keeps, no halt; the next start here says nothing."""
    (elsewhere / "logs").mkdir()
    said = arrive(home(elsewhere), NOW_MS)
    assert said == "This home last ran on nas-1; if a copy still runs there, the two share nothing from here on."
    assert json.loads((elsewhere / "logs" / "home.jsonl").read_text()) == {"event": said, "home_id": "h-1", "wall_ms": NOW_MS}
    assert not (elsewhere / halt.FILE).exists()
    note_machine(elsewhere)
    assert arrive(home(elsewhere), NOW_MS) == ""


def test_the_same_machine_is_no_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name too; a home without a note, of an older program, comes from nowhere."""
    monkeypatch.setattr(last_machine, "MACHINE_ID", _file(tmp_path / "id", "one"))
    assert came_from(tmp_path, NOW_MS) == ""
    note_machine(tmp_path)
    monkeypatch.setattr(last_machine.platform, "node", lambda: "renamed")
    assert came_from(tmp_path, NOW_MS) == ""
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
    assert came_from(tmp_path, NOW_MS) == "desk"
    assert "machine" in json.loads((tmp_path / STARTED_FILE).read_text())


@pytest.fixture
def copied(tmp_path: Path) -> tuple[Path, Path]:
    """A home that has started, and its copy in another folder of this machine."""
    original, copy = tmp_path / "desk", tmp_path / "copy"
    original.mkdir()
    (original / "home.json").write_text('{"home_id": "h-1", "database": "sqlite:desk.db"}')
    note_machine(original)
    shutil.copytree(original, copy)
    return original, copy


def test_a_copy_beside_its_original_is_said_once(copied: tuple[Path, Path]) -> None:
    """Where the original is, whether it runs, and what the two have in common; no halt, and the original says nothing."""
    original, copy = copied
    beats(original, NOW_MS)
    assert arrive(home(copy), NOW_MS, still) == (
        f"This home is a copy of {original}, which is still there; if both run, the two share nothing from here on."
    )
    own = home(copy, database=original / "shared.db")
    own.desk.slack = object()
    running = arrive(own, NOW_MS, lambda _: beats(original, NOW_MS + 1_000))
    assert "which runs (its worker is alive: its heartbeat moves); if both run" in running
    assert running.endswith(
        f"both write into sqlite:{original / 'shared.db'} and both write and answer by Slack: stop one of them."
    )
    assert not (copy / halt.FILE).exists()
    note_machine(copy)
    assert arrive(home(copy), NOW_MS, still) == arrive(home(original), NOW_MS, still) == ""


def test_an_honest_move_is_nothing_to_say(copied: tuple[Path, Path], tmp_path: Path) -> None:
    """Renamed; a link to it; another desk in the old place; a restored home, which has no note."""
    original, copy = copied
    link = tmp_path / "link"
    link.symlink_to(original)
    assert arrive(home(link), NOW_MS, still) == ""
    (original / "home.json").write_text('{"home_id": "h-2", "database": "sqlite:desk.db"}')
    assert arrive(home(copy), NOW_MS, still) == ""
    shutil.rmtree(original)
    assert arrive(home(copy), NOW_MS, still) == ""
    (copy / STARTED_FILE).unlink()
    assert arrive(home(copy, "live"), NOW_MS, still) == ""


def test_two_machines_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers without an id and with the name that a compose file gives: by a heartbeat of another kernel that is younger than
    this one. After a restart of the machine, and in a container made anew, it is older, or the kernel is the same."""
    monkeypatch.setattr(last_machine, "MACHINE_ID", tmp_path / "none")
    monkeypatch.setattr(last_machine.platform, "node", lambda: "nightdesk")
    monkeypatch.setattr(heartbeat, "BOOT_ID", _file(tmp_path / "boot", "one"))
    monkeypatch.setattr(last_machine, "up_ms", lambda: 600_000)  # ten minutes
    note_machine(tmp_path)
    beats(tmp_path, NOW_MS - 300_000)
    assert came_from(tmp_path, NOW_MS) == ""
    (tmp_path / "boot").write_text("two")
    assert came_from(tmp_path, NOW_MS) == "another machine named nightdesk"
    beats(tmp_path, NOW_MS - 700_000)
    assert came_from(tmp_path, NOW_MS) == ""
