"""Whether a reading takes linear time: half an input against the whole of it, by CPU, and only where it takes long enough."""

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

JUDGED_S = 0.05  # a shorter reading is noise
RATIO_MAX = 3.0
ROUNDS = 6  # in which it must be seen each time


def cpu_s(read: Callable[[str], Any], text: str) -> float:
    """CPU time of one reading, accepted or refused; without a look for garbage among all that a run has imported."""
    gc.disable()
    try:
        began = time.process_time()
        with suppress(ValueError, KeyError, TypeError):
            read(text)
        return time.process_time() - began
    finally:
        gc.enable()


def beyond_linear(read: Callable[[str], Any], text: str) -> str:
    """What was measured where `text` takes over RATIO_MAX times as long as its half; empty where it does not.

    Best of three, and measured anew up to five times: a machine that is busy at one moment slows one of the two, a slow reading
    all. The whole is read again only where its first reading does not pass already: the best of three would be no longer.
    """
    small = large = 0.0
    for _ in range(ROUNDS):
        large = cpu_s(read, text)
        if large <= JUDGED_S:
            return ""
        small = min(cpu_s(read, text[: len(text) // 2]) for _ in range(3))
        if large > RATIO_MAX * small:
            large = min(large, *(cpu_s(read, text) for _ in range(2)))
        if large <= max(JUDGED_S, RATIO_MAX * small):
            return ""
    return f"{small:.3f} s, and {large:.3f} s for twice as much"
