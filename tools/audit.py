"""The last audit of the desk's sleeves (audit, READ). Called by the catalog.

It reads what the weekly look, or `nightdesk audit`, has kept; nothing is audited while a model waits.
"""

from typing import Literal

from pydantic import Field

from engine.clock import utc
from engine.watch.audit_status import last_audit
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

STATES = {"fails": "FAILS", "cannot_say": "cannot say", "holds": "holds", "does_not_apply": "does not apply"}
ROWS_MAX = 60


class AuditArgs(Args):
    """`sleeve`, `dimension`: null for all."""

    sleeve: str | None = Field(None, max_length=60)
    dimension: Literal["data", "training", "backtest", "live"] | None = None


@tool(
    "audit",
    Effect.READ,
    asked_as(
        "",
        "what does the audit say?; audit the desk; show the last audit; which audit points fail?; did the audit pass?; "
        "audit of the training; what can the audit not say?",
    ),
)
def audit(ctx: ToolContext, args: AuditArgs) -> ToolResult:
    """The last four-dimension audit of each sleeve (data, training, backtest, live): what fails, what cannot be said, why."""
    last = last_audit(ctx.home)
    if not last:
        return no_data("no audit was made yet: nightdesk audit makes one, and the supervisor makes one each week")
    found = [
        line for line in last["points"] if args.sleeve in (None, line["sleeve"]) and args.dimension in (None, line["dimension"])
    ]
    if not found:
        return no_data(f"the last audit has no point of {clean(args.sleeve or '', 60)}")
    when = utc(int(last["wall_ms"]))
    evidence = Evidence("data", "cache/audit.json")
    h = ctx.handle("u", f"audit {last['wall_ms']} {args.sleeve} {args.dimension}")
    counts = {state: (sum(line["state"] == state for line in found), "count") for state in STATES}
    facts = make_facts(h, f"audit of {clean(args.sleeve or 'every sleeve', 60)}", evidence, counts)
    bad = [line for line in found if line["state"] in ("fails", "cannot_say")][:ROWS_MAX]
    rows = tuple((STATES[line["state"]], line["name"], clean(line["sleeve"], 60), clean(line["why"], 200)) for line in bad)
    failing = ", ".join(dict.fromkeys(line["name"] for line in bad if line["state"] == "fails"))
    text = f"Audit of {when}: {{{h}.fails}} points fail{f' ({failing})' if failing else ''}, {{{h}.cannot_say}} cannot be said, "
    text += f"which is not a pass, {{{h}.holds}} hold, {{{h}.does_not_apply}} do not apply."
    return ToolResult("ok", text, facts, (evidence,), Table(("state", "point", "sleeve", "why"), rows))
