"""`nightdesk models shadow` as a person types it, and the process that the supervisor starts each hour."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.cli.trained_models import list_text
from app.home.home import open_home
from app.jobs.training import stored
from app.processes.scheduler import Schedules
from engine.watch.shadow_journal import place_of
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of
from tests.fakes.stored_models import store

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command in a home whose desk has decided on ten bars: (exit code, stdout, stderr)."""
    furnished(own_home)
    home = open_home(WALL_MS)
    store(home.path / "models")
    with_own(home, 'direction = np.where(f.model("vol-btc") > 0, 1, -1)', 'MODELS = ("vol-btc",)')
    store(home.path / "models", version="1.0.1", days=(20, 25, 30, 35))
    run_bars(10)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "GROUPS", ("trained_models",))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", "models", "shadow", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return typed


def run_bars(count: int, book: Any = None) -> Any:
    """The desk decides on more bars; its book."""
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home), book), count)
    loop.signals.keep([])
    loop.journal.close()
    return loop.book


def test_a_shadow_begins_reports_and_stops(cli: Typed) -> None:
    """Figures for a program, lines for a person; a few days are too few."""
    code, printed, _ = cli("begin", "vol-btc@1.0.1", "--sleeve", SLEEVE, "--json")
    begun = json.loads(printed)
    assert (code, begun["running"], begun["closes"], begun["version"]) == (0, True, 0, "1.0.1")
    assert "vol-btc@1.0.1  draft; shadow of btc-trend\n" in list_text(stored(open_home(WALL_MS))).plain
    assert "no close is recorded yet" in cli("report", "vol-btc@1.0.1")[1]
    code, printed, _ = cli("stop", "vol-btc@1.0.1", "--json")
    stopped = json.loads(printed)
    assert (code, stopped["running"]) == (0, False)
    assert "vol-btc@1.0.1  draft\n" in list_text(stored(open_home(WALL_MS))).plain
    code, _, said = cli("stop", "vol-btc@1.0.1")
    assert (code, "has ended: stopped by" in said) == (1, True)
    code, _, said = cli("report", "vol-btc")
    assert (code, "'vol-btc' is not a model with its version" in said) == (1, True)


def test_the_supervisor_starts_a_process_while_a_shadow_runs(cli: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """None without one, none while the one before is at it; its environment has no key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    started = list[tuple[list[str], dict[str, str]]]()

    class Started:
        """A process that goes on."""

        def __init__(self, command: list[str], env: dict[str, str], **_more: Any) -> None:
            started.append((command, env))

        def poll(self) -> None:
            """It runs."""

    monkeypatch.setattr(subprocess, "Popen", Started)
    schedules = Schedules(open_home(WALL_MS), sinks=[])
    schedules.record_shadows()
    assert started == []
    assert cli("begin", "vol-btc@1.0.1", "--sleeve", SLEEVE)[0] == 0
    schedules.record_shadows()
    schedules.record_shadows()
    ((command, environment),) = started
    assert command[-1] == "app.jobs.model_shadows"
    assert "OPENAI_API_KEY" not in environment
    schedules._recording = None
    assert cli("stop", "vol-btc@1.0.1")[0] == 0
    schedules.record_shadows()
    assert len(started) == 1


@pytest.mark.slow
def test_the_process_records_what_the_desk_has_come_to(cli: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the supervisor runs it."""
    import runpy

    assert cli("begin", "vol-btc@1.0.1", "--sleeve", SLEEVE)[0] == 0
    before = place_of(open_home(WALL_MS).path).read_bytes()
    runpy.run_module("app.jobs.model_shadows", run_name="__main__")
    assert place_of(open_home(WALL_MS).path).read_bytes() == before
    monkeypatch.setattr("engine.watch.model_shadows.mark_at", lambda _path: Mark())
    runpy.run_module("app.jobs.model_shadows", run_name="__main__")
    report = json.loads(cli("report", "vol-btc@1.0.1", "--json")[1])
    assert report["closes"] == 4


class Mark:
    """A desk that is an hour further."""

    from tests.fakes.papers import span

    t_event_ms = span().first_ms + 14 * 900_000
