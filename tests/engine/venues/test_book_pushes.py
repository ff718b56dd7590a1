"""Messages of the three venues' diff channels are read as their pages describe them; what is broken is refused."""

import json
from typing import Any

import pytest

from engine.errors import DataError
from engine.venues.book_pushes import LEVELS_MAX, BookPush, TradePush, pushes_of

OKX: dict[str, Any] = {
    "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"},
    "action": "update",
    "data": [
        {"asks": [["61800.3", "12.3", "0", "4"]], "bids": [["61800.2", "0", "0", "0"]], "ts": "1723161256298", "checksum": 1,
         "seqId": 105, "prevSeqId": 100}
    ],
}  # fmt: skip
BINANCE: dict[str, Any] = {
    "e": "depthUpdate", "E": 1723161256299, "T": 1723161256298, "s": "BTCUSDT", "U": 101, "u": 105, "pu": 100,
    "b": [["61800.2", "0.000"]], "a": [["61800.3", "0.123"]],
}  # fmt: skip
SPOT = {name: value for name, value in BINANCE.items() if name not in ("pu", "T")}
REST: dict[str, Any] = {
    "url": "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
    "status": 200,
    "body": json.dumps({"lastUpdateId": 105, "T": 1723161256298, "bids": [["61800.2", "0.5"]], "asks": [["61800.3", "0.123"]]}),
}
BYBIT: dict[str, Any] = {
    "topic": "orderbook.200.BTCUSDT", "type": "delta", "ts": 1723161256300, "cts": 1723161256298,
    "data": {"s": "BTCUSDT", "b": [["61800.2", "0"]], "a": [["61800.3", "0.123"]], "u": 105, "seq": 7},
}  # fmt: skip
LEVELS = [(0, 61800.2, 0.0), (1, 61800.3, 0.123)]
SENT = 1723161256298


def unit(name: str) -> float:
    """Base units of a size: OKX's swaps are contracts of 0.01."""
    return 0.01 if name.endswith("-SWAP") else 1.0


READ = {
    "okx": ("okx", "ws", OKX, BookPush("BTC-USDT-SWAP", False, SENT, 105, 105, 100, LEVELS)),
    "binance perp": ("binance", "ws", BINANCE, BookPush("BTCUSDT", False, SENT, 101, 105, 100, LEVELS)),
    "binance spot": ("binance", "ws", SPOT, BookPush("BTCUSDT", False, SENT + 1, 101, 105, -1, LEVELS)),
    "binance of several": (
        "binance",
        "ws",
        {"stream": "x", "data": SPOT},
        BookPush("BTCUSDT", False, SENT + 1, 101, 105, -1, LEVELS),
    ),
    "binance snapshot": (
        "binance",
        "rest",
        REST,
        BookPush("BTCUSDT", True, SENT, 105, 105, -1, [(0, 61800.2, 0.5), (1, 61800.3, 0.123)]),
    ),
    "bybit": ("bybit", "ws", BYBIT, BookPush("BTCUSDT", False, SENT, 105, 105, -1, LEVELS)),
    "okx trade": (
        "okx",
        "ws",
        {
            "arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"},
            "data": [{"instId": "BTC-USDT-SWAP", "px": "61800.2", "sz": "12.3", "side": "sell", "ts": str(SENT)}],
        },
        TradePush("BTC-USDT-SWAP", SENT, 61800.2, 0.123, True),
    ),
    "binance trade": (
        "binance",
        "ws",
        {"e": "trade", "s": "BTCUSDT", "T": SENT, "p": "61800.2", "q": "0.123", "m": False, "X": "MARKET"},
        TradePush("BTCUSDT", SENT, 61800.2, 0.123, False),
    ),
    "bybit trade": (
        "bybit",
        "ws",
        {"topic": "publicTrade.BTCUSDT", "data": [{"T": SENT, "s": "BTCUSDT", "S": "Buy", "v": "0.123", "p": "61800.2"}]},
        TradePush("BTCUSDT", SENT, 61800.2, 0.123, False),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_each_venues_words_are_read(name: str) -> None:
    """Ids, sides, sizes in base units; OKX's contracts are worth what they are, without a float's noise."""
    venue, what, message, push = READ[name]
    assert pushes_of(venue, what, message, unit) == [push]


def test_snapshots_are_told_from_deltas() -> None:
    """By the venue's own word, never by size."""
    assert pushes_of("okx", "ws", OKX | {"action": "snapshot"}, unit)[0].snapshot  # type: ignore[union-attr]
    assert pushes_of("bybit", "ws", BYBIT | {"type": "snapshot"}, unit)[0].snapshot  # type: ignore[union-attr]


OTHER: list[tuple[str, str, Any]] = [
    *(("okx", "ws", message) for message in ("pong", {"event": "subscribe", "arg": {"channel": "books"}}, {}, None, [1, 2])),
    ("okx", "rest", OKX),
    ("okx", "ws", OKX | {"arg": {"channel": "books5", "instId": "BTC-USDT-SWAP"}}),
    ("binance", "ws", {"result": None, "id": 1}),
    ("binance", "ws", BINANCE | {"e": "kline"}),
    ("binance", "rest", REST | {"url": "https://x/fapi/v1/time"}),
    ("binance", "rest", REST | {"status": 418}),
    ("binance", "ws", {"e": "trade", "s": "B", "T": 1, "p": "1", "q": "1", "m": False, "X": "INSURANCE_FUND"}),
    ("bybit", "ws", {"success": True}),
]


@pytest.mark.parametrize(("venue", "what", "message"), OTHER)
def test_other_messages_say_nothing_of_a_book(venue: str, what: str, message: Any) -> None:
    """Subscriptions, pongs, other channels, refused requests."""
    assert pushes_of(venue, what, message, unit) == []


def okx_row(**changed: Any) -> dict[str, Any]:
    """OKX's message with other fields."""
    return OKX | {"data": [OKX["data"][0] | changed]}


SIDES: tuple[Any, ...] = (
    [["nan", "1"]],
    [["-1", "1"]],
    [["1", "-1"]],
    [["1", "inf"]],
    [["1"]],
    None,
    [["1", "1"]] * (LEVELS_MAX + 1),
)
BROKEN: list[tuple[str, str, Any]] = [
    *(("okx", "ws", okx_row(asks=side)) for side in SIDES),
    *(
        ("okx", "ws", okx_row(**changed))
        for changed in ({"seqId": None}, {"seqId": 10**30}, {"prevSeqId": -7}, {"ts": "x"}, {"ts": float("inf")})
    ),
    *(("okx", "ws", OKX | changed) for changed in ({"data": [7]}, {"arg": 7})),
    ("okx", "ws", {k: v for k, v in OKX.items() if k != "action"}),
    ("binance", "ws", {k: v for k, v in BINANCE.items() if k != "u"}),
    *(("binance", "rest", REST | {"body": body}) for body in ("<html>", "{}")),
    *(("bybit", "ws", BYBIT | changed) for changed in ({"data": None}, {"type": None, "data": 7})),
]


@pytest.mark.parametrize(("venue", "what", "message"), BROKEN)
def test_a_broken_message_is_refused_in_one_line(venue: str, what: str, message: Any) -> None:
    """Never half of it; and whatever it holds, the line stays short."""
    with pytest.raises(DataError, match="cannot be read") as caught:
        pushes_of(venue, what, message, unit)
    assert len(str(caught.value)) < 300
