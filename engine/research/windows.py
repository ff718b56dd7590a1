"""Walk-forward windows: train on the past, test on what comes next, and never both on the same bars.

Called by research/walkforward.py. Turns a span and lengths (`60d`, `12h`) into Folds of bar numbers (models/folds.py
has the steps, which the trainer of models takes too); `audit` looks at them again with nothing but their times.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from engine.clock import DAY_MS, HOUR_MS, utc
from engine.errors import BadInput
from engine.models.folds import spans
from engine.sim.metrics import Times

LENGTH = re.compile(r"(\d{1,6})(m|h|d|w)")
UNITS = {"m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


class Fold(NamedTuple):
    """One step. Bars are numbers of the span's bars, ends excluded; `until`: where the next fold's test begins."""

    number: int  # from 1
    train: tuple[int, int]
    test: tuple[int, int]
    until: int
    short: bool = False  # the data ends before its test window does


class Audit(NamedTuple):
    """What an independent look at the folds found."""

    clean: bool
    text: str


def length_ms(text: str, name: str) -> int:
    """`60d`, `12h`, `90m`, `2w` in ms. Raises BadInput."""
    found = LENGTH.fullmatch(str(text).strip().lower())
    if found is None or int(found[1]) == 0:
        raise BadInput(f"--{name} {str(text)[:40]!r} is not a length of time", "write 60d, 12h, 90m or 2w")
    return int(found[1]) * UNITS[found[2]]


def length(ms: int) -> str:
    """`60d`, `12h`, `90m`: a length of time in one way, however it was written."""
    return next(f"{ms // UNITS[unit]}{unit}" for unit in ("d", "h", "m") if ms % UNITS[unit] == 0)


def is_nothing(text: Any) -> bool:
    """Whether a text is a length of nothing: `0`, `0h`."""
    return re.fullmatch(r"0+[mhdw]?", str(text).strip().lower()) is not None


def folds_of(close_ms: Times, bar_ms: int, train_ms: int, test_ms: int, step_ms: int, embargo_ms: int) -> list[Fold]:
    """Every fold whose training span is whole; a last test span may be shorter. Raises BadInput for lengths that do not fit."""
    for name, value in (("train", train_ms), ("test", test_ms), ("step", step_ms), ("embargo", embargo_ms)):
        if value % bar_ms:
            raise BadInput(f"--{name} is not a whole number of bars of {bar_ms // 60_000} minutes", "choose a multiple")
    begin, end = int(close_ms[0]) - bar_ms, int(close_ms[-1])
    steps = spans(begin, end, train_ms, test_ms, step_ms, embargo_ms)
    edges = [bars_of(close_ms, bar_ms, step) for step in steps]
    found = [
        Fold(n + 1, (e[0], e[1]), (e[2], min(e[3], len(close_ms))), 0, step.test_to_ms > end)
        for n, (step, e) in enumerate(zip(steps, edges, strict=True))
    ]
    found = [fold for fold in found if fold.test[1] > fold.test[0] and fold.train[1] > fold.train[0]]
    following = [fold.test[0] for fold in found[1:]]
    return [fold._replace(until=until) for fold, until in zip(found, [*following, found[-1].test[1]], strict=True)]


def bars_of(close_ms: Times, bar_ms: int, opens: Sequence[int]) -> list[int]:
    """The first bar that opens at each of these times or later."""
    return [int(k) for k in np.searchsorted(close_ms, np.asarray(opens) + bar_ms)]


def audit(folds: Sequence[Fold], close_ms: Times, bar_ms: int) -> Audit:
    """That no training bar is in the test window of its fold or after it, and that no bar is tested twice; by times alone.

    A label of training is known at the close of its window's last bar: open positions are marked there.
    """
    gaps = []
    for fold in folds:
        known_ms = int(close_ms[fold.train[1] - 1])  # when the last label of training is known
        first_ms = int(close_ms[fold.test[0]]) - bar_ms  # the open of the first test bar
        gaps.append((first_ms - known_ms) // bar_ms)
        if known_ms > first_ms:
            return Audit(False, f"fold {fold.number}: training ends at {utc(known_ms)}, its test begins at {utc(first_ms)}")
    for one, after in pairwise(folds):
        if after.test[0] < one.test[1]:
            return Audit(False, f"folds {one.number} and {after.number} test the same bars")
    bars = "bar" if min(gaps) == 1 else "bars"
    return Audit(True, f"{len(folds)} folds: no training interval meets its test interval (at least {min(gaps)} {bars} between)")
