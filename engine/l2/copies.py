"""Whether tapes hold the same messages twice: a day copied under another name, or with another clock, is no second day.

Called by app/cli/l2_judged.py. Looks at what messages say, RUN in a row, and not at ids or clocks, which a copy may change.
"""

import numpy as np
import numpy.typing as npt

from engine.l2.tape import BookTape

Marks = npt.NDArray[np.uint64]
RUN, DIFFERENT_MIN = 16, 12  # messages in a row, and how many of them say different things: a size that flickers is no copy
COPIED_MIN = 0.2  # of a tape: it is one that was recorded once; two true days share hardly any
_PRIMES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


class RepeatedTapes:
    """The runs of messages of the tapes so far."""

    def __init__(self) -> None:
        self._seen = list[Marks]()

    def repeated_frac(self, tape: BookTape) -> float:
        """The share of a tape's runs of messages that it, or a tape before it, has said already. 0 for one without runs."""
        marks, count = runs_of(tape)
        if not count:
            return 0.0
        theirs = max((float(np.isin(marks, seen).mean()) for seen in self._seen), default=0.0)
        self._seen.append(marks)
        return max(theirs, 1.0 - len(marks) / count)


def runs_of(tape: BookTape) -> tuple[Marks, int]:
    """(different runs of RUN messages with levels, how many there are). A mark is of first and last levels and their number."""
    size = np.diff(tape.start)
    full = np.flatnonzero(size)
    first, last = tape.start[full], tape.start[full + 1] - 1
    columns = [tape.scale.price(tape.price[at]).view(np.uint64) for at in (first, last)]
    columns += [tape.scale.quantity(tape.lots[at]).view(np.uint64) for at in (first, last)]
    one = size[full].astype(np.uint64)
    for column, prime in zip(columns, _PRIMES, strict=True):
        one = (one ^ column) * prime
        one ^= one >> np.uint64(29)
    if len(one) < RUN:
        return np.zeros(0, np.uint64), 0
    runs = np.zeros(len(one) - RUN + 1, np.uint64)
    for k in range(RUN):
        runs = (runs ^ one[k : k + len(runs)]) * _PRIMES[k % len(_PRIMES)]
        runs ^= runs >> np.uint64(31)
    rows = np.sort(np.lib.stride_tricks.sliding_window_view(one, RUN), axis=1)
    runs = runs[(np.diff(rows, axis=1) != 0).sum(axis=1) + 1 >= DIFFERENT_MIN]
    return np.unique(runs), len(runs)
