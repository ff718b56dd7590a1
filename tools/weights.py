"""How the sleeves would be weighed by how they moved (weights, READ). Called by the catalog.

engine.watch.sleeve_weights as facts, a sentence and a table. It proposes nothing: propose_tightening does, if a person wants it.
"""

from pydantic import Field

from engine.clock import utc_day
from engine.errors import Refused
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
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN


class WeightsArgs(Args):
    """`days`: the last so many that the desk has lived."""

    days: int | None = Field(None, ge=60, le=1_000)


@tool(
    "weights",
    Effect.READ,
    asked_as(
        "",
        "how should the sleeves be weighed?; weights of the sleeves; show the hrp weights; hierarchical "
        "risk parity over the sleeves",
    ),
)
def weights(ctx: ToolContext, args: WeightsArgs) -> ToolResult:
    """Weights of the sleeves by hierarchical risk parity over their daily returns, each with an interval, beside today's shares,
    and by what its risk would come down. Refused when the history is short. Changes nothing."""
    from engine.watch.sleeve_weights import DAYS, weighed
    from engine.watch.window import journal_of, mark_at

    mark = mark_at(journal_of(ctx.home))
    if mark is None:
        return no_data(NEVER_RAN)
    try:
        found, evidence = weighed(ctx.home, days=args.days or DAYS), Evidence("event", mark.id)
    except Refused as error:
        return no_data(str(error))
    facts: list[Fact] = []
    rows: list[tuple[Value, ...]] = []
    for row in found.rows:
        handle = ctx.handle("w", f"weights {mark.id} {args.days} {row.sleeve}")
        values: dict[str, tuple[Value, str]] = {
            "now": (row.now, "frac"),
            "weight": (row.weight, "frac"),
            "low": (row.low, "frac"),
            "high": (row.high, "frac"),
            "factor": (row.factor, "ratio"),
        }
        facts += make_facts(handle, f"weight of {row.sleeve}", evidence, values)
        rows.append((row.sleeve, *(f"{{{handle}.{name}}}" for name in values)))
    span = f"{found.days} days, {utc_day(found.from_ms)} to {utc_day(found.until_ms)}"
    outside = ", ".join(row.sleeve for row in found.rows if row.outside)
    text = (
        f"Over {span}: today's share is outside its interval for {outside}."
        if found.differs
        else (f"Over {span}: every sleeve's share is within its interval, so other weights would be no better.")
    )
    text += " Risk factors lower risk alone: the sleeve that falls shortest of its weight keeps its own."
    left = "".join(f" Left out: {name} ({why})." for name, why in found.left_out.items())
    table = Table(("sleeve", "share now", "weight", "low", "high", "risk x"), tuple(rows))
    return ToolResult("ok", text + left, tuple(facts), (evidence,), table, {"differs": found.differs, "days": found.days})
