"""Versions of a conditional order at Binance, which does not move one: an amended one is a new order, `ID`, `ID-1`, `ID-2`.

Called by binance.py and private_stream_words.py. Rows are Binance's own, of `algoOrder` and `allAlgoOrders`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

STANDS = "NEW"
LAG_MS = 15_000  # how long a list may not have what was placed, our clocks' difference in it
ENDED = ("CANCELED", "EXPIRED", "REJECTED")  # of one that placed nothing
UNLISTED_MAX = 9  # versions that a process before may have sent within the life of a request, and that no list has yet
SENT_KEPT = 1_000  # orders whose last version is remembered: many more than ever stand
FORCED = {  # how the client id of an order begins that Binance makes itself
    "autoclose-": "liquidation",
    "adl_autoclose": "adl",
    "settlement_autoclose-": "delivery",
    "delivery_autoclose-": "delivery",
}
VERSION = re.compile(r"-(\d{1,9})\Z")
Row = Mapping[str, Any]


def stem_of(id_: str) -> str:
    """The desk's id in a client id of a conditional order: without its version."""
    return VERSION.sub("", id_)


def forced_by(id_: str) -> str:
    """Why Binance itself has made the order with this client id; empty for everybody else's."""
    return next((why for prefix, why in FORCED.items() if id_.startswith(prefix)), "")


def version_of(row: Row) -> int:
    """Which version of its order a conditional order is; 0 is the first."""
    found = VERSION.search(row["clientAlgoId"])
    return int(found[1]) if found else 0


def id_of(stem: str, version: int) -> str:
    """The client id of a version."""
    return f"{stem}-{version}" if version else stem


def next_version(versions: Sequence[Row], sent: int | None) -> int:
    """The number of the version that is sent next: beyond those listed, and beyond what was `sent` and may still arrive. None: by
    another process, of whose last requests nothing is known.
    """
    last = max(map(version_of, versions))
    return last + UNLISTED_MAX + 1 if sent is None else max(last, sent) + 1


def keep_sent(sent: dict[str, int], stem: str, version: int) -> None:
    """Remember which version of an order was sent last. The order that was sent longest ago goes: one that is forgotten counts
    as sent by another process (`next_version`).
    """
    sent.pop(stem, None)
    sent[stem] = version
    if len(sent) > SENT_KEPT:
        del sent[next(iter(sent))]


def may_be_newer(row: Row, sent: int | None, now: int) -> bool:
    """Whether a version newer than this one, which has ended, may not be listed yet at `now`: not where it is the last that was
    `sent`. None: by another process.
    """
    return (sent is None or version_of(row) < sent) and int(row["updateTime"]) > now - LAG_MS


def standing_of(versions: Sequence[Row]) -> list[Row]:
    """Those that have neither fired nor ended."""
    return [row for row in versions if row["algoStatus"] == STANDS]


def fired_of(versions: Sequence[Row]) -> Row | None:
    """The one that has placed its child, or is about to."""
    return next((row for row in versions if row["algoStatus"] not in (STANDS, *ENDED)), None)


def left_out(stem: str, versions: Sequence[Row], sent: int = 0) -> list[str]:
    """Ids of versions that a list of them does not have: between those it has, and up to the one after the last of it or of what
    was `sent`. Those before the first are gone from every list after three days.
    """
    numbers = {version_of(row) for row in versions}
    return [id_of(stem, number) for number in range(min(numbers), max(sent, *numbers) + 2) if number not in numbers]
