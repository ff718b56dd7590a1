"""Stored runs as named facts: run and round_trip (READ), and what backtests.py and proposals.py say about a run.

engine.store.runs owns a run's folder; here its JSON becomes facts, its daily equity daily returns, and a round trip a
sentence. How long a run traded is engine.sim.life's word. Called by the catalog, tools/backtests.py and tools/proposals.py.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from engine.clock import utc
from engine.errors import BadInput
from engine.sim.life import beyond, beyond_text, life_of
from engine.sim.naming import run_name
from engine.sim.stamps import stamps
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
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

# metric of a run's JSON -> unit of its fact; metrics missing from a run are left out
METRICS = {
    "total_return_frac": "frac",
    "net_profit": "usd",
    "cagr_frac": "frac",
    "sharpe": "ratio",
    "sharpe_low": "ratio",
    "sharpe_high": "ratio",
    "sortino": "ratio",
    "calmar": "ratio",
    "max_drawdown_frac": "frac",
    "max_drawdown": "usd",
    "recovery_factor": "ratio",
    "sharpe_adjusted": "ratio",
    "autocorrelation": "ratio",
    "psr": "frac",
    "var_95_frac": "frac",
    "es_95_frac": "frac",
    "worst_day_frac": "frac",
    "under_water_frac": "frac",
    "under_water_days": "days",
    "win_rate": "frac",
    "trades": "count",
    "open_trades": "count",
    "exposure_frac": "frac",
    "turnover": "ratio",
    "fees": "usd",
    "slippage": "usd",
    "funding": "usd",
    "traded": "usd",
    "days": "days",
}
TRIP = {
    "units": "base",
    "entry_ms": "ms",
    "exit_ms": "ms",
    "bars": "bars",
    "entry_price": "price",
    "exit_price": "price",
    "gross": "usd",
    "slippage": "usd",
    "fees": "usd",
    "funding": "usd",
    "net": "usd",
    "r": "ratio",
}
OF_ONE = ("units", "entry_price", "exit_price")  # what a pair of a basket has of each leg instead
LEGS = {"entry": "price", "exit": "price", "net": "usd"}
LATEST = 15


class RunArgs(Args):
    """A run's id; null lists the latest runs."""

    run_id: str | None = Field(None, max_length=80)


class RoundTripArgs(Args):
    """number: of a round trip of the run from 1, or the worst or best by net P&L."""

    run_id: str = Field(max_length=80)
    number: int | Literal["worst", "best"] = "worst"


def store(ctx: ToolContext) -> Any:
    """The run store of the context's home."""
    from engine.store.runs import Runs

    return Runs(ctx.home / "runs", ctx.engine)


def stored(ctx: ToolContext, run_id: str) -> dict[str, Any]:
    """A stored run's JSON with its place among all trials up to now."""
    from engine.research.ledger import as_of_now

    return as_of_now(ctx.engine, store(ctx).load(run_id))


def facts_of(ctx: ToolContext, run: Mapping[str, Any], subject: str | None = None) -> tuple[Fact, ...]:
    """Every figure of a run as facts of its handle (r1, r2, ...); an undefined one has the value None."""
    data, scenarios = run["data"], run["scenarios"]
    values: dict[str, tuple[Value, str]] = {
        name: (run["metrics"][name], unit) for name, unit in METRICS.items() if name in run["metrics"]
    }
    values["optimistic_return_frac"] = (scenarios["optimistic"], "frac")
    values["ambiguous_bars"] = (scenarios["ambiguous_bars"], "bars")
    values["bars"] = (data["bars"], "bars")
    values["first"] = (data["first_ms"], "ms")
    values["last"] = (data["last_ms"], "ms")
    if (life := life_of(run)).text:
        values["traded_days"], values["span_days"] = (life.traded_days, "days"), (life.days, "days")
        values |= {} if life.stopped_ms is None else {"stopped": (life.stopped_ms, "ms")}
    if ahead := beyond(run, ctx.desk_ms):
        values["days_not_lived"] = (ahead, "days")
    return make_facts(handle_of(ctx, run), subject or subject_of(run), Evidence("run", run["run_id"]), values)


def handle_of(ctx: ToolContext, run: Mapping[str, Any]) -> str:
    """The run's short name in this thread."""
    return ctx.handle("r", run["run_id"])


def subject_of(run: Mapping[str, Any]) -> str:
    """What the run is about: `trend on binance BTC-USDT 15m`."""
    return clean(run_name(run), 200)


def headline(ctx: ToolContext, run: Mapping[str, Any], subject: str | None = None) -> str:
    """The run in two sentences, numbers as references; the look-ahead verdict comes first."""
    h = handle_of(ctx, run)
    about, data = subject or subject_of(run), run["data"]
    lines = [f"{clean(text, 400)}." for text in stamps(run)]
    lines += [
        f"{looks_ahead(run)}{about}, {utc(data['first_ms'])} to {utc(data['last_ms'])}, {data['source']} bars, "
        f"{run['fills']} fills, funding {run['funding']}: return {{{h}.total_return_frac}} "
        f"(optimistic {{{h}.optimistic_return_frac}}), Sharpe {{{h}.sharpe}}, largest drawdown {{{h}.max_drawdown_frac}}, "
        f"{{{h}.trades}} round trips, fees {{{h}.fees}}, run {run['run_id']}."
    ]
    life = life_of(run)
    lines += [f"{life.text[:1].upper()}{life.text[1:]}."] if life.ends else []
    if ahead := beyond_text(beyond(run, ctx.desk_ms)):
        lines.append(f"The span {ahead}.")
    undefined = {name: why for name, why in (run["metrics"].get("undefined") or {}).items() if name in METRICS}
    if undefined:
        lines.append("Undefined: " + "; ".join(f"{name} ({why})" for name, why in list(undefined.items())[:6]) + ".")
    notes = [note for note in run.get("notes", []) if note != life.text and not note.startswith(("LEAKS", "LIMITS"))]
    lines += [f"Note: {clean(note, 200)}." for note in notes[:5]]
    return " ".join(lines)


def looks_ahead(run: Mapping[str, Any]) -> str:
    """The verdict of the look-ahead check, if it was run: a run that looks ahead is not evidence."""
    found = run.get("leaks")
    if not found:
        return ""
    from engine.sim.leaks import verdict

    text = clean(found.get("text", ""), 300)
    if not (line := verdict(found)):
        return f"No look-ahead found: {text}. "
    ahead = found.get("looks_ahead", True)
    return f"IT LOOKS AHEAD, {text}: the figures are meaningless. " if ahead else f"{line}: {text}. "


@tool(
    "run",
    Effect.READ,
    asked_as(
        "",
        "show me run r-20261120-1a2b3c4d; what was the sharpe of r1?; results of the last backtest; open the last run; "
        "how did run r1 do?; details of run r2 please; metrics of r1; what did r-20261120-1a2b3c4d return?; show me the "
        "last backtest result; what did the last backtest return?; sharpe of the last run; drawdown of r1; metrics of the "
        "latest backtest",
    ),
    asked_as(
        "list",
        "list the latest runs; which backtests have we run so far; show previous runs; what runs do we have; show me all "
        "backtests so far; what have we tested so far?",
    ),
)
def run(ctx: ToolContext, args: RunArgs) -> ToolResult:
    """Read a stored run: configuration, data, metrics; without an id, list the latest runs."""
    if args.run_id is None:
        return _latest(ctx)
    found = stored(ctx, args.run_id)
    facts = facts_of(ctx, found)
    rows = tuple((fact.metric, f"{{{fact.ref}}}") for fact in facts)
    data = {
        "run_id": found["run_id"],
        "sleeves": found["sleeves"],
        "timeframe": found["timeframe"],
        "data": {k: found["data"][k] for k in ("source", "files", "sha256", "first_ms", "last_ms") if k in found["data"]},
        "journal_hash": found["journal_hash"],
    }
    evidence = (Evidence("run", found["run_id"]),)
    return ToolResult("ok", headline(ctx, found), facts, evidence, Table(("metric", "value"), rows), data)


def _latest(ctx: ToolContext) -> ToolResult:
    """The latest runs, one row each."""
    found = store(ctx).latest(LATEST)
    if not found:
        return no_data("no runs are stored yet; the developer's backtest creates one")
    facts: list[Fact] = []
    rows = []
    for row in found:
        handle = ctx.handle("r", row["id"])
        subject = clean(f"{row['strategy']} on {row['symbol']} {row['timeframe']}", 120)
        kept = {name: (row[name], METRICS[name]) for name in METRICS if name in row}
        facts += make_facts(handle, subject, Evidence("run", row["id"]), kept)
        window = [utc(row[end])[:10] if row.get(end) is not None else "" for end in ("first_ms", "last_ms")]
        rows.append((row["id"], subject, *window, utc(row["created_ms"]), *(f"{{{handle}.{name}}}" for name in kept)))
    columns = ("run", "about", "first", "last", "made", *(name for name in METRICS if name in found[0]))
    evidence = tuple(Evidence("run", row["id"]) for row in found)
    return ToolResult("ok", f"The latest {len(found)} runs.", tuple(facts), evidence, Table(columns, tuple(rows)))


@tool(
    "round_trip",
    Effect.READ,
    asked_as(
        "",
        "explain the worst round trip of r1; why did trade 3 of r1 close?; walk me through the best trade of the last "
        "run; show the biggest loser of the last run; what happened in trade #7 of the last backtest?; why did the worst "
        "trade lose money?; explain round trip 12 of r1; trade 5 of r1; what went wrong in the worst trade of r1?",
    ),
)
def round_trip(ctx: ToolContext, args: RoundTripArgs) -> ToolResult:
    """Read one round trip of a stored run: entry, exit, costs, the rule that closed it."""
    trips = store(ctx).frame(args.run_id, "trips")
    if trips.is_empty():
        return no_data(f"run {args.run_id} has no round trips")
    if isinstance(args.number, int):
        if not 1 <= args.number <= len(trips):
            raise BadInput(f"run {args.run_id} has no round trip {args.number}", f"choose 1 to {len(trips)}")
        row = trips.row(args.number - 1, named=True)
    else:
        row = trips.sort("net", descending=args.number == "best", nulls_last=True).row(0, named=True)
    identity = f"{args.run_id}/{row['trip']}"
    handle = ctx.handle("t", identity)
    subject = f"round trip {row['trip']} of {row['sleeve']}, {row['side']}"
    units, ends = TRIP, [f"{{{handle}.{end}_price}}" for end in ("entry", "exit")]
    if "entry_a" in row:
        of_legs = {f"{name}_{leg}": unit for leg in "ab" for name, unit in LEGS.items()}
        units = {name: unit for name, unit in TRIP.items() if name not in OF_ONE} | of_legs
        ends = [" and ".join(f"{row[leg]} {{{handle}.{end}_{leg}}}" for leg in "ab") for end in ("entry", "exit")]
    facts = make_facts(handle, subject, Evidence("run", args.run_id), {k: (row[k], u) for k, u in units.items() if k in row})
    text = (
        f"{subject}: entered {{{handle}.entry_ms}} at {ends[0]}, exited {{{handle}.exit_ms}} at "
        f"{ends[1]} by {row['reason']}; {{{handle}.gross}} before costs, slippage {{{handle}.slippage}}, fees "
        f"{{{handle}.fees}}, funding {{{handle}.funding}}, net {{{handle}.net}}. Details: nightdesk journal explain {identity}"
    )
    rows = tuple((fact.metric, f"{{{fact.ref}}}") for fact in facts)
    return ToolResult("ok", text, facts, (Evidence("run", args.run_id),), Table(("what", "value"), rows), {"trip": identity})
