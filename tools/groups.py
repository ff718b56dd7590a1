"""Which tools a model is shown: a core of each role in every request, the rest in groups that more_tools opens (READ).

Read by agents/offers.py, which counts what the schemas cost. What a role may call is tools/catalog.py's alone: a group shows, it
grants nothing.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from tools.common.contract import Args, Effect, Role, ToolContext, ToolResult, tool

Group = Literal[
    "journal",
    "trades",
    "excursions",
    "money",
    "risk",
    "watch",
    "changes",
    "data",
    "research",
    "pairs",
    "checks",
    "drafts",
    "audit",
    "models",
    "memory",
]
GROUPS: Mapping[str, tuple[str, ...]] = {
    "journal": ("journal_search", "explain_event", "counts"),
    "trades": ("trips", "performance", "round_trip"),
    "excursions": ("excursions", "market_context", "joint_risk"),
    "money": ("pnl", "attribution", "version_effect", "report", "weights", "phase"),
    "risk": ("exposure", "what_if", "worst_days", "define"),
    "watch": (
        "health",
        "alerts",
        "runbook",
        "watches",
        "probe",
        "drill",
        "incidents",
        "orders",
        "checklist",
        "runbook_steps",
    ),
    "changes": ("proposals", "propose_config", "propose_tightening", "propose_pause", "pauses"),
    "data": ("list_data", "list_strategies", "run", "backtest", "compare", "trials", "predictions"),
    "research": ("sweep", "walkforward"),
    "pairs": ("pair_scan",),
    "checks": ("judge", "leaks", "parity"),
    "drafts": ("strategy_code", "draft_strategy"),
    "audit": ("audit", "drift", "silences", "making"),
    "models": ("model_drift", "models", "train_model", "propose_model"),
    "memory": ("memory", "note", "calc", "propose_watch", "upkeep"),
}
CORE: Mapping[Role, tuple[str, ...]] = {
    "developer": ("desk", "sleeves", "list_strategies", "run", "backtest", "compare", "propose_config", "note"),
    "operator": ("desk", "sleeves", "health", "alerts", "journal_search", "explain_event", "proposals", "propose_pause"),
    "advisor": ("desk", "sleeves", "pnl", "trips", "attribution", "exposure", "journal_search", "note"),
}


class GroupArgs(Args):
    """The group to open."""

    group: Group


@tool("more_tools", Effect.READ)
def more_tools(ctx: ToolContext, args: GroupArgs) -> ToolResult:
    """Further tools. journal: search, count; trades: trips, performance; money: P&L, attribution, versions, weights;
    excursions: MAE, stops; risk: exposure, what if; watch: health, alerts, runbooks, drill, incidents; changes: proposals;
    data: bars, runs; research: sweeps; checks: verdicts, leaks; drafts: code; audit: drift, silences, makers; memory:
    notes, backups."""
    text = f"Shown from the next step on, as far as the {ctx.role} may call them: {', '.join(GROUPS[args.group])}."
    return ToolResult("ok", text, data={"group": args.group})


assert set(GROUPS) == set(get_args(Group)), "a group is named twice over"  # noqa: S101 - a programmer's error
