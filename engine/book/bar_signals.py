"""The signals of a `bar` event as the core reads them. Called by transitions.on_bar, so replay and paper alike; no strategy code.

A sleeve without a signal has null, and `silent` says why: late, crashed, raised, nonsense.
"""

import math
from typing import Any, cast

from engine.book.snapshot import restored
from engine.core.state import Signal

NO_SIGNAL = Signal(
    0, math.nan, math.nan, math.nan, math.nan, math.nan, 0.0, 0, 1
)  # nothing can be computed: no entry, exits go on


def signal_of(written: Any) -> Signal:
    """One sleeve's signal at a close."""
    return NO_SIGNAL if written is None else cast(Signal, restored(Signal, written))
