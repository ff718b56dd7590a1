"""What a chart reads of a long journal: everything once, in order, over midnights; days that are over are not read again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.views import candle_marks
from app.views.candle_marks import sleeve_events
from engine.clock import DAY_MS, HOUR_MS
from engine.store.journal import Event, Journal
from engine.watch import desk_trips as reading
from engine.watch.kept_lines import FILE, keep_lines
from engine.watch.window import desk_ms, journal_of

FIRST = 20_000 * DAY_MS
END = FIRST + 5 * DAY_MS + 3 * HOUR_MS


def event(kind: str, ms: int, **body: Any) -> Event:
    """An event of a sleeve."""
    return Event(kind, ms, {"sleeve": "a", **body})


def decided(ms: int, rule: str = "", sleeve: str = "a") -> Event:
    """A decision; refused by a rule, or not."""
    return event("decision", ms, sleeve=sleeve, refused_by=rule or None, features={"sma(40)": 1.0})


def journal(folder: Path, events: Sequence[Event]) -> Path:
    """A desk journal: a mark first, then these, each its own group."""
    path = folder / "desk.jsonl"
    made = Journal(path, "worker")
    for one in (Event("mark", FIRST, {"sleeves": {}, "equity": 1.0}), *events):
        made.append([one])
    made.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A refusal each six hours over five days, one exactly at each midnight; an order, a breaker, another sleeve's decision."""
    every = [decided(FIRST + n * 6 * HOUR_MS, f"rule {n}") for n in range(1, 21)]
    orders = [
        event("intent", FIRST + DAY_MS - HOUR_MS, slot="protective", key=7, lots=2, price=90.0),
        event("fill", FIRST + DAY_MS - HOUR_MS, slot="entry", key=7, lots=2, price=100.0),
        event("amend", FIRST + 2 * DAY_MS, slot="protective", key=7, lots=2, price=95.0),
        event("fill", FIRST + 3 * DAY_MS, slot="protective", key=7, lots=2, price=95.0),
        event("breaker", FIRST + 3 * DAY_MS, breaker="loss streak", until_ms=END),
        decided(FIRST + HOUR_MS, "not mine", sleeve="b"),
    ]
    return journal(tmp_path, sorted([*every, *orders], key=lambda one: one.t_event_ms))


def test_nothing_is_lost_or_doubled_at_midnight(path: Path) -> None:
    """Whatever the window begins and ends with, each event in it is there once, in order."""
    for from_ms in (FIRST - 400 * DAY_MS, FIRST + DAY_MS, FIRST + DAY_MS - 1, FIRST + 30 * HOUR_MS):
        for until_ms in (END, FIRST + 4 * DAY_MS, FIRST + 4 * DAY_MS + 1):
            found = sleeve_events(path, "a", from_ms, until_ms, HOUR_MS)
            wanted = [n for n in range(1, 21) if from_ms < FIRST + n * 6 * HOUR_MS <= until_ms]
            assert [rule for _, rule in found.refused] == [f"rule {n}" for n in wanted]
            assert [one.breaker for one in found.tripped] == ["loss streak"]
            assert found.labels == ("sma(40)",)
    whole = sleeve_events(path, "a", FIRST - 1, END, HOUR_MS)
    assert [(step.ms, step.price) for step in whole.steps if step.slot == "protective"] == [
        (FIRST + DAY_MS - 2 * HOUR_MS, 90.0), (FIRST + 2 * DAY_MS, 95.0), (FIRST + 3 * DAY_MS, None),
    ]  # fmt: skip


def test_days_that_are_over_are_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next bar's chart reads the last day alone, and what was added to it."""
    sleeve_events(path, "a", FIRST, END, HOUR_MS)
    read: list[int] = []
    reading = candle_marks.trading_lines
    monkeypatch.setattr(candle_marks, "trading_lines", lambda *args: read.append(args[1]) or reading(*args))
    more = Journal(path, "worker")
    more.append([decided(END, "the newest")])
    more.close()
    found = sleeve_events(path, "a", FIRST, END, HOUR_MS)
    assert (found.refused[-1], len(found.refused)) == ((END, "the newest"), 21)
    assert read == [FIRST + 5 * DAY_MS]


def test_kept_lines_give_the_chart_and_the_trips_of_the_journal(
    lived: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels, refusals, breakers, features and round trips are the same to the last field."""
    path = journal_of(tmp_path)
    path.parent.mkdir()
    path.write_bytes(journal_of(lived.path).read_bytes())
    clock_ms, seen = desk_ms(tmp_path) or 0, []
    for _ in range(2):
        for module, name in ((candle_marks, "_DAYS"), (reading, "_SETTLED"), (reading, "_TRIPS")):
            monkeypatch.setattr(module, name, {})
        seen.append([sleeve_events(path, name, 0, clock_ms, HOUR_MS) for name in ("btc-trend", "sol-reversion")])
        trips = reading.desk_trips(tmp_path)
        keep_lines(tmp_path)
    assert (tmp_path / FILE).exists()
    assert seen[0] == seen[1]
    assert any(one.steps and one.refused and one.labels for one in seen[0])
    assert trips.equals(reading.desk_trips(lived.path))


def test_a_simulated_position_that_leaves_has_no_stop_and_target_any_more() -> None:
    """The worker cancelled them for an exit at the next open; at an account they stay until the venue says flat."""
    layer = {"entry": 100.0, "protective": 99.0, "target": 103.0, "due": "halt", "protective_state": "working"}
    body = {"position": {"side": "long", "quantity": 2.0, "notional": 202.0, "opened_ms": 1, "layers": [layer]}}
    held = candle_marks.open_position(body, simulated=True)
    assert held == {"side": "long", "opened_ms": 1, "entry": 100.0, "stop": None, "target": None, "mark": 101.0}
    at_account = candle_marks.open_position(body)
    assert at_account is not None
    assert (at_account["stop"], at_account["target"]) == (99.0, 103.0)


@pytest.mark.parametrize(("state", "stop"), [("working", 99.0), ("partial", 99.0), ("rejected", None), ("none", None)])
def test_a_stop_that_does_not_work_is_not_drawn(state: str, stop: float | None) -> None:
    """A line at the wanted price would say that something ends the position there."""
    layer = {"entry": 100.0, "protective": 99.0, "target": 103.0, "due": None, "protective_state": state}
    body = {"position": {"side": "long", "quantity": 2.0, "notional": 202.0, "opened_ms": 1, "layers": [layer]}}
    held = candle_marks.open_position(body)
    assert held is not None
    assert (held["stop"], held["target"]) == (stop, 103.0)
