"""What happened: journal_search and explain_event, over both journals. Called by the catalog."""

from typing import Literal

from pydantic import Field

from tools.contract import Args, Effect, ToolContext, ToolResult, no_data, tool

Kind = Literal["fill", "refused", "breaker", "halt", "config", "funding", "incident", "proposal", "decision", "tool"]


class SearchArgs(Args):
    """A window of desk time (`since` null: yesterday), kinds (null: what matters), a sleeve, a word in the event."""

    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)
    kinds: list[Kind] | None = Field(None, max_length=10)
    sleeve: str | None = Field(None, max_length=60)
    text: str | None = Field(None, max_length=80)
    limit: int = Field(20, ge=1, le=100)


class ExplainArgs(Args):
    """An event's id such as d-123; or a sleeve and an instant."""

    event_id: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)
    at: str | None = Field(None, max_length=40)


@tool("journal_search", Effect.READ)
def journal_search(ctx: ToolContext, args: SearchArgs) -> ToolResult:
    """What happened in a window of desk time: fills, refused decisions, breakers, halts, configurations adopted, with
    event ids."""
    return no_data("not built yet")


@tool("explain_event", Effect.READ)
def explain_event(ctx: ToolContext, args: ExplainArgs) -> ToolResult:
    """Explain one journal event, or why a sleeve did what it did at an instant: signal, features, caps, the rule that
    refused, costs."""
    return no_data("not built yet")
