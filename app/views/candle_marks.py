"""What a chart draws over its candles: round trips, levels, refusals as bands, breakers, the open position.

Called by app/views/candles.py. Turns frames of trips and decisions, journal events and level steps into short lists of numbers
and words. Times are UTC ms.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import polars as pl

from engine.clock import DAY_MS
from engine.sim.levels import SLOTS, LevelStep
from engine.store.chain import Event
from engine.watch.health import is_covered
from engine.watch.kept_lines import trading_lines
from engine.watch.window import first_mark, mark_at

DAYS_KEPT = 2_000  # of sleeves, in a process: some megabytes
TRIPS_MAX = 4_000
BANDS_MAX = 2_000
STEPS_MAX = 40_000
TRIP_COLUMNS = ("trip", "side", "entry_ms", "exit_ms", "entry_price", "exit_price", "reason", "net", "r")


class Band(NamedTuple):
    """A stretch of time without entries: `count` of them were refused in it."""

    from_ms: int
    until_ms: int
    rule: str
    count: int  # type: ignore[assignment]  # a tuple's own count is of no use here


class Tripped(NamedTuple):
    """A breaker that tripped; `until_ms` null: until a person releases it."""

    ms: int
    breaker: str
    until_ms: int | None


def trip_columns(trips: pl.DataFrame, from_ms: int, until_ms: int) -> dict[str, Any]:
    """The newest TRIPS_MAX of the trips that were open at some moment of the window, as columns; `left_out`: how many more."""
    ends = pl.col("exit_ms").fill_null(until_ms)
    seen = trips.filter((pl.col("entry_ms") < until_ms) & (ends >= from_ms)).sort("entry_ms")
    kept = seen.tail(TRIPS_MAX)
    columns = {name: [short(value) for value in kept[name].to_list()] for name in TRIP_COLUMNS}
    return columns | {"left_out": seen.height - kept.height}


def short(value: Any) -> Any:
    """A number with the nine digits that a chart can show; anything else as it is."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def level_lines(steps: Iterable[LevelStep], from_ms: int, until_ms: int) -> list[dict[str, Any]]:
    """Each order's level as {slot, ms, price, end_ms} of those that stood in the window; nothing of them is after `until_ms`.

    ms: the first step's time, then how much later each further one is.
    """
    lines: dict[tuple[int, str], list[LevelStep]] = {}
    for step in steps:
        lines.setdefault((step.key, step.slot), []).append(step)
    found, room = [], STEPS_MAX
    for (_, slot), own in reversed(lines.items()):
        gone = own[-1].ms if own[-1].price is None else until_ms
        end, moves = min(gone, until_ms), [(s.ms, s.price) for s in own if s.price is not None and s.ms < until_ms]
        room -= len(moves)
        if moves and end > from_ms and room >= 0:
            times = [ms for ms, _ in moves]
            later = [b - a for a, b in pairwise(times)]
            found.append({"slot": slot, "ms": [times[0], *later], "price": [short(price) for _, price in moves], "end_ms": end})
    return found[::-1]


def bands(refused: Sequence[tuple[int, str]], tripped: Sequence[Tripped], bar_ms: int, until_ms: int) -> list[Band]:
    """Pauses that breakers began, and what was refused outside of them: neighbours of one rule are one band, none goes beyond
    `until_ms`. refused: (close, rule), ascending.
    """
    pauses = [Band(t.ms, min(t.until_ms, until_ms), f"paused: {t.breaker}", 0) for t in tripped if t.until_ms is not None]
    found: list[Band] = []
    for pause in sorted(p for p in pauses if p.until_ms > p.from_ms):
        last = found[-1] if found else None
        if last and last.rule == pause.rule and pause.from_ms <= last.until_ms:
            found[-1] = last._replace(until_ms=max(last.until_ms, pause.until_ms))
        else:
            found.append(pause)
    outside: list[Band] = []
    for close_ms, rule in refused:
        if close_ms > until_ms:
            continue
        inside = next((n for n, p in enumerate(found) if p.from_ms <= close_ms <= p.until_ms), None)
        if inside is not None:
            found[inside] = found[inside]._replace(count=found[inside].count + 1)
        elif outside and outside[-1].rule == rule and close_ms - bar_ms <= outside[-1].until_ms:
            outside[-1] = outside[-1]._replace(until_ms=close_ms, count=outside[-1].count + 1)
        else:
            outside.append(Band(close_ms - bar_ms, close_ms, rule, 1))
    return sorted([*found, *outside])[-BANDS_MAX:]


def run_refusals(decisions: pl.DataFrame, sleeve: str) -> list[tuple[int, str]]:
    """(close, rule) of every refusal that a run wrote down; one that lasts is written once."""
    own = decisions.filter((pl.col("sleeve") == sleeve) & (pl.col("action") == "refused"))
    return list(zip(own["close_ms"].to_list(), own["refused_by"].to_list(), strict=True))


def run_breakers(table: pl.DataFrame, sleeve: str) -> list[Tripped]:
    """Breakers of a sleeve and of the whole desk in a run (sim/trips.breakers)."""
    own = table.filter(pl.col("sleeve").is_in([sleeve, "desk"]))
    return [Tripped(row["close_ms"], row["breaker"], row["until_ms"]) for row in own.to_dicts()]


class SleeveEvents(NamedTuple):
    """What the journal says of one sleeve in a window."""

    steps: list[LevelStep]
    refused: list[tuple[int, str]]
    tripped: list[Tripped]
    labels: tuple[str, ...]  # of the features that its newest decision read


class Moment(NamedTuple):
    """What a chart needs of one journal event of a sleeve: small, since those of a year are kept."""

    kind: str
    ms: int
    word: str  # of a breaker or a refusal, else the order's slot
    key: int = 0
    lots: int = 0
    price: float | None = None
    until_ms: int | None = None
    labels: tuple[str, ...] = ()


def sleeve_events(path: Path, sleeve: str, from_ms: int, until_ms: int, bar_ms: int) -> SleeveEvents:
    """Levels of its orders, refusals, breakers and features of a sleeve, from the desk journal; of days that are over it is read
    once a process."""
    before = mark_at(path, from_ms)
    held = {} if before is None else before.body["sleeves"].get(sleeve, {})
    steps = _at_mark(held, from_ms)
    lots = {layer["key"]: layer["lots"] for layer in (held.get("position") or {}).get("layers") or []}
    refused: list[tuple[int, str]] = []
    tripped: list[Tripped] = []
    labels: tuple[str, ...] = ()
    for moment in _moments(path, sleeve, from_ms, until_ms):
        if moment.kind == "breaker":
            tripped.append(Tripped(moment.ms, moment.word, moment.until_ms))
        elif moment.kind == "decision":
            labels = moment.labels or labels
            if moment.word:
                refused.append((moment.ms, moment.word))
        else:
            steps += _steps(moment, bar_ms, lots)
    return SleeveEvents(steps, refused, tripped, labels)


def _moments(path: Path, sleeve: str, from_ms: int, until_ms: int) -> Iterator[Moment]:
    """Those with from_ms < ms <= until_ms, in order."""
    begun = first_mark(path)
    from_ms = from_ms if begun is None else max(from_ms, begun.t_event_ms - DAY_MS)  # no day before the desk's first
    first, last = -(-from_ms // DAY_MS) * DAY_MS, until_ms // DAY_MS * DAY_MS
    if first >= last:
        yield from _read(path, sleeve, from_ms, until_ms)
        return
    yield from _read(path, sleeve, from_ms, first) if from_ms < first else ()
    yield from _days(path, sleeve, first, last)
    yield from _read(path, sleeve, last, until_ms) if last < until_ms else ()


_DAYS: dict[tuple[str, int, str, int], list[Moment]] = {}  # by journal, its file, sleeve and day that is over
_LOCK = Lock()


def _days(path: Path, sleeve: str, first_ms: int, last_ms: int) -> Iterator[Moment]:
    """Those of days that are over; of days that no chart of this process has shown yet in one reading."""
    whose = str(path), path.stat().st_ino, sleeve  # a journal that was put in the place of another is read again
    days = range(first_ms, last_ms, DAY_MS)
    found = {day: kept for day in days if (kept := _DAYS.get((*whose, day))) is not None}
    missing = [day for day in days if day not in found]
    if missing:
        fresh: dict[int, list[Moment]] = {day: [] for day in range(missing[0], missing[-1] + DAY_MS, DAY_MS)}
        for moment in _read(path, sleeve, missing[0], missing[-1] + DAY_MS):
            fresh[(moment.ms - 1) // DAY_MS * DAY_MS].append(moment)
        found |= fresh
        with _LOCK:
            _DAYS.update({(*whose, day): moments for day, moments in fresh.items()})
            for key in list(_DAYS)[: max(0, len(_DAYS) - DAYS_KEPT)]:
                del _DAYS[key]
    for day in days:
        yield from found[day]


def _read(path: Path, sleeve: str, after_ms: int, up_to_ms: int) -> Iterator[Moment]:
    """Those of a stretch, from the journal."""
    name = b'"sleeve":"%s"' % sleeve.encode()

    def worth(kind: bytes, line: bytes) -> bool:
        if kind == b"breaker":
            return name in line or b'"sleeve":null' in line
        return name in line and (kind != b"intent" or b'"slot":"entry"' not in line)

    for line in trading_lines(path, after_ms, up_to_ms, {"intent", "amend", "fill", "decision", "breaker"}, worth):
        if (event := line.event()) is not None and event.body.get("sleeve") in (sleeve, None):
            yield _moment(event)


def _moment(event: Event) -> Moment:
    body, ms = event.body, event.t_event_ms
    if event.kind == "breaker":
        return Moment("breaker", ms, str(body["breaker"]), until_ms=body["until_ms"])
    if event.kind == "decision":
        return Moment("decision", ms, str(body.get("refused_by") or ""), labels=_same(tuple(body.get("features") or ())))
    return Moment(event.kind, ms, str(body["slot"]), int(body["key"]), int(body.get("lots") or 0), body.get("price"))


@lru_cache(maxsize=64)
def _same(labels: tuple[str, ...]) -> tuple[str, ...]:
    """One tuple for all decisions that read the same features."""
    return labels


def _steps(of: Moment, bar_ms: int, lots: dict[int, int]) -> list[LevelStep]:
    """An order's event as the level of its layer: placed at the open of the bar that filled its entry, moved, or gone with the
    last of the layer's `lots`, which are counted here.
    """
    slot, key = of.word, of.key
    if of.kind == "fill":
        lots[key] = lots.get(key, 0) + (of.lots if slot == "entry" else -of.lots)
        return [] if lots[key] > 0 else [LevelStep(key, name, of.ms, None) for name in SLOTS]
    if slot not in SLOTS or of.price is None:
        return []
    return [LevelStep(key, slot, of.ms - (bar_ms if of.kind == "intent" else 0), of.price)]


def _at_mark(body: Mapping[str, Any], ms: int) -> list[LevelStep]:
    """The levels that an open position had when the window began."""
    layers = (body.get("position") or {}).get("layers") or []
    levels: list[tuple[int, str, float | None]] = [(layer["key"], slot, layer.get(slot)) for layer in layers for slot in SLOTS]
    return [LevelStep(key, slot, ms, price) for key, slot, price in levels if price]


def open_position(body: Mapping[str, Any], *, simulated: bool = False) -> dict[str, Any] | None:
    """Entry, stop, target and mark of the open position of a sleeve, as its mark says; None while it is flat.

    `simulated`: one that is due to leave has no stop and target any more, its exit has taken their place;
    nor has one a stop whose order does not work.
    """
    held = body.get("position")
    if not held or not held.get("layers"):
        return None
    first, units = held["layers"][0], held["quantity"]
    mark = abs(held["notional"] / units) if units and held.get("notional") is not None else None
    stop, target = (None, None) if simulated and first.get("due") else (first["protective"], first.get("target"))
    levels = {"entry": first["entry"], "stop": stop if is_covered(first) else None, "target": target, "mark": mark}
    return {"side": held["side"], "opened_ms": held["opened_ms"], **levels}
