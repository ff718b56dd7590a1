"""Bybit v5 in words: instruments, ids, numbers, states, and the code of each refusal. Codes are those of ccxt's table.

An order that waits for its trigger and what it becomes are one order at Bybit: one id, one `orderLinkId`, from Untriggered on.
"""

import re
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import PICO, Contract
from tests.fakes.exchange.orders import Algo, Order

ORDER_BASE, TRADE_BASE, BILL_BASE = (int(UUID(text)) for text in (
    "5cf98598-39a7-459e-97bf-000000000000",
    "7e2ae69c-4edf-5800-a352-000000000000",
    "534c0003-4bf7-486f-aa02-000000000000",
))  # fmt: skip
SEQ_BASE = 140_612_148_000_000
LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
STATES = {o.WORKING: "New", o.PARTIAL: "PartiallyFilled", o.FILLED: "Filled", o.CANCELED: "Cancelled"}
ALGO_STATES = {o.WORKING: "Untriggered", o.CANCELED: "Deactivated", o.FAILED: "Rejected"}
OPEN_STATES = ("New", "PartiallyFilled", "Untriggered", "Triggered")
ENDED_STATES = ("Filled", "Cancelled", "Deactivated", "Rejected", "PartiallyFilledCanceled")
KINDS = {"GTC": o.LIMIT, "PostOnly": o.POST_ONLY, "IOC": o.IOC, "FOK": o.FOK}
IN_FORCE = {kind: word for word, kind in KINDS.items()} | {o.MARKET: "IOC"}
CANCEL_TYPES = {
    "asked": "CancelByUser",
    "reduce_only": "CancelByReduceOnly",
    "dead_man": "CancelByDCP",
    "venue": "CancelByAdmin",
    "cleared": "CancelByTpSlTsClear",
    "nothing_to_reduce": "CancelByReduceOnly",
}
REJECT_REASONS = {
    "asked": "EC_PerCancelRequest",
    "post_only": "EC_PostOnlyWillTakeLiquidity",
    "ioc": "EC_NoImmediateQtyToFill",
    "fok": "EC_NoImmediateQtyToFill",
}
# stopOrderType: of a conditional order that was placed by itself, and of those that belong to the position
STOP, STOP_LOSS, TAKE_PROFIT = "Stop", "StopLoss", "TakeProfit"
PART = "Partial"  # in front of StopLoss and TakeProfit where they are for a part of the position

PARAMS = "10001"  # whatever is wrong with a field
SYSTEM = ("10016", "Internal System Error.")
BUSY = ("110079", "The order is processing and can not be operated, please try again later")
GONE = ("110001", "order not exists or too late to cancel")
NO_MARGIN = ("110007", "ab not enough for new order")
PLACE_CODES = {
    o.DUPLICATE: ("110072", "OrderLinkedID is duplicate"),
    o.TOO_SMALL: (PARAMS, "The number of contracts exceeds minimum limit allowed"),
    o.TOO_LARGE: (PARAMS, "The number of contracts exceeds maximum limit allowed: too large"),
    o.BAD_PRICE: (PARAMS, "params error: price invalid"),
    o.BAD_NOTIONAL: ("110094", "Order does not meet minimum order value 5USDT"),
    o.NO_MARGIN: NO_MARGIN,
    o.NOTHING_TO_REDUCE: ("110017", "current position is zero, cannot fix reduce-only order qty"),
}
CANCEL_CODES = {o.NOT_FOUND: GONE, o.ENDED: GONE}
AMEND_CODES = CANCEL_CODES | {
    o.TOO_SMALL: PLACE_CODES[o.TOO_SMALL],
    o.TOO_LARGE: PLACE_CODES[o.TOO_LARGE],
    o.BAD_PRICE: PLACE_CODES[o.BAD_PRICE],
    o.BAD_NOTIONAL: PLACE_CODES[o.BAD_NOTIONAL],
    o.UNCHANGED: (PARAMS, "The order remains unchanged as the parameters entered match the existing ones."),
}


class Instrument(NamedTuple):
    """A perpetual: sizes are base units on the wire, lots here."""

    name: str  # of the exchange's contract
    symbol: str
    lot: Decimal  # base units
    tick: Decimal

    def size(self, lots: int) -> str:
        """Lots as base units."""
        return number(lots * self.lot)

    def price(self, ticks: int, none: str = "") -> str:
        """Ticks as a price; `none` for none."""
        return number(ticks * self.tick) if ticks else none

    def average(self, turnover: int, filled: int) -> str:
        """The price of what has filled; empty for nothing."""
        return number((Decimal(turnover) / filled * self.tick).quantize(Decimal("1e-8"))) if filled else ""

    def value(self, lot_ticks: int) -> str:
        """Lots times ticks as quote units."""
        return number(lot_ticks * self.lot * self.tick)

    def lots(self, text: Any, name: str = "qty") -> int:
        """Base units as lots. Raises Fault."""
        return multiple(text, self.lot, name)

    def ticks(self, text: Any, name: str = "price") -> int:
        """A price as ticks; nothing, and 0, is 0. Raises Fault."""
        return multiple(text, self.tick, name) if text not in ("", None) else 0


class Fault(Exception):
    """Bybit says no: a code and a message. `status` is that of HTTP."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


def wrong(name: str) -> Fault:
    """A field is not as it must be."""
    return Fault(PARAMS, f"params error: {name} invalid")


def instrument_of(contract: Contract) -> Instrument:
    """BTC as BTCUSDT."""
    return Instrument(contract.name, f"{contract.name}USDT", contract.lot, contract.tick)


def multiple(text: Any, step: Decimal, name: str) -> int:
    """A positive multiple of a step. Raises Fault: not text, not a number, or between two steps."""
    try:
        count = Decimal(text) / step if isinstance(text, str) else None
    except ArithmeticError:
        count = None
    if count is None or not count.is_finite() or count < 0 or count != int(count):
        raise wrong(name)
    return int(count)


def number(value: Decimal) -> str:
    """Every digit, without zeros at the end and without an exponent."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def money(pico: int) -> str:
    """Pico as quote units."""
    return number(Decimal(pico) / PICO)


def side_of(text: Any) -> int:
    """Buy or Sell. Raises Fault."""
    if text not in ("Buy", "Sell"):
        raise Fault(PARAMS, "Side invalid")
    return 1 if text == "Buy" else -1


def side_word(side: int) -> str:
    """Buy or Sell; None has no side."""
    return {1: "Buy", -1: "Sell", 0: ""}[(side > 0) - (side < 0)]


def link_id(fields: dict[str, Any]) -> str:
    """orderLinkId: letters, digits, dashes and underscores, 36 at most, or none. Raises Fault."""
    text = fields.get("orderLinkId") or ""
    if not isinstance(text, str) or (text and not LINK.fullmatch(text)):
        raise Fault(PARAMS, "params error: OrderLinkId invalid or longer than 36")
    return text


def whole(fields: dict[str, Any], name: str, least: int, most: int, default: int) -> int:
    """A whole number between two limits, as JSON or as text. Raises Fault."""
    text = fields.get(name)
    if text in (None, ""):
        return default
    if not str(text).isdigit() or not least <= int(text) <= most:
        raise wrong(name)
    return int(text)


def truth(fields: dict[str, Any], name: str) -> bool:
    """A boolean; Bybit takes no text for one. Raises Fault."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise wrong(name)
    return value


def order_id(order: Order | Algo | int) -> str:
    """The id of an order: that of the conditional one that placed it, where there is one."""
    own = order if isinstance(order, int) else (getattr(order, "parent", 0) or order.id)
    return str(UUID(int=ORDER_BASE + own))


def own_number(text: Any) -> int:
    """The exchange's number of an order's id; 0 for what is no id of this venue."""
    try:
        return max(0, int(UUID(str(text))) - ORDER_BASE)
    except ValueError:
        return 0


def trade_id(trade: int) -> str:
    """execId of a trade."""
    return str(UUID(int=TRADE_BASE + trade))


def bill_id(bill: int) -> str:
    """execId of a funding, and tradeId of its line in the transaction log."""
    return str(UUID(int=BILL_BASE + bill))
