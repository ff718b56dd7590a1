"""What the API says and is told about people, proposals, threads and turns: models of requests and responses."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.models import ApiModel, JobStatus, LatchView

Role = Literal["developer", "operator", "advisor"]


class RequestBody(BaseModel):
    """A request's body: no key but these."""

    model_config = ConfigDict(extra="forbid")


class EmptyBody(RequestBody):
    """An empty body."""


class SessionView(ApiModel):
    """Who is in this session. `proof_needed`: people.toml has entries, and this name is not proven."""

    name: str
    assurance: Literal["claimed", "session"]
    scope: Literal["all", "read"]
    expires_ms: int
    proof_needed: bool
    passphrase_needed: bool


class NameBody(RequestBody):
    """Who decides from here on; the token once people.toml has entries."""

    name: str = Field(min_length=1, max_length=60)
    token: str = Field("", max_length=200)


class HaltBody(RequestBody):
    """Why the desk should stop."""

    reason: str = Field(min_length=1, max_length=300, pattern=r"\S")


class ReleaseBody(RequestBody):
    """What was found and mended; the passphrase once people.toml has entries."""

    reason: str = Field(min_length=1, max_length=300, pattern=r"\S")
    passphrase: str | None = Field(None, max_length=200)


class ActorView(ApiModel):
    """The named person behind a decision, and how sure the desk is of the name."""

    name: str
    assurance: Literal["claimed", "session", "slack"]
    os_user: str
    channel: str


class Released(ApiModel):
    """The halt that was taken back, and by whom."""

    released: LatchView
    actor: ActorView


class Adoption(ApiModel):
    """How far an applied change has come: the desk follows `desk_version`; `event` adopted it; `waiting` are sleeves that keep
    their own version until they are flat."""

    active_version: int
    desk_version: int | None
    adopted: bool
    waiting: list[str]
    event: str | None


class CardView(ApiModel):
    """A proposal, with everything a person needs before deciding."""

    id: str
    kind: str
    sleeve: str
    base_version: int
    diff: dict[str, Any]
    diff_sha256: str
    direction: Literal["tightens", "loosens", "neutral", "unknown"]
    exposure: dict[str, Any]
    rationale: str
    evidence: list[dict[str, Any]]
    evidence_runs: dict[str, dict[str, Any]]
    told_apart: bool | None
    warnings: list[str]
    requester: dict[str, Any]
    created_ms: int
    expires_ms: int
    expires_in_s: float | None
    state: Literal["pending", "applied", "rejected", "expired", "stale", "superseded"]
    state_reason: str
    decided_by: dict[str, Any] | None
    decided_ms: int | None
    applied_version: int | None
    rollback_of: int | None
    journal_id: str | None
    adoption: Adoption | None


class Cards(ApiModel):
    """Proposals, newest first."""

    items: list[CardView]


class ApprovalBody(RequestBody):
    """The whole hash of the diff that the person was shown."""

    diff_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class RejectionBody(RequestBody):
    """Why not; the next one who asks will read it."""

    reason: str = Field("", max_length=1000)


class RollbackBody(RequestBody):
    """What to go back to: a version (`3`, `v3`), or what held before an applied proposal (`prop-2`)."""

    target: str = Field(min_length=1, max_length=40)


class DecisionView(ApiModel):
    """What a decision did, and where the people journal says so."""

    proposal: str
    state: str
    version: int | None
    direction: str
    actor: ActorView
    journal_id: str


class VersionLine(ApiModel):
    """One configuration version."""

    version: int
    created_ms: int
    made_by: dict[str, Any]
    reason: str
    proposal_id: str | None
    rollback_of: int | None
    active: bool


class VersionLines(ApiModel):
    """Versions, newest first."""

    items: list[VersionLine]


class RoleView(ApiModel):
    """One of the three who answer."""

    name: Role
    about: str
    tools: list[str]
    examples: list[str]


class Roles(ApiModel):
    """Who answers."""

    items: list[RoleView]


class ThreadBody(RequestBody):
    """Whose thread to begin."""

    role: Role


class ThreadLine(ApiModel):
    """A conversation in a line; `title` is its first question, `running` the turn that is being answered."""

    id: str
    role: str
    person: str
    created_ms: int
    touched_ms: int
    turns: int
    title: str
    running: str | None


class ThreadLines(ApiModel):
    """Threads, the last used first."""

    items: list[ThreadLine]


class TurnBody(RequestBody):
    """A question. `thread`: an id, `new`, `last`, or null for the role's latest fresh one."""

    role: Role
    text: str = Field(min_length=1, max_length=4000, pattern=r"\S")
    thread: str | None = Field(None, max_length=60)


class TurnBegun(ApiModel):
    """The turn runs; follow it at /api/turns/{turn}/events."""

    turn: str
    thread: str
    role: str


class PendingAnswerView(ApiModel):
    """An answer that code posts as turn `id` when these jobs have ended: of the call of `tool` that question `turn` made."""

    id: str
    turn: str
    tool: str
    jobs: list[str]


class TurnView(ApiModel):
    """One question and its answer; `last_n` is its last stored event, `progress` the running tool's share done."""

    id: str
    thread: str
    role: str
    state: Literal["running", "done", "failed", "cancelled", "owed"]
    text: str
    model: str
    answer: dict[str, Any] | None
    created_ms: int
    ended_ms: int | None
    last_n: int
    progress: dict[str, Any] | None
    posts: PendingAnswerView | None


class ThreadView(ApiModel):
    """A conversation: its turns, oldest first, the jobs that were started in it, and the answers that wait for them."""

    id: str
    role: str
    person: str
    created_ms: int
    turns: list[TurnView]
    jobs: list[JobStatus]
    owed: list[PendingAnswerView]


class TurnEvents(ApiModel):
    """Stored events of a turn, in order, and the state it is in."""

    items: list[dict[str, Any]]
    state: str


class PullBody(RequestBody):
    """Which bars to fetch; venues are tried in this order."""

    venues: list[Literal["binance", "okx", "bybit"]] = Field(default=["binance", "okx", "bybit"], min_length=1, max_length=3)
    symbols: list[str] = Field(default=["BTC-USDT", "ETH-USDT", "SOL-USDT"], min_length=1, max_length=10)
    timeframe: Literal["1m", "5m", "15m", "1h"] = "15m"
    days: int = Field(730, ge=1, le=3650)
