"""What each call of ccxt sends to a local venue, as it is kept in tests/venues/captured/: every venue's `calls.py` uses this."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.exchange.played import Played

PATIENCE_S = 0.5  # of a call that waits for a push
Call = Callable[[Any], Any]


async def sent_by_each(played: Played, calls: Mapping[str, Call], clean: Callable[[Any], Any]) -> dict[str, Any]:
    """For each call what it sent, and `ok`, `waits`, or the error's class. `clean` takes away what no two runs share."""
    venue, found = played.venue, {}
    for name, call in calls.items():
        before, heard = len(venue.calls), [len(line.received) for line in venue.lines]
        try:
            await asyncio.wait_for(call(played.client), PATIENCE_S)
            outcome = "ok"
        except TimeoutError:
            outcome = "waits"
        except Exception as error:  # noqa: BLE001 - the class is what is captured
            outcome = type(error).__name__
        sent = [[method, path, clean(fields)] for method, path, fields in venue.calls[before:]]
        for number, line in enumerate(venue.lines):
            new = line.received[heard[number] if number < len(heard) else 0 :]
            sent += [["WS", line.kind, clean(message)] for message in new]
        found[name] = {"sent": sent, "outcome": outcome}
    return found


def text_of(found: Mapping[str, Any]) -> str:
    """As it is stored: a line a request."""
    parts = []
    for name, call in found.items():
        lines = ",".join("\n  " + json.dumps(request) for request in call["sent"])
        parts.append(f' {json.dumps(name)}: {{"outcome": {json.dumps(call["outcome"])}, "sent": [{lines}]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def differences(found: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """A line a call that is not as stored."""
    names = sorted(found.keys() | stored.keys())
    return [f"{name}: {stored.get(name)} -> {found.get(name)}" for name in names if found.get(name) != stored.get(name)]
