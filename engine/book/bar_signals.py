"""The signals of a `bar` event as the core reads them. Called by transitions.on_bar, so replay and paper alike; no strategy code.

A sleeve without a signal has null, and `silent` says why: late, crashed, raised, nonsense.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

from engine.book.snapshot import restored
from engine.core.state import Signal

NAN = math.nan
NO_SIGNAL = Signal(0, NAN, NAN, NAN, NAN, NAN, 0.0, 0, 1)  # nothing can be computed: no entry, exits go on


def signal_in(bar: Mapping[str, Any], sleeve: str) -> tuple[int | None, float | None, str]:
    """(side, strength, why there is none) of a sleeve in a bar's body, for people; an unknown strength is None."""
    written = bar.get("signals", {}).get(sleeve)
    side, strength = (None, None) if written is None else written[:2]
    return side, strength, str(bar.get("silent", {}).get(sleeve, ""))


def signal_of(written: Any) -> Signal:
    """One sleeve's signal at a close."""
    return NO_SIGNAL if written is None else cast(Signal, restored(Signal, written))
