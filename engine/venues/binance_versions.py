"""Versions of a conditional order at Binance, which does not move one: an amended one is a new order, `ID`, `ID-1`, `ID-2`.

Called by binance.py and private_stream_words.py. Rows are Binance's own, of `algoOrder` and `allAlgoOrders`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

STANDS = "NEW"
LIFE_MS = 12_000  # how long a request may be on its way: ccxt lets it live for ten seconds
LAG_MS = 30_000  # how long answers may not know of what was acknowledged
THIN_MS = 2_500  # either, where the version that stands covers too few lots: better two for a while than lots without a stop
ENDED = ("CANCELED", "EXPIRED", "REJECTED")  # of one that placed nothing
FIRING = "TRIGGERING"  # its level was reached, and nothing is placed yet
STUCK_MS = 60_000  # after which it has placed nothing and will not: such orders stay so for good, and cannot be cancelled
UNLISTED_MAX = 10  # versions in a row that a process before may have sent in vain
SENT_KEPT = 1_000  # orders whose last version is remembered: many more than ever stand
FORCED = {  # how the client id of an order begins that Binance makes itself: its page of the user stream; no payload seen
    "autoclose-": "liquidation",
    "adl_autoclose": "adl",
    "settlement_autoclose-": "delivery",
    "delivery_autoclose-": "delivery",  # an older wording of that page
}
VERSION = re.compile(r"-(\d{1,9})\Z")
Row = Mapping[str, Any]


class Sent(NamedTuple):
    """The last version of an order that a process has sent."""

    version: int
    until_ms: int  # by when it is known if it is there, UTC


def stem_of(id_: str | None) -> str:
    """The desk's id in a client id of a conditional order: without its version. An order of somebody else may have none."""
    return VERSION.sub("", id_ or "")


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


def next_version(versions: Sequence[Row], sent: Sent) -> int:
    """The number of the version that is sent next: beyond those that are there, and what was `sent` and may still arrive."""
    return max(sent.version, *map(version_of, versions)) + 1


def keep_sent(sent: dict[str, Sent], stem: str, version: int, until_ms: int = 0) -> None:
    """Remember which version of an order was sent last (0: what became of it is known). The order that was sent longest ago goes:
    one that is forgotten counts as sent by another process (`left_out`).
    """
    sent.pop(stem, None)
    sent[stem] = Sent(version, until_ms)
    if len(sent) > SENT_KEPT:
        del sent[next(iter(sent))]


def may_be_newer(row: Row, sent: Sent | None, now: int) -> bool:
    """Whether a version newer than this one, the newest that is known, was `sent` and may not be known yet at `now`. None: by
    another process, which did so before this one began.
    """
    if sent is None:
        return row["algoStatus"] != STANDS and int(row["updateTime"]) > now - LIFE_MS
    return version_of(row) < sent.version and now < sent.until_ms


def is_stuck(row: Row, sent: dict[str, Sent], now: int) -> bool:
    """Whether a conditional order is firing, and was when it was first looked at STUCK_MS ago, by our own clock."""
    if row["algoStatus"] != FIRING:
        return False
    key = f"{FIRING} {row['algoId']}"
    if key not in sent:
        keep_sent(sent, key, 0, now + STUCK_MS)
    return now >= sent[key].until_ms


def standing_of(versions: Sequence[Row]) -> list[Row]:
    """Those that have neither fired nor ended."""
    return [row for row in versions if row["algoStatus"] == STANDS]


def fired_of(versions: Sequence[Row]) -> Row | None:
    """The one that has placed its child, or is about to."""
    return next((row for row in versions if row["algoStatus"] not in (STANDS, *ENDED)), None)


def left_out(stem: str, versions: Sequence[Row], sent: Sent | None = Sent(0, 0)) -> list[str]:
    """Ids of versions to ask for: those up to what was `sent` that a list does not have yet; where nothing stands or has fired
    also the next one and those between the ones it has; where another process has sent them (None) the next UNLISTED_MAX. Those
    before the first are gone from every list after three days.
    """
    numbers, found = {version_of(row) for row in versions}, bool(standing_of(versions) or fired_of(versions))
    first = max(numbers) if found else min(numbers)
    last = max(sent.version if sent else 0, *numbers) + (UNLISTED_MAX if sent is None else 0 if found else 1)
    return [id_of(stem, number) for number in range(first, last + 1) if number not in numbers]


async def completed(
    stem: str, listed: Sequence[Row], by_id: Callable[[str], Awaitable[Row | None]], sent: Sent | None
) -> Sequence[Row]:
    """The versions of an order as they are by their ids, oldest first: a list may be late, or leave some out. Raises what `by_id`
    raises.
    """
    now = [await by_id(row["clientAlgoId"]) or row if row["algoStatus"] == STANDS else row for row in listed]
    versions = sorted(now, key=version_of)
    while found := [row for id_ in left_out(stem, versions, sent) if (row := await by_id(id_))]:
        versions = sorted([*versions, *found], key=version_of)
    return versions
