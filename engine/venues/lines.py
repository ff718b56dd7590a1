"""What the streams of a venue have alike, public or private: pings, a look at each message before ccxt, an end in time.

Called by candles.py and private_stream.py with a ccxt.pro client.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

KEEP_ALIVE_MS = 4_000  # between two pings: a connection that brings nothing for 10 s is dead, however quiet its market
HANG_UP_S = 1.0  # for the farewell of a connection; a dead one would take ten
CLOSE_S = 2.0

Received = Callable[[Any, Any], Any]  # ccxt's connection, the message


def read_first(exchange: Any, received: Received) -> Received:
    """Give every message to `received`, and ping often. Returns what ccxt would have done with it."""
    handled: Received = exchange.handle_message
    exchange.handle_message = received
    exchange.streaming = {**(exchange.streaming or {}), "keepAlive": KEEP_ALIVE_MS}
    return handled


async def hang_up(exchange: Any) -> None:
    """Give up every connection of a client, within a second; the next one is dialled without ccxt's growing waits."""
    await within(exchange.close_ws_clients(), HANG_UP_S)
    exchange.clients = {}  # one that is still at its farewell ends by itself, or with the session
    exchange.ws_dial_backoff = {}


async def close(exchange: Any) -> None:
    """Hang up, and close the client for good, within three seconds."""
    await hang_up(exchange)
    await within(exchange.close(), CLOSE_S)


async def within(work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Do something that may fail, for this long at most. Not by asyncio.wait_for: CPython 3.11 may swallow a cancellation."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # what is dead may also fail to close
