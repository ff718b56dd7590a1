"""What the private streams of okx, binance and bybit say, as hints: which order or execution a message names, and no more.

Called by private_stream.py with raw messages: ccxt 4.5.90 folds two pushes into one, drops executions of some, and keeps the last
thousand orders that nobody reads here. Each reader raises KeyError, TypeError, ValueError or AttributeError for another shape.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.venues import account_binance, account_bybit, account_okx
from engine.venues.binance_versions import stem_of

ID_MAX = 64  # letters of an id; what is longer is nobody's
OKX_STAND = ("live", "partially_filled", "pause", "partially_effective")
BINANCE_STAND = ("NEW", "PARTIALLY_FILLED")  # one that is TRIGGERING has fired, and may stay so
BYBIT_STAND = ("New", "PartiallyFilled", "Untriggered", "Triggered", "Created")


class StreamHint(NamedTuple):
    """Something that a message names. Where to look, never what to book."""

    symbol: str  # the venue's own: BTC-USDT-SWAP, BTCUSDT
    order: str = ""  # client id; empty where the order has none of ours
    trade: str = ""  # id of an execution, as the venue's list will have it
    ended: bool = False  # the order no longer stands, or a conditional one has fired
    version: str = ""  # its whole id where several of the venue's orders are one of the desk


class Heard(NamedTuple):
    """What one message comes to."""

    hints: tuple[StreamHint, ...] = ()
    confirms: tuple[str, ...] = ()  # subscriptions that the venue has taken
    ends: str = ""  # why the connection is of no more use
    data: bool = False  # a push: nothing in it is for ccxt


class PrivateWords(NamedTuple):
    """How one venue words it."""

    topics: tuple[str, ...]  # each has to be confirmed; none: the connection itself is the subscription
    read: Callable[[Mapping[str, Any]], Heard]
    symbol: Callable[[str], str]  # BTC-USDT -> the venue's


def read_okx(message: Mapping[str, Any]) -> Heard:
    """Channels `orders` and `orders-algo`: an execution is a push of an order with a tradeId."""
    about, event = message.get("arg") or {}, message.get("event")
    if event == "subscribe":
        return Heard(confirms=(_text(about["channel"]),))
    if event in ("error", "notice"):  # a notice says that the connection will be closed for an upgrade
        return Heard(ends=f"{event} {_text(message.get('code'))} {str(message.get('msg'))[:80]}")
    channel = about.get("channel")
    if event is not None or channel not in ("orders", "orders-algo"):
        return Heard()
    name = "algoClOrdId" if channel == "orders-algo" else "clOrdId"
    return Heard(tuple(_okx_hint(row, name) for row in message["data"]), data=True)


def _okx_hint(row: Mapping[str, Any], name: str) -> StreamHint:
    return StreamHint(_text(row["instId"]), _text(row.get(name)), _text(row.get("tradeId")), row["state"] not in OKX_STAND)


def read_binance(message: Mapping[str, Any]) -> Heard:
    """Events of the user stream: ORDER_TRADE_UPDATE is order and execution, ALGO_UPDATE a conditional order."""
    event = message.get("e")
    if event == "listenKeyExpired":
        return Heard(ends="the listen key has expired")
    if event not in ("ORDER_TRADE_UPDATE", "ALGO_UPDATE"):
        return Heard(data=event == "ACCOUNT_UPDATE")
    row = message["o"]
    ended = row["X"] not in BINANCE_STAND
    if event == "ALGO_UPDATE":
        id_ = _text(row["caid"])
        return Heard((StreamHint(_text(row["s"]), stem_of(id_), "", ended, id_),), data=True)
    trade = _text(row["t"]) if row["x"] == "TRADE" else ""
    return Heard((StreamHint(_text(row["s"]), stem_of(_text(row["c"])), trade, ended),), data=True)


def read_bybit(message: Mapping[str, Any]) -> Heard:
    """Topics `order` and `execution`: two separate channels."""
    if message.get("op") == "subscribe" and message.get("success") is True:
        return Heard(confirms=("order", "execution"))
    if message.get("success") is False:
        return Heard(ends=f"refused: {str(message.get('ret_msg'))[:80]}")
    topic = message.get("topic")
    if topic == "order":
        return Heard(tuple(_bybit_hint(row) for row in message["data"]), data=True)
    if topic != "execution":
        return Heard()
    rows = [row for row in message["data"] if row["execType"] != "Funding"]
    return Heard(tuple(StreamHint(_text(r["symbol"]), _text(r.get("orderLinkId")), _text(r["execId"])) for r in rows), data=True)


def _bybit_hint(row: Mapping[str, Any]) -> StreamHint:
    return StreamHint(_text(row["symbol"]), _text(row.get("orderLinkId")), "", row["orderStatus"] not in BYBIT_STAND)


def _text(value: Any) -> str:
    """An id; nothing and 0 are none. Raises ValueError for what cannot be one."""
    if value in (None, "", 0, "0"):
        return ""
    if not isinstance(value, str | int) or len(text := str(value)) > ID_MAX:
        raise ValueError(f"an id of type {type(value).__name__}")
    return text


WORDS: Mapping[str, PrivateWords] = {
    "okx": PrivateWords(("orders", "orders-algo"), read_okx, account_okx.inst_id),
    "binance": PrivateWords((), read_binance, account_binance.name_of),
    "bybit": PrivateWords(("order", "execution"), read_bybit, account_bybit.name_of),
}
