"""Response models of incident windows, differences from the venue and orders. Used by app.api.incidents.

Times are UTC milliseconds of desk time, those in `_wall_ms` and `received_ms` of the machine; money is in the quote currency.
"""

from typing import Any

from app.api.models import ApiModel, Number, StoryView, Texts


class PartsView(ApiModel):
    """A P&L since the start and its two parts: incident + strategy = whole."""

    whole: Number
    incident: Number
    strategy: Number


class PnlPartsView(PartsView):
    """The desk's and each sleeve's; what orphans made is in the desk's alone."""

    sleeves: dict[str, PartsView]


class IncidentView(ApiModel):
    """An incident window. `pnl` holds what is marked, and the orphans; of an open window it is as of the last mark."""

    id: str
    state: str
    opened_ms: int
    closed_ms: int | None
    opened_wall_ms: int
    closed_wall_ms: int | None
    cause: str
    causes: Texts
    opened_by: str
    closed_by: str | None
    lesson: str | None = None
    sleeves: Texts
    instruments: Texts
    pnl: Number
    realised: Number
    fees: Number
    funding: Number
    orphans: Number
    opened_event: str
    closed_event: str | None


class IncidentStory(IncidentView):
    """With its orders, what keeps it from being closed, and its runbooks: `incident` and those of its causes."""

    orders: Texts
    lasting: Texts
    runbooks: Texts


class IncidentList(ApiModel):
    """Windows, newest first; `total` counts those that are left out, too. `pnl` is null before the first bar."""

    items: list[IncidentView]
    total: int
    pnl: PnlPartsView | None


class ChoiceView(ApiModel):
    """What a person can do about a difference, and what that does."""

    choice: str
    does: str


class DifferenceView(ApiModel):
    """Something at the venue that the desk cannot explain."""

    what: str
    text: str
    instrument: str | None
    since_ms: int | None
    event: str | None
    card: dict[str, Any]
    choices: list[ChoiceView]


class OrphanView(ApiModel):
    """Lots that no order explains, which the desk closes."""

    instrument: str
    lots: int
    tries: int
    orders: Texts


class DustView(ApiModel):
    """Lots of a layer that the venue takes no order of: its least order is `least_lots`."""

    sleeve: str
    layer: int
    lots: int
    least_lots: int


class Reconciliation(ApiModel):
    """What desk and venue differ in; `blocked`: what else keeps entries away."""

    differences: list[DifferenceView]
    entries_blocked: bool
    blocked: dict[str, str]
    orphans: list[OrphanView]
    dust: list[DustView]
    windows: Texts


class OrderState(ApiModel):
    """One state of an order's life."""

    state: str
    t_ms: int
    received_ms: int
    why: str
    event: str


class OrderFill(ApiModel):
    """One execution of an order."""

    trade: str | None
    lots: int
    price: Number
    fee: Number
    liquidity: str | None
    t_ms: int | None
    received_ms: int
    event: str


class OrderView(ApiModel):
    """An order as it lived. `cid`: its client id; `layer`: the key of the layer."""

    cid: str
    venue_id: str | None
    sleeve: str
    instrument: str
    leg: int
    layer: int
    slot: str
    side: str
    type: str
    price: Number
    lots: int
    lot_size: Number
    filled_lots: int
    state: str
    open: bool
    states: list[OrderState]
    fills: list[OrderFill]


class OrderList(ApiModel):
    """Orders of the last days, open ones first, then the newest."""

    items: list[OrderView]


class EventStory(StoryView):
    """An event with its causes and consequences and, of an order's event, the order's whole life so far."""

    order: OrderView | None = None
