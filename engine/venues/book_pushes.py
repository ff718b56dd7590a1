"""Raw messages of a venue's public diff channel -> what they say of a book or of trades, in base units, with the venue's own ids.

Called by app/market_data/book_recorder.py with everything that a ccxt.pro client receives, before ccxt reads it. Formats are
those of the venues' pages: OKX `books` and `trades`, Binance `depthUpdate`, its REST snapshot, `trade` and `aggTrade`, Bybit
`orderbook` and `publicTrade`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from engine.errors import DataError

LEVELS_MAX = 20_000  # of one message; venues send 10,000 at most
DIGITS = 12  # of a size in base units: contracts times what one is worth
PREVIOUS_NONE = -1
WHOLE_MAX = 1 << 62
PRICE_MAX, QUANTITY_MAX = 1e12, 1e15
Level = tuple[int, float, float]  # 0 bid, 1 ask; price; quantity


class BookPush(NamedTuple):
    """One message of a book, in the terms of a tape (engine/l2/tape.py)."""

    market_id: str
    snapshot: bool
    exch_ms: int
    first_id: int
    last_id: int
    prev_id: int
    levels: list[Level]


class TradePush(NamedTuple):
    """One trade."""

    market_id: str
    exch_ms: int
    price: float
    quantity: float
    buyer_maker: bool


Push = BookPush | TradePush
Units = Callable[[str], float]  # base units of one size of a market id


def pushes_of(venue: str, what: str, message: Any, units: Units) -> list[Push]:
    """What a message says of books and trades; nothing for any other one. `what`: ws (a dict), or rest ({url, body}).

    Raises DataError for one of these channels that cannot be read: a missing field, a number that is none, too many levels.
    """
    if not isinstance(message, Mapping):
        return []
    try:
        return READERS[venue](what, message, units)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{venue} sent a message that cannot be read ({type(error).__name__}: {error})"[:200]) from error


def okx(what: str, message: Mapping[str, Any], units: Units) -> list[Push]:
    """OKX: channel books with action snapshot or update, seqId and prevSeqId; channel trades, side of the taker."""
    about = message.get("arg") or {}
    channel = about.get("channel")
    if what != "ws" or channel not in ("books", "trades") or not (rows := message.get("data")):
        return []
    name = str(about["instId"])
    if channel == "trades":
        return [trade(name, whole_number(r["ts"]), r["px"], r["sz"], units(name), r["side"] == "sell") for r in rows]
    return [
        BookPush(
            name,
            message["action"] == "snapshot",
            whole_number(row["ts"]),
            whole_number(row["seqId"]),
            whole_number(row["seqId"]),
            whole_number(row["prevSeqId"]),
            levels(row["bids"], row["asks"], units(name)),
        )
        for row in rows
    ]


def binance(what: str, message: Mapping[str, Any], units: Units) -> list[Push]:
    """Binance: depthUpdate (U, u, and pu of perpetuals); the snapshot is a REST answer; trades have a flag."""
    if what == "rest":
        return binance_snapshot(message, units)
    row = message["data"] if isinstance(message.get("data"), Mapping) else message
    kind = row.get("e")
    if kind in ("trade", "aggTrade"):
        if row.get("X") not in (None, "MARKET"):  # insurance fund and liquidation prints are no trades of the book
            return []
        return [trade(str(row["s"]), whole_number(row["T"]), row["p"], row["q"], units(str(row["s"])), row["m"] is True)]
    if kind != "depthUpdate":
        return []
    name = str(row["s"])
    sent = whole_number(row.get("T") or row["E"])
    ids = whole_number(row["U"]), whole_number(row["u"]), whole_number(row.get("pu", PREVIOUS_NONE))
    return [BookPush(name, False, sent, *ids, levels(row["b"], row["a"], units(name)))]


def binance_snapshot(answer: Mapping[str, Any], units: Units) -> list[Push]:
    """GET depth: lastUpdateId, bids, asks; spot gives no time."""
    url = urlsplit(str(answer["url"]))
    if not url.path.endswith("/depth") or answer.get("status") != 200:
        return []
    name, body = parse_qs(url.query)["symbol"][0], json.loads(answer["body"])
    last = whole_number(body["lastUpdateId"])
    sent = whole_number(body.get("T") or body.get("E") or 0)
    return [BookPush(name, True, sent, last, last, PREVIOUS_NONE, levels(body["bids"], body["asks"], units(name)))]


def bybit(what: str, message: Mapping[str, Any], units: Units) -> list[Push]:
    """Bybit: topic orderbook.N.SYMBOL with type snapshot or delta, u rising by one; publicTrade, side of the taker."""
    word, _, rest = str(message.get("topic", "")).partition(".")
    if what != "ws" or word not in ("orderbook", "publicTrade"):
        return []
    data = message["data"]
    if word == "publicTrade":
        return [trade(str(r["s"]), whole_number(r["T"]), r["p"], r["v"], units(str(r["s"])), r["S"] == "Sell") for r in data]
    name, update = rest.partition(".")[2], whole_number(data["u"])
    sent = whole_number(message.get("cts") or message["ts"])
    snapshot = message["type"] == "snapshot"
    return [BookPush(name, snapshot, sent, update, update, PREVIOUS_NONE, levels(data["b"], data["a"], units(name)))]


READERS: dict[str, Callable[[str, Mapping[str, Any], Units], list[Push]]] = {"okx": okx, "binance": binance, "bybit": bybit}


def levels(bids: Sequence[Any], asks: Sequence[Any], unit: float) -> list[Level]:
    """Rows of [price, size, ...] of both sides. Raises ValueError for too many, and for numbers that are none."""
    if len(bids) + len(asks) > LEVELS_MAX:
        raise ValueError(f"{len(bids) + len(asks):,} levels, at most {LEVELS_MAX:,}")
    return [(side, *amounts(row[0], row[1], unit)) for side, rows in enumerate((bids, asks)) for row in rows]


def amounts(price: Any, size: Any, unit: float) -> tuple[float, float]:
    """(price, base units). Raises ValueError for numbers that are none, or beyond every market's."""
    found = float(price), round(float(size) * unit, DIGITS)
    if not (0.0 < found[0] <= PRICE_MAX and 0.0 <= found[1] <= QUANTITY_MAX):  # NaN is neither
        raise ValueError(f"{price} x {size}")
    return found


def whole_number(value: Any) -> int:
    """An id or a time. Raises ValueError for one that no tape can hold, TypeError and OverflowError for what is no number."""
    found = int(value)
    if not -1 <= found < WHOLE_MAX:
        raise ValueError(f"{str(value)[:40]} as an id or a time")
    return found


def trade(name: str, exch_ms: int, price: Any, size: Any, unit: float, buyer_maker: bool) -> TradePush:
    """One trade. Raises ValueError for numbers that are none."""
    return TradePush(name, exch_ms, *amounts(price, size, unit), buyer_maker)
