"""P&L of the desk by day, week and month, and lately, from the marks at both ends of a period. Called by the API and the tools.

A mark carries what the ledgers have summed so far (cash, fees, funding, slippage, equity): a period is a difference of two marks,
and no event in between is read. Periods are UTC, weeks begin on Monday, and a bar that closes at midnight belongs to the day that
ends there. Every sum is rounded to cents before differences are taken: the periods sum to the change of equity to the cent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.sim.breakdown import Floats, Times
from engine.watch.desk_trips import of_sleeve, strategy_trips
from engine.watch.window import first_mark, journal_of, mark_at

Unit = Literal["day", "week", "month"]
UNITS: tuple[str, ...] = get_args(Unit)
PERIODS_MAX = 400
SUMS = ("equity", "cash", "fees", "funding", "slippage", "incident")
Cents = dict[str, int | None]


class Period(NamedTuple):
    """The P&L of (from_ms, until_ms] in quote units; None where a mark does not say.

    net = realised + unrealised, the change of equity. realised is the change of cash, after the fees and funding that were paid
    in the period; unrealised the change of what open positions are worth. fees and slippage count as costs, funding as received.
    """

    from_ms: int
    until_ms: int
    realised: float | None
    unrealised: float | None
    fees: float | None
    funding: float | None
    slippage: float | None
    net: float | None
    incident: float | None = 0.0  # of the net: what was made in incident windows
    strategy: float | None = None  # the rest: incident + strategy = net
    equity: float | None = None  # at until_ms


class Lately(NamedTuple):
    """Net P&L of a stretch that ends at the desk's time: money (the change of equity), and R of the trips that closed; trips that
    were open in an incident window are left out.
    """

    from_ms: int
    net: float | None
    r: float | None  # None: no trip with a planned risk closed
    trips: int
    incident: float | None = 0.0  # of the net: what was made in incident windows
    strategy: float | None = None  # the rest


def periods(home: Path, unit: str, sleeve: str | None = None, limit: int = PERIODS_MAX) -> list[Period]:
    """The newest `limit` periods, oldest first; the first and the last may be partial. Empty before the first bar.

    Raises BadInput for another unit, and for a sleeve that the desk does not have.
    """
    if unit not in UNITS:
        raise BadInput(f"P&L cannot be summed by {unit!r}", f"choose {', '.join(UNITS)}")
    path = journal_of(home)
    first, last = first_mark(path), mark_at(path)
    if first is None or last is None or last.seq <= first.seq:
        return []
    start = last.t_event_ms
    edges = [start]
    while start > first.t_event_ms and len(edges) <= limit:
        start = max(period_begin(start, unit), first.t_event_ms)
        edges.append(start)
    edges.reverse()
    sums = [_sums((mark_at(path, ms) or first).body, sleeve) for ms in edges]
    return [_period(*ends, *cents) for ends, cents in zip(zip(edges, edges[1:]), zip(sums, sums[1:]), strict=True)]  # noqa: B905, RUF007 - pairs of neighbours


def curve_periods(close_ms: Times, equity: Floats, begun: tuple[int, float], unit: str, limit: int = PERIODS_MAX) -> list[Period]:
    """The same of an equity curve (n,) that began as `begun`, (UTC ms, quote units): its net and its equity alone."""
    if unit not in UNITS:
        raise BadInput(f"P&L cannot be summed by {unit!r}", f"choose {', '.join(UNITS)}")
    days, day_of = np.unique((close_ms - 1) // DAY_MS, return_inverse=True)
    begins = np.array([period_begin(int(day) * DAY_MS + 1, unit) for day in days], np.int64)[day_of]
    ends = np.flatnonzero(np.append(np.diff(begins) != 0, True)) if len(begins) else begins
    found: list[Period] = []
    before = round(begun[1] * 100)
    for at in map(int, ends):
        cents = round(float(equity[at]) * 100)
        from_ms = max(int(begins[at]), begun[0])
        net, worth = (cents - before) / 100, cents / 100
        found.append(Period(from_ms, int(close_ms[at]), None, None, None, None, None, net, 0.0, net, worth))
        before = cents
    return found[-limit:]


def period_begin(ms: int, unit: str) -> int:
    """The last start of a period before an instant."""
    day = (ms - 1) // DAY_MS * DAY_MS
    when = datetime.fromtimestamp(day / 1000, UTC)
    if unit == "week":
        when -= timedelta(days=when.weekday())
    elif unit == "month":
        when = when.replace(day=1)
    return round(when.timestamp() * 1000)


def _sums(mark: Mapping[str, Any], sleeve: str | None) -> Cents:
    """What the ledgers have summed by a mark, in cents: of one sleeve, or of all of them."""
    sleeves = mark["sleeves"]
    if sleeve is not None and sleeve not in sleeves:
        raise BadInput(f"the desk has no sleeve {sleeve!r}", f"available: {', '.join(sleeves)}")
    chosen = [sleeves[sleeve]] if sleeve is not None else list(sleeves.values())
    found: Cents = {}
    for name in SUMS:
        none = 0.0 if name == "incident" else None  # a mark without it has had no window
        values = [body.get(name, none) for body in chosen]
        found[name] = None if None in values else round(sum(values) * 100)
    return found


def _period(from_ms: int, until_ms: int, before: Cents, after: Cents) -> Period:
    """The period between two marks."""
    change = {name: _minus(after[name], before[name]) for name in SUMS}
    unrealised = _minus(change["equity"], change["cash"])
    cents: tuple[int | None, ...] = (
        change["cash"],
        unrealised,
        change["fees"],
        change["funding"],
        change["slippage"],
        change["equity"],
    )
    cents += (change["incident"], _minus(change["equity"], change["incident"]), after["equity"])
    return Period(from_ms, until_ms, *(None if value is None else value / 100 for value in cents))


def _minus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other


def lately(home: Path, sleeve: str | None = None) -> dict[str, Lately]:
    """Net P&L since midnight (`today`), over the last 7 and 30 days (`d7`, `d30`), and since the `start`; empty before the first
    bar. A desk younger than a stretch has it from its start."""
    return _stretches(journal_of(home), [sleeve], strategy_trips(home, sleeve)).get(sleeve, {})


def lately_of_all(home: Path) -> dict[str | None, dict[str, Lately]]:
    """The same of the desk (None) and of each of its sleeves, with one reading of the journal; empty before the first bar."""
    last = mark_at(journal_of(home))
    names: list[str | None] = [None, *(last.body["sleeves"] if last is not None else ())]
    return _stretches(journal_of(home), names, strategy_trips(home))


def _stretches(path: Path, names: list[str | None], trips: pl.DataFrame) -> dict[str | None, dict[str, Lately]]:
    """The stretches of each name; trips of other sleeves are left out."""
    first, last = first_mark(path), mark_at(path)
    if first is None or last is None:
        return {}
    now, closed = last.t_event_ms, trips.filter(pl.col("exit_ms").is_not_null())
    begins = {"today": period_begin(now, "day"), "d7": now - 7 * DAY_MS, "d30": now - 30 * DAY_MS, "start": first.t_event_ms}
    starts = {name: mark_at(path, max(ms, first.t_event_ms)) or first for name, ms in begins.items()}
    return {
        who: {
            name: _lately(
                max(ms, first.t_event_ms), _sums(starts[name].body, who), _sums(last.body, who), _own(path, closed, who)
            )
            for name, ms in begins.items()
        }
        for who in names
    }


def _own(path: Path, closed: pl.DataFrame, sleeve: str | None) -> pl.DataFrame:
    return closed if sleeve is None else of_sleeve(path.parent.parent, closed, sleeve)


def _lately(from_ms: int, before: Cents, after: Cents, closed: pl.DataFrame) -> Lately:
    """One stretch: the sums at both ends, and the trips whose last bar closed in it."""
    net = _minus(after["equity"], before["equity"])
    own = closed.filter(pl.col("closed_ms") > from_ms)
    r = own["r"].drop_nulls()
    incident = _minus(after["incident"], before["incident"])
    money = [None if cents is None else cents / 100 for cents in (net, incident, _minus(net, incident))]
    return Lately(from_ms, money[0], float(r.sum()) if len(r) else None, own.height, *money[1:])
