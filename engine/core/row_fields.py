"""What a journal row says, by kind: one NamedTuple a kind, each field with the column of state.Row that holds it.

Read by book/events.py (one row at a time) and by sim/ (frames of rows), never compiled; rows.py writes the rows.
`Annotated[float, "fee"]` is a number in the column `fee`; a field without a note is in the column of its own name. Money is in
quote units.
"""

from operator import itemgetter
from typing import Annotated, Any, NamedTuple, get_type_hints

from .rows import unpack, unpack_ref
from .state import K_BREAKER, K_CAPS, K_DECISION, K_FILL, K_FUNDING, K_SIZE, Row

TAG = ("sleeve", "kind", "code", "rule", "side", "layer", "binding")  # as unpack() gives them
REF = ("leg", "pair", "key")  # as unpack_ref() gives them
VALUES = Row._fields[3:]  # lots, price, fee, equity, a, b
COLUMNS = (*TAG, *REF, *VALUES)


class DecisionRow(NamedTuple):
    """What a close decided, and where the first layer's orders stand after it."""

    action: Annotated[int, "code"]
    rule: int  # the exit reason of an exit, the rule of a refusal or of an entry order that it cancels
    signal: Annotated[int, "side"]
    layers: Annotated[int, "layer"]  # open ones
    key: int  # of the entry order after it; 0: none
    lots_before: Annotated[int, "lots"]  # of the position, with its side
    close: Annotated[float, "price"]
    strength: Annotated[float, "fee"]
    equity: float  # of the sleeve
    protective: Annotated[float, "a"]
    target: Annotated[float, "b"]  # 0: none


class SizeRow(NamedTuple):
    """How large an entry was wanted and approved; stands behind its decision."""

    action: Annotated[int, "code"]
    rule: int  # that refused; 0: none
    signal: Annotated[int, "side"]
    layers: Annotated[int, "layer"]
    cap_binding: Annotated[int, "binding"]
    key: int
    lots_approved: Annotated[int, "lots"]
    price_reviewed: Annotated[float, "price"]
    risk_frac: Annotated[float, "fee"]
    units_wanted: Annotated[float, "equity"]  # base units, before the caps
    stop_distance: Annotated[float, "a"]
    target_distance: Annotated[float, "b"]


class CapsRow(NamedTuple):
    """Every cap of that size in base units, in the order of state.CAPS; stands behind it."""

    cap_risk: Annotated[float, "price"]
    cap_volatility: Annotated[float, "fee"]
    cap_notional: Annotated[float, "equity"]
    cap_leverage: Annotated[float, "a"]
    cap_participation: Annotated[float, "b"]


class FillRow(NamedTuple):
    """One execution."""

    slot: Annotated[int, "code"]
    reason: Annotated[int, "rule"]  # of an exit
    side: int  # of the trade
    layer: int
    maker: Annotated[int, "binding"]
    leg: int
    pair: int
    key: int  # of the layer
    lots: int
    price: float
    fee: float
    cash_after: Annotated[float, "equity"]
    reference_price: Annotated[float, "a"]
    round_trip_pnl: Annotated[float, "b"]  # when this fill left the sleeve flat; else 0


class FundingRow(NamedTuple):
    """A settlement that was paid or received."""

    held_side: Annotated[int, "side"]
    lots: int  # of the position, with its side
    mark: Annotated[float, "price"]
    cash_flow: Annotated[float, "fee"]
    cash_after: Annotated[float, "equity"]
    rate: Annotated[float, "a"]


class BreakerRow(NamedTuple):
    """A breaker that tripped."""

    breaker: Annotated[int, "code"]
    equity: float  # of the sleeve, or of the desk
    until_ms: Annotated[float, "a"]  # 0: a person has to release it


Fields = DecisionRow | SizeRow | CapsRow | FillRow | FundingRow | BreakerRow
KIND_OF: dict[type[Any], int] = {
    DecisionRow: K_DECISION,
    SizeRow: K_SIZE,
    CapsRow: K_CAPS,
    FillRow: K_FILL,
    FundingRow: K_FUNDING,
    BreakerRow: K_BREAKER,
}


def _columns(fields: type[Any]) -> dict[str, str]:
    """Field -> column, in the order of the fields."""
    hints = get_type_hints(fields, include_extras=True)
    return {name: getattr(hint, "__metadata__", (name,))[0] for name, hint in hints.items()}


COLUMN_OF = {fields: _columns(fields) for fields in KIND_OF}
_TAKE = {
    kind: (fields, itemgetter(*(COLUMNS.index(column) for column in COLUMN_OF[fields].values())))
    for fields, kind in KIND_OF.items()
}


def decode(row: Row) -> tuple[int, Fields]:
    """(sleeve, what the row says); the sleeve is DESK_ROW for a row about the whole desk."""
    sleeve, kind, *_ = tag = unpack(row.tag)
    fields, take = _TAKE[kind]
    return sleeve, fields(*take((*tag, *unpack_ref(row.ref), *row[3:])))
