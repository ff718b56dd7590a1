"""Searches as jobs, and what they left in the ledger: sweep, walkforward (COMPUTE), trials (READ). Called by the catalog."""

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.clock import utc_day
from engine.research.grid import axes_of, base_of, grid, parse_vary
from engine.research.heads import HEADS
from engine.research.windows import length_ms
from engine.strategies.base import SHIPPED, load_strategy
from tools import runs
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
from tools.setups import SetupArgs, submit_jobs, unfinished, wait_all

SHOWN = 10  # variations, folds or trials of a table
FORWARD = {"train_sharpe": "ratio", "sharpe": "ratio", "return_frac": "frac", "hold_frac": "frac", "trips": "count"}
TRIED = {"sharpe": "ratio", "total_return_frac": "frac", "max_drawdown_frac": "frac", "trips": "count"}


class ResearchArgs(SetupArgs):
    """`vary`: `stop_atr=1,2,3` or `stop_atr=1:4:0.5` (low, high, step); one value alone sets it."""

    vary: list[Annotated[str, Field(max_length=200)]] = Field(min_length=1, max_length=12)


class SweepArgs(ResearchArgs):
    """`trials`: so many at random; null: every combination."""

    trials: int | None = Field(None, ge=1, le=5_000)


class WalkforwardArgs(ResearchArgs):
    """`train`, `test`: 60d, 12h."""

    train: str | None = Field(None, max_length=12)
    test: str | None = Field(None, max_length=12)
    edges: Literal["carry", "close"] | None = None


class TrialsArgs(Args):
    """A part of its name, or a run's id; null lists every hypothesis."""

    hypothesis: str | None = Field(None, max_length=120)


def asked_of(ctx: ToolContext, args: ResearchArgs) -> dict[str, Any]:
    """The arguments of a search as its job takes them."""
    given = parse_vary(args.vary)
    vary = {key: values for key, values in given.items() if "," in values or ":" in values}
    changes = {key: value for key, value in given.items() if key not in vary}
    if args.strategy in SHIPPED:  # a file of one's own is read by its job alone
        strategy = load_strategy(args.strategy)
        base = base_of(strategy, changes, vary)
        if getattr(args, "trials", None) is None:
            grid(strategy, base, vary)
        axes_of(strategy, vary)
    return {**args.job(ctx), "params": changes, "vary": vary}


@tool(
    "sweep",
    Effect.COMPUTE,
    asked_as(
        "",
        "sweep stop_atr from 1 to 4 on BTC for 2025; try fast 20, 30, 40 and stop 1 to 3 on eth; optimise the stop of "
        "btc-trend; sweep the stop; sweep fast 10 to 60 by 10 for trend on SOL in 2025; run a grid over stop 1 to 3 and "
        "target 2 to 6 for trend on btc 2025; optimise it; vary the target between 2 and 6 atr; sweep stop_atr=1,2,3 for "
        "reversion on SOL; tune the fast average of eth-trend; find the best parameters for trend on BTC in 2025; do a "
        "parameter sweep of the target; which stop works best for trend on BTC in 2025?; what is the best stop for trend "
        "on ETH in 2025?",
    ),
)
def sweep(ctx: ToolContext, args: SweepArgs) -> ToolResult:
    """Run every combination of some parameters: the best ones, their neighbourhood, and how much is luck."""
    wanted = {**asked_of(ctx, args), "symbols": [args.symbol.upper()]}
    wanted |= {"search": "random", "trials": args.trials} if args.trials else {}
    (job,) = submit_jobs(ctx, "sweep", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done" or view.result is None:
        return unfinished(view)
    found, handle = view.result, ctx.handle("s", job)
    evidence, subject = Evidence("job", job), clean(f"sweep of {view.result['hypothesis']}", 160)
    values: dict[str, tuple[Value, str]] = {name: (found[name], "count") for name in ("variations", "new_trials", "failed_count")}
    values |= {"luck_sharpe": (found["luck_sharpe"], "ratio"), "pbo": (found["pbo"], "frac")}
    facts = [*make_facts(handle, subject, evidence, values), *place_facts(handle, subject, evidence, found["best"])]
    keys, rows = list(found["varied"]), list[tuple[Value, ...]]()
    for n, row in enumerate(found["rows"][:SHOWN]):
        label = ", ".join(f"{key} {value}" for key, value in zip(keys, row, strict=False))
        own = dict(zip(TRIED, row[len(keys) :], strict=False))
        made = make_facts(f"{handle}v{n + 1}", f"{subject}, {label}", evidence, {k: (v, TRIED[k]) for k, v in own.items()})
        facts += made
        rows.append((label, *(f"{{{fact.ref}}}" for fact in made)))
    first, last = utc_day(found["first_ms"]), utc_day(found["last_ms"])
    text = f"{found['verdict']} {{{handle}.variations}} variations on {found['source']} bars, {first} to {last}, "
    text += f"{{{handle}.new_trials}} of them new trials."
    if found["failed"]:
        text += f" {{{handle}.failed_count}} failed, the first: {found['failed'][0]['error']}."
    table = Table(("variation", *map(HEADS.__getitem__, TRIED)), tuple(rows))
    return ToolResult(
        "ok",
        clean(text, 1_500),
        tuple(facts),
        (evidence,),
        table,
        {"job": job, "hypothesis": found["hypothesis"], "heat": found["heat"]},
    )


def place_facts(handle: str, subject: str, evidence: Evidence, best: Any) -> tuple[Fact, ...]:
    """What is left of the best variation after so many tries."""
    if not best:
        return ()
    trial = best["trial"]
    values: dict[str, tuple[Value, str]] = {name: (best[name], unit) for name, unit in TRIED.items()}
    values |= {"deflated_sharpe": (trial["deflated_sharpe"], "ratio"), "trial": (trial["number"], "count")}
    values |= {"trials": (trial["trials"], "count"), "plateau": (trial["plateau_score"], "ratio")}
    return make_facts(f"{handle}best", f"best variation of the {subject}", evidence, values)


@tool(
    "walkforward",
    Effect.COMPUTE,
    asked_as(
        "",
        "walk it forward; walk trend forward on ETH over 2025; run a walk-forward of trend on BTC for 2025; does it hold "
        "up out of sample?; test it out of sample; walk btc-trend forward over stop 1 to 3; do a walkforward with fast 20 "
        "to 60 by 20 on SOL; how does it do out of sample?; walk it forward with stop_atr=1,2,3; is it profitable out of "
        "sample?",
    ),
)
def walkforward(ctx: ToolContext, args: WalkforwardArgs) -> ToolResult:
    """Choose parameters on each fold's past (60d), trade what comes next (5d): the out-of-sample result by fold."""
    more = {"train": args.train, "test": args.test, "edges": args.edges}
    for name in ("train", "test"):
        if more[name] is not None:
            length_ms(str(more[name]), name)
    wanted = {**asked_of(ctx, args), "symbol": args.symbol.upper(), **{k: v for k, v in more.items() if v is not None}}
    (job,) = submit_jobs(ctx, "walkforward", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done" or view.result is None:
        return unfinished(view)
    found, handle = view.result, ctx.handle("w", job)
    evidence, subject = Evidence("job", job), clean(f"walk-forward of {found['hypothesis']}", 160)
    figures, folds = found["metrics"], found["summary"]
    values: dict[str, tuple[Value, str]] = {name: (figures[name], unit) for name, unit in runs.METRICS.items() if name in figures}
    values |= {name: (folds[name], "count") for name in ("folds", "won", "better_than_hold")}
    values |= {name: (folds[name], "frac") for name in ("median_return_frac", "worst_return_frac")}
    values |= {"train_sharpe": (folds["mean_train_sharpe"], "ratio"), "variations": (found["variations"], "count")}
    values |= {"deflated_sharpe": (found["trial"]["deflated_sharpe"], "ratio")}
    facts = list(make_facts(handle, subject, evidence, values))
    at, rows = {name: found["columns"].index(name) for name in found["columns"]}, list[tuple[Value, ...]]()
    for row in found["rows"][-SHOWN:]:
        label = f"{row[at['test_from']]} to {row[at['test_to']]}"
        own = {name: (row[at[name]], unit) for name, unit in FORWARD.items()}
        made = make_facts(f"{handle}f{row[0]}", f"{subject}, fold {row[0]}", evidence, own, label)
        facts += made
        chosen = ", ".join(f"{key} {row[at[key]]}" for key in found["varied"])
        rows.append((label, chosen, *(f"{{{fact.ref}}}" for fact in made)))
    left_out = len(found["rows"]) - len(rows)
    text = f"{found['verdict']} {found['audit']['text']}. {found['edges_text'].capitalize()}. {found['days_text']}."
    text += f" {found['not_counted'].capitalize()}." if found["not_counted"] else ""
    text += f" The table has the last {len(rows)} folds." if left_out > 0 else ""
    table = Table(("test window", "chosen", *map(HEADS.__getitem__, FORWARD)), tuple(rows))
    return ToolResult("ok", clean(text, 1_500), tuple(facts), (evidence,), table, {"job": job, "hypothesis": found["hypothesis"]})


@tool(
    "trials",
    Effect.READ,
    asked_as(
        "",
        "is that overfit?; what is the deflated Sharpe of what we tried; show the trials of trend on BTC; which "
        "hypotheses have we tried?; is it curve fitted?; is this just data mining?; list the variants of trend on eth; is "
        "trend on BTC overfit?; show the trial ledger; deflated Sharpe of trend on BTC; how many variants have we tried "
        "on BTC; how many trials so far?; how many settings of trend did we test?; how many variants were tried?",
    ),
)
def trials(ctx: ToolContext, args: TrialsArgs) -> ToolResult:
    """What anybody tried of a hypothesis, and what is left of the best after so many tries: the deflated Sharpe ratio."""
    from engine.research.ledger import hypothesis_report, place_of_run
    from engine.research.sweep_report import luck_of
    from engine.store.trials import hypotheses

    name = args.hypothesis
    if name and name.startswith("r-"):
        place = place_of_run(ctx.engine, name)
        if place is None:
            return no_data(f"run {clean(name, 60)} is in no ledger: it was made before the ledger began, or never here")
        name = place.hypothesis
    found = hypotheses(ctx.engine, SHOWN)
    if not found:
        return no_data("nothing has been tried yet: a backtest or a sweep is the first trial")
    if not name:
        rows = tuple((clean(one.name, 120), one.trials, utc_day(one.last_ms)) for one in found)
        return ToolResult("ok", "What has been tried, last first.", table=Table(("hypothesis", "trials", "last"), rows))
    report = hypothesis_report(ctx.engine, name, SHOWN)
    best, subject = report["best"], clean(report["hypothesis"], 160)
    handle, evidence = ctx.handle("h", report["hypothesis"]), Evidence("calc", clean(report["hypothesis"], 120))
    values: dict[str, tuple[Value, str]] = {"trials": (report["trials"], "count"), "best_trial": (best["number"], "count")}
    values |= {"best_sharpe": (best["sharpe"], "ratio"), "deflated_sharpe": (best["deflated_sharpe"], "ratio")}
    facts = list(make_facts(handle, subject, evidence, values))
    lines = list[tuple[Value, ...]]()
    for row in report["rows"]:
        own = {name: (value, unit) for (name, unit), value in zip(TRIED.items(), row[1:5], strict=True)}
        made = make_facts(f"{handle}t{row[0]}", f"{subject}, variant {row[0]}", evidence, own)
        facts += made
        lines.append((row[0], *(f"{{{fact.ref}}}" for fact in made), row[5], row[6], row[7], clean(row[9], 80)))
    word, *why = luck_of(best)
    text = f"{word}: {{{handle}.trials}} trials of {subject}; the best is variant {{{handle}.best_trial}} with Sharpe "
    text += f"{{{handle}.best_sharpe}}, deflated Sharpe {{{handle}.deflated_sharpe}}; plateau {best['plateau']}."
    text = " ".join([text, *why])
    columns = ("variant", *map(HEADS.__getitem__, TRIED), "from", "to", "source", "parameters")
    return ToolResult("ok", clean(text, 1_500), tuple(facts), (evidence,), Table(columns, tuple(lines)))
