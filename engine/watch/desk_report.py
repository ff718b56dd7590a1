"""A week or a month of the desk as a team writes it: goals, what worked, what did not, metrics, incidents, lessons, next.

Called by `nightdesk report`, the advisor's tool and app/jobs/desk_reports.py. Every figure is another function's and carries its
receipt, an id of the journal; words of people come in as values. Where the data are too few to say it, the reason is there
instead. The same as text and page: engine/watch/desk_report_pages.py. Money is quote units, times are desk time (UTC ms).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from sqlalchemy import Engine

from engine.amounts import percent_text
from engine.clock import DAY_MS, utc_day
from engine.control.proposals import list_proposals
from engine.errors import BadInput
from engine.sim.breakdown import split
from engine.sim.metrics import DAYS_A_YEAR, DAYS_MIN, a_day_sharpe, days_to_tell, sharpe_error
from engine.watch.alert_rows import list_alerts
from engine.watch.attribution import WindowPnl, apportion, pnl_of_window
from engine.watch.desk_trips import desk_trips, outside_incidents
from engine.watch.incidents import windows_of
from engine.watch.parity_result import UNEXPLAINED_FRAC_MAX, last_result
from engine.watch.periods import Period, period_begin, periods
from engine.watch.pruning import prunings
from engine.watch.window import between, desk_ms, journal_of, mode_of, start_of

ReportUnit = Literal["week", "month"]
TRIPS_MIN = 30  # fewer say little about a strategy
LISTED = 8
DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)
ALERTS_READ = 500
ALERT_SHOWN = 160  # characters of an alert, whole words


class ReportWords(NamedTuple):
    """What people and roles wrote: goals and lessons, each with the page it is from; notes that wait."""

    goals: tuple[tuple[str, str], ...] = ()
    lessons: tuple[tuple[str, str], ...] = ()
    notes_waiting: int = 0


WordsOf = Callable[[int, int], ReportWords]


class ReportFigure(NamedTuple):
    """One figure: `unit` is usd, frac, ratio, count, days; without a value `why` says what is missing. `receipt`: journal ids."""

    name: str
    value: float | None
    unit: str
    receipt: str
    why: str = ""


def make_report(
    home: Path,
    engine: Engine,
    unit: ReportUnit,
    now_ms: int,
    of: str = "",
    written: WordsOf = lambda _from, _until: ReportWords(),
) -> dict[str, Any]:
    """The report of the newest whole week or month, of the one that `of` names (a day in it, or 2026-05), or of what there is
    of the present one where none is whole yet. `written`: the words of (from_ms, until_ms].
    Raises BadInput without a bar, and for a period that the desk did not live."""
    chosen, whole = _chosen(periods(home, unit), unit, of)
    words = written(chosen.from_ms, chosen.until_ms)
    lived = pnl_of_window(home, chosen.from_ms, chosen.until_ms)
    if lived is None:
        raise BadInput("no bar was decided in this period", "name another one: --of 2026-05")
    back = ((desk_ms(home) or 0) - chosen.from_ms) // DAY_MS + 2
    days = [day for day in periods(home, "day", limit=back) if chosen.from_ms < day.until_ms <= chosen.until_ms]
    every = desk_trips(home)
    closed = every.filter((pl.col("closed_ms") > chosen.from_ms) & (pl.col("closed_ms") <= chosen.until_ms))
    trips = outside_incidents(home, closed)  # of the strategies: no count, hit rate, R or goal rests on the others
    receipt = f"{lived.start.id} to {lived.end.id}"
    path = journal_of(home)
    body: dict[str, Any] = {
        "unit": unit,
        "name": name_of(unit, chosen),
        "from_ms": chosen.from_ms,
        "until_ms": chosen.until_ms,
        "whole": whole,
        "receipt": receipt,
        "stamp": lived.end.body.get("stamp") or mode_of(path).upper(),
        "source": start_of(path).get("source") or "unknown",
        "versions": [lived.start.body.get("version"), lived.end.body.get("version")],
        "metrics": [figure._asdict() for figure in [*_money(lived, receipt), *_of_days(days, lived, receipt)]],
        "sleeves": _sleeves(lived, trips),
        "days": [{"day": utc_day(d.until_ms - 1), "strategy": d.strategy, "incident": d.incident, "net": d.net} for d in days],
        "exits": split(trips, "exit").to_dicts() if len(trips) else [],
        "incidents": _incidents(path, chosen),
        "goals": [{"text": text, "page": page} for text, page in words.goals],
        "lessons": [{"text": text, "page": page} for text, page in words.lessons],
    }
    body["metrics"] += [figure._asdict() for figure in _of_trips(trips, len(closed) - len(trips), receipt)]
    body["goal_met"] = _goal_met(lived, len(trips), whole=whole)
    body |= _worked(home, engine, body, chosen)
    return body | {"next": _next(engine, body, words, now_ms)}


def whole_periods(home: Path, unit: ReportUnit, most: int) -> list[tuple[str, str]]:
    """(name, a day in it) of the newest whole weeks or months that the desk has lived, in order; named as its report."""
    found = [period for period in periods(home, unit, limit=most + 1) if _is_whole(period, unit)]  # the last one may still run
    return [(name_of(unit, one).removeprefix("week of "), utc_day(one.from_ms)) for one in found[-most:]]


def name_of(unit: str, period: Period) -> str:
    """`2026-05`, or the Monday of a week: `week of 2026-05-04`."""
    day = utc_day(period.from_ms)
    return day[:7] if unit == "month" else f"week of {utc_day(period_begin(period.until_ms, 'week'))}"


def _chosen(found: Sequence[Period], unit: str, of: str) -> tuple[Period, bool]:
    """The period that is meant, and whether the desk lived the whole of it."""
    if not found:
        raise BadInput("the desk has decided on no bar yet", "start it: nightdesk up")
    wholes = [_is_whole(period, unit) for period in found]
    if of:
        of = _day_or_month(of)
        for period, complete in zip(found, wholes, strict=True):
            first, last = utc_day(period_begin(period.until_ms, unit)), utc_day(period.until_ms - 1)
            if first <= of <= last or (unit == "month" and of == first[:7]):
                return period, complete
        listed = ", ".join(utc_day(period.from_ms) for period in found[-LISTED:])
        raise BadInput(f"the desk lived no {unit} {of[:20]!r}", f"{unit}s begin on {listed}")
    finished = [period for period, whole in zip(found, wholes, strict=True) if whole]
    return (finished[-1], True) if finished else (found[-1], False)


def _day_or_month(text: str) -> str:
    """`2026-05-04` or `2026-05` as the calendar has it. Raises BadInput for anything else: 2026-02-30 is no day."""
    try:
        if DAY.fullmatch(text):
            return datetime.strptime(f"{text}{'-01' if len(text) == 7 else ''}+0000", "%Y-%m-%d%z").strftime("%Y-%m-%d")[
                : len(text)
            ]
    except ValueError:
        pass
    raise BadInput(f"{text[:20]!r} is not a day or a month", "--of 2026-05-04, or --of 2026-05 for a month")


def _is_whole(period: Period, unit: str) -> bool:
    """Whether both ends are those of the calendar."""
    begins = period_begin(period.until_ms, unit) == period.from_ms
    return begins and period_begin(period.until_ms + 1, unit) == period.until_ms


def _money(lived: WindowPnl, receipt: str) -> list[ReportFigure]:
    """P&L in its parts: net = strategies + incidents, and net = price - costs + funding, both to the cent."""
    desk = lived.attribution.desk
    amounts = [
        ("net P&L", desk.change),
        ("of the strategies", desk.change - lived.incident),
        ("in incident windows", lived.incident),
        ("price", desk.price),
        ("fees", desk.fees),
        ("slippage", desk.slippage),
        ("funding", desk.funding),
        ("unexplained", desk.unexplained),
    ]
    orphans = _orphans(lived)
    found = [ReportFigure(name, cents / 100, "usd", receipt) for name, cents in amounts if name != "unexplained" or cents]
    if orphans:
        found.append(ReportFigure("beside it, of executions that no order explains", orphans, "usd", receipt))
    began = float(lived.start.body["equity"])
    share = None if began <= 0 else (desk.change - lived.incident) / 100 / began
    return [
        *found,
        ReportFigure("return of the strategies", share, "frac", receipt, "" if began > 0 else "no equity when it began"),
    ]


def _orphans(lived: WindowPnl) -> float:
    """What executions that no order explains have made in the period: in the account's cash, in no sleeve."""
    return round(float(lived.end.body.get("orphan_pnl") or 0.0) - float(lived.start.body.get("orphan_pnl") or 0.0), 2)


def _of_days(days: Sequence[Period], lived: WindowPnl, receipt: str) -> list[ReportFigure]:
    """Drawdown and Sharpe ratio of what the strategies made a day; money of incident windows is in neither."""
    made = [day.strategy for day in days if day.strategy is not None]
    if len(made) < len(days) or not made:
        return [ReportFigure("deepest drawdown", None, "frac", receipt, "a day without figures")]
    equity = float(lived.start.body["equity"]) + np.concatenate(([0.0], np.cumsum(made)))
    fall = float(np.max(1.0 - equity / np.maximum.accumulate(equity)))
    found = [ReportFigure("deepest drawdown", fall, "frac", receipt)]
    full = [n for n, day in enumerate(days) if day.until_ms - day.from_ms == DAY_MS]
    if len(full) < DAYS_MIN:
        why = f"{len(full)} whole days; below {DAYS_MIN} a ratio has no error"
        return [*found, ReportFigure("Sharpe ratio a year", None, "ratio", receipt, why)]
    returns = np.array([made[n] / equity[n] for n in full])
    ratio, why = a_day_sharpe(returns)
    year = None if ratio is None else ratio * DAYS_A_YEAR**0.5
    error = None if ratio is None else sharpe_error(returns, ratio)
    need, none = days_to_tell(returns)
    return [
        *found,
        ReportFigure("Sharpe ratio a year", year, "ratio", receipt, why),
        ReportFigure("its standard error", None if error is None else error * DAYS_A_YEAR**0.5, "ratio", receipt, "too few days"),
        ReportFigure("days until it differs from zero", need, "days", receipt, none),
    ]


def _of_trips(trips: pl.DataFrame, apart: int, receipt: str) -> list[ReportFigure]:
    """Round trips of the strategies that closed in the period, and beside them how many were open in an incident window."""
    count = len(trips)
    found = [ReportFigure("round trips closed", count, "count", receipt)]
    if apart:
        found.append(ReportFigure("beside them, open in an incident window", apart, "count", receipt))
    if not count:
        return found
    r = trips["r"].drop_nulls()
    mean_r = float(r.sum()) / len(r) if len(r) else None
    return [
        *found,
        ReportFigure("won", float((trips["net"] > 0).sum()) / count, "frac", receipt),
        ReportFigure("mean R", mean_r, "ratio", receipt, "" if len(r) else "no trip had a planned risk"),
    ]


def _sleeves(lived: WindowPnl, trips: pl.DataFrame) -> list[dict[str, Any]]:
    """Each sleeve's change of equity and what of it was made in incident windows; both sum to the desk's to the cent."""
    shares = lived.attribution.shares
    first, last = lived.start.body["sleeves"], lived.end.body["sleeves"]
    apart = [
        (float(last[s.sleeve].get("incident") or 0.0) - float(first.get(s.sleeve, {}).get("incident") or 0.0)) * 100
        for s in shares
    ]
    rows = []
    for share, incident in zip(shares, apportion(apart, lived.incident), strict=True):
        own = trips.filter(pl.col("sleeve") == share.sleeve)
        costs = -(share.fees + share.slippage) / 100  # an attribution counts them below zero
        rows.append(
            {
                "sleeve": share.sleeve,
                "net": share.change / 100,
                "strategy": (share.change - incident) / 100,
                "incident": incident / 100,
                "costs": costs,
                "trips": len(own),
                "won": None if not len(own) else float((own["net"] > 0).sum()) / len(own),
                "few": len(own) < TRIPS_MIN,
            }
        )
    return rows


def _incidents(path: Path, period: Period) -> list[dict[str, Any]]:
    """Windows that were open in the period; their P&L is the whole window's, also where it reaches over an end."""
    return [
        {
            "id": w.id,
            "cause": w.cause,
            "opened_ms": w.opened_ms,
            "closed_ms": w.closed_ms,
            "pnl": None if w.money is None else w.money["pnl"],
            "by": w.closed_by or w.opened_by,
            "receipt": w.closed_event or w.opened_event,
        }
        for w in windows_of(path)
        if w.opened_ms <= period.until_ms and (w.closed_ms is None or w.closed_ms > period.from_ms)
    ]


def _goal_met(lived: WindowPnl, trips: int, *, whole: bool) -> dict[str, Any]:
    """The desk's standing goal: the strategies made money over a whole period, without what incidents made."""
    goal = "positive P&L from what the strategies meant to do, incident windows left out"
    if not whole:
        return {"goal": goal, "met": None, "why": "the period is not whole"}
    if trips < TRIPS_MIN:
        return {"goal": goal, "met": None, "why": f"{_trips(trips)} closed; fewer than {TRIPS_MIN} are an anecdote"}
    cents = lived.attribution.desk.change - lived.incident  # the same sum as the metric below it
    return {"goal": goal, "met": cents > 0, "why": f"{cents / 100:+,.2f} over {_trips(trips)}"}


def _trips(count: int) -> str:
    return f"{count} round trip{'s' * (count != 1)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _worked(home: Path, engine: Engine, body: Mapping[str, Any], period: Period) -> dict[str, list[str]]:
    """What worked and what did not, as sentences of figures."""
    worked, failed = list[str](), list[str]()
    for row in body["sleeves"]:
        few = f"; {_trips(row['trips'])}, too few to call it a result" if row["few"] else f" over {_trips(row['trips'])}"
        if row["strategy"] > 0:
            worked.append(f"{row['sleeve']} made {row['strategy']:+,.2f}{few}")
        elif row["strategy"] < 0:
            failed.append(f"{row['sleeve']} lost {-row['strategy']:,.2f} after {row['costs']:,.2f} of costs{few}")
    for row in body["exits"]:
        if row["trips"] >= TRIPS_MIN and row["mean_r"] is not None:
            text = f"exits by {row['key']}: {row['trips']} round trips, mean {row['mean_r']:+.2f} R"
            (worked if row["mean_r"] > 0 else failed).append(text)
    worst = min((d for d in body["days"] if d["strategy"] is not None), key=lambda d: d["strategy"], default=None)
    if worst and worst["strategy"] < 0:
        failed.append(f"the worst day was {worst['day']}: {worst['strategy']:+,.2f}")
    events = list(between(journal_of(home), period.from_ms, period.until_ms, {"breaker", "order"}))
    breakers = Counter(str(e.body["breaker"]) for e in events if e.kind == "breaker")
    failed += [f"the {name} breaker tripped {_times(count)}" for name, count in breakers.most_common(LISTED)]
    if rejected := sum(e.kind == "order" and e.body.get("state") == "rejected" for e in events):
        failed.append(f"{rejected} orders were rejected" if rejected > 1 else "an order was rejected")
    parity = last_result(home)
    if "unexplained_frac" in parity and parity["from_ms"] < period.until_ms and parity["to_ms"] > period.from_ms:
        share = float(parity["unexplained_frac"] or 0.0)
        days = f"{utc_day(parity['from_ms'])} to {utc_day(parity['to_ms'])}"
        (worked if share <= UNEXPLAINED_FRAC_MAX else failed).append(
            f"{percent_text(share)} of what moved differs from the backtest ({days})"
        )
    raised = [row for row in list_alerts(engine, limit=ALERTS_READ) if period.from_ms < row.opened_ms <= period.until_ms]
    if paged := Counter(row.kind for row in raised if row.severity == "page"):
        failed.append(
            "a person was paged: " + ", ".join(f"{_times(count)} by {kind}" for kind, count in paged.most_common(LISTED))
        )
    return {"worked": worked, "failed": failed}


def _next(engine: Engine, body: Mapping[str, Any], words: ReportWords, now_ms: int) -> list[str]:
    """What waits for a person."""
    waiting = list_proposals(engine, now_ms, "pending")
    found = [f"decide {row.id}: {row.direction} {row.sleeve}" for row in waiting[:LISTED]]
    found += [f"close incident {w['id']}: {w['cause']}" for w in body["incidents"] if w["closed_ms"] is None]
    found += [
        f"alert {row.id} is open: {shorten(row.what, ALERT_SHOWN, placeholder=' ...')}"
        for row in list_alerts(engine, "open")[:LISTED]
    ]
    found += [one.text for one in prunings(engine)[:LISTED]]
    if words.notes_waiting:
        found.append(f"read {words.notes_waiting} note{'s' * (words.notes_waiting > 1)} of the inbox: nightdesk notes list")
    if not words.goals:
        found.append("write the goals of the next period into memory/goals.md")
    return found
