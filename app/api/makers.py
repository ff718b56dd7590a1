"""Routes of market making: makers of the desk, simulated, on paper and at accounts; read alone. Registered by app.api.factory."""

from typing import Literal

from fastapi import APIRouter, Path
from pydantic import Field, ValidationError

from app.api.context import At, NotFound, Who
from app.api.models import ApiModel, Number
from app.views.makers import maker_lines, maker_view
from engine.errors import BadInput, DataError

router = APIRouter(prefix="/api/makers", tags=["desk"])
Column = list[Number]


class MakerLine(ApiModel):
    """A maker: verdict and figures. Inventory in base units, money in quote currency. `account`, `mode` (testnet, live), `stage`:
    empty where nothing is sent to a venue; `ended`, `left`: how its last halt at the account has ended."""

    name: str
    kind: str
    state: str
    verdict: str
    why: str
    venue: str
    symbol: str
    market: str
    quoter: str
    account: str = ""
    mode: str = ""
    stage: str = ""
    ended: str = ""
    left: list[str] = Field(default=[], max_length=20)
    fills: int | None
    orders: int | None
    inventory: Number
    net: Number
    fees: Number
    funding: Number = None
    halted_by: str
    written_ms: int | None


class MakerLines(ApiModel):
    """The last written first."""

    items: list[MakerLine] = Field(max_length=200)


class MakerHalt(ApiModel):
    """What halted the quoting, seconds after its begin."""

    rule: str
    reason: str
    at_s: float


class FillClass(ApiModel):
    """Fills whose order had rested so long: how many, and the market's move in their favour at a horizon, bps."""

    from_s: float
    to_s: float | None
    orders: int
    move_bps: Number
    mfe_bps: Number
    mae_bps: Number
    adverse_frac: Number


class AfterFills(ApiModel):
    """The classes at one horizon."""

    horizon_s: float
    classes: list[FillClass] = Field(max_length=10)


class SpeedCount(ApiModel):
    """How many fills came so fast."""

    from_s: float
    to_s: float | None
    fills: int


class MakerFill(ApiModel):
    """One fill, seconds after the begin; `by`: queue, through (a trade beyond the price), book (it crossed), or venue: an
    account's."""

    t_s: float
    side: Literal["buy", "sell"]
    price: float
    quantity: float
    rested_s: float
    by: str


class MakerPoints(ApiModel):
    """Columns over time: the book's best prices, the maker's own, inventory, money without fees, after them, with a rebate."""

    t_s: list[float] = Field(default=[], max_length=600)
    bid: Column = Field(default=[], max_length=600)
    ask: Column = Field(default=[], max_length=600)
    own_bid: Column = Field(default=[], max_length=600)
    own_ask: Column = Field(default=[], max_length=600)
    inventory: Column = Field(default=[], max_length=600)
    gross: Column = Field(default=[], max_length=600)
    net: Column = Field(default=[], max_length=600)
    with_rebate: Column = Field(default=[], max_length=600)


class MakerMoney(ApiModel):
    """Quote currency; gross = spread_captured + moves."""

    gross: float
    fees: float
    net: float
    with_rebate: float
    close_cost: float
    net_closed: float
    spread_captured: float
    moves: float
    traded: float
    net_bps: Number
    round_trips: int


class MakerView(MakerLine):
    """One maker; what needs the whole tape (pnl, after_fills) is null or empty until it is over."""

    file: str | None
    begun_ms: int | None
    span_s: Number
    options: dict[str, str | float]
    fees_bps: dict[str, float]
    halt: MakerHalt | None
    pnl: MakerMoney | None
    windows_net: list[float] = Field(max_length=20)
    after_fills: list[AfterFills] = Field(max_length=10)
    by_speed: list[SpeedCount] = Field(max_length=10)
    points: MakerPoints
    last_fills: list[MakerFill] = Field(max_length=200)


@router.get("")
def makers(at: At, _: Who) -> MakerLines:
    """Makers that `nightdesk making` has simulated and kept, or runs on paper or at an account."""
    return MakerLines(items=[MakerLine(**line) for line in maker_lines(at.path)])


@router.get("/{name}")
def maker(at: At, _: Who, name: str = Path(max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")) -> MakerView:
    """One of them: quotes against the book, inventory, fills by speed, what the market did after them."""
    try:
        found = maker_view(at.path, name)
    except BadInput as error:
        raise NotFound(error.what, error.hint) from error
    found.pop("activity")
    try:
        return MakerView(**found)
    except ValidationError as error:
        fault = error.errors()[0]
        raise DataError(f"the maker {name!r} cannot be shown: {fault['loc']}: {fault['msg']}"[:200], "run it again") from error
