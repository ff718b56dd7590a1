"""Questions about the past: backtest, compare, leaks (COMPUTE, as jobs); run, round_trip (READ). Used by the catalog.

Each COMPUTE tool hands a job to `ctx.jobs`, waits as long as the context allows, and turns the stored run into named
facts; a call that is not done in time returns `started`, and the same call later finds the run by its cache key.
"""

from typing import Literal

from pydantic import Field

from tools.contract import Args, Effect, ToolContext, ToolResult, no_data, tool

VARIANTS_MAX = 3
Timeframe = Literal["1m", "5m", "15m", "1h"]


class Change(Args):
    """One parameter: its key and its new value."""

    key: str = Field(max_length=60)
    value: int | float | bool | str


class BacktestArgs(Args):
    """`start` and `end` (exclusive) as 2025, 2025-03 or 2025-03-04; null: all there is. `changes` set parameters."""

    strategy: str = Field(max_length=60)
    symbol: str = Field(max_length=30)
    timeframe: Timeframe = "15m"
    venue: str | None = Field(None, max_length=20)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    changes: list[Change] = Field(default_factory=list, max_length=30)
    fills: Literal["pessimistic", "optimistic"] | None = None
    funding: str | None = Field(None, max_length=20)


class Variant(Args):
    """What differs from the live configuration."""

    changes: list[Change] = Field(min_length=1, max_length=30)


class CompareArgs(Args):
    """Name the sleeve whose live configuration is row 0, or strategy, symbol and timeframe to find it by."""

    variants: list[Variant] = Field(min_length=1, max_length=VARIANTS_MAX)
    sleeve: str | None = Field(None, max_length=60)
    strategy: str | None = Field(None, max_length=60)
    symbol: str | None = Field(None, max_length=30)
    timeframe: Timeframe | None = None
    venue: str | None = Field(None, max_length=20)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)


class LeaksArgs(Args):
    """The strategy to check and, optionally, the bars to check it on."""

    strategy: str = Field(max_length=60)
    symbol: str | None = Field(None, max_length=30)
    timeframe: Timeframe = "15m"
    venue: str | None = Field(None, max_length=20)


class RunArgs(Args):
    """A run's id; null lists the latest runs."""

    run_id: str | None = Field(None, max_length=80)


class RoundTripArgs(Args):
    """The run and the number of the round trip in it, counted from 1; `worst` or `best` picks by P&L."""

    run_id: str = Field(max_length=80)
    number: int | Literal["worst", "best"] = "worst"


@tool("backtest", Effect.COMPUTE)
def backtest(ctx: ToolContext, args: BacktestArgs) -> ToolResult:
    """Run a strategy over recorded bars and report its metrics, with the optimistic scenario beside the pessimistic one
    and, for a person's own strategy, whether it looks ahead."""
    return no_data("not built yet")


@tool("compare", Effect.COMPUTE)
def compare(ctx: ToolContext, args: CompareArgs) -> ToolResult:
    """Backtest variants against the live configuration (row 0) on the same bars and costs, with an interval on the
    difference; says "cannot be told apart" when the interval spans zero."""
    return no_data("not built yet")


@tool("leaks", Effect.COMPUTE)
def leaks(ctx: ToolContext, args: LeaksArgs) -> ToolResult:
    """Tell whether a strategy looks ahead: its values, recomputed on prefixes of the bars, must not differ in a bit."""
    return no_data("not built yet")


@tool("run", Effect.READ)
def run(ctx: ToolContext, args: RunArgs) -> ToolResult:
    """Read a stored run: configuration, data, metrics; without an id, list the latest runs."""
    return no_data("not built yet")


@tool("round_trip", Effect.READ)
def round_trip(ctx: ToolContext, args: RoundTripArgs) -> ToolResult:
    """Read one round trip of a stored run: entry, exit, costs, the rule that closed it."""
    return no_data("not built yet")
