"""Backtests of one strategy, run as jobs: backtest, leaks (COMPUTE). Called by the catalog."""

from pydantic import Field

from engine.clock import Timeframe
from tools import runs
from tools.common.contract import Args, Effect, Evidence, Table, ToolContext, ToolResult, asked_as, clean, make_facts, tool
from tools.setups import (
    ParamChange,
    SetupArgs,
    label_of,
    named_setup,
    runs_of,
    span_of,
    submit_jobs,
    unfinished,
    values_of,
    wait_all,
)


class BacktestArgs(SetupArgs):
    """`start`, `end` (exclusive): 2025, 2025-03 or 2025-03-04; null: all bars. `changes` set parameters."""

    changes: list[ParamChange] = Field(default_factory=list, max_length=30)


class LeaksArgs(Args):
    """The strategy to check and, optionally, the bars to check it on."""

    strategy: str = Field(max_length=60)
    symbol: str | None = Field(None, max_length=30)
    timeframe: Timeframe = "15m"
    venue: str | None = Field(None, max_length=20)


@tool(
    "backtest",
    Effect.COMPUTE,
    asked_as(
        "",
        "backtest trend on BTC-USDT 15m for 2025; how did trend do on ETH in March 2025?; what would reversion have made "
        "on SOL-USDT in 2025?; run trend on btc for last year; simulate reversion sol-usdt 5m 2025; how profitable was "
        "trend on btc last year; trend btc 15m 2025; how would reversion have done on SOL in Q3 2025?; what's the track "
        "record of reversion on ETH this year; can I get numbers for trend on BTC with a 30 bar fast average in 2024?; "
        "take trend for a spin on SOL; how would trend have fared on sol in may 2025?; what return would trend on eth "
        "give for 2024?; check trend on btc with stop 3 for march; make a test of trend on solana with a stop of 3 atr; "
        "what sharpe does reversion have on sol over q3 2025?",
    ),
)
def backtest(ctx: ToolContext, args: BacktestArgs) -> ToolResult:
    """Run a strategy over recorded bars and report its metrics, with the optimistic scenario beside the pessimistic one
    and, for a person's own strategy, the look-ahead check."""
    setup = named_setup(args.strategy, args.symbol, args.timeframe, args.venue)
    params = values_of(args.changes)
    setup = setup.having(label_of(params) or "defaults", params)
    done = runs_of(ctx, [setup], span_of(ctx, args.start, args.end), args.costs())
    if done.instead:
        return done.instead
    (run,) = done.runs
    subject = runs.subject_of(run) + (f", {label_of(params)}" if params else "")
    facts = runs.facts_of(ctx, run, subject)
    rows = tuple((fact.metric, f"{{{fact.ref}}}") for fact in facts)
    evidence = (Evidence("run", run["run_id"]),)
    data = {"run_id": run["run_id"], "source": run["data"]["source"], "strategy": args.strategy, "changes": params}
    return ToolResult("ok", runs.headline(ctx, run, subject), facts, evidence, Table(("metric", "value"), rows), data)


@tool(
    "leaks",
    Effect.COMPUTE,
    asked_as(
        "",
        "does trend look ahead?; check my_strategy for leaks; is reversion free of lookahead bias?; is the reversion "
        "strategy using future data?; does my strategy peek into the future?; prove that trend isn't cheating; sanity "
        "check: does reversion use information from the future?; is trend causal?; run the lookahead check on trend; "
        "check my_strat for leakage; does my strategy have lookahead?; verify that no look-ahead is in my_strat; make "
        "sure reversion has no lookahead; does trend know the future?; is trend honest?; does trend cheat?",
    ),
)
def leaks(ctx: ToolContext, args: LeaksArgs) -> ToolResult:
    """Check a strategy for look-ahead bias: its values, recomputed on prefixes of the bars, must be bit-identical."""
    setup = named_setup(args.strategy, args.symbol or "BTC-USDT", args.timeframe, args.venue)
    (job,) = submit_jobs(ctx, "leaks", [{**setup.sleeve, "timeframe": setup.timeframe}])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    found = dict(view.result or {})
    values = {"checked": (found.get("checked"), "count"), "bar": (found.get("bar") if not found.get("clean") else None, "bars")}
    subject = f"look-ahead check of {args.strategy}"
    facts = make_facts(ctx.handle("k", job), subject, Evidence("job", job), values)
    text = f"{args.strategy}: {clean(found.get('text', 'no report'), 400)}."
    return ToolResult("ok", text, facts, (Evidence("job", job),), data={"clean": bool(found.get("clean")), "job": job})
