"""The tools, who may call them, and the one way to call one. Called by agents/, app/cli/tool.py and MCP.

The list below is the authority: a role that is not listed for a tool cannot call it, whatever a prompt says.
`call` checks role, schema and the limits of the effect, runs the tool, and journals the call with its outcome.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from engine.errors import DeskError, Refused
from engine.redaction import redacted
from tools import (
    alerts,
    audit,
    backtests,
    calc,
    checklists,
    compare,
    counts,
    desk,
    desk_report,
    drafts,
    drift,
    drill,
    excursions,
    exposure,
    figures,
    groups,
    incidents,
    joint_risk,
    journal,
    judge,
    making,
    market,
    model_drift,
    notes,
    pair_scan,
    parity,
    pauses,
    phase,
    pnl,
    predictions,
    proposals,
    research,
    runs,
    silences,
    stored_models,
    train_model,
    upkeep,
    watches,
    weights,
)
from tools.common import limits
from tools.common.contract import ROLES, Effect, Role, Tool, ToolContext, ToolResult, cap_text, clean, marked, refused

DEVELOPER, OPERATOR, ADVISOR = ROLES
ALL = ROLES


class CatalogEntry(NamedTuple):
    """One tool with its effect and the roles that may call it."""

    tool: Tool
    effect: Effect
    roles: tuple[Role, ...]


ENTRIES: tuple[CatalogEntry, ...] = (
    CatalogEntry(desk.desk, Effect.READ, ALL),
    CatalogEntry(desk.sleeves, Effect.READ, ALL),
    CatalogEntry(desk.health, Effect.READ, ALL),
    CatalogEntry(pauses.pauses, Effect.READ, ALL),
    CatalogEntry(alerts.alerts, Effect.READ, ALL),
    CatalogEntry(alerts.runbook, Effect.READ, ALL),
    CatalogEntry(watches.watches, Effect.READ, ALL),
    CatalogEntry(audit.audit, Effect.READ, ALL),
    CatalogEntry(silences.silences, Effect.READ, ALL),
    CatalogEntry(making.making, Effect.READ, ALL),
    CatalogEntry(market.list_data, Effect.READ, ALL),
    CatalogEntry(market.list_strategies, Effect.READ, ALL),
    CatalogEntry(stored_models.models, Effect.READ, ALL),
    CatalogEntry(predictions.predictions, Effect.READ, ALL),
    CatalogEntry(runs.run, Effect.READ, ALL),
    CatalogEntry(runs.round_trip, Effect.READ, ALL),
    CatalogEntry(research.trials, Effect.READ, ALL),
    CatalogEntry(journal.journal_search, Effect.READ, ALL),
    CatalogEntry(journal.explain_event, Effect.READ, ALL),
    CatalogEntry(counts.counts, Effect.READ, ALL),
    CatalogEntry(counts.version_effect, Effect.READ, ALL),
    CatalogEntry(proposals.proposals, Effect.READ, ALL),
    CatalogEntry(notes.memory, Effect.READ, ALL),
    CatalogEntry(calc.calc, Effect.READ, ALL),
    CatalogEntry(figures.trips, Effect.READ, ALL),
    CatalogEntry(figures.performance, Effect.READ, ALL),
    CatalogEntry(pnl.pnl, Effect.READ, ALL),
    CatalogEntry(excursions.excursions, Effect.READ, ALL),
    CatalogEntry(exposure.exposure, Effect.READ, ALL),
    CatalogEntry(exposure.what_if, Effect.READ, ALL),
    CatalogEntry(exposure.worst_days, Effect.READ, ALL),
    CatalogEntry(exposure.define, Effect.READ, ALL),
    CatalogEntry(weights.weights, Effect.READ, ALL),
    CatalogEntry(phase.phase, Effect.READ, ALL),
    CatalogEntry(upkeep.upkeep, Effect.READ, ALL),
    CatalogEntry(market.market_context, Effect.READ, ALL),
    CatalogEntry(joint_risk.joint_risk, Effect.READ, ALL),
    CatalogEntry(groups.more_tools, Effect.READ, ALL),
    CatalogEntry(incidents.incidents, Effect.READ, (OPERATOR,)),
    CatalogEntry(incidents.orders, Effect.READ, (OPERATOR,)),
    CatalogEntry(checklists.checklist, Effect.READ, (OPERATOR,)),
    CatalogEntry(checklists.runbook_steps, Effect.READ, (OPERATOR,)),
    CatalogEntry(desk_report.report, Effect.READ, (ADVISOR,)),
    CatalogEntry(drafts.strategy_code, Effect.READ, (DEVELOPER,)),
    CatalogEntry(backtests.backtest, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(compare.compare, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(backtests.leaks, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(parity.parity, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(drift.drift, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(model_drift.model_drift, Effect.COMPUTE, (DEVELOPER, OPERATOR)),
    CatalogEntry(train_model.train_model, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(research.sweep, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(research.walkforward, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(judge.judge, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(pair_scan.pair_scan, Effect.COMPUTE, (DEVELOPER,)),
    CatalogEntry(desk.attribution, Effect.COMPUTE, (ADVISOR, OPERATOR)),
    CatalogEntry(desk.probe, Effect.COMPUTE, (OPERATOR,)),
    CatalogEntry(drill.drill, Effect.COMPUTE, (OPERATOR,)),
    CatalogEntry(proposals.propose_config, Effect.PROPOSE, (DEVELOPER,)),
    CatalogEntry(drafts.draft_strategy, Effect.PROPOSE, (DEVELOPER,)),
    CatalogEntry(stored_models.propose_model, Effect.PROPOSE, (DEVELOPER,)),
    CatalogEntry(proposals.propose_tightening, Effect.PROPOSE, (OPERATOR,)),
    CatalogEntry(pauses.propose_pause, Effect.PROPOSE, (OPERATOR,)),
    CatalogEntry(watches.propose_watch, Effect.PROPOSE, ALL),
    CatalogEntry(notes.note, Effect.PROPOSE, ALL),
)
TOOLS: dict[str, CatalogEntry] = {line.tool.name: line for line in ENTRIES}
assert len(TOOLS) == len(ENTRIES), "two tools share a name"  # noqa: S101 - a programmer's error
assert all(line.effect is line.tool.effect for line in ENTRIES), "effects disagree"  # noqa: S101 - the same


def tools_of(role: Role) -> list[Tool]:
    """What `role` may call, in the order of the list."""
    return [line.tool for line in ENTRIES if role in line.roles]


def roles_of(name: str) -> tuple[Role, ...]:
    """Who may call the tool `name`; empty for an unknown tool."""
    line = TOOLS.get(name)
    return line.roles if line else ()


def call(ctx: ToolContext, name: str, args: Mapping[str, Any]) -> ToolResult:
    """Call a tool for `ctx.role`. Never raises for a model's mistake: every outcome is a ToolResult.

    Order: the tool exists, the role may, the arguments fit the schema, the effect's limits hold; then it runs. Facts
    of the result are kept in `ctx.facts`. The call is journaled with role, person, thread, turn, model, arguments and outcome,
    also when it was refused or failed; a PROPOSE also before it acts. A call that cannot be journaled returns no facts.
    """
    return journaled(ctx, name, args, outcome(ctx, name, args))


def journaled(ctx: ToolContext, name: str, args: Mapping[str, Any], result: ToolResult) -> ToolResult:
    """The result of a call once it is journaled and its facts are kept; without facts when it cannot be."""
    result = cap_text(marked(result))
    try:
        ctx.record("tool", _entry(ctx, name, args, result))
    except DeskError as error:
        return ToolResult("failed", f"{clean(name, 40)}: the call could not be journaled: {error}")
    ctx.facts.update((fact.ref, fact) for fact in result.facts)
    return result


def outcome(ctx: ToolContext, name: str, args: Mapping[str, Any]) -> ToolResult:
    """What a call comes to, not journaled yet but for the request of a PROPOSE: for `call` and tools/together.py alone."""
    line = TOOLS.get(name)
    if line is None:
        there = ", ".join(line.tool.name for line in ENTRIES if ctx.role in line.roles and line.effect in ctx.effects)
        return refused(f"unknown tool {clean(name, 40)!r}; available to the {ctx.role}: {there}")
    if ctx.role not in line.roles:
        owners = " or ".join(line.roles)
        return refused(f"{name} belongs to the {owners}, not to the {ctx.role}: ask there (--role {line.roles[0]})")
    if line.effect not in ctx.effects:
        return refused(f"{name} is a {line.effect} tool, and this connection may only {' and '.join(ctx.effects)}")
    try:
        checked = line.tool.args.model_validate(dict(args))
    except ValidationError as error:
        return refused(f"{name}: {_first(error)}")
    except (TypeError, ValueError):
        return refused(f"{name}: the arguments must be a JSON object")
    try:
        reason = limits.reason_against(ctx, line.effect)
        if reason:
            return refused(reason)
        if line.effect is Effect.PROPOSE:  # what a person may have to decide on is journaled before it exists
            ctx.record("tool", _entry(ctx, name, args, ToolResult("started", "asked")))
        result = line.tool.run(ctx, checked)
    except Refused as error:
        return refused(str(error))
    except DeskError as error:
        return ToolResult("failed", f"{name}: {error}")
    except Exception as error:  # noqa: BLE001 - a model reads the outcome: no traceback, no text that may hold a secret
        return ToolResult("failed", f"{name} failed ({type(error).__name__}): this is our bug; nothing was changed")
    if line.effect is Effect.PROPOSE and result.status in ("ok", "started"):
        ctx.proposed = True
    return result


def _first(error: ValidationError) -> str:
    """The first complaint of a schema check: which argument, what is wrong with it."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "arguments"
    return f"{clean(where, 80)}: {clean(first['msg'], 160)}"


def _entry(ctx: ToolContext, name: str, args: Mapping[str, Any], result: ToolResult) -> dict[str, Any]:
    """The people journal's record of a call."""
    return {
        "tool": clean(name, 40),
        "args": limits.recordable(args),
        "role": ctx.role,
        "person": clean(ctx.person, 80),
        "thread": ctx.thread,
        "turn": ctx.turn,
        "model": clean(ctx.model, 80),
        "status": result.status,
        "outcome": redacted(clean(result.text, 200)),
        "evidence": [f"{e.kind}:{e.id}" for e in result.evidence[:20]],
        "job": result.job,
    }
