"""How near the desk is to each of its limits, read from the journal's end. Called by app.api.desk.

The guardrails themselves are engine.core.guardrails; this counts what they count, from what was journaled: losses in a row since
the last win or pause, entries and loss of the UTC day (desk time). Bounded: it reads back a day, or READ_MAX bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.api import models as m
from app.api.pages import READ_MAX, lines_before
from engine.clock import DAY_MS, MINUTE_MS
from engine.control.config import SleeveConfig
from engine.control.limits import HardLimits
from engine.store.chain import Event, event_of
from engine.watch.window import mark_at

ENTRIES = (b'"action":"enter"', b'"action":"add"')
KINDS = (b'"kind":"decision",', b'"kind":"fill",', b'"kind":"breaker",')
_KEPT: dict[Path, tuple[str, "Counted"]] = {}  # the last mark's of each journal: it is asked for by every open page


class Counted(NamedTuple):
    """What guardrails count, by sleeve; a sleeve that is missing was not read far enough back to know."""

    entries: dict[str, int]  # of the UTC day
    streak: dict[str, int]  # round trips lost in a row
    day_equity: dict[str, float]  # when the UTC day began
    minute_orders: int  # entries in the minute of the last mark


def guards(path: Path, mark: Event | None, hard: HardLimits, sleeves: Sequence[SleeveConfig]) -> list[m.Guard]:
    """Each limit with its value now, in its unit; null before it was measured."""
    body = mark.body if mark is not None else {}
    equity, peak, gross = body.get("equity"), body.get("peak"), body.get("gross")
    counted = counted_at(path, mark, [s.name for s in sleeves]) if mark is not None else None
    found = [
        guard("drawdown (halts the desk)", _lost(peak, equity), hard.drawdown_frac_max, "frac"),
        guard("gross exposure, times equity", _times(gross, equity), hard.gross_frac_max, "ratio"),
        guard("entry orders in a minute", counted and counted.minute_orders, hard.orders_minute_max, "count"),
    ]
    held: Mapping[str, Any] = body.get("sleeves") or {}
    for name, notional in notionals(held, sleeves).items():
        found.append(guard(f"exposure in {name}, times equity", _times(notional, equity), hard.instrument_frac_max, "ratio"))
    for s in sleeves:
        found += _of_sleeve(s.name, held.get(s.name) or {}, counted, hard)
    return found


def _of_sleeve(name: str, held: Mapping[str, Any], counted: Counted | None, hard: HardLimits) -> list[m.Guard]:
    """A sleeve's own limits."""
    equity = held.get("equity")
    position = held.get("position") or {}
    leverage = _times(abs(position["notional"]), equity) if position.get("notional") is not None else 0.0 if held else None
    of = counted or Counted({}, {}, {}, 0)
    return [
        guard(f"{name}: loss of the day", _lost(of.day_equity.get(name), equity), hard.day_loss_frac_max, "frac"),
        guard(f"{name}: losses in a row", of.streak.get(name), hard.streak_max, "count"),
        guard(f"{name}: entries of the day", of.entries.get(name), hard.day_entries_max, "count"),
        guard(f"{name}: leverage", leverage, hard.leverage_max, "ratio"),
    ]


def guard(name: str, value: float | None, limit: float, unit: str) -> m.Guard:
    """A limit and how much of it is used."""
    return m.Guard(name=name, value=value, limit=limit, used_frac=None if value is None else value / limit, unit=unit)


def notionals(held: Mapping[str, Any], sleeves: Sequence[SleeveConfig]) -> dict[str, float]:
    """Open notional of each instrument, all its sleeves together."""
    found: dict[str, float] = {}
    for s in sleeves:
        name = f"{s.venue} {s.symbol}"
        notional = ((held.get(s.name) or {}).get("position") or {}).get("notional") or 0.0
        found[name] = found.get(name, 0.0) + abs(notional)
    return found


def counted_at(path: Path, mark: Event, names: Sequence[str]) -> Counted:
    """What the guardrails count at a mark."""
    known = _KEPT.get(path)
    if known is not None and known[0] == mark.id and set(names) == set(known[1].entries):
        return known[1]
    day_ms = (mark.t_event_ms - 1) // DAY_MS * DAY_MS
    began = mark_at(path, day_ms)
    first = began.body.get("sleeves") or {} if began is not None else {}
    day_equity = {name: float(first[name]["equity"]) for name in names if first.get(name, {}).get("equity") is not None}
    entries, streak, minute = _read_back(path, mark.t_event_ms, day_ms, names)
    made = Counted(entries, streak, day_equity, minute)
    _KEPT[path] = mark.id, made
    return made


def _read_back(path: Path, now_ms: int, day_ms: int, names: Sequence[str]) -> tuple[dict[str, int], dict[str, int], int]:
    """(entries of the day, losses in a row, entries of the last minute), newest event first."""
    entries, running, minute = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0
    ended: set[str] = set()  # sleeves whose row of losses has its beginning
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for at, line in lines_before(file, size):
            event = _told(line)
            if event is not None and (sleeve := str(event.body.get("sleeve"))) in running:
                if event.kind == "decision" and event.t_event_ms > day_ms:
                    entries[sleeve] += 1
                    minute += event.t_event_ms // MINUTE_MS == now_ms // MINUTE_MS
                elif event.kind != "decision" and sleeve not in ended:
                    if ends_streak(event):
                        ended.add(sleeve)
                    elif event.body.get("round_trip_pnl") is not None:
                        running[sleeve] += 1
            if at == 0 or size - at > READ_MAX:
                ended = ended if at else set(names)
                break
            if len(ended) == len(running) and _time(line) <= day_ms:
                break
    return entries, {name: running[name] for name in ended}, minute


def ends_streak(event: Event) -> bool:
    """Whether losses before this event no longer count: a win, or the pause that they led to."""
    if event.kind == "breaker":
        return event.body.get("breaker") == "loss streak"
    return (event.body.get("round_trip_pnl") or 0.0) > 0.0


def _told(line: bytes) -> Event | None:
    """The event of a line that matters here; parsing is most of the work."""
    front = line[:80]
    if not any(kind in front for kind in KINDS) or (KINDS[0] in front and not any(word in line for word in ENTRIES)):
        return None
    return event_of(line)


def _time(line: bytes) -> int:
    """The desk time of a line."""
    at = line.find(b'"t_event_ms":')
    return int(line[at + 13 : line.index(b",", at)]) if at >= 0 else 1 << 62


def _lost(before: float | None, now: float | None) -> float | None:
    """The share lost since then; nothing when there is a gain."""
    return None if not before or now is None else max(0.0, 1.0 - now / before)


def _times(amount: float | None, equity: float | None) -> float | None:
    return None if amount is None or not equity else amount / equity
