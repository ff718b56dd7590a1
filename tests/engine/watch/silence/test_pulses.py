"""What fell silent on a desk: planted in its journal, found with its cause, an alert until it happens again."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import desk as desk_commands
from app.cli import silences as silence_command
from app.home.home import Home, open_home
from engine.clock import DAY_MS
from engine.live.loop import Loop
from engine.store.chain import Event
from engine.watch.alert_rows import AlertPolicy, apply_findings, list_alerts
from engine.watch.detectors import evaluate
from engine.watch.observer import Observer
from engine.watch.silence import pulses, status
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, feed_of, furnished, loop_of

SLEEVE, LATER_MS = "btc-trend", AlertPolicy().clear_ms + 1


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(home: Home) -> Iterator[Loop]:
    """Its loop, two bars on."""
    loop = advanced(loop_of(home, feed_of(home)), 2)
    yield loop
    loop.journal.close()


def planted(loop: Loop, kind: str, bodies: list[Mapping[str, Any]]) -> None:
    """Events in the journal of a running desk, at its last bar."""
    at = loop.book.close_ms
    loop.journal.append([Event(kind, at, {"sleeve": SLEEVE, "version": 1, **body}) for body in bodies], sync=True)
    advanced(loop, 1)
    loop.journal.sync()


def found(home: Home, kind: str, name: str, place: str = SLEEVE) -> Any:
    """The silence of that name."""
    items = pulses.silences(home.path, home.desk.limits, WALL_MS)
    return next((one for one in items if (one.kind, one.name, one.place) == (kind, name, place)), None)


def trips(*reasons: str) -> list[Mapping[str, Any]]:
    """Ends of round trips."""
    return [{"slot": "protective", "reason": r, "round_trip_pnl": -1.0, "key": n} for n, r in enumerate(reasons)]


def read(*values: float | None) -> list[Mapping[str, Any]]:
    """Decisions that read one feature."""
    return [{"action": "hold", "features": {"vix": value}} for value in values]


def test_a_trail_that_stopped_is_an_alert_until_it_fires(home: Home, loop: Loop) -> None:
    """Through the watch's one path of alerts; the first fire ends it."""
    planted(loop, "fill", trips(*["trail", "stop"] * 30, *["stop"] * 40))
    observer = Observer(home.path, home.engine, home.desk.limits)
    watched(home, observer, WALL_MS)
    (alert,) = [row for row in list_alerts(home.engine, None, 50) if row.kind == "silence"]
    assert alert.what.startswith("btc-trend: trailing stop: it stopped: 0 in 41 round trips since ")
    assert "expected by its own history" in alert.what
    assert alert.runbook.endswith("silence.md")
    planted(loop, "fill", trips("trail"))
    watched(home, observer, WALL_MS + LATER_MS)
    (alert,) = [row for row in list_alerts(home.engine, None, 50) if row.kind == "silence"]
    assert alert.state == "resolved"


def test_a_feature_says_whether_it_is_missing_or_stuck(home: Home, loop: Loop) -> None:
    """No value, and the same value again and again; one that moves is as expected."""
    planted(loop, "decision", read(*[float(n) for n in range(40)], *[None] * 20))
    assert (found(home, "feature", "vix").state, found(home, "feature", "vix").why) == ("silent", "it has no value")
    planted(loop, "decision", read(*[float(n) for n in range(40)], *[7.5] * 21))
    assert found(home, "feature", "vix").why == "it has the same value, 7.5"
    planted(loop, "decision", read(8.5))
    assert found(home, "feature", "vix").state == "as expected"


def test_a_feature_that_never_had_a_value_is_declared_to_have_one(home: Home, loop: Loop) -> None:
    """One a decision: after five without it is silent, after three nothing can be said."""
    planted(loop, "decision", read(*[None] * 3))
    assert found(home, "feature", "vix").state == "cannot tell"
    planted(loop, "decision", read(*[None] * 3))
    assert found(home, "feature", "vix").state == "silent"


def test_what_another_version_did_does_not_count(home: Home, loop: Loop) -> None:
    """Its exits were other ones."""
    planted(loop, "fill", [{**body, "version": 7} for body in trips(*["trail", "stop"] * 30, *["stop"] * 40)])
    assert found(home, "exit", "trail") is None


def test_bars_that_come_again_and_again_and_a_market_that_moves(home: Home, loop: Loop) -> None:
    """The synthetic market moves at each close; a bar that repeats does not."""
    advanced(loop, 20)
    loop.journal.sync()
    (one,) = [s for s in pulses.silences(home.path, home.desk.limits, WALL_MS) if s.kind == "bars" and "BTC" in s.place]
    assert (one.state, one.source) == ("as expected", "declared")
    at = loop.book.close_ms
    same = [Event("bar", at, {"bars": {one.place: [1.0, 1.0, 1.0, 1.0, 5.0, 0.0, 0.0]}, "signals": {}})] * 7
    loop.journal.append(same, sync=True)
    advanced(loop, 1)
    loop.journal.sync()
    counts = dict(look_counts(home))[one.place]
    assert counts.times == 24  # the bar after them moves again
    last = [s for s in pulses.silences(home.path, home.desk.limits, WALL_MS) if s.place == one.place]
    assert last[0].state == "as expected"


def look_counts(home: Home) -> list[tuple[str, Any]]:
    """Pulses of bars by instrument."""
    mark = pulses.mark_at(pulses.journal_of(home.path))
    assert mark is not None
    return [(p.place, p) for p in pulses._closes(pulses.journal_of(home.path), mark, {}) if p.kind == "bars"]


@pytest.mark.parametrize(("paid", "missing"), [((1, 2, 3), 0), ((1,), 2)])
def test_funding_is_due_of_a_held_position_alone(paid: tuple[int, ...], missing: int) -> None:
    """A settlement that a position was held over and that did not come; without a position none is due."""
    hour8 = DAY_MS // 3
    held = pulses._Held({"sleeves": [{"name": "s", "instrument": "i", "rules": {"funding_ms": hour8}}]}, "recorded")
    held.settled |= {("s", n) for n in paid}
    seen = []
    for ms in range(BAR_MS, 3 * hour8 + 2 * BAR_MS, BAR_MS):
        seen += held.due({"sleeves": {"s": {"position": {"side": "long"}}}}, ms)
    assert [happened for _, happened in seen].count(False) == missing
    assert len(seen) == 3
    flat = pulses._Held({"sleeves": [{"name": "s", "instrument": "i", "rules": {"funding_ms": hour8}}]}, "recorded")
    assert [one for ms in range(BAR_MS, DAY_MS, BAR_MS) for one in flat.due({"sleeves": {"s": {}}}, ms)] == []


def test_a_paused_sleeve_may_enter_nothing() -> None:
    """Its entries are excused, with the reason."""
    mark = Event("mark", 1, {"state": "running", "tripped": []})
    assert pulses._resting({"paused": True}, mark) == "it is paused"
    assert pulses._resting({}, mark) == ""
    assert pulses._resting({}, Event("mark", 1, {"state": "halted"})) == "the desk does not trade"


def test_a_look_is_kept_and_a_damaged_file_claims_nothing(home: Home, loop: Loop) -> None:
    """What status, tool and watch read."""
    planted(loop, "fill", trips(*["trail", "stop"] * 30, *["stop"] * 40))
    made = status.look_for_silences(home.path, home.desk.limits, WALL_MS)
    assert status.last_silences(home.path)["counts"] == made["counts"]
    assert made["counts"]["silent"] == 1
    (home.path / status.FILE).write_text("{")
    assert status.last_silences(home.path) == {}


def watched(home: Home, observer: Observer, now_ms: int) -> Any:
    """One look of the watch, as the scheduler does it."""
    observer.look_for_dead_guards()
    observer.look_for_silences(now_ms)
    findings, unsure = evaluate(observer.observe(now_ms))
    return apply_findings(home.engine, findings, unsure, now_ms, AlertPolicy(), [])


def test_the_command_and_the_status_say_what_is_silent(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`silences` exits with 1 while something is; `status --json` has the whole look, its text a line."""
    planted(loop, "decision", read(*[float(n) for n in range(40)], *[None] * 20))
    monkeypatch.setenv("NIGHTDESK_HOME", str(home.path))
    app = typer.Typer()
    silence_command.register(app)
    desk_commands.register(app)
    run = CliRunner().invoke(app, ["silences", "--json"], catch_exceptions=False)
    assert (run.exit_code, json.loads(run.stdout)["counts"]["silent"]) == (1, 1)
    assert (
        json.loads(CliRunner().invoke(app, ["status", "--json"], catch_exceptions=False).stdout)["silences"]["counts"]["silent"]
        == 1
    )
    assert (
        "SILENT: btc-trend: vix: it has no value: 0 in 20 decisions"
        in CliRunner().invoke(app, ["status"], catch_exceptions=False).stdout
    )
