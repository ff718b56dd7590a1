"""Dead guards: found on a desk whose trail never fires, not on a healthy one; one alert, over when the guard fires."""

from collections.abc import Iterator, Mapping
from math import comb
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.home.home import Home, open_home
from engine.control.limits import HardLimits
from engine.errors import DataError
from engine.live.loop import Loop
from engine.sim import trips as reading
from engine.store.chain import Event
from engine.watch import deadguards
from engine.watch.alert_rows import AlertPolicy, apply_findings, list_alerts
from engine.watch.deadguards import Fires, all_elsewhere, compare, compared, keep_baseline
from engine.watch.desk_trips import sleeves_of
from engine.watch.detectors import evaluate
from engine.watch.observer import Observer
from engine.watch.window import journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of
from tests.laws.test_one_decision_path import kernel_result

BASE = Fires(1_000, {"stop": 480, "target": 300, "trail": 220}, {"loss streak": 40})
SLEEVE = "btc-trend"
LATER_MS = AlertPolicy().clear_ms + 1  # an alert is over when its finding has been away for so long


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(home: Home) -> Iterator[Loop]:
    """Its loop, before the first bar."""
    loop = loop_of(home, feed_of(home))
    yield loop
    loop.journal.close()


def ended(reason: str, n: int, version: int = 1) -> Event:
    """A fill that ended a round trip."""
    body = {"sleeve": SLEEVE, "version": version, "slot": "protective", "reason": reason, "round_trip_pnl": -1.0, "key": n}
    return Event("fill", 0, body)


def planted(loop: Loop, reasons: Mapping[str, int], version: int = 1) -> None:
    """Round trips of a sleeve in the journal of a running desk, one bar after the other."""
    events = [ended(reason, n, version) for reason, count in reasons.items() for n in range(count)]
    at = loop.book.close_ms
    loop.journal.append([event._replace(t_event_ms=at) for event in events], sync=True)
    advanced(loop, 1)
    loop.journal.sync()


# ---- the comparison -------------------------------------------------------------------------------------------------------


def test_a_trail_that_never_fires_where_nine_are_expected_is_dead() -> None:
    """The sentence of the alert, with what it is improbable by."""
    own = Fires(41, {"stop": 28, "target": 13}, {"loss streak": 2})
    found = compare("r-1", {SLEEVE: own}, {SLEEVE: BASE}, {})
    (trail,) = found.dead
    assert trail.text().startswith("btc-trend: trailing stop: 0 fires in 41 trips, backtest expects 9.02 (p 0.0048 %)")
    assert {rate.guard for rate in found.rates} == {"stop", "target", "trail", "loss streak"}


@pytest.mark.parametrize(
    ("own", "base"),
    [
        (Fires(41, {"trail": 1, "stop": 40}, {}), Fires(1_000, {"trail": 220, "stop": 780}, {})),  # it fires, if seldom
        (Fires(41, {"stop": 41}, {}), Fires(1_000, {"trail": 20, "stop": 980}, {})),  # one expected: silence says nothing
        (Fires(6, {"stop": 6}, {}), Fires(1_000, {"trail": 220, "stop": 780}, {})),  # too few trips for silence to say much
        (Fires(60, {"stop": 60}, {}), Fires(20, {"trail": 10, "stop": 10}, {})),  # the backtest itself is too short
    ],
    ids=["fires", "rare", "few trips", "short backtest"],
)
def test_what_can_be_luck_is_not_dead(own: Fires, base: Fires) -> None:
    """Few expected fires, few trips, or a rate that is itself a guess."""
    assert compare("r-1", {SLEEVE: own}, {SLEEVE: base}, {}).dead == ()


def test_a_rule_that_never_refuses_is_dead_too() -> None:
    """Refusals count by the day, as they come in bursts."""
    own = Fires(400, {"stop": 192, "target": 120, "trail": 88}, {})
    (rule,) = compare("r-1", {SLEEVE: own}, {SLEEVE: BASE}, {}).dead
    assert rule.text().startswith("btc-trend: loss streak: 0 days of refusals in 400 trips, backtest expects 16 (p ")


def test_the_probability_is_fishers() -> None:
    """C(N, k) / C(N + n, k), also where the numbers are large."""
    for tested, lived, fires in ((41, 41, 9), (1_000, 41, 220), (30, 1, 30)):
        assert all_elsewhere(tested, lived, fires) == pytest.approx(comb(tested, fires) / comb(tested + lived, fires), rel=1e-9)
    assert 0.0 <= all_elsewhere(1_000_000, 1_000_000, 999_999) < 1e-100


def test_many_guards_do_not_accuse_a_healthy_desk() -> None:
    """The more guards are compared, the less probable a silence must be: what is dead alone is luck among two hundred."""
    own, base = Fires(30, {"stop": 30}, {}), Fires(1_000, {"stop": 800, "trail": 200}, {})
    assert len(compare("r-1", {SLEEVE: own}, {SLEEVE: base}, {}).dead) == 1
    crowd = {f"s{n}": Fires(1_000, {"stop": 500, "target": 500}, {}) for n in range(100)}
    lived = {name: Fires(30, {"stop": 15, "target": 15}, {}) for name in crowd}
    assert compare("r-1", {SLEEVE: own, **lived}, {SLEEVE: base, **crowd}, {}).dead == ()


# ---- on a desk ------------------------------------------------------------------------------------------------------------


def test_the_desk_counts_what_the_equal_backtest_counts(home: Home, loop: Loop) -> None:
    """Exits and days of refusals from the journal are those of the kernel's rows over the same bars."""
    advanced(loop, 400)
    loop.journal.sync()
    path = journal_of(home.path)
    mark = mark_at(path)
    assert mark is not None
    sleeves, rows = sleeves_of(path, mark.body), reading.frame_of(kernel_result(home, feed_of(home), 400).rows)
    trips, decisions = reading.trips(rows, sleeves), reading.decisions(rows, sleeves)
    ended_ = trips.filter(pl.col("exit_ms").is_not_null()).select("sleeve", "reason").iter_rows()
    refused = decisions.filter(pl.col("refused_by").is_not_null()).select("sleeve", "refused_by", "close_ms").iter_rows()
    tested = deadguards.fires_of(ended_, refused)
    assert deadguards.lived(path, {s.name: 1 for s in sleeves}) == tested
    assert sum(fires.trips for fires in tested.values()) > 10
    keep_baseline(home.path, "r-1", home.desk.limits, {s.name: 1 for s in sleeves}, tested)
    found = compared(home.path, home.desk.limits)
    assert found is not None
    assert found.dead == ()


def test_a_planted_dead_trail_becomes_one_alert_and_is_over_when_it_fires(home: Home, loop: Loop) -> None:
    """Through the watch's one path of alerts: opened once, resolved by the first fire."""
    advanced(loop, 2)
    keep_baseline(home.path, "r-1", home.desk.limits, {SLEEVE: 1}, {SLEEVE: BASE})
    planted(loop, {"stop": 28, "target": 13})
    observer = Observer(home.path, home.engine, home.desk.limits)
    for n in range(2):
        observer.look_for_dead_guards()
        watched(home, observer, WALL_MS + n)
    (alert,) = [row for row in list_alerts(home.engine, None, 50) if row.kind == "deadguard"]
    assert alert.what.startswith("btc-trend: trailing stop: 0 fires in 41 trips, backtest expects 9.02")
    assert alert.runbook.endswith("guard-never-fires.md")
    planted(loop, {"trail": 1})
    observer.look_for_dead_guards()
    watched(home, observer, WALL_MS + LATER_MS)
    (alert,) = [row for row in list_alerts(home.engine, None, 50) if row.kind == "deadguard"]
    assert alert.state == "resolved"


def test_a_new_watch_leaves_the_alert_open_until_it_has_looked(home: Home, loop: Loop) -> None:
    """A restart of the supervisor is no sign that the guard fires again; nor is a baseline that cannot be read."""
    advanced(loop, 2)
    keep_baseline(home.path, "r-1", home.desk.limits, {SLEEVE: 1}, {SLEEVE: BASE})
    planted(loop, {"stop": 28, "target": 13})
    first = Observer(home.path, home.engine, home.desk.limits)
    first.look_for_dead_guards()
    watched(home, first, WALL_MS)
    again = Observer(home.path, home.engine, home.desk.limits)
    watched(home, again, WALL_MS + LATER_MS)
    (home.path / deadguards.FILE).write_text("{")
    with pytest.raises(DataError, match="make it again: nightdesk drill --against-backtest"):
        again.look_for_dead_guards()
    watched(home, again, WALL_MS + 2 * LATER_MS)
    assert [row.state for row in list_alerts(home.engine, None, 50) if row.kind == "deadguard"] == ["open"]


def test_another_version_or_other_limits_are_not_compared(home: Home, loop: Loop) -> None:
    """A rate of older rules accuses nobody: it says why, and what was done under another version does not count."""
    advanced(loop, 2)
    planted(loop, {"stop": 41}, version=7)
    keep_baseline(home.path, "r-1", home.desk.limits, {SLEEVE: 1, "eth-trend": 2}, {SLEEVE: BASE, "eth-trend": BASE})
    found = compared(home.path, home.desk.limits)
    assert found is not None
    assert found.skipped == {
        SLEEVE: "1000 round trips in the backtest, 0 on the desk: too few to compare",
        "eth-trend": "no baseline for version 1",
        "sol-reversion": "no baseline for version 1",
    }
    other = compared(home.path, HardLimits(gross_frac_max=1.0))
    assert other is not None
    assert set(other.skipped.values()) == {"the hard limits are others than the baseline's"}


def test_without_a_baseline_nothing_is_said(home: Home, loop: Loop) -> None:
    """No file, no finding."""
    advanced(loop, 1)
    assert compared(home.path, home.desk.limits) is None


def watched(home: Home, observer: Observer, now_ms: int) -> Any:
    """One look of the watch, as the scheduler does it."""
    findings, unsure = evaluate(observer.observe(now_ms))
    return apply_findings(home.engine, findings, unsure, now_ms, AlertPolicy(), [])
