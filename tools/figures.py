"""Figures of a run or of the desk, asked alike: trips, performance, pnl (READ). Called by the catalog.

`subject` is a run's id, or `desk`. The figures are engine.sim.breakdown's, engine.sim.metrics' and engine.watch.periods'; here
they become facts with their receipts: the run, or the journal's last mark.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import Field, model_validator

from engine.clock import DAY_MS, utc
from engine.errors import BadInput, DataError
from engine.sim import versus
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.split_words import first_and_last, which_apart
from tools.common.time_words import NEVER_RAN, instant, window_text
from tools.runs import TRIP, store
from tools.trip_facts import below_peak, by_group, in_order, of_length, trip_facts, window_of

DESK = "desk"
By = Literal[
    "exit", "side", "hour", "daypart", "weekday", "weekend", "month", "symbol", "sleeve", "version", "regime", "prediction"
]
Side = Literal["long", "short"]
Exit = Literal["stop", "target", "trail", "fade", "halt", "signal", "time", "reversal", "adopted", "liquidation", "open"]
SPLIT = {"trips": "count", "wins": "count", "win_frac": "frac", "net": "usd", "fees": "usd", "funding": "usd", "slippage": "usd"}
SPLIT |= {"mean_r": "ratio", "median_hold_ms": "duration_ms"}
OF_MODEL = {"regime": "state", "prediction": "predicted"}  # columns of desk trips, by the split
DAYS_MAX = 4000
LISTED = ("net", "r", "entry_ms", "exit_ms", "fees", "funding", "slippage")
LISTED_MAX = 60


class TripsArgs(Args):
    """subject: a run's id or desk. by: split; worst/best: so many; listed: each. The others narrow (held: <4h, >30m)."""

    subject: str = Field(DESK, max_length=80)
    by: By | None = None
    worst: int | None = Field(None, ge=1, le=20)
    best: int | None = Field(None, ge=1, le=20)
    listed: Literal["newest", "longest", "shortest"] | None = None
    held: str | None = Field(None, max_length=9)
    sleeve: str | None = Field(None, max_length=60)
    side: Side | None = None
    exit: Exit | None = None
    outcome: Literal["winners", "losers"] | None = None
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)

    @model_validator(mode="after")
    def one_table(self) -> "TripsArgs":
        """One call gives one table: a split, the worst, or the best."""
        if sum(part is not None for part in (self.by, self.worst, self.best, self.listed)) > 1:
            raise ValueError("by, worst, best and listed are four tables: ask for one at a time")
        return self


class SubjectArgs(Args):
    """subject: a run's id, or desk."""

    subject: str = Field(DESK, max_length=80)


@tool(
    "trips",
    Effect.READ,
    asked_as(
        "",
        "split my trades by weekday; how do longs do against shorts?; hit rate of longs on btc; win rate by exit; trades "
        "by exit path; what is our hit rate?; how long do we hold trades?; average R of the shorts; which exits cost the "
        "most?; average win against average loss; which side earns more?; do stops or trails end most trades?; number of "
        "trades per sleeve; how long do winners run?; is the hit rate of longs different from that of shorts?; longest "
        "loss streak of btc; profit factor; ratio of winners to losers; mean R of btc; which hours are the worst?; how "
        "did the shorts do this week?; best hour to trade btc; median holding time of losers; how long do trades last?; "
        "p&l by weekday; are longs worse than shorts?; how do weekends do?; did shorts make more than longs?; what were "
        "the 5 worst trades?; best trades of the week; the three worst trades of eth in november; biggest losers; worst "
        "trade of november; top 3 trades of eth; show the biggest loss of btc; the 10 best trades; how many trades did we "
        "make this week?; how many stops were hit since monday?; how many shorts in november?; how many trades a day do "
        "we do?; how many losing trades yesterday?; are we taking too many trades?; how many trades did btc do in "
        "november?; how many of those were winners?; how many trades hit the target?; how many trades did we do today?; "
        "what is the expectancy of our trades?",
    ),
)
def trips(ctx: ToolContext, args: TripsArgs) -> ToolResult:
    """Round trips of a run or the desk: split, worst, best or each: hit rate, P&L, R, holding time."""
    from engine.sim.breakdown import extremes, groups_apart, split

    found, evidence, apart = trips_of(ctx, args)
    if found is None or found.is_empty():
        inside = " but for those that were open in an incident window" if apart else ""
        return no_data(f"no round trips of {args.subject}{narrowed(args)}{inside}" if found is not None else NEVER_RAN)
    label = f"{args.subject} {args.model_dump_json(exclude_none=True)}"
    whole = split(found.with_columns(sleeve=found["side"].replace_strict({"long": "all", "short": "all"})), "sleeve")
    h = ctx.handle("k", label)
    values: dict[str, tuple[Value, str]] = {name: (whole.row(0, named=True).get(name), unit) for name, unit in SPLIT.items()}
    values["open"] = (found["exit_ms"].null_count(), "count")
    values |= {IN_INCIDENTS: (apart, "count")} if apart else {}
    window = window_of(ctx, args.subject, args.since, args.until)
    values |= trip_facts(found, window)
    facts = list(make_facts(h, f"round trips of {args.subject}", evidence, values))
    rate = f"hit rate {{{h}.win_frac}}, profit factor {{{h}.profit_factor}}, "
    streak = f", longest streak {{{h}.loss_streak}} losses, {{{h}.win_streak}} wins"
    rate, streak = ("", "") if args.outcome else (rate, streak)  # of winners alone they say nothing
    text = (
        f"{{{h}.trips}} round trips of {args.subject}{bars_of(ctx, args.subject)}{narrowed(args)}, {{{h}.open}} open: net "
        f"{{{h}.net}}, mean {{{h}.mean_net}} and {{{h}.mean_r}} R, {rate}median holding time {{{h}.median_hold_ms}}"
        f"{streak}.{left_out(h, apart)}"
    )
    first = found["entry_ms"].min()
    if args.subject == DESK and args.since and first - instant(args.since, ctx.desk_ms) > LATER_MS:
        facts += make_facts(h, f"round trips of {args.subject}", evidence, {"first": (first, "ms")})
        text += f" The first of them was entered {{{h}.first}}: the desk has none before."
    if args.by in ("regime", "prediction") and (read := found.height - found[OF_MODEL[args.by]].null_count()) < found.height:
        facts += make_facts(h, f"round trips of {args.subject}", evidence, {"read": (read, "count")})
        text += f" Of these {{{h}.read}} were entered by a decision that had read such a model; the others are apart."
    n = args.worst or args.best
    names: tuple[str, ...]
    if n is not None or args.listed:
        chosen, columns, names = (
            in_order(found, args.listed).head(LISTED_MAX)
            if args.listed
            else extremes(found, n or 1, worst=args.worst is not None),
            (*LISTED, "held_ms", "units", "entry_price", "exit_price", "risk") if args.listed else tuple(LISTED),
            ("trip", "sleeve", "side", "reason"),
        )
        units = {**TRIP, "held_ms": "duration_ms", "risk": "usd"}
    else:
        chosen, names = split(found, args.by or "exit"), ("key",)
        columns = tuple(name for name in SPLIT if not (args.outcome and name in ("wins", "win_frac")))
        units = SPLIT
    apart_of = groups_apart(found, args.by) if args.by and args.by not in BY_OUTCOME else {}
    more_of = dict(by_group(found, args.by, window)) if args.by else {}
    rows = []
    for row in chosen.to_dicts():
        own = ctx.handle("k", f"{label} {row[names[0]]}")
        kept = {name: (row[name], units[name]) for name in columns if name in row}
        beside = _usd(apart_of[row["key"]]) if row.get("key") in apart_of else {}
        facts += make_facts(own, f"{args.by} {row[names[0]]} of {args.subject} less the others", evidence, beside)
        more = {name: value for name, value in more_of.get(str(row[names[0]]), {}).items() if name not in kept}
        facts += make_facts(own, f"{args.by or 'round trip'} {row[names[0]]} of {args.subject}", evidence, kept | more)
        rows.append((*(str(row[name]) for name in names), *(f"{{{own}.{name}}}" for name in kept)))
    heads = (args.by or "exit",) if names == ("key",) else names
    if args.listed and found.height > len(rows):
        text += f" The table has {len(rows)} of them, {args.listed} first."
    table = Table((*heads, *(name for name in columns if name in chosen.columns)), tuple(rows))
    if args.by:
        text = f"{first_and_last(table, chosen['net'].to_list(), facts)}{text}{which_apart(args.by, apart_of)}"
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"subject": args.subject})


BY_OUTCOME = ("exit", "prediction")  # groups that are made by how a trip went, or of more than one model


def _usd(apart: Any) -> dict[str, tuple[Value, str]]:
    """What a group makes a round trip less what the others make, with its interval."""
    return {f"apart{name}": (getattr(apart, name.strip("_") or "mean"), "usd") for name in ("", "_low", "_high")}


LATER_MS = 7 * DAY_MS  # after the beginning of a window: said, since it may be asked for a time that the desk has not lived


def narrowed(args: TripsArgs) -> str:
    """What the question narrows the round trips to, in words."""
    parts = (
        args.sleeve,
        args.side and f"{args.side} only",
        args.exit and f"ended by {args.exit}",
        args.outcome and f"{args.outcome} only",
        args.held and f"held {args.held}",
        args.since and f"entered since {args.since}",
        args.until and f"entered before {args.until}",
    )
    return "".join(f", {part}" for part in parts if part)


def bars_of(ctx: ToolContext, subject: str) -> str:
    """On which bars a run was made: ` (recorded bars)`; of the desk the answer's own last line says it."""
    return "" if subject == DESK else f" ({clean(store(ctx).load(subject)['data']['source'], 20)} bars)"


IN_INCIDENTS = "in_incidents"  # the fact: round trips that are left out


def left_out(handle: str, apart: int) -> str:
    """That round trips of incident windows are not among these, by the handle of their count; "" where there were none."""
    return f" {{{handle}.{IN_INCIDENTS}}} more were open in an incident window and are left out: no strategy made them." * (
        apart > 0
    )


def trips_of(ctx: ToolContext, args: TripsArgs, of_desk: Callable[[Path], Any] | None = None) -> tuple[Any, Evidence, int]:
    """The subject's round trips, narrowed, and how many more the desk has that were open in an incident window; (None, ...) for a
    desk without a bar. of_desk: desk_trips or a wider frame."""
    from engine.watch.desk_trips import desk_trips, outside_incidents

    if args.subject != DESK:
        return _narrowed(ctx, args, store(ctx).frame(args.subject, "trips")), receipt_of(ctx, args.subject), 0
    if ctx.desk_ms is None:
        return None, receipt_of(ctx, DESK), 0
    every = _narrowed(ctx, args, (of_desk or desk_trips)(ctx.home))
    found = outside_incidents(ctx.home, every)
    return found, receipt_of(ctx, DESK), every.height - found.height


def _narrowed(ctx: ToolContext, args: TripsArgs, found: Any) -> Any:
    """The trips that the question is about. Raises BadInput for a sleeve without one."""
    import polars as pl

    if args.sleeve is not None:
        from engine.watch.desk_trips import of_sleeve

        of_desk = args.subject == DESK
        own = of_sleeve(ctx.home, found, args.sleeve) if of_desk else found.filter(pl.col("sleeve") == args.sleeve)
        if own.is_empty():
            there = ", ".join(found["sleeve"].unique().sort())
            raise BadInput(f"no round trip of a sleeve {args.sleeve!r}", f"available: {there}")
        found = own
    for column, wanted in (("side", args.side), ("reason", args.exit)):
        found = found if wanted is None else found.filter(pl.col(column) == wanted)
    if args.outcome is not None:
        found = found.filter(
            pl.col("net") > 0 if args.outcome == "winners" else pl.col("net") <= 0, pl.col("exit_ms").is_not_null()
        )
    found = of_length(found, args.held) if args.held else found
    if args.since:
        found = found.filter(pl.col("entry_ms") >= instant(args.since, ctx.desk_ms))
    if args.until:
        found = found.filter(pl.col("entry_ms") < instant(args.until, ctx.desk_ms))
    return found


def receipt_of(ctx: ToolContext, subject: str) -> Evidence:
    """Where the subject's figures come from: the run, or the desk's last mark."""
    from engine.watch.window import journal_of, mark_at

    if subject != DESK:
        return Evidence("run", subject)
    mark = mark_at(journal_of(ctx.home))
    return Evidence("desk", "journal") if mark is None else Evidence("event", mark.id)


@tool(
    "performance",
    Effect.READ,
    asked_as(
        "",
        "what is the sharpe of the desk?; when was the deepest drawdown and how long did it last?; how deep was the worst "
        "drawdown?; when did we recover from the drawdown?; return since the start; is this luck or skill?; do we beat "
        "buy and hold?; confidence interval of the sharpe; longest drawdown; how volatile are our returns?; biggest "
        "drawdown of the desk; is that enough trades to say that it works?; are the results statistically significant?; "
        "annualised return please; how many more days until it is significant?",
    ),
)
def performance(ctx: ToolContext, args: SubjectArgs) -> ToolResult:
    """Return and Sharpe of a run or the desk with its interval, days to tell it from zero, drawdowns, holding the same."""
    from engine.sim.breakdown import drawdowns
    from engine.sim.excursions import HOLD_ASSUMPTIONS

    evidence = receipt_of(ctx, args.subject)
    close_ms, equity, returns = _curve(ctx, args.subject)
    if len(equity) < 2:
        return no_data(NEVER_RAN if args.subject == DESK else f"run {args.subject} has no equity curve")
    h = ctx.handle("q", args.subject)
    values: dict[str, tuple[Value, str]] = {"return_frac": (float(equity[-1] / equity[0] - 1.0), "frac")}
    values |= {"first": (int(close_ms[0]), "ms"), "last": (int(close_ms[-1]), "ms"), "whole_days": (len(returns), "days")}
    values |= below_peak(close_ms, equity)
    sharpe, why = _sharpe(returns)
    values |= {name: (value, "days" if name == "days_needed" else "ratio") for name, value in sharpe.items()}
    values |= _of_days(returns)
    held = _hold_return(ctx, args.subject)
    values |= {} if held is None else {"hold_return_frac": (held, "frac")}
    span = window_text(int(close_ms[0]), int(close_ms[-1]))
    facts = list(make_facts(h, f"performance of {args.subject}", evidence, values, span))
    rows: list[tuple[Value, ...]] = []
    for n, fall in enumerate(drawdowns(close_ms, equity, 5), 1):
        own = ctx.handle("w", f"{args.subject} {fall.peak_ms}")
        lasted = (fall.recovered_ms or int(close_ms[-1])) - fall.peak_ms
        of_fall: dict[str, tuple[Value, str]] = {"depth_frac": (fall.depth_frac, "frac"), "depth": (fall.depth, "usd")}
        of_fall |= {"peak": (fall.peak_ms, "ms"), "trough": (fall.trough_ms, "ms"), "recovered": (fall.recovered_ms, "ms")}
        of_fall["lasted_ms"] = (lasted, "duration_ms")
        facts += make_facts(own, f"drawdown {n} of {args.subject}", evidence, of_fall)
        end = f"{{{own}.recovered}}" if fall.recovered_ms else "not recovered"
        rows.append(
            (n, *(f"{{{own}.{name}}}" for name in ("depth_frac", "depth", "peak", "trough")), end, f"{{{own}.lasted_ms}}")
        )
    text = f"{args.subject}{bars_of(ctx, args.subject)}: return {{{h}.return_frac}} from {{{h}.first}} to {{{h}.last}}, "
    text += f"now {{{h}.below_frac}} ({{{h}.below}}) below the peak of {{{h}.peak}}, " if values["below"][0] else ""
    text += why or (
        f"Sharpe {{{h}.sharpe}}, 95 % interval {{{h}.sharpe_low}} to {{{h}.sharpe_high}} ({{{h}.whole_days}}). "
        + _apart(h, sharpe)
    )
    if args.subject == DESK and (apart := _in_incidents(ctx)):
        facts += make_facts(h, "performance of desk", evidence, {"in_incidents": (apart, "usd")}, span)
        text += f" {{{h}.in_incidents}} made in incident windows are left out."
    text += "" if held is None else f" Holding the same instruments: {{{h}.hold_return_frac}} ({HOLD_ASSUMPTIONS})."
    if args.subject == DESK:
        text += " Drawdowns of the desk are measured at midnights, UTC."
    table = Table(("drawdown", "depth", "money", "peak", "trough", "recovered", "lasted"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table if rows else None, {"subject": args.subject})


def _of_days(returns: list[float]) -> dict[str, tuple[Value, str]]:
    """The mean return of a whole day with its 95 % interval, how far days spread, the worst and the best of them."""
    if len(returns) < 3:
        return {}
    middle, spread = fmean(returns), stdev(returns)
    wide = 1.96 * spread / len(returns) ** 0.5
    named = {"day_mean": middle, "day_low": middle - wide, "day_high": middle + wide, "day_spread": spread}
    return {name: (value, "frac") for name, value in (named | {"day_worst": min(returns), "day_best": max(returns)}).items()}


def _hold_return(ctx: ToolContext, subject: str) -> float | None:
    """What holding the same instruments returned over the same bars; None for a run that was stored without it."""
    if subject == DESK:
        from engine.watch.benchmark import desk_hold_line

        return desk_hold_line(ctx.home, 2).return_frac
    run, frame = store(ctx).load(subject), store(ctx).frame(subject, "equity")
    if "hold" not in frame.columns or frame.is_empty():
        return None
    return float(frame["hold"][-1] / run["cash"] - 1.0)


def _in_incidents(ctx: ToolContext) -> float:
    """What the desk has made in incident windows so far; 0 where there was none."""
    from engine.watch.incidents import incident_of
    from engine.watch.window import journal_of, mark_at

    mark = mark_at(journal_of(ctx.home))
    return 0.0 if mark is None else incident_of(mark.body)


def _apart(h: str, sharpe: dict[str, float | None]) -> str:
    """Whether the ratio can be told from zero, and after how many days it could."""
    low, high = sharpe["sharpe_low"], sharpe["sharpe_high"]
    if low is None or high is None:
        return ""
    if low > 0.0 or high < 0.0:
        return "It is told apart from zero."
    return f"It cannot be told from zero: at this ratio that takes about {{{h}.days_needed}}."


def _curve(ctx: ToolContext, subject: str) -> tuple[Any, Any, list[float]]:
    """(close_ms, equity, returns of whole UTC days) of a run, or of the desk at its midnights and its last mark."""
    import numpy as np

    from engine.watch.periods import periods
    from engine.watch.window import first_mark, journal_of

    if subject != DESK:
        run, frame = store(ctx).load(subject), store(ctx).frame(subject, "equity")
        return frame["close_ms"].to_numpy(), frame["equity"].to_numpy(), versus.daily_returns(store(ctx), run)
    first, days = first_mark(journal_of(ctx.home)), periods(ctx.home, "day", None, DAYS_MAX)
    if first is None or not days:
        return np.empty(0, np.int64), np.empty(0), []
    changes = [day.strategy for day in days if day.strategy is not None]  # what was made in incidents is no strategy's
    if len(changes) < len(days):
        unknown = next(utc(day.from_ms) for day in days if day.strategy is None)
        raise DataError(f"the desk journal does not say what the day from {unknown} made", "`nightdesk journal verify`")
    equity = float(first.body["equity"]) + np.cumsum([0.0, *changes])
    whole = [n for n, day in enumerate(days) if day.until_ms - day.from_ms == DAY_MS]
    returns = [float(equity[n + 1] / equity[n] - 1.0) for n in whole if equity[n] > 0]
    return np.array([days[0].from_ms, *(day.until_ms for day in days)], np.int64), equity, returns


def _sharpe(returns: list[float]) -> tuple[dict[str, float | None], str]:
    """Sharpe ratio, its interval, and the days until an interval of this ratio leaves zero out; or why there is none."""
    import numpy as np

    from engine.sim.metrics import RunFigures, days_to_tell, sharpe_figures

    found, series = RunFigures(), np.array(returns)
    sharpe_figures(found, series)
    values = {name: found.values[name] for name in ("sharpe", "sharpe_low", "sharpe_high", "psr")}
    if values["sharpe"] is None:
        return values | {"days_needed": None}, f"Sharpe undefined: {found.undefined['sharpe']}."
    why = "" if values["sharpe_low"] is not None else f"no interval of the Sharpe ratio: {found.undefined['sharpe_low']}."
    return values | {"days_needed": days_to_tell(series)[0]}, why
