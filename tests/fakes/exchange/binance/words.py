"""Binance USD-M in words: instruments, ids, numbers, states, and the code of each refusal.

Codes and their sentences are those of ccxt's comments where it has one; which code the venue gives for what is from memory.
"""

import re
from decimal import Decimal
from typing import Any, NamedTuple

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import PICO, Contract
from tests.fakes.exchange.orders import Algo, Order

ORDER_BASE, ALGO_BASE, BILL_BASE = 974_828_000_000, 1_000_001_270_000_000, 4_480_321_991_774_000_000
STATES = {o.WORKING: "NEW", o.PARTIAL: "PARTIALLY_FILLED", o.FILLED: "FILLED", o.CANCELED: "CANCELED"}
EXPIRED = ("reduce_only", "post_only", "ioc", "fok")  # why an order ended that the venue calls EXPIRED, not CANCELED
ALGO_STATES = {o.WORKING: "NEW", o.CANCELED: "CANCELED", o.FAILED: "REJECTED"}
KINDS = {"GTC": o.LIMIT, "IOC": o.IOC, "FOK": o.FOK, "GTX": o.POST_ONLY}
FORCES = {kind: force for force, kind in KINDS.items()} | {o.MARKET: "GTC"}
CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")

UNKNOWN_ORDER = (-2011, "Unknown order sent.")
NO_ORDER = (-2013, "Order does not exist.")
NO_MARGIN = (-2019, "Margin is insufficient.")
PLACE_CODES = {
    o.DUPLICATE: (-4116, "ClientOrderId is duplicated."),
    o.TOO_SMALL: (-4004, "Quantity less than min quantity."),
    o.TOO_LARGE: (-4005, "Quantity greater than max quantity."),
    o.BAD_PRICE: (-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
    o.BAD_NOTIONAL: (-4164, "Order's notional must be no smaller than {least} (unless you choose reduce only)."),
    o.NO_MARGIN: NO_MARGIN,
    o.NOTHING_TO_REDUCE: (-2022, "ReduceOnly Order is rejected."),
    o.BAD_TRIGGER: (-2021, "Order would immediately trigger."),
}
CANCEL_CODES = {o.NOT_FOUND: UNKNOWN_ORDER, o.ENDED: UNKNOWN_ORDER}
AMEND_CODES = PLACE_CODES | {o.NOT_FOUND: NO_ORDER, o.ENDED: NO_ORDER, o.UNCHANGED: (-5027, "No need to modify the order.")}


class Fault(Exception):
    """Binance says no: a code and a message. `status` is that of HTTP."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class Instrument(NamedTuple):
    """A perpetual: sizes are base units on the wire, lots here."""

    contract: Contract

    @property
    def name(self) -> str:
        """Of the exchange's contract: BTC."""
        return self.contract.name

    @property
    def symbol(self) -> str:
        """BTCUSDT."""
        return f"{self.contract.name}USDT"

    def size(self, lots: int) -> str:
        """Lots as base units, with all digits of the step."""
        return f"{lots * self.contract.lot:f}"

    def price(self, ticks: int | Decimal) -> str:
        """Ticks as a price, with two digits or more."""
        return f"{(ticks * self.contract.tick).quantize(min(self.contract.tick, Decimal('0.01'))):f}"

    def average(self, turnover: int, lots: int) -> str:
        """Average price of a turnover in lots times ticks; 0.00 of none."""
        return f"{(Decimal(turnover) / lots * self.contract.tick).quantize(Decimal('1e-8')):f}" if lots else "0.00"

    def lots(self, fields: dict[str, Any], name: str = "quantity") -> int:
        """A size as lots. Raises Fault."""
        value = amount(fields, name)
        if value <= 0:
            raise Fault(-4003, "Quantity less than or equal to zero.")
        return steps(value, self.contract.lot, Fault(-4023, "Qty not increased by step size."))

    def ticks(self, fields: dict[str, Any], name: str = "price") -> int:
        """A price as ticks. Raises Fault."""
        value = amount(fields, name)
        if value <= 0:
            raise Fault(-4001, "Price less than 0.")
        return steps(value, self.contract.tick, Fault(-4014, "Price not increased by tick size."))


def required(fields: dict[str, Any], name: str) -> str:
    """A field that must be there. Raises Fault."""
    if not fields.get(name):
        raise Fault(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return str(fields[name])


def amount(fields: dict[str, Any], name: str) -> Decimal:
    """A number that must be there. Raises Fault."""
    text = required(fields, name)
    if not re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", text, re.ASCII):
        raise Fault(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'."
        )
    return Decimal(text)


def whole(fields: dict[str, Any], name: str) -> int | None:
    """A whole number, or None where it was not sent. Raises Fault."""
    text = str(fields.get(name, ""))
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise Fault(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def steps(value: Decimal, step: Decimal, fault: Fault) -> int:
    """How many steps a value is. Raises Fault between two."""
    count = value / step
    if count == int(count):
        return int(count)
    if -value.as_tuple().exponent > max(-step.as_tuple().exponent, 2):  # type: ignore[operator]  # finite: amount() has read it
        raise Fault(-1111, "Precision is over the maximum defined for this asset.")
    raise fault


def side_of(fields: dict[str, Any]) -> int:
    """BUY or SELL. Raises Fault."""
    if required(fields, "side") not in ("BUY", "SELL"):
        raise Fault(-1117, "Invalid side.")
    return 1 if fields["side"] == "BUY" else -1


def truth(fields: dict[str, Any], name: str) -> bool:
    """A boolean as text. Raises Fault."""
    text = str(fields.get(name, "false")).lower()
    if text not in ("true", "false"):
        raise Fault(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return text == "true"


def client_id(fields: dict[str, Any], name: str) -> str:
    """A client id of up to 36 letters, digits and .:/_-, or none. Raises Fault."""
    text = str(fields.get(name) or "")
    if len(text) > 36:
        raise Fault(-4015, "Client order id length should not be more than 36 chars")
    if text and not CLIENT_ID.fullmatch(text):
        raise Fault(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'.")
    return text


def number(value: Decimal) -> str:
    """At least eight digits after the point, and more where it has more."""
    text = f"{value:f}"
    return text if len(text.partition(".")[2]) >= 8 else f"{value:.8f}"


def money(pico: int) -> str:
    """Pico as quote units: 8 digits, and the rest of an amount that has one."""
    return f"{Decimal(pico) / PICO:.8f}" if pico % 10_000 == 0 else number(Decimal(pico) / PICO)


def order_id(order: Order | int) -> int:
    """The id of a normal order."""
    return ORDER_BASE + (order.id if isinstance(order, Order) else order)


def algo_id(algo: Algo | int) -> int:
    """The id of a conditional order."""
    return ALGO_BASE + (algo.id if isinstance(algo, Algo) else algo)


def client_of(order: Order) -> str:
    """The client id of an order; of the child of a conditional order that order's, or one that Binance invents: here in turn."""
    return order.client or (order.parent_client if order.id % 2 == 0 else "") or f"venue{order.id:017d}"


def status_of(order: Order) -> str:
    """NEW, PARTIALLY_FILLED, FILLED, CANCELED or EXPIRED."""
    return "EXPIRED" if order.state == o.CANCELED and order.why in EXPIRED else STATES[order.state]


def algo_status_of(algo: Algo, child: Order | None) -> str:
    """NEW, TRIGGERED while its child is open, FINISHED after, CANCELED, REJECTED."""
    if algo.state == o.TRIGGERED:
        return "TRIGGERED" if child is not None and child.is_open else "FINISHED"
    return ALGO_STATES[algo.state]
