"""Entries of desk.toml of what runs by itself and what outsiders may do: [retention], [mcp], [monitor], [strategies], [canary].

Read by app.home.settings. Bounds are the fields' own; a fault becomes one line there.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

WATCHED = "100% for 10 trips"  # as engine.control.canary has it
Way = Annotated[str, StringConstraints(pattern=r"^(slack|telegram|discord|webhook:[a-z0-9][a-z0-9-]{0,59})$")]


class RetentionEntry(BaseModel):
    """How long what grows is kept: [retention]. Days; 0: for ever. Journals are always kept, and packed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    logs_days: float = Field(30.0, ge=0, le=36_500)
    log_megabytes: float = Field(20.0, ge=1, le=10_000)  # a log that is written to turns over at this size
    runs_days: float = Field(0.0, ge=0, le=36_500)
    recordings_days: float = Field(0.0, ge=0, le=36_500)
    makers_days: float = Field(0.0, ge=0, le=36_500)  # simulated makers; those on paper have a journal, which is kept
    reports_days: float = Field(0.0, ge=0, le=36_500)
    sent_days: float = Field(0.0, ge=0, le=36_500)  # requests to models
    pieces_days: float = Field(7.0, ge=0, le=36_500)  # unfinished ends of journals are packed then
    pack_days: float = Field(30.0, ge=0, le=36_500)  # records of journals this old are packed, a whole part at a time; 0: never
    pack_megabytes: float = Field(64.0, ge=1, le=4_096)  # of plain records in a part


class McpEntry(BaseModel):
    """`nightdesk mcp`: [mcp]. What clients of the Model Context Protocol may use, beside what every role may; days are UTC."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(8422, ge=1, le=65535)  # of streamable HTTP, on this machine
    calls_minute: int = Field(120, ge=1, le=10_000)  # of one client
    jobs_day: int = Field(50, ge=0, le=10_000)  # started by all clients together
    proposals_day: int = Field(10, ge=0, le=1_000)  # proposals and notes, of all clients together


class MonitorEntry(BaseModel):
    """Notes of a real model on what changed: [monitor]. Off at 0 minutes, and without a model."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    every_minutes: int = Field(0, ge=0, le=24 * 60)  # between two looks; 0: none
    after_alerts: bool = True  # also after each alert that opens or gets worse
    tokens_day: int = Field(200_000, ge=1_000, le=10**9)  # of all its looks in a UTC day, beside [budgets]
    to: tuple[Way, ...] = Field(("slack", "telegram"), max_length=10)  # ways of this file; others are left out


class AdoptEntry(BaseModel):
    """Whether a person may make a strategy file of a note that a model drafted: [strategies]."""

    model_config = ConfigDict(extra="forbid")

    adopt: bool = False


class CanaryEntry(BaseModel):
    """How an applied change is watched where its proposal does not say: [canary]."""

    model_config = ConfigDict(extra="forbid")

    plan: str = Field(WATCHED, max_length=40)  # at its whole size; "25% for 10 trips": at a part; none: not watched

    @field_validator("plan")
    @classmethod
    def readable(cls, plan: str) -> str:
        """As a proposal has it."""
        if plan in ("none", WATCHED):
            return plan  # nothing is loaded to say so: every command reads desk.toml
        from engine.control.canary import plan_of
        from engine.errors import BadInput

        try:
            plan_of(plan)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return plan
