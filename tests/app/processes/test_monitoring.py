"""When the monitor looks: by its interval, after alerts, never twice at once; a hung one is killed and alerts go on."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.processes.monitoring import GAP_MS, LONGEST_MS, Monitoring
from app.processes.scheduler import Schedules
from engine.clock import MINUTE_MS
from engine.control import halt
from engine.watch.alert_rows import AlertChange
from tests.fakes.papers import WALL_MS, furnished

OPENED = [AlertChange("al-1", "opened")]


class Child:
    """A process that runs until it is killed or ends."""

    made: list["Child"] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, command: list[str], **more: Any) -> None:
        self.command, self.env, self.code = command, more["env"], None
        self.made.append(self)

    def poll(self) -> int | None:
        """Its exit code."""
        return self.code

    def kill(self) -> None:
        """Ends it."""
        self.code = -9


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A desk whose monitor looks once an hour."""
    furnished(own_home)
    open_home(WALL_MS)
    toml = own_home / "desk.toml"
    toml.write_text(toml.read_text() + "\n[monitor]\nevery_minutes = 60\n")
    Child.made = []
    monkeypatch.setattr(subprocess, "Popen", Child)
    return open_home(WALL_MS)


def test_it_looks_by_its_interval_and_after_an_alert(home: Home) -> None:
    """At once, then each hour; an alert brings it forward, not within two minutes of the last, and only once."""
    now = WALL_MS
    monitor = Monitoring(home, lambda: now)
    assert monitor.look_when_due()
    Child.made[-1].code = 0
    now += 59 * MINUTE_MS
    assert not monitor.look_when_due()
    now += MINUTE_MS
    assert monitor.look_when_due()
    Child.made[-1].code = 0
    monitor.alerted(OPENED)
    now += GAP_MS - 1
    assert not monitor.look_when_due()
    now += 1
    assert monitor.look_when_due()
    Child.made[-1].code = 0
    now += GAP_MS
    assert not monitor.look_when_due()


def test_a_hung_look_is_killed_and_no_second_one_beside_it(home: Home) -> None:
    """After ten minutes; the next comes by the interval."""
    now = WALL_MS
    monitor = Monitoring(home, lambda: now)
    monitor.look_when_due()
    now += LONGEST_MS
    assert (monitor.look_when_due(), Child.made[0].code) == (False, None)
    now += 1
    assert (monitor.look_when_due(), Child.made[0].code) == (False, -9)
    now += 60 * MINUTE_MS
    assert monitor.look_when_due()


def test_a_look_sees_a_models_key_and_no_venues(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API may see."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OKX_KEY", "venue")
    Monitoring(home, lambda: WALL_MS).look_when_due()
    (child,) = Child.made
    assert child.command[-1] == "app.monitor.look"
    assert child.env["OPENAI_API_KEY"] == "k"
    assert "OKX_KEY" not in child.env


def test_a_monitor_that_cannot_start_keeps_no_alert(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check opens its alerts whatever the monitor does: it hands over a list, and starts nothing itself."""

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no process")

    monkeypatch.setattr(subprocess, "Popen", broken)
    schedules = Schedules(home, [], clock=lambda: WALL_MS)
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS)
    assert [change.step for change in schedules.check()] == ["opened"]
    with pytest.raises(OSError, match="no process"):
        schedules.monitor.look_when_due()


def test_it_is_off_without_an_interval(own_home: Path) -> None:
    """Nothing is started."""
    furnished(own_home)
    home = open_home(WALL_MS)
    monitor = Monitoring(home, lambda: WALL_MS)
    monitor.alerted(OPENED)
    assert not monitor.look_when_due()
