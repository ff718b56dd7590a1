"""OKX v5 in words: instruments, ids, numbers, states, and the code of each refusal. Codes are those of ccxt's table."""

from decimal import Decimal
from typing import Any, NamedTuple

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import PICO, Contract
from tests.fakes.exchange.orders import Algo, Order

ORDER_BASE, ALGO_BASE, BILL_BASE = 2_497_956_918_000_000_000, 706_620_792_000_000_000, 623_950_854_000_000_000
STATES = {o.WORKING: "live", o.PARTIAL: "partially_filled", o.FILLED: "filled", o.CANCELED: "canceled"}
ALGO_STATES = {o.WORKING: "live", o.TRIGGERED: "effective", o.CANCELED: "canceled", o.FAILED: "order_failed"}
KINDS = {"market": o.MARKET, "limit": o.LIMIT, "post_only": o.POST_ONLY, "ioc": o.IOC, "fok": o.FOK}
CANCEL_SOURCES = {"asked": "1", "reduce_only": "13", "post_only": "31", "ioc": "14", "fok": "15", "dead_man": "20", "venue": "0"}

PLACE_CODES = {
    o.DUPLICATE: ("51016", "Client order ID already exists."),
    o.TOO_SMALL: ("51020", "Your order should meet or exceed the minimum order amount."),
    o.TOO_LARGE: ("51202", "Market order amount exceeds the maximum amount."),
    o.BAD_PRICE: ("51000", "Parameter px error"),
    o.BAD_NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    o.NO_MARGIN: ("51008", "Order failed. Insufficient USDT margin in account"),
    o.NOTHING_TO_REDUCE: ("51169", "Order failed because you don't have any positions in this direction to reduce or close."),
}
CANCEL_CODES = {
    o.NOT_FOUND: ("51400", "Cancellation failed as the order has been filled, canceled or does not exist."),
    o.ENDED: ("51400", "Cancellation failed as the order has been filled, canceled or does not exist."),
}
AMEND_CODES = {
    o.NOT_FOUND: ("51503", "Order modification failed as the order has been filled, canceled or does not exist."),
    o.ENDED: ("51503", "Order modification failed as the order has been filled, canceled or does not exist."),
    o.TOO_SMALL: ("51000", "Parameter newSz error"),
    o.TOO_LARGE: ("51000", "Parameter newSz error"),
    o.BAD_PRICE: ("51000", "Parameter newPx error"),
    o.UNCHANGED: ("51500", "You must enter a price, quantity, or TP/SL"),
    o.BAD_TRIGGER: ("51280", "SL trigger price cannot be on the other side of the last price"),
}


class Instrument(NamedTuple):
    """A swap: sizes are contracts on the wire, lots here."""

    name: str  # of the exchange's contract
    inst_id: str
    lot: Decimal  # contracts a lot
    ct_val: Decimal  # base units a contract
    tick: Decimal
    code: int  # instIdCode: ccxt orders by socket with it, where the instrument's row has one

    @property
    def family(self) -> str:
        """BTC-USDT."""
        return self.inst_id.removesuffix("-SWAP")

    def contracts(self, lots: int) -> str:
        """Lots as contracts."""
        return number(lots * self.lot)

    def price(self, ticks: int) -> str:
        """Ticks as a price; empty for none."""
        return number(ticks * self.tick) if ticks else ""

    def lots(self, text: Any, name: str = "sz") -> int:
        """Contracts as lots. Raises Fault."""
        return multiple(text, self.lot, Fault("51121", "Order quantity must be a multiple of the lot size."), name)

    def ticks(self, text: Any, name: str = "px") -> int:
        """A price as ticks; nothing is 0. Raises Fault."""
        return multiple(text, self.tick, Fault("51000", f"Parameter {name} error"), name) if text not in ("", None) else 0


class Fault(Exception):
    """OKX says no: a code and a message. `status` is that of HTTP."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class Refusal(Exception):
    """Every item of a request was refused: the rows say why."""

    def __init__(self, code: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(code)
        self.code, self.rows = code, rows


def instrument_of(contract: Contract, ct_val: str, code: int) -> Instrument:
    """BTC as BTC-USDT-SWAP, with so many base units a contract."""
    lot = contract.lot / Decimal(ct_val)
    return Instrument(contract.name, f"{contract.name}-USDT-SWAP", lot, Decimal(ct_val), contract.tick, code)


def multiple(text: Any, step: Decimal, fault: Fault, name: str) -> int:
    """A positive multiple of a step. Raises Fault: not text, not a number, or between two steps."""
    try:
        count = Decimal(text) / step if isinstance(text, str) else None
    except ArithmeticError:
        count = None
    if count is None or not count.is_finite() or count < 0:
        raise Fault("51000", f"Parameter {name} error")
    if count != int(count):
        raise fault
    return int(count)


def number(value: Decimal) -> str:
    """Every digit, without zeros at the end and without an exponent."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def money(pico: int) -> str:
    """Pico as quote units."""
    return number(Decimal(pico) / PICO)


def side_of(text: Any) -> int:
    """buy or sell. Raises Fault."""
    if text not in ("buy", "sell"):
        raise Fault("51000", "Parameter side error")
    return 1 if text == "buy" else -1


def client_id(fields: dict[str, Any], name: str) -> str:
    """A client id: 1 to 32 letters and digits, or none. Raises Fault."""
    text = fields.get(name) or ""
    if text and not (isinstance(text, str) and text.isascii() and text.isalnum() and len(text) <= 32):
        raise Fault("51000", f"Parameter {name} error")
    return text


def bill_id(number_: int) -> str:
    """The id of a bill, ascending."""
    return str(BILL_BASE + number_)


def order_id(order: Order | int) -> str:
    """The id of a normal order."""
    return str(ORDER_BASE + (order.id if isinstance(order, Order) else order))


def algo_id(algo: Algo | int) -> str:
    """The id of an algo."""
    return str(ALGO_BASE + (algo.id if isinstance(algo, Algo) else algo))
