"""How often a path of a venue is asked: a venue that counts requests by the second turns a burst away, and what was turned away
would be asked again in the same burst for ever.
"""

import asyncio
from collections import defaultdict, deque
from typing import Any
from weakref import WeakKeyDictionary

CALLS, SECOND_S = 8, 1.0  # of one path; Bybit's least limit for an account's lists is ten
_LAST: WeakKeyDictionary[Any, defaultdict[str, deque[float]]] = WeakKeyDictionary()  # client -> path -> when it was asked


async def turn(client: Any, path: str) -> None:
    """Wait until `path` may be asked by this client: at most CALLS begin within any second, in the order in which they came."""
    clock, calls = asyncio.get_running_loop().time, _LAST.setdefault(client, defaultdict(lambda: deque(maxlen=CALLS)))[path]
    begins = max(clock(), calls[0] + SECOND_S) if len(calls) == CALLS else clock()
    calls.append(begins)
    if begins > clock():
        await asyncio.sleep(begins - clock())
