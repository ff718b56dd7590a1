"""Storms over a live account: real ccxt under the virtual clock against the local venues, every invariant looked at on the way.

Default: six hours without faults, a run with each fault once, kills and a halt, at OKX; planted bugs. The rest is long.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.book import attached
from engine.live import last_guards
from engine.live.closing import ColumnBars
from engine.live.desk import LiveDesk
from engine.live.halt import AccountHalt
from engine.live.health import AccountHealth
from engine.live.poll import AccountPoll
from engine.live.reconcile import AccountReconcile
from engine.store.journal import journal_hash
from engine.venues.okx import OkxVenue
from tests.fakes.exchange.faults import KINDS, Window
from tests.storms.live_storm import LiveStorm, weathered
from tests.storms.plan import VENUES, called, drawdown, halting, killing, pairs, restarting, same, short, window
from tests.storms.runs import done

SAFE_MS = 5_000  # I12 without faults
TWO_MS = 5_000  # a new process asks about each stop within a second, and again while it is in doubt
FEW = (
    pairs("okx", 0),
    halting("bybit", "none", 0),
    restarting("binance", "ban"),
    killing("okx", 1),
    drawdown("okx", 0),
    same("okx", 0),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


def held(storm: LiveStorm) -> LiveStorm:
    """Every invariant did."""
    assert not storm.wrong, "\n".join([*storm.wrong, *map(str, storm.played.venue.faults.plan)])
    return storm


@pytest.mark.slow
@pytest.mark.parametrize("bars", [24, pytest.param(96, marks=pytest.mark.long)])
@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
def test_without_faults_nobody_is_woken(venue: str, bars: int, path: Path) -> None:
    """Every layer is covered within five seconds, every execution booked, and the venue's cash is the book's."""
    storm = held(weathered(venue, path, 1, bars, naked_max_ms=SAFE_MS))
    assert not storm.pages
    assert not storm.desk.book.incidents  # and no window was ever opened
    assert storm.met["fill"] > 2 * bars


@pytest.mark.parametrize(("streams", "kinds_met"), [(False, 15), pytest.param(True, 20, marks=pytest.mark.long)])
def test_each_fault_once(streams: bool, kinds_met: int, path: Path) -> None:
    """One after the other, a quarter of an hour each; the desk goes on by itself or with a person's word, and ends equal."""
    kinds = [kind for kind in KINDS if kind != "thin_book"]
    plan = [window(kind, 2 + 1.5 * n, chance=0.7) for n, kind in enumerate(kinds)]
    storm = held(weathered("okx", path, 7, int(4 + 1.5 * len(kinds)) + 12, plan, streams=streams))
    hit = {kind for kind, n in storm.played.venue.faults.count.items() if n}
    assert len(hit) >= kinds_met  # a desk that reads by REST alone does not meet those of the streams; the plan meets all


@pytest.mark.parametrize(
    ("kills", "halt_at"), [(range(20, 240, 7), -1), pytest.param(range(30, 400, 13), 20, marks=pytest.mark.long)]
)
def test_killed_between_any_two_steps(kills: range, halt_at: int, path: Path) -> None:
    """The journal is the desk: another process goes on from it, a stop stands within ten seconds, a halt goes to its end."""
    storm = held(weathered("okx", path, 3, 28, kills=kills, halt_at=halt_at, naked_max_ms=10_000))
    assert storm.met["kill"] >= 10
    assert halt_at < 0 or (storm.duties.halt.result is not None and storm.duties.halt.result.state == "KILLED")


@pytest.mark.slow
@pytest.mark.parametrize("every", [9, pytest.param(3, marks=pytest.mark.long), pytest.param(1, marks=pytest.mark.long)])
def test_killed_while_lists_are_late(every: int, path: Path) -> None:
    """Lists 20 s behind, and a process that dies while it moves a stop: the next one leaves no second version."""
    plan = [window("lists_late", 0, 16)]
    storm = held(weathered("binance", path, 5, 16, plan, 4, streams=every > 3, kills=range(20, 400, every), naked_max_ms=15_000))
    assert storm.met["kill"] >= 15
    assert storm.worst_two_ms <= TWO_MS


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
def test_rest_that_is_behind_the_stream(venue: str, path: Path) -> None:
    """Everything that is asked is answered as it was 20 s ago: nothing leaves for it, nothing is refused, nobody is woken."""
    storm = held(weathered(venue, path, 3, 24, [window("rest_late", 3, 18)], 3, streams=True))
    assert (storm.pages, storm.met["leave"]) == ([], 0)
    assert storm.met["fill"] > 24


@pytest.mark.parametrize(
    ("venue", "first"), [("bybit", 20), *(pytest.param(v, n, marks=pytest.mark.long) for v in VENUES for n in range(21, 29))]
)
def test_killed_while_rest_is_late(venue: str, first: int, path: Path) -> None:
    """A process dies before the stop of an entry was sent, and nothing says for 20 s that the entry has filled."""
    plan = [window("rest_late", 0, 13)]
    storm = held(weathered(venue, path, 5, 16, plan, 3, streams=True, kills=range(first, 400, 9), naked_max_ms=SAFE_MS))
    assert storm.met["kill"] >= 15
    assert storm.worst_naked_ms <= SAFE_MS


@pytest.mark.parametrize("venue", ["binance", *(pytest.param(v, marks=pytest.mark.long) for v in ("okx", "bybit"))])
def test_stops_that_are_acknowledged_and_lost(venue: str, path: Path) -> None:
    """Two of five, for four hours: no layer is without one for as long as it takes to leave."""
    storm = held(weathered(venue, path, 3, 24, [window("lost_order", 1, 18, 0.4)], 5, streams=True, naked_max_ms=15_000))
    assert storm.played.venue.faults.count["lost_order"] > 10


@pytest.mark.slow
def test_the_same_seed_is_the_same_journal(path: Path) -> None:
    """To the byte of what is hashed."""
    plan = [window("timeout_after", 3), window("partial_answer", 5), window("late", 7)]
    hashes = []
    for name in ("a", "b"):
        held(weathered("okx", path.with_name(name) / "desk.jsonl", 9, 12, plan, 3))
        hashes.append(journal_hash(path.with_name(name) / "desk.jsonl"))
    assert hashes[0] == hashes[1]


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", ["read_timeout", "drop_fills_rest"])
def test_a_filled_entry_that_nobody_can_read_has_a_stop(kind: str, venue: str, path: Path) -> None:
    """I12 while no question is answered, or no execution is listed, for two hours and a half."""
    storm = held(weathered(venue, path, 3, 20, [window(kind, 2, 10)], 6, naked_max_ms=SAFE_MS))
    assert storm.worst_naked_ms <= SAFE_MS


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
def test_killed_at_every_event(venue: str, path: Path) -> None:
    """Attached, booked, replaced, cancelled: whatever the process was in the middle of, another one goes on."""
    storm = held(weathered(venue, path, 3, 10, quiet=3, kills=range(20, 180), naked_max_ms=10_000))
    assert storm.met["kill"] >= 100


@pytest.mark.long
@pytest.mark.parametrize("name", [run.name for run in (*short(), *FEW)])
def test_runs_of_the_plan(name: str) -> None:
    """What `make storms` runs, and one run of each other part: no rule is broken, and each meets what it was made for."""
    row = done(called(name))
    assert row["wrong"] == []


# ---- planted bugs: the suite must be able to find them -----------------------------------------------------------------------


def nothing(*_: Any, **__: Any) -> None:
    """A duty that was deleted."""


def unanswered_is_rejected(plant: pytest.MonkeyPatch) -> None:
    heard = LiveDesk._heard
    plant.setattr(
        LiveDesk,
        "_heard",
        lambda desk, kind, order, said: heard(
            desk, kind, order, said._replace(state="rejected") if said.state == "UNKNOWN" else said
        ),
    )


def not_found_is_believed_at_once(plant: pytest.MonkeyPatch) -> None:
    plant.setattr("engine.live.desk.LIFE_MS", 0)
    plant.setattr(AccountPoll, "unread", lambda _: False)


def nothing_is_read_back(plant: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> None: ...

    plant.setattr(AccountPoll, "_read_back", none)
    plant.setattr("engine.venues.okx.cursor_of", lambda seen: str(max(seen)))  # its twin: a look begins a minute back


def executions_come_by_streams_alone(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(AccountPoll, "_take", nothing)


def entries_are_not_stopped(plant: pytest.MonkeyPatch) -> None:
    from engine.book.book import Book

    plant.setattr(Book, "entries_blocked", property(lambda _: False))


def refusals_are_not_counted(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(AccountHealth, "_count_refusals", nothing)


def stops_are_not_looked_for(plant: pytest.MonkeyPatch) -> None:
    """Both guards: a second after it was acknowledged, and when the lists are compared."""

    plant.setattr(AccountHealth, "_look_for_stops", nothing)
    plant.setattr(AccountReconcile, "_missing", lambda *_: [])


def attached_stops_are_not_sent(plant: pytest.MonkeyPatch) -> None:
    place = OkxVenue.place
    plant.setattr(OkxVenue, "place", lambda venue, order, *_: place(venue, order))


def naked_layers_stay(plant: pytest.MonkeyPatch) -> None:
    """Both guards: the stop that the entry carries, and what looks for layers without one."""
    attached_stops_are_not_sent(plant)
    plant.setattr(AccountHealth, "_look_at_naked", nothing)


def stops_keep_their_size(plant: pytest.MonkeyPatch) -> None:
    """Both guards: the stop that the entry carries, and the amendment that follows the fills."""
    attached_stops_are_not_sent(plant)
    plant.setattr("engine.core.plan.differs", lambda *_: False)


def strangers_are_ignored(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(AccountPoll, "_nobodys", nothing)
    plant.setattr(AccountReconcile, "_differs", nothing)


def bills_are_not_remembered(plant: pytest.MonkeyPatch) -> None:
    shares = AccountPoll._shares

    def forgetful(poll: AccountPoll, bill: Any) -> list[dict[str, Any]]:
        return [body | {"bill": f"{poll.desk.now_ms()}@{body['bill']}"} for body in shares(poll, bill)]

    plant.setattr(AccountPoll, "_shares", forgetful)


def a_halt_stops_nothing(plant: pytest.MonkeyPatch) -> None:
    """All three guards: the book's halt, the latch that is looked at again, and what stops entries while lots are nobody's."""
    entries_are_not_stopped(plant)

    async def free(*_: Any) -> str:
        return ""

    plant.setattr(AccountHalt, "_halt_book", lambda *_: True)
    plant.setattr(last_guards, "guarded", free)


def stops_of_the_halt_are_believed(plant: pytest.MonkeyPatch) -> None:
    """A halt that says it has ended, whatever is there."""

    async def nothing_left(*_: Any) -> str:
        return ""

    async def settled(*_: Any) -> bool:
        return True

    plant.setattr(AccountHalt, "_halt_book", lambda *_: True)
    plant.setattr(AccountHalt, "_end", nothing_left)
    plant.setattr(AccountHalt, "_settled", settled)


def the_stream_is_believed(plant: pytest.MonkeyPatch) -> None:
    """A bar closes with what was pushed, whatever REST lists."""
    plant.setattr(ColumnBars, "closed", lambda bars, open_ms: bars._flagged.get(open_ms))


def a_drawdown_trips_nothing(plant: pytest.MonkeyPatch) -> None:
    plant.setattr("engine.core.desk.watch_desk", lambda desk, limits, equity, *_: desk._replace(equity=equity))


def attached_stops_end_too_soon(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(attached, "_covered", lambda *_: True)


def attached_stops_stay(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(attached, "changes", lambda *_: [])


# planted bug -> the faults that bring it to light, what else the run does, and the law that must see it
PLANTED: dict[Callable[[pytest.MonkeyPatch], None], tuple[list[Window], dict[str, Any], str]] = {
    unanswered_is_rejected: ([window("timeout_after", 2, 3)], {}, "declared rejected"),
    not_found_is_believed_at_once: ([window("late", 2, 4)], {}, "declared nonexistent"),
    nothing_is_read_back: ([window("partial_answer", 3, 4)], {}, "I5"),
    executions_come_by_streams_alone: ([], {}, "I5"),
    entries_are_not_stopped: ([window("stale_positions", 2, 6)], {}, "I7"),
    refusals_are_not_counted: ([window("reject_orders", 1, 12)], {}, "I9"),
    stops_are_not_looked_for: ([window("lost_order", 2, 10, 0.3)], {"seed": 9, "naked_max_ms": 90_000}, "I12"),
    naked_layers_stay: ([window("timeout_before", 2, 10, 0.4)], {"seed": 2, "naked_max_ms": 36_000}, "I12"),
    stops_keep_their_size: ([], {"naked_max_ms": SAFE_MS}, "I12"),
    strangers_are_ignored: ([window("stranger", 3)], {}, "I18"),
    bills_are_not_remembered: ([], {}, "I19"),
    a_halt_stops_nothing: ([], {"halt_at": 6}, "I1 "),
    stops_of_the_halt_are_believed: ([], {"halt_at": 6}, "I2 "),
    the_stream_is_believed: ([window("wrong_candle", 2, 4)], {"feed": True, "streams": True}, "I10"),
    a_drawdown_trips_nothing: ([], {"drawdown_frac": 0.0001}, "I11"),
    attached_stops_are_not_sent: (
        [window("read_timeout", bar) for bar in (2, 6, 10)],
        {"seed": 1, "naked_max_ms": SAFE_MS},
        "I12",
    ),
    attached_stops_end_too_soon: ([], {}, "have no other order"),
    attached_stops_stay: ([], {}, "is still there"),
}
DEFAULT = (not_found_is_believed_at_once, entries_are_not_stopped)


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=() if bug in DEFAULT else pytest.mark.long, id=bug.__name__) for bug in PLANTED]
)
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the guard deleted, and its twin where it has one; the same run with both is clean."""
    plan, more, law = PLANTED[bug][0], dict(PLANTED[bug][1]), PLANTED[bug][2]
    bug(monkeypatch)
    storm = weathered("okx", path, more.pop("seed", 3), 20, plan, 6, **more)
    assert any(law in what for what in storm.wrong), storm.wrong


@pytest.mark.long
@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.__name__) for bug in PLANTED])
def test_without_the_bug_the_run_is_clean(bug: Callable[[pytest.MonkeyPatch], None], path: Path) -> None:
    """So what was found is the bug."""
    plan, more = PLANTED[bug][0], dict(PLANTED[bug][1])
    assert not weathered("okx", path, more.pop("seed", 3), 20, plan, 6, **more).wrong
