"""`nightdesk halt` and the page name the makers that the halt has stopped, and those that have yet to."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.cli import halt as command
from app.home.home import open_home
from app.home.written import alone_in
from engine.control import halt
from engine.making.stored import JOURNAL, LOCK
from engine.making.under_halt import makers_under_halt, waited_for
from tests.engine.making.test_simulation import busy_market
from tests.fakes.commands import Typed, typed_in
from tests.fakes.paper_makers import on_paper


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A desk's home."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def typed(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run `nightdesk halt` in this process."""
    found = typed_in(command, home, monkeypatch, capsys)
    open_home()
    return found


def maker(tmp_path: Path, home: Path, name: str, *, until_halted: bool = True) -> threading.Thread:
    """A maker that rests on its tape until the desk is halted, then sees the latch; its lock is its own meanwhile."""
    opened = busy_market(tmp_path)
    ready = threading.Event()

    def latch() -> str:
        ready.set()
        while until_halted and not halt.read(home).halted:
            time.sleep(0.01)
        return halt.read(home).reason or ""

    def run() -> None:
        with alone_in(home / "making" / name, LOCK, "it runs"):
            on_paper(opened, home / "making" / name / JOURNAL, latch=latch, now_ms=lambda: time.time_ns() // 1_000_000)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30.0)
    return thread


def test_a_halt_names_the_makers_it_stopped(typed: Typed, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs, stopped before the answer; not one that was over long before; one that does not look is named as such."""
    maker(tmp_path, home, "over", until_halted=False).join(30.0)
    running = maker(tmp_path, home, "btc-1bps")
    monkeypatch.setattr("engine.making.under_halt.WAIT_MS", 1_000)
    with alone_in(home / "making" / "deaf", LOCK, "it hangs"):
        (home / "making" / "deaf" / JOURNAL).touch()
        code, printed, _ = typed("halt", "--reason", "storm", "--json")
    running.join(30.0)
    assert code == 0
    body: dict[str, Any] = json.loads(printed)
    assert body["makers"] == [
        {"name": "btc-1bps", "stopped": True, "ended": None},
        {"name": "deaf", "stopped": False, "ended": None},
    ]
    said = typed("halt", "again")[1]
    assert "maker btc-1bps: stopped" in said
    assert "maker over" not in said


def test_what_is_no_maker_is_not_named(home: Path) -> None:
    """Nor do a missing folder, a torn journal or a strange name break a halt."""
    assert makers_under_halt(home, 0) == []
    for name in ("sim", "..x", "torn"):
        (home / "making" / name).mkdir(parents=True)
    (home / "making" / "torn" / JOURNAL).write_bytes(b'{"seq":1,"kind":"halt","schema":\xff')
    (home / "making" / "file").write_text("x")
    assert makers_under_halt(home, 0) == []


def test_a_halt_waits_for_makers_no_longer_than_they_look(home: Path) -> None:
    """Two seconds at most, and not at all where none runs."""
    slept: list[float] = []
    assert waited_for(home, 0, slept.append) == []
    assert slept == []
    with alone_in(home / "making" / "deaf", LOCK, "it hangs"):
        (home / "making" / "deaf" / JOURNAL).touch()
        assert [one.stopped for one in waited_for(home, 0, slept.append)] == [False]
    assert sum(slept) == pytest.approx(2.0)


def test_a_halt_of_the_word_status_alone_halts_nothing(typed: Typed, home: Path) -> None:
    """Who types it wants to look; with more words, or with none, it halts."""
    code, _, said = typed("status")
    assert (code, halt.read(home).halted) == (1, False)
    assert "nightdesk status" in said
    typed("status", "looks", "wrong")
    assert halt.read(home).reason == "status looks wrong"
