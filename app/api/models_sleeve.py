"""Response and request models of sleeves, their parameters and proposals of a person. Used by app/api."""

from typing import Annotated, Any

from pydantic import Field

from app.api.models import ApiModel, Number
from app.api.models_people import CardView, ChangeBody, RequestBody, Text

Setting = bool | int | float | Annotated[str, Field(max_length=60)]


class LevelAway(ApiModel):
    """A price level and how far the mark is from it, as a fraction of the mark (negative: below it)."""

    price: Number = None
    away_frac: Number = None
    kind: str = ""
    uncovered: int = 0  # of a stop: open layers that no working order at the venue ends


class PositionFigures(ApiModel):
    """An open position at the desk's last mark. `r`: unrealised P&L over what its first stops risked."""

    side: str
    quantity: Number
    opened_ms: int
    layers: int
    entry: Number
    mark: Number
    notional: Number
    leverage: Number
    unrealised: Number
    risk: Number
    r: Number
    stop: LevelAway
    target: LevelAway
    liquidation: LevelAway


class CloseCountView(ApiModel):
    """Closes of one kind; `blocked`: there was a signal that did not become an order."""

    what: str
    closes: int
    blocked: bool


class ParamEntry(ApiModel):
    """A parameter as its strategy declares it: default, bounds or words, what it means; `zero`: what 0 is that is no amount."""

    key: str
    default: Setting | None
    low: Number
    high: Number
    unit: str | None
    risk: str | None
    zero: str | None
    choices: list[str]
    about: str | None


class ParamRow(ParamEntry):
    """The same of a sleeve: its value, and the sleeve's version that set it."""

    value: Setting
    version: int
    since_ms: int | None


class ChangeView(ApiModel):
    """What a version changed against the one before."""

    key: str
    old: Any
    value: Any


class SleeveVersionView(ApiModel):
    """A version of one sleeve, with its changes."""

    version: int
    created_ms: int | None
    made_by: str
    reason: str
    proposal: str | None = None
    rollback_of: int | None = None
    changes: list[ChangeView]


class SliceView(ApiModel):
    """One child order of an entry that is worked in slices; `why`: what ended it before it was filled."""

    slice: int
    of: int
    order: str
    sent_ms: int
    lots: int
    filled_lots: int
    why: str


class ParentView(ApiModel):
    """An entry worked in slices: arrival is the close that decided; `cost_bps` against it (positive: it cost)."""

    sleeve: str
    decided_ms: int
    side: int
    arrival: Number
    average: Number
    lots: int
    lots_filled: int
    slices_done: int
    slices_refused: int
    cost_bps: Number
    slices: list[SliceView]


class WorkedView(ApiModel):
    """The entries of the last days that were worked in slices: figures over all, and the newest one by one."""

    parents: int
    slices_done: int
    slices_refused: int
    cost_bps: Number
    undefined: dict[str, str]
    orders: list[ParentView]
    text: str


class DriftLine(ApiModel):
    """Two sides of a sleeve as last compared, in dollars by cause; `verdict`: whether the first is worse than the second says."""

    one: str
    other: str
    from_ms: int
    to_ms: int
    difference_usd: Number
    causes: dict[str, Number]
    verdict: str
    needed: int | None
    since_ms: int | None


class PairFigures(ApiModel):
    """A pair of a basket at the desk's last mark; what it has and risks is null while it is out. Money in quote units."""

    pair: str
    side: str
    z: float | None  # deviations of its spread
    hedge: float | None
    pnl: float | None  # since the start
    open_pnl: float | None = None
    risk: float | None = None
    lots: dict[str, int] = Field(default_factory=dict)  # leg -> lots with their side
    entering: bool = False
    leaving: str | None = None
    refused_by: str | None = None


class BasketFigures(ApiModel):
    """The basket that a leg is of: its ledger at the last mark, and its pairs."""

    name: str
    equity: float | None
    cash: float | None = None
    fees: float | None = None
    funding: float | None = None
    gross: float | None
    net: float | None
    trips: int
    pairs: list[PairFigures]


class SleevePage(ApiModel):
    """What a sleeve's page shows beside its candles. `runs_version`: what the worker runs; `params_why`: why there are none."""

    name: str
    configured: str  # the sleeve that a person changes: itself, or the basket that it is a leg of
    basket: BasketFigures | None = None
    strategy: str
    instrument: str
    timeframe: str
    desk_ms: int | None
    version: int
    runs_version: int | None
    position: PositionFigures | None
    closes: list[CloseCountView]
    closes_ms: int
    execution: str | None
    models: str | None  # versions of stored models that it reads
    worked: WorkedView | None
    drift: list[DriftLine]
    params: list[ParamRow]
    params_why: str
    versions: list[SleeveVersionView]


class TableSpec(ApiModel):
    """A table that a browser sorts and filters: columns [name, kind, filter, left out on a phone], rows of values."""

    columns: list[list[Any]]
    rows: list[list[Any]]


class ProposingBody(RequestBody):
    """A change that a person proposes, and why; `ends`, of a pause alone: for how long or until when in desk time."""

    sleeve: str = Field(min_length=1, max_length=60)
    changes: list[ChangeBody] = Field(min_length=1, max_length=30)
    ends: Text | None = Field(None, max_length=60, examples=["24h", "monday 06:00Z"])
    rationale: Text = Field(min_length=1, max_length=1000, pattern=r"\S")


class Proposing(ApiModel):
    """A proposal that was made, or the jobs whose runs are its evidence: send the same again until it is there."""

    state: str = Field(examples=["made", "evidence"])
    proposal: CardView | None
    jobs: list[str]
    progress: float = Field(ge=0, le=1)


class UnderWayView(ProposingBody):
    """A request whose evidence runs, as it was sent."""

    since_ms: int


class UnderWayList(ApiModel):
    """One's own, the oldest first."""

    items: list[UnderWayView]


class ShadowView(ApiModel):
    """A sleeve in shadow. Costs in basis points of price, against the order; null where nothing was compared."""

    sleeve: str
    orders: int
    refused: int
    at_market: int
    compared: int
    thin: int
    crossing: int
    spread_bps: Number
    assumed_bps: Number
    book_bps: Number
    book_p95_bps: Number
    behind_ms: Number
    maker_frac: Number
    taker_frac: Number


class ShadowList(ApiModel):
    """Sleeves that had orders which did not leave."""

    items: list[ShadowView]
