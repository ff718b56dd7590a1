"""The last look at what fell silent, kept for status, tool and watch; each silence is an alert, the cause first.

Written by the supervisor once an hour (engine.watch.observer) and by `nightdesk silences`. A file of the home, derived: without
it nothing is claimed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.control.limits import HardLimits
from engine.watch import derived
from engine.watch.observation import DeskObservation, Finding
from engine.watch.silence.pulses import silences
from engine.watch.silence.rates import rates_json

FILE = "cache/silences.json"
KIND = "silence"  # of the finding; its fingerprint begins with it
SHOWN_MAX = 20  # silences with an alert of their own
OWN_ALERT = ("series",)  # its age is watched by outside_status.py
NEVER = ("exit", "guard")  # one that never fired at all is deadguards.py's
ACTIONS = {
    "exit": "nightdesk drill says whether it can fire at all; then look at what the sleeve changed since",
    "guard": "nightdesk drill says whether it can fire at all",
    "entry": "nightdesk journal explain --sleeve {place}: which signal there was, and which rule refused",
    "feature": "nightdesk data sources, nightdesk data list: which file or series it reads ended",
    "bars": "check the venue and nightdesk data list; a position in it has no honest mark",
    "funding": "compare with the venue's bills; nightdesk data pull fetches rates",
}


def look_for_silences(home: Path, limits: HardLimits, now_ms: int) -> Mapping[str, Any]:
    """Look now and keep it: {"wall_ms", "counts", "items"}. Raises DataError for a baseline that cannot be read."""
    found = silences(home, limits, now_ms)
    states = ("silent", "cannot tell", "as expected")
    counts = {state: sum(one.state == state for one in found) for state in states}
    body = {"wall_ms": now_ms, "counts": counts, "items": rates_json(found)}
    with suppress(OSError):
        derived.keep(home / FILE, body)
    return body


def last_silences(home: Path) -> Mapping[str, Any]:
    """The look that was kept last; empty without one, or where it cannot be read."""
    return derived.kept(home / FILE)


def silent_ones(desk: DeskObservation) -> Iterator[Finding]:
    """What should have happened and did not; a guard that never fired at all is an alert of deadguards.py."""
    silent = [one for one in desk.silences.get("items", ()) if one["state"] == "silent" and one["kind"] not in OWN_ALERT]
    for one in [one for one in silent if one["times"] or one["kind"] not in NEVER][:SHOWN_MAX]:
        name = f"{KIND}:{one['place']}:{one['kind']}:{one['name']}"
        numbers = {key: one[key] for key in ("times", "since", "expected", "low", "high", "p")}
        action = ACTIONS[one["kind"]].format(place=one["place"])
        since = int(desk.silences["wall_ms"])
        yield Finding(name, KIND, "warn", one["text"], one["place"], since, action, numbers)
