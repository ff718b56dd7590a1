"""Alerts as rows: opened once, repeated quietly, worse once, escalated unanswered, over once; quiet hours; both databases."""

import threading

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from engine.errors import BadInput, Refused
from engine.store import db as database
from engine.store.tables import Delivery
from engine.watch.alert_rows import AlertPolicy, acknowledge, apply_findings, deliveries_of, get, list_alerts, quiet_until, view
from engine.watch.observation import Finding

NOON = 1_760_011_200_000  # 2025-10-09 12:00Z
MINUTE = 60_000
ANN = {"name": "ann", "assurance": "session"}
M = AlertPolicy()


def found(severity: str = "page", level: int = 0, fingerprint: str = "bars", kind: str = "bars") -> Finding:
    """A finding."""
    return Finding(fingerprint, kind, severity, f"no bars, level {level}", "BTC", NOON, "look", {"age_s": 40}, "d-1", level)


def steps(engine: Engine, findings: list[Finding], at_ms: int, unsure: frozenset[str] = frozenset()) -> list[str]:
    """What a check changes."""
    return [change.step for change in apply_findings(engine, findings, unsure, at_ms, M, ["slack"])]


@pytest.mark.sample(1)
def test_one_alert_however_often_it_is_found_and_one_recovery(db: Engine) -> None:
    """A hundred checks: one opened, one resolved, two messages; a later fault of the same kind is a new alert."""
    said = [step for n in range(100) for step in steps(db, [found()], NOON + n * 3_000)]
    assert said == ["opened"]
    assert steps(db, [], NOON + 300_000 + 1_000) == []  # a blink is not the end
    assert steps(db, [], NOON + 320_000) == ["resolved"]
    assert steps(db, [], NOON + 330_000) == []
    assert [d.step for d in deliveries_of(db, "al-1")] == ["opened", "resolved"]
    row = get(db, "al-1")
    assert (row.state, row.opened_ms, row.resolved_ms, row.repeats > 30) == ("resolved", NOON, NOON + 320_000, True)
    assert steps(db, [found()], NOON + 400_000) == ["opened"]
    assert [row.id for row in list_alerts(db, "open")] == ["al-2"]


@pytest.mark.sample(1)
def test_an_unanswered_page_is_sent_again_and_an_answered_one_is_not(db: Engine) -> None:
    """Every fifteen minutes, at most four times; a person's acknowledgement ends it."""
    said = [(n, step) for n in range(120) for step in steps(db, [found(), found(fingerprint="x")], NOON + n * MINUTE)]
    assert [n for n, step in said if step.startswith("escalated")] == [15, 15, 30, 30, 45, 45, 60, 60]
    assert steps(db, [found(fingerprint="y")], NOON) == ["opened"]
    row = acknowledge(db, "3", ANN, NOON + 1)
    assert view(row)["acked_by"] == ANN
    assert acknowledge(db, "al-3", {"name": "bob"}, NOON + 2).acked_ms == NOON + 1
    assert not [s for n in range(60) for s in steps(db, [found(fingerprint="y")], NOON + n * MINUTE) if s.startswith("esc")]


@pytest.mark.sample(1)
def test_warnings_do_not_escalate(db: Engine) -> None:
    """Only pages insist."""
    assert [s for n in range(60) for s in steps(db, [found("warn")], NOON + n * MINUTE)] == ["opened"]


def test_what_gets_worse_is_told_once_and_asks_anew(db: Engine) -> None:
    """A warning that becomes a page, and a page of a higher level; whoever acknowledged less is asked again."""
    assert steps(db, [found("warn")], NOON) == ["opened"]
    acknowledge(db, "al-1", ANN, NOON)
    assert steps(db, [found("page")], NOON + 3_000) == ["raised"]
    assert get(db, "al-1").acked_ms is None
    assert steps(db, [found("page", 1)], NOON + 6_000) == ["raised"]
    assert steps(db, [found("page", 1)], NOON + 9_000) == []
    assert steps(db, [found("page", 0)], NOON + 12_000) == []
    assert steps(db, [found("page", 1)], NOON + 18_000) == []
    assert len(deliveries_of(db, "al-1")) == 3


def test_what_could_not_be_looked_at_is_not_over(db: Engine) -> None:
    """Blindness resolves nothing."""
    steps(db, [found()], NOON)
    assert steps(db, [], NOON + MINUTE, frozenset({"bars"})) == []
    assert steps(db, [], NOON + MINUTE) == ["resolved"]


def test_notes_wait_for_the_morning_and_die_quietly(db: Engine) -> None:
    """At 23:00 a note is due at six; over before that, it is dropped. A page at 23:00 goes at once."""
    night = NOON + 11 * 60 * MINUTE
    steps(db, [found("note"), found("page", fingerprint="z")], night)
    due = {d.subject: d.due_ms for subject in ("al-1", "al-2") for d in deliveries_of(db, subject)}
    assert due == {"al-1": night + 7 * 60 * MINUTE, "al-2": night}
    assert steps(db, [found("page", fingerprint="z")], night + MINUTE) == ["resolved"]
    assert [d.state for d in deliveries_of(db, "al-1")] == ["dropped"]


@pytest.mark.parametrize(("minute", "waits"), [(0, 360), (359, 1), (360, 0), (720, 0), (1319, 0), (1320, 480), (1439, 361)])
def test_quiet_hours_over_midnight(minute: int, waits: int) -> None:
    """22:00 to 06:00: every boundary."""
    at = NOON // 86_400_000 * 86_400_000 + minute * MINUTE
    assert quiet_until(at, M) == at + waits * MINUTE
    assert quiet_until(at, M._replace(quiet_from=100, quiet_to=100)) == at


def test_a_failing_sink_is_not_told_through_itself(db: Engine) -> None:
    """Its alert stands on the page alone."""
    lost = Finding("delivery:slack", "delivery", "warn", "two lost", "slack", NOON, "look")
    assert steps(db, [lost], NOON) == ["opened"]
    assert deliveries_of(db, "al-1") == []


def test_two_checks_at_once_open_one_alert(sqlite: Engine) -> None:
    """Threads that race: one row a fingerprint, one delivery a step, and no more."""
    gate, errors = threading.Barrier(4), list[Exception]()

    def one() -> None:
        try:
            gate.wait()
            apply_findings(sqlite, [found(), found(fingerprint="b")], frozenset(), NOON, M, ["slack"])
        except Exception as error:  # noqa: BLE001 - shown by the assert below
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(list_alerts(sqlite)) == 2
    with database.read(sqlite) as session:
        assert len(session.exec(select(Delivery)).all()) == 2


def test_acknowledging_what_is_over_or_nothing_is_told(db: Engine) -> None:
    """Unknown ids and resolved alerts."""
    steps(db, [found()], NOON)
    steps(db, [], NOON + MINUTE)
    with pytest.raises(Refused, match="already resolved"):
        acknowledge(db, "al-1", ANN, NOON)
    for name in ("al-9", "", "x'; DROP TABLE alerts"):
        with pytest.raises(BadInput):
            acknowledge(db, name, ANN, NOON)


def test_a_check_that_changes_nothing_takes_no_writers_lock(sqlite: Engine) -> None:
    """While another process writes, a calm check goes through at once."""
    with database.write(sqlite):
        assert steps(sqlite, [], NOON) == []
