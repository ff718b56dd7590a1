"""The phase of the desk and what the next one takes (phase, READ). Called by the catalog; computed by engine/watch/phases.py."""

from engine.watch.phases import phase_of
from tools.common.contract import (
    Effect,
    Evidence,
    Fact,
    NoArgs,
    Table,
    ToolContext,
    ToolResult,
    asked_as,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN


@tool("phase", Effect.READ, asked_as("", "which phase is the desk in?; what phase are we in?; are we ready to grow?"))
def phase(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - a tool takes its arguments
    """The desk's phase, validate or grow: whether a month of intended execution made money, incidents' windfalls apart."""
    found = phase_of(ctx.home)
    if found is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("desk", "journal")
    h = ctx.handle("f", f"phase {found.until_ms} {found.days}")
    values = {"days": (found.days, "count")}
    money = {name: (getattr(found, name), "usd") for name in ("intended", "incident", "manual")}
    facts: tuple[Fact, ...] = make_facts(h, "phase of the desk", evidence, {**values, **money})
    rows = tuple(
        (one.name, "met" if one.met else "cannot tell" if one.met is None else "NOT MET", one.text) for one in found.criteria
    )
    text = f"Phase {found.phase}: {{{h}.days}} full days traded in a row"
    text += f", {{{h}.intended}} from intended execution" if found.intended is not None else ""
    text += f", beside it {{{h}.incident}} in incidents, which do not count" if found.incident else ""
    return ToolResult("ok", f"{text}.", facts, (evidence,), Table(("criterion", "state", "what"), rows), {"phase": found.phase})
