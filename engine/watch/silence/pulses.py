"""What happened on a desk and when last: its journal, baseline and outside status -> an ExpectedEvent each. No model, no network.

Called by engine.watch.silence.status. Exits, guards, entries and features are counted under the version that each sleeve runs,
over the whole journal; bars, rows of features and funding over the last LOOK_MS, where every close is read. Desk time, but for
outside series, whose periods are of the machine's clock.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.clock import DAY_MS, MINUTE_MS, timeframe_ms
from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch.deadguards import Fires, baseline_of
from engine.watch.outside_status import read_status
from engine.watch.silence.rates import ExpectedEvent, Silence, judged
from engine.watch.window import FAR_MS, between, journal_of, mark_at, start_of

LOOK_MS = 30 * DAY_MS
PULSES_MAX = 2_000
ALL = "all features"  # the whole row that a strategy reads
DESK = "desk"
NOT_YET = "its age is within what was declared"
NONE = Fires(0, {}, {})


class Count:
    """How often one thing happened in the units that were counted so far."""

    def __init__(self) -> None:
        self.times = self.before = self.since = 0
        self.last_ms: int | None = None
        self.value: Any = None

    def unit(self, ms: int, *, happened: bool) -> None:
        """One more unit, in which it happened or did not."""
        self.since += 1
        if happened:
            self.times, self.before, self.since, self.last_ms = self.times + 1, self.before + self.since, 0, ms


def silences(home: Path, limits: HardLimits, now_ms: int) -> list[Silence]:
    """Every pulse of a desk against its rate; none before its first bar. `now_ms`: wall time. Raises DataError for a baseline
    that cannot be read."""
    path = journal_of(home)
    mark = mark_at(path)
    if mark is None:
        return []
    config = next((event.body for event in between(path, -1, FAR_MS, {"config"})), {})
    found = [*_decided(home, path, mark, limits), *_closes(path, mark, config), *_outside(home, now_ms)]
    return judged(found[:PULSES_MAX])


# ---- what sleeves decide and do: exits, guards, entries, features --------------------------------------------------------------


def _decided(home: Path, path: Path, mark: Event, limits: HardLimits) -> Iterator[ExpectedEvent]:
    running = {name: int(sleeve["version"]) for name, sleeve in mark.body["sleeves"].items()}
    lives = {name: _Life() for name in (*running, DESK)}
    for event in between(path, -1, FAR_MS, {"fill", "decision", "breaker"}):
        sleeve = str(event.body.get("sleeve") or DESK)
        if sleeve in lives and event.body.get("version") == running.get(sleeve):
            lives[sleeve].take(event)
    base = baseline_of(home)
    today = _day(mark.t_event_ms)
    for name, life in lives.items():
        fits = base is not None and name in running and not base.unfit(name, running[name], limits)
        yield from life.exits(name, base.kept[name][1] if base is not None and fits else NONE)
        yield from life.by_day(name, today, _resting(mark.body["sleeves"].get(name, {}), mark))
        for feature, count in life.features.items():
            yield _pulse("feature", name, feature, "decisions", count, periodic=not count.times, cause=_still(count.value))


class _Life:
    """What one sleeve, or the desk, did under the version that it runs."""

    def __init__(self) -> None:
        self.trips: list[tuple[int, str]] = []  # (UTC ms, exit reason) of each closed one
        self.days: dict[tuple[str, str], list[int]] = {}  # (kind, name) -> UTC days on which it happened
        self.features: dict[str, Count] = {}
        self.first_day: int | None = None

    def take(self, event: Event) -> None:
        """One more fill, decision or breaker."""
        body, ms = event.body, event.t_event_ms
        self.first_day = _day(ms) if self.first_day is None else self.first_day
        if event.kind == "breaker":
            self._on_day("guard", f"{body.get('breaker')} breaker", ms)
        elif event.kind == "decision":
            if body.get("refused_by"):
                self._on_day("guard", str(body["refused_by"]), ms)
            self._read(body.get("features") or {}, ms)
        elif body.get("round_trip_pnl") is not None:
            self.trips.append((ms, str(body["reason"])))
        elif body.get("slot") == "entry":
            self._on_day("entry", "entries", ms)

    def _on_day(self, kind: str, name: str, ms: int) -> None:
        """Note the UTC day: what comes in bursts counts once a day."""
        seen = self.days.setdefault((kind, name), [])
        if not seen or seen[-1] != _day(ms):
            seen.append(_day(ms))

    def _read(self, read: Mapping[str, Any], ms: int) -> None:
        """A feature happens when it has a value that is not the one before."""
        for name, value in read.items():
            count = self.features.setdefault(name, Count())
            count.unit(ms, happened=value is not None and value != count.value)
            count.value = value

    def exits(self, sleeve: str, base: Fires) -> Iterator[ExpectedEvent]:
        """Each exit path that ever ended a trip, here or in the backtest; rules of the backtest that never refused here."""
        for name in sorted({reason for _, reason in self.trips} | set(base.exits)):
            count = Count()
            for ms, reason in self.trips:
                count.unit(ms, happened=reason == name)
            yield _pulse("exit", sleeve, name, "round trips", count, tested=_of(base.exits, name, base.trips))
        for name in sorted(set(base.refusal_days) - {name for kind, name in self.days if kind == "guard"}):
            fields = (sleeve, name, "round trips", 0, 0, len(self.trips), None)
            yield ExpectedEvent("guard", *fields, tested=_of(base.refusal_days, name, base.trips))

    def by_day(self, sleeve: str, today: int, resting: str) -> Iterator[ExpectedEvent]:
        """Guards and entries, counted by the day."""
        for (kind, name), seen in sorted(self.days.items()):
            first = seen[0] if self.first_day is None else self.first_day
            counted = (len(seen), seen[-1] - first + 1, today - seen[-1], (seen[-1] + 1) * DAY_MS)
            yield ExpectedEvent("guard" if kind == "guard" else "entry", sleeve, name, "days", *counted, excused=resting)


def _day(ms: int) -> int:
    """The UTC day that a close belongs to."""
    return (ms - 1) // DAY_MS


def _still(value: Any) -> str:
    return "it has no value" if value is None else f"it has the same value, {value:.6g}" if isinstance(value, float) else ""


def _resting(state: Mapping[str, Any], mark: Event) -> str:
    """Why a sleeve may enter nothing for days."""
    if mark.body.get("state") not in (None, "running") or mark.body.get("tripped"):
        return "the desk does not trade"
    if state.get("paused"):
        return "it is paused"
    if state.get("position"):
        return "it is in a position"
    stage = state.get("stage")
    return f"its stage is {stage}" if stage in ("draft", "retired") else ""


def _of(counts: Mapping[str, int], name: str, units: int) -> tuple[int, int] | None:
    return (counts[name], units) if name in counts else None


def _pulse(kind: Any, place: str, name: str, unit: str, count: Count, **more: Any) -> ExpectedEvent:
    return ExpectedEvent(kind, place, name, unit, count.times, count.before, count.since, count.last_ms, **more)


# ---- what comes to the desk: bars, rows of features, funding -------------------------------------------------------------------


def _closes(path: Path, mark: Event, config: Mapping[str, Any]) -> Iterator[ExpectedEvent]:
    prices: dict[str, Count] = {}
    rows: dict[str, Count] = {}
    paid: dict[str, Count] = {}
    held = _Held(config, str(start_of(path).get("funding") or ""))
    for event in between(path, mark.t_event_ms - LOOK_MS, mark.t_event_ms, {"bar", "mark", "funding"}):
        ms, body = event.t_event_ms, event.body
        if event.kind == "bar":
            for name, row in body.get("bars", {}).items():
                count = prices.setdefault(name, Count())
                count.unit(ms, happened=bool(row) and None not in row[:5] and row[:5] != count.value)
                count.value = row[:5] if row else None
            for sleeve, digest in body.get("features", {}).items():
                count = rows.setdefault(sleeve, Count())
                count.unit(ms, happened=digest != count.value)
                count.value = digest
        elif event.kind == "funding":
            held.settled.add((str(body["sleeve"]), held.period(str(body["sleeve"]), ms)))
        else:
            for instrument, happened in held.due(body, ms):
                paid.setdefault(instrument, Count()).unit(ms, happened=happened)
    for name, count in prices.items():
        cause = "its price is missing" if count.value is None or None in count.value else "the same bar comes again and again"
        yield _pulse("bars", name, "bars", "closes", count, periodic=True, cause=cause)
    for sleeve, count in rows.items():
        yield _pulse("feature", sleeve, ALL, "closes", count, cause="what its strategy reads has not changed")
    for instrument, count in paid.items():
        yield _pulse("funding", instrument, "funding", "settlements", count, periodic=True, cause="a position was held over them")


class _Held:
    """Settlements that a held position should have seen."""

    def __init__(self, config: Mapping[str, Any], funding: str) -> None:
        sleeves = {} if funding == "none" else {str(s["name"]): s for s in config.get("sleeves", ())}
        self.instruments = {name: str(s["instrument"]) for name, s in sleeves.items()}
        self.every = {name: int(s.get("rules", {}).get("funding_ms") or 0) for name, s in sleeves.items()}
        self.settled: set[tuple[str, int]] = set()
        self._before: dict[str, tuple[int, Any]] = {}

    def period(self, sleeve: str, ms: int) -> int:
        """Number of the settlement at or before an instant; it may be booked a little late."""
        return ms // self.every[sleeve] if self.every.get(sleeve) else 0

    def due(self, body: Mapping[str, Any], ms: int) -> Iterator[tuple[str, bool]]:
        """(instrument, whether it came) of each settlement between the mark before and this one that a position was held over.

        The one at this mark is judged at the next: its event may follow it.
        """
        for name, sleeve in body["sleeves"].items():
            if not self.every.get(name):
                continue
            now, (at, position) = sleeve.get("position"), self._before.get(name, (ms, None))
            if now and position and self.period(name, ms - 1) > self.period(name, at - 1):
                yield self.instruments[name], (name, self.period(name, ms - 1)) in self.settled
            self._before[name] = (ms, now)


# ---- outside series ------------------------------------------------------------------------------------------------------------


def _outside(home: Path, now_ms: int) -> Iterator[ExpectedEvent]:
    """Each declared series: periods that were due since its last row. That one is too old is an alert of its own."""
    status_of = read_status(home)
    if not status_of:
        return
    from engine.data.outside.declared import BY_NAME  # it loads numpy, which a supervisor without outside series does not

    for key, status in sorted(status_of.items()):
        series, last = BY_NAME.get(key.partition("/")[0]), status.get("last_ms")
        if series is None or not status.get("scheduled") or not isinstance(last, int):
            continue
        late = now_ms - series.published_ms(last) - round(series.lag_minutes * MINUTE_MS)
        too_old = status.get("too_old_ms")
        cause = str(status.get("error") or "its source answers, with nothing newer")[:200]
        due = max(late // timeframe_ms(series.period), 0)
        overdue = not isinstance(too_old, int) or now_ms > too_old
        more: dict[str, Any] = {"periodic": True, "cause": cause, "overdue": overdue, "excused": "" if overdue else NOT_YET}
        yield ExpectedEvent("series", key[:120], "rows", "periods", 1, 1, due, last, **more)
