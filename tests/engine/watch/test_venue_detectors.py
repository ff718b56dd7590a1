"""What pages between desk and venue: missing executions, an exit that is filled by word alone, a stranger's order in parts."""

from typing import Any

import pytest

from engine.control.halt import Latch
from engine.store.chain import Event
from engine.watch.detectors import evaluate
from engine.watch.venue_detectors import NOT_CONNECTED
from tests.engine.watch.test_detectors import DESK_MS, INSTRUMENT, LAYER, NOW, POSITION, desk, mark, only, orders

MISSING = {"executions": "order nd1 says that more has filled than is listed"}


def reported(what: str, **more: Any) -> Event:
    """An incident that the worker has journaled."""
    return Event("incident", DESK_MS, {"what": what} | more, t_recv_ms=NOW, id="d-7")


def test_missing_executions_are_one_page_for_as_long_as_they_last() -> None:
    """Two orders, and what the worker said of each: one page that names the position and sends a person to the venue first."""
    said = "order nd1 says that more has filled than the venue lists, for a minute; no entries"
    found = only(desk(mark=mark(blocked=MISSING), incidents=(reported(said), reported(said.replace("nd1", "nd2")))))
    assert (found.kind, found.severity, found.runbook) == ("executions", "page", "docs/runbooks/unknown-order.md")
    assert f"long 0.02 {INSTRUMENT}" in found.what
    assert "nightdesk reconcile" in found.action
    assert "the venue's own page: place and close nothing before" in found.action
    assert not evaluate(desk(mark=mark(blocked={"gate": "an incident of the fill path: executions"})))[0]


def test_a_missing_bar_is_one_alert_that_says_why() -> None:
    """Features that have no value because the bar is missing are no alert of their own; with the bar there they are."""
    lacking = {"btc-trend": ["atr(14)", "sma(20)"]}
    assert only(desk(lacking=lacking)).kind == "features"
    why = "the clock of binance is 2000 ms from ours"
    marked = mark(blocked={f"data bar {INSTRUMENT}": why, "data bar other": "x"})
    found = only(desk(lacking=lacking, mark=marked, silent_instruments=(INSTRUMENT,)))
    assert found.what.startswith(f"No price of {INSTRUMENT} for three bars ({why}): long 0.02")


def test_an_instrument_that_the_venue_does_not_list_is_one_page() -> None:
    """Its position is the difference; that it could not be compared, and features without a value, follow from it."""
    off = {
        "differs": {f"position of {INSTRUMENT}": "the venue does not list it"},
        "off": {INSTRUMENT: "the venue does not list it"},
    }
    said = reported(f"{INSTRUMENT} cannot be compared with the venue: the venue does not list {INSTRUMENT}")._replace(seq=5)
    lacking = {"btc-trend": ["atr(14)"]}
    found = only(desk(mark=mark(**off), incidents=(said,), lacking=lacking))
    assert found.what.startswith(
        "Desk and venue differ, the sleeves of that instrument enter nothing: the venue does not list it"
    )
    blocked = only(desk(mark=mark(**off, blocked={"cash": "x"}), incidents=(said,), lacking=lacking))
    assert blocked.what.startswith("Desk and venue differ, no sleeve enters: ")
    listed = evaluate(desk(mark=mark(), incidents=(said,), lacking=lacking))[0]
    assert sorted(one.kind for one in listed) == ["features", "incident"]


@pytest.mark.parametrize(
    ("slot", "held", "off", "pages"),
    [
        ("exit", True, {}, ["rejected"]),
        ("exit", False, {}, []),
        ("exit", True, {INSTRUMENT: "the venue does not list it"}, []),
        ("exit", True, {INSTRUMENT: "the venue lists it as suspend"}, ["rejected"]),
        ("entry", False, {}, ["rejected"]),
    ],
)
def test_refused_exits_page_where_something_can_be_closed(slot: str, held: bool, off: dict[str, str], pages: list[str]) -> None:
    """A halt tries to leave what the venue does not list as well: its end says so, and the position is paged."""
    ran = tuple(one._replace(body=one.body | {"slot": slot}) for one in orders("rrrrr"))
    marked = mark({"position": POSITION if held else None}, off=off)
    assert [one.kind for one in evaluate(desk(mark=marked, recent=ran))[0]] == pages


def test_two_venues_that_disagree_are_an_alert_that_names_the_feed() -> None:
    """And says by how much, what is open, and that nothing enters; other troubles of the data are none of it."""
    why = f"{INSTRUMENT} against okx:BTC-USDT:perp: volume is 1000 times the other's throughout"
    found = only(desk(mark=mark(blocked={f"data parted okx:BTC-USDT:perp {INSTRUMENT}": why, "data rest okx": "429"})))
    assert (found.kind, found.severity, found.place) == ("bars", "warn", INSTRUMENT)
    assert found.what == f"Two venues disagree, nothing enters: {why}; open: long 0.02 {INSTRUMENT} (btc-trend)"
    assert f"unit of the volume of {INSTRUMENT}" in found.action


@pytest.mark.parametrize("later_s", [1, 6])
def test_an_exit_that_is_filled_by_word_alone_asks_for_no_stop(later_s: int) -> None:
    """The venue may be flat: a stop by hand would be in the way. An execution that comes within seconds pages nobody."""
    leaves = LAYER | {"protective_state": "none", "due": "reversal", "exit_state": "done"}
    seen = mark({"position": POSITION | {"layers": [leaves]}})._replace(t_recv_ms=NOW - 1_000 * later_s)
    found, _ = evaluate(desk(mark=seen))
    assert len(found) == (later_s > 5)
    for page in found:
        assert page.severity == "page"
        assert "the execution is not listed" in page.what
        assert "look at the position at the venue's own page first" in page.action
        assert "stop at" not in page.action
    rejected = mark({"position": POSITION | {"layers": [leaves | {"exit_state": "rejected"}]}})
    assert "place a reduce-only stop" in only(desk(mark=rejected)).action


@pytest.mark.parametrize(
    ("what", "severity", "check"),
    [
        ("an execution under our name that the journal does not know: 3 lots", "page", "docs/runbooks/orphan.md"),
        ("the venue's clock differs from ours by 2.0 s; no entries", "page", "timedatectl (docs/runbooks/gate-closed.md)"),
        ("clock: the venue's clock differs by 40.0 s; no entries", "page", "timedatectl (docs/runbooks/gate-closed.md)"),
        (
            f"{INSTRUMENT}: the venue turns away every request, for a minute or longer: 50120",
            "page",
            "docs/runbooks/orders-rejected.md",
        ),
        (
            f"{INSTRUMENT}: a fee was taken in BNB, which the desk does not count: 1 BNB",
            "warn",
            "docs/runbooks/reconcile-difference.md",
        ),
        ("refusals of btc: 5 refused in a row: no margin", "warn", "docs/runbooks/orders-rejected.md"),
        ("the gate stays closed, no entries: code: the code of a is other code", "warn", "docs/runbooks/gate-closed.md"),
        ("the end of the journal was unfinished: 12 bytes set aside", "warn", "docs/runbooks/worker-down.md"),
        ("the strategy file is not there", "warn", "nightdesk journal explain d-7"),
    ],
)
def test_an_incident_that_touches_money_pages_and_names_its_runbook(what: str, severity: str, check: str) -> None:
    """What quiet hours may hold back is a warning; either way the next look is said."""
    found = only(desk(incidents=(reported(what)._replace(seq=10**6),)))  # of after the mark
    assert (found.severity, check in found.action, "nightdesk journal explain d-7" in found.action) == (severity, True, True)


@pytest.mark.parametrize(
    ("what", "lasts", "more"),
    [
        ("refusals of btc: 5 refused in a row: no margin", "refusals of btc", {}),
        ("the venue's clock differs from ours by more than a second; no entries", "clock offset", {}),
        (f"settings of {INSTRUMENT}: no entries until it is set back there: cross", f"settings of {INSTRUMENT}", {}),
        ("the gate stays closed, no entries: reconcile: they differ", "gate", {"row": "reconcile"}),
        (f"{INSTRUMENT}: the venue does not say what was executed: 503", f"venue of {INSTRUMENT}", {}),
        (
            f"{INSTRUMENT}: the account's stream names an execution, and the venue does not answer for it: what was filled",
            f"venue of {INSTRUMENT}",
            {},
        ),
    ],
)
def test_an_incident_of_what_has_ended_asks_for_nobody(what: str, lasts: str, more: dict[str, str]) -> None:
    """While the mark names it, it does; a mark from before it says nothing."""
    said = reported(what, **more)._replace(seq=5)

    def kinds(seq: int, **blocked: str) -> list[str]:
        found, _ = evaluate(desk(mark=mark(blocked=blocked)._replace(seq=seq), incidents=(said,)))
        return [one.kind for one in found]

    assert kinds(9, **{lasts: "why"}) == ["incident"]
    assert kinds(4) == ["incident"]
    assert kinds(9) == []
    off = evaluate(desk(mark=mark(off={INSTRUMENT: "the venue lists it as suspend"}), incidents=(said,)))[0]
    assert bool(off) == lasts.startswith("venue of"), "of what is off no mark says that it lasts"


def test_what_came_again_is_said_once() -> None:
    """A venue that is away twice within ten minutes: the page of the first time does not come back with the second."""
    first = reported(f"{INSTRUMENT}: the venue does not say what was executed: 503")._replace(seq=5)
    again = reported(f"{INSTRUMENT}: the venue does not say what was executed: 502")._replace(seq=7, id="d-77")
    other = reported("okx:BTC-USDT:perp: the venue does not say what was executed: 502")._replace(seq=6, id="d-78")
    away = mark(blocked={f"venue of {INSTRUMENT}": "x", "venue of okx:BTC-USDT:perp": "x"})
    found = evaluate(desk(mark=away, incidents=(first, other, again)))[0]
    assert sorted(one.event for one in found if one.kind == "incident") == ["d-77", "d-78"]


@pytest.mark.parametrize("why", ["503", "the key has expired", "HTTP 418: banned", "RequestTimeout"])
def test_a_second_outage_is_not_paged_with_the_reason_of_the_first(why: str) -> None:
    """Not before the worker has had the time to say its own: what it does not say again is the reason that it said before."""
    first = reported(f"{INSTRUMENT}: the venue does not say what was executed: {why}")._replace(seq=5)
    what = f"venue of {INSTRUMENT}"
    away = mark(blocked={what: "it does not say what was executed"})

    def paged(began_seq: int, since_ms: int) -> bool:
        begun = Event("health", DESK_MS, {"what": what, "state": "begun"}, t_recv_ms=NOW - since_ms, id="d-6", seq=began_seq)
        found = evaluate(desk(mark=away, incidents=(first,), away={what: begun}))[0]
        return any(one.kind == "incident" for one in found)

    assert paged(4, 20_000)  # of this one
    assert not paged(6, 1_000)
    assert not paged(6, 60_000)
    assert paged(6, 120_000)


@pytest.mark.parametrize(("key", "pages"), [(3, 1), (4, 0)])
def test_a_stop_that_is_not_shown_pages_for_as_long_as_its_layer_is_open(key: int, pages: int) -> None:
    """Nothing is left to protect once the layer has gone."""
    said = reported("btc-trend: the venue has acknowledged the stop of layer 3, and does not show it; look there", layer=3)
    held = mark({"position": POSITION | {"layers": [LAYER | {"key": key}]}})
    found = evaluate(desk(mark=held, incidents=(said._replace(seq=5),)))[0]
    assert len([one for one in found if one.kind == "incident"]) == pages


def test_a_halt_that_ended_well_is_a_word_until_its_release() -> None:
    """What was left before is over, and what is left after a release is not."""
    left = reported("halt: KILL_INCOMPLETE, left: 3 lots", state="KILL_INCOMPLETE", left=["3 lots"])._replace(seq=5)
    ended = reported("halt: KILLED", state="KILLED", left=[])._replace(seq=9, id="d-9")
    halted, flat = Latch(True, "odd", "ann", NOW), mark({"position": None})

    def of_halt(*incidents: Event, halt: Latch | None = halted) -> list[tuple[str, str]]:
        found = evaluate(desk(halt=halt, mark=flat, incidents=incidents))[0]
        return [(one.event, one.severity) for one in found if one.kind == "incident"]

    assert of_halt(left) == [("d-7", "page")]
    assert of_halt(left, ended) == [("d-9", "note")]
    assert of_halt(left, ended, halt=None) == []
    assert of_halt(left, halt=None) == [("d-7", "page")]
    assert of_halt(left, ended, left._replace(seq=12, id="d-12")) == [("d-12", "page")]


def test_a_strangers_order_in_parts_is_one_page() -> None:
    """All its trades are named as one, with the word that adopts them together; another part is worse, and pages again."""
    trades = {f"{INSTRUMENT}:{n}": f"trade {INSTRUMENT}:{n} is of an order that this desk does not know" for n in (7, 8, 9)}
    moved = {f"position of {INSTRUMENT}": "the venue holds 700 lots, the desk 0"}
    found = only(desk(mark=mark(differs=trades | moved)))
    assert f"3 trades of {INSTRUMENT} are of orders that this desk does not know; the venue holds 700 lots" in found.what
    assert f"nightdesk adopt {INSTRUMENT} --keep" in found.action
    more = only(desk(mark=mark(differs=trades | moved | {f"{INSTRUMENT}:10": "trade 10"})))
    assert (more.fingerprint, more.level) == (found.fingerprint, found.level + 1)
    order = {f"{INSTRUMENT} order x": "order x of 3 lots is not of this desk"}
    assert len(evaluate(desk(mark=mark(differs=trades | moved | order)))[0]) == 2


@pytest.mark.parametrize(
    "what",
    [
        f"{INSTRUMENT}: the venue does not say what was executed: the key has expired",
        f"{INSTRUMENT}: the venue turns away every request, for a minute or longer: 33004",
    ],
)
def test_a_venue_that_answers_nothing_pages_for_what_is_open_and_names_what_has_no_stop(what: str) -> None:
    """A key that has expired: nobody here sees what becomes of the position. A flat desk names nothing."""
    bare = mark({"position": POSITION | {"layers": [LAYER | {"protective_state": "none"}]}})._replace(t_recv_ms=NOW - 1_000)
    said = reported(what)._replace(seq=10**6)  # of after the mark
    for seen, stop in ((mark(), False), (bare, True)):
        (found,) = [one for one in evaluate(desk(mark=seen, incidents=(said,)))[0] if one.kind == "incident"]
        assert found.severity == "page"
        assert f"open: long 0.02 {INSTRUMENT}" in found.what
        assert (f", {LAYER['lots']} lots of btc-trend WITHOUT a stop" in found.what) == stop
    flat = only(desk(mark=mark({"position": None}), incidents=(said,)))
    assert (flat.severity == "page") == ("turns away" in what)
    assert "open: " not in flat.what


def test_what_somebody_has_closed_at_the_venue_asks_for_no_stop() -> None:
    """One page, of the difference: a stop by hand would protect nothing. While the venue holds a part, both page."""

    def kinds(venue_lots: int) -> set[str]:
        text = f"the venue holds {venue_lots} lots of {INSTRUMENT}, the desk 200 lots (0.02 BTC)"
        differs = {f"position of {INSTRUMENT}": text}
        bare = mark({"position": POSITION | {"layers": [LAYER | {"protective_state": "none"}]}}, differs=differs)
        return {one.kind for one in evaluate(desk(mark=bare._replace(t_recv_ms=NOW - 6_000)))[0]}

    assert kinds(0) == {"difference"}
    assert kinds(100) == {"difference", "protective"}


def test_the_command_of_an_account_that_is_not_connected_names_it() -> None:
    """As it is typed; a journal from before accounts had their name in it says NAME."""
    beat = {"phase": "starting", "note": f"{NOT_CONNECTED}: API key is invalid", "wall_ms": NOW - 300}
    seen = desk(heartbeat=beat, phase_ms=NOW - 61_000)
    for config, word in ((seen.config, "NAME"), ({**seen.config, "start": {"account": "main"}}, "main")):
        (found,) = [one for one in evaluate(seen._replace(config=config))[0] if one.fingerprint == "account"]
        assert f"nightdesk account check {word} says" in found.action


def test_a_start_that_does_not_reach_its_account_pages_for_what_is_open_there() -> None:
    """Not at once, not for a desk that is reading its past; a flat desk is warned."""
    beat = {"phase": "starting", "note": f"{NOT_CONNECTED}: API key is invalid", "wall_ms": NOW - 300}

    def found(**more: Any) -> list[tuple[str, str]]:
        seen = desk(**{"heartbeat": beat, "phase_ms": NOW - 61_000} | more)
        return [(one.severity, one.what) for one in evaluate(seen)[0] if one.fingerprint == "account"]

    ((severity, what),) = found()
    assert severity == "page"
    assert "API key is invalid" in what
    assert f"long 0.02 {INSTRUMENT}" in what
    assert [severity for severity, _ in found(mark=mark({"position": None}))] == ["warn"]
    assert not found(phase_ms=NOW - 59_000)
    assert not found(heartbeat=beat | {"note": "reading bars"})
    assert not found(heartbeat=beat | {"phase": "running"})
