"""Stored models: which there are and who reads them (READ), another version for a sleeve (PROPOSE). Called by the catalog.

The proposal is one of the sleeve's configuration like any other, with both runs as evidence; engine.control adds the gates and
the table of the two versions, and refuses one that its gates stop, here and again when a person applies it.
"""

from typing import TYPE_CHECKING

from pydantic import Field

from engine.clock import utc
from engine.control.canary import plan_of, standard
from engine.errors import BadInput, DeskError
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
from tools.proposals import propose_change
from tools.setups import lived_span

if TYPE_CHECKING:
    from engine.control.model_registry import RegisteredModel

FIGURES = ("value", "low", "high", "baseline_value")
SHOWN = 20  # versions of a table


class ModelsArgs(Args):
    """`model`: a name (vol-btc), or NAME@VERSION for its card; `sleeve`: those that it reads; null: all."""

    model: str | None = Field(None, max_length=60)
    sleeve: str | None = Field(None, max_length=60)


class ProposeModelArgs(Args):
    """`model`: NAME@VERSION (vol-btc@1.2.0) that the sleeve would read; `rationale` for the person; `canary`: 25% for 10 trips
    unless said, none."""

    sleeve: str = Field(max_length=60)
    model: str = Field(max_length=60)
    rationale: str = Field(max_length=1000)
    canary: str | None = Field(None, max_length=40)


@tool("models", Effect.READ)
def models(ctx: ToolContext, args: ModelsArgs) -> ToolResult:
    """Models trained on bars: each version's state (champion with its sleeves, retired, draft, refused), figure out of sample,
    hardest baseline, gates. One version: also set beside the champion."""
    from engine.control.config import active
    from engine.control.model_registry import registered

    listed = registered(ctx.engine, ctx.home)
    name, _, version = (args.model or "").partition("@")
    if version:
        return _one(ctx, listed, name, version)
    found = [one for one in listed if name in ("", one.name)]
    if args.sleeve:
        active(ctx.engine, ctx.home).config.sleeve(args.sleeve)  # BadInput with the list of names
        found = [one for one in found if args.sleeve in one.sleeves]
    if not found:
        there = ", ".join(dict.fromkeys(one.name for one in listed)) or "none: nightdesk models train CONFIG.toml makes them"
        return no_data(f"{clean(args.sleeve or args.model or 'the desk', 60)}: no stored model; stored: {there}")
    facts: tuple[Fact, ...] = ()
    rows = list[tuple[Value, ...]]()
    for one in found[:SHOWN]:
        own = _facts(ctx, one)
        facts += own
        refs = {fact.metric: f"{{{fact.ref}}}" for fact in own}
        figure = f"{one.figure} {refs['value']} ({refs['low']} to {refs['high']})" if one.value is not None else "-"
        beside = f"{one.baseline} {refs['baseline_value']}" if one.baseline_value is not None else "-"
        state = f"{one.state} since {utc(one.since_ms)}" if one.since_ms is not None else one.state
        rows.append((one.text, state, ", ".join(one.sleeves) or "-", one.target or "-", figure, beside, one.error or one.gates))
    champions = [f"{', '.join(one.sleeves)} reads {one.text} ({one.gates})" for one in found if one.sleeves]
    text = f"{len(found)} stored versions, the newest of each model first. {'. '.join(champions) or 'No sleeve reads one'}."
    columns = ("model", "state", "read by", "predicts", "out of sample", "hardest baseline", "gates")
    evidence = tuple(Evidence("desk", one.text) for one in found[:SHOWN])
    return ToolResult("ok", clean(text, 1_500), facts, evidence, Table(columns, tuple(rows)), {"models": [o.text for o in found]})


def _facts(ctx: ToolContext, one: "RegisteredModel") -> tuple[Fact, ...]:
    values: dict[str, tuple[Value, str]] = {name: (getattr(one, name), "ratio") for name in FIGURES}
    values |= {"rows": (one.rows, "count"), "state": (one.state, "text")}
    return make_facts(ctx.handle("m", one.text), f"model {one.text}", Evidence("desk", one.text), values)


def _one(ctx: ToolContext, listed: "list[RegisteredModel]", name: str, version: str) -> ToolResult:
    """A version with its gates, beside the champion of its name where there is another."""
    from engine.control.model_evidence import PROPOSED, compared
    from engine.control.model_registry import registered_one
    from engine.models import gates

    one, summary = registered_one(ctx.engine, ctx.home, name, version)
    champion = next((other for other in listed if other.name == name and other.sleeves and other.version != version), None)
    beside = None
    if champion is not None and champion.state != "damaged":
        try:
            beside = registered_one(ctx.engine, ctx.home, name, champion.version)[1]
        except DeskError:  # it was damaged meanwhile
            beside = None
    found = compared(summary, beside)
    facts = _facts(ctx, one) + (_facts(ctx, champion) if champion is not None and beside is not None else ())
    read = f", read by {', '.join(one.sleeves)}" if one.sleeves else ""
    text = f"{one.text}: {one.state}{read}; {found['gates']}."
    handle = ctx.handle("m", one.text)
    text += f" {one.figure} {{{handle}.value}} on {{{handle}.rows}} rows." if one.figure else ""
    stopped = [f"{gate.name}: {gate.text}" for gate in gates.stopped_by(summary.metrics, summary.about["label"])]
    text += " ".join(["", *(f"{part}." for part in [*stopped, *found["differs"]])])
    columns = [column.removesuffix(f" ({PROPOSED})") for column in found["columns"]]  # nobody proposes it here
    rows = tuple((label, *cells) for label, *cells in found["rows"])
    return ToolResult("ok", clean(text, 3_000), facts, (Evidence("desk", one.text),), Table(("", *columns), rows))


@tool("propose_model", Effect.PROPOSE)
def propose_model(ctx: ToolContext, args: ProposeModelArgs) -> ToolResult:
    """Propose that a sleeve reads another version of a model, only when the person asks to propose or promote it. Refused when
    a gate failed. Must be the last call of a turn."""
    name, at, version = args.model.partition("@")
    if not (name and at and version):
        raise BadInput(f"{clean(args.model, 60)!r} is not a model with its version", "write vol-btc@1.2.0")
    wanted = {args.sleeve: {"models": f"{name}={version}"}}
    plan = standard() if args.canary is None else plan_of(args.canary)
    return propose_change(ctx, wanted, args.rationale, lived_span(ctx, None, None), canary=plan)
