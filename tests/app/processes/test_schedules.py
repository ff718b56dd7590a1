"""The schedules: outside series only where desk.toml declares some, in a process that sees no venue's key; what a walk keeps."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.home.home import open_home
from app.processes.scheduler import Schedules
from engine.clock import DAY_MS, HOUR_MS
from engine.store.anchors import note_head
from engine.store.journal import Event, Journal
from engine.watch import flows, kept_lines
from engine.watch.outside_status import FILE
from tests.fakes.papers import WALL_MS, furnished


class Child:
    """A process that runs until told otherwise."""

    started: list[dict[str, Any]] = []  # noqa: RUF012 - each test has its own
    runs = True

    def __init__(self, command: list[str], **more: Any) -> None:
        self.started.append({"command": command, **more})

    def poll(self) -> int | None:
        return None if self.runs else 0

    def terminate(self) -> None:
        self.started[-1]["ended"] = True


def schedules(own_home: Path, outside: str) -> Schedules:
    """The schedules of a desk with this [outside]."""
    furnished(own_home)
    open_home(WALL_MS)
    with (own_home / "desk.toml").open("a") as file:
        file.write(outside)
    return Schedules(open_home(WALL_MS), [], clock=lambda: WALL_MS)


def test_a_declared_series_is_fetched_in_a_process_of_its_own(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is the person's; its environment has the source's key and the home, and neither a venue's key nor a model's."""
    monkeypatch.setattr(Child, "started", [])
    for name in ("GLASSNODE_API_KEY", "OKX_SECRET", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"of-{name}")
    watch = schedules(own_home, '\n[outside]\nseries = ["vix"]\n')
    monkeypatch.setattr(subprocess, "Popen", Child)
    watch.fetch_outside()
    watch.fetch_outside()
    (child,) = Child.started
    assert child["command"][-3:] == ["data", "fetch", "--due"]
    assert child["env"]["GLASSNODE_API_KEY"] == "of-GLASSNODE_API_KEY"
    assert child["env"]["NIGHTDESK_HOME"] == str(own_home)
    assert not {"OKX_SECRET", "OPENAI_API_KEY"} & set(child["env"])
    watch.stop()
    assert child["ended"]


@pytest.mark.parametrize(("outside", "seen"), [("", False), ('\n[outside]\nseries = ["vix"]\n', True)])
def test_without_a_declaration_nothing_is_fetched_nor_alerted(own_home: Path, outside: str, seen: bool) -> None:
    """The job exists only where series are declared; a status that is left from before makes no alert then."""
    watch = schedules(own_home, outside)
    dead = {
        "scheduled": True,
        "asked_ms": WALL_MS - 9,
        "too_old_ms": WALL_MS - 1,
        "last_ms": 0,
        "error": "no answer",
        "compared": [],
    }
    (own_home / "data").mkdir(exist_ok=True)
    (own_home / FILE).write_text(json.dumps({"feeds": {"vix/fred": dead}}))
    assert bool(watch.observer.observe(WALL_MS).outside) is seen
    watch.fetch_outside = lambda: None  # type: ignore[method-assign]  # the job alone is looked at
    watch.start()
    try:
        assert (watch._jobs.get_job("outside") is not None) is seen
    finally:
        watch.stop()


def test_the_walk_keeps_what_is_over_for_the_readers(own_home: Path) -> None:
    """Sums of days and lines of charts are files of the home after it."""
    watch = schedules(own_home, "")
    journal = Journal(watch.home.desk_journal, "worker")
    for day in range(3):
        journal.append([Event("mark", day * DAY_MS + HOUR_MS, {"sleeves": {}, "equity": 1.0})])
    note_head(watch.home.engine, "desk", journal.head, WALL_MS)
    journal.close()
    watch.walk()
    assert (own_home / kept_lines.FILE).exists()
    assert (own_home / flows.FILE).exists()
    watch.stop()
