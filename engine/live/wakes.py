"""Waiting for an event, or for so long. Called by the duties of an account, and by those of a maker."""

import asyncio


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Until an event is set, or so long; it is clear then. Not by asyncio.wait_for, which in CPython 3.11 may swallow a
    cancellation.
    """
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        timer.cancel()
    event.clear()
