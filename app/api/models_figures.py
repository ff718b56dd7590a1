"""Response models of figures: round trips, breakdowns, P&L by period, benchmark. Used by app.api.figures, alike for run and desk.

Times are UTC milliseconds, fractions are fractions, money is in the quote currency; null means unknown, with a reason in `why`.
"""

from typing import Any, Literal

from pydantic import Field

from app.api.models import ApiModel, Number


class TripLine(ApiModel):
    """One round trip. `exit_ms` null: it is open and marked. On paper and in a run it is the open of the bar of the exit.

    `closed_ms` (the time of the event that closed it), `version` and the event ids are the desk's; null for a run. Of a pair of a
    basket units and prices are null here, and of its legs `a` and `b`: lots, average prices, net.
    """

    trip: str
    sleeve: str
    instrument: str | None = None
    side: str
    layers: int | None = None
    units: Number
    entry_ms: int
    exit_ms: int | None
    bars: int | None
    entry_price: Number
    exit_price: Number
    gross: Number
    slippage: Number
    fees: Number
    funding: Number
    net: Number
    r: Number
    risk: Number = None
    reason: str
    version: int | None = None
    closed_ms: int | None = None
    entry_event: str | None = None
    exit_event: str | None = None
    a: str | None = None
    b: str | None = None
    lots_a: int | None = None
    entry_a: Number = None
    exit_a: Number = None
    net_a: Number = None
    lots_b: int | None = None
    entry_b: Number = None
    exit_b: Number = None
    net_b: Number = None


class TripList(ApiModel):
    """Round trips, newest entry first; `total`: how many there are in all."""

    subject: str
    items: list[TripLine]
    total: int


class SplitRow(ApiModel):
    """The round trips of one group."""

    key: str
    trips: int
    wins: int
    win_frac: Number
    net: Number
    fees: Number
    funding: Number
    slippage: Number
    mean_r: Number
    median_hold_ms: Number


class DrawdownView(ApiModel):
    """A fall from a peak; `recovered_ms` null: the peak has not been reached again."""

    peak_ms: int
    trough_ms: int
    recovered_ms: int | None
    depth_frac: float
    depth: float


class MonthView(ApiModel):
    """The return of a UTC month."""

    year: int
    month: int
    return_frac: float


class RClassView(ApiModel):
    """A class of the histogram of R; null: open on that side."""

    low: Number
    high: Number
    count: int


class ExcursionView(ApiModel):
    """MAE and MFE of one round trip, of its entry price and in R."""

    trip: str
    sleeve: str
    net: Number
    r: Number
    mae_frac: float
    mfe_frac: float
    mae_r: Number
    mfe_r: Number


class HoldLineView(ApiModel):
    """Holding the same instruments from the same start; what it assumes is in `assumptions`."""

    instruments: list[str]
    close_ms: list[int]
    equity: list[Number]
    return_frac: Number
    assumptions: str


class Breakdown(ApiModel):
    """Every breakdown of a run's or the desk's round trips and of its equity; `why`: what is null or missing, and the reason."""

    subject: str
    trips: int
    open_trips: int
    net: Number
    splits: dict[str, list[SplitRow]]
    worst: list[TripLine]
    best: list[TripLine]
    drawdowns: list[DrawdownView]
    months: list[MonthView]
    r_histogram: list[RClassView]
    durations: dict[str, int | None]
    excursions: list[ExcursionView] | None
    benchmark: HoldLineView | None
    why: dict[str, str]


class PeriodView(ApiModel):
    """P&L of (from_ms, until_ms]: net = realised + unrealised; realised is after the fees and funding of the period."""

    from_ms: int
    until_ms: int
    realised: Number
    unrealised: Number
    fees: Number
    funding: Number
    slippage: Number
    net: Number
    incident: Number = 0.0  # of the net: made in incident windows
    strategy: Number = None  # the rest


class PeriodList(ApiModel):
    """Periods of the desk or of one sleeve, oldest first."""

    unit: str
    sleeve: str | None
    items: list[PeriodView]
    phase: str = ""  # of the desk, and what the next one takes; empty of a sleeve, and before the first bar


class LatelyView(ApiModel):
    """Net P&L of a stretch that ends at the desk's time, in money and in R of the trips that closed in it."""

    from_ms: int
    net: Number
    r: Number
    trips: int
    incident: Number = 0.0  # of the net: made in incident windows
    strategy: Number = None  # the rest


class LatelyList(ApiModel):
    """Today (since midnight UTC), 7 days, 30 days, since the start; null before the first bar."""

    sleeve: str | None
    today: LatelyView | None = None
    d7: LatelyView | None = None
    d30: LatelyView | None = None
    start: LatelyView | None = None


class LatelyLists(ApiModel):
    """The desk and each of its sleeves; empty before the first bar."""

    items: list[LatelyList]


class ShareView(ApiModel):
    """Exposure of one instrument, strategy or sleeve: its position and orders that may still fill."""

    name: str
    side: str
    exposure: Number
    equity_frac: Number


class PairView(ApiModel):
    """Two instruments; `reads`: same bet, hedge, apart, not known, not held."""

    one: str
    other: str
    correlation: Number
    exposure: Number
    reads: str


class ExposureView(ApiModel):
    """The desk's exposure at `desk_ms`; `alike_frac`: correlated over gross, 1 is one bet. `limits`: multiples of equity;
    `correlation_days`: of how many days before this UTC day the correlations are."""

    desk_ms: int | None = None
    event: str | None = None
    equity: Number = None
    gross: Number = None
    correlated: Number = None
    alike_frac: Number = None
    sleeves: tuple[ShareView, ...] = ()
    instruments: tuple[ShareView, ...] = ()
    strategies: tuple[ShareView, ...] = ()
    pairs: tuple[PairView, ...] = ()
    limits: dict[str, float]
    correlation_days: int


class SleeveShockView(ApiModel):
    """One sleeve after a move: equity before and after, signed units held and left, why it left."""

    sleeve: str
    instrument: str
    before: Number
    after: Number
    held: Number
    left: Number
    exits: tuple[str, ...]


class ShockView(ApiModel):
    """The desk after a move in one bar. `gap`: it opens there, so that stops fill there; `halts`: the drawdown breaker trips."""

    move_frac: float
    gap: bool
    symbol: str | None
    before: Number
    after: Number
    drawdown_frac: Number
    halts: bool
    sleeves: list[SleeveShockView]


class ShockList(ApiModel):
    """A fall, then a rise, each trading through every level, then as a gap."""

    items: list[ShockView]


class ResearchLine(ApiModel):
    """A research job in a list; `verdict`: once it has one, or why it failed."""

    id: str
    kind: str
    title: str
    verdict: str
    look: Literal["calm", "warn", "bad"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    created_ms: int


class ResearchLines(ApiModel):
    """Research jobs, newest first."""

    items: list[ResearchLine]


class ResearchTile(ApiModel):
    """A figure with its unit; `signed`: a profit or a loss."""

    name: str
    value: float | None
    unit: str
    note: str
    signed: bool


class ResearchTable(ApiModel):
    """Columns as head and unit; of the unit `own` a cell is {"value", "unit"}, or text."""

    name: str
    sub: str
    columns: list[tuple[str, str]]
    rows: list[list[Any]]


class HeatMap(ApiModel):
    """The best Sharpe ratio of each pair of values of two parameters; null where nothing was tried."""

    rows: str
    columns: str
    row_values: list[Any]
    column_values: list[Any]
    sharpe: list[list[float | None]]


class ResearchView(ApiModel):
    """One research job: its verdict and figures once it has ended."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    thread: str | None
    person: str | None
    created_ms: int
    ended_ms: int | None
    title: str
    verdict: str
    look: Literal["calm", "warn", "bad"]
    source: str | None = None
    run_id: str | None = None
    about: list[str] = Field(default_factory=list)
    tiles: list[ResearchTile] = Field(default_factory=list)
    tables: list[ResearchTable] = Field(default_factory=list)
    heat: HeatMap | None = None
    notes: list[str] = Field(default_factory=list)
