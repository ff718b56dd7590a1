"""Backtest, paper, shadow and live of a sleeve in dollars by cause (drift, COMPUTE), computed as a job. Called by the catalog.

Other homes come from desk.toml alone ([drift]): a model names no folder.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.clock import DAY_MS, utc
from engine.errors import BadInput, DataError
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, instant, window_text
from tools.setups import submit_jobs, unfinished, wait_all

PAIRS_MAX = 12


class DriftArgs(Args):
    """`since`: 2025-03-04, 7d; null: all days. `sleeve`: null for all."""

    since: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)


@tool("drift", Effect.COMPUTE)
def drift(ctx: ToolContext, args: DriftArgs) -> ToolResult:
    """Backtest, paper, shadow and live of a sleeve, each pair in dollars by cause; whether one is worse and since when."""
    from engine.control.config import active

    if ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    if args.sleeve:
        active(ctx.engine, ctx.home).config.sleeve(args.sleeve)  # said before anything is queued
    since = instant(args.since, ctx.desk_ms) // DAY_MS * DAY_MS if args.since else None
    if since is not None and since >= ctx.desk_ms:
        raise BadInput(f"the desk has not come to {args.since} yet: its time is {utc(ctx.desk_ms)}", "name an earlier day")
    wanted = {"since": since} | ({"sleeve": args.sleeve} if args.sleeve else {})
    (job,) = submit_jobs(ctx, "desk_drift", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    if not view.result or "pairs" not in view.result:
        raise DataError("a finished comparison has left no result", "run it again")
    return _answer(ctx, job, view.result)


def _answer(ctx: ToolContext, job: str, found: Mapping[str, Any]) -> ToolResult:
    """The pairs as facts, a sentence each, and a table of causes."""
    evidence, span = Evidence("job", job), window_text(found["from_ms"], found["to_ms"])
    facts: list[Fact] = []
    rows: list[tuple[Value, ...]] = []
    lines = [f"Over {utc(found['from_ms'])} to {utc(found['to_ms'])}, {clean(found['source'], 40)} bars:"]
    for pair in found["pairs"][:PAIRS_MAX]:
        named = f"{clean(pair['sleeve'], 60)}, {pair['one']} and {pair['other']}"
        h, stats = ctx.handle("k", f"{job} {named}"), pair["worse"]
        moved = {cause: usd for cause, usd in pair["causes"].items() if usd}
        values: dict[str, tuple[Value, str]] = {key: (pair[key], "usd") for key in ("one_usd", "other_usd", "difference_usd")}
        values |= {f"{cause}_usd": (usd, "usd") for cause, usd in moved.items()}
        values |= {f"{key}_a_trip": (stats[key], "usd") for key in ("mean", "low", "high") if stats[key] is not None}
        values |= {"trips": (stats["trips"], "count")} | ({"needed": (stats["needed"], "count")} if stats["needed"] else {})
        values |= {"changed": (stats["since_ms"], "ms")} if stats["since_ms"] is not None else {}
        facts += make_facts(h, named, evidence, values, span)
        first = f", first {pair['first_cause']} {{{h}.{pair['first_cause']}_usd}}" if moved else ""
        text = f"{named}: {{{h}.one_usd}} and {{{h}.other_usd}}, a difference of {{{h}.difference_usd}}{first}; "
        text += str(stats["verdict"])
        text += f", {{{h}.needed}} round trips would show it" if stats["needed"] and stats["verdict"] == "not known yet" else ""
        lines.append(text + (f", changed at {{{h}.changed}}." if stats["since_ms"] is not None else "."))
        rows += [(named, cause, f"{{{h}.{cause}_usd}}") for cause in moved]
    table = Table(("sleeve and sides", "cause", "dollars"), tuple(rows)) if rows else None
    return ToolResult("ok", "\n".join(lines), tuple(facts), (evidence,), table, {"job": job})
