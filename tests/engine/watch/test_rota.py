"""Who is on call: order, shifts over midnight and time zones, quiet hours that hold back what can wait and never a page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.home.home import Home, open_home
from engine.clock import HOUR_MS, MINUTE_MS
from engine.store import db
from engine.store.tables import Delivery
from engine.watch import rota
from engine.watch.alert_rows import AlertPolicy, acknowledge, apply_findings, list_alerts
from engine.watch.observation import Finding, Severity
from engine.watch.rota import OnCall, callees, due_of, quiet_end, shift_started, ways_of_page

NIGHT = (22 * 60, 6 * 60)
ANN = OnCall("ann", 1, "webhook:ann", "Europe/Berlin", (6 * 60, 18 * 60), NIGHT)
BOB = OnCall("bob", 2, "webhook:bob", "America/New_York", None, NIGHT)
SINKS = ["slack", "webhook:ann", "webhook:bob"]


def at(text: str) -> int:
    """UTC ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("when", "first"),
    [
        ("2025-01-15 05:00", "ann"),  # 06:00 in Berlin: her shift has begun
        ("2025-01-15 04:59", "bob"),
        ("2025-07-15 04:00", "ann"),  # summer time: an hour earlier
        ("2025-07-15 03:59", "bob"),
        ("2025-01-15 17:00", "bob"),  # 18:00: over
    ],
)
def test_the_order_follows_the_shifts_by_their_own_clocks(when: str, first: str) -> None:
    """Who is on shift comes first; whoever is not is asked last, not never."""
    order = [one.name for one in callees([BOB, ANN], at(when))]
    assert order[0] == first
    assert sorted(order) == ["ann", "bob"]


def test_quiet_hours_end_by_the_persons_clock_and_summer_time() -> None:
    """06:00 in Berlin is 05:00 UTC in winter, 04:00 in summer; outside of them nothing waits."""
    assert quiet_end(ANN, at("2025-01-15 23:00")) == at("2025-01-16 05:00")
    assert quiet_end(ANN, at("2025-01-15 02:00")) == at("2025-01-15 05:00")
    assert quiet_end(ANN, at("2025-07-15 23:00")) == at("2025-07-16 04:00")
    assert quiet_end(ANN, at("2025-03-29 23:00")) == at("2025-03-30 04:00")  # the night of the change
    assert quiet_end(ANN, at("2025-01-15 12:00")) == at("2025-01-15 12:00")


def test_a_page_goes_every_way_where_the_rota_reaches_nobody() -> None:
    """No rota, a way that does not exist, everyone asked: all ways. Else those asked so far, and what is nobody's own."""
    noon = at("2025-01-15 12:00")
    assert ways_of_page([], SINKS, noon, 0) == SINKS
    assert ways_of_page([ANN, BOB], SINKS, noon, 0) == ["slack", "webhook:ann"]
    assert ways_of_page([ANN, BOB], SINKS, noon, 1) == SINKS
    assert ways_of_page([ANN._replace(way="discord"), BOB], SINKS, noon, 0) == SINKS
    assert ways_of_page([ANN, BOB], SINKS, noon, 2) == SINKS


def test_a_shared_way_waits_for_the_first_who_is_awake() -> None:
    """Two people behind one way: it is quiet only while both are."""
    night = at("2025-01-15 23:00")  # 18:00 in New York
    assert due_of([ANN, BOB._replace(way="webhook:ann")], "webhook:ann", night) == night
    assert due_of([ANN], "webhook:ann", night) == at("2025-01-16 05:00")
    assert due_of([ANN], "slack", night) == night


def test_a_shift_change_is_found_once_and_only_where_there_are_shifts() -> None:
    """Who is first now, since when, and who was before."""
    assert shift_started([ANN, BOB], at("2025-01-15 05:30")) == ("ann", at("2025-01-15 05:00"), "bob")
    assert shift_started([ANN, BOB], at("2025-01-15 18:30")) == ("bob", at("2025-01-15 17:00"), "ann")
    assert shift_started([BOB], at("2025-01-15 18:30")) is None


# ---- escalation, through the alerts' own path -------------------------------------------------------------------------------


@pytest.fixture
def home(own_home: Path) -> Home:
    """A home with its database."""
    return open_home(1)


def finding(severity: Severity = "page") -> Finding:
    """Something wrong."""
    return Finding("worker", "worker", severity, "no worker", "worker", 1, "start it")


def checked(home: Home, severity: Severity, now_ms: int, **policy: Any) -> list[str]:
    """One check; its steps."""
    entry = AlertPolicy(rota=(ANN, BOB), **policy)
    return [change.step for change in apply_findings(home.engine, [finding(severity)], (), now_ms, entry, SINKS)]


def queued(home: Home) -> list[tuple[str, str, int]]:
    """(step, sink, due) of every delivery."""
    with db.read(home.engine) as session:
        rows = session.exec(select(Delivery).order_by(Delivery.id)).all()  # type: ignore[arg-type]
        return [(row.step, row.sink, row.due_ms) for row in rows]


def test_a_page_goes_to_the_next_person_until_it_is_acknowledged(home: Home) -> None:
    """Ann at once, in the middle of her night too; bob after fifteen minutes; nobody once it is acknowledged."""
    opened = at("2025-01-15 05:30")
    late = opened + 15 * MINUTE_MS
    assert checked(home, "page", opened) == ["opened"]
    assert checked(home, "page", late - 1) == []
    assert checked(home, "page", late) == ["escalated-1"]
    assert queued(home) == [
        ("opened", "slack", opened),
        ("opened", "webhook:ann", opened),
        *(("escalated-1", sink, late) for sink in SINKS),
    ]
    acknowledge(home.engine, "al-1", {"name": "bob"}, late + 1)
    assert checked(home, "page", late + HOUR_MS) == []


def test_no_page_waits_for_quiet_hours_and_what_can_wait_does(home: Home) -> None:
    """At 02:00 in Berlin a page goes out; a warning to ann waits for 06:00, the desk's channel gets it at once."""
    night = at("2025-01-15 01:00")
    checked(home, "warn", night)
    assert queued(home) == [
        ("opened", "slack", night),
        ("opened", "webhook:ann", at("2025-01-15 05:00")),
        ("opened", "webhook:bob", night),  # 20:00 in New York
    ]
    assert checked(home, "page", night + MINUTE_MS) == ["raised"]
    assert {due for step, _, due in queued(home) if step.startswith("raised")} == {night + MINUTE_MS}


def test_a_page_whose_every_message_failed_goes_on_at_once(home: Home) -> None:
    """Nobody waits fifteen minutes for a person whose way is dead."""
    opened = at("2025-01-15 05:30")
    checked(home, "page", opened)
    with db.write(home.engine) as session:
        for row in session.exec(select(Delivery)).all():
            row.state = "failed"
            session.add(row)
    assert checked(home, "page", opened + MINUTE_MS) == ["escalated-1"]
    assert checked(home, "page", opened + 2 * MINUTE_MS) == []
    assert len(list_alerts(home.engine)) == 1


def test_everyone_on_call_is_asked_whatever_the_setting(home: Home) -> None:
    """`escalations_max = 0` repeats nothing; it does not leave out the second person."""
    opened = at("2025-01-15 05:30")
    checked(home, "page", opened, escalations_max=0)
    assert checked(home, "page", opened + HOUR_MS, escalations_max=0) == ["escalated-1"]
    assert checked(home, "page", opened + 2 * HOUR_MS, escalations_max=0) == []
    assert rota.addressed((ANN, BOB), opened, 1) == "bob, on call after ann, who did not acknowledge"
