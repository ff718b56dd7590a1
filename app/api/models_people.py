"""Request and response models of people, proposals, threads and turns. Used by app.api's routes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.api.models import ApiModel, JobStatus, LatchView
from app.people.authority import DecisionAct
from app.views.proposal_card import CardKind
from engine.clock import Timeframe

Role = Literal["developer", "operator", "advisor"]
AMOUNT_MAX = 10**15  # of a parameter; each has narrower bounds of its own
BODY_MAX = 64 * 1024  # bytes of a request's body, read by app.api.access before any of these


def _storable(text: str) -> str:
    """The text; PostgreSQL keeps no null byte, and no database half a character."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it holds a null byte or half a character: leave that out")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class RequestBody(BaseModel):
    """A request's body: no key but these."""

    model_config = ConfigDict(extra="forbid")


class EmptyBody(RequestBody):
    """An empty body."""


class RunNameBody(RequestBody):
    """A name for a run; empty takes it away."""

    name: str = Field("", max_length=60)


Whole = Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
Amount = Annotated[float, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX, allow_inf_nan=False)]


class ChangeBody(RequestBody):
    """One parameter (of a proposal also `paused`, `stage`) and its value."""

    key: str = Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")
    value: bool | Whole | Amount | Annotated[Text, Field(max_length=60)]


class BacktestBody(RequestBody):
    """A backtest to start; what is left out is as in `nightdesk backtest`."""

    strategy: Text = Field(min_length=1, max_length=60)
    symbol: Text = Field(min_length=1, max_length=200)
    timeframe: Timeframe = "15m"
    venue: Text | None = Field(None, max_length=20)
    market: Literal["perp", "spot"] = "perp"
    side: Literal["both", "long", "short"] = "both"
    start: Text | None = Field(None, max_length=40)
    end: Text | None = Field(None, max_length=40)
    fills: Literal["pessimistic", "optimistic", "reference", "vwap"] = "pessimistic"
    funding: Text = Field("recorded", max_length=20)
    cash: float = Field(10_000.0, gt=0, le=1e12, allow_inf_nan=False)
    limits: Literal["desk", "wide"] = "desk"
    changes: list[ChangeBody] = Field(default_factory=list, max_length=40)


class SessionView(ApiModel):
    """Whose session this is, and what it may do. `proof_needed`: people.toml has entries, and this name is not proven.
    `role`: of a desk without registered people everybody's is admin. `refused`: the acts that it does not cover, and who may."""

    name: str
    assurance: Literal["claimed", "session"]
    scope: Literal["all", "read"]
    expires_ms: int
    proof_needed: bool
    passphrase_needed: bool
    role: Literal["viewer", "operator", "approver", "admin"]
    refused: dict[str, str] = Field(examples=[{"loosen": "needs an approver: ana, tom"}])


class NameBody(RequestBody):
    """The session's person; the token once people.toml has entries."""

    name: str = Field(min_length=1, max_length=60)
    token: str = Field("", max_length=200)


class HaltBody(RequestBody):
    """Why to halt the desk; may be empty, and is cut where it is long: a halt is not refused for its words."""

    reason: str = Field("", json_schema_extra={"maxLength": BODY_MAX})


class ReleaseBody(RequestBody):
    """What was found and fixed; the passphrase once people.toml has entries."""

    reason: Text = Field(min_length=1, max_length=300, pattern=r"\S")
    passphrase: str | None = Field(None, max_length=200)


class ActorView(ApiModel):
    """The named person behind a decision, and how the name was established."""

    name: str
    assurance: Literal["claimed", "session", "slack", "telegram"]
    os_user: str
    channel: str


class Released(ApiModel):
    """The halt that was released, and by whom."""

    released: LatchView
    actor: ActorView


class Adoption(ApiModel):
    """Adoption of an applied change: the desk runs `desk_version`, adopted at `event`; `waiting`: sleeves that keep their old
    version until they are flat; `follows`: until it is adopted, whether a worker will."""

    active_version: int
    desk_version: int | None
    adopted: bool
    waiting: list[str]
    event: str | None
    follows: str = ""


class CardRowView(ApiModel):
    """One fact of a card; of a table's kind (diff, worst, model, evidence) the first row is the head."""

    label: str
    cells: list[str]
    kind: CardKind


class PartView(ApiModel):
    """What a proposal does to one sleeve: its own version before and (once applied) after, and its changes."""

    sleeve: str
    from_version: int
    to_version: int | None
    changes: list[dict[str, Any]]


class RunsNowView(ApiModel):
    """What runs now in place of a decided proposal: the desk's version in force, and what became of the change."""

    version: int
    outcome: Literal["runs", "rolled back", "replaced", "not applied"]
    text: str


class CardView(ApiModel):
    """A proposal with everything needed to decide. `verdict`: its direction as the card's first word; `act`: what approving it
    takes; `runs_now`: null while it is pending."""

    id: str
    kind: str
    sleeve: str
    base_version: int
    parts: list[PartView]
    diff: dict[str, Any]
    diff_sha256: str
    direction: Literal["tightens", "loosens", "neutral", "unknown"]
    verdict: str
    act: DecisionAct
    runs_now: RunsNowView | None
    exposure: dict[str, Any]
    rationale: str
    evidence: list[dict[str, Any]]
    evidence_runs: dict[str, dict[str, Any]]
    told_apart: bool | None
    warnings: list[str]
    rows: list[CardRowView]
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
    """The full hash of the diff that the person was shown."""

    diff_sha256: str = Field(max_length=64, pattern=r"^[0-9a-f]{64}$")


class RejectionBody(RequestBody):
    """Why it is rejected; kept with the proposal."""

    reason: Text = Field("", max_length=1000)


class RollbackBody(RequestBody):
    """The rollback's target: a version of the desk (`3`, `v3`), with `sleeve` one of that sleeve's own, or an applied proposal
    (`prop-2`), whose sleeves get back the versions they had before. `diff_sha256`: of the rollback that was shown; any other is
    refused.
    """

    target: Text = Field(min_length=1, max_length=40)
    sleeve: Text = Field("", max_length=40)
    diff_sha256: str = Field("", max_length=64, pattern=r"^([0-9a-f]{64})?$")


class RollbackView(ApiModel):
    """A rollback before anybody asked for it: its diff and its direction against what runs; `act`: what carrying it out takes."""

    target: str
    sleeve: str
    diff: dict[str, Any]
    diff_sha256: str
    direction: Literal["tightens", "loosens", "neutral", "unknown"]
    verdict: str
    act: DecisionAct
    rows: list[CardRowView]


class DecisionView(ApiModel):
    """The outcome of a decision, and its event in the people journal."""

    proposal: str
    state: str
    version: int | None
    sleeves: dict[str, int]
    direction: str
    actor: ActorView
    journal_id: str


class VersionLine(ApiModel):
    """One version of the desk, and the version of its own that each sleeve has in it."""

    version: int
    sleeves: dict[str, int]
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
    """One of the three roles."""

    name: Role
    about: str
    tools: list[str]
    examples: list[str]


class Roles(ApiModel):
    """The roles."""

    items: list[RoleView]


class ThreadBody(RequestBody):
    """The role of a new thread."""

    role: Role


class ThreadLine(ApiModel):
    """A thread, in a list; `title`: its first question, `name`: what a person called it, `running`: the turn being answered."""

    id: str
    role: str
    person: str
    created_ms: int
    touched_ms: int
    turns: int
    title: str
    running: str | None
    name: str = ""


class ThreadName(RequestBody):
    """What a person calls a thread."""

    name: Text = Field("", max_length=60)


class ThreadNamed(ApiModel):
    """A thread that was named, or taken off the list."""

    id: str
    name: str
    hidden: bool


class ThreadLines(ApiModel):
    """Threads, last used first."""

    items: list[ThreadLine]


class TurnBody(RequestBody):
    """A question. `thread`: an id, `new`, `last`, or null for the role's latest fresh one."""

    role: Role
    text: Text = Field(min_length=1, max_length=4000, pattern=r"\S")
    thread: Text | None = Field(None, max_length=60)


class TurnBegun(ApiModel):
    """The turn started; follow it at /api/turns/{turn}/events."""

    turn: str
    thread: str
    role: str


class PendingAnswerView(ApiModel):
    """An answer that code posts as turn `id` when these jobs end: the result of `tool`, called by question `turn`."""

    id: str
    turn: str
    tool: str
    jobs: list[str]


class TurnView(ApiModel):
    """One question and its answer; `last_n`: its last stored event, `progress`: the running tool's share done."""

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
    """A thread: its turns, oldest first, the jobs started in it, and the pending answers."""

    id: str
    role: str
    person: str
    created_ms: int
    turns: list[TurnView]
    jobs: list[JobStatus]
    owed: list[PendingAnswerView]


class TurnEvents(ApiModel):
    """Stored events of a turn, in order, and its state."""

    items: list[dict[str, Any]]
    state: str


class PullBody(RequestBody):
    """Bars to fetch; venues are tried in this order."""

    venues: list[Literal["binance", "okx", "bybit"]] = Field(default=["binance", "okx", "bybit"], min_length=1, max_length=3)
    symbols: list[Annotated[Text, Field(max_length=60)]] = Field(
        default=["BTC-USDT", "ETH-USDT", "SOL-USDT"], min_length=1, max_length=10
    )
    timeframe: Timeframe = "15m"
    days: int = Field(730, ge=1, le=3650)
