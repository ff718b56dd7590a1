"""What the venue adapters have alike: what an error says of an order, a question without an answer, and exact sizes and prices.

Called by okx.py, binance.py and bybit.py. Sizes of a venue are text in units of its own; the desk counts lots.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.errors import DataError
from engine.redaction import redacted
from engine.venues.live_port import LiveAnswer, VenuePosition, VenueTrade
from engine.venues.outcome import NOT_FOUND, REFUSALS, Outcome, answer_text, outcome_of, words_of
from engine.venues.outcome import UNKNOWN as UNPROVEN

P = ParamSpec("P")
R = TypeVar("R")
LOOKS_S = (0.0, 0.5, 2.0, 4.0)  # before each look whether an order has moved
AS_IT_WAS = ("unchanged", "You must enter a price")  # Bybit's and OKX's words for an amendment to what is there already


def failed(order: VenueOrder, error: BaseException, table: Mapping[str, Outcome]) -> LiveAnswer:
    """What the error of a request says of its order, by the venue's table of codes."""
    outcome = outcome_of(error, table)
    state = REJECTED if outcome in REFUSALS else UNKNOWN
    return LiveAnswer(order.id, state, order.filled, redacted(words_of(error))[:200], outcome=outcome)


def unasked(order: VenueOrder, error: BaseException, table: Mapping[str, Outcome]) -> LiveAnswer:
    """What the error of a question says of its order: that it is not there, or nothing. A refused question ends no order."""
    found = failed(order, error, table)
    return found if found.outcome == NOT_FOUND else found._replace(state=UNKNOWN, outcome=UNPROVEN)


async def moved(
    wanted: LiveAnswer, ask: Callable[[], Coroutine[Any, Any, LiveAnswer]], again: Callable[[], Coroutine[Any, Any, LiveAnswer]]
) -> LiveAnswer:
    """An acknowledged amendment, looked at: the request has arrived, and may still come to nothing. `wanted` says where the order
    should stand; `again` sends it once more while `ask` shows it elsewhere. What the venue acknowledges each time is believed:
    its lists may be late.
    """
    for wait_s in LOOKS_S:
        await asyncio.sleep(wait_s)
        there = await ask()
        if there.state == UNKNOWN:
            continue
        if there.state not in (WORKING, PARTIAL):
            return there
        if is_at(there, wanted):
            return there._replace(price=wanted.price, lots=wanted.lots)  # a float's error apart, the plan would move it again
        if not wait_s:
            continue  # it may be moving
        sent = await again()
        if any(words in sent.why for words in AS_IT_WAS):
            return wanted
        if sent.outcome in (*REFUSALS, NOT_FOUND):
            return (await ask())._replace(why=sent.why, outcome=sent.outcome)
    return wanted


def is_at(there: LiveAnswer, wanted: LiveAnswer) -> bool:
    """Whether an order stands where it should; prices are equal but for a float's error."""
    apart = abs((there.price or 0.0) - (wanted.price or 0.0))
    return there.lots == wanted.lots and apart <= 1e-7 * (wanted.price or 0.0)


def together(parts: Sequence[LiveAnswer]) -> LiveAnswer:
    """The orders that one conditional order has placed, as one: it has ended once all of them have, and fills what they fill."""
    first = next((part for part in parts if part.state != DONE), parts[-1])
    filled = sum(part.filled_lots for part in parts)
    if len(parts) == 1:
        return first
    state = PARTIAL if filled and first.state == WORKING else first.state
    return first._replace(state=state, filled_lots=filled, price=None, lots=None)


def silent(venue: str, question: str, error: BaseException) -> DataError:
    """A question without an answer."""
    what = f"{venue} did not answer {question}: {redacted(words_of(error))[:200]}"
    return DataError(what, "nothing is assumed of it; check the venue's status page and the key's rights")


def readable(venue: str, question: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Of an adapter's question: an answer without what it asks for (an error in a list, null, a field that is empty) is none.
    The question raises DataError alone.
    """

    def of(ask: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @wraps(ask)
        async def question_answered(*about: P.args, **named: P.kwargs) -> R:
            try:
                return sound(await ask(*about, **named))
            except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
                raise silent(venue, f"{question} in words that can be read ({type(error).__name__})", error) from error

        return question_answered

    return of


def sound(found: R) -> R:
    """What a question has brought. Raises ValueError for a number that is none, and for an execution at no price or of less than
    no lots: what is booked stays booked.
    """
    rows: Any = [found] if isinstance(found, VenuePosition) else found[0] if isinstance(found, tuple) else found
    for row in rows:
        if any(isinstance(value, float) and not math.isfinite(value) for value in row):
            raise ValueError(f"a number that is none in {row}"[:200])
        if isinstance(row, VenueTrade) and not (row.price > 0.0 and row.lots >= 0):
            raise ValueError(f"an execution of {row.lots} lots at {row.price}")
    return found


def level_of(price: Any) -> float:
    """Where an order stands, quote units; nothing is 0. Raises ValueError for what is no price."""
    found = float(price or 0.0)
    if not (math.isfinite(found) and found >= 0.0):
        raise ValueError(f"{price} is not a price")
    return found


def row_of(answer: Any) -> Mapping[str, Any]:
    """An answer that is one row. Raises TypeError for a page of HTML."""
    if not isinstance(answer, Mapping):
        raise TypeError(f"no row: {answer_text(answer)}")
    return answer


def fee_of(cost: Any, asset: Any, quote: str) -> tuple[float, str]:
    """What an execution cost, quote units, and in words what was taken of another asset instead: none of that is cash of ours."""
    fee = float(cost or 0.0)
    return (fee, "") if not asset or asset == quote or not fee else (0.0, f"{fee:.10g} {asset}")


def row_about(row: Mapping[str, Any], field: str, id_: str) -> Mapping[str, Any]:
    """The row, where it is about what was asked for. Raises LookupError for one of another order: it says nothing of this one."""
    if row[field] != id_:
        raise LookupError(f"an answer about {str(row[field])[:40]!r}, and {id_} was asked for")
    return row


def rows_about(rows: Sequence[Mapping[str, Any]], field: str, name: str) -> list[Mapping[str, Any]]:
    """The rows about what was asked for: a venue may list others beside them. One that names nothing is about it."""
    return [row for row in rows if row.get(field, name) == name]


def each_apart(rows: Sequence[Mapping[str, Any]], field: str) -> list[Mapping[str, Any]]:
    """Executions, each with an id of its own. Where two orders of one account have met, both sides are listed under one id: the
    seller's has its side behind it, which the stream's number is without.
    """
    bought = {row[field] for row in rows if row["side"].upper() == "BUY"}
    twins = [row["side"].upper() == "SELL" and row[field] in bought for row in rows]
    return [{**row, field: f"{row[field]}@{row['side']}"} if twin else row for row, twin in zip(rows, twins, strict=True)]


def size_of(lots: int, unit: Decimal) -> str:
    """Lots in the venue's units, of which `unit` are one lot: exact."""
    return f"{(lots * unit).normalize():f}"


def lots_of(size: Any, unit: Decimal, symbol: str) -> int:
    """The venue's units as lots; nothing is 0. Raises DataError for what is no whole number of lots."""
    found = Decimal(str(size or 0)) / unit
    if found != found.to_integral_value():
        raise DataError(f"{symbol}: {size} falls between two lots of {unit}", "check lot_size in desk.toml")
    return int(found)


def price_of(price: float, tick: float) -> str:
    """A price on the instrument's tick, exact. It is on the tick already, up to a float's error."""
    step = Decimal(str(tick))
    return f"{(round(Decimal(str(price)) / step) * step).normalize():f}"
