"""What there is to work with: list_data, list_strategies. Called by the catalog."""

from pydantic import Field

from tools.contract import Args, Effect, ToolContext, ToolResult, no_data, tool


class ListDataArgs(Args):
    """Filters; null: everything."""

    venue: str | None = Field(None, max_length=20)
    symbol: str | None = Field(None, max_length=30)
    series: str | None = Field(None, max_length=20)


class ListStrategiesArgs(Args):
    """One strategy by name, with its parameters; null: all, without."""

    strategy: str | None = Field(None, max_length=60)


@tool("list_data", Effect.READ)
def list_data(ctx: ToolContext, args: ListDataArgs) -> ToolResult:
    """The bars and other series there are: venue, symbol, timeframe, span; recorded, pulled or synthetic."""
    return no_data("not built yet")


@tool("list_strategies", Effect.READ)
def list_strategies(ctx: ToolContext, args: ListStrategiesArgs) -> ToolResult:
    """The strategies there are, shipped and a person's own; with a name, its parameters, defaults, bounds and units."""
    return no_data("not built yet")
