"""Alerts against a policy written a second time, and every duration of it at its millisecond."""

from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.watch.alert_rows import (
    REPEAT_MS,
    AlertPolicy,
    acknowledge,
    apply_findings,
    deliveries_of,
    get,
    level_of,
    list_alerts,
    quiet_until,
    rank,
    view,
)
from engine.watch.observation import ONE_OFF_KINDS, Finding

NOON = 1_760_011_200_000  # 2025-10-09 12:00Z
MINUTE = 60_000
P = AlertPolicy()
ANN = {"name": "ann"}


def found(severity: Any = "page", level: int = 0, fingerprint: str = "bars", **more: Any) -> Finding:
    """A finding."""
    fields = {"kind": "bars", "what": f"{severity} {level}", "place": "BTC", "since_ms": NOON, "action": "look", **more}
    return Finding(fingerprint=fingerprint, severity=severity, level=level, **fields)


def steps(
    engine: Engine, at_ms: int, *findings: Finding, unsure: frozenset[str] = frozenset(), sinks: Any = ("slack",)
) -> list[str]:
    """What a check changes."""
    return [change.step for change in apply_findings(engine, findings, unsure, at_ms, P, sinks)]


@pytest.mark.parametrize(("after_ms", "resolved"), [(P.clear_ms - 1, []), (P.clear_ms, ["resolved"])])
def test_an_alert_is_over_ten_seconds_after_it_was_last_found(sqlite: Engine, after_ms: int, resolved: list[str]) -> None:
    """A blink is not the end."""
    steps(sqlite, NOON, found())
    assert steps(sqlite, NOON + after_ms) == resolved


def test_repetitions_are_recorded_every_five_seconds(sqlite: Engine) -> None:
    """A check more often than that writes nothing; what was last seen decides when it is over."""
    steps(sqlite, NOON, found())
    for ms, seen, repeats in ((REPEAT_MS - 1, 0, 0), (REPEAT_MS, REPEAT_MS, 1), (REPEAT_MS + 1, REPEAT_MS, 1)):
        assert steps(sqlite, NOON + ms, found()) == []
        row = get(sqlite, "al-1")
        assert (row.seen_ms - NOON, row.repeats) == (seen, repeats)


@pytest.mark.parametrize(("after_ms", "sent"), [(P.escalate_ms - 1, []), (P.escalate_ms, ["escalated-1"])])
def test_a_page_is_sent_again_after_fifteen_minutes(sqlite: Engine, after_ms: int, sent: list[str]) -> None:
    """Counted from its opening, and from then on from the last time it was sent."""
    steps(sqlite, NOON, found())
    assert steps(sqlite, NOON + after_ms, found()) == sent
    if sent:
        assert steps(sqlite, NOON + 2 * P.escalate_ms - 1, found()) == []
        assert steps(sqlite, NOON + 2 * P.escalate_ms, found()) == ["escalated-2"]


def test_raising_starts_the_wait_anew(sqlite: Engine) -> None:
    """It was just sent: the next one comes fifteen minutes later."""
    steps(sqlite, NOON, found("warn"))
    assert steps(sqlite, NOON + 14 * MINUTE, found("page")) == ["raised"]
    assert steps(sqlite, NOON + 28 * MINUTE, found("page")) == []
    assert steps(sqlite, NOON + 29 * MINUTE, found("page")) == ["escalated-1"]


def simulated(timeline: list[tuple[int, Finding | None, bool]]) -> list[str]:
    """One alert's steps, worked out a second time: (time, what is found, whether a person acknowledges right before)."""
    out: list[str] = []
    worst: tuple[int, int] | None = None
    seen = waited = sent = 0
    acked = False
    for at, finding, acks in timeline:
        acked = acked or (acks and worst is not None)
        if finding is None:
            if worst is not None and at - seen >= P.clear_ms:
                out.append("resolved")
                worst = None
            continue
        now = ({"note": 0, "warn": 1, "page": 2}[finding.severity], finding.level)
        if worst is None:
            out.append("opened")
            worst, seen, waited, sent, acked = now, at, at, 0, False
        elif now > worst:
            out.append("raised")
            worst, seen, waited, acked = (max(worst[0], now[0]), max(worst[1], now[1])), at, at, False
        elif worst[0] == 2 and not acked and sent < P.escalations_max and at - waited >= P.escalate_ms:
            sent += 1
            out.append(f"escalated-{sent}")
            seen, waited = at, at
        elif at - seen >= REPEAT_MS:
            seen = at
    return out


@pytest.mark.parametrize("seed", range(2))
def test_a_long_night_goes_as_a_second_policy_says(sqlite: Engine, seed: int) -> None:
    """Fifty checks at odd times: found, better, worse, gone, acknowledged."""
    rng, at, timeline, said = Random(seed), NOON, [], list[str]()
    for _ in range(50):
        at += rng.choice((1_000, 3_000, 7_000, 4 * MINUTE, 16 * MINUTE))
        finding = rng.choice(
            (None, found("note"), found("warn"), found("page"), found("page"), found("page", 1), found("page", 2))
        )
        acks = rng.random() < 0.05
        timeline.append((at, finding, acks))
        if acks:
            for row in list_alerts(sqlite, "open"):
                acknowledge(sqlite, row.id, ANN, at)
        said += steps(sqlite, at, *([finding] if finding else []))
    assert said == simulated(timeline)
    assert {"opened", "raised", "resolved"} <= set(said)


def test_what_is_less_bad_now_keeps_its_severity_and_tells_its_new_words(sqlite: Engine) -> None:
    """The row shows the worst it has been, the text is of now; the level that it has had is not forgotten."""
    steps(sqlite, NOON, found("page", 2))
    steps(sqlite, NOON + REPEAT_MS, found("warn", 0))
    row = get(sqlite, "al-1")
    assert (row.severity, level_of(row), row.what) == ("page", 2, "warn 0")
    assert steps(sqlite, NOON + 2 * REPEAT_MS, found("page", 2)) == []


@pytest.mark.parametrize("kind", ONE_OFF_KINDS)
def test_an_event_is_told_and_its_end_is_not(sqlite: Engine, kind: str) -> None:
    """An incident, an expired proposal: a message when it is found, none when it is no longer recent."""
    steps(sqlite, NOON, found("warn", kind=kind))
    assert steps(sqlite, NOON + MINUTE) == ["resolved"]
    assert [(d.step, d.state) for d in deliveries_of(sqlite, "al-1")] == [("opened", "waiting")]


def test_an_expired_proposal_of_the_night_is_told_in_the_morning(sqlite: Engine) -> None:
    """A note waits for the end of the quiet hours, also when the alert is over long before."""
    night = NOON + 11 * 60 * MINUTE
    steps(sqlite, night, found("note", kind="proposal"))
    steps(sqlite, night + MINUTE)
    (message,) = deliveries_of(sqlite, "al-1")
    assert (message.state, message.due_ms) == ("waiting", night + 7 * 60 * MINUTE)


def test_every_sink_gets_every_step_once(sqlite: Engine) -> None:
    """Two sinks: two messages a step; without one the alert is a row all the same."""
    for at, finding in ((0, found("warn")), (MINUTE, found("page")), (2 * MINUTE, None)):
        steps(sqlite, NOON + at, *([finding] if finding else []), sinks=("slack", "mail"))
    assert sorted((d.step, d.sink) for d in deliveries_of(sqlite, "al-1")) == [
        (step, sink) for step in ("opened", "raised-1", "resolved") for sink in ("mail", "slack")
    ]
    assert steps(sqlite, NOON, found(fingerprint="x"), sinks=()) == ["opened"]
    assert deliveries_of(sqlite, "al-2") == []


def test_two_raises_of_one_alert_are_two_messages(sqlite: Engine) -> None:
    """Each has a name of its own, else the second would be taken for the first."""
    for n, level in enumerate((0, 1, 2)):
        steps(sqlite, NOON + n * MINUTE, found("page", level))
    assert [d.step for d in deliveries_of(sqlite, "al-1")] == ["opened", "raised-1", "raised-2"]


def test_alerts_are_listed_newest_first_also_of_one_check(sqlite: Engine) -> None:
    """Twelve at once and one later: by their numbers, not by the letters of their ids; no more than asked."""
    steps(sqlite, NOON, *(found(fingerprint=f"f{n}") for n in range(12)))
    steps(sqlite, NOON + 1, *(found(fingerprint=f"f{n}") for n in range(13)))
    assert [row.id for row in list_alerts(sqlite)] == [f"al-{n}" for n in range(13, 0, -1)]
    assert [row.id for row in list_alerts(sqlite, limit=3)] == ["al-13", "al-12", "al-11"]
    assert list_alerts(sqlite, "resolved") == []


def test_an_alert_as_json_has_its_numbers_who_saw_it_and_its_messages(sqlite: Engine) -> None:
    """What a page shows; nothing of it is text that has to be parsed again."""
    steps(sqlite, NOON, found(numbers={"age_s": 40}, event="d-7"))
    row = acknowledge(sqlite, " 1 ", ANN, NOON + 5)
    shown = view(row, deliveries_of(sqlite, row.id))
    assert (shown["numbers"], shown["acked_by"], shown["event"]) == ({"age_s": 40, "level": 0}, ANN, "d-7")
    assert [(d["step"], d["sink"], d["state"], d["attempts"]) for d in shown["deliveries"]] == [("opened", "slack", "waiting", 0)]
    assert shown["runbook"] == "docs/runbooks/bars-stale.md"


@pytest.mark.parametrize(
    ("start", "end", "minute", "waits"),
    [
        (22 * 60, 6 * 60, 22 * 60, 480),
        (60, 120, 59, 0),
        (60, 120, 60, 60),
        (60, 120, 119, 1),
        (60, 120, 120, 0),
        (0, 1439, 0, 1439),
        (0, 1439, 1439, 0),
        (0, 0, 0, 0),
    ],
)
def test_quiet_hours_over_a_day_and_within_one(start: int, end: int, minute: int, waits: int) -> None:
    """Half open: the last minute is the one before the end; equal ends are no quiet hours."""
    midnight = NOON // 86_400_000 * 86_400_000
    policy = P._replace(quiet_from=start, quiet_to=end)
    for second in (0, 59):
        at = midnight + minute * MINUTE + second * 1_000
        assert quiet_until(at, policy) == (midnight + (minute + waits) * MINUTE if waits else at)


def test_severity_weighs_more_than_level() -> None:
    """A warning of any level is less than a page."""
    order = [("note", 9), ("warn", 0), ("warn", 9), ("page", 0), ("page", 1)]
    assert sorted(order, key=lambda pair: rank(*pair)) == order
