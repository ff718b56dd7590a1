"""The signals of a `bar` event as the core reads them. Called by transitions.on_bar, so replay and paper alike; no strategy code.

A sleeve without a signal has null, and `silent` says why: late, crashed, raised, nonsense. `lacking` names the features of a
sleeve that enters nothing at this close because too many have no value; its signal is there, without an entry.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from engine.book.snapshot import GREW, as_json, restored
from engine.core.state import LEAVE_LONG, LEAVE_SHORT, Signal

NAN = math.nan
LACKING_SHOWN = 6  # features named in a sentence
NO_SIGNAL = Signal(0, NAN, NAN, NAN, NAN, NAN, 0.0, 0, 1)  # nothing can be computed: no entry, exits go on


def signal_in(bar: Mapping[str, Any], sleeve: str) -> tuple[int | None, float | None, str]:
    """(side, strength, why there is none) of a sleeve in a bar's body, for people; an unknown strength is None."""
    written = bar.get("signals", {}).get(sleeve)
    side, strength = (None, None) if written is None else written[:2]
    return side, strength, str(bar.get("silent", {}).get(sleeve, "")) or lacking_text(lacking_in(bar, sleeve))


def lacking_in(bar: Mapping[str, Any], sleeve: str) -> list[str]:
    """The features without a value that kept a sleeve from entering at a close."""
    return [str(label) for label in bar.get("lacking", {}).get(sleeve, ())]


def lacking_text(lacking: Sequence[str]) -> str:
    """In a sentence; empty for none."""
    if not lacking:
        return ""
    more = f" and {len(lacking) - LACKING_SHOWN} more" if len(lacking) > LACKING_SHOWN else ""
    return f"{len(lacking)} features have no value: {', '.join(lacking[:LACKING_SHOWN])}{more}"


def as_written(signal: Signal) -> list[Any]:
    """A signal as a `bar` event holds it: its fields in order; of the last, which few strategies use, as many as it needs."""
    said = len(Signal._fields)
    while said > GREW[Signal] and signal[said - 1] == Signal._field_defaults[Signal._fields[said - 1]]:
        said -= 1
    return cast("list[Any]", as_json(signal[:said]))


def leaving_only(signal: Signal, side: int) -> Signal:
    """A reversal of a position on `side` as an exit alone: a version that waits for a flat sleeve governs its next entry."""
    if signal.reverse == 0 or signal.side * side >= 0:
        return signal
    return signal._replace(reverse=0, leave=signal.leave | (LEAVE_LONG if side > 0 else LEAVE_SHORT))


def signal_of(written: Any) -> Signal:
    """One sleeve's signal at a close."""
    return NO_SIGNAL if written is None else cast(Signal, restored(Signal, written))
