"""Stored models: which there are and who reads them (READ), another version for a sleeve (PROPOSE). Called by the catalog.

The proposal is one of the sleeve's configuration like any other, with both runs as evidence; engine.control adds the gates and
the table of the two versions, and refuses one that its gates stop, here and again when a person applies it.
"""

from typing import TYPE_CHECKING

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

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
    asked_as,
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
    """`model`: a name (vol-btc), or NAME@VERSION for its card; `beside`: another version set beside it; `gates`: each gate with
    its figures, the leak check among them; `sleeve`: those that it reads; null: all."""

    model: str | None = Field(None, max_length=60)
    sleeve: str | None = Field(None, max_length=60)
    beside: str | None = Field(None, max_length=20)
    gates: bool = False


class ProposeModelArgs(Args):
    """`model`: NAME@VERSION (vol-btc@1.2.0) that the sleeve would read; `rationale` for the person."""

    sleeve: str = Field(max_length=60)
    model: str = Field(max_length=60)
    rationale: str = Field(max_length=1000)
    canary: SkipJsonSchema[str | None] = Field(None, max_length=40)  # typed by people; not shown to models: no token is left


@tool(
    "models",
    Effect.READ,
    asked_as(
        "",
        "which models do we have?; is vol-btc any good?; which model version does btc-vol read and since when?; does vol-btc "
        "beat its baselines?; who approved the model of btc-vol?; model registry; which sleeves use machine learning?",
    ),
    asked_as("gates", "why was vol-btc refused?; did vol-btc pass its gates?; does the model leak?; is vol-btc promotable?"),
)
def models(ctx: ToolContext, args: ModelsArgs) -> ToolResult:
    """Models trained on bars: each version's state (champion with its sleeves, retired, draft, refused), figure out of sample,
    hardest baseline, gates. One version: also set beside the champion."""
    from engine.control.config import active
    from engine.control.model_registry import registered

    listed = registered(ctx.engine, ctx.home)
    name, _, version = (args.model or "").partition("@")
    if args.gates and name and not version:
        version = _in_force(listed, name)
    if version:
        return _gates(ctx, name, version) if args.gates else _one(ctx, listed, name, version, args.beside)
    found = [one for one in listed if name in ("", one.name)]
    if args.sleeve:
        active(ctx.engine, ctx.home).config.sleeve(args.sleeve)  # BadInput with the list of names
        found = [one for one in found if args.sleeve in one.sleeves]
    if not found:
        there = ", ".join(dict.fromkeys(one.name for one in listed)) or "none: nightdesk models train CONFIG.toml makes them"
        return no_data(f"{clean(args.sleeve or args.model or 'the desk', 60)}: no stored model; stored: {there}")
    from engine.watch.shadow_journal import running

    facts: tuple[Fact, ...] = ()
    rows, shadows = list[tuple[Value, ...]](), running(ctx.home)
    for one in found[:SHOWN]:
        own = _facts(ctx, one)
        facts += own
        refs = {fact.metric: f"{{{fact.ref}}}" for fact in own}
        figure = f"{one.figure} {refs['value']} ({refs['low']} to {refs['high']})" if one.value is not None else "-"
        beside = f"{one.baseline} {refs['baseline_value']}" if one.baseline_value is not None else "-"
        state = f"{one.state} since {utc(one.since_ms)}" if one.since_ms is not None else one.state
        state += f" (shadow of {shadows[one.text][0]})" if one.text in shadows else ""
        rows.append((one.text, state, ", ".join(one.sleeves) or "-", one.target or "-", figure, beside, one.error or one.gates))
    champions = [f"{', '.join(one.sleeves)} reads {one.text}{_since(one)} ({one.gates})" for one in found if one.sleeves]
    text = f"{len(found)} stored versions, the newest of each model first. {'. '.join(champions) or 'No sleeve reads one'}."
    columns = ("model", "state", "read by", "predicts", "out of sample", "hardest baseline", "gates")
    evidence = tuple(Evidence("desk", one.text) for one in found[:SHOWN])
    return ToolResult("ok", clean(text, 1_500), facts, evidence, Table(columns, tuple(rows)), {"models": [o.text for o in found]})


def _facts(ctx: ToolContext, one: "RegisteredModel") -> tuple[Fact, ...]:
    values: dict[str, tuple[Value, str]] = {name: (getattr(one, name), "ratio") for name in FIGURES}
    values |= {"rows": (one.rows, "count"), "state": (one.state, "text")}
    return make_facts(ctx.handle("m", one.text), f"model {one.text}", Evidence("desk", one.text), values)


def _since(one: "RegisteredModel") -> str:
    """Since when a champion is read, and who decided that; empty for one of desk.toml, before version 1."""
    return f" since {utc(one.since_ms)}, by {clean(one.by, 80) or 'desk.toml'}" if one.since_ms is not None else ""


def _in_force(listed: "list[RegisteredModel]", name: str) -> str:
    """The version that a sleeve reads, else the newest; empty where none is stored."""
    own = [one for one in listed if one.name == name]
    return next((one.version for one in own if one.sleeves), own[0].version if own else "")


def _gates(ctx: ToolContext, name: str, version: str) -> ToolResult:
    """Every gate of a version with its figures, those that stop it first."""
    from engine.control.model_registry import registered_one
    from engine.models import gates

    one, summary = registered_one(ctx.engine, ctx.home, name, version)
    stopped = gates.stopped_by(summary.metrics, summary.about["label"])
    passed = [gate for gate in gates.judged_of(summary.metrics) if gate.passed]
    rows = tuple((gate.name, "passed" if gate.passed else "FAILED", clean(gate.text, 300)) for gate in [*stopped, *passed])
    text = f"{one.text}: {one.state}; {one.gates}."
    text += " None of them stops a promotion." if not stopped else " A version that a gate stops is refused when it is proposed."
    return ToolResult("ok", text, _facts(ctx, one), (Evidence("desk", one.text),), Table(("gate", "", "figures"), rows))


def _one(
    ctx: ToolContext, listed: "list[RegisteredModel]", name: str, version: str, other_version: str | None = None
) -> ToolResult:
    """A version with its gates, beside the one named, else beside the champion of its name where there is another."""
    from engine.control.model_evidence import PROPOSED, compared
    from engine.control.model_registry import registered_one
    from engine.models import gates

    one, summary = registered_one(ctx.engine, ctx.home, name, version)
    if other_version is not None and other_version not in [other.version for other in listed if other.name == name]:
        registered_one(ctx.engine, ctx.home, name, other_version)  # BadInput with those that are stored
    wanted = [o for o in listed if o.name == name and (o.version == other_version if other_version else o.sleeves)]
    champion = next((other for other in wanted if other.version != version), None)
    beside = None
    if champion is not None and champion.state != "damaged":
        try:
            beside = registered_one(ctx.engine, ctx.home, name, champion.version)[1]
        except DeskError:  # it was damaged meanwhile
            beside = None
    found = compared(summary, beside)
    facts = _facts(ctx, one) + (_facts(ctx, champion) if champion is not None and beside is not None else ())
    read = f", read by {', '.join(one.sleeves)}{_since(one)}" if one.sleeves else ""
    text = f"{one.text}: {one.state}{read}; {found['gates']}."
    handle = ctx.handle("m", one.text)
    text += f" {one.figure} {{{handle}.value}} on {{{handle}.rows}} rows." if one.figure else ""
    stopped = [f"{gate.name}: {gate.text}" for gate in gates.stopped_by(summary.metrics, summary.about["label"])]
    text += " ".join(["", *(f"{part}." for part in [*stopped, *found["differs"]])])
    columns = [column.removesuffix(f" ({PROPOSED})") for column in found["columns"]]  # nobody proposes it here
    if champion is not None and not champion.sleeves:
        columns = [column.removesuffix(" (now)") for column in columns]
    rows = tuple((label, *cells) for label, *cells in found["rows"])
    return ToolResult("ok", clean(text, 3_000), facts, (Evidence("desk", one.text),), Table(("", *columns), rows))


@tool(
    "propose_model",
    Effect.PROPOSE,
    asked_as("", "propose vol-btc 1.3.0 for btc-vol; btc-vol should read vol-btc 1.3.0, propose that"),
)
def propose_model(ctx: ToolContext, args: ProposeModelArgs) -> ToolResult:
    """Propose that a sleeve reads another version of a model, only when the person asks for it. Refused when
    a gate failed. Must be the last call of a turn."""
    name, at, version = args.model.partition("@")
    if not (name and at and version):
        raise BadInput(f"{clean(args.model, 60)!r} is not a model with its version", "write vol-btc@1.2.0")
    wanted = {args.sleeve: {"models": f"{name}={version}"}}
    plan = standard() if args.canary is None else plan_of(args.canary)
    return propose_change(ctx, wanted, args.rationale, lived_span(ctx, None, None), canary=plan)
