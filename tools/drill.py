"""Would it fire: every guard of the desk on a copy of it (drill, COMPUTE). Called by the catalog.

The copy trades in a job of its own; what it finds is engine.drill's report. The desk itself is only read.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Table,
    ToolContext,
    ToolResult,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.setups import submit_jobs, unfinished, wait_all

STATES = {"never_fired": "NEVER FIRED", "fired": "fired", "out_of_reach": "out of reach", "off": "off"}
ROWS_MAX = 120


class DrillArgs(Args):
    """`guard`: one by name, such as trail, daily loss, gross_frac_max; null: all."""

    guard: str | None = Field(None, max_length=60)


@tool(
    "drill",
    Effect.COMPUTE,
    asked_as(
        "",
        "would the trailing stop fire?; test the guardrails; run a drill; do the guardrails really fire?; drill the desk; "
        "would the daily loss breaker fire?; is any guard dead?; test all guardrails; would gross_frac_max fire?; would "
        "the stop fire?",
    ),
)
def drill(ctx: ToolContext, args: DrillArgs) -> ToolResult:
    """Fire every guardrail, breaker, exit path, halt and pause on a copy of the desk; which fired, which never did."""
    (job,) = submit_jobs(ctx, "drill", [{}])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    report = dict(view.result or {})
    found = [(state, one) for state in STATES for one in report.get(state, ()) if names(args.guard, one)]
    if not any(report.get(state) for state in STATES):
        return ToolResult("failed", f"the drill ended without a report (job {job}); nothing was changed")
    if not found:
        return no_data(f"no guard is called {clean(args.guard or '', 60)}; without a name the drill lists all")
    counts = {state: sum(1 for name, _ in found if name == state) for state in STATES}
    values = {state: (count, "count") for state, count in counts.items()}
    h, evidence = ctx.handle("w", f"drill {job} {args.guard}"), Evidence("job", job)
    facts = make_facts(h, f"drill of {clean(args.guard, 60)}" if args.guard else "drill of the desk", evidence, values)
    rows = tuple(
        (STATES[state], one["kind"], clean(one["name"], 60), clean(one["where"], 60), clean(one["by"], 200))
        for state, one in found
    )
    dead = ", ".join(clean(f"{one['name']} ({one['where']})", 100) for state, one in found if state == "never_fired")
    head = f"NEVER FIRED: {dead}." if dead else "Everything that is on fired."
    text = (
        f"{head} On a copy of the desk: {{{h}.fired}} fired, {{{h}.never_fired}} never, {{{h}.out_of_reach}} out of reach of the"
    )
    text += f" desk's own numbers, {{{h}.off}} off. Bars and signals were made; what computes signals was not drilled."
    table = Table(("state", "kind", "guard", "where", "by"), rows[:ROWS_MAX])
    return ToolResult("ok", text, facts, (evidence,), table, {"never_fired": counts["never_fired"], "job": job})


def names(guard: str | None, one: Mapping[str, Any]) -> bool:
    """Whether a guard of the report is meant: each word that was said begins a word of its name."""
    own = str(one["name"]).lower().replace("_", " ").split()
    return guard is None or all(any(part.startswith(word) for part in own) for word in guard.lower().replace("_", " ").split())
