"""The desk against its own backtest (COMPUTE), computed as a job. Called by the catalog."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.clock import DAY_MS, utc
from engine.errors import BadInput, DataError
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, instant, window_text
from tools.setups import submit_jobs, unfinished, wait_all

SIDES = ("desk_usd", "replay_usd", "difference_usd", "unexplained_usd")


class ParityArgs(Args):
    """`since`: 2025-03-04, yesterday, 7d, by whole UTC days; null: all days of the desk. `sleeve`: null for all of them."""

    since: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)


@tool(
    "parity",
    Effect.COMPUTE,
    asked_as(
        "",
        "does paper match the backtest?; why does live differ from the backtest?; run the parity check; does the desk "
        "match its backtest?; does the desk agree with the backtest?; how far does paper deviate from the backtest?; is "
        "parity ok?; does btc-trend match its backtest?; compare paper and backtest for eth-trend",
    ),
)
def parity(ctx: ToolContext, args: ParityArgs) -> ToolResult:
    """Replay the desk's days through the backtest: every dollar of the difference in a class (data, version, feature, signal,
    slippage, fee, funding, pauses, halts, missed, size, extra, fill price), and what nothing explains."""
    from engine.control.config import active

    if ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    if args.sleeve:
        active(ctx.engine, ctx.home).config.sleeve(args.sleeve)  # said before anything is queued
    since = instant(args.since, ctx.desk_ms) // DAY_MS * DAY_MS if args.since else None
    if since is not None and since >= ctx.desk_ms:
        raise BadInput(f"the desk has not come to {args.since} yet: its time is {utc(ctx.desk_ms)}", "name an earlier day")
    wanted = {"since": since} | ({"sleeve": args.sleeve} if args.sleeve else {})
    (job,) = submit_jobs(ctx, "parity", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    if not view.result:
        raise DataError("a finished comparison has left no result", "run it again")
    return _answer(ctx, job, view.result, args.sleeve)


def _answer(ctx: ToolContext, job: str, found: Mapping[str, Any], sleeve: str | None) -> ToolResult:
    """The report of a finished job as facts, a sentence and a table of classes."""
    moved = {name: one for name, one in found["classes"].items() if one["usd"] or one["count"]}
    values: dict[str, tuple[Value, str]] = {name: (found[name], "usd") for name in SIDES}
    values |= {"unexplained_frac": (found["unexplained_frac"], "frac"), "differing": (found["differing"], "count")}
    values |= {f"{name}_usd": (one["usd"], "usd") for name, one in moved.items() if name != "unexplained"}
    values |= {f"{name}_trips": (one["count"], "count") for name, one in moved.items()}
    subject, evidence = f"{sleeve or 'the desk'} against its backtest", Evidence("job", job)
    facts = make_facts(ctx.handle("k", job), subject, evidence, values, window_text(found["from_ms"], found["to_ms"]))
    h = facts[0].ref.partition(".")[0]
    days = f"{utc(found['from_ms'])} to {utc(found['to_ms'])}, {found['source']} bars"
    who = sleeve or "The desk"
    if moved:
        text = f"{who} made {{{h}.desk_usd}}, its backtest {{{h}.replay_usd}}: a difference of {{{h}.difference_usd}} ({days})."
    else:
        text = f"{who} did what its backtest says, to the cent: {{{h}.desk_usd}} on either side ({days})."
    alert = found["unexplained_usd"] > found["unexplained_frac_max"] * found["gross_usd"]
    text += f" Nothing explains {{{h}.unexplained_usd}} of it" + (": that is an alert." if alert else ".") if moved else ""
    rows = tuple(
        (name, f"{{{h}.{name}_usd}}", f"{{{h}.{name}_trips}}")
        for name in sorted(moved, key=lambda name: -abs(moved[name]["usd"]))
    )
    table = Table(("class", "difference", "round trips"), rows) if rows else None
    data = {"job": job, "classes": {name: one["usd"] for name, one in found["classes"].items()}, "alert": alert}
    return ToolResult("ok", text, facts, (evidence,), table, data)
