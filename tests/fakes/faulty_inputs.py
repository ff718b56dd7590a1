"""A fault for every cell of docs/fail-closed.md: a check of the order path, and an input that is missing, late, NaN or raises.

A case that takes a bench (tests/fakes/live_desks.py) causes the fault and returns what the next close brings; one that takes
nothing calls the check and returns whether it let an entry go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from engine.book.bar_signals import NO_SIGNAL
from engine.book.snapshot import as_json
from engine.control import halt
from engine.core import state
from engine.core.guardrails import NOTHING_AROUND as NOTHING
from engine.core.guardrails import barred, count_trip, over_the_desks_caps, watch_desk, watch_sleeve
from engine.core.state import Signal, start, start_desk
from engine.errors import DataError
from engine.live.data_health import changes
from engine.live.feed_live import CLOCK_OLD_MS
from engine.live.gate import FRESH_MS, GATE, AccountGate, GateAnswer, GateCheck, GateRow
from engine.live.health import AWAY_LOOKS, CLOCK_SAMPLES, MISSING_PAGE_MS, SILENT_MS, StreamHandle
from engine.live.last_guards import too_large
from engine.live.listed import AccountListings
from engine.live.reconcile import OLD_MS, START
from engine.live.signal_process import ProcessFault
from engine.live.signal_source import SignalReading, SignalSource
from tests.fakes.bare_feeds import Alone, bare_feed, feed_bar, feed_clock, raises, unmeasured
from tests.fakes.desks import BAR_MS, LOOSE, RULES
from tests.fakes.live_desks import BTC_PERP, LiveBench, long


class NextClose(NamedTuple):
    """What a close brings, and by which name an entry is refused there: a rule of the core or a part of a reason."""

    refused: int | str
    signal: Signal | None = long()
    values: Mapping[int, float | None] = {}  # fields of the bar that are other than usual


OnBench = Callable[[LiveBench], Awaitable[NextClose]]
Column = OnBench | Alone
BLOCKED = state.R_PAUSE  # what a sleeve's refusal is called while entries are blocked
BENCH_MS = 1_700_002_800_000 - 45_000  # two closes after the first of LiveBench, and a bit before it


def closing(refused: int | str, **values: Any) -> OnBench:
    """A close with a signal that lacks something."""

    async def close(_: LiveBench) -> NextClose:
        return NextClose(refused, long()._replace(**values))

    return close


def governed(refused: int, rules: Mapping[str, Any], limits: Mapping[str, Any], **values: Any) -> OnBench:
    """The same under other rules of the sleeve and limits of the desk."""

    async def close(bench: LiveBench) -> NextClose:
        book = bench.desk.book
        book.limits = book.limits._replace(**limits)
        book.specs = [spec._replace(rules=spec.rules._replace(**rules)) for spec in book.specs]
        return NextClose(refused, long()._replace(**values))

    return close


def barless(*fields: int) -> OnBench:
    """A bar without some of its numbers."""

    async def close(_: LiveBench) -> NextClose:
        return NextClose("", long(), dict.fromkeys(fields))

    return close


def read(answer: Callable[..., Any]) -> OnBench:
    """A strategy process that answers so."""

    async def close(_: LiveBench) -> NextClose:
        source = SignalSource.__new__(SignalSource)
        source._ours, source._own = cast(Any, SimpleNamespace(answer=answer)), None
        reading: SignalReading = source.at(0, None, lambda: None)
        assert reading.signal == NO_SIGNAL or reading.signal.side == 0
        return NextClose("", None)

    return close


async def nulls(_: LiveBench) -> NextClose:
    """A strategy process wants to enter though three of the features that it read have no value."""
    source = SignalSource.__new__(SignalSource)
    source.code = cast(Any, SimpleNamespace(models=()))
    answer = {"signal": as_json(long()), "read": dict.fromkeys(("funding_rate", "vix", "mvrv"))}
    source._ours, source._own = cast(Any, SimpleNamespace(answer=lambda *_: answer)), None
    return NextClose("", source.at(0, None, lambda: None).signal)


async def silence(bench: LiveBench) -> NextClose:
    """The sleeve has no signal at all."""
    return NextClose("", None)


async def latch_set(bench: LiveBench) -> NextClose:
    """The latch is set after the decision, before the order leaves; the halt's own duty has not looked yet."""
    bench.duties.halt.look_s = 60.0
    bench.latch = "a person"
    return NextClose("the desk is halted")


def unreadable_latch() -> bool:
    """The file of the halt is there and cannot be read."""
    with TemporaryDirectory() as home:
        (Path(home) / halt.FILE).mkdir()
        return not halt.read(Path(home)).halted


async def latch_raises(bench: LiveBench) -> NextClose:
    """It cannot be read."""
    bench.desk.latched = raises(OSError("the latch cannot be read"))
    return NextClose("")


async def decided_long_ago(bench: LiveBench) -> NextClose:
    """An hour between decision and sending."""
    bench.desk.now_ms = lambda: bench.clock() + 3 * BAR_MS
    return NextClose("it was decided too long ago")


async def doubt(bench: LiveBench) -> NextClose:
    """Another order of the instrument stays without an answer."""
    bench.desk.doubts = lambda *_, **__: ["x"]
    return NextClose("x is in doubt")


async def doubt_raises(bench: LiveBench) -> NextClose:
    """The look for such an order fails."""
    bench.desk.doubts = raises(KeyError("no such instrument"))
    return NextClose("")


def stage_size(lots: float, notional: float, lot_size: float = 0.001) -> Alone:
    """An entry of the first stage with money."""

    def enter() -> bool:
        rules = RULES._replace(lot_size=lot_size)
        book = SimpleNamespace(basket=None, latest=lambda _: SimpleNamespace(source={"stage": "live_small"}, rules=rules))
        try:
            return not too_large(
                cast(Any, SimpleNamespace(book=book)), cast(Any, SimpleNamespace(lots=lots, notional=notional, sleeve=0))
            )
        except ZeroDivisionError:
            return False

    return enter


def capped(**limits: Any) -> Alone:
    """An entry of 100 under caps of the desk."""
    return lambda: over_the_desks_caps(start(1e4), start_desk(1e4), LOOSE._replace(**limits), 0, 100.0, NOTHING) == state.R_NONE


def exposed(desk: Mapping[str, Any], around: Mapping[str, Any]) -> Alone:
    """The same where what is exposed already is not known."""
    limits = LOOSE._replace(correlated_frac_max=2.0)
    seen, other = start_desk(1e4)._replace(**desk), NOTHING._replace(**around)
    return lambda: over_the_desks_caps(start(1e4), seen, limits, 0, 100.0, other) == state.R_NONE


def broken(equity: float) -> bool:
    """Both breakers at an equity, and a streak whose last result is as unknown."""
    desk = watch_desk(start_desk(1e4), LOOSE, equity, 0.0, 0)
    sleeve = start(1e4)
    guard = watch_sleeve(sleeve.guard._replace(day_equity=1e4), sleeve.ledger._replace(equity=equity), RULES, 1)
    streak = count_trip(sleeve.guard._replace(streak=RULES.streak_max - 1), RULES, equity, 1)
    found = (barred(sleeve.guard, desk, 1), barred(guard, start_desk(1e4), 1), barred(streak, start_desk(1e4), 2))
    return state.R_NONE in found


async def rest_raises(bench: LiveBench) -> NextClose:
    """REST does not answer for bars."""
    feed = bare_feed(rows=raises(DataError("no answer")))
    assert await feed._ask("x", 0, 2) == 0
    return await begun(bench, feed.troubles)


async def begun(bench: LiveBench, troubles: Mapping[str, str]) -> NextClose:
    """Troubles of the live feed reach the desk."""
    assert troubles
    for body in changes(bench.desk.book.health, troubles):
        bench.desk.take("health", body)
    return NextClose(BLOCKED)


async def bar_missing(bench: LiveBench) -> NextClose:
    """A close without a bar."""
    feed = bare_feed()
    feed._count, feed._rows, feed._pairs, feed._closed_row = 0, {}, (), asyncio.Event()
    feed.charge = lambda *_: (0.0, 0.0)
    feed._decide(["x"], 60_000)
    return await begun(bench, feed.troubles)


async def stream_silent(bench: LiveBench) -> NextClose:
    """A connection that brings nothing."""
    feed = bare_feed()
    feed._trouble("stream okx", "okx", "nothing for 30 s")
    return await begun(bench, feed.troubles)


def account_clock(answer: Callable[[], Any], times: int = CLOCK_SAMPLES) -> OnBench:
    """The venue's clock answers so."""

    async def look(bench: LiveBench) -> NextClose:
        async def clock() -> Any:
            return answer()

        bench.duties.health.offsets.clear()
        bench.duties.health._venue_clock = clock
        for _ in range(times):
            await bench.duties.health.look_at_clock(clock)
        return NextClose(BLOCKED)

    return look


async def late_clock(bench: LiveBench) -> NextClose:
    """Two seconds behind ours."""
    return await account_clock(lambda: bench.clock() - 2_000)(bench)


def stream(rebuild: Callable[..., Any]) -> OnBench:
    """The account's stream has shown no life."""

    async def look(bench: LiveBench) -> NextClose:
        alive = bench.clock() - SILENT_MS - 1
        bench.duties.health.streams = (StreamHandle("orders", lambda: alive, rebuild),)
        with suppress(OSError):
            await bench.duties.health._streams()
        return NextClose(BLOCKED)

    return look


async def rebuilt() -> None:
    """Nothing comes of it."""


async def unlisted(bench: LiveBench) -> NextClose:
    """An order has filled more than is listed, for a minute."""
    health = bench.duties.health
    health._note_missing = lambda: None
    health.missing = {"x": bench.clock() - MISSING_PAGE_MS}
    health.look()
    return NextClose(BLOCKED)


async def unexplained(bench: LiveBench) -> NextClose:
    """An execution that no order explains, for longer than it may take."""
    bench.poll.pending = {"t": (cast(Any, None), bench.clock() - 6_000)}
    bench.duties.health.look()
    bench.poll.pending = {}
    return NextClose(BLOCKED)


async def executions_fail(bench: LiveBench) -> NextClose:
    """The venue does not list them."""
    bench.venue.script["trades"] = ["silent"] * 1_000
    for _ in range(AWAY_LOOKS):
        await bench.poll.look()
    bench.duties.health.look()
    return NextClose(BLOCKED)


async def uncompared(bench: LiveBench) -> NextClose:
    """A start at which nothing was compared yet."""
    bench.desk.take("health", {"what": START, "state": "begun", "why": "test"})
    return NextClose(BLOCKED)


async def comparison_fails(bench: LiveBench) -> NextClose:
    """The venue does not say what it holds: no agreement, so that a start stays withheld."""
    await uncompared(bench)
    bench.venue.script["position"] = ["silent"] * 1_000
    assert not await bench.duties.reconcile.once()
    return NextClose(BLOCKED)


async def compared_long_ago(bench: LiveBench) -> NextClose:
    """Every reading since has failed."""
    bench.venue.script["position"] = ["silent"] * 1_000
    bench.duties.reconcile.compared_ms = bench.clock() - OLD_MS - 1
    assert not await bench.duties.reconcile.once()
    return NextClose(BLOCKED)


async def not_listed(bench: LiveBench) -> NextClose:
    """The venue does not list the instrument."""

    async def nothing(_symbol: str) -> None:
        return None

    reader: Any = SimpleNamespace(listing=nothing)
    assert await AccountListings(bench.desk, reader).listing_of(BTC_PERP) is None
    return NextClose(BLOCKED)


def gate(row: GateRow, ask: Callable[..., Any]) -> Alone:
    """One row of the gate; the others hold."""

    def look() -> bool:
        made = AccountGate.__new__(AccountGate)
        book = SimpleNamespace(health={GATE: "closed"})
        desk = SimpleNamespace(latched=str, failed="failed", now_ms=lambda: 2 * FRESH_MS, book=book, take=lambda *_: None)
        made.desk, made.checks, made.rows, made._shut = cast(Any, desk), [GateCheck("row", ask)], {"row": row}, ""
        made._paged, made._failing = set(), {}
        return asyncio.run(made.once())

    return look


async def refuses() -> GateAnswer:
    """A row that does not hold."""
    return GateAnswer("it does not hold")


OLD = GateRow("row", True, at_ms=0)
CASES: dict[str, dict[str, Column]] = {
    "bar": {"missing": barless(0, 1, 2, 3, 4), "nan": barless(4)},
    "signal": {
        "missing": silence,
        "late": read(raises(ProcessFault("late"))),
        "nan": closing(state.R_SIGNAL, strength=nan),
        "raises": read(lambda *_: {"wrong": "ZeroDivisionError"}),
    },
    "features": {"missing": nulls},
    "market conditions": {
        "missing": governed(state.R_UNKNOWN, {}, {"volume_times_max": 4.0}, volume_times=nan),
        "nan": governed(state.R_UNKNOWN, {}, {"range_times_max": 3.0}, range_times=nan),
    },
    "levels": {"missing": closing(state.R_UNKNOWN, atr=nan), "nan": closing(state.R_UNKNOWN, stop=nan)},
    "size": {
        "missing": closing(state.R_UNKNOWN, slip_frac=nan),
        "nan": governed(state.R_UNKNOWN, {"vol_target": 0.2}, {}, vol_annual=nan),
    },
    "liquidation": {"nan": governed(state.R_LIQUIDATION, {"maintenance_frac": nan}, {})},
    "caps of the desk": {
        "missing": exposed({}, {"square": nan}),
        "nan": lambda: any(
            f() for f in (capped(gross_frac_max=nan), capped(instrument_frac_max=nan), exposed({"gross": nan}, {}))
        ),
    },
    "breakers": {"nan": partial(broken, nan)},
    "halt": {"missing": unreadable_latch, "late": latch_set, "raises": latch_raises},
    "age of a decision": {"late": decided_long_ago},
    "orders in doubt": {"late": doubt, "raises": doubt_raises},
    "first size with money": {
        "nan": stage_size(2, nan),
        "raises": stage_size(2, 100.0, 0.0),
    },
    "closed bar": {
        "missing": lambda: feed_bar(flagged=False)() or feed_bar(blocked="the settlement is not known")(),
        "late": feed_bar(listed=False),
        "nan": feed_bar(close=nan),
    },
    "clock of the feed": {
        "missing": feed_clock(None),
        "late": feed_clock((0, 2 * CLOCK_OLD_MS)),
        "nan": feed_clock((nan, 0)),
        "raises": unmeasured,
    },
    "feed": {"missing": bar_missing, "late": stream_silent, "raises": rest_raises},
    "clock of the account": {
        "missing": account_clock(lambda: None),
        "late": late_clock,
        "nan": account_clock(lambda: nan),
        "raises": account_clock(raises(DataError("no answer"))),
    },
    "private stream": {"late": stream(rebuilt), "raises": stream(raises(OSError("cannot dial")))},
    "executions": {"missing": unlisted, "late": unexplained, "raises": executions_fail},
    "comparison": {"missing": uncompared, "late": compared_long_ago, "raises": comparison_fails},
    "listing": {"missing": not_listed},
    "gate": {
        "missing": gate(GateRow("row"), refuses),
        "late": gate(OLD, refuses),
        "raises": gate(GateRow("row"), raises(ValueError("not a number"))),
    },
}
