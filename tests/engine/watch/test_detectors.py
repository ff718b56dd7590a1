"""Detectors on hand-made observations: each fault is one finding with instrument, size and action; a calm desk gives none."""

from pathlib import Path
from typing import Any

import pytest

from engine.control.halt import Latch
from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch import health
from engine.watch.detectors import DETECTORS, evaluate
from engine.watch.health import HealthCheck
from engine.watch.observation import RUNBOOKS, DeskObservation, Finding, ProcessExit

NOW, DESK_MS = 1_760_000_000_000, 1_735_689_600_000
INSTRUMENT = "binance:BTC-USDT:perp"
LAYER = {"lots": 20, "entry": 100.0, "protective": 95.0, "protective_state": "working", "due": None}
GONE = {"protective_state": "none", "due": "halt"}
POSITION = {"side": "long", "quantity": 0.02, "lots": 20, "layers": [LAYER]}
SLEEVES = [
    {"name": name, "instrument": f"binance:{coin}-USDT:perp"} for name, coin in (("btc-trend", "BTC"), ("eth-trend", "ETH"))
]


GUARD = {"streak": 0, "day_entries": 0, "day_equity": 10_000.0, "refused_by": None, "refused_ms": None}
BAR_MS = 900_000


def mark(sleeve: dict[str, Any] | None = None, **more: Any) -> Event:
    """A mark of a desk that holds BTC and is flat in ETH."""
    held = {"equity": 10_000.0, "cash": 9_990.0, "position": POSITION, "guard": GUARD} | (sleeve or {})
    body = {"equity": 20_000.0, "peak": 20_000.0, "tripped": [], "stamp": "PAPER", "version": 1}
    body |= {"sleeves": {"btc-trend": held, "eth-trend": {"equity": 10_000.0, "guard": GUARD}}} | more
    return Event("mark", DESK_MS, body, t_recv_ms=NOW - 500, id="d-9", seq=9)


def desk(**more: Any) -> DeskObservation:
    """A calm desk in the middle of its day."""
    checks = {name: HealthCheck(name, "ok", "fine") for name in ("worker", "protective orders", "journals", "disk")}
    calm = {
        "now_ms": NOW,
        "checks": checks,
        "mark": mark(),
        "config": {"sleeves": SLEEVES, "start": {"timeframe_ms": BAR_MS}},
        "pid": 77,
        "absent_ms": None,
    }
    calm |= {
        "heartbeat": {"phase": "running", "bars_per_second": 1.0, "wall_ms": NOW - 300},
        "phase_ms": NOW - 600_000,
        "exits": (),
    }
    return DeskObservation(**{**calm, "limits": HardLimits(), "halt": Latch(False), **more})


def only(found: DeskObservation) -> Finding:
    """The one finding of an observation."""
    findings, unsure = evaluate(found)
    assert len(findings) == 1, findings
    assert unsure <= {"bars"}  # nobody can tell while no worker runs
    return findings[0]


def refused(closes: int, rule: str) -> dict[str, Any]:
    """An observation's mark and decisions when one rule has refused BTC for so many closes."""
    began = DESK_MS - (closes - 1) * BAR_MS
    body = {"sleeve": "btc-trend", "action": "refused", "refused_by": rule, "size": {"wanted": 0.05}}
    first = Event("decision", began, body, t_recv_ms=NOW - 9_000, id="d-0")
    return {"mark": mark({"guard": GUARD | {"refused_by": rule, "refused_ms": began}}), "recent": (first,)}


def orders(states: str) -> tuple[Event, ...]:
    """Orders, r for rejected, f for filled."""
    names = {"r": "rejected", "f": "filled"}
    bodies = [{"sleeve": "btc-trend", "state": names[letter], "lots": 20} for letter in states]
    return tuple(Event("order", DESK_MS + n, body, t_recv_ms=NOW, id=f"d-{n}") for n, body in enumerate(bodies))


def test_a_calm_desk_is_silent() -> None:
    """Nothing found, nothing unsure; the same while it waits at the end of recorded data, or before its first bar."""
    assert evaluate(desk()) == ([], frozenset())
    waiting = {"phase": "waiting", "note": "End of the recorded bars", "wall_ms": NOW}
    old = mark()._replace(t_recv_ms=NOW - 86_400_000)
    assert evaluate(desk(heartbeat=waiting, mark=old)) == ([], frozenset())
    assert evaluate(desk(heartbeat={}, mark=None, pid=None, absent_ms=NOW - 600_000))[0] == []


@pytest.mark.parametrize(("age_ms", "late"), [(BAR_MS + 60_000, False), (BAR_MS * 3 // 2 + 1_000, True)])
def test_live_bars_are_due_with_their_closes(age_ms: int, late: bool) -> None:
    """A quarter of an hour between two bars of 15m is as it should be; half a bar more is a page."""
    beat = {"phase": "running", "bars_per_second": None, "source": "live", "wall_ms": NOW - 300, "desk_ms": NOW - age_ms}
    found, _ = evaluate(desk(heartbeat=beat, phase_ms=NOW - 86_400_000))
    assert [finding.fingerprint for finding in found] == (["bars"] if late else [])


@pytest.mark.parametrize("held", [True, False])
def test_bars_that_cannot_be_walked_are_an_alert_while_the_desk_waits(held: bool) -> None:
    """A damaged file: which, what to do, and what is open meanwhile; a page only when something is."""
    why = "New bars are there, but: btc.parquet: it is damaged - restore it"
    beat = {"phase": "waiting", "wall_ms": NOW, "refused": why}
    found = only(desk(heartbeat=beat, mark=mark(None if held else {"position": None})))
    assert (found.fingerprint, found.severity) == ("bars:refused", "page" if held else "warn")
    assert found.what.startswith(f"{why}; open: {'long 0.02' if held else 'nothing'}")


COMPARED = {
    "wall_ms": NOW - 9_000,
    "from_ms": DESK_MS - 7 * 86_400_000,
    "to_ms": DESK_MS,
    "difference_usd": -40.0,
    "gross_usd": 1_000.0,
}
COMPARED |= {"unexplained_usd": 0.0, "unexplained_frac": 0.0}


@pytest.mark.parametrize("usd", [0.0, 9.99, 10.0])
def test_a_desk_that_does_what_its_backtest_says_is_calm(usd: float) -> None:
    """Up to 1 % of what its round trips moved may be unexplained; a difference that is explained is no alert."""
    assert evaluate(desk(parity=COMPARED | {"unexplained_usd": usd, "unexplained_frac": usd / 1_000.0})) == ([], frozenset())


def test_the_finding_says_what_nothing_explains() -> None:
    """Dollars, their share, the days; what to run."""
    found = only(desk(parity=COMPARED | {"unexplained_usd": 32.0, "unexplained_frac": 0.032}))
    assert found.what == (
        "Desk and backtest differ by 32.00 that nothing explains, 3.2 % of what its round trips moved (2024-12-25 to 2025-01-01)"
    )
    assert "nightdesk parity" in found.action
    assert found.since_ms == NOW - 9_000


PLANTED = {
    "worker dead": {"pid": None, "absent_ms": NOW - 11_000},
    "worker killed and back": {"exits": (ProcessExit("worker", -9, NOW - 2_000),)},
    "worker keeps dying": {
        "exits": tuple(ProcessExit("worker", 1, NOW - n * 20_000) for n in (3, 2, 1)),
        "pid": None,
        "absent_ms": NOW,
    },
    "bars stale": {"mark": mark()._replace(t_recv_ms=NOW - 41_000)},
    "no price": {"silent_instruments": (INSTRUMENT,)},
    "rejected in a row": {"recent": orders("frrrrr")},
    "inputs missing": refused(5, "an input cannot be computed"),
    "daily loss": {"mark": mark({"blocked_until_ms": DESK_MS + 9_000_000})},
    "naked": {"mark": mark({"position": POSITION | {"layers": [LAYER | {"protective_state": "rejected"}]}})},
    "exits given up": {"mark": mark({"position": POSITION | {"layers": [LAYER | GONE | {"exit_state": "none"}]}})},
    "stop not moved": {"mark": mark({"position": POSITION | {"layers": [LAYER | {"stop_at": 93.0, "stop_lots": 12}]}})},
    "difference": {"mark": mark(differs={"t9": "trade t9 is of an order that this desk does not know"})},
    "drawdown near": {"mark": mark(equity=17_600.0)},
    "drawdown tripped": {"mark": mark(equity=16_900.0, tripped=["desk drawdown"])},
    "halted and still open": {"halt": Latch(True, "odd", "ann", NOW - 61_000)},
}


@pytest.mark.parametrize("fault", PLANTED, ids=str)
def test_a_planted_fault_is_one_page_that_names_instrument_size_and_action(fault: str) -> None:
    """One finding, page severity; what is open stands in it with its size; it says what to do and where to read on."""
    found = only(desk(**PLANTED[fault]))
    assert found.severity == "page"
    assert INSTRUMENT in found.what
    assert "0.02" in found.what
    assert len(found.action) > 15
    assert found.runbook.endswith(".md")
    assert found.since_ms <= NOW


def test_one_strangers_trade_is_one_alert() -> None:
    """The trade, then the position and the cash that it moved, and what the worker said of each: one page, not sent anew."""
    trade = {"t9": "trade t9 is of an order that this desk does not know"}
    moved = {"position of BTC": "340 lots, the desk 300", "cash": "the venue's cash has moved"}
    said = [
        Event("incident", DESK_MS, {"what": what, "difference": what}, t_recv_ms=NOW, id=f"d-{n}")
        for n, what in enumerate([*trade, *moved])
    ]
    first = only(desk(mark=mark(differs=trade), incidents=tuple(said[:1])))
    second = only(desk(mark=mark(differs=trade | moved), incidents=tuple(said)))
    assert (first.fingerprint, first.level) == (second.fingerprint, second.level)
    assert all(text in second.what for text in (*trade.values(), *moved.values()))
    (other,) = evaluate(desk(incidents=(said[0]._replace(seq=10**6),)))[0]
    assert other.kind == "incident"  # a worker's word that no difference repeats yet stays one of its own
    last = mark()._replace(seq=9)
    assert [seen.kind for seen in evaluate(desk(mark=last, incidents=(said[0]._replace(seq=10),)))[0]] == ["incident"]
    assert not evaluate(desk(mark=last, incidents=(said[0]._replace(seq=8),)))[0], "adopted: nobody is sent to adopt it again"


def test_another_trade_or_another_position_wakes_again() -> None:
    """Whoever has acknowledged the first is not left alone with the next."""
    trade, moved = {"t9": "trade t9"}, {"position of BTC": "340 lots, the desk 300"}
    first = only(desk(mark=mark(differs=trade | moved)))
    worse = only(desk(mark=mark(differs=trade | moved | {"position of ETH": "7 lots, the desk 0"})))
    assert (worse.fingerprint, worse.level) == (first.fingerprint, first.level + 1)
    both, _ = evaluate(desk(mark=mark(differs=trade | moved | {"t10": "trade t10"})))
    assert [finding.fingerprint for finding in both] == ["difference:t9", "difference:t10"]
    alone, _ = evaluate(desk(mark=mark(differs=moved | {"position of ETH": "7 lots, the desk 0"})))
    assert len(alone) == 2


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Both faults in one observation; None when they cannot be at the same time (one mark, one worker)."""
    return None if set(one) & set(other) else {**one, **other}


HIDDEN_BY_NO_WORKER = {"bars stale", "no price"}  # without a worker no bars come: one fault, one alert


@pytest.mark.parametrize("first", PLANTED, ids=str)
def test_no_fault_hides_another(first: str) -> None:
    """Two faults at once: the findings of each alone are there, with their severity; but for bars while no worker runs."""
    tried = 0
    for second, planted in PLANTED.items():
        both = merged(PLANTED[first], planted)
        if both is None:
            continue
        if both.get("pid", 77) is None and {first, second} & HIDDEN_BY_NO_WORKER:
            continue
        tried += 1
        seen = {(f.fingerprint, f.severity) for f in evaluate(desk(**both))[0]}
        for alone in (first, second):
            assert seen >= {(f.fingerprint, f.severity) for f in evaluate(desk(**PLANTED[alone]))[0]}, (alone, second)
    assert tried > 0


@pytest.mark.parametrize(
    ("more", "kind", "severity"),
    [
        (refused(6, "leverage_max"), "refused", "warn"),
        ({"mark": mark({"paused_until_ms": DESK_MS + 1})}, "breaker", "note"),
        ({"silent_instruments": ("binance:ETH-USDT:perp",)}, "bars", "warn"),
        ({"parity": COMPARED | {"unexplained_usd": 10.02, "unexplained_frac": 0.01002}}, "parity", "warn"),
        ({"parity": COMPARED | {"unexplained_usd": 0.01, "gross_usd": 0.0, "unexplained_frac": None}}, "parity", "warn"),
        ({"parity": {"wall_ms": NOW, "failed": "the bars of BTC-USDT are gone"}}, "parity", "warn"),
        ({"halt": Latch(True, "a drill", "ann", NOW - 1_000)}, "halt", "warn"),
        ({"exits": (ProcessExit("api", -11, NOW - 1_000),)}, "worker", "warn"),
        ({"expired": ({"id": "prop-1", "sleeve": "x", "direction": "tightens", "expires_ms": NOW},)}, "proposal", "note"),
        ({"incidents": (Event("incident", 0, {"what": "odd"}, t_recv_ms=NOW, id="d-4"),)}, "incident", "warn"),
        ({"undelivered": ({"sink": "slack", "failed": 2, "since_ms": NOW, "error": "x"},)}, "delivery", "warn"),
    ],
    ids=str,
)
def test_what_is_no_emergency_wakes_nobody(more: dict[str, Any], kind: str, severity: str) -> None:
    """Warnings and notes are findings too, but no pages."""
    found = only(desk(**more))
    assert (found.kind, found.severity) == (kind, severity)


def test_ordinary_refusals_and_broken_rows_are_no_findings() -> None:
    """What another alert tells, what happens every day, a row that ended, and a row of four."""
    for more in (
        refused(9, "desk is halted"),
        refused(9, "entries paused"),
        refused(4, "leverage_max"),
        refused(1, "layers_max"),
        refused(60, "no_entry window"),
        refused(4, "correlated_frac_max"),
        {"recent": orders("rrrrf")},
        {"recent": orders("rrrr")},
    ):
        assert evaluate(desk(**more))[0] == []


def test_a_signal_that_contradicts_itself_is_an_alert_at_once() -> None:
    """It is the strategy's fault and not the market's: one refusal is enough."""
    found = only(desk(**refused(1, "the signal contradicts itself")))
    assert (found.kind, found.severity) == ("refused", "warn")


def test_a_refusal_that_lasts_is_counted_in_closes() -> None:
    """Since its first close, also when that decision is far back; the finding names the decision it began with."""
    found = only(desk(**refused(40, "leverage_max")))
    assert found.numbers == {"in_a_row": 40, "wanted": 0.05}
    assert found.event == "d-0"


@pytest.mark.parametrize(
    "layer",
    [
        GONE | {"exit_state": "working"},
        GONE | {"exit_state": "sent"},
        {"protective_state": "partial", "due": "stop", "exit_state": "none"},
    ],
)
def test_a_layer_that_is_leaving_wakes_nobody(layer: dict[str, Any]) -> None:
    """Its exit is at the venue and the stop was cancelled for it; or its stop has filled in part and goes on."""
    assert evaluate(desk(mark=mark({"position": POSITION | {"layers": [LAYER | layer]}})))[0] == []


def test_a_stop_that_is_not_moved_says_where_it_stands() -> None:
    """Level and lots at the venue, beside those it should have; the health check is bad, too."""
    layer = LAYER | {"stop_at": 93.0, "stop_lots": 12}
    stuck = mark({"position": POSITION | {"layers": [layer]}})
    found = only(desk(mark=stuck))
    assert (found.kind, found.numbers["stop_at"], found.numbers["protective"]) == ("stop", 93.0, 95.0)
    assert "12 of 20 lots" in found.what
    assert health.positions(stuck, {}).state == "bad"


def test_an_order_that_nobody_knows_blinds_no_detector() -> None:
    """A venue's word about it has no sleeve: the rejections of ours are counted all the same."""
    unknown = Event("order", DESK_MS, {"order": "x1", "state": "working", "booked": False}, t_recv_ms=NOW, id="d-1")
    assert only(desk(recent=(unknown, *orders("frrrrr"), unknown))).kind == "rejected"


def test_a_stop_that_was_sent_a_moment_ago_wakes_nobody_and_one_that_stays_unanswered_does() -> None:
    """At an account a fill is marked before the venue can have answered about its stop; after five seconds it is naked."""
    sent = mark({"position": POSITION | {"layers": [LAYER | {"protective_state": "sent"}]}})
    assert evaluate(desk(mark=sent._replace(t_recv_ms=NOW - 1_000)))[0] == []
    assert only(desk(mark=sent._replace(t_recv_ms=NOW - 5_000))).kind == "protective"


def test_a_replay_of_the_past_wakes_nobody() -> None:
    """A drawdown, a breaker and a naked layer of replayed bars are history."""
    past = mark({"blocked_until_ms": DESK_MS + 1, "position": POSITION | {"layers": [LAYER | {"protective_state": "rejected"}]}})
    past = past._replace(body={**past.body, "equity": 1.0, "stamp": "REPLAYED"})
    assert evaluate(desk(mark=past, heartbeat={"phase": "replaying", "wall_ms": NOW}))[0] == []


def test_a_worker_that_rests_is_not_dead_and_one_that_holds_is() -> None:
    """Stopped by its person and flat: fine. Stopped with a position: a page."""
    stopped = {"phase": "stopped", "wall_ms": NOW - 90_000}
    flat = mark({"position": None})
    away = {"heartbeat": stopped, "pid": None, "absent_ms": NOW - 90_000}
    assert evaluate(desk(**away, mark=flat))[0] == []
    assert only(desk(**away)).kind == "worker"


def test_a_worker_whose_clock_is_apart_warns_and_is_not_to_be_killed() -> None:
    """It lives: what to do is to set a clock."""
    text = "the worker (process 77) runs, running; its clock is 3600 s behind this one"
    found = only(desk(checks=desk().checks | {"worker": HealthCheck("worker", "warning", text)}, pid=77))
    assert (found.fingerprint, found.severity) == ("clock", "warn")
    assert found.what.startswith("The worker (process 77) runs, running; its clock is 3600 s behind this one; open:")
    assert "kill" not in found.action


def test_a_hanging_worker_is_told_with_its_process() -> None:
    """Holding its place and silent."""
    checks = desk().checks | {"worker": HealthCheck("worker", "bad", "the worker (process 77) hangs: no heartbeat for 45 s")}
    found = only(desk(checks=checks, heartbeat={"phase": "running", "bars_per_second": 1.0, "wall_ms": NOW - 45_000}, pid=77))
    assert found.what.startswith("The worker (process 77) hangs: no heartbeat for 45 s; open: long 0.02")
    assert "kill -9 77" in found.action


def test_a_restarted_worker_is_not_stale_at_once() -> None:
    """The last bar is an hour old because nothing ran; its phase has just begun."""
    old = mark()._replace(t_recv_ms=NOW - 3_600_000)
    assert evaluate(desk(mark=old, phase_ms=NOW - 1_000))[0] == []


def test_what_cannot_be_worked_out_is_a_page_and_resolves_nothing() -> None:
    """A mark of another shape, and a check that failed: unsure kinds are named so that their alerts stay open."""
    found, unsure = evaluate(desk(mark=mark()._replace(body={"stamp": "PAPER"})))
    assert {"protective", "drawdown", "breaker"} <= unsure
    assert all(finding.severity == "page" for finding in found)
    checks = desk().checks | {"disk": HealthCheck("disk", "unknown", "disk could not be checked")}
    found, unsure = evaluate(desk(checks=checks))
    assert unsure == {"disk"}
    assert [finding.kind for finding in found] == ["watch"]
    broken = desk(mark=mark(equity=None))
    assert [finding.fingerprint for finding in evaluate(broken)[0]] == ["watch:drawdown"]


def test_every_kind_has_its_page_and_every_rule_its_kinds() -> None:
    """A rule that breaks keeps the alerts of all its kinds open."""
    assert {kind for _, kinds in DETECTORS.values() for kind in kinds} | {"watch"} == set(RUNBOOKS)


@pytest.mark.parametrize("name", sorted(set(RUNBOOKS.values())))
def test_every_alert_has_a_page_for_three_in_the_morning(name: str) -> None:
    """It is there, it is short, it has numbered steps, and it says when the alert is over."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "runbooks" / f"{name}.md").read_text()
    assert text.startswith("# ")
    assert len(text.splitlines()) < 25
    assert "\n1. " in text
    assert text.rstrip().splitlines()[-1].endswith(".")


def test_a_liquidation_pages_with_price_and_what_is_left() -> None:
    """The fill that the venue made for want of margin, at once; a stop is none."""
    closed = {"sleeve": "btc-trend", "reason": "liquidation", "price": 80.8, "slot": "protective"}
    fill = Event("fill", DESK_MS, closed, t_recv_ms=NOW - 900, id="d-7", seq=7)
    found = only(desk(mark=mark({"equity": 0.0, "cash": 0.0, "position": None}), recent=(fill,)))
    assert (found.kind, found.severity, found.event, found.since_ms) == ("liquidation", "page", "d-7", NOW - 900)
    assert "a new home" in found.action, "no cash reaches a sleeve of this one"
    assert "btc-trend LIQUIDATED at 80.8" in found.what
    stop = Event("fill", DESK_MS, {**closed, "reason": "stop"}, t_recv_ms=NOW, id="d-8", seq=8)
    assert evaluate(desk(recent=(stop,)))[0] == []


def test_a_sleeve_without_equity_pages_for_as_long_as_it_has_none() -> None:
    """Below zero, long after the fill: named, with the figure; its refusals are no second alert."""
    refused = GUARD | {"refused_by": "no equity left", "refused_ms": DESK_MS - 100 * BAR_MS}
    found = only(desk(mark=mark({"equity": -12.5, "position": None, "guard": refused})))
    assert (found.kind, found.numbers["equity"]) == ("liquidation", -12.5)
    assert "btc-trend has no equity left; equity -12.50" in found.what
