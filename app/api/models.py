"""What the API says about the desk, its journal, runs, data and jobs: response models, and so the schema of /openapi.json.

Times are UTC milliseconds, fractions are of equity, money is in the quote currency; null is "not known" with a reason beside it.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Texts = list[str]
Number = float | None


class Said(BaseModel):
    """A response: exactly these keys."""

    model_config = ConfigDict(protected_namespaces=(), ser_json_inf_nan="null")


class Error(Said):
    """Why something did not work, and what to do."""

    kind: str
    what: str
    hint: str


class Failure(Said):
    """The body of every answer from 400 on."""

    error: Error


class Health(Said):
    """The API answers."""

    ok: bool
    name: str
    version: str


class Ok(Said):
    """It is done."""

    ok: bool = True


class Latch(Said):
    """The halt as it is latched."""

    halted: bool
    reason: str
    by: str
    since_ms: int | None
    where: Texts
    unreadable: str


class Check(Said):
    """One thing the health probe looked at."""

    name: str
    state: Literal["ok", "warning", "bad", "unknown"]
    text: str
    event: str


class Guard(Said):
    """How near a limit is: value and limit in `unit`, `used_frac` of the limit (1 = reached)."""

    name: str
    value: Number
    limit: float
    used_frac: Number
    unit: str


class ModelSaid(Said):
    """Who answers, where, and what it is sent."""

    name: str
    api_format: str
    offline: bool
    host: str | None
    privacy: str
    sends: Texts


class Worker(Said):
    """The trading process as it last told of itself."""

    running: bool
    pid: int | None
    phase: str | None
    note: str
    beat_ms: int | None
    bars_per_second: Number
    replay_until_ms: int | None


class DeskSaid(Said):
    """The desk now."""

    mode: Literal["paper"] = "paper"
    stamp: str | None
    source: str | None
    walks: str
    desk_ms: int | None
    event: str | None
    state: str | None
    halt: Latch
    worker: Worker
    equity: Number
    peak: Number
    drawdown_frac: Number
    gross: Number
    gross_frac: Number
    breakers: Texts
    bars: int
    version: int | None
    active_version: int
    limits: dict[str, float]
    guards: list[Guard]
    model: ModelSaid
    checks: list[Check]
    pending: int
    running_turns: int
    live_jobs: int
    now_ms: int


class Curve(Said):
    """A line to draw; the lists are equally long."""

    close_ms: list[int]
    equity: list[Number]
    drawdown_frac: list[Number]


class SleeveSaid(Said):
    """One sleeve: what it is set to, and how it stands at the desk's last mark (null before the first)."""

    name: str
    strategy: str
    venue: str
    symbol: str
    market: str
    timeframe: str
    side: str
    cash_start: float
    params: dict[str, Any]
    paused: bool
    equity: Number = None
    cash: Number = None
    fees: Number = None
    funding: Number = None
    slippage: Number = None
    trips: int | None = None
    version: int | None = None
    waiting_version: int | None = None
    position: dict[str, Any] | None = None
    order: dict[str, Any] | None = None
    blocked_until_ms: int | None = None
    paused_until_ms: int | None = None


class Sleeves(Said):
    """All sleeves of the configuration in force."""

    items: list[SleeveSaid]
    version: int
    desk_ms: int | None


class EventSaid(Said):
    """One journal event; `told` is it in one line."""

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


class Events(Said):
    """Events, newest first; `next` is where the next page begins."""

    items: list[EventSaid]
    next: str | None


class StorySaid(Said):
    """An event, what led to it, what followed from it."""

    event: EventSaid
    before: list[EventSaid]
    followed: list[EventSaid]


class RunLine(Said):
    """A stored run in a line."""

    id: str
    created_ms: int
    strategy: str
    symbol: str
    timeframe: str
    state: str
    source: str | None = None
    total_return_frac: Number = None
    sharpe: Number = None
    max_drawdown_frac: Number = None
    trades: int | None = None


class RunLines(Said):
    """The newest runs first."""

    items: list[RunLine]


class RunCurve(Curve):
    """A run's equity; `optimistic` is that of the other fill scenario."""

    run_id: str
    optimistic: list[Number]


class TripSaid(Said):
    """One round trip of a run, told and as figures."""

    text: str
    trip: dict[str, Any]


class JobSaid(Said):
    """Work in a process of its own."""

    id: str
    kind: str
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


class JobsSaid(Said):
    """Jobs, newest first."""

    items: list[JobSaid]


class AlertsSaid(Said):
    """What is or was wrong, newest first; `reason` says why there may be none to read."""

    items: list[dict[str, Any]]
    reason: str | None


class SeriesSaid(Said):
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


class DataSaid(Said):
    """Which market data there is."""

    items: list[SeriesSaid]
    unknown: Texts
    source: str | None
    walks: str
    empty: bool
