"""What the desk is and how it is doing: desk, sleeves, health, probe, attribution. Called by the catalog."""

from pydantic import Field

from tools.contract import Args, Effect, NoArgs, ToolContext, ToolResult, no_data, tool


class SleevesArgs(Args):
    """One sleeve by name; null: all of them."""

    sleeve: str | None = Field(None, max_length=60)


class WindowArgs(Args):
    """A window of desk time, `until` exclusive: yesterday, today, 24h, 7d, 2025-03-04; null: all so far."""

    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)


@tool("desk", Effect.READ)
def desk(ctx: ToolContext, args: NoArgs) -> ToolResult:
    """The desk now: desk time, equity, drawdown, exposure, positions, limits, halt, configuration version, source."""
    return no_data("not built yet")


@tool("sleeves", Effect.READ)
def sleeves(ctx: ToolContext, args: SleevesArgs) -> ToolResult:
    """The sleeves: strategy, instrument, parameters, position, equity, pauses."""
    return no_data("not built yet")


@tool("health", Effect.READ)
def health(ctx: ToolContext, args: NoArgs) -> ToolResult:
    """Is anything wrong: worker, freshness of bars, halt, breakers, journals, disk."""
    return no_data("not built yet")


@tool("probe", Effect.COMPUTE)
def probe(ctx: ToolContext, args: NoArgs) -> ToolResult:
    """Check everything that must hold before a halt can be released: both journals verified from end to end, state
    rebuilt from them, worker alive."""
    return no_data("not built yet")


@tool("attribution", Effect.COMPUTE)
def attribution(ctx: ToolContext, args: WindowArgs) -> ToolResult:
    """Where the P&L comes from: by sleeve, split in price P&L, fees, funding and slippage, summing to the equity change
    to the cent."""
    return no_data("not built yet")
