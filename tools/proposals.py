"""Changes that a person may approve: proposals (READ), propose_config, propose_tightening, propose_pause (PROPOSE).

Called by the catalog. A proposal is a row made by engine.control.proposals; nothing here can apply one.
"""

from typing import Literal

from pydantic import Field

from tools.contract import Args, Effect, ToolContext, ToolResult, no_data, tool
from tools.setups import Change


class ProposalsArgs(Args):
    """One proposal by id, or those in a state; null: the latest."""

    proposal_id: str | None = Field(None, max_length=80)
    state: Literal["pending", "applied", "rejected", "expired", "stale", "superseded"] | None = None


class ProposeConfigArgs(Args):
    """`changes` of the sleeve's live configuration; `rationale` for the person; the window of the evidence runs."""

    sleeve: str = Field(max_length=60)
    changes: list[Change] = Field(min_length=1, max_length=30)
    rationale: str = Field(max_length=1000)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)


class ProposeTighteningArgs(Args):
    """`changes` that lower risk; `rationale` for the person."""

    sleeve: str = Field(max_length=60)
    changes: list[Change] = Field(min_length=1, max_length=30)
    rationale: str = Field(max_length=1000)


class ProposePauseArgs(Args):
    """The sleeve to pause and why."""

    sleeve: str = Field(max_length=60)
    rationale: str = Field(max_length=1000)


@tool("proposals", Effect.READ)
def proposals(ctx: ToolContext, args: ProposalsArgs) -> ToolResult:
    """Read proposals: diff, direction, evidence, state, expiry."""
    return no_data("not built yet")


@tool("propose_config", Effect.PROPOSE)
def propose_config(ctx: ToolContext, args: ProposeConfigArgs) -> ToolResult:
    """Propose a change of a sleeve's configuration. Runs the evidence (live configuration and changed one, same bars
    and costs) and makes a proposal that a person approves or rejects. Must be the last call of a turn."""
    return no_data("not built yet")


@tool("propose_tightening", Effect.PROPOSE)
def propose_tightening(ctx: ToolContext, args: ProposeTighteningArgs) -> ToolResult:
    """Propose a change that lowers risk; refused when the computed direction is anything but tightens. Must be the last
    call of a turn."""
    return no_data("not built yet")


@tool("propose_pause", Effect.PROPOSE)
def propose_pause(ctx: ToolContext, args: ProposePauseArgs) -> ToolResult:
    """Propose to pause a sleeve's entries. Must be the last call of a turn."""
    return no_data("not built yet")
