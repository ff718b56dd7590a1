"""Response models of the desk, its journal, runs, data and jobs, and so the schema of /openapi.json. Used by app.api's routes.

Times are UTC milliseconds, fractions are of equity, money is in the quote currency; null means unknown, with a reason beside it.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.watch.desk_view import WorkerState

Texts = list[str]
Number = float | None


class ApiModel(BaseModel):
    """A response: exactly these keys."""

    model_config = ConfigDict(protected_namespaces=(), ser_json_inf_nan="null")


class Error(ApiModel):
    """Why a request failed, and what to do."""

    kind: str
    what: str
    hint: str


class Failure(ApiModel):
    """The body of every response from status 400 on."""

    error: Error


class Health(ApiModel):
    """The API answers."""

    ok: bool
    name: str
    version: str


class Ok(ApiModel):
    """Done."""

    ok: bool = True


class LatchView(ApiModel):
    """The halt latch."""

    halted: bool
    reason: str
    by: str
    since_ms: int | None
    where: Texts
    unreadable: str


class CheckView(ApiModel):
    """One health check."""

    name: str
    state: Literal["ok", "warning", "bad", "unknown"]
    text: str
    event: str


class GuardView(ApiModel):
    """How much of a limit is used: value and limit in `unit`, `used_frac` of the limit (1 = reached).

    `until_ms`: its breaker tripped; no entries until then, desk time.
    """

    name: str
    value: Number
    limit: float
    used_frac: Number
    unit: str
    until_ms: int | None = None


class ModelView(ApiModel):
    """The model that answers, its host, and what is sent to it."""

    name: str
    api_format: str
    offline: bool
    host: str | None
    privacy: str
    sends: Texts


class DeskStatus(ApiModel):
    """The desk now."""

    mode: Literal["paper", "shadow", "testnet", "live"] = "paper"
    stamp: str | None
    source: str | None
    walks: str
    desk_ms: int | None
    event: str | None
    state: str | None
    halt: LatchView
    worker: WorkerState
    equity: Number
    peak: Number
    drawdown_frac: Number
    breaker_peak: Number
    breaker_drawdown_frac: Number
    release_effect: str
    gross: Number
    gross_frac: Number
    breakers: Texts
    incident: Number = None  # of the P&L: made in incident windows; null: none was ever open
    orphan_pnl: Number = None  # made by executions that no order explains, beside the equity
    windows: Texts = []  # incident windows that are open
    entries_blocked: bool = False
    bars: int
    version: int | None
    active_version: int
    limits: dict[str, float | list[str]]
    guards: list[GuardView]
    model: ModelView
    checks: list[CheckView]
    pending: int
    watches_asked: int = 0
    running_turns: int
    live_jobs: int
    now_ms: int


class Curve(ApiModel):
    """An equity curve; the lists have equal length."""

    close_ms: list[int]
    equity: list[Number]
    drawdown_frac: list[Number]
    strategy: list[Number] = Field(default_factory=list)  # of the desk: the equity without what was made in incident windows


class SleeveView(ApiModel):
    """One sleeve: its configuration, and its state at the desk's last mark (null before the first)."""

    name: str
    strategy: str
    venue: str
    symbol: str
    market: str
    timeframe: str
    side: str
    cash_start: float
    leg_of: str | None = None  # the basket that it is a leg of: what is configured, paused and proposed
    params: dict[str, Any]
    paused: bool
    stage: str
    stage_reached: str | None = None
    equity: Number = None
    cash: Number = None
    fees: Number = None
    funding: Number = None
    slippage: Number = None
    incident: Number = None  # of its P&L: made in incident windows; null: none has ever covered it
    trips: int | None = None
    version: int | None = None
    waiting_version: int | None = None
    position: dict[str, Any] | None = None
    mark: Number = None  # price of an open position at the mark
    unrealised: Number = None  # its P&L there
    order: dict[str, Any] | None = None
    blocked_until_ms: int | None = None
    shut_until_ms: int | None = None
    paused_until_ms: int | None = None
    resumes_ms: int | None = None  # desk time at which the pause by people ends by itself
    size_part: Number = None  # of its size; null: the whole
    canary: str | None = None  # where the canary of an applied change is


class Sleeves(ApiModel):
    """All sleeves of the active configuration; `basket`: of a desk that trades one, as the last mark has it."""

    items: list[SleeveView]
    basket: dict[str, Any] | None = None
    version: int
    desk_ms: int | None


class EventView(ApiModel):
    """One journal event; `told`: the event as one line of text; `routine`: it only says that things go on."""

    id: str
    seq: int
    kind: str
    t_event_ms: int
    t_recv_ms: int
    config_version: int
    run_id: str
    cause_id: str
    writer: str
    body: dict[str, Any]
    told: str
    routine: bool


class Events(ApiModel):
    """Events, newest first; `next`: the cursor of the next page."""

    items: list[EventView]
    next: str | None


class StoryView(ApiModel):
    """An event with its causes and consequences."""

    event: EventView
    before: list[EventView]
    followed: list[EventView]


class RunLine(ApiModel):
    """A stored run, in a list. `name`: given by a person; `label`: in what it differs from the others of its strategy there."""

    id: str
    created_ms: int
    strategy: str
    symbol: str
    timeframe: str
    state: str
    name: str | None = None
    label: str = ""
    span: str | None = None
    venue: str | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    side: str | None = None
    fills: str | None = None
    funding: str | None = None
    fees: Number = None
    slippage: Number = None
    paid_funding: Number = None
    optimistic: Number = None
    params: dict[str, Any] = Field(default_factory=dict)
    source: str | None = None
    life: str | None = None
    total_return_frac: Number = None
    sharpe: Number = None
    sharpe_low: Number = None  # of its 95 % interval
    sharpe_high: Number = None
    max_drawdown_frac: Number = None
    trades: int | None = None


class RunLines(ApiModel):
    """Stored runs, newest first."""

    items: list[RunLine]


class RunNamed(ApiModel):
    """The name that a run has now; empty: none."""

    run_id: str
    name: str


class RunCurve(Curve):
    """A run's equity; `optimistic`: under the optimistic fill scenario; `hold`: of who held the instruments, if kept.

    `life`: how long it traded, `stopped_ms`: when it stopped, null for a run that traded until its end; `beyond`: what it
    includes that the desk has not lived yet, or empty; `behind`: that the desk has lived on since its bars end, or empty."""

    run_id: str
    optimistic: list[Number]
    hold: list[Number] = Field(default_factory=list)
    life: str
    stopped_ms: int | None
    beyond: str
    behind: str


class TripView(ApiModel):
    """One round trip of a run, as text and as figures."""

    text: str
    trip: dict[str, Any]


class FoundSoFar(ApiModel):
    """What a search has found while it still runs: the best of each fold's past, the variations that have run."""

    text: str
    columns: list[str]
    rows: list[list[str | float | int | bool | None]]


class JobStatus(ApiModel):
    """A job: work in a separate process. `partly`: of a search that has not ended well yet."""

    id: str
    kind: str
    partly: FoundSoFar | None
    args: dict[str, Any]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float = Field(ge=0, le=1)
    thread: str | None
    turn: str | None
    person: str | None
    run_id: str | None
    error: str | None
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    result: dict[str, Any] | None


class JobList(ApiModel):
    """Jobs, newest first."""

    items: list[JobStatus]


class AlertList(ApiModel):
    """Alerts, newest first; `reason` says why some may be missing. `undelivered`: messages of the last day that did not arrive,
    whatever they were about; `ways`: where messages go; `rota`: whom a page goes to, first to last."""

    items: list[dict[str, Any]]
    reason: str | None
    undelivered: list[dict[str, Any]]
    ways: list[str]
    rota: list[dict[str, Any]] = []


class SeriesView(ApiModel):
    """One file of market data."""

    venue: str
    symbol: str
    market: str
    series: str
    tag: str
    source: str
    rows: int
    first_ms: int
    last_ms: int


class DataView(ApiModel):
    """The available market data."""

    items: list[SeriesView]
    unknown: Texts
    source: str | None
    walks: str
    empty: bool
