"""Cash flows of a desk: fills and funding of its journal, one by one or summed a UTC day. Called by engine.watch.attribution.

A year's journal has millions of lines. The supervisor caches the sums of whole days in `cache/flows.json` (`refresh_day_sums`):
derived, rebuilt when the journal is another one, never a source of truth; without the cache the same window is read event by
event. Readers never write it, tools included.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.clock import DAY_MS
from engine.store.chain import Event
from engine.watch.window import between, journal_of, mark_at

FILE = "cache/flows.json"
KINDS = ("fill", "funding")
SCHEMA = 1


class Flow(NamedTuple):
    """One fill, one funding payment, or the sum of many of a sleeve; all in quote units.

    `traded`: signed units (+ bought) x price without slippage; `slippage`: signed units x (price - price without slippage);
    `fee` paid; `cash`: funding received (+) or paid (-); `fills`: how many fills it is.
    """

    sleeve: str
    traded: float = 0.0
    slippage: float = 0.0
    fee: float = 0.0
    cash: float = 0.0
    fills: int = 0


class DaySums(NamedTuple):
    """Sums of every whole UTC day up to `until_ms`; `mark` is the hash of the journal's last mark by then."""

    until_ms: int
    mark: str
    flows: dict[int, tuple[Flow, ...]]  # end of the day (UTC ms) -> its sums, one a sleeve


NONE = DaySums(-1, "", {})


def flow_of(event: Event) -> Flow:
    """A fill or funding event as a flow."""
    body = event.body
    if event.kind == "funding":
        return Flow(body["sleeve"], cash=body["cash_flow"])
    units = body["quantity"] * (1 if body["side"] == "buy" else -1)
    clean = body["reference_price"]
    return Flow(body["sleeve"], units * clean, units * (body["price"] - clean), body["fee"], fills=1)


def sum_by_sleeve(flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """One flow a sleeve, in the order in which the sleeves come."""
    found: dict[str, Flow] = {}
    for flow in flows:
        so_far = found.get(flow.sleeve, Flow(flow.sleeve))
        sums = (a + b for a, b in zip(so_far[1:], flow[1:], strict=True))
        found[flow.sleeve] = Flow._make((flow.sleeve, *sums))
    return tuple(found.values())


def _flows(path: Path, after_ms: int, up_to_ms: int) -> Iterator[Event]:
    """Fills and funding of (after_ms, up_to_ms]; a trade that was reported and not booked moved nothing."""
    return (event for event in between(path, after_ms, up_to_ms, KINDS) if event.body.get("booked", True))


def between_marks(home: Path, start: Event, end: Event) -> Iterator[Flow]:
    """Every flow after one mark of the desk journal and before another; whole days in between come as sums."""
    path = journal_of(home)
    low, high = -(-start.t_event_ms // DAY_MS) * DAY_MS, (end.t_event_ms - 1) // DAY_MS * DAY_MS
    days = day_sums(home) if high > low else NONE
    if days.until_ms <= low:
        events = _flows(path, start.t_event_ms - 1, end.t_event_ms)
        yield from (flow_of(event) for event in events if start.seq < event.seq < end.seq)
        return
    high = min(high, days.until_ms)
    yield from (flow_of(event) for event in _flows(path, start.t_event_ms - 1, low) if event.seq > start.seq)
    for until_ms, flows in days.flows.items():
        if low < until_ms <= high:
            yield from flows
    yield from (flow_of(event) for event in _flows(path, high, end.t_event_ms) if event.seq < end.seq)


def day_sums(home: Path) -> DaySums:
    """Sums of all whole days so far: the cached ones, and the later ones from the journal."""
    path = journal_of(home)
    last = mark_at(path)
    if last is None:
        return NONE
    until_ms = (last.t_event_ms - 1) // DAY_MS * DAY_MS
    cached = _stored(home)
    if cached.until_ms >= until_ms:
        return cached
    mark = mark_at(path, until_ms)
    if mark is None:
        return NONE
    return DaySums(until_ms, mark.hash, cached.flows | _by_day(path, cached.until_ms, until_ms))


def refresh_day_sums(home: Path) -> None:
    """Bring the cache up to the last whole day. A disk that cannot be written makes answers slower, not wrong."""
    cached = _stored(home)
    days = day_sums(home)
    if days.mark != cached.mark:
        with suppress(OSError):
            _store(home, days)


def _by_day(path: Path, after_ms: int, up_to_ms: int) -> dict[int, tuple[Flow, ...]]:
    """The sums of each day in (after_ms, up_to_ms], both ends of days."""
    found: dict[int, tuple[Flow, ...]] = {}
    day: list[Flow] = []
    end = 0
    for event in _flows(path, after_ms, up_to_ms):
        due = -(-event.t_event_ms // DAY_MS) * DAY_MS
        if due != end and day:
            found[end] = sum_by_sleeve(day)
            day = []
        end = due
        day.append(flow_of(event))
    if day:
        found[end] = sum_by_sleeve(day)
    return found


def _stored(home: Path) -> DaySums:
    """The cached sums; none when the file is missing, unreadable, or of another journal."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            return NONE
        flows = {int(end): tuple(Flow(*flow) for flow in day) for end, day in found["days"].items()}
        days = DaySums(int(found["until_ms"]), str(found["mark"]), flows)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NONE
    mark = mark_at(journal_of(home), days.until_ms)
    return days if mark is not None and mark.hash == days.mark else NONE


def _store(home: Path, days: DaySums) -> None:
    """Write the cache file atomically."""
    path = home / FILE
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.{id(days):x}.draft")
    body = {"schema": SCHEMA, "until_ms": days.until_ms, "mark": days.mark, "days": days.flows}
    draft.write_text(json.dumps(body), encoding="utf-8")
    draft.replace(path)
