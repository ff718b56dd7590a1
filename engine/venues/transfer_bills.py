"""Which lines of a venue's bills are neither an execution nor a funding settlement: money that was moved, by their type.

Called by okx.py, binance.py and bybit.py. A type that is in no table is `unknown`: named and counted apart, never left out. What
executions and settlements move is booked from those (`BOOKED`), and what moves between parts of the account moves no cash of it.
The types of a table are the venue's; where ccxt 4.5.90 does not name one, it is from memory.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.errors import DataError
from engine.venues.live_port import VenueTransfer

DEPOSIT, WITHDRAWAL, BONUS, REBATE, INTEREST, CLAWBACK = "deposit", "withdrawal", "bonus", "rebate", "interest", "clawback"
MOVED = "moved"  # in or out, as its sign says
UNKNOWN = "unknown"
BOOKED = ""  # elsewhere, or not at all
CASH_MAX = 1e12  # quote units of one bill
WORD_MAX = 60  # letters of a type that are kept


class BillFields(NamedTuple):
    """How a venue names the fields of a bill, and what it says by its types."""

    id_of: Callable[[Mapping[str, Any]], str]  # unique in the account
    type: str
    cash: str
    t_ms: str
    kinds: Mapping[str, str]


OKX = BillFields(
    lambda row: str(row["billId"]),
    *("type", "balChg", "ts"),
    {"1": MOVED, "7": INTEREST, "10": CLAWBACK, "12": MOVED}  # 12: from or to a trading bot; from memory
    # trade, delivery, liquidation, margin of a position, funding, ADL
    | dict.fromkeys(("2", "3", "5", "6", "8", "9"), BOOKED),
)
BINANCE = BillFields(
    lambda row: f"{row['incomeType']}:{row['tranId']}",
    *("incomeType", "income", "time"),
    dict.fromkeys(("TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "STRATEGY_UMFUTURES_TRANSFER"), MOVED)
    | {"COIN_SWAP_DEPOSIT": DEPOSIT, "COIN_SWAP_WITHDRAW": WITHDRAWAL, "INSURANCE_CLEAR": CLAWBACK}
    | dict.fromkeys(("WELCOME_BONUS", "CONTEST_REWARD", "BFUSD_REWARD"), BONUS)
    | dict.fromkeys(("REFERRAL_KICKBACK", "COMMISSION_REBATE", "API_REBATE", "FEE_RETURN"), REBATE)
    | dict.fromkeys(("REALIZED_PNL", "COMMISSION", "FUNDING_FEE"), BOOKED),
)
BYBIT = BillFields(
    lambda row: str(row["id"]),
    *("type", "change", "transactionTime"),
    {"TRANSFER_IN": DEPOSIT, "TRANSFER_OUT": WITHDRAWAL, "FEE_REFUND": REBATE, "INTEREST": INTEREST}
    | dict.fromkeys(("BONUS", "BONUS_RECOLLECT", "AIRDROP"), BONUS)  # the last two from memory
    | dict.fromkeys(("TRADE", "SETTLEMENT", "DELIVERY", "LIQUIDATION", "ADL"), BOOKED),
)


def named_transfers(venue: str, rows: Sequence[Mapping[str, Any]], fields: BillFields) -> list[VenueTransfer]:
    """The bills that moved money beside executions and settlements, each once, oldest first. Raises DataError for one that
    cannot be read: none of them is assumed then.
    """
    found: dict[str, VenueTransfer] = {}
    for row in rows:
        try:
            transfer = _named(row, fields)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise DataError(
                f"a bill of {venue} cannot be read: {type(error).__name__} {error}"[:200], "compare its bills"
            ) from error
        if transfer is not None:
            found[transfer.bill] = transfer
    return sorted(found.values(), key=lambda transfer: (transfer.t_ms, transfer.bill))


def _named(row: Mapping[str, Any], fields: BillFields) -> VenueTransfer | None:
    """One bill; None where it is booked elsewhere, or has moved nothing."""
    word = str(row[fields.type])
    kind = fields.kinds.get(word, UNKNOWN)
    if kind == BOOKED:
        return None
    cash, t_ms, id_ = float(row[fields.cash] or 0.0), int(row[fields.t_ms]), fields.id_of(row)
    if not (math.isfinite(cash) and abs(cash) <= CASH_MAX):
        raise ValueError(f"{cash} is not an amount")
    if not id_ or len(id_) > 2 * WORD_MAX:
        raise ValueError("it has no id that can be kept, so it cannot be booked exactly once")
    if kind == MOVED:
        kind = DEPOSIT if cash > 0 else WITHDRAWAL
    return VenueTransfer(id_, kind, word[:WORD_MAX], cash, t_ms) if cash else None
