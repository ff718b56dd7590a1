"""Every detector at its limit: silent just under it, a finding at it, with the counts and times that a person would count."""

from typing import Any

import pytest

from engine.control.halt import Latch
from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch.detectors import (
    ABSENT_MS,
    EXITS_WINDOW_MS,
    FLATTEN_MS,
    RECOVERED_MS,
    REFUSED_ROW_MAX,
    STALE_MS,
    evaluate,
    trailing_run,
)
from engine.watch.health import HealthCheck
from engine.watch.observation import DeskObservation, Finding, ProcessExit
from tests.engine.watch.test_detectors import BAR_MS, DESK_MS, LAYER, NOW, POSITION, desk, mark, only, refused


def kinds(found: DeskObservation) -> list[str]:
    """Fingerprints of what is found."""
    return [finding.fingerprint for finding in evaluate(found)[0]]


def one(found: DeskObservation, fingerprint: str) -> Finding:
    """The finding of that fingerprint."""
    (finding,) = [f for f in evaluate(found)[0] if f.fingerprint == fingerprint]
    return finding


def exits(process: str, *ages_ms: int, code: int | None = 1) -> dict[str, Any]:
    """Exits of a process so many milliseconds ago, oldest first."""
    return {"exits": tuple(ProcessExit(process, code, NOW - age) for age in sorted(ages_ms, reverse=True))}


@pytest.mark.parametrize(("gone_ms", "alarm"), [(0, False), (ABSENT_MS - 1, False), (ABSENT_MS, True)])
def test_a_worker_may_be_away_while_it_is_started(gone_ms: int, alarm: bool) -> None:
    """Nine seconds are a start, ten are an absence."""
    assert kinds(desk(pid=None, absent_ms=NOW - gone_ms)) == (["worker"] if alarm else [])


@pytest.mark.parametrize(("age_ms", "alarm"), [(RECOVERED_MS - 1, True), (RECOVERED_MS, False)])
@pytest.mark.parametrize("process", ["worker", "api"])
def test_a_restarted_process_has_recovered_after_a_minute(process: str, age_ms: int, alarm: bool) -> None:
    """The same for the worker and for the others."""
    fingerprint = "worker" if process == "worker" else f"process:{process}"
    assert kinds(desk(**exits(process, age_ms))) == ([fingerprint] if alarm else [])


@pytest.mark.parametrize("process", ["worker", "api"])
def test_three_exits_within_ten_minutes_are_a_crash_loop_and_two_are_not(process: str) -> None:
    """The third page stays although the last exit is minutes ago; one that left the window is not counted."""
    fingerprint = "worker" if process == "worker" else f"process:{process}"
    old = (300_000, 200_000, 100_000)
    found = one(desk(**exits(process, *old)), fingerprint)
    assert (found.severity, found.numbers["deaths"]) == ("page", 3)
    assert "3 times" in found.what
    assert kinds(desk(**exits(process, *old[:2]))) == []
    assert kinds(desk(**exits(process, EXITS_WINDOW_MS, *old[:2]))) == []
    assert kinds(desk(**exits(process, EXITS_WINDOW_MS - 1, *old[:2]))) == [fingerprint]


def test_a_crash_loop_is_worse_than_an_absence() -> None:
    """The level rises, so that an alert that was acknowledged asks again; the finding dates from the first exit."""
    absent = one(desk(pid=None, absent_ms=NOW - ABSENT_MS), "worker")
    loop = one(desk(pid=None, absent_ms=NOW - ABSENT_MS, **exits("worker", 90_000, 60_000, 30_000)), "worker")
    assert (absent.level, loop.level) == (1, 2)
    assert (absent.since_ms, loop.since_ms) == (NOW - ABSENT_MS, NOW - 90_000)


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "killed by signal 9"), (3, "exit code 3"), (0, "exit code 0"), (None, "exit code unknown")]
)
def test_how_a_process_ended_is_said(code: int | None, words: str) -> None:
    """A signal, a code, or nothing known of it."""
    assert f"({words})" in one(desk(**exits("api", 1_000, code=code)), "process:api").what


@pytest.mark.parametrize(
    ("pace", "age_ms", "alarm"),
    [
        (1.0, STALE_MS, False),
        (1.0, STALE_MS + 1, True),
        (0.05, 60_000, False),  # one bar every 20 s: three of them are a minute
        (0.05, 60_001, True),
        (None, STALE_MS + 1, True),  # a heartbeat without a pace counts as a bar a second
    ],
)
def test_bars_are_late_after_forty_seconds_and_three_bars(pace: float | None, age_ms: int, alarm: bool) -> None:
    """Whichever is longer."""
    heartbeat = {"phase": "running", "bars_per_second": pace, "wall_ms": NOW}
    found = desk(heartbeat=heartbeat, mark=mark()._replace(t_recv_ms=NOW - age_ms))
    assert kinds(found) == (["bars"] if alarm else [])


def test_late_bars_name_every_instrument_once() -> None:
    """Two sleeves on one instrument are one name; a desk that does not say its sleeves names every instrument."""
    config = {"sleeves": [{"name": n, "instrument": i} for n, i in (("a", "X"), ("b", "X"), ("c", "Y"))], "start": {}}
    late = mark()._replace(t_recv_ms=NOW - STALE_MS - 1)
    assert one(desk(mark=late, config=config), "bars").what.startswith("No bar of X, Y for 40 s")
    assert one(desk(mark=late, config={}), "bars").what.startswith("No bar of every instrument for 40 s")


@pytest.mark.parametrize(("closes", "alarm"), [(REFUSED_ROW_MAX - 1, False), (REFUSED_ROW_MAX, True)])
def test_five_closes_refused_by_one_rule_are_a_finding(closes: int, alarm: bool) -> None:
    """Counted from the close at which it began, that one included."""
    assert kinds(desk(**refused(closes, "gross_frac_max"))) == (["refused:btc-trend"] if alarm else [])


@pytest.mark.parametrize(("bars", "in_a_row"), [(4 * 16 - 1, 0), (4 * 16, 5), (5 * 16 - 1, 5), (5 * 16, 6)])
def test_a_sleeve_on_a_longer_timeframe_is_refused_at_its_own_closes(bars: int, in_a_row: int) -> None:
    """Four hours a close on a desk of fifteen minutes: the clock's bars between its closes are no refusals."""
    slow = {"sleeves": [{"name": "btc-trend", "instrument": "X", "timeframe": "4h"}], "start": {"timeframe_ms": BAR_MS}}
    found = desk(config=slow, **refused(bars + 1, "gross_frac_max"))
    assert [f.numbers["in_a_row"] for f in evaluate(found)[0] if f.kind == "refused"] == ([in_a_row] if in_a_row else [])


@pytest.mark.parametrize(("held_on", "severity"), [("4h", "page"), ("15m", "warn")])
def test_silence_of_a_longer_timeframe_concerns_the_sleeves_that_decide_on_it(held_on: str, severity: str) -> None:
    """A page when one of them holds a position, also where the clock's own bars have prices."""
    other = {"15m": "4h", "4h": "15m"}[held_on]
    named = (("btc-trend", held_on), ("eth-trend", other))  # btc-trend holds a position
    slow = {"sleeves": [{"name": n, "instrument": "X", "timeframe": t} for n, t in named], "start": {"timeframe_ms": BAR_MS}}
    found = one(desk(config=slow, silent_instruments=("X@4h",)), "bars:X@4h")
    assert (found.severity, "no sleeve trades it" in found.what) == (severity, False)


def order(n: int, state: str, slot: str = "entry", sleeve: str = "btc-trend") -> Event:
    """An order event."""
    return Event(
        "order", DESK_MS + n, {"sleeve": sleeve, "state": state, "slot": slot, "lots": 20}, t_recv_ms=NOW + n, id=f"d-{n}"
    )


def test_rejections_are_counted_in_a_row_of_one_slot() -> None:
    """A working stop between rejected entries says nothing of entries; a working entry ends their row."""
    entries = [order(2 * n, "rejected") for n in range(5)]
    stops = [order(2 * n + 1, "working", "protective") for n in range(5)]
    both = tuple(sorted((*entries, *stops), key=lambda e: e.t_event_ms))
    found = one(desk(recent=both), "rejected:btc-trend")
    assert found.numbers == {"in_a_row": 5, "lots": 20, "limit": 5}
    assert (found.since_ms, found.event) == (NOW, "d-8")
    assert kinds(desk(recent=(*both, order(99, "working")))) == []
    mixed = tuple(order(n, "rejected", "entry" if n < 4 else "protective") for n in range(8))
    assert kinds(desk(recent=mixed)) == []  # four and four are no row of five
    assert kinds(desk(recent=(*mixed, order(9, "rejected", "protective")))) == ["rejected:btc-trend"]


def test_the_limit_of_desk_toml_counts() -> None:
    """Two in a row where desk.toml says two; and each sleeve is counted for itself."""
    recent = (order(1, "rejected"), order(2, "rejected", sleeve="eth-trend"), order(3, "rejected"))
    assert kinds(desk(recent=recent)) == []
    assert kinds(desk(recent=recent, limits=HardLimits(rejections_row_max=2))) == ["rejected:btc-trend"]


def test_what_has_not_been_answered_counts_neither_way() -> None:
    """An order that was sent, or of which nobody knows, neither ends a row of rejections nor adds to it."""
    recent = (*(order(n, "rejected") for n in range(4)), order(5, "UNKNOWN"), order(6, "done"), order(7, "rejected"))
    assert one(desk(recent=recent), "rejected:btc-trend").numbers["in_a_row"] == 5


def test_the_run_at_the_end_is_what_counts() -> None:
    """Oldest first, unbroken to the end, empty when the last does not match."""
    events = [Event("x", n, {"bad": flag}) for n, flag in enumerate((1, 0, 1, 1))]
    assert [e.t_event_ms for e in trailing_run(events, lambda e: bool(e.body["bad"]))] == [2, 3]
    assert trailing_run(events[:2], lambda e: bool(e.body["bad"])) == []
    assert trailing_run([], lambda _: True) == []


def trip(breaker: str, n: int, sleeve: str = "btc-trend") -> Event:
    """A breaker event."""
    return Event("breaker", DESK_MS - 1_000 + n, {"sleeve": sleeve, "breaker": breaker}, t_recv_ms=NOW - 1_000 + n, id=f"d-{n}")


UNTIL = {"blocked_until_ms": DESK_MS + 9_000_000}
PAUSED = {"paused_until_ms": DESK_MS + 99_000_000}


@pytest.mark.parametrize(
    ("state", "tripped", "name", "severity"),
    [
        (UNTIL, ("daily loss",), "daily loss", "page"),
        (PAUSED, ("loss streak",), "loss streak", "note"),
        (PAUSED, ("loss streak", "entry frequency"), "entry frequency", "note"),
        (UNTIL | PAUSED, ("daily loss", "loss streak"), "daily loss", "page"),
        (UNTIL | PAUSED, ("entry frequency", "daily loss"), "daily loss", "page"),
        (PAUSED, ("loss streak", "daily loss"), "loss streak", "note"),  # the day's block is over, the pause is not
        (UNTIL, (), "daily loss", "page"),
        (PAUSED, (), "loss streak or entry frequency", "note"),
    ],
)
def test_the_breaker_in_force_is_named_whatever_tripped_after_it(
    state: dict[str, Any], tripped: tuple[str, ...], name: str, severity: str
) -> None:
    """A position that is stopped out after the daily loss also ends a streak: the daily loss goes on paging, with its own row. A
    pause asks nothing of a person: it is a note."""
    events = tuple(trip(breaker, n) for n, breaker in enumerate(tripped))
    found = only(desk(mark=mark(state), tripped=(*events, trip("entry frequency", 8, "eth-trend"))))
    assert (found.what.split(" tripped:")[0], found.severity) == (f"Breaker {name}", severity)
    own = next((e.id for e in reversed(events) if e.body["breaker"] == name), "d-9")
    assert found.event == own
    assert found.numbers["until_desk_ms"] == max(state.values())  # while either runs nothing enters


@pytest.mark.parametrize(("equity", "alarm"), [(17_601.0, False), (17_599.0, True), (16_999.0, True)])
def test_a_drawdown_is_told_at_four_fifths_of_its_limit(equity: float, alarm: bool) -> None:
    """12 % of 15 %; with a limit of 20 % the same equity is no finding."""
    assert kinds(desk(mark=mark(equity=equity))) == (["drawdown"] if alarm else [])
    assert kinds(desk(mark=mark(equity=equity), limits=HardLimits(drawdown_frac_max=0.2))) == []


def test_a_drawdown_that_tripped_is_worse_than_one_that_is_near() -> None:
    """A level up, and it says that the desk flattens by itself; also when equity has come back."""
    near, past = mark(equity=17_400.0), mark(equity=19_900.0, tripped=["desk drawdown"])
    assert [one(desk(mark=m), "drawdown").level for m in (near, past)] == [0, 1]
    assert one(desk(mark=past), "drawdown").what.startswith("BREAKER desk drawdown: the desk halts and flattens")


@pytest.mark.parametrize("missing", [{"equity": None}, {"peak": None}, {"peak": 0.0}])
def test_a_drawdown_that_cannot_be_computed_is_not_none(missing: dict[str, Any]) -> None:
    """No equity or no peak: a page that says so."""
    found = only(desk(mark=mark(**missing)))
    assert (found.fingerprint, found.severity) == ("watch:drawdown", "page")


@pytest.mark.parametrize(("ms", "severity"), [(FLATTEN_MS - 1, "warn"), (FLATTEN_MS, "page")])
def test_a_halted_desk_that_still_holds_something_after_a_minute_is_a_page(ms: int, severity: str) -> None:
    """And it says what is open; a flat one stays a warning however long it lasts."""
    found = only(desk(halt=Latch(True, "odd", "ann", NOW - ms)))
    assert found.severity == severity
    assert "STILL OPEN: long 0.02" in found.what
    assert only(desk(halt=Latch(True, "odd", "ann", NOW - ms), mark=mark({"position": None}))).severity == "warn"


def test_a_halt_by_the_worker_is_a_page_and_one_by_the_guardrail_is_told_by_its_breaker() -> None:
    """The desk stopped itself: somebody has to look, position or not. The drawdown breaker has an alert of its own."""
    flat = mark({"position": None})
    assert only(desk(halt=Latch(True, "cannot go on", "worker", NOW), mark=flat)).severity == "page"
    assert kinds(desk(halt=Latch(True, "desk drawdown breaker", "guardrail", NOW), mark=flat)) == []
    unread = only(desk(halt=Latch(True, "the file cannot be read", where=("file",), unreadable="x"), mark=flat))
    assert "HALTED by an unknown actor" in unread.what


def test_layers_without_cover_are_counted_with_their_lots() -> None:
    """Two of three layers are bare: two, forty lots, and the level at which a stop belongs."""
    bare = LAYER | {"protective_state": "rejected"}
    layers = [LAYER, bare, bare | {"protective_state": "none", "protective": 94.0}]
    found = only(desk(mark=mark({"position": POSITION | {"layers": layers}})))
    assert (found.numbers["layers"], found.numbers["lots"]) == (2, 40)
    assert "(none, rejected)" in found.what
    assert "place a reduce-only stop at 95.00 by hand" in found.action


@pytest.mark.parametrize(("state", "severity"), [("ok", None), ("warning", "warn"), ("bad", "page")])
def test_a_disk_that_fills_warns_before_it_pages(state: Any, severity: str | None) -> None:
    """The check decides; the finding carries its words."""
    checks = desk().checks | {"disk": HealthCheck("disk", state, "0.1 GB free")}
    assert [(f.kind, f.severity) for f in evaluate(desk(checks=checks))[0]] == ([("disk", severity)] if severity else [])


def test_a_journal_that_does_not_verify_pages_also_while_no_worker_runs() -> None:
    """The file matters more than whoever writes it."""
    checks = desk().checks | {"journals": HealthCheck("journals", "bad", "desk line 7: changed")}
    stopped = {"heartbeat": {"phase": "stopped"}, "mark": mark({"position": None}), "pid": None, "absent_ms": NOW}
    found = only(desk(checks=checks, **stopped))
    assert (found.kind, found.severity, found.what) == ("journal", "page", "desk line 7: changed")


def test_two_findings_of_one_fingerprint_are_one() -> None:
    """Two proposals of one id cannot be, but two reports of one incident can: one alert."""
    event = Event("incident", 0, {"what": "odd", "sleeve": "btc-trend", "action": "look"}, t_recv_ms=NOW, id="d-4")
    found = only(desk(incidents=(event, event)))
    assert (found.place, found.action) == ("btc-trend", "look")
