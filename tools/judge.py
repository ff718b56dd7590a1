"""Whether a strategy is worth paper: its early-kill page as a job (judge, COMPUTE). Called by the catalog.

The page is engine.research.kill's; here its checks become facts, a verdict and a table of one row a check.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from engine.clock import utc_day
from engine.errors import DataError
from engine.research.grid import parse_vary
from engine.research.kill.limits import BOUND, BY_NAME, Form, Limit
from tools.common.contract import (
    Effect,
    Evidence,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    tool,
)
from tools.setups import SetupArgs, full_params, label_of, submit_jobs, unfinished, wait_all

WORD = {"kill": "KILL", "weak": "WEAK: not killed, and not worth paper yet", "paper": "WORTH PAPER"}
UNITS: Mapping[Form, str] = {"percent": "frac", "share": "frac", "ratio": "ratio", "bps": "bps", "count": "count"}
REASONS_MAX = 6  # of the checks that did not pass, named before the table


class JudgeArgs(SetupArgs):
    """`fixed`: stop_atr=2."""

    fixed: list[Annotated[str, Field(max_length=80)]] = Field(default_factory=list, max_length=30)


@tool(
    "judge",
    Effect.COMPUTE,
    asked_as(
        "",
        "is trend on BTC worth paper?; kill it or keep it?; judge trend on btc for 2025; should we kill reversion on "
        "SOL?; what if fees double?; is btc-trend worth paper trading?; what if the costs were twice as high?; judge it; "
        "is trend on eth ready for paper?; give me the verdict on trend on BTC for 2025; is it worth paper?; would it "
        "survive twice the costs?; what if the costs tripled?; what if fees were halved?",
    ),
)
def judge(ctx: ToolContext, args: JudgeArgs) -> ToolResult:
    """Kill, weak or worth paper: costs x2, delays, other symbols and times, random entries, neighbours, luck."""
    params = parse_vary(args.fixed)
    full_params({"strategy": args.strategy, "params": params})  # a value out of bounds: said before anything is queued
    wanted: dict[str, Any] = {**args.job(ctx), "symbol": args.symbol.upper(), "params": params}
    (job,) = submit_jobs(ctx, "judge", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    if not view.result or "verdict" not in view.result:
        raise DataError("a finished judgement has left no result", "run it again")
    return _answer(ctx, job, view.result, params)


def _answer(ctx: ToolContext, job: str, found: Mapping[str, Any], params: Mapping[str, Any]) -> ToolResult:
    """The page of a finished job as a verdict, facts and a table of its checks."""
    run_id, handle = found.get("run_id"), ctx.handle("g", job)
    about = f"{found['strategy']} on {found['instrument']} {found['timeframe']}" + (f", {label_of(params)}" if params else "")
    subject, evidence = clean(f"judgement of {about}", 160), Evidence("job", job)
    checks: Sequence[Mapping[str, Any]] = found["checks"]
    values: dict[str, tuple[Value, str]] = {}
    for check in checks:
        unit = UNITS[BY_NAME[check["name"]].form]
        values |= {check["name"]: (check["value"], unit), f"{check['name']}_limit": (check["limit"], unit)}
    values |= _of_page(found)
    facts = make_facts(handle, subject, evidence, values)
    failed = [check for check in checks if not check["passed"]]
    named = [check for check in failed if check["kills"]] or failed
    reasons = "; ".join(_reason(handle, check) for check in named[:REASONS_MAX])
    more = f"; and {len(named) - REASONS_MAX} more below" if len(named) > REASONS_MAX else ""
    text = f"{WORD[found['verdict']]}, {clean(about, 160)}. "
    text += (
        f"{'What kills it' if named and named[0]['kills'] else 'What does not pass'}: {reasons}{more}."
        if named
        else "Every check passes."
    )
    text += _page_text(handle, found)
    table = Table(("check", "passed", "value", "limit"), tuple(_row(handle, check) for check in checks))
    receipts = (evidence, Evidence("run", run_id)) if run_id else (evidence,)
    data = {"job": job, "run_id": run_id, "verdict": found["verdict"], "failed": [check["name"] for check in failed]}
    return ToolResult("ok", clean(text, 2_500), facts, receipts, table, {k: v for k, v in data.items() if v is not None})


def _of_page(found: Mapping[str, Any]) -> dict[str, tuple[Value, str]]:
    """Of the page behind the checks: the return at other costs, and the trials that luck is counted over."""
    if not found.get("page"):
        return {}
    values: dict[str, tuple[Value, str]] = {
        f"costs_times_{cost_name(one)}": (one["net_frac"], "frac") for one in found["page"]["costs"]
    }
    best = found["page"]["deflated"]
    return values | {"trials": (best["trials"], "count"), "luck_sharpe": (best["benchmark"], "ratio")}


def cost_name(cost: Mapping[str, Any]) -> str:
    """`half`, `1`, `2`: part of a fact's name."""
    return "half" if cost["times"] == 0.5 else f"{cost['times']:g}".replace(".", "_")


def _page_text(handle: str, found: Mapping[str, Any]) -> str:
    """Further sentences: what it returns at other costs, on which bars, after how many trials."""
    if not found.get("page"):
        return " It looks ahead, so nothing else was run."
    costs = "; ".join(f"costs x{one['times']:g} {{{handle}.costs_times_{cost_name(one)}}}" for one in found["page"]["costs"])
    data = found["data"]
    days = f"{utc_day(data['first_ms'])} to {utc_day(data['last_ms'])}, {data['source']} bars"
    text = f" Return at other costs: {costs}. {{{handle}.trials}} settings of the hypothesis were tried by now ({days})."
    return text + f" Limits are conventions; base run {found['run_id']}."


def _reason(handle: str, check: Mapping[str, Any]) -> str:
    """A check that does not pass, with its value and its limit."""
    limit: Limit = BY_NAME[check["name"]]
    if check["value"] is None:
        return f"{limit.what} is undefined ({clean(check['reason'], 120)})"
    return f"{limit.what} {{{handle}.{limit.name}}}, {BOUND[limit.rule]} {{{handle}.{limit.name}_limit}} is {limit.word}"


def _row(handle: str, check: Mapping[str, Any]) -> tuple[Value, ...]:
    """A line of the table: what is checked, whether it holds, its value, its limit."""
    limit = BY_NAME[check["name"]]
    undefined = check["value"] is None
    word = "yes" if check["passed"] else "KILLS" if check["kills"] else "undefined" if undefined else "no"
    value = clean(check["reason"], 120) if undefined else f"{{{handle}.{limit.name}}}"
    return limit.name.replace("_", " "), word, value, f"{BOUND[limit.rule]} {{{handle}.{limit.name}_limit}}"
